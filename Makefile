# The few commands people type. Each does its own set-up: system packages (tools/setup.sh), .venv, the C extensions.
#
#   make demo        the whole way: server, a simulation and a Python program, SQL, a Perfetto trace   (DEMO_SERVE=1 stays up)
#   make demo-doom   the same with a real game, built from Debian's source package
#   make demo-unreal the same with a game of the Unreal plugin, on the shim of the engine that its tests use
#   make test        every test of the short tier        make test-long   all of them
#   make check-portable   the recorder on arm64 under qemu, for old C libraries and for Android (part of test-long)
#   make bench       what it costs, against bench/budgets.toml: bench-native (C, C++ and Python), bench-server
#   make unreal      the Unreal plugin, ready to be copied: build/unreal/Tachy, and as a zip
#   make pictures    the drawings of docs/, from docs/figures.json; make screenshots   what a browser shows, from a run
#   make lint        formatting, types, warnings
#   make clean       removes build/ and .venv
.PHONY: demo demo-doom demo-unreal test test-long check-portable bench bench-native bench-server unreal pictures screenshots lint format clean setup-demo setup-test setup-bench setup-long setup-doom
.DEFAULT_GOAL := demo

# what starts often, as servers of tests do, is compiled once (0.8 s of processor a start)
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv/bin
# uv chooses 200 packages and brings them in 25 s, pip in two minutes; a mirror may be in pip's settings, which uv leaves alone
install = $(VENV)/uv pip install -q --python $(VENV)/python -e '.[$(1)]' || $(VENV)/python -m pip install -q --disable-pip-version-check -e '.[$(1)]'
NATIVE := $(shell find native pysdk/native -name '*.[ch]' 2>/dev/null)
# three on two cores: a third of a test's time is waiting, for a disk, a server's end, a time that must pass
PYTEST := $(VENV)/pytest -n 3 --dist loadgroup
# tests build the same sources for many programs and packages
test test-long: export PATH := /usr/lib/ccache:$(PATH)
test test-long: export CCACHE_DIR := $(CURDIR)/build/ccache
test test-long: export CCACHE_NOHASHDIR := 1
test test-long: export CCACHE_DEPEND := 1

demo: setup-demo build/extensions
	$(VENV)/python -m tools.demo

demo-doom: setup-doom build/extensions
	$(VENV)/python -m tools.demo --doom

demo-unreal: setup-test build/extensions
	$(VENV)/python -m tools.demo --unreal

test: setup-test build/extensions
	$(PYTEST) -m 'not long'

test-long: setup-test setup-long setup-doom build/extensions .venv/zig
	$(PYTEST)

check-portable: setup-test setup-long build/extensions .venv/zig
	$(PYTEST) tests/native/test_portability.py

bench: setup-test setup-bench build/extensions .venv/peers
	$(VENV)/python -m bench native around python unreal server shape lake

bench-native: setup-test setup-bench build/extensions .venv/peers
	$(VENV)/python -m bench native around python unreal

bench-server: setup-test build/extensions
	$(VENV)/python -m bench server shape lake

unreal: .venv/installed
	$(VENV)/python -m tools.unreal

pictures: .venv/installed
	$(VENV)/python -m tools.pictures

screenshots: setup-test build/extensions
	$(VENV)/python -m tools.screenshots

lint: setup-test build/extensions
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy pysdk/tachy server/tachy_server tools tests/model bench
	git ls-files '*.c' '*.h' '*.cpp' '*.hpp' | xargs clang-format --dry-run -Werror

format: setup-test build/extensions
	$(VENV)/ruff format .
	$(VENV)/ruff check --fix .
	git ls-files '*.c' '*.h' '*.cpp' '*.hpp' | xargs clang-format -i

setup-demo setup-test setup-bench setup-long setup-doom: setup-%:
	@tools/setup.sh $*

# The extensions of an editable install, rebuilt when the C sources change.
build/extensions: .venv/installed $(NATIVE) pysdk/build_native.py server/build_reader.py
	@mkdir -p build
	$(VENV)/python pysdk/build_native.py & $(VENV)/python server/build_reader.py && wait $$!
	@touch $@

.venv/installed: pyproject.toml setup.py
	$(PYTHON) -m venv .venv
	$(VENV)/python -m pip install -q --disable-pip-version-check uv
	EXTENSIONS_BY_MAKE=1; export EXTENSIONS_BY_MAKE; $(call install,dev)
	@touch $@

.venv/peers: .venv/installed
	$(call install,bench)
	@touch $@

.venv/zig: .venv/installed
	$(call install,long)
	@touch $@

clean:
	rm -rf build .venv
