"""The commit loop on a disk that has no room for messages: who doesn't wait for messages doesn't wait for room."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest
import trio

from tests.support.tls_broker import run_of
from warren.core.messages.properties import encode_properties
from warren.gateway import open_broker

PATIENCE_S = 60
"""Real seconds, as virtual ones pass while a thread writes; it takes two tries of a commit."""


def full(*_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_deleting_goes_on_while_messages_wait_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    confirmed: list[bytes] = []
    async with (
        open_broker(data_directory=tmp_path / "data", listen=()) as broker,
        broker.connect() as client,
        broker.connect() as other,
    ):
        for name in ("a", "b", "q"):
            await client.declare_queue(name, durable=True)

        async def publish() -> None:
            await client.publish("", "q", b"body", encode_properties(delivery_mode=2))
            confirmed.append(b"body")

        async with trio.open_nursery() as nursery:
            with monkeypatch.context() as patched:
                patched.setattr(os, "pwrite", full)
                nursery.start_soon(publish)
                while "disk" not in run_of(broker).broker.alarms.raised():
                    await trio.sleep(0)
                for name in ("a", "b"):
                    with trio.fail_after(PATIENCE_S):
                        await other.delete_queue(name)
                assert confirmed == []
        assert confirmed == [b"body"]
    async with open_broker(data_directory=tmp_path / "data", listen=()) as broker:
        assert set(run_of(broker).broker.vhosts["/"].queues) == {"q"}
