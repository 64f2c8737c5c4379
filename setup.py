"""The two C extensions of the distribution; everything else is in pyproject.toml."""

from setuptools import setup

setup(cffi_modules=["pysdk/build_native.py:ffi", "server/build_reader.py:ffi"])
