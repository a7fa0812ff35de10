"""What became of a message that was sent to another broker."""

from __future__ import annotations

from typing import NamedTuple


class Settled(NamedTuple):
    """number: the message's, as who sent it was told.  refused: why the peer doesn't have it; None if it does."""

    number: int
    refused: str | None
