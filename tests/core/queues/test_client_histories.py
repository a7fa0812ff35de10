"""What a client says of a message's former life is carried on, and never a reason to lose the message."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.core_clients import (
    advance,
    bind,
    exchange,
    guest,
    headers_of,
    poll,
    properties,
    queue,
    take,
    take_messages,
)
from tests.support.simulated_broker import SimulatedBroker
from warren.core.messages.field_table import Encodable, FieldValue
from warren.core.messages.internal_headers import without_internal
from warren.core.messages.message import Message
from warren.core.messages.properties import Properties
from warren.core.queues.base import Queue
from warren.core.queues.deaths import own_deaths
from warren.core.queues.quorum import RETRY_MS
from warren.core.routing.publish import publish as publish_checked

LADDER_TTL_MS = {"d1": 200, "d0": 100}
"""A ladder as Celery's: each step waits for its TTL, then the message falls to the next one, and at last to `w`."""


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


def ladder(broker: SimulatedBroker, *, durable: bool = False, **more: Encodable) -> Queue:
    """The steps d1 and d0 above the queue w, which is given back."""
    below = "w"
    waiting = queue(broker, below, durable=durable)
    for step in ("d0", "d1"):
        dead: dict[str, Encodable] = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": below}
        queue(broker, step, {"x-message-ttl": LADDER_TTL_MS[step], **dead, **more}, durable=durable)
        below = step
    return waiting


def publish(broker: SimulatedBroker, key: str, seen: Properties | None = None, **fields: object) -> None:
    client = guest(broker)
    publish_checked(client, "", key, seen if seen is not None else properties(**fields), b"task")
    client.close()
    broker.settle()


def got(waiting: Queue) -> Properties:
    """What a consumer sees of the one message there is."""
    (message,) = take_messages(waiting)
    return without_internal(message.properties)


def counts_of(seen: Properties) -> dict[tuple[FieldValue, FieldValue], FieldValue]:
    deaths = (seen.headers or {})["x-death"]
    assert isinstance(deaths, list)
    found: dict[tuple[FieldValue, FieldValue], FieldValue] = {}
    for death in deaths:
        assert isinstance(death, dict)
        queue_name, reason = death["queue"], death["reason"]
        assert isinstance(queue_name, str)
        assert isinstance(reason, str)
        found[queue_name, reason] = death["count"]
    return found


def test_celerys_second_retry_comes(broker: SimulatedBroker) -> None:
    """A longer way than the first one, through the queue where the first one ended."""
    waiting = ladder(broker)
    publish(broker, "d0")
    advance(broker, 100)
    seen = got(waiting)
    publish(broker, "d1", seen)
    advance(broker, 200)
    advance(broker, 100)
    assert counts_of(got(waiting)) == {("d0", "expired"): 2, ("d1", "expired"): 1}


def test_any_number_of_retries_comes_and_the_counts_go_on(broker: SimulatedBroker) -> None:
    waiting = ladder(broker)
    publish(broker, "d0")
    for retry in range(1, 21):
        advance(broker, 200)
        advance(broker, 100)
        seen = got(waiting)
        assert counts_of(seen)["d0", "expired"] == retry
        publish(broker, "d1", seen)


def test_on_quorum_queues_that_keep_their_dead_letters(tmp_path: Path) -> None:
    """Celery's own queues: it was there for ever, neither ready nor unacknowledged."""
    broker = SimulatedBroker(tmp_path)
    quorum: dict[str, Encodable] = {"x-queue-type": "quorum", "x-overflow": "reject-publish"}
    waiting = ladder(broker, durable=True, **{**quorum, "x-dead-letter-strategy": "at-least-once"})
    publish(broker, "d0", delivery_mode=2)
    advance(broker, 100)
    publish(broker, "d1", got(waiting))
    advance(broker, 200)
    advance(broker, 100)
    assert counts_of(got(waiting))["d0", "expired"] == 2
    assert [broker.queue(step).untaken_count for step in LADDER_TTL_MS] == [0, 0]
    broker.close()


