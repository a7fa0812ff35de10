"""What a dead letter says of its deaths, where it may go, and what clients carry over (spec A.7)."""

from __future__ import annotations

import pytest

from tests.support import core_clients
from tests.support.core_clients import (
    advance,
    bind,
    exchange,
    guest,
    headers_of,
    poll,
    properties,
    queue,
    take_messages,
)
from tests.support.simulated_broker import START_MS, SimulatedBroker
from warren.core.messages.field_table import Encodable, FieldTable, FieldValue, Timestamp, decode_table, field_types
from warren.core.messages.message import Message
from warren.core.queues.base import Queue
from warren.core.queues.deaths import COUNT_MAX
from warren.core.routing.publish import publish as publish_checked


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


def publish(broker: SimulatedBroker, exchange_name: str, key: str, **fields: object) -> None:
    """Publish as an adapter does, with these properties."""
    client = guest(broker)
    publish_checked(client, exchange_name, key, properties(**fields), b"body")
    client.close()
    broker.settle()


def reject(broker: SimulatedBroker, rejecting: Queue) -> None:
    found = poll(rejecting)
    assert found is not None
    rejecting.discard(found[0])
    broker.settle()


def letter_in(graves: Queue) -> Message:
    (letter,) = take_messages(graves)
    return letter


def deaths_of(message: Message) -> list[FieldTable]:
    deaths = headers_of(message)["x-death"]
    assert isinstance(deaths, list)
    found = []
    for death in deaths:
        assert isinstance(death, dict)
        found.append(death)
    return found


