"""The outbox: room, what counts against it, and consumers that wait for it."""

from __future__ import annotations

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer, declare, publish
from tests.support.simulated_transport import SimulatedTransport
from warren.core.clients.outbox import HIGH_WATER_BYTES, RESUMED_AT_ONCE, UNREAD_BYTES_MAX, Outbox


def make_outbox() -> tuple[Outbox, list[Outbox]]:
    touched: list[Outbox] = []
    transport = SimulatedTransport()
    return Outbox(touched, transport), touched


def test_an_outbox_is_looked_at_once_per_batch() -> None:
    outbox, touched = make_outbox()
    outbox.write(b"abc")
    outbox.write(b"def")
    outbox.touch()
    assert touched == [outbox]
    assert outbox.take() == [b"abc", b"def"]
    assert outbox.take() == []
    touched.clear()
    outbox.touch()
    outbox.touch()
    outbox.write(b"abc")
    assert touched == [outbox]


def test_a_fast_link_can_be_filled_in_one_turn() -> None:
    outbox, _ = make_outbox()
    assert outbox.room >= 2**20


def test_room_is_what_the_socket_left() -> None:
    outbox, _ = make_outbox()
    outbox.write(b"x" * 100)
    assert outbox.room == HIGH_WATER_BYTES - 100
    outbox.take()
    outbox.sent(40)
    assert outbox.room == HIGH_WATER_BYTES - 40
    outbox.sent(0)
    assert outbox.room == HIGH_WATER_BYTES


def test_a_peer_that_leaves_too_much_unread_is_noticed() -> None:
    outbox, _ = make_outbox()
    outbox.write(b"x" * UNREAD_BYTES_MAX)
    assert not outbox.overfull
    outbox.write(b"x")
    assert outbox.overfull
    outbox.take()
    outbox.sent(UNREAD_BYTES_MAX)
    assert not outbox.overfull


def test_parked_consumers_go_on_when_there_is_room() -> None:
    broker = SimulatedBroker()
    queue = declare(broker)
    outbox, _ = make_outbox()
    consumer = SimulatedConsumer(queue, credit=0)
    queue.add_consumer(consumer)
    publish(broker, queue, [b"1"])
    broker.settle()
    consumer.credit = 1
    outbox.park(consumer)
    outbox.sent(HIGH_WATER_BYTES)
    broker.settle()
    assert consumer.bodies == [], "no room, no delivery"
    outbox.sent(HIGH_WATER_BYTES - 1)
    broker.settle()
    assert consumer.bodies == [b"1"]
    assert not outbox.parked


def test_the_first_that_was_parked_goes_on_last() -> None:
    """It took what room there was; the second takes it next time."""
    broker = SimulatedBroker()
    queue = declare(broker)
    outbox, _ = make_outbox()
    consumers = [SimulatedConsumer(queue, credit=0) for _ in range(3)]
    for consumer in consumers:
        queue.add_consumer(consumer)
    broker.settle()
    for consumer in consumers:
        consumer.credit = 1
        outbox.park(consumer)
    publish(broker, queue, [b"1", b"2", b"3"])
    broker.settle()
    outbox.sent(0)
    broker.settle()
    assert [consumer.bodies for consumer in consumers] == [[b"3"], [b"1"], [b"2"]]


def test_of_very_many_some_go_on_at_a_report_and_the_others_at_the_next() -> None:
    outbox, _ = make_outbox()
    resumed: list[int] = []

    class Parked:
        def __init__(self, number: int) -> None:
            self.number = number

        def resume(self) -> None:
            resumed.append(self.number)

    count = 2 * RESUMED_AT_ONCE + 1
    for number in range(count):
        outbox.park(Parked(number))
    for reports in (1, 2):
        outbox.take()
        outbox.sent(0)
        assert len(resumed) == reports * RESUMED_AT_ONCE
        assert outbox.touched, "another report is asked for"
    outbox.take()
    outbox.sent(0)
    assert sorted(resumed) == list(range(count))
    assert not outbox.touched
