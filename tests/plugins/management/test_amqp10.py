"""Connections of AMQP 1.0 in the API: they are shown, with sessions and links, and closed."""

from __future__ import annotations

from urllib.parse import quote

import trio

from tests.plugins.management.api import open_api, refusal
from tests.support.simulated_amqp10 import Frame, frames_of, of
from warren.adapters.amqp10.codec import sasl
from warren.adapters.amqp10.codec.framing import AMQP_HEADER, SASL_FRAME, SASL_HEADER, frame
from warren.adapters.amqp10.codec.performatives import Attach, Begin, Close, Open
from warren.adapters.amqp10.codec.termini import Source, Target


def opening() -> bytes:
    """A login, a session, and a link to and one from the queue `q`."""
    init = sasl.SaslInit()
    init.mechanism = "PLAIN"
    init.initial_response = b"\0guest\0guest"
    begin = Begin()
    begin.incoming_window = begin.outgoing_window = 100
    sender, receiver = Attach(), Attach()
    sender.name, sender.handle, sender.initial_delivery_count = "in", 0, 0
    sender.source, sender.target = Source(), Target()
    sender.target.address = "/queues/q"
    receiver.name, receiver.handle, receiver.role = "out", 1, True
    receiver.source, receiver.target = Source(), Target()
    receiver.source.address = "/queues/q"
    performatives = b"".join(frame(0, each) for each in (Open("box"), begin, sender, receiver))
    return SASL_HEADER + frame(0, init, SASL_FRAME) + AMQP_HEADER + performatives


async def read_until(stream: trio.SocketStream, kind: type, count: int) -> list[Frame]:
    """The frames that come, until there are so many of a kind, or the end."""
    data, found = b"", list[Frame]()
    while len(of(kind, found)) < count:
        came = await stream.receive_some()
        assert came, found
        data += came
        found = frames_of(data[: _whole(data)])
    return found


def _whole(data: bytes) -> int:
    """How many bytes are whole frames."""
    at = 0
    while len(data) - at >= 8:
        size = 8 if data[at : at + 4] == b"AMQP" else int.from_bytes(data[at : at + 4], "big")
        if at + size > len(data):
            break
        at += size
    return at


async def test_a_connection_with_its_sessions_and_links_until_it_is_closed() -> None:
    async with open_api(listen=("http=127.0.0.1:0", "amqp=127.0.0.1:0")) as api:
        await api.put("/queues/%2F/q", {})
        ((_, port),) = api.embedded.listening["amqp"]
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(opening())
            await read_until(stream, Attach, 2)
            (connection,) = await api.get("/connections")
            assert (connection["protocol"], connection["user_provided_name"]) == ("AMQP 1-0", "box")
            path = f"/connections/{quote(connection['name'], safe='')}"
            assert (await api.get(path))["name"] == connection["name"]
            (session,) = await api.get(f"{path}/sessions")
            assert (session["channel_number"], session["remote_incoming_window"]) == (0, 100)
            (incoming,) = session["incoming_links"]
            assert (incoming["link_name"], incoming["target_address"]) == ("in", "/queues/q")
            (outgoing,) = session["outgoing_links"]
            assert (outgoing["link_name"], outgoing["queue_name"], outgoing["credit"]) == ("out", "q", 0)
            assert [each["number"] for each in await api.get(f"{path}/channels")] == [0]
            auth = api.user("ann", "management")
            assert await api.get("/connections", auth=auth) == []
            refusal(await api.ask("GET", f"{path}/sessions", auth=auth), 404, "Object Not Found")
            response = await api.ask("DELETE", path, headers={"X-Reason": "for maintenance"})
            assert response.status_code == 204
            (close,) = of(Close, await read_until(stream, Close, 1))
            assert (close.error.condition, close.error.description) == ("amqp:connection:forced", "for maintenance")


async def test_connections_of_other_protocols_have_no_sessions() -> None:
    async with open_api(listen=("http=127.0.0.1:0", "amqp=127.0.0.1:0")) as api:
        ((_, port),) = api.embedded.listening["amqp"]
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"AMQP\x00\x00\x09\x01")
            await stream.receive_some()
            (connection,) = await api.get("/connections")
            path = f"/connections/{quote(connection['name'], safe='')}"
            assert await api.get(f"{path}/sessions") == []
