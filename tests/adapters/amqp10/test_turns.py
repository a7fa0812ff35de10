"""Nothing that one client asks for holds up the others: what is much is done in slices, a turn between two of them.

Counted is what happens in one turn, not how long it takes.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.support import core_clients
from tests.support.amqp10_turns import (
    IN_ORDER,
    MANY,
    WIDE,
    attach,
    disposition,
    frame,
    most_per_turn,
    queue_of,
    ready,
    turns,
)
from tests.support.simulated_amqp10 import Amqp10Client, frames_of, of, only
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.attaching import ATTACH_COMMANDS
from warren.adapters.amqp10.beginning import BEGIN_COMMANDS
from warren.adapters.amqp10.codec.framing import frame_of
from warren.adapters.amqp10.codec.performatives import Attach, Begin, Detach, Disposition, End, Flow
from warren.adapters.amqp10.codec.termini import (
    Accepted,
    Modified,
    Rejected,
    Released,
    Source,
)
from warren.adapters.amqp10.settings import Amqp10Settings
from warren.adapters.session.deliveries import SETTLED_PER_SLICE
from warren.adapters.session.ration import COMMANDS_PER_TURN
from warren.adapters.session.read_gate import SETTLING
from warren.core.queues.classic.queue import ClassicQueue

# What ends a window


@pytest.mark.parametrize(
    ("state", "left"), [(Accepted(), []), (Rejected(), []), (Released(), IN_ORDER), (Modified(), IN_ORDER)]
)
def test_a_disposition_of_very_many(
    consuming: tuple[ClassicQueue, Amqp10Client], simulated: SimulatedBroker, state: object, left: list[bytes]
) -> None:
    queue, client = consuming
    client.send(Flow(), b"")
    client.credit(0, delivery_count=MANY)
    client.transport.receive(disposition(0, MANY - 1, state, settled=False))
    assert client.connection.read_gate.is_closed_for(SETTLING)
    assert of(Disposition, frames_of(client.transport.take())) == []
    assert 0 < most_per_turn(simulated, lambda: queue.unacked_count) <= SETTLED_PER_SLICE
    told = only(Disposition, client.take())
    assert (told.role, told.first, told.last, told.settled) == (False, 0, MANY - 1, True)
    assert (queue.unacked_count, ready(queue)) == (0, left)
    assert not client.connection.read_gate.is_closed_for(SETTLING)


@pytest.mark.parametrize("end", [Detach(1, closed=True), End()])
def test_a_link_or_a_session_that_ends(
    consuming: tuple[ClassicQueue, Amqp10Client], simulated: SimulatedBroker, end: object
) -> None:
    queue, client = consuming
    client.transport.receive(frame(end))
    assert of(type(end), frames_of(client.transport.take())) == []
    assert 0 < most_per_turn(simulated, lambda: queue.unacked_count) <= SETTLED_PER_SLICE
    only(type(end), client.take())
    assert ready(queue) == IN_ORDER


def test_a_connection_that_is_lost(consuming: tuple[ClassicQueue, Amqp10Client], simulated: SimulatedBroker) -> None:
    queue, client = consuming
    client.transport.lose()
    assert 0 < most_per_turn(simulated, lambda: queue.unacked_count) <= SETTLED_PER_SLICE
    assert ready(queue) == IN_ORDER


def test_a_link_that_is_attached_again_waits_for_the_end_of_the_first(
    consuming: tuple[ClassicQueue, Amqp10Client], simulated: SimulatedBroker
) -> None:
    queue, client = consuming
    client.transport.receive(attach(5, "receiver-1"))
    assert 0 < most_per_turn(simulated, lambda: queue.unacked_count) <= SETTLED_PER_SLICE
    detached, attached = client.take()
    assert (type(detached.body), detached.body.handle) == (Detach, 1)
    assert (type(attached.body), attached.body.handle) == (Attach, 5)


def test_an_acknowledgement_timeout_of_very_many(connect: Connect, simulated: SimulatedBroker) -> None:
    queue = core_clients.queue(simulated, "q", {"x-consumer-timeout": 60_000}, durable=True)
    for _ in range(MANY):
        core_clients.publish(simulated, "", b"", core_clients.persistent(), "q")
    client = connect(Amqp10Settings(idle_timeout_ms=0), window=WIDE)
    client.attach_receiver("/queues/q")
    client.credit(MANY, incoming_window=WIDE)
    while queue.unacked_count < MANY:
        client.take()
    client.credit(0, delivery_count=MANY)
    for _ in range(3):
        simulated._now_ms += 61_000
        simulated.broker.advance(simulated._now_ms)
    assert 0 < most_per_turn(simulated, lambda: queue.unacked_count) <= SETTLED_PER_SLICE
    told = of(Disposition, client.take())
    assert (told[0].first, type(told[0].state)) == (0, Released)
    assert all(after.first == before.last + 1 for before, after in pairwise(told))
    assert (told[-1].last, len(told) < 10) == (MANY - 1, True)


def test_dispositions_that_mean_nothing_are_looked_through_in_turns(
    consuming: tuple[ClassicQueue, Amqp10Client], simulated: SimulatedBroker
) -> None:
    queue, client = consuming
    count = 5 * COMMANDS_PER_TURN
    client.transport.receive(disposition(MANY, MANY + 2**30, Accepted()) * count)
    assert turns(simulated) >= count // COMMANDS_PER_TURN
    assert queue.unacked_count == MANY


# Storms


def test_links_that_come_and_go(connect: Connect, simulated: SimulatedBroker) -> None:
    queue_of(simulated)
    client, other = connect(), connect()
    storm = b"".join(attach(5, "a") + frame(Detach(5, closed=True)) for _ in range(1000))
    client.transport.receive(storm)
    other.transport.receive(attach(5, "b"))
    simulated.broker.end_turn()
    assert len(of(Attach, frames_of(other.transport.take()))) == 1
    answered = len(of(Attach, frames_of(client.transport.take())))
    assert 0 < answered <= COMMANDS_PER_TURN // ATTACH_COMMANDS
    while simulated.broker.end_turn():
        now = len(of(Attach, frames_of(client.transport.take())))
        assert now <= COMMANDS_PER_TURN // ATTACH_COMMANDS
        answered += now
    assert answered + len(of(Attach, client.take())) == 1000


def test_sessions_that_come_and_go(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.transport.receive((frame(Begin(), channel=5) + frame(End(), channel=5)) * 1000)
    answered = []
    while simulated.broker.end_turn():
        answered.append(len(of(Begin, frames_of(client.transport.take()))))
    assert max(answered) <= COMMANDS_PER_TURN // BEGIN_COMMANDS
    assert sum(answered) + len(of(Begin, client.take())) == 1000


def test_very_many_links_that_end_with_their_connection(connect: Connect, simulated: SimulatedBroker) -> None:
    queue = queue_of(simulated)
    client = connect()
    for channel in range(1, 8):
        client.begin(channel)
    for channel in range(8):
        client.send_bytes(
            b"".join(frame_of(channel, attach(handle, f"{channel}-{handle}")[8:]) for handle in range(256))
        )
    assert len(queue.consumers) == 8 * 256
    client.transport.lose()
    assert 0 < most_per_turn(simulated, lambda: len(queue.consumers)) <= 500
    core_clients.publish(simulated, "", b"x", core_clients.persistent(), "q")
    simulated.settle()
    assert (queue.ready_count, queue.unacked_count) == (1, 0)


def test_asking_again_and_again_for_what_there_is_makes_no_row_of_chores(
    connect: Connect, simulated: SimulatedBroker
) -> None:
    queue_of(simulated)
    client = connect()
    client.attach_receiver("/queues/q")
    body = Flow()
    body.handle, body.link_credit, body.drain, body.delivery_count = 1, 5, True, 0
    body.next_incoming_id, body.incoming_window, body.outgoing_window = 0, 100, 100
    client.transport.receive(frame(body) * 100)
    assert len(simulated.broker.chores) <= 2
    assert of(Flow, client.take())[-1].drain


def test_values_are_counted_by_their_bytes(connect: Connect, simulated: SimulatedBroker) -> None:
    queue_of(simulated)
    client = connect()
    body = Attach()
    body.name, body.handle, body.role, body.source = "a", 5, True, Source()
    body.source.address = "/queues/q"
    body.properties = {f"k{number}": None for number in range(4000)}
    client.transport.receive((frame(body) + frame(Detach(5, closed=True))) * 5)
    answered = []
    while simulated.broker.end_turn():
        answered.append(len(of(Attach, frames_of(client.transport.take()))))
    assert max(answered) <= 2
