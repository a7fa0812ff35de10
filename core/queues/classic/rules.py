"""The rules of a queue: what its x-arguments and policies ask for beyond first in, first out (spec A.7).

Arguments are checked when the queue is declared and never change; a policy may come and go.  `effective_rules` joins
both: the smaller of two numbers counts, and for names and the overflow behaviour the argument wins.  A queue for which
nothing is asked has `NO_RULES`, and pays for none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core.queues.arguments import DURATION_MS_MAX, ArgumentReader

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue

PRIORITY_MAX: Final = 255

DROP_HEAD: Final = "drop-head"
REJECT_PUBLISH: Final = "reject-publish"
REJECT_PUBLISH_DLX: Final = "reject-publish-dlx"
OVERFLOWS: Final = (DROP_HEAD, REJECT_PUBLISH, REJECT_PUBLISH_DLX)

AT_MOST_ONCE: Final = "at-most-once"
AT_LEAST_ONCE: Final = "at-least-once"
DEAD_LETTER_STRATEGIES: Final = (AT_MOST_ONCE, AT_LEAST_ONCE)

QUEUE_MODES: Final = ("default", "lazy")
QUEUE_VERSIONS: Final = (1, 2)
LEADER_LOCATORS: Final = ("client-local", "balanced", "random", "least-leaders")
"""Of no meaning here; checked so that a misspelt one is noticed."""

DEDUPLICATION_SIZE: Final = 1000
"""Remembered values when deduplication is asked for without bounds."""


@dataclass(frozen=True, slots=True)
class QueueRules:
    """What is asked of a queue; None: nothing.  Durations in milliseconds, lengths in messages or bytes.

    delivery_limit: failed deliveries after which a message is dead-lettered, negative for any number.
    drop_lowest_first: a full priority queue drops from its lowest priority instead of its head.
    """

    message_ttl_ms: int | None = None
    expires_ms: int | None = None
    max_length: int | None = None
    max_length_bytes: int | None = None
    overflow: str = DROP_HEAD
    dead_letter_exchange: str | None = None
    dead_letter_routing_key: str | None = None
    max_priority: int | None = None
    drop_lowest_first: bool = False
    single_active_consumer: bool = False
    delivery_limit: int | None = None
    consumer_timeout_ms: int | None = None
    deduplication_size: int | None = None
    deduplication_ttl_ms: int | None = None
    deduplication_header: str = "x-deduplication-header"
    dead_letter_strategy: str = AT_MOST_ONCE

    @property
    def bounded(self) -> bool:
        """True when there is a length to keep."""
        return self.max_length is not None or self.max_length_bytes is not None

    @property
    def refuses(self) -> bool:
        """True when a full queue refuses publishes instead of dropping its head."""
        return self.bounded and self.overflow != DROP_HEAD


NO_RULES: Final = QueueRules()


def rules_from_arguments(description: str, arguments: Mapping[str, FieldValue]) -> QueueRules:
    """The rules that a declaration asks for.

    description: the queue, for the texts.  Raises PreconditionFailed (406) that names the argument and what is allowed.
    """
    if not any(name.startswith("x-") for name in arguments):
        return NO_RULES
    reader = ArgumentReader(description, arguments)
    dead_letter_exchange = reader.text("x-dead-letter-exchange")
    dead_letter_routing_key = reader.text("x-dead-letter-routing-key")
    if dead_letter_routing_key is not None and dead_letter_exchange is None:
        reader.refuse("x-dead-letter-routing-key", "it needs x-dead-letter-exchange as well")
    deduplicates = reader.flag("x-message-deduplication")
    size = reader.number("x-cache-size", 1, None)
    ttl_ms = reader.number("x-cache-ttl", 1, DURATION_MS_MAX)
    if deduplicates and size is None and ttl_ms is None:
        size = DEDUPLICATION_SIZE
    _check_ignored(reader)
    return QueueRules(
        message_ttl_ms=reader.number("x-message-ttl", 0, DURATION_MS_MAX),
        expires_ms=reader.number("x-expires", 1, DURATION_MS_MAX),
        max_length=reader.number("x-max-length", 0, None),
        max_length_bytes=reader.number("x-max-length-bytes", 0, None),
        overflow=reader.choice("x-overflow", OVERFLOWS) or DROP_HEAD,
        dead_letter_exchange=dead_letter_exchange,
        dead_letter_routing_key=dead_letter_routing_key,
        max_priority=reader.number("x-max-priority", 0, PRIORITY_MAX),
        drop_lowest_first=reader.flag("x-drop-lowest-priority-first"),
        single_active_consumer=reader.flag("x-single-active-consumer"),
        delivery_limit=reader.number("x-delivery-limit", -1, None),
        consumer_timeout_ms=reader.number("x-consumer-timeout", 0, DURATION_MS_MAX),
        deduplication_size=size if deduplicates else None,
        deduplication_ttl_ms=ttl_ms if deduplicates else None,
        deduplication_header=reader.text("x-deduplication-header") or "x-deduplication-header",
        dead_letter_strategy=reader.choice("x-dead-letter-strategy", DEAD_LETTER_STRATEGIES) or AT_MOST_ONCE,
    )


def _check_ignored(reader: ArgumentReader) -> None:
    """Arguments that are accepted and change nothing on one node have to be well-formed all the same."""
    version = reader.number("x-queue-version", 1, None)
    if version is not None and version not in QUEUE_VERSIONS:
        reader.refuse("x-queue-version", f"{version} is not a version of classic queues; 2 is")
    reader.choice("x-queue-mode", QUEUE_MODES)
    reader.choice("x-queue-leader-locator", LEADER_LOCATORS)
    reader.text("x-queue-master-locator")
    reader.number("x-quorum-initial-group-size", 1, None)
    reader.number("x-max-in-memory-length", 0, None)
    reader.number("x-max-in-memory-bytes", 0, None)
    reader.text("x-member-placement-tag")
    reader.number("x-consumer-disconnected-timeout", 0, DURATION_MS_MAX)
    reader.number("x-delayed-retry-min", 1, None)
    reader.number("x-delayed-retry-max", 1, None)
    if reader.text("x-delayed-retry-type") not in (None, "disabled"):
        reader.refuse("x-delayed-retry-type", "delayed retries are not supported; dead-letter to a queue with a TTL")


def effective_rules(rules: QueueRules, arguments: Mapping[str, FieldValue], policy: Mapping[str, object]) -> QueueRules:
    """The rules of a queue with these arguments under an effective policy definition (spec A.7, precedence)."""
    if not policy:
        return rules
    overflow = policy.get("overflow")
    dead_letter_exchange = policy.get("dead-letter-exchange")
    dead_letter_routing_key = policy.get("dead-letter-routing-key")
    return QueueRules(
        message_ttl_ms=_least(rules.message_ttl_ms, policy.get("message-ttl")),
        expires_ms=_least(rules.expires_ms, policy.get("expires")),
        max_length=_least(rules.max_length, policy.get("max-length")),
        max_length_bytes=_least(rules.max_length_bytes, policy.get("max-length-bytes")),
        overflow=rules.overflow if "x-overflow" in arguments or overflow is None else str(overflow),
        dead_letter_exchange=_first(rules.dead_letter_exchange, dead_letter_exchange),
        dead_letter_routing_key=_first(rules.dead_letter_routing_key, dead_letter_routing_key),
        max_priority=rules.max_priority,
        drop_lowest_first=rules.drop_lowest_first,
        single_active_consumer=rules.single_active_consumer,
        delivery_limit=_least_limit(rules.delivery_limit, policy.get("delivery-limit")),
        consumer_timeout_ms=_least_timeout(rules.consumer_timeout_ms, policy.get("consumer-timeout")),
        deduplication_size=rules.deduplication_size,
        deduplication_ttl_ms=rules.deduplication_ttl_ms,
        deduplication_header=rules.deduplication_header,
        dead_letter_strategy=(
            rules.dead_letter_strategy
            if "x-dead-letter-strategy" in arguments
            else str(policy.get("dead-letter-strategy", rules.dead_letter_strategy))
        ),
    )


def _least(argument: int | None, policy: object) -> int | None:
    if not isinstance(policy, int):
        return argument
    return policy if argument is None else min(argument, policy)


def _least_limit(argument: int | None, policy: object) -> int | None:
    """The smaller delivery limit, where a negative one means none."""
    return _least_from(0, argument, policy)


def _least_timeout(argument: int | None, policy: object) -> int | None:
    """The shorter timeout, where 0 means none."""
    return _least_from(1, argument, policy)


def _least_from(minimum: int, argument: int | None, policy: object) -> int | None:
    """The smaller of two numbers, where those below `minimum` mean "without end" and None that nothing is asked."""
    asked = [value for value in (argument, policy) if isinstance(value, int)]
    bounded = [value for value in asked if value >= minimum]
    return min(bounded) if bounded else (asked[0] if asked else None)


def _first(argument: str | None, policy: object) -> str | None:
    return argument if argument is not None else (str(policy) if policy is not None else None)
