"""What functions of a module remember of earlier calls: with it, only the first of many tests would run them.

So before each test under the tracer, and before the first fork, they are as if they had never been called.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Container
from pathlib import Path


def clearing_of(files: Container[str]) -> list[Callable[[], None]]:
    """What makes the functions with `functools.cache` that there are of these files forget."""
    found = [each for each in gc.get_objects() if isinstance(each, functools._lru_cache_wrapper)]
    return [each.cache_clear for each in found if _file_of(each.__wrapped__) in files]


def _file_of(function: Callable[..., object]) -> str:
    code = getattr(function, "__code__", None)
    return "" if code is None else str(Path(code.co_filename).resolve())
