"""Messages of very many frames, and large or many answers of management: what is kept, and how many turns they take."""

from __future__ import annotations

from typing import Any

import proton

from tests.adapters.amqp10.conftest import Connect
from tests.support import core_clients
from tests.support.amqp10_turns import (
    WIDE,
    frame,
    queue_of,
    turns,
)
from tests.support.simulated_amqp10 import body_of, data, frames_of, messages, of
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec.performatives import Detach, Flow, Transfer
from warren.adapters.amqp10.incoming_link import PARTS_MAX, IncomingLink
from warren.adapters.amqp10.management_requests import BINDINGS_PER_SLICE
from warren.core.broker import DELIVERIES_PER_TURN
from warren.core.clients.outbox import HIGH_WATER_BYTES


def test_a_large_message_in_the_smallest_frames(connect: Connect, simulated: SimulatedBroker) -> None:
    queue_of(simulated)
    body = bytes(range(256)) * 16 * 1024
    client = connect(max_frame_size=512, window=WIDE)
    client.attach_receiver("/queues/q")
    core_clients.publish(simulated, "", body, core_clients.persistent(), "q")
    core_clients.publish(simulated, "", b"behind it", core_clients.persistent(), "q")
    give = Flow()
    give.handle, give.link_credit, give.delivery_count = 1, 5, 0
    give.next_incoming_id, give.incoming_window, give.outgoing_window = 0, WIDE, 100
    client.transport.receive(frame(give))
    got: list[Any] = []
    more = True
    while more:
        more = simulated.broker.end_turn()
        taken = client.transport.take()
        assert len(taken) <= 1.1 * DELIVERIES_PER_TURN * 512 + HIGH_WATER_BYTES
        got += frames_of(taken)
    got += client.take()
    assert [body_of(each) == expected for each, expected in zip(messages(got), [body, b"behind it"], strict=True)] == [
        True,
        True,
    ]
    assert len({each.delivery_id for each in of(Transfer, got)} - {None}) == 2


def test_a_message_in_very_many_parts_is_kept_as_one(connect: Connect, simulated: SimulatedBroker) -> None:
    queue = queue_of(simulated)
    client = connect()
    client.attach_sender("/queues/q")
    whole = data(bytes(range(256)))
    first = Transfer()
    first.handle, first.delivery_id, first.delivery_tag, first.more = 0, 0, b"t", True
    link = client.connection.sessions[0].links[0]
    assert isinstance(link, IncomingLink)
    for at in range(len(whole)):
        part = Transfer()
        part.handle, part.more = 0, at + 1 < len(whole)
        client.send(first if at == 0 else part, whole[at : at + 1])
        assert len(link._parts) <= PARTS_MAX
    assert [message.body for message in queue.browse(0, 2)] == [bytes(range(256))]


def test_very_many_bindings_are_listed_in_slices(connect: Connect, simulated: SimulatedBroker) -> None:
    queue_of(simulated)
    count = 5 * BINDINGS_PER_SLICE
    for number in range(count):
        core_clients.bind(simulated, "q", "amq.direct", f"key.{number}")
    client = connect()
    client.attach_sender("/management", name="pair", properties={"paired": True})
    client.attach_receiver("/management", name="pair", properties={"paired": True}, snd_settle_mode=1)
    client.credit(10)
    request = proton.Message(id="1", subject="GET", address="/bindings?src=amq.direct&dstq=q", reply_to="$me")
    transfer = Transfer()
    transfer.handle, transfer.delivery_id, transfer.delivery_tag = 0, 0, b"t"
    client.transport.receive(frame(transfer, bytes(request.encode())))
    assert turns(simulated) >= count // BINDINGS_PER_SLICE
    (answer,) = messages(client.take())
    assert answer.subject == "200"
    shown: Any = answer.body
    assert sorted(each["binding_key"] for each in shown) == sorted(f"key.{number}" for number in range(count))


def test_answers_that_nobody_reads_are_bounded(connect: Connect, simulated: SimulatedBroker) -> None:
    queue_of(simulated)
    client = connect(window=1)
    client.attach_sender("/management", name="pair", properties={"paired": True})
    client.attach_receiver("/management", name="pair", properties={"paired": True}, snd_settle_mode=1)
    client.credit(10_000, incoming_window=1)
    request = proton.Message(id="1", subject="GET", address="/queues/q", reply_to="$me")
    got: list[Any] = []
    for _ in range(1100):
        got += client.publish(bytes(request.encode()))
        if of(Detach, got):
            break
    assert len(of(Transfer, got)) == 1, "as the window has room for"
    (detached,) = of(Detach, got)
    assert "1000 answers wait" in detached.error.description
