#!/bin/sh
# Brings the system packages that `make` needs: tools/setup.sh demo|test|bench|long|doom. Installs what is missing with apt-get when root or sudo
# may; otherwise prints the one line that does it and stops. Python packages are the Makefile's business.
set -eu

need=""
want() { # package, then a command that succeeds when it is there
  package=$1
  shift
  "$@" >/dev/null 2>&1 || need="$need $package"
}
header() { echo "#include <$1>" | cc -E -x c - ; }
python_ready() { python3 -c 'import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 11))'; }
python_header() { test -e "$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["include"])')/Python.h"; }

want build-essential sh -c 'command -v cc && command -v c++ && command -v make'
want cmake command -v cmake
want pkg-config command -v pkg-config
want libcurl4-openssl-dev header curl/curl.h
want libzstd-dev header zstd.h
want python3-venv python_ready
want python3-dev python_header
case ${1:-demo} in
  demo) want chromium command -v chromium ;; # takes the screenshot
  test)
    want chromium command -v chromium
    want clang command -v clang
    want ccache test -d /usr/lib/ccache
    want g++-mingw-w64-x86-64 command -v x86_64-w64-mingw32-g++
    want zsh command -v zsh # what `tachy completion` prints
    want curl command -v curl # docs/http.md's samples
    want clang-format command -v clang-format
    want libclang-rt-dev sh -c 'ls "$(clang -print-resource-dir)"/lib/*/libclang_rt.fuzzer*.a'
    want valgrind command -v valgrind
    want libjpeg-dev sh -c 'printf "#include <stdio.h>\n#include <jpeglib.h>\n" | cc -E -x c -' # the shim of the engine, as the next
    want zlib1g-dev header zlib.h
    ;;
  bench) # what `make bench` compares with, and counts instructions with
    want valgrind command -v valgrind
    want lttng-tools command -v lttng-sessiond
    want liblttng-ust-dev header lttng/tracepoint.h
    want libspdlog-dev pkg-config --exists spdlog
    ;;
  long) # what test-long builds for other systems
    want gcc-aarch64-linux-gnu command -v aarch64-linux-gnu-gcc
    want libc6-dev-arm64-cross test -e /usr/aarch64-linux-gnu/include/stdio.h
    want qemu-user command -v qemu-aarch64
    want wine64 test -e /usr/lib/wine/wine64
    want wine command -v wine
    ;;
  doom)
    want chromium command -v chromium
    want dpkg-dev command -v dpkg-source
    want libsdl2-dev pkg-config --exists sdl2
    want libsdl2-mixer-dev pkg-config --exists SDL2_mixer
    want libsdl2-net-dev pkg-config --exists SDL2_net
    want xvfb command -v Xvfb
    want freedoom test -e /usr/share/games/doom/freedoom1.wad
    ;;
  *)
    echo "tools/setup.sh: demo, test, bench, long or doom, not '$1'" >&2
    exit 2
    ;;
esac
[ -n "$need" ] || exit 0

install="apt-get install -y --no-install-recommends$need"
if ! command -v apt-get >/dev/null; then
  echo "tachy needs what Debian calls:$need. Install it with your system's package manager." >&2
  exit 1
elif [ "$(id -u)" = 0 ]; then
  prefix=""
elif sudo -n true 2>/dev/null; then
  prefix="sudo"
else
  echo "tachy needs a few system packages. Run this line, then the same command again:" >&2
  echo "  sudo $install" >&2
  exit 1
fi
echo "installing:$need"
mkdir -p build
{ $prefix apt-get update && DEBIAN_FRONTEND=noninteractive $prefix $install; } >build/apt.log 2>&1 || {
  tail -n 5 build/apt.log >&2
  echo "apt-get failed (the whole log: build/apt.log). The line was: $install" >&2
  exit 1
}
