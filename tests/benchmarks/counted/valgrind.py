"""Speaking to Valgrind from within the program that it runs: when Callgrind is to count, and when to write down.

A program asks Valgrind for something by a sequence of instructions that does nothing on a real processor and that no
compiler makes (valgrind/valgrind.h, "magic" sequences); there are no wheels that do that, and it is thirty bytes. Until
counting starts, a program runs several times faster, and most of this one's time is imports.
"""

from __future__ import annotations

import ctypes
import mmap
import platform

_ASK_X86_64 = bytes.fromhex(
    "4889f8"  # mov rax, rdi: the argument, an address of six words
    "31d2"  # xor edx, edx: the answer where there is no Valgrind
    "48c1c703" "48c1c70d" "48c1c73d" "48c1c733"  # rol rdi by 3, 13, 61, 51: by 128 together
    "4887db"  # xchg rbx, rbx
    "4889d0"  # mov rax, rdx
    "c3"  # ret
)  # fmt: skip
"""A C function `uint64_t ask(uint64_t request[6])`."""

_CALLGRIND = ord("C") << 24 | ord("T") << 16
_RUNNING_ON_VALGRIND = 0x1001
_DUMP, _ZERO, _START = _CALLGRIND, _CALLGRIND + 1, _CALLGRIND + 4


class Counter:
    """Callgrind, which counts this program's instructions.  Raises RuntimeError where it doesn't."""

    def __init__(self) -> None:
        if platform.machine() != "x86_64":
            raise RuntimeError(f"no way is known to speak to Valgrind on {platform.machine()}")
        self._code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._code.write(_ASK_X86_64)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._code))
        self._call = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(address)
        if not self._ask(_RUNNING_ON_VALGRIND):
            raise RuntimeError("Valgrind doesn't run this program")

    def start(self) -> None:
        """Begin to count."""
        self._ask(_START)

    def zero(self) -> None:
        """Count from nothing again."""
        self._ask(_ZERO)

    def write(self) -> None:
        """Have what was counted written into the next file, and count from nothing again."""
        self._ask(_DUMP)

    def _ask(self, request: int) -> int:
        words = (ctypes.c_uint64 * 6)(request)
        return int(self._call(ctypes.addressof(words)))
