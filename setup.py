"""The two C extensions of the distribution; everything else is in pyproject.toml."""

import os

from setuptools import setup

# `make` builds those of an editable install itself, whenever their sources change.
modules = [] if "EXTENSIONS_BY_MAKE" in os.environ else ["pysdk/build_native.py:ffi", "server/build_reader.py:ffi"]
setup(cffi_modules=modules)
