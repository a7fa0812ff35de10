"""Shovels over AMQP 1.0 whose other side refuses, is full, is gone, or is another broker: trouble has its words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from tests.plugins.shovel.amqp10_brokers import back, far_broker, to, url
from tests.plugins.shovel.brokers import edge, fill, set_shovel, take, until, until_state
from warren.adapters.amqp10.codec import sasl
from warren.adapters.amqp10.codec.errors import CONNECTION_FORCED
from warren.adapters.amqp10.codec.framing import AMQP_HEADER, SASL_FRAME, SASL_HEADER, frame
from warren.adapters.amqp10.codec.performatives import Begin, Close, Detach, Error, Open
from warren.adapters.amqp10.codec.values import Symbol

BODIES = [b"%d" % number for number in range(300)]


@pytest.mark.parametrize(
    ("user", "rest", "said"),
    [
        ("guest:wr0ng@", "", "the peer refused the login: the user name or the password is wrong"),
        ("", "", "the peer doesn't offer the SASL mechanism ANONYMOUS, but PLAIN, SCRAM-SHA-256"),
        ("guest:wr0ng@", "?sasl=scram-sha-256", "the peer refused the login"),
        ("guest:guest@", "/nowhere", "the peer refused the connection: amqp:"),
    ],
)
@pytest.mark.parametrize("end", ["src", "dest"])
async def test_who_isnt_let_in_is_told_why(user: str, rest: str, said: str, end: str) -> None:
    async with far_broker() as (upstream, _), edge() as broker:
        keys = back(upstream, "/queues/q") if end == "src" else to(upstream, "/queues/q")
        await set_shovel(broker, **{**keys, f"{end}_uri": url(upstream, user, rest)})
        found = await until_state(broker, "terminated", said)
        assert "wr0ng" not in str(found)


async def test_a_password_is_proved_without_being_said() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await far.declare_queue("in", durable=True)
        await fill(here, "out", BODIES[:1])
        keys = {**to(upstream, "/queues/in"), "dest_uri": url(upstream, "guest:guest@", "?sasl=scram-sha-256")}
        await set_shovel(broker, **keys)
        assert await take(far, "in", 1) == BODIES[:1]


async def test_a_virtual_host_is_named_by_the_path_or_as_rabbitmq_does() -> None:
    async with far_broker() as (upstream, _), edge() as broker:
        for name, rest in (("a", "/%2F"), ("b", "?hostname=vhost:%2F"), ("c", "/"), ("d", "?hostname=somebody")):
            keys = back(upstream, "/queue/q", dest_queue=name)
            await set_shovel(broker, name, **{**keys, "src_uri": url(upstream, rest=rest)})
            await until_state(broker, "running", name=name)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/queues/none", "the peer detached the link: amqp:not-found: no queue 'none'"),
        ("/nowhere/a/b", "amqp:not-found: '/nowhere/a/b' is no "),
    ],
)
@pytest.mark.parametrize("end", ["src", "dest"])
async def test_an_address_that_isnt_there_is_told(address: str, said: str, end: str) -> None:
    async with far_broker() as (upstream, _), edge() as broker:
        await set_shovel(broker, **(back if end == "src" else to)(upstream, address))
        await until_state(broker, "terminated", said)


async def test_a_destination_that_isnt_there_is_waited_for_and_nothing_is_lost() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES[:3])
        await set_shovel(broker, **to(upstream, "/queues/late"))
        await until_state(broker, "terminated", "no queue 'late'")
        await far.declare_queue("late", durable=True)
        assert await take(far, "late", 3) == BODIES[:3]


async def test_a_source_that_is_deleted_is_attached_to_anew() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await far.declare_queue("out", durable=True)
        await set_shovel(broker, **back(upstream, "/queues/out"))
        await until_state(broker, "running")
        await far.delete_queue("out")
        await until_state(broker, "terminated", "no queue 'out'")
        await fill(far, "out", [b"1"])
        await until_state(broker, "running")
        assert await take(here, "in", 1) == [b"1"]


async def test_a_full_destination_keeps_the_rest_at_the_source() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await far.declare_queue("in", durable=True, arguments={"x-max-length": 100, "x-overflow": "reject-publish"})
        await fill(here, "out", BODIES)
        await set_shovel(broker, **to(upstream, "/queues/in"))
        await until_state(broker, "blocked", "the destination rejected a message: amqp:resource-limit-exceeded")
        await until(lambda: next(row for row in broker.inspect("queues") if row["name"] == "out")["messages"] == 200)
        assert (await far.check_queue("in")).messages == 100
        assert sorted(await take(far, "in", len(BODIES))) == sorted(BODIES)
        await until_state(broker, "running")


async def test_what_no_queue_takes_is_kept() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await far.declare_queue("in")
        await fill(here, "out", BODIES[:2])
        await set_shovel(broker, **to(upstream, "/exchanges/amq.direct/late"))
        await until_state(broker, "blocked", "the destination has no queue for a message (released)")
        await far.bind_queue("in", "amq.direct", "late")
        assert await take(far, "in", 2) == BODIES[:2]


async def test_what_is_refused_too_often_is_dead_lettered() -> None:
    async with far_broker() as (upstream, _), edge() as broker, broker.connect() as here:
        await here.declare_queue("dead")
        arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
        await here.declare_queue("out", durable=True, arguments=arguments)
        await here.publish("", "out", b"1")
        keys = to(upstream, "/exchanges/amq.direct/nobody", dead_letter_after=1, src_queue_args=arguments)
        await set_shovel(broker, **keys)
        assert await take(here, "dead", 1) == [b"1"]


@asynccontextmanager
async def other_broker(serve: Callable[[trio.SocketStream], Awaitable[None]]) -> AsyncIterator[int]:
    """What the test itself answers; the port."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def let_in(stream: trio.SocketStream) -> None:
    """Up to an open connection with a session, whatever is asked."""
    await stream.send_all(SASL_HEADER + frame(0, sasl.SaslMechanisms(["PLAIN"]), SASL_FRAME))
    await stream.send_all(frame(0, sasl.SaslOutcome(sasl.OK), SASL_FRAME) + AMQP_HEADER)
    answer = Begin()
    answer.remote_channel = 0
    await stream.send_all(frame(0, Open("other")) + frame(0, answer))


