"""Streams among queues: their own fields, and what can't be done with them."""

from __future__ import annotations

import trio

from tests.plugins.management.api import Api, open_api, refusal

TIME_LIMIT_S = 60

STREAM = {"durable": True, "arguments": {"x-queue-type": "stream"}}

OWN = ("first_offset", "committed_offset", "segments", "bytes_on_disk")

MESSAGE = {"routing_key": "log", "payload": "hello", "payload_encoding": "string", "properties": {"headers": {"n": 1}}}


async def kept(api: Api, count: int) -> None:
    """Return when the stream has so many messages: what is published may be read with the next commit."""
    with trio.fail_after(TIME_LIMIT_S):
        while (await api.get("/queues/%2F/log"))["messages"] < count:
            await trio.lowlevel.checkpoint()


async def test_a_stream_has_fields_of_its_own() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/log", STREAM)
        await api.put("/queues/%2F/work", {"durable": True})
        for _ in range(3):
            published = await api.ask("POST", "/exchanges/%2F/amq.default/publish", MESSAGE)
            assert published.json() == {"routed": True}
        await kept(api, 3)
        for path in ("/queues/%2F/log", "/queues?name=log"):
            found = await api.get(path)
            one = found if isinstance(found, dict) else found[0]
            assert [one[name] for name in ("type", "messages", "messages_ready", *OWN[:3])] == ["stream", 3, 3, 0, 2, 1]
            assert one["bytes_on_disk"] > 0
            assert [value for name, value in one.items() if name.startswith("message_bytes") and value] == []
            assert one["message_stats"]["publish"] == 3
        assert not set(OWN) & set(await api.get("/queues/%2F/work"))


async def test_it_is_browsed_and_not_taken_from() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/log", STREAM)
        await api.put("/queues/%2F/work", {"durable": True})
        await api.ask("POST", "/exchanges/%2F/amq.default/publish", MESSAGE)
        await kept(api, 1)
        (message,) = (await api.get("/queues/%2F/log/messages"))["items"]
        assert message["properties"]["headers"] == {"n": 1, "x-stream-offset": 0}
        got = await api.ask(
            "POST", "/queues/%2F/log/get", {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
        )
        assert "basic.get not supported" in refusal(got, 400, "bad_request")
        assert "queue.purge not supported" in refusal(
            await api.ask("DELETE", "/queues/%2F/log/contents"), 400, "bad_request"
        )
        moved = (await api.ask("POST", "/queues/%2F/log/move", {"destination_queue": "work"})).json()
        assert moved["message_count"] == 0
        assert "basic.get not supported" in moved["stopped"]
        assert (await api.get("/queues/%2F/log"))["messages"] == 1
        assert (await api.ask("DELETE", "/queues/%2F/log")).status_code == 204


async def test_a_policy_for_streams_alone() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/log", STREAM)
        await api.put("/queues/%2F/log-work", {"durable": True})
        definition = {"max-age": "2D", "stream-max-segment-size-bytes": 1_000_000}
        policy = {"pattern": "^log", "definition": definition, "apply-to": "streams"}
        await api.put("/policies/%2F/keep", policy)
        assert (await api.get("/queues/%2F/log"))["effective_policy_definition"] == definition
        assert (await api.get("/queues/%2F/log-work"))["policy"] is None
