"""What queues and consumers may be asked for, and how arguments and policies are joined (spec A.7)."""

from __future__ import annotations

import pytest

from tests.support.core_broker import core_broker
from warren.core.errors import PreconditionFailed
from warren.core.messages.field_table import FieldTable, FieldValue, Timestamp
from warren.core.queues.base import Queue
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.classic.rules import (
    CLASSIC_ARGUMENTS,
    NO_RULES,
    QUORUM_ARGUMENTS,
    QueueRules,
    effective_rules,
    rules_from_arguments,
)
from warren.core.queues.quorum import QuorumQueue
from warren.core.queues.registry import check_arguments, check_consumer_arguments
from warren.core.queues.stream.arguments import STREAM_ARGUMENTS

OF_STREAMS = [
    each.name for each in STREAM_ARGUMENTS if each.name not in ("x-max-length-bytes", "x-queue-leader-locator")
]

TEN_YEARS_MS = 315_360_000_000

INVALID: list[tuple[str, FieldValue]] = [
    ("x-message-ttl", -1),
    ("x-message-ttl", TEN_YEARS_MS + 1),
    ("x-message-ttl", "1000"),
    ("x-message-ttl", 1.0),
    ("x-message-ttl", True),
    ("x-message-ttl", Timestamp(5)),
    ("x-message-ttl", None),
    ("x-expires", 0),
    ("x-expires", TEN_YEARS_MS + 1),
    ("x-max-length", -1),
    ("x-max-length-bytes", "1"),
    ("x-overflow", "spill"),
    ("x-overflow", 3),
    ("x-max-priority", 256),
    ("x-max-priority", -1),
    ("x-single-active-consumer", 1),
    ("x-dead-letter-exchange", 1),
    ("x-dead-letter-routing-key", "without exchange"),
    ("x-dead-letter-strategy", "sometimes"),
    ("x-delivery-limit", "many"),
    ("x-consumer-timeout", -1),
    ("x-queue-version", 3),
    ("x-queue-version", "2"),
    ("x-queue-mode", "idle"),
    ("x-queue-leader-locator", "anywhere"),
    ("x-queue-master-locator", 1),
    ("x-quorum-initial-group-size", 0),
    ("x-max-in-memory-length", -1),
    ("x-delayed-retry-type", "all"),
    ("x-message-deduplication", "yes"),
    ("x-cache-size", 0),
    ("x-cache-ttl", 0),
    ("x-deduplication-header", 5),
    ("x-drop-lowest-priority-first", "true"),
]


@pytest.mark.parametrize(("name", "value"), INVALID)
def test_refusals_name_the_argument_and_the_value(name: str, value: FieldValue) -> None:
    with pytest.raises(
        PreconditionFailed, match=f"^invalid (arg|type '[a-z]+' for arg) '{name}' (for|in) queue 'q'"
    ) as caught:
        rules_from_arguments("queue 'q'", {name: value})
    if name != "x-dead-letter-routing-key" and name != "x-delayed-retry-type":
        assert str(value) in caught.value.text


VALID: FieldTable = {
    "x-message-ttl": TEN_YEARS_MS,
    "x-expires": 1,
    "x-max-length": 0,
    "x-max-length-bytes": 0,
    "x-overflow": "reject-publish-dlx",
    "x-max-priority": 255,
    "x-single-active-consumer": False,
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": "",
    "x-delivery-limit": -1,
    "x-consumer-timeout": 0,
    "x-queue-mode": "lazy",
    "x-queue-version": 2,
    "x-queue-leader-locator": "balanced",
    "x-delayed-retry-type": "disabled",
    "x-dead-letter-strategy": "at-least-once",
}


@pytest.mark.parametrize("name", VALID)
def test_the_bounds_themselves_are_allowed(name: str) -> None:
    rules_from_arguments("queue 'q'", {"x-dead-letter-exchange": "d", name: VALID[name]})


def test_nothing_asked_is_no_rules() -> None:
    assert rules_from_arguments("queue 'q'", {"note": 1}) is NO_RULES
    assert rules_from_arguments("queue 'q'", {"x-note": 1}) == NO_RULES


