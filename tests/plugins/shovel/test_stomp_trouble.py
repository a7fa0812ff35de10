"""Shovels over STOMP whose other side refuses, is full, is gone, or is another broker: every trouble has its words."""

from __future__ import annotations

import pytest
import trio

from tests.plugins.shovel.brokers import edge, fill, set_shovel, take, until, until_state
from tests.plugins.shovel.stomp_brokers import far_broker, next_of, url

BODIES = [b"%d" % number for number in range(300)]


@pytest.mark.parametrize(
    ("user", "rest", "said"),
    [
        ("guest:wr0ng@", "", "the peer refused the login: Bad CONNECT: Access refused for user 'guest'"),
        ("", "/nowhere", "Virtual host 'nowhere' access denied"),
    ],
)
@pytest.mark.parametrize("end", ["src", "dest"])
async def test_who_isnt_let_in_is_told_why(user: str, rest: str, said: str, end: str) -> None:
    async with far_broker() as (upstream, _), edge() as broker:
        stomp = {f"{end}_protocol": "stomp", f"{end}_uri": url(upstream, user, rest), f"{end}_destination": "/queue/q"}
        local = {"src_uri": "amqp://", "src_queue": "out", "dest_uri": "amqp://"}
        await set_shovel(broker, **{k: v for k, v in local.items() if not k.startswith(end)}, **stomp)
        found = await until_state(broker, "terminated", said)
        assert "wr0ng" not in str(found)


@pytest.mark.parametrize(
    ("destination", "said"),
    [
        ("/amq/queue/none", "NOT_FOUND - no queue 'none'"),
        ("/nowhere/a", "Unknown destination: '/nowhere/a' is not a valid destination."),
    ],
)
async def test_a_source_that_isnt_there_is_told(destination: str, said: str) -> None:
    async with far_broker() as (upstream, _), edge() as broker:
        await set_shovel(
            broker,
            src_protocol="stomp",
            src_uri=url(upstream),
            src_destination=destination,
            dest_uri="amqp://",
            dest_queue="in",
        )
        await until_state(broker, "terminated", said)


async def test_a_destination_that_isnt_there_is_told_and_nothing_is_lost() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES[:3])
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_protocol="stomp",
            dest_uri=url(upstream),
            dest_destination="/exchange/late/k",
        )
        await until_state(broker, "terminated", "NOT_FOUND - no exchange 'late'")
        await far.declare_queue("in")
        await far.declare_exchange("late", "direct")
        await far.bind_queue("in", "late", "k")
        assert await take(far, "in", 3) == BODIES[:3]


async def test_a_source_that_is_deleted_is_subscribed_to_anew() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await set_shovel(
            broker,
            src_protocol="stomp",
            src_uri=url(upstream),
            src_destination="/queue/out",
            dest_uri="amqp://",
            dest_queue="in",
        )
        await until_state(broker, "running")
        await far.delete_queue("out")
        await until_state(broker, "terminated", "Server cancelled subscription: the queue behind '/queue/out'")
        await until_state(broker, "running")
        await fill(far, "out", [b"1"])
        assert await take(here, "in", 1) == [b"1"]


async def test_a_full_destination_keeps_the_rest_at_the_source() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES)
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_protocol="stomp",
            dest_uri=url(upstream),
            dest_destination="/queue/in",
            dest_headers={"x-max-length": 100, "x-overflow": "reject-publish"},
        )
        found = await until_state(broker, "blocked", "the peer refused a message: Message refused: on the way to 'in'")
        assert "full" in found["reason"] or "reject" in found["reason"] or "length" in found["reason"]
        await until(lambda: next(row for row in broker.inspect("queues") if row["name"] == "out")["messages"] == 200)
        assert (await far.check_queue("in")).messages == 100
        assert sorted(await take(far, "in", len(BODIES))) == sorted(BODIES)
        await until_state(broker, "running")


async def test_messages_of_other_brokers_are_kept_as_they_are_called() -> None:
    """The test is the broker: what it calls its destinations and headers is none of RabbitMQ's."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    acknowledged = trio.Event()

    async def serve(stream: trio.SocketStream) -> None:
        data = b""
        async with stream:
            await stream.send_all(b"CONNECTED\nversion:1.2\n\n\0")
            while b"SUBSCRIBE" not in data or not data.endswith(b"\0"):
                data += await stream.receive_some()
            assert b"activemq.prefetchSize:5\n" in data
            await stream.send_all(
                b"RECEIPT\nreceipt-id:subscribe-1\n\n\0"
                b"MESSAGE\ndestination:jms/queue/x\nmessage-id:ID\\cone\nsubscription:s\nack:ID\\cone\n"
                b"priority:high\npersistent:true\n\nbody\0"
            )
            while b"ACK\nid:ID\\cone\n\n\0" not in data:
                data += await stream.receive_some()
            acknowledged.set()
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery, edge() as broker, broker.connect() as here:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        await here.declare_queue("jms/queue/x")
        await set_shovel(
            broker,
            src_protocol="stomp",
            src_uri=f"stomp://127.0.0.1:{port}",
            src_destination="jms/queue/x",
            src_headers={"activemq.prefetchSize": 5},
            dest_uri="amqp://",
        )
        delivery = await next_of(here, "jms/queue/x")
        assert (delivery.body, delivery.properties.headers) == (b"body", {"priority": "high", "persistent": "true"})
        await acknowledged.wait()
        nursery.cancel_scope.cancel()
