"""What can come between a shard's log here and its stream."""

from __future__ import annotations

from warren.core.errors import StorageError


class WrongSequence(Exception):
    """An append expected another last sequence than the stream has; it wasn't taken."""


class StreamAway(Exception):
    """The stream can't be reached, or hasn't answered: what was asked for was done or not, nobody knows.

    The text is for people.
    """


class StreamFull(StreamAway):
    """The stream has no room for more: whoever asks, until somebody makes some."""


class OwnershipLost(StorageError):
    """Another node writes this shard's log now; nothing of the flush that found out may be confirmed."""


class StreamDiverged(StorageError):
    """The stream isn't what was confirmed here, or isn't a log at all; the text says what to do."""
