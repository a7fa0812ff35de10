"""The storage tests look at files through the page cache, so syncing would only make them slow.

That the engine does sync, and in the right order, is what disk/test_sync_order.py checks.
"""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _no_waiting_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", _ignore)
    monkeypatch.setattr(os, "fdatasync", _ignore)


def _ignore(descriptor: int) -> None:
    pass
