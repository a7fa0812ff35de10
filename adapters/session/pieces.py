"""What has come of a packet or frame that isn't whole yet: kept, and put together once, when its end is there.

A read begins and ends anywhere.  Putting the beginning in front of each further read would copy what is there again
and again, which takes quadratic time for what is long and comes in small pieces.  So whoever reads says how many bytes
are missing at least, which the first few bytes of every packet tell; until then pieces are only collected, and nobody
looks at them.  A byte is copied twice at most, however the peer cuts.
"""

from __future__ import annotations


class Pieces:
    """Of one connection; true while something is kept."""

    __slots__ = ("_kept", "_missing")

    def __init__(self) -> None:
        self._kept: bytes | bytearray = b""
        self._missing = 0

    def __len__(self) -> int:
        """How many bytes are kept."""
        return len(self._kept)

    def __bool__(self) -> bool:
        return len(self) > 0

    def peek(self, count: int) -> bytes:
        """The first so many bytes of what is kept, which stay."""
        return bytes(self._kept[:count])

    def keep(self, tail: bytes, missing: int = 0) -> None:
        """Keep what was read and can't be handled yet; nothing else is kept at that time.

        missing: how many bytes have to come at least before it is worth a look; 0 for what waits for something else
        than bytes, 1 where that isn't known.
        """
        self._kept = tail
        self._missing = missing

    def add(self, data: bytes) -> None:
        """Keep more, while nothing is to be handled at all."""
        kept = self._kept
        if not kept:
            self._kept = data
            return
        if isinstance(kept, bytes):
            kept = self._kept = bytearray(kept)
        kept += data
        self._missing -= len(data)

    def join(self, data: bytes) -> bytes | None:
        """All that is there, with `data` at its end, which is kept no more; None when that is too little still."""
        kept = self._kept
        if len(data) >= self._missing:
            self._kept = b""
            if isinstance(kept, bytes):
                return kept + data if kept else data  # compiled code would copy it
            kept += data
            return bytes(kept)
        self.add(data)
        return None

    def put_before(self, data: bytes) -> None:
        """What comes before all that is kept, and is to be looked at again."""
        self._kept = data + self._kept
        self._missing = 0

    def clear(self) -> None:
        """The connection ends."""
        self._kept = b""
        self._missing = 0
