"""Qpid Proton's codec as a judge of ours: bytes through it and back, and values as it has them."""

from __future__ import annotations

from typing import Any

import proton


def through_proton(data: bytes) -> bytes:
    """One value decoded and encoded again by Proton; AssertionError where it doesn't take all of it."""
    found = proton.Data()
    assert found.decode(data) == len(data)
    return bytes(found.encode())


def of_proton(data: bytes) -> Any:
    """The value as Proton's Python has it."""
    found = proton.Data()
    assert found.decode(data) == len(data)
    found.rewind()
    found.next()
    return found.get_object()