def test_what_came_back_since_the_last_publish_still_ends(broker: SimulatedBroker) -> None:
    """The rule itself: a cycle that nobody interrupts, now with a client's history in front."""
    first = queue(broker, "a", {"x-message-ttl": 10, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b"})
    second = queue(broker, "b", {"x-message-ttl": 10, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "a"})
    history: list[Encodable] = [
        {"queue": name, "reason": "expired", "count": 3, "exchange": "", "routing-keys": [name]} for name in "ab"
    ]
    publish(broker, "a", headers={"x-death": history})
    advance(broker, 10)
    (message,) = second.browse(0, 1)
    assert counts_of(message.properties) == {("a", "expired"): 4, ("b", "expired"): 3}
    advance(broker, 10)
    assert (first.ready_count, second.ready_count) == (0, 0)
    assert second.message_counts["dead_letter_lost_cycle"] == 1


def test_the_brokers_own_part_outlives_a_restart(tmp_path: Path) -> None:
    broker = SimulatedBroker(tmp_path)
    dead: dict[str, Encodable] = {"x-message-ttl": 1000, "x-dead-letter-exchange": ""}
    queue(broker, "a", {**dead, "x-dead-letter-routing-key": "b"}, durable=True)
    queue(broker, "b", {**dead, "x-dead-letter-routing-key": "a"}, durable=True)
    publish(broker, "a", headers={"x-death": [{"queue": "b", "reason": "expired", "count": 1}]}, delivery_mode=2)
    advance(broker, 1000)
    broker.restart()
    (message,) = broker.queue("b").browse(0, 1)
    assert [death["queue"] for death in own_deaths(message.properties)] == ["a"]
    broker.crash()
    advance(broker, 1000)
    assert (broker.queue("a").ready_count, broker.queue("b").ready_count) == (0, 0)
    broker.close()


def test_a_client_cannot_claim_the_brokers_part(broker: SimulatedBroker) -> None:
    waiting = ladder(broker)
    history: list[Encodable] = [{"queue": name, "reason": "expired", "count": 1} for name in ("w", "d0", "d1")]
    for claimed in (3, 2**40, -1, True, "3", None, ["x"]):
        publish(broker, "d1", headers={"x-death": history, "x-hidden-deaths": claimed})
        advance(broker, 200)
        advance(broker, 100)
        assert counts_of(got(waiting))["d0", "expired"] == 2


def test_consumers_dont_see_it(broker: SimulatedBroker) -> None:
    waiting = ladder(broker)
    publish(broker, "d0")
    advance(broker, 100)
    assert not [name for name in got(waiting).headers or {} if name.startswith("x-hidden")]


def test_a_death_that_the_client_told_of_becomes_the_brokers_when_it_happens_again(broker: SimulatedBroker) -> None:
    """Of two that it brought, in either order, only the one that has happened here counts as the broker's."""
    waiting = ladder(broker)
    for names in (("d0", "else"), ("else", "d0")):
        history: list[Encodable] = [{"queue": name, "reason": "expired", "count": 5} for name in names]
        publish(broker, "d0", headers={"x-death": history})
        advance(broker, 100)
        (message,) = take_messages(waiting)
        assert [(death["queue"], death["count"]) for death in own_deaths(message.properties)] == [("d0", 6)]
        assert counts_of(message.properties) == {("d0", "expired"): 6, ("else", "expired"): 5}


def first_death_of(message: Message) -> FieldValue:
    return headers_of(message)["x-first-death-queue"]


@pytest.mark.parametrize("history", [None, "a text", [], [1], {}])
def test_a_first_death_without_a_history_is_overwritten(broker: SimulatedBroker, history: FieldValue) -> None:
    waiting = ladder(broker)
    claimed = {"x-first-death-queue": "mine", "x-first-death-reason": "rejected", "x-first-death-exchange": "x"}
    publish(broker, "d0", headers={**claimed, "x-death": history})
    advance(broker, 100)
    (message,) = take_messages(waiting)
    assert first_death_of(message) == "d0"


def test_each_loss_is_counted_and_logged_once_a_minute(
    broker: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    exchange(broker, "empty", "fanout")
    causes: dict[str, dict[str, Encodable]] = {
        "cycle": {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "cycle"},
        "no_exchange": {"x-dead-letter-exchange": "nowhere"},
        "no_queue": {"x-dead-letter-exchange": "empty"},
        "refused": {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "full"},
    }
    queue(broker, "full", {"x-max-length": 0, "x-overflow": "reject-publish"})
    for cause, arguments in causes.items():
        dying = queue(broker, cause, {"x-message-ttl": 10, **arguments})
        for _ in range(3):
            publish(broker, cause)
        caplog.clear()
        advance(broker, 10)
        lost = {name: count for name, count in dying.message_counts.items() if name.startswith("dead_letter_lost")}
        assert lost == {f"dead_letter_lost_{cause}": 3}
        (line,) = caplog.messages
        assert line.startswith(f"queue '{cause}' in vhost '/': a dead letter (expired) is dropped: ")
    caplog.clear()
    publish(broker, "cycle")
    advance(broker, 60_000)
    assert caplog.messages[0].endswith("(2 more times since the last such line)")


def test_one_queue_of_several_that_is_barred_or_full_is_noted(broker: SimulatedBroker) -> None:
    """The others have the letter."""
    exchange(broker, "out", "fanout")
    dying = queue(broker, "q", {"x-message-ttl": 10, "x-dead-letter-exchange": "out"})
    graves = queue(broker, "graves")
    queue(broker, "full", {"x-max-length": 0, "x-overflow": "reject-publish"})
    for name in ("q", "graves", "full"):
        bind(broker, name, "out")
    publish(broker, "q")
    advance(broker, 10)
    assert take(graves) == [b"task"]
    counts = dying.message_counts
    assert (counts["dead_letter_lost_cycle"], counts["dead_letter_lost_refused"]) == (1, 1)
    assert counts["dead_letter_expired"] == 1


def test_a_letter_that_waits_is_told_of_but_not_counted_as_lost(
    broker: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is it counted at every try as a dead letter that was given away."""
    arguments: dict[str, Encodable] = {
        "x-queue-type": "quorum",
        "x-message-ttl": 10,
        "x-overflow": "reject-publish",
        "x-dead-letter-strategy": "at-least-once",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "q",
    }
    dying = queue(broker, "q", arguments, durable=True)
    publish(broker, "q")
    advance(broker, 10)
    for _ in range(3):
        advance(broker, RETRY_MS)
    assert dying.untaken_count == 1
    assert not [name for name in dying.message_counts if name.startswith("dead_letter")]
    (line,) = caplog.messages
    assert "a dead letter (expired) waits in the queue: it would come back" in line
    found = poll(dying)
    assert found is None
