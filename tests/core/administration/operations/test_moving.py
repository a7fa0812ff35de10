"""Moving messages from a queue: all of them, in order, in slices, and never lost or doubled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.core.storage.support import crash_copy, open_disk, recover_bodies, segment_files
from tests.support.core_clients import (
    advance,
    bind,
    exchange,
    headers_of,
    persistent,
    publish,
    queue,
    take,
    take_messages,
)
from tests.support.late_queue import LATE_BY_MS, LateQueue, late_queues
from tests.support.simulated_broker import SimulatedBroker
from warren.core.administration.operations import moving
from warren.core.administration.operations.moving import Destination, Moved
from warren.core.errors import AccessRefused, BrokerError, NotFound, PreconditionFailed, ResourceError
from warren.core.queues.deaths import deaths_in, own_count


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


def fill(broker: SimulatedBroker, name: str, count: int) -> None:
    for number in range(count):
        publish(broker, "", str(number).encode(), persistent(n=number), name)
    broker.settle()


def move(
    broker: SimulatedBroker, name: str, to: Destination, count: int | None = None, user: str | None = None
) -> Moved:
    given: list[Moved | BrokerError] = []
    moving.move(broker.broker, "/", name, to, given.append, count=count, user=user)
    broker.settle()
    (found,) = given
    assert isinstance(found, Moved)
    return found


def test_to_a_queue_with_the_address_that_they_have(broker: SimulatedBroker) -> None:
    queue(broker, "from")
    to = queue(broker, "to")
    exchange(broker, "orders", "fanout")
    bind(broker, "from", "orders")
    publish(broker, "orders", b"body", persistent(a=1), "key")
    assert move(broker, "from", Destination(queue="to")) == Moved(1, "")
    (message,) = take_messages(to)
    assert (message.address.exchange, message.address.routing_key, message.body) == ("orders", "key", b"body")
    assert headers_of(message) == {"a": 1}


def test_all_that_were_there_in_order_and_in_slices(broker: SimulatedBroker) -> None:
    source, to = queue(broker, "from"), queue(broker, "to")
    fill(broker, "from", 250)
    given: list[object] = []
    moving.move(broker.broker, "/", "from", Destination(queue="to"), given.append)
    assert to.ready_count == 0, "nothing in the asker's own turn"
    broker.broker.end_turn()
    assert (source.ready_count, to.ready_count, given) == (150, 100, [])
    broker.settle()
    assert given == [Moved(250, "")]
    assert take(to) == [str(number).encode() for number in range(250)]


def test_only_so_many(broker: SimulatedBroker) -> None:
    source, to = queue(broker, "from"), queue(broker, "to")
    fill(broker, "from", 5)
    assert move(broker, "from", Destination(queue="to"), 2) == Moved(2, "")
    assert (take(source), take(to)) == ([b"2", b"3", b"4"], [b"0", b"1"])
    assert move(broker, "from", Destination(queue="to"), 2) == Moved(0, "")


def test_through_an_exchange_with_a_key_or_their_own(broker: SimulatedBroker) -> None:
    queue(broker, "from")
    to = queue(broker, "to")
    exchange(broker, "x", "direct")
    bind(broker, "to", "x", "k")
    bind(broker, "to", "x", "from")
    fill(broker, "from", 1)
    assert move(broker, "from", Destination(exchange="x", routing_key="k")).message_count == 1
    (message,) = take_messages(to)
    assert (message.address.exchange, message.address.routing_key) == ("x", "k")
    fill(broker, "from", 1)
    assert move(broker, "from", Destination(exchange="x")).message_count == 1
    assert take_messages(to)[0].address.routing_key == "from"


def test_what_leads_back_is_moved_once(broker: SimulatedBroker) -> None:
    source = queue(broker, "from")
    fill(broker, "from", 3)
    assert move(broker, "from", Destination(exchange="", routing_key="from")) == Moved(3, "")
    assert take(source) == [b"0", b"1", b"2"]


def test_what_leads_nowhere_stays(broker: SimulatedBroker) -> None:
    source = queue(broker, "from")
    fill(broker, "from", 2)
    moved = move(broker, "from", Destination(exchange="amq.direct", routing_key="k"))
    assert moved == Moved(0, "exchange 'amq.direct' leads nowhere with the routing key 'k'.")
    assert take(source) == [b"0", b"1"]


def test_what_a_full_queue_refuses_stays_in_its_place(broker: SimulatedBroker) -> None:
    source = queue(broker, "from")
    to = queue(broker, "to", {"x-max-length": 2, "x-overflow": "reject-publish"})
    fill(broker, "from", 4)
    moved = move(broker, "from", Destination(queue="to"))
    assert (moved.message_count, "it is full" in moved.stopped) == (2, True)
    assert (take(source), take(to)) == ([b"2", b"3"], [b"0", b"1"])


def test_a_dead_letter_that_goes_home_may_die_again(broker: SimulatedBroker) -> None:
    work = queue(
        broker, "work", {"x-message-ttl": 10, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    )
    dead = queue(broker, "dead")
    fill(broker, "work", 1)
    advance(broker, 11)
    assert dead.ready_count == 1
    assert move(broker, "dead", Destination(queue="work")) == Moved(1, "")
    advance(broker, 11)
    (letter,) = take_messages(dead)
    assert work.ready_count == 0
    assert own_count(letter.properties.headers or {}) == 1, "of its life since then"
    assert deaths_in(headers_of(letter))[0]["count"] == 2


def test_who_may_move_what(broker: SimulatedBroker) -> None:
    users = broker.broker.users
    for name in ("from", "to", "other"):
        queue(broker, name)
    fill(broker, "from", 1)
    users.add_user("anne", "secret")
    users.set_permissions("anne", "/", "", "^amq.default$", "^from$")
    assert move(broker, "from", Destination(queue="to"), user="anne").message_count == 1
    for name, to in (("to", Destination(queue="other")), ("from", Destination(exchange="amq.topic", routing_key="k"))):
        with pytest.raises(AccessRefused):
            move(broker, name, to, user="anne")
    users.set_permissions("anne", "/", "", "^amq.topic$", "^from$")
    users.set_topic_permissions("anne", "/", "amq.topic", "^a$", "")
    fill(broker, "from", 1)
    assert (
        "refused for user 'anne'"
        in move(broker, "from", Destination(exchange="amq.topic", routing_key="k"), user="anne").stopped
    )


def test_what_cant_be(broker: SimulatedBroker) -> None:
    queue(broker, "from")
    for to in (Destination(queue="none"), Destination(exchange="none")):
        with pytest.raises(NotFound):
            move(broker, "from", to)
    with pytest.raises(PreconditionFailed, match="to itself"):
        move(broker, "from", Destination(queue="from"))
    with pytest.raises(NotFound):
        move(broker, "none", Destination(queue="from"))
    queue(broker, "to")
    broker.broker.alarms.set("memory", True)
    with pytest.raises(ResourceError, match="publishing is blocked"):
        move(broker, "from", Destination(queue="to"))


def test_a_queue_that_goes_meanwhile(broker: SimulatedBroker) -> None:
    from warren.core.administration.operations import queues

    queue(broker, "from")
    queue(broker, "to")
    fill(broker, "from", 150)
    given: list[object] = []
    moving.move(broker.broker, "/", "from", Destination(queue="to"), given.append)
    broker.broker.end_turn()
    queues.delete(broker.broker, "/", "to")
    broker.settle()
    assert given == [Moved(100, "no queue 'to' in vhost '/'.")]
    assert broker.vhost.queues["from"].ready_count == 50


@pytest.mark.parametrize("refuses", [False, True])
def test_a_queue_that_answers_later(broker: SimulatedBroker, *, refuses: bool) -> None:
    with late_queues():
        source = queue(broker, "from")
        to = queue(broker, "to", {"x-queue-type": "late"}, durable=True)
        assert isinstance(to, LateQueue)
        to.refuses = refuses
        fill(broker, "from", 3)
        given: list[object] = []
        moving.move(broker.broker, "/", "from", Destination(queue="to"), given.append)
        broker.settle()
        assert (given, source.ready_count, source.unacked_count) == ([], 2, 1)
        for _ in range(10):
            advance(broker, LATE_BY_MS)
        if refuses:
            assert isinstance(given[0], Moved)
            assert (given[0].message_count, source.ready_count, to.ready_count) == (0, 3, 0)
        else:
            assert (given, source.ready_count, to.ready_count) == ([Moved(3, "")], 0, 3)


def test_from_a_queue_that_answers_later(broker: SimulatedBroker) -> None:
    with late_queues():
        source = queue(broker, "from", {"x-queue-type": "late"}, durable=True)
        to = queue(broker, "to")
        fill(broker, "from", 3)
        advance(broker, 1000)
        assert source.ready_count == 3
        given: list[object] = []
        moving.move(broker.broker, "/", "from", Destination(queue="to"), given.append)
        broker.settle()
        for _ in range(10):
            advance(broker, LATE_BY_MS)
        assert (given, take(to)) == ([Moved(3, "")], [b"0", b"1", b"2"])


def test_a_crash_at_any_byte_leaves_each_message_in_one_queue(tmp_path: Path) -> None:
    broker = SimulatedBroker(tmp_path / "data")
    queue(broker, "from", durable=True)
    queue(broker, "to", durable=True)
    fill(broker, "from", 3)
    (path,) = segment_files(tmp_path / "data")
    before = path.read_bytes()
    moving.move(broker.broker, "/", "from", Destination(queue="to"), lambda answer: None)
    broker.settle()
    after = path.read_bytes()
    assert after != before
    start = next(place for place, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1])
    end = len(after.rstrip(b"\0"))
    seen = set()
    for cut in range(start, end + 1):
        copy = crash_copy(tmp_path / "data", tmp_path / "copy")
        os.truncate(segment_files(copy)[0], cut)
        engine = open_disk(copy)
        found = recover_bodies(engine)
        engine.close()
        bodies = sorted(body for each in found.values() for body in each)
        assert bodies == [b"0", b"1", b"2"], f"cut at {cut}"
        seen.add(tuple(sorted(map(len, found.values()))))
    broker.close()
    assert seen == {(3,), (1, 2)}
