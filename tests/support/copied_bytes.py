"""Counting what a session copies of the bytes it is given: whoever puts pieces together shows up here.

A `Noted` is bytes that count what they are added to: `kept + piece` copies both, `bytearray += piece` the piece alone.
"""

from __future__ import annotations

from typing import Any


class Copies:
    """How many bytes were copied so far."""

    def __init__(self) -> None:
        self.count = 0

    def pieces(self, data: bytes, size: int) -> list[Noted]:
        """`data` in pieces of `size` bytes, each of which counts here."""
        return [Noted.of(data[at : at + size], self) for at in range(0, len(data), size)]


class Noted(bytes):
    """See the head of this file."""

    copies: Copies

    @classmethod
    def of(cls, data: bytes, copies: Copies) -> Noted:
        """These bytes, counted by `copies`."""
        made = cls(data)
        made.copies = copies
        return made

    def __radd__(self, other: Any) -> Any:
        self.copies.count += len(self)
        if isinstance(other, bytearray):
            return NotImplemented
        self.copies.count += len(other)
        return bytes(other) + bytes(self)
