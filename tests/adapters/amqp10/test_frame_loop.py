"""Rows of transfers and dispositions, which are taken by heart: the same comes of them as of each alone."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.amqp10.conftest import Connect
from tests.support.simulated_amqp10 import Amqp10Client, Frame, body_of, frames_of, messages, of
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.framing import frame_of
from warren.adapters.amqp10.codec.performatives import SETTLED, Detach, Disposition, Flow, Transfer
from warren.adapters.amqp10.codec.sections import MessageHeader, MessageProperties
from warren.adapters.amqp10.codec.termini import Accepted, Released
from warren.adapters.amqp10.settings import Amqp10Settings
from warren.core.declaring.queues import declare_queue, delete_queue


def message(number: int, *, subject: str = "", durable: bool = False, size: int = 8) -> bytes:
    """A message whose content begins with its number."""
    header, properties = MessageHeader(), MessageProperties()
    header.durable = durable
    properties.subject = subject or None
    content = b"%0*d" % (size, number)
    head = b"\x00\x53\x75\xa0%c" % size if size < 256 else b"\x00\x53\x75\xb0" + size.to_bytes(4, "big")
    return encode_composite(header) + (encode_composite(properties) if subject else b"") + head + content


def transfer(number: int, payload: bytes, tag: bytes = b"tag", *, handle: int = 0, **fields: Any) -> bytes:
    """A frame with a message."""
    body = Transfer()
    body.handle, body.delivery_id, body.delivery_tag, body.message_format = handle, number, tag, 0
    for name, value in fields.items():
        setattr(body, name, value)
    return frame_of(0, encode_composite(body) + payload)


def disposition(first: int, last: int | None = None, **fields: object) -> bytes:
    """A frame that accepts and settles."""
    body = Disposition()
    body.role, body.first, body.last, body.settled, body.state = True, first, last, True, Accepted()
    for name, value in fields.items():
        setattr(body, name, value)
    return frame_of(0, encode_composite(body))


def bodies(simulated: SimulatedBroker, queue: str = "q") -> list[int]:
    """The numbers of the messages in a queue."""
    return [int(each.body) for each in simulated.queue(queue).browse(0, 10_000)]


def told(frames: list[Frame]) -> list[int]:
    """The ids that dispositions say are accepted."""
    found: list[int] = []
    for each in of(Disposition, frames):
        assert isinstance(each.state, Accepted)
        assert each.settled
        found += range(each.first, each.last + 1)
    return found


@pytest.fixture
def client(connect: Connect) -> Amqp10Client:
    """With a queue `q` and a link to it."""
    made = connect()
    declare_queue(made.connection.logged_in, "q")
    made.attach_sender("/queues/q")
    return made


@st.composite
def rows(draw: st.DrawFn) -> list[tuple[bytes, bool]]:
    """Transfers in rows: of each, whether it comes settled."""
    made: list[tuple[bytes, bool]] = []
    number = draw(st.sampled_from([0, 250, 2**16 - 2]))
    for _ in range(draw(st.integers(1, 4))):
        settled = draw(st.sampled_from([True, False, None]))
        size = draw(st.sampled_from([8, 8, 255, 300]))
        tag = b"t" * draw(st.integers(0, 32))
        subject = draw(st.sampled_from(["", "", "news"]))
        others: list[dict[str, Any]] = [{}, {"more": False}, {"batchable": True}, {"rcv_settle_mode": 0}]
        fields = draw(st.sampled_from(others))
        for _ in range(draw(st.integers(1, 9))):
            payload = message(number, subject=subject, size=size)
            made.append((transfer(number, payload, tag, settled=settled, **fields), bool(settled)))
            number += 1
    return made


@given(rows(), st.integers(0, 99))
def test_rows_are_published_however_they_are_cut(made: list[tuple[bytes, bool]], seed: int) -> None:
    simulated = SimulatedBroker()
    client = Amqp10Client(simulated).open().begin()
    declare_queue(client.connection.logged_in, "q")
    client.attach_sender("/queues/q")
    whole = b"".join([each for each, _ in made])
    answers = client.send_bytes(whole, "whole" if seed < 50 else str(seed))
    numbers = [frame.body.delivery_id for each, _ in made for frame in frames_of(each)]
    assert bodies(simulated) == numbers
    assert told(answers) == [number for number, (_, settled) in zip(numbers, made, strict=True) if not settled]
    counts = simulated.vhost.counts
    assert (counts.publish, simulated.vhost.exchange_counts("").publish_in) == (len(made), len(made))
    sizes = [each.body_size for each in simulated.queue("q").browse(0, 10_000)]
    counted = simulated.broker.message_sizes.of("AMQP 1-0")
    assert (sum(counted.buckets), counted.total_bytes) == (len(sizes), sum(sizes))
    link = client.connection.sessions[0].links[0]
    assert link.credit + len(made) >= 1000  # type: ignore[attr-defined]
    assert link.unconfirmed == 0  # type: ignore[attr-defined]


def test_a_row_ends_with_the_credit_and_the_rest_ends_the_link(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect(Amqp10Settings(link_credit=5))
    declare_queue(client.connection.logged_in, "q")
    client.attach_sender("/queues/q")
    answers = client.send_bytes(b"".join([transfer(300 + at, message(at), settled=True) for at in range(8)]))
    (detach,) = of(Detach, answers)
    assert detach.error.condition == "amqp:link:transfer-limit-exceeded"
    assert bodies(simulated) == [0, 1, 2, 3, 4]


def test_a_row_ends_with_the_window(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.publish(message(0), settled=True)
    client.connection.sessions[0].incoming_window = 3
    client.send_bytes(b"".join([transfer(300 + at, message(at), settled=True) for at in range(1, 6)]))
    assert bodies(simulated) == [0, 1, 2, 3]
    assert not client.connection.sessions


def test_new_credit_is_told_of_by_halves(client: Amqp10Client) -> None:
    flows: list[Flow] = []
    for block in range(8):
        ids = range(300 + 250 * block, 550 + 250 * block)
        flows += of(Flow, client.send_bytes(b"".join([transfer(each, message(each), settled=True) for each in ids])))
    assert [flow.link_credit for flow in flows] == [1000] * 4
    assert [flow.delivery_count for flow in flows] == [500, 1000, 1500, 2000]


def test_what_breaks_a_row(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    declare_queue(client.connection.logged_in, "other")
    client.attach_sender("/queues/other", handle=7)
    ids = iter(range(300, 400))
    pieces = [
        transfer(next(ids), message(0)),
        transfer(next(ids), message(1)),
        transfer(next(ids), message(2)[:9], more=True),
        transfer(302, message(2)[9:]),
        transfer(303, message(3)),
        transfer(304, b"\x00\x53\x77\xa1\x0100000004"[:4] + b"\x084\x20\x20\x20\x20\x20\x20\x20"),
        transfer(305, message(5)),
        transfer(306, message(6), handle=7),
        transfer(307, message(7)),
        transfer(308, message(8), aborted=True),
        transfer(309, message(9), message_format=0, batchable=True),
        frame_of(0, encode_composite(Flow())),
        transfer(310, message(10)),
        transfer(400, message(11)),
        transfer(399, message(12)),
    ]
    answers = client.send_bytes(b"".join(pieces))
    found = [each.body for each in simulated.queue("q").browse(0, 99)]
    assert [int(each) for each in found if each.isdigit()] == [0, 1, 2, 3, 5, 7, 9, 10, 11, 12]
    assert len(found) == 11
    assert bodies(simulated, "other") == [6]
    assert sorted(told(answers)) == [300, 301, 302, 303, 304, 305, 306, 307, 309, 310, 399, 400]


def test_other_sections_are_looked_at(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    payloads = [message(1), message(2), message(3, durable=True), message(4, subject="s"), message(5, subject="s")]
    client.send_bytes(b"".join([transfer(300 + at, payload) for at, payload in enumerate(payloads)]))
    found = list(simulated.queue("q").browse(0, 9))
    assert [int(each.body) for each in found] == [1, 2, 3, 4, 5]
    assert [each.properties.persistent for each in found] == [False, False, True, False, False]


def test_what_is_wrong_is_found_behind_a_row(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    whole = message(3)
    broken = whole[:-9] + b"\x09" + whole[-8:]
    answers = client.send_bytes(transfer(300, message(1)) + transfer(301, message(2)) + transfer(302, broken))
    (detach,) = of(Detach, answers)
    assert detach.error.condition == "amqp:decode-error"
    assert bodies(simulated) == [1, 2]


def test_what_is_known_is_void_when_the_queue_is_gone(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.send_bytes(transfer(300, message(1)) + transfer(301, message(2)))
    delete_queue(client.connection.logged_in, "q")
    (state,) = [each.state for each in of(Disposition, client.send_bytes(transfer(302, message(3))))]
    assert isinstance(state, Released)
    declare_queue(client.connection.logged_in, "q")
    client.send_bytes(transfer(303, message(4)) + transfer(304, message(5)))
    assert bodies(simulated) == [4, 5]


def test_an_alarm_takes_no_row(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.send_bytes(transfer(300, message(1)) + transfer(301, message(2)))
    simulated.broker.alarms.set("memory", True)
    client.send_bytes(transfer(302, message(3)) + transfer(303, message(4)))
    assert bodies(simulated) == [1, 2, 3, 4]
    link = client.connection.sessions[0].links[0]
    assert link.known is None  # type: ignore[attr-defined]


def test_what_leads_nowhere_is_released_one_by_one(client: Amqp10Client) -> None:
    client.attach_sender("/exchanges/amq.direct/nobody", handle=3)
    answers = client.send_bytes(b"".join([transfer(300 + at, message(at), handle=3) for at in range(3)]))
    assert [(each.first, each.last) for each in of(Disposition, answers)] == [(300, 300), (301, 301), (302, 302)]
    assert all(isinstance(each.state, Released) for each in of(Disposition, answers))


def test_persistent_messages_are_told_of_with_one_flush(tmp_path: Path) -> None:
    simulated = SimulatedBroker(tmp_path)
    client = Amqp10Client(simulated).open().begin()
    declare_queue(client.connection.logged_in, "q", durable=True)
    client.attach_sender("/queues/q")
    client.publish(message(0, durable=True))
    simulated.commits_by_itself = False
    row = b"".join([transfer(300 + at, message(at, durable=True)) for at in range(50)])
    assert of(Disposition, client.send_bytes(row)) == []
    safe = client.connection.sessions[0].safe
    assert safe.waiting == 50
    simulated.begin_commit()
    late = b"".join([transfer(350 + at, message(at, durable=True)) for at in range(5)])
    assert of(Disposition, client.send_bytes(late)) == []
    simulated.finish_commit()
    (first,) = of(Disposition, client.take())
    assert (first.first, first.last) == (300, 349)
    simulated.begin_commit()
    simulated.finish_commit()
    (second,) = of(Disposition, client.take())
    assert (second.first, second.last) == (350, 354)
    assert safe.waiting == 0
    simulated.close()


# What goes out


def fill(client: Amqp10Client, count: int, size: int = 8) -> None:
    ids = range(300, 300 + count)
    client.send_bytes(b"".join([transfer(each, message(each, size=size), settled=True) for each in ids]))


@pytest.mark.parametrize("settled", [True, False])
@pytest.mark.parametrize("size", [8, 300])
def test_alike_deliveries_are_what_each_alone_is(
    client: Amqp10Client, simulated: SimulatedBroker, settled: bool, size: int
) -> None:
    fill(client, 300, size)
    client.attach_receiver("/queues/q", snd_settle_mode=SETTLED if settled else 0)
    got = client.credit(400)
    assert [int(body_of(each)) for each in messages(got)] == list(range(300, 600))
    transfers = of(Transfer, got)
    assert [each.delivery_id for each in transfers] == list(range(300))
    assert [each.delivery_tag for each in transfers] == [each.to_bytes(4, "big") for each in range(300)]
    assert {(each.handle, each.settled, each.message_format) for each in transfers} == {(1, settled, 0)}
    assert simulated.queue("q").unacked_count == (0 if settled else 300)
    session = client.connection.sessions[0]
    assert session.window == 2048 - 300


def test_deliveries_end_with_the_credit_and_with_the_window(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect(window=50)
    declare_queue(client.connection.logged_in, "q")
    client.attach_sender("/queues/q")
    fill(client, 300)
    client.attach_receiver("/queues/q")
    assert len(messages(client.credit(40, incoming_window=50))) == 40
    assert len(messages(client.credit(100, incoming_window=50, delivery_count=40, next_incoming_id=40))) == 50
    assert len(messages(client.credit(100, incoming_window=50, delivery_count=90, next_incoming_id=90))) == 50
    assert simulated.queue("q").ready_count == 160


def test_deliveries_end_with_the_room_in_the_outbox(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    size = 100_000
    declare_queue(client.connection.logged_in, "large")
    client.attach_sender("/queues/large", handle=5)
    payload = b"\x00\x53\x75\xb0" + size.to_bytes(4, "big") + b"x" * size
    for number in range(30):
        client.send_bytes(transfer(300 + number, payload, handle=5, settled=True))
    client.attach_receiver("/queues/large", snd_settle_mode=SETTLED)
    client.transport.socket_room = 0
    client.credit(100)
    assert 18 <= simulated.queue("large").ready_count <= 21


def test_messages_of_other_protocols_go_in_rows_too(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    other = simulated.connect()
    for number in range(20):
        other.publish("q", b"%08d" % number)
    client.attach_receiver("/queues/q")
    assert [int(body_of(each)) for each in messages(client.credit(100))] == list(range(20))


# Dispositions


@given(st.data())
def test_dispositions_settle_what_they_name(chosen: st.DataObject) -> None:
    simulated = SimulatedBroker()
    client = Amqp10Client(simulated).open().begin()
    declare_queue(client.connection.logged_in, "q")
    client.attach_sender("/queues/q")
    fill(client, 600)
    client.attach_receiver("/queues/q")
    assert len(messages(client.credit(600))) == 600
    open_ids = set(range(600))
    pieces = []
    for _ in range(chosen.draw(st.integers(1, 6))):
        first = chosen.draw(st.integers(0, 620))
        kind = chosen.draw(st.sampled_from(["row", "range", "row of ranges"]))
        length = chosen.draw(st.integers(1, 30))
        batchable = chosen.draw(st.booleans())
        if kind == "row":
            pieces += [disposition(first + at, batchable=batchable) for at in range(length)]
        elif kind == "range":
            pieces.append(disposition(first, first + length - 1, batchable=batchable))
        else:
            pieces += [disposition(first + at, first + at) for at in range(length)]
        open_ids -= set(range(first, first + length))
    seed = chosen.draw(st.integers(0, 9))
    assert client.send_bytes(b"".join(pieces), "whole" if seed < 5 else str(seed)) == []
    assert [tag - 1 for tag in client.connection.sessions[0].deliveries.unacked] == sorted(open_ids)
    assert simulated.queue("q").unacked_count == len(open_ids)


def test_other_outcomes_end_a_row(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    fill(client, 400)
    client.attach_receiver("/queues/q")
    client.credit(400)
    pieces = [disposition(300), disposition(301), disposition(302, state=Released()), disposition(303)]
    pieces += [disposition(304, settled=False), disposition(305, role=False)]
    (answer,) = client.send_bytes(b"".join(pieces))
    assert (answer.body.first, answer.body.settled) == (304, True)
    assert bodies(simulated) == [602]
    assert 305 + 1 in client.connection.sessions[0].deliveries.unacked


def test_rows_count_towards_the_ration(client: Amqp10Client) -> None:
    client.publish(message(0), settled=True)
    ration = client.connection.ration
    ration.begin()
    left = ration.left
    client.transport.session.receive(
        b"".join([transfer(each, message(each), settled=True) for each in range(300, 940)])
    )
    assert ration.left == left - 640 // 16


def test_a_seeded_mix_of_everything(connect: Connect, simulated: SimulatedBroker) -> None:
    chance = random.Random(4711)
    client = connect()
    declare_queue(client.connection.logged_in, "q")
    client.attach_sender("/queues/q")
    client.attach_receiver("/queues/q")
    client.credit(100_000, incoming_window=100_000)
    sent, got, at = 0, [], 0
    for _ in range(60):
        count = chance.randrange(1, 60)
        row = [transfer(300 + sent + each, message(sent + each), settled=None) for each in range(count)]
        sent += count
        answers = client.send_bytes(b"".join(row), chance.choice(["whole", "7"]))
        got += [int(body_of(each)) for each in messages(answers)]
        settled = chance.randrange(len(got) - at + 1)
        client.send_bytes(b"".join([disposition(at + each) for each in range(settled)]))
        at += settled
    assert got == list(range(sent))
    assert simulated.queue("q").unacked_count == sent - at
