"""Random octets, the same in every run: whatever comes, the broker goes on, without a traceback and without
bloat.

It has a broker to itself, because a mutated conversation may do anything that a client may do.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import TIME_LIMIT_S, WireClient, open_connection, start_ok, tune_ok
from tests.support.brokers import Broker, run_warren
from tests.support.process_usage import usage_of_tree
from tests.wire.conftest import assert_serves

ROUNDS = 500

REFUSED_LOGIN_DELAY_S = 0.005
"""Most mutated handshakes are a login that is refused, and each round waits for its answer."""

GROWTH_BYTES_MAX = 64 * 2**20
"""What a few thousand connections that are gone may leave behind: freed memory that the process keeps."""


@pytest.fixture(scope="module")
def victim() -> Iterator[Broker]:
    """A broker for these tests alone."""
    # Nobody is to be taken for somebody who guesses passwords.
    options = (f"refused_login_delay_s={REFUSED_LOGIN_DELAY_S}", "failed_logins_per_minute_max=0")
    with run_warren(*(part for each in options for part in ("--set", each))) as broker:
        before = usage_of_tree(broker.process_id).resident_bytes
        yield broker
        assert "Traceback" not in broker.read_log()
        assert usage_of_tree(broker.process_id).resident_bytes - before < GROWTH_BYTES_MAX


def conversation() -> bytes:
    """Something of everything that clients do, past the handshake."""
    names = wire.short(0) + wire.shortstr("fuzz")
    arguments = wire.table({"x-max-length": 5, "list": [1, "two", None, 2.5], "table": {"flag": True}})
    properties = wire.short(0xFFF8) + b"".join(
        [
            wire.shortstr("text/plain"),
            wire.shortstr("gzip"),
            wire.table({"k": "v", "CC": ["other"]}),
            wire.octet(2),
            wire.octet(3),
            wire.shortstr("correlation"),
            wire.shortstr("reply"),
            wire.shortstr("60000"),
            wire.shortstr("id"),
            wire.longlong(1),
            wire.shortstr("type"),
            wire.shortstr("guest"),
            wire.shortstr("app"),
        ]
    )
    binding = names + wire.shortstr("amq.topic") + wire.shortstr("a.#") + wire.bits(False) + wire.table()
    return b"".join(
        [
            wire.method(1, "channel.open", wire.shortstr("")),
            wire.method(1, "queue.declare", names, wire.bits(False, False, True), arguments),
            wire.method(1, "queue.bind", binding),
            wire.method(1, "confirm.select", wire.bits(False)),
            wire.publish(1, "amq.topic", "a.b", b"body of a message", properties=properties, mandatory=True),
            wire.publish(1, "amq.topic", "a.b", b"", properties=properties),
            wire.method(1, "basic.qos", wire.long(0), wire.short(10), wire.bits(False)),
            wire.method(1, "basic.consume", names, wire.shortstr("tag"), wire.bits(False), wire.table()),
            wire.method(1, "basic.ack", wire.longlong(0), wire.bits(True)),
            wire.method(1, "basic.nack", wire.longlong(0), wire.bits(True, True)),
            wire.method(1, "basic.get", names, wire.bits(True)),
            wire.heartbeat(),
            wire.method(1, "basic.cancel", wire.shortstr("tag"), wire.bits(False)),
            wire.method(1, "queue.purge", names, wire.bits(False)),
            wire.method(2, "channel.open", wire.shortstr("")),
            wire.method(2, "tx.select"),
            wire.publish(2, "", "fuzz", b"in a transaction"),
            wire.method(2, "tx.commit"),
            wire.method(1, "queue.delete", names, wire.bits(False)),
        ]
    )


GREETING = wire.PROTOCOL_HEADER + start_ok() + tune_ok() + open_connection()
CONVERSATION = conversation()


def noise(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(1, 400))


def noise_behind_a_header(chance: random.Random) -> bytes:
    return wire.PROTOCOL_HEADER + noise(chance)


def noise_behind_a_handshake(chance: random.Random) -> bytes:
    return GREETING + noise(chance)


def noise_in_frames(chance: random.Random) -> bytes:
    """Frames that are whole, of known types, on few channels, with anything inside."""
    frames = [wire.method(1, "channel.open", wire.shortstr(""))]
    for _ in range(chance.randrange(1, 8)):
        payload = chance.randbytes(chance.randrange(0, 60))
        frames.append(wire.frame(chance.choice([1, 1, 1, 2, 3, 8]), chance.randrange(3), payload))
    return GREETING + b"".join(frames)


def noise_in_arguments(chance: random.Random) -> bytes:
    """Known methods with anything as arguments."""
    frames = [wire.method(1, "channel.open", wire.shortstr(""))]
    for _ in range(chance.randrange(1, 8)):
        name = chance.choice(list(wire.METHOD_IDS))
        channel = 0 if name.startswith("connection.") else 1
        frames.append(wire.method(channel, name, chance.randbytes(chance.randrange(0, 40))))
    return GREETING + b"".join(frames)


def mutated_conversation(chance: random.Random) -> bytes:
    """A few octets of a good conversation changed, left out or sent again."""
    octets = bytearray(CONVERSATION)
    for _ in range(chance.randrange(1, 6)):
        position = chance.randrange(len(octets))
        match chance.randrange(4):
            case 0 | 1:
                octets[position] = chance.randrange(256)
            case 2:
                del octets[position : position + chance.randrange(1, 20)]
            case 3:
                octets[position:position] = octets[position : position + chance.randrange(1, 40)]
    return GREETING + bytes(octets)


def mutated_handshake(chance: random.Random) -> bytes:
    octets = bytearray(GREETING)
    for _ in range(chance.randrange(1, 4)):
        octets[chance.randrange(8, len(octets))] = chance.randrange(256)
    return bytes(octets)


KINDS: list[Callable[[random.Random], bytes]] = [
    noise,
    noise_behind_a_header,
    noise_behind_a_handshake,
    noise_in_frames,
    noise_in_arguments,
    mutated_conversation,
    mutated_handshake,
]


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_random_octets(victim: Broker, make: Callable[[random.Random], bytes]) -> None:
    """A round's seed is its number: a failure tells which round to repeat."""
    for number in range(ROUNDS):
        octets = make(random.Random(number))
        log_length = victim.log_bytes()
        with WireClient(victim.address) as client:
            client.send_if_open(octets)
            try:
                client.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the broker has closed already
            client.read_to_end(TIME_LIMIT_S)
        assert "Traceback" not in victim.read_log(log_length), f"round {number}: {octets!r}"
    assert_serves(victim.address)


def test_the_conversation_is_a_good_one(victim: Broker) -> None:
    """Without mutations it goes through, so that the mutated ones get somewhere."""
    with WireClient(victim.address) as client:
        client.handshake()
        client.send(CONVERSATION)
        missing = {"basic.deliver", "basic.ack", "tx.commit-ok", "queue.purge-ok", "basic.cancel-ok", "queue.delete-ok"}
        while missing:
            missing.discard(client.read_frame().name)
