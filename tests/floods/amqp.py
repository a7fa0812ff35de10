"""Floods over AMQP 0-9-1: the heaviest of each kind of request."""

from __future__ import annotations

from tests.floods.stage import CHANNEL, PART, PATIENCE_S, PERSISTENT, Amqp, Stage
from tests.floods.table import flood
from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import close_connection

ALL = wire.longlong(0)


def ends(queue: str) -> tuple[bytes, bytes]:
    """What names a queue in a method."""
    return wire.short(0), wire.shortstr(queue)


@flood(1_000_000, small=12_000, calls=50_000)
def purge(stage: Stage) -> None:
    """A deep queue is purged."""
    client = stage.amqp()
    client.declare("deep")
    client.fill("deep", stage.size)
    with stage.measured():
        client.call("queue.purge", *ends("deep"), wire.bits(False))


@flood(1_000_000, small=12_000, calls=30_000)
def purge_in_memory(stage: Stage) -> None:
    """A deep queue of messages that are nowhere but in memory is purged."""
    client = stage.amqp()
    client.declare("deep", durable=False)
    client.fill("deep", stage.size, properties=b"\0\0")
    with stage.measured():
        client.call("queue.purge", *ends("deep"), wire.bits(False))


@flood(1_000_000, small=12_000, calls=50_000)
def delete_deep(stage: Stage) -> None:
    """A deep queue is deleted."""
    client = stage.amqp()
    client.declare("deep")
    client.fill("deep", stage.size)
    with stage.measured():
        client.call("queue.delete", *ends("deep"), wire.bits(False, False, False))


@flood(100_000, small=8_000, calls=50_000)
def ack_multiple(stage: Stage) -> None:
    """Very many deliveries are acknowledged by one command."""
    client = stage.amqp()
    client.declare("held")
    client.fill("held", stage.size)
    client.hold("held", stage.size)
    with stage.measured():
        client.send(wire.method(CHANNEL, "basic.ack", ALL, wire.bits(True)))
        client.turn()


@flood(100_000, small=8_000, calls=60_000)
def nack_requeue(stage: Stage) -> None:
    """Very many deliveries are given back by one command."""
    client, other = stage.amqp(), stage.amqp()
    other.declare("held")
    other.fill("held", stage.size)
    client.send(wire.method(CHANNEL, "basic.qos", wire.long(0), wire.short(0), wire.bits(False)))
    client.said("basic.qos-ok")
    client.hold("held", stage.size)
    client.send(wire.method(CHANNEL, "basic.cancel", wire.shortstr(""), wire.bits(True)))
    with stage.measured():
        client.send(wire.method(CHANNEL, "basic.nack", ALL, wire.bits(True, True)))
        client.turn()


