"""What a STOMP source tells its broker, by version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair, wait_all_tasks_blocked

from warren.adapters.stomp.client.connection import StompClient, StompLogin
from warren.gateway.peers.peer import now_ms
from warren.gateway.peers.stomp import StompPeer
from warren.plugins.shovel.stomp_definition import StompSourceDefinition
from warren.plugins.shovel.stomp_ends import StompSource, open_source

TWO = StompSourceDefinition((), ("/queue/a", "/queue/b"), {"selector": "x > 1"})


@asynccontextmanager
async def opened(version: str, mode: str = "on-confirm") -> AsyncIterator[tuple[StompSource, bytes, trio.abc.Stream]]:
    """A source, what it has said since it logged in, and its broker's side."""
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        peer = StompPeer(ours, StompClient(StompLogin(), now_ms()))
        nursery.start_soon(peer.run)
        await theirs.receive_some()
        await theirs.send_all(b"CONNECTED\nversion:%b\n\n\0" % version.encode())
        await peer.opened()
        subscribed: list[bytes] = []
        nursery.start_soon(take_subscriptions, theirs, subscribed)
        source = await open_source(peer, TWO, mode, 7, "own")
        try:
            yield source, b"".join(subscribed), theirs
        finally:
            await peer.aclose()
            nursery.cancel_scope.cancel()


async def take_subscriptions(stream: trio.abc.Stream, taken: list[bytes]) -> None:
    for number in range(1, len(TWO.destinations) + 1):
        taken.append(bytes(await stream.receive_some()))
        await stream.send_all(b"RECEIPT\nreceipt-id:subscribe-%d\n\n\0" % number)


async def said(stream: trio.abc.ReceiveStream) -> bytes:
    await wait_all_tasks_blocked()
    data = b""
    with trio.move_on_after(0.1):
        while True:
            data += await stream.receive_some()
    return data


async def send_messages(stream: trio.abc.SendStream, count: int) -> None:
    for number in range(count):
        await stream.send_all(
            b"MESSAGE\nsubscription:own\nmessage-id:m%d\nack:a%d\ndestination:/queue/a\n\nbody\0" % (number, number)
        )


@pytest.mark.parametrize(
    ("version", "mode", "ack", "prefetch"),
    [
        ("1.2", "on-confirm", b"client-individual", True),
        ("1.1", "on-publish", b"client-individual", True),
        ("1.0", "on-confirm", b"client", True),
        ("1.2", "no-ack", b"auto", False),
    ],
)
async def test_how_it_subscribes(
    autojump_clock: MockClock, version: str, mode: str, ack: bytes, prefetch: bool
) -> None:
    async with opened(version, mode) as (_, data, _):
        first, second, rest = data.split(b"\0")
        assert rest == b""
        for frame, id, destination in ((first, b"own", b"/queue/a"), (second, b"own 2", b"/queue/b")):
            lines = frame.splitlines()
            assert {b"id:" + id, b"destination:" + destination, b"ack:" + ack, b"selector:x > 1"} <= set(lines)
            assert (b"prefetch-count:7" in lines) == prefetch


@pytest.mark.parametrize(
    ("version", "acks"),
    [
        ("1.2", [b"ACK\nid:a0\n\n", b"ACK\nid:a1\n\n"]),
        ("1.1", [b"ACK\nmessage-id:m0\nsubscription:own\n\n", b"ACK\nmessage-id:m1\nsubscription:own\n\n"]),
        ("1.0", [b"ACK\nmessage-id:m0\nsubscription:own\n\n", b"ACK\nmessage-id:m1\nsubscription:own\n\n"]),
    ],
)
async def test_what_is_done_is_acknowledged_one_by_one(
    autojump_clock: MockClock, version: str, acks: list[bytes]
) -> None:
    async with opened(version) as (source, _, stream):
        await send_messages(stream, 4)
        await wait_all_tasks_blocked()
        messages = await source.receive()
        source.ack(messages[1])
        assert (await said(stream)).split(b"\0")[:-1] == acks
        source.ack_alone(messages[3])
        alone = await said(stream)
        assert (alone == b"") == (version == "1.0"), "there, one message's ACK may settle those before it"


async def test_without_acknowledgements_there_are_none(autojump_clock: MockClock) -> None:
    async with opened("1.2", "no-ack") as (source, _, stream):
        await send_messages(stream, 2)
        await wait_all_tasks_blocked()
        messages = await source.receive()
        source.ack(messages[0])
        source.ack_alone(messages[1])
        assert await said(stream) == b""
