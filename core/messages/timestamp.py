"""Timestamps of field tables; apart from them because a subclass of int can't be compiled."""

from __future__ import annotations


class Timestamp(int):
    """Seconds since 1970 (tag `T`), told apart from other integers so that it is written back as such."""

    __slots__ = ()
