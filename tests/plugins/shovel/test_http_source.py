"""Shovels from an HTTP service: an address that is asked again and again, and a stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.plugins.shovel.brokers import ask, edge, set_shovel, status, take, until, until_gone, until_state
from tests.plugins.shovel.http_services import Answer, Asked, Service, service
from tests.plugins.shovel.stomp_brokers import next_of
from warren.gateway.embedding import EmbeddedBroker
from warren.gateway.plugin import BrokerClient


def of(there: Service, **more: Any) -> dict[str, Any]:
    return {
        "src_protocol": "http",
        "src_uri": there.url("/data?key=k"),
        "dest_uri": "amqp://",
        "dest_queue": "in",
        **more,
    }


def unless_known(body: bytes) -> Callable[[Asked], Answer]:
    return lambda asked: Answer(304) if "if-none-match" in asked.headers else Answer(200, {"etag": "1"}, body)


@asynccontextmanager
async def both() -> AsyncIterator[tuple[Service, EmbeddedBroker, BrokerClient]]:
    async with service() as there, edge() as broker, broker.connect() as here:
        await here.declare_queue("in", durable=True)
        yield there, broker, here


async def test_what_has_changed_is_a_message(autojump_clock: MockClock) -> None:
    async with both() as (there, broker, here):
        state = {"etag": '"1"', "body": b"one"}
        times = []

        def answer(asked: Asked) -> Answer:
            times.append(trio.current_time())
            if asked.headers.get("if-none-match") == state["etag"]:
                return Answer(304)
            headers = {"etag": str(state["etag"]), "content-type": "text/csv", "last-modified": "yesterday"}
            return Answer(200, headers, bytes(state["body"]))  # type: ignore[arg-type]

        there.answer = answer
        await set_shovel(broker, **of(there, src_poll_interval=20, src_routing_key="prices"))
        delivery = await next_of(here, "in")
        assert (delivery.body, delivery.properties.content_type, delivery.properties.delivery_mode) == (
            b"one",
            "text/csv",
            2,
        )
        assert delivery.properties.headers == {"http-etag": '"1"', "http-last-modified": "yesterday"}
        await until(lambda: len(times) == 4)
        assert [round(after - before) for before, after in pairwise(times)] == [20, 20, 20]
        asked = there.asked[1]
        assert (asked.method, asked.target) == ("GET", "/data?key=k")
        assert (asked.headers["if-none-match"], asked.headers["if-modified-since"]) == ('"1"', "yesterday")
        state.update(etag='"2"', body=b"two")
        assert await take(here, "in", 1) == [b"two"]
        found = await status(broker)
        assert (found["state"], found["src_uri"], found["forwarded"]) == ("running", there.url("/data"), 2)


async def test_it_goes_to_the_exchange_of_topics_unless_told_otherwise() -> None:
    async with both() as (there, broker, here):
        there.answer = lambda asked: Answer(200, body=b"1")
        await here.bind_queue("in", "amq.topic", "site.7")
        await set_shovel(broker, src_protocol="http", src_uri=there.url(), src_routing_key="site.7", dest_uri="amqp://")
        assert await take(here, "in", 1) == [b"1"]


@pytest.mark.parametrize(
    ("items", "body", "messages"),
    [
        ("json-array", b'[{"a": 1}, "x", []]', [b'{"a":1}', b'"x"', b"[]"]),
        ("json-lines", b'{"a": 1}\n\r\n{"b": 2}\n', [b'{"a": 1}', b'{"b": 2}']),
        ("whole", b"[1, 2]", [b"[1, 2]"]),
    ],
)
async def test_an_answer_of_several_messages(items: str, body: bytes, messages: list[bytes]) -> None:
    async with both() as (there, broker, here):
        there.answer = lambda asked: (
            Answer(304) if "if-none-match" in asked.headers else Answer(200, {"etag": "1"}, body)
        )
        await set_shovel(broker, **of(there, src_items=items, src_poll_interval=0))
        assert await take(here, "in", len(messages)) == messages
        await until(lambda: len(there.asked) > 1)


async def test_an_empty_answer_is_none() -> None:
    async with both() as (there, broker, here):
        answers = [Answer(200, {"etag": "1"}, b"[]"), Answer(204), Answer(200, body=b"[5]")]
        there.answer = lambda asked: answers.pop(0) if answers else Answer(304)
        await set_shovel(broker, **of(there, src_items="json-array", src_poll_interval=0))
        assert await take(here, "in", 1) == [b"5"]
        assert there.asked[1].headers["if-none-match"] == "1"


async def test_what_the_destination_hasnt_got_is_asked_for_again() -> None:
    async with both() as (there, broker, here):
        there.answer = lambda asked: (
            Answer(304) if "if-none-match" in asked.headers else Answer(200, {"etag": "1"}, b"1")
        )
        keys = of(there, dest_queue=None, dest_exchange="amq.direct", dest_exchange_key="k", src_poll_interval=0)
        del keys["dest_queue"]
        await set_shovel(broker, **keys)
        await until_state(broker, "blocked", "no queue takes")
        assert (await ask(broker, "restart_shovel", "s"))["ok"]
        await until(lambda: len(there.asked) == 2)
        assert "if-none-match" not in there.asked[1].headers
        await here.bind_queue("in", "amq.direct", "k")
        assert await take(here, "in", 1) == [b"1"]
        await until(lambda: len(there.asked) == 3)
        assert there.asked[2].headers["if-none-match"] == "1"


@pytest.mark.parametrize(
    ("answer", "more", "said"),
    [
        (Answer(500, body=b"oops"), {}, "the source answered 500: oops"),
        (Answer(401), {}, "the source answered 401"),
        (Answer(302, {"location": "http://b/c?d"}), {}, "302, to http://b/c: the URI is to be that"),
        (Answer(200, body=b"{}"), {"src_items": "json-array"}, "something else than a JSON array"),
        (Answer(200, body=b"x" * (1 << 21)), {"src_items": "json-lines"}, "more than 1048576 bytes"),
        (Exception, {}, "closed the connection without an answer"),
        (None, {"src_timeout": 0.2}, "didn't answer within 0.2 s"),
        (Answer(200), {"src_mode": "events"}, "answered with the type '', which isn't text/event-stream"),
        (Answer(204), {"src_mode": "events"}, "the source answered 204"),
    ],
)
async def test_a_source_that_cant_be_used_is_told(answer: Any, more: dict[str, Any], said: str) -> None:
    async with both() as (there, broker, _):
        there.answer = lambda asked: answer
        await set_shovel(broker, **of(there, **more))
        await until_state(broker, "terminated", said)


async def test_a_source_that_asks_for_a_pause_gets_it(autojump_clock: MockClock) -> None:
    times: list[float] = []

    def answer(asked: Asked) -> Answer:
        times.append(trio.current_time())
        return Answer(503, {"retry-after": "300"}) if len(times) == 1 else Answer(200, body=b"1")

    async with both() as (there, broker, here):
        there.answer = answer
        await set_shovel(broker, **of(there))
        await until_state(broker, "terminated", "it asks for a pause of 300 s")
        assert await take(here, "in", 1) == [b"1"]
        assert 300 <= times[1] - times[0] < 310


async def test_it_ends_after_so_many() -> None:
    async with both() as (there, broker, here):
        there.answer = lambda asked: Answer(200, body=b"[1,2,3,4,5]")
        await set_shovel(broker, **of(there, src_items="json-array", src_delete_after=3))
        await until_gone(broker)
        assert (await here.check_queue("in")).messages == 3


EVENT_STREAM = {"content-type": "text/event-stream; charset=utf-8"}


async def test_events_and_where_they_go_on() -> None:
    async with both() as (there, broker, here):
        await here.bind_queue("in", "amq.topic", "#")
        streams = [
            b"retry: 10\n\nevent: alarm\nid: 1\ndata: one\n\ndata: two\nid: 2\n\n: nothing\n\ndata: lost",
            b"id: 3\ndata: three\n\n",
        ]
        there.answer = lambda asked: Answer(200, EVENT_STREAM, streams.pop(0)) if streams else None
        keys = of(there, src_mode="events", src_routing_key="from.{event}")
        del keys["dest_queue"]
        await set_shovel(broker, **keys)
        first = await next_of(here, "in")
        assert (first.body, first.routing_key, first.exchange) == (b"one", "from.alarm", "amq.topic")
        assert first.properties.headers == {"event-id": "1", "event-type": "alarm"}
        second, third = await next_of(here, "in"), await next_of(here, "in")
        assert [(each.body, each.routing_key) for each in (second, third)] == [
            (b"two", "from.message"),
            (b"three", "from.message"),
        ]
        await until(lambda: len(there.asked) == 3)
        assert there.asked[0].headers["accept"] == "text/event-stream"
        assert [each.headers.get("last-event-id") for each in there.asked] == [None, "2", "3"]


async def test_events_that_the_destination_hasnt_got_come_again() -> None:
    async with both() as (there, broker, here):
        await here.declare_queue("full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        there.answer = lambda asked: Answer(200, EVENT_STREAM, b"id: 1\ndata: 1\n\nid: 2\ndata: 2\n\nretry: 60000\n\n")
        await set_shovel(broker, **of(there, src_mode="events", dest_queue="full", dest_predeclared=True))
        await until_state(broker, "blocked")
        assert (await ask(broker, "restart_shovel", "s"))["ok"]
        await until(lambda: len(there.asked) == 2)
        assert there.asked[1].headers["last-event-id"] == "1"


async def test_a_stream_that_is_silent_for_too_long_is_given_up(autojump_clock: MockClock) -> None:
    async with both() as (there, broker, here):
        real = there._one

        async def never_ends(stream: Any, http: Any) -> bool:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 5\ndata: a\n\n"
            await stream.receive_some()
            await stream.send_all(head)
            await trio.sleep_forever()
            return await real(stream, http)

        there._one = never_ends  # type: ignore[method-assign]
        await set_shovel(broker, **of(there, src_mode="events", src_timeout=90))
        assert await take(here, "in", 1) == [b"a"]
        await trio.sleep(89)  # with one jump of the clock; `until_state` would look 18,000 times
        assert (await status(broker))["state"] == "running"
        await until_state(broker, "terminated", "the source was silent for 90 s")


async def test_events_have_stamps() -> None:
    async with both() as (there, broker, here):
        there.answer = lambda asked: Answer(200, EVENT_STREAM, b"data: no id\n\nid: 1\ndata: 1\n\nretry: 60000\n\n")
        await set_shovel(broker, **of(there, src_mode="events", dest_deduplication_header="stamp"))
        without, with_id = await next_of(here, "in"), await next_of(here, "in")
        assert "stamp" not in (without.properties.headers or {})
        assert len(str((with_id.properties.headers or {})["stamp"])) == 32
        assert (await ask(broker, "shovel_status", "unstamped"))["rows"] == [{"unstamped": 1}]
