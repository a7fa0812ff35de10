"""Connections, publishers and consumers of the stream protocol over HTTP, what streams keep of them; super streams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import trio

from tests.plugins.management.api import GUEST, Api, open_api, refusal
from tests.plugins.management.test_streams import STREAM, TIME_LIMIT_S
from tests.support.simulated_stream import frames, publish, published
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.encoding import decode, encode
from warren.adapters.stream.codec.keys import OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec

FIRST = OffsetSpec(OffsetType.FIRST)

LISTEN = ("http=127.0.0.1:0", "stream=127.0.0.1:0")


@asynccontextmanager
async def streaming(api: Api, user: tuple[str, str] = GUEST) -> AsyncIterator[str]:
    """A connection that has published three messages to `log` and been sent them; its name."""
    ((_, port),) = api.embedded.listening["stream"]
    login = b"\0".join(part.encode() for part in ("", *user))
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        data = b""

        async def answered(last: type, *many: commands.Command) -> None:
            nonlocal data
            await stream.send_all(b"".join(map(encode, many)))
            while not any(isinstance(decode(each), last) for each in frames(whole(data))):
                data += await stream.receive_some()
            data = b""

        with trio.fail_after(TIME_LIMIT_S):
            await answered(commands.SaslHandshakeAnswer, commands.SaslHandshake(1))
            await answered(commands.Tune, commands.SaslAuthenticate(2, "PLAIN", login))
            await answered(commands.OpenAnswer, commands.Tune(0, 0), commands.Open(3, "/"))
            messages = publish(4, *[published(number, b"x") for number in range(3)])
            await answered(commands.PublishConfirm, commands.DeclarePublisher(4, 4, "writer", "log"), messages)
            await answered(commands.Deliver, commands.Subscribe(5, 7, "log", FIRST, 10, {"name": "reader"}))
            await stream.send_all(encode(commands.StoreOffset("reader", "log", 2)))
        yield f"127.0.0.1:{stream.socket.getsockname()[1]} -> 127.0.0.1:{port}"


def whole(data: bytes) -> bytes:
    """The frames that are complete."""
    at = 0
    while len(data) - at >= 4 and len(data) - at >= 4 + int.from_bytes(data[at : at + 4], "big"):
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    return data[:at]


async def test_who_reads_and_writes_streams_until_the_connection_is_closed() -> None:
    async with open_api(listen=LISTEN) as api:
        await api.put("/queues/%2F/log", STREAM)
        async with streaming(api) as name:
            at = f"/stream/connections/%2F/{quote(name, safe='')}"
            for path in ("/stream/connections", "/stream/connections/%2F"):
                (found,) = await api.get(path)
                assert (found["name"], found["protocol"], found["vhost"]) == (name, "stream", "/")
            assert (await api.get(at))["name"] == name
            connection = (await api.get("/connections"))[0]["name"]
            assert connection == name
            for path in ("/stream/consumers", "/stream/consumers/%2F", f"{at}/consumers"):
                (consumer,) = await api.get(path)
                of = consumer.pop("connection_details")
                assert (of["name"], of["user"]) == (name, "guest")
                assert consumer == {
                    "queue": {"name": "log", "vhost": "/"},
                    "subscription_id": 7,
                    "messages_consumed": 3,
                    "offset": 2,
                    "offset_lag": 0,
                    "credits": 9,
                    "active": True,
                    "activity_status": "up",
                    "properties": {"name": "reader"},
                }
            paths = ("/stream/publishers", "/stream/publishers/%2F", "/stream/publishers/%2F/log", f"{at}/publishers")
            for path in paths:
                (publisher,) = await api.get(path)
                assert publisher.pop("connection_details") == of
                assert publisher == {
                    "queue": {"name": "log", "vhost": "/"},
                    "publisher_id": 4,
                    "reference": "writer",
                    "messages_published": 3,
                    "messages_confirmed": 3,
                    "messages_errored": 0,
                }
            await api.put("/queues/%2F/other", STREAM)
            assert await api.get("/stream/publishers/%2F/other") == []
            refusal(await api.ask("GET", "/stream/publishers/%2F/nowhere"), 404, "Object Not Found")
            assert (await api.ask("DELETE", at)).status_code == 204
            with trio.fail_after(TIME_LIMIT_S):
                while await api.get("/stream/connections"):
                    await trio.lowlevel.checkpoint()
            refusal(await api.ask("GET", at), 404, "Object Not Found")
            for path in (f"{at}/consumers", f"{at}/publishers"):
                refusal(await api.ask("GET", path), 404, "Object Not Found")
            assert await api.get("/stream/consumers") == await api.get("/stream/publishers") == []


async def test_who_does_not_monitor_sees_and_closes_the_own() -> None:
    async with open_api(listen=LISTEN) as api:
        await api.put("/queues/%2F/log", STREAM)
        anne, mona = api.user("anne", "management"), api.user("mona", "monitoring")
        async with streaming(api) as name, streaming(api, anne) as own:
            for what in ("connections", "consumers", "publishers"):
                for path in (f"/stream/{what}", f"/stream/{what}/%2F"):
                    assert len(await api.get(path, auth=mona)) == 2
                    (found,) = await api.get(path, auth=anne)
                    assert found.get("connection_details", found)["name"] == own
            at, others = (f"/stream/connections/%2F/{quote(each, safe='')}" for each in (own, name))
            refusal(await api.ask("GET", others, auth=anne), 404, "Object Not Found")
            refusal(await api.ask("DELETE", others, auth=mona), 401, "not_authorised")
            assert (await api.ask("DELETE", at, auth=anne)).status_code == 204


async def test_what_a_stream_keeps_of_readers_and_writers() -> None:
    async with open_api(listen=LISTEN) as api:
        await api.put("/queues/%2F/log", STREAM)
        await api.put("/queues/%2F/work", {})
        at = "/stream/%2F/log/tracking"
        async with streaming(api):
            with trio.fail_after(TIME_LIMIT_S):
                while not (await api.get(at))["offsets"]:
                    await trio.lowlevel.checkpoint()
            assert await api.get(at) == {"offsets": {"reader": 2}, "writers": {"writer": 2}}
            assert await api.get(f"{at}?type=offset") == {"offsets": {"reader": 2}}
            assert await api.get(f"{at}?type=writer") == {"writers": {"writer": 2}}
        refusal(await api.ask("GET", "/stream/%2F/work/tracking"), 400, "bad_request")
        refusal(await api.ask("GET", "/stream/%2F/nowhere/tracking"), 404, "Object Not Found")
        anne = api.user("anne", "management")
        api.broker.users.set_permissions("anne", "/", "", "", "")
        assert (await api.ask("GET", at, auth=anne)).status_code in (401, 403)


async def test_a_super_stream_is_made() -> None:
    async with open_api() as api:
        at = "/stream/super-streams/%2F/orders"
        for body in ({}, {"partitions": 2, "binding-keys": "a"}, {"partitions": 0}, {"partitions": 10**9}):
            refusal(await api.ask("PUT", at, body), 400, "bad_request")
        await api.put(at, {"partitions": 2, "arguments": {"x-max-age": "1h"}})
        found = {each["name"]: each["arguments"] for each in await api.get("/queues")}
        arguments = {"x-queue-type": "stream", "x-max-age": "1h"}
        assert found == {"orders-0": arguments, "orders-1": arguments}
        await api.put("/stream/super-streams/%2F/sales", {"binding-keys": "north, south"})
        assert {each["name"] for each in await api.get("/queues?name=sales")} == {"sales-north", "sales-south"}
        assert (await api.ask("PUT", at, {"partitions": 2})).status_code in (400, 409)