@flood(100_000, small=4_000, calls=40_000)
def nack_dead_letter(stage: Stage) -> None:
    """Very many deliveries are rejected by one command, and go to another queue."""
    client = stage.amqp()
    client.declare("held", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    client.declare("dead")
    client.fill("held", stage.size)
    client.hold("held", stage.size)
    with stage.measured():
        client.send(wire.method(CHANNEL, "basic.nack", ALL, wire.bits(True, False)))
        client.turn()


@flood(100_000, small=8_000, calls=60_000)
def recover(stage: Stage) -> None:
    """basic.recover of very many deliveries."""
    client = stage.amqp()
    client.declare("held")
    client.fill("held", stage.size)
    client.hold("held", stage.size)
    with stage.measured():
        client.send(wire.method(CHANNEL, "basic.recover", wire.bits(True)))
        while client.read_frame(PATIENCE_S).name != "basic.recover-ok":
            pass


@flood(100_000, small=8_000, calls=60_000)
def close_with_unacked(stage: Stage) -> None:
    """A connection ends that has very many deliveries."""
    client = stage.amqp()
    client.declare("held")
    client.fill("held", stage.size)
    client.hold("held", stage.size)
    with stage.measured():
        client.socket.close()
        other = stage.amqp()
        while not ready_in(other, "held"):
            pass


def ready_in(client: Amqp, queue: str) -> int:
    """How many messages a queue has ready."""
    flags = wire.bits(True, True, False, False, False)
    client.send(wire.method(CHANNEL, "queue.declare", *ends(queue), flags, wire.table()))
    answer = client.expect("queue.declare-ok", CHANNEL)
    answer.shortstr()
    return answer.long()


@flood(100_000, small=12_000, calls=150_000)
def tx_commit(stage: Stage) -> None:
    """Very many publishes are committed at once."""
    client = stage.amqp()
    client.declare("queue")
    client.call("tx.select")
    message = wire.publish(CHANNEL, "", "queue", b"0123456789", properties=PERSISTENT)
    client.frames(message for _ in range(stage.size))
    client.turn()
    with stage.measured():
        client.call("tx.commit")


@flood(100_000, small=12_000, calls=20_000)
def tx_rollback(stage: Stage) -> None:
    """Very many publishes are rolled back."""
    client = stage.amqp()
    client.declare("queue")
    client.call("tx.select")
    message = wire.publish(CHANNEL, "", "queue", b"0123456789", properties=PERSISTENT)
    client.frames(message for _ in range(stage.size))
    client.turn()
    with stage.measured():
        client.call("tx.rollback")


@flood(1_000_000, small=6_000, calls=130_000)
def expire(stage: Stage) -> None:
    """All of a deep queue expires at the same moment, by a policy."""
    client = stage.amqp()
    client.declare("deep")
    client.fill("deep", stage.size)
    with stage.measured():
        stage.ctl("set_policy", "short", "^deep$", '{"message-ttl": 1}')
        while ready_in(client, "deep"):
            pass


@flood(100_000, small=4_000, calls=100_000)
def expire_to_dead_letters(stage: Stage) -> None:
    """All of a queue expires at the same moment, and goes to another one."""
    client = stage.amqp()
    client.declare("deep", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    client.declare("dead")
    client.fill("deep", stage.size)
    with stage.measured():
        stage.ctl("set_policy", "short", "^deep$", '{"message-ttl": 1}')
        while ready_in(client, "dead") < stage.size:
            pass


@flood(1_000_000, small=6_000, calls=180_000)
def lower_max_length(stage: Stage) -> None:
    """A policy lowers the bound of a deep queue."""
    client = stage.amqp()
    client.declare("deep")
    client.fill("deep", stage.size)
    with stage.measured():
        stage.ctl("set_policy", "short", "^deep$", '{"max-length": 1}')
        while ready_in(client, "deep") > 1:
            pass


@flood(20_000, small=1_500, calls=110_000)
def policy(stage: Stage) -> None:
    """A policy for very many queues is set, changed and cleared."""
    client = stage.amqp()
    client.frames(client.declaration(f"q{number}") for number in range(stage.size))
    client.turn()
    with stage.measured():
        stage.ctl("set_policy", "all", "^q", '{"max-length": 100000}')
        stage.ctl("set_policy", "all", "^q[0-9]*$", '{"message-ttl": 100000000}')
        stage.ctl("clear_policy", "all")


@flood(20_000, small=1_500, calls=40_000)
def declare_and_delete(stage: Stage) -> None:
    """Queues are made and deleted as fast as they go."""
    client = stage.amqp()
    with stage.measured():
        client.frames(client.declaration(f"q{number}") for number in range(stage.size))
        client.turn()
        client.frames(
            wire.method(CHANNEL, "queue.delete", *ends(f"q{number}"), wire.bits(False, False, True))
            for number in range(stage.size)
        )
        client.turn()


@flood(20_000, small=1_500, calls=60_000)
def exclusive_queues_end(stage: Stage) -> None:
    """A connection ends that has very many queues of its own, each bound."""
    client, other = stage.amqp(), stage.amqp()
    for number in range(stage.size):
        client.send(
            wire.method(
                CHANNEL, "queue.declare", *ends(f"x{number}"), wire.bits(False, False, True, False, True), wire.table()
            )
            + client.bind("amq.topic", f"x{number}", f"a.{number}.#")
        )
    client.turn()
    with stage.measured():
        client.send(close_connection())
        client.said("connection.close-ok")
        other.turn()


@flood(20_000, small=3_000, calls=60_000)
def bindings(stage: Stage) -> None:
    """An exchange with very many bindings is deleted, and so is a queue with very many."""
    client = stage.amqp()
    for kind in ("topic", "headers"):
        names = wire.shortstr(kind), wire.shortstr(kind)
        flags = wire.bits(False, True, False, False, False)
        client.call("exchange.declare", wire.short(0), *names, flags, wire.table())
    client.declare("one")
    client.declare("other")
    for exchange, queue in (("topic", "one"), ("topic", "other"), ("headers", "one")):
        client.frames(client.bind(exchange, queue, f"a.{number}.#") for number in range(stage.size))
    client.turn()
    with stage.measured():
        client.call("queue.delete", *ends("other"), wire.bits(False, False, False))
        client.call("exchange.delete", wire.short(0), wire.shortstr("topic"), wire.bits(False, False))
        client.call("exchange.delete", wire.short(0), wire.shortstr("headers"), wire.bits(False, False))


@flood(20_000, small=1_500, calls=60_000)
def delete_vhost(stage: Stage) -> None:
    """A virtual host with very many queues, bindings and messages is deleted."""
    stage.ctl("add_vhost", "big")
    stage.ctl("set_permissions", "-p", "big", "guest", ".*", ".*", ".*")
    client = stage.amqp("big")
    client.frames(
        client.declaration(f"q{number}") + client.bind("amq.topic", f"q{number}", f"k.{number}")
        for number in range(stage.size)
    )
    client.turn()
    client.fill("q0", stage.size * 5)
    with stage.measured():
        stage.ctl("delete_vhost", "big")


@flood(20_000, small=1_000, calls=130_000)
def channel_churn(stage: Stage) -> None:
    """Channels are opened and closed as fast as they go, each with a consumer."""
    client = stage.amqp()
    client.declare("queue")
    number = 2
    opened = wire.method(number, "channel.open", wire.shortstr(""))
    consumed = wire.method(
        number, "basic.consume", *ends("queue"), wire.shortstr("c"), wire.bits(False, False, False, True), wire.table()
    )
    closed = wire.method(number, "channel.close", wire.short(200), wire.shortstr(""), wire.long(0))
    with stage.measured():
        for at in range(0, stage.size, PART):
            count = min(PART, stage.size - at)
            client.send((opened + consumed + closed) * count)
            for _ in range(count):
                client.said("channel.open-ok")
                client.said("channel.close-ok")


@flood(200_000, small=5_000, calls=40_000)
def tiny_frames(stage: Stage) -> None:
    """Very many frames without a meaning: heartbeats, and messages in body frames of one byte."""
    client = stage.amqp()
    client.declare("queue")
    head = wire.method(CHANNEL, "basic.publish", *ends(""), wire.shortstr("queue"), wire.bits(False, False))
    with stage.measured():
        client.frames(wire.heartbeat() for _ in range(stage.size))
        client.send(head + wire.header(CHANNEL, stage.size))
        client.frames(wire.body(CHANNEL, b"x") for _ in range(stage.size))
        client.turn()


@flood(500, small=20, calls=200_000)
def giant_headers(stage: Stage) -> None:
    """Messages whose headers are as large as a frame may be, routed by them, with very many entries."""
    client = stage.amqp()
    client.declare("queue", {"x-dead-letter-exchange": "amq.topic"})
    table = wire.table({f"h{number}": number for number in range(9000)})
    properties = b"\x20\x00" + table
    match = wire.table({"x-match": "all", "h1": 1, "h8999": 8999})
    names = wire.shortstr("queue"), wire.shortstr("amq.headers"), wire.shortstr("")
    client.call("queue.bind", wire.short(0), *names, wire.bits(False), match)
    with stage.measured():
        for _ in range(stage.size):
            client.send(wire.publish(CHANNEL, "amq.headers", "", b"", properties=properties))
            client.turn()
        client.consume(CHANNEL, "queue", no_ack=False)
        for _ in range(stage.size):
            client.expect("basic.deliver", CHANNEL)
            client.expect_content(CHANNEL)
        client.send(wire.method(CHANNEL, "basic.nack", ALL, wire.bits(True, False)))
        client.turn()


@flood(100, small=5, calls=50_000)
def never_readers(stage: Stage) -> None:
    """Consumers that never read, of a queue with more than they can hold."""
    client = stage.amqp()
    client.declare("deep")
    client.fill("deep", stage.size * 1000, body=b"x" * 1000)
    with stage.measured():
        for _ in range(stage.size):
            deaf = stage.amqp()
            deaf.send(
                wire.method(
                    CHANNEL,
                    "basic.consume",
                    *ends("deep"),
                    wire.shortstr(""),
                    wire.bits(False, False, False, True),
                    wire.table(),
                )
            )
        client.turn()


@flood(10_000, small=100, calls=20_000)
def connection_storm(stage: Stage) -> None:
    """Connections come and go as fast as they can."""
    with stage.measured():
        for _ in range(stage.size):
            with stage.amqp() as client:
                client.send(close_connection())
                client.said("connection.close-ok")


@flood(300_000, small=5_000, calls=40_000)
def publishers_faster_than_consumers(stage: Stage) -> None:
    """Messages of a kilobyte come faster than a slow consumer takes them."""
    client, slow = stage.amqp(), stage.amqp()
    client.declare("queue")
    slow.send(wire.method(CHANNEL, "basic.qos", wire.long(0), wire.short(10), wire.bits(False)))
    slow.said("basic.qos-ok")
    slow.consume(CHANNEL, "queue", no_ack=False)
    with stage.measured():
        client.fill("queue", stage.size, body=b"x" * 1000)