REDIRECT = Error(
    Symbol("amqp:link:redirect"), "not here", {Symbol("network-host"): "there.example", Symbol("port"): 5672}
)


@pytest.mark.parametrize(
    ("last_words", "said"),
    [
        (frame(0, Detach(0, closed=True, error=REDIRECT)), "(it says to go to there.example 5672)"),
        (
            frame(0, Close(Error(CONNECTION_FORCED, "going down"))),
            "the connection: amqp:connection:forced: going",
        ),
        (b"\0\0\0\x07\x02\0\0\0", "the peer sent what can't be read: a frame of 7 bytes"),
        (b"", "the connection was lost: the peer closed the socket"),
    ],
    ids=["redirect", "forced", "nonsense", "nothing"],
)
async def test_the_last_words_of_another_broker_are_the_reason(last_words: bytes, said: str) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await let_in(stream)
            data = b""
            while b"\x00\x53\x12" not in data:
                data += await stream.receive_some()
            await stream.send_all(last_words)
            if last_words:
                await trio.sleep_forever()

    async with other_broker(serve) as port, edge() as broker:
        far = {"dest_protocol": "amqp10", "dest_uri": f"amqp://a:b@127.0.0.1:{port}", "dest_address": "q"}
        await set_shovel(broker, src_uri="amqp://", src_queue="out", **far)
        await until_state(broker, "terminated", said)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"AMQP\x00\x00\x09\x01", "the peer speaks AMQP 0-9-1, not 1.0"),
        (b"HTTP/1.1", "what answers there doesn't speak AMQP 1.0"),
        (AMQP_HEADER, "the peer wants TLS first, or no SASL"),
    ],
)
async def test_who_speaks_something_else_is_told(header: bytes, said: str) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.send_all(header)
            await trio.sleep_forever()

    async with other_broker(serve) as port, edge() as broker:
        far = {"src_protocol": "amqp10", "src_uri": f"amqp://a:b@127.0.0.1:{port}", "src_address": "q"}
        await set_shovel(broker, **far, dest_uri="amqp://", dest_queue="in")
        await until_state(broker, "terminated", said)


async def test_an_alarm_of_the_destination_is_told_and_waited_for() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await far.declare_queue("in", durable=True)
        await set_shovel(broker, **to(upstream, "/queues/in"))
        await until_state(broker, "running")
        alarms = upstream._server.broker.alarms
        alarms.set("memory", True, source="test")
        await fill(here, "out", BODIES * 5)
        await until_state(broker, "blocked", "gives no credit, or answers nothing")
        alarms.set("memory", False, source="test")
        assert len(await take(far, "in", len(BODIES) * 5)) == len(BODIES) * 5
        await until_state(broker, "running")
