# The extension that server/build_reader.py builds: cffi's two objects.
from typing import Any

ffi: Any
lib: Any