def test_every_field_and_its_type(broker: SimulatedBroker) -> None:
    exchange(broker, "in", "direct")
    exchange(broker, "out", "fanout")
    dying = queue(broker, "q", {"x-dead-letter-exchange": "out"})
    bind(broker, "q", "in", "k")
    graves = core_clients.bound_queue(broker, "graves", "out")
    headers: dict[str, Encodable] = {"CC": ["copy"], "BCC": ["hidden"], "own": 1}
    publish(broker, "in", "k", headers=headers, expiration="60000", priority=3)
    advance(broker, 2500)
    reject(broker, dying)
    letter = letter_in(graves)
    assert (letter.address.exchange, letter.address.routing_key) == ("out", "k")
    assert (letter.properties.expiration, letter.properties.priority) == (None, 3)
    shown = headers_of(letter)
    assert {name: shown[name] for name in shown if name != "x-death"} == {
        "CC": ["copy"],
        "own": 1,
        "x-first-death-reason": "rejected",
        "x-first-death-queue": "q",
        "x-first-death-exchange": "in",
        "x-last-death-reason": "rejected",
        "x-last-death-queue": "q",
        "x-last-death-exchange": "in",
    }
    (death,) = deaths_of(letter)
    assert death == {
        "count": 1,
        "reason": "rejected",
        "queue": "q",
        "time": Timestamp((START_MS + 2500) // 1000),
        "exchange": "in",
        "routing-keys": ["k", "copy"],
        "original-expiration": "60000",
    }
    raw = core_clients.table(death)[1]
    assert field_types(raw, 0) == {
        "original-expiration": "longstr",
        "count": "long",
        "reason": "longstr",
        "queue": "longstr",
        "time": "timestamp",
        "exchange": "longstr",
        "routing-keys": "array",
    }
    assert next(iter(death)) == "original-expiration"
    assert decode_table(raw, 0)[0] == death


def test_an_overriding_key_takes_cc_away(broker: SimulatedBroker) -> None:
    dying = queue(broker, "q", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"})
    graves, copy = queue(broker, "graves"), queue(broker, "copy")
    publish(broker, "", "q", headers={"CC": ["copy"]})
    take_messages(copy)
    reject(broker, dying)
    letter = letter_in(graves)
    assert "CC" not in headers_of(letter)
    assert deaths_of(letter)[0]["routing-keys"] == ["q", "copy"]
    assert copy.ready_count == 0


def test_without_one_the_letter_follows_its_own_keys(broker: SimulatedBroker) -> None:
    exchange(broker, "out", "direct")
    dying = queue(broker, "q", {"x-dead-letter-exchange": "out"})
    for name, key in (("own", "q"), ("copied", "copy")):
        queue(broker, name)
        bind(broker, name, "out", key)
    publish(broker, "", "q", headers={"CC": ["copy"]})
    reject(broker, dying)
    for name in ("own", "copied"):
        assert broker.queue(name).ready_count == 1


def test_deaths_of_one_kind_are_counted_and_the_latest_comes_first(broker: SimulatedBroker) -> None:
    work = queue(broker, "work", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "wait"})
    queue(broker, "wait", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "work", "x-message-ttl": 1000})
    publish(broker, "", "work")
    for attempt in range(1, 4):
        reject(broker, work)
        advance(broker, 1000)
        (message,) = work.browse(0, 1)
        kinds = [(death["queue"], death["reason"], death["count"]) for death in deaths_of(message)]
        assert kinds == [("wait", "expired", attempt), ("work", "rejected", attempt)]
        assert headers_of(message)["x-first-death-queue"] == "work"
        assert headers_of(message)["x-last-death-queue"] == "wait"
        times = {death["queue"]: death["time"] for death in deaths_of(message)}
        assert times["work"] == Timestamp(START_MS // 1000), "of the first time"


def chain(broker: SimulatedBroker, *names: str) -> list[Queue]:
    """Queues with a TTL, each dead-lettering to the next, the last to the first."""
    return [
        queue(
            broker,
            name,
            {
                "x-message-ttl": 10,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": names[(index + 1) % len(names)],
            },
        )
        for index, name in enumerate(names)
    ]


@pytest.mark.parametrize("length", [1, 2, 5])
def test_an_automatic_cycle_ends_where_it_began(broker: SimulatedBroker, length: int) -> None:
    queues = chain(broker, *[f"q{number}" for number in range(length)])
    publish(broker, "", "q0")
    for number in range(length):
        assert queues[number].ready_count == 1
        advance(broker, 10)
    assert sum(each.ready_count for each in queues) == 0


def test_a_rejection_lets_the_cycle_go_on(broker: SimulatedBroker) -> None:
    first, second = chain(broker, "a", "b")
    publish(broker, "", "a")
    for _ in range(5):
        advance(broker, 10)
        reject(broker, second)
        assert first.ready_count == 1


def test_a_cycle_through_the_same_queue_by_rejection(broker: SimulatedBroker) -> None:
    own = queue(broker, "q", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"})
    publish(broker, "", "q")
    for _ in range(3):
        reject(broker, own)
    (message,) = own.browse(0, 1)
    assert deaths_of(message)[0]["count"] == 3


def carried(**fields: Encodable) -> dict[str, Encodable]:
    death: dict[str, Encodable] = {
        "queue": "q",
        "reason": "rejected",
        "count": 7,
        "exchange": "",
        "routing-keys": ["q"],
    }
    return {"x-death": [{**death, **fields}], "x-first-death-reason": "expired", "x-first-death-queue": "long ago"}


def test_a_history_that_a_client_carries_over_goes_on(broker: SimulatedBroker) -> None:
    dying = queue(broker, "q", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"})
    graves = queue(broker, "graves")
    publish(broker, "", "q", headers=carried())
    reject(broker, dying)
    letter = letter_in(graves)
    assert deaths_of(letter)[0]["count"] == 8
    assert headers_of(letter)["x-first-death-queue"] == "long ago"


def test_or_it_starts_afresh_where_that_is_asked_for(broker: SimulatedBroker) -> None:
    broker.broker.continue_client_deaths = False
    dying = queue(broker, "q", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"})
    graves = queue(broker, "graves")
    publish(broker, "", "q", headers={**carried(), "own": 1})
    (message,) = dying.browse(0, 1)
    assert headers_of(message) == {"own": 1}
    reject(broker, dying)
    letter = letter_in(graves)
    assert deaths_of(letter)[0]["count"] == 1
    assert headers_of(letter)["x-first-death-queue"] == "q"


def test_the_brokers_own_history_goes_on_all_the_same(broker: SimulatedBroker) -> None:
    """Also after the message was on disk only: what counts is that no client published it."""
    broker.broker.continue_client_deaths = False
    queues = chain(broker, "a", "b")
    publish(broker, "", "a")
    advance(broker, 10)
    assert queues[1].ready_count == 1
    advance(broker, 10)
    assert queues[0].ready_count == 0, "a cycle that nobody interrupts"


ODD: list[tuple[str, FieldValue]] = [
    ("no array", "x"),
    ("an array of numbers", [1, 2]),
    ("an empty table", [{}]),
    ("a queue that is a number", [{"queue": 1, "reason": "rejected", "count": 1}]),
    ("a count that is a text", [{"queue": "q", "reason": "rejected", "count": "many"}]),
    ("the largest count", [{"queue": "q", "reason": "rejected", "count": COUNT_MAX}]),
    ("a negative count", [{"queue": "q", "reason": "rejected", "count": -5}]),
    ("keys that are no array", [{"queue": "q", "reason": "rejected", "count": 1, "routing-keys": 5}]),
    ("nothing", None),
]


@pytest.mark.parametrize("odd", [pytest.param(value, id=name) for name, value in ODD])
def test_odd_histories_of_clients(broker: SimulatedBroker, odd: FieldValue) -> None:
    """Whatever a client puts there, the message dies in good order, and the count stays a number that fits."""
    dying = queue(broker, "q", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"})
    graves = queue(broker, "graves")
    publish(broker, "", "q", headers={"x-death": odd})
    reject(broker, dying)
    death = deaths_of(letter_in(graves))[0]
    assert (death["queue"], death["reason"]) == ("q", "rejected")
    count = death["count"]
    assert isinstance(count, int)
    assert count <= COUNT_MAX


def test_no_exchange_drops(broker: SimulatedBroker) -> None:
    dying = queue(broker, "q", {"x-dead-letter-exchange": "nowhere"})
    publish(broker, "", "q")
    reject(broker, dying)
    assert (dying.ready_count, dying.unacked_count) == (0, 0)
