"""The memory of this process: what is in RAM, what of that is in use, and giving the rest back.

An allocator keeps memory that was freed for the next who wants some, so a process that held much stays large although
it holds little now.  glibc says how much is in use, and gives free pages back when asked (malloc_trim); Python's own
allocator of small objects says how many it holds.  Elsewhere what is in RAM counts as in use.
"""

from __future__ import annotations

import resource
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL_OBJECT_BYTES: Final = 200
"""What a small object of Python is counted as: they have up to 512 bytes, in a broker full of small messages 120 on
average; rather too much than too little, so that memory isn't thought free that is not."""


MALLINFO2: Final = (
    "arena",
    "ordblks",
    "smblks",
    "hblks",
    "hblkhd",
    "usmblks",
    "fsmblks",
    "uordblks",
    "fordblks",
    "keepcost",
)
"""The fields of struct mallinfo2 (malloc.h), each a size_t."""


def resident_bytes() -> int:
    """Memory of this process that is in RAM; its peak where the system tells no more."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def in_use_bytes() -> int | None:
    """Memory that this process holds, about; None where the allocator doesn't tell.

    It takes about two milliseconds for each hundred megabytes.
    """
    mallinfo = _mallinfo()
    if mallinfo is None:
        return None
    info = mallinfo()
    return int(info.uordblks) + int(info.hblkhd) + sys.getallocatedblocks() * SMALL_OBJECT_BYTES


def give_back() -> None:
    """Give memory that is free in the heaps back to the system, where that can be asked for.

    It takes up to 40 milliseconds for each hundred megabytes; for a worker thread.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _mallinfo() -> Callable[[], Any] | None:
    # Imported when it is needed: most brokers never come near their watermark.
    import ctypes

    class MallInfo(ctypes.Structure):
        _fields_ = tuple((name, ctypes.c_size_t) for name in MALLINFO2)

    return _function("mallinfo2", MallInfo)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    import ctypes

    return _function("malloc_trim", ctypes.c_int, ctypes.c_size_t)


def _function(name: str, result: Any, *arguments: Any) -> Callable[..., Any] | None:
    """A function of the C library; None where it has none of this name."""
    import ctypes

    try:
        found = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError, TypeError):
        return None
    found.restype = result
    found.argtypes = arguments
    return found  # type: ignore[no-any-return]