def test_deduplication_without_bounds_is_about_what_is_there() -> None:
    alone = rules_from_arguments("q", {"x-message-deduplication": True})
    assert (alone.deduplicates_present, alone.deduplication_size, alone.deduplication_ttl_ms) == (True, None, None)
    assert not rules_from_arguments("q", {"x-message-deduplication": False}).deduplicates_present
    by_time = rules_from_arguments("q", {"x-message-deduplication": True, "x-cache-ttl": 5})
    assert (by_time.deduplication_size, by_time.deduplication_ttl_ms) == (None, 5)
    assert rules_from_arguments("q", {"x-cache-size": 5}).deduplication_size is None


OTHERS = [
    *((ClassicQueue, name) for name in (*(each.name for each in QUORUM_ARGUMENTS), *OF_STREAMS)),
    *((QuorumQueue, name) for name in (*(each.name for each in CLASSIC_ARGUMENTS), *OF_STREAMS)),
]


@pytest.mark.parametrize(("queue_type", "name"), sorted(OTHERS, key=str))
def test_arguments_of_other_types(queue_type: type[Queue], name: str) -> None:
    expected = f"invalid arg '{name}' for queue 'q' of queue type rabbit_{queue_type.type_name}_queue"
    with pytest.raises(PreconditionFailed, match=expected):
        check_arguments("queue 'q'", queue_type, {name: 1})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-priority", "high"),
        ("x-priority", True),
        ("x-priority", 1.5),
        ("x-consumer-timeout", -1),
        ("x-consumer-timeout", "1000"),
        ("x-cancel-on-ha-failover", 1),
        ("x-stream-offset", "first"),
        ("x-stream-filter", "f"),
    ],
)
def test_invalid_consumer_arguments(name: str, value: FieldValue) -> None:
    queue = ClassicQueue(core_broker().vhosts["/"], "q")
    with pytest.raises(PreconditionFailed, match=f"invalid arg '{name}' for queue 'q'"):
        check_consumer_arguments(queue, {name: value})


def test_valid_consumer_arguments() -> None:
    queue = ClassicQueue(core_broker().vhosts["/"], "q")
    check_consumer_arguments(queue, {"x-priority": -5, "x-consumer-timeout": 0, "note": "x"})


NUMBERS = {
    "message_ttl_ms": "message-ttl",
    "expires_ms": "expires",
    "max_length": "max-length",
    "max_length_bytes": "max-length-bytes",
    "delivery_limit": "delivery-limit",
    "consumer_timeout_ms": "consumer-timeout",
}


@pytest.mark.parametrize(("rule", "setting"), NUMBERS.items())
def test_of_two_numbers_the_smaller_counts(rule: str, setting: str) -> None:
    own = QueueRules(**{rule: 50})  # type: ignore[arg-type]
    assert getattr(effective_rules(own, {}, {setting: 20}), rule) == 20
    assert getattr(effective_rules(own, {}, {setting: 80}), rule) == 50
    assert getattr(effective_rules(own, {}, {}), rule) == 50
    assert getattr(effective_rules(NO_RULES, {}, {setting: 80}), rule) == 80


def test_no_end_is_larger_than_any_number() -> None:
    """A delivery limit below 0 and a timeout of 0 mean none."""
    assert effective_rules(QueueRules(delivery_limit=-1), {}, {"delivery-limit": 5}).delivery_limit == 5
    assert effective_rules(QueueRules(delivery_limit=5), {}, {"delivery-limit": -1}).delivery_limit == 5
    assert effective_rules(QueueRules(delivery_limit=-1), {}, {"delivery-limit": -1}).delivery_limit == -1
    assert effective_rules(QueueRules(consumer_timeout_ms=5), {}, {"consumer-timeout": 0}).consumer_timeout_ms == 5
    assert effective_rules(NO_RULES, {}, {"consumer-timeout": 0}).consumer_timeout_ms == 0


def test_of_two_names_the_arguments_counts() -> None:
    arguments: FieldTable = {"x-dead-letter-exchange": "mine", "x-overflow": "drop-head"}
    policy = {"dead-letter-exchange": "theirs", "dead-letter-routing-key": "key", "overflow": "reject-publish"}
    rules = effective_rules(rules_from_arguments("q", arguments), arguments, policy)
    assert (rules.dead_letter_exchange, rules.dead_letter_routing_key, rules.overflow) == ("mine", "key", "drop-head")
    rules = effective_rules(NO_RULES, {}, policy)
    assert (rules.dead_letter_exchange, rules.overflow) == ("theirs", "reject-publish")
