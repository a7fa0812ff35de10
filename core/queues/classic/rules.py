"""The rules of a queue: what its x-arguments and policies ask for beyond first in, first out (spec A.7).

Arguments are checked when the queue is declared and never change; a policy may come and go.  `effective_rules` joins
both: the smaller of two numbers counts, and for names and the overflow behaviour the argument wins.  A queue for which
nothing is asked has `NO_RULES`, and pays for none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from warren.core.policy_setting import (
    FROM_0,
    FROM_1,
    MILLISECONDS,
    NAME,
    Setting,
    integer,
    is_name,
    least,
    least_limit,
    one_of,
    operators_word,
    words,
)
from warren.core.queues.argument import (
    Argument,
    ArgumentReader,
    choice,
    duration_ms,
    flag,
    number,
    read_arguments,
    text,
)

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue
    from warren.core.queues.buffer import Buffer

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


ROUTING_KEY: Final = "routing-key"
HEADER: Final = "header:"
"""By what messages may be grouped: this word, or this with the name of a header behind it."""


@dataclass(frozen=True, slots=True)
class QueueRules:
    """What is asked of a queue; None: nothing.  Durations in milliseconds, lengths in messages or bytes.

    delivery_limit: failed deliveries after which a message is dead-lettered, negative for any number.
    deduplicates_present: duplicates of what is in the queue are dropped; deduplication_*: those of what came lately.
    drop_lowest_first: a full priority queue drops from its lowest priority instead of its head.
    group_by: messages of a group go to one consumer at a time (grouping.py).
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
    deduplicates_present: bool = False
    dead_letter_strategy: str = AT_MOST_ONCE
    group_by: str | None = None

    @property
    def bounded(self) -> bool:
        """True when there is a length to keep."""
        return self.max_length is not None or self.max_length_bytes is not None

    @property
    def refuses(self) -> bool:
        """True when a full queue refuses publishes instead of dropping its head."""
        return self.bounded and self.overflow != DROP_HEAD


NO_RULES: Final = QueueRules()


def _argument_first(argument: Any, policy: object, declared: bool) -> Any:
    """The argument where there is one, else the policy's word."""
    return argument if declared else policy


def _least(argument: Any, policy: object, declared: bool) -> Any:
    """The smaller of two numbers."""
    if not isinstance(policy, int):
        return argument
    return policy if argument is None else min(argument, policy)


def _least_limit(argument: Any, policy: object, declared: bool) -> Any:
    """The smaller delivery limit, where a negative one means none."""
    return _least_from(0, argument, policy)


def _least_timeout(argument: Any, policy: object, declared: bool) -> Any:
    """The shorter timeout, where 0 means none."""
    return _least_from(1, argument, policy)


def _least_from(minimum: int, argument: int | None, policy: object) -> int | None:
    """The smaller of two numbers, where those below `minimum` mean "without end" and None that nothing is asked."""
    asked = [value for value in (argument, policy) if isinstance(value, int)]
    bounded = [value for value in asked if value >= minimum]
    return min(bounded) if bounded else (asked[0] if asked else None)


Join = Callable[[Any, object, bool], Any]
"""(what the arguments say, what the policy says, whether the argument was declared) -> what counts."""


@dataclass(frozen=True, slots=True)
class RuleArgument(Argument):
    """An argument that says a rule.

    rule: the field of QueueRules that it becomes; empty for one that is checked and changes nothing.
    policy: what policies may hold that says the same; None where there is none.  join: what counts where both do.
    """

    rule: str = ""
    policy: Setting | None = None
    join: Join = _least


def _version(reader: ArgumentReader, name: str) -> int | None:
    version = reader.number(name, 1, None)
    if version is not None and version not in QUEUE_VERSIONS:
        reader.refuse(name, f"\"unsupported queue version '{version}'\"; 2 is one")
    return version


def _no_retry(reader: ArgumentReader, name: str) -> None:
    if reader.text(name) not in (None, "disabled"):
        reader.refuse(name, "delayed retries are not supported; dead-letter to a queue with a TTL")


def _group_by(reader: ArgumentReader, name: str) -> str | None:
    value = reader.text(name)
    if value is None:
        return None
    if value != ROUTING_KEY and (not value.startswith(HEADER) or value == HEADER):
        reader.refuse(name, f"'{value}' is neither {ROUTING_KEY} nor {HEADER}NAME, as in {HEADER}customer")
    if reader.number("x-max-priority", None, None):
        reader.refuse(name, "a queue with x-max-priority can't keep the order of a group; leave out one of the two")
    return value


def _dead_letter_exchange(reader: ArgumentReader, name: str) -> str | None:
    """RabbitMQ looks at this one elsewhere, and puts it otherwise."""
    return reader.text(name, refuse=reader.refuse_name_type)


def _dead_letter_key(reader: ArgumentReader, name: str) -> str | None:
    value = reader.text(name)
    if value is not None and reader.text("x-dead-letter-exchange") is None:
        reader.refuse(name, "routing_key_but_no_dlx_defined; it needs x-dead-letter-exchange as well")
    return value


COMMON_ARGUMENTS: Final = (
    RuleArgument(
        "x-expires",
        duration_ms(1),
        "expires_ms",
        Setting("expires", "queue expiry", FROM_1 + MILLISECONDS, integer(1), least),
    ),
    RuleArgument(
        "x-message-ttl",
        duration_ms(0),
        "message_ttl_ms",
        Setting("message-ttl", "message TTL", FROM_0 + MILLISECONDS, integer(0), least),
    ),
    RuleArgument(
        "x-dead-letter-exchange",
        _dead_letter_exchange,
        "dead_letter_exchange",
        Setting("dead-letter-exchange", "dead letter exchange name", NAME, is_name),
        _argument_first,
    ),
    RuleArgument(
        "x-dead-letter-routing-key",
        _dead_letter_key,
        "dead_letter_routing_key",
        Setting("dead-letter-routing-key", "dead letter routing key", NAME, is_name),
        _argument_first,
    ),
    RuleArgument(
        "x-max-length",
        number(0),
        "max_length",
        Setting("max-length", "maximum length", FROM_0, integer(0), least),
    ),
    RuleArgument(
        "x-max-length-bytes",
        number(0),
        "max_length_bytes",
        Setting("max-length-bytes", "maximum length in bytes", FROM_0, integer(0), least),
    ),
    RuleArgument(
        "x-overflow",
        choice(*OVERFLOWS, invalid="invalid_overflow"),
        "overflow",
        Setting("overflow", "overflow value", words(OVERFLOWS), one_of(*OVERFLOWS), operators_word),
        _argument_first,
    ),
    RuleArgument("x-single-active-consumer", flag(), "single_active_consumer"),
    RuleArgument(
        "x-delivery-limit",
        number(-1),
        "delivery_limit",
        Setting("delivery-limit", "delivery limit", "an integer; below 0: none", integer(None), least_limit),
        _least_limit,
    ),
    RuleArgument(
        "x-consumer-timeout",
        duration_ms(0),
        "consumer_timeout_ms",
        Setting("consumer-timeout", "consumer timeout", FROM_0 + MILLISECONDS, integer(0)),
        _least_timeout,
    ),
    RuleArgument("x-queue-leader-locator", choice(*LEADER_LOCATORS, invalid="invalid_queue_locator_arg")),
    RuleArgument("x-message-deduplication", flag(), "deduplicates"),
    RuleArgument("x-cache-size", number(1), "deduplication_size"),
    RuleArgument("x-cache-ttl", duration_ms(1), "deduplication_ttl_ms"),
    RuleArgument("x-deduplication-header", text(), "deduplication_header"),
    RuleArgument("x-group-by", _group_by, "group_by"),
)
"""What classic and quorum queues know alike, beside x-queue-type."""

CLASSIC_ARGUMENTS: Final = (
    RuleArgument("x-max-priority", number(0, PRIORITY_MAX, "max_value_exceeded"), "max_priority"),
    RuleArgument("x-drop-lowest-priority-first", flag(), "drop_lowest_first"),
    RuleArgument("x-queue-mode", choice(*QUEUE_MODES, invalid="\"unsupported queue mode '{}'\"")),
    RuleArgument("x-queue-version", _version),
    RuleArgument("x-queue-master-locator", text()),
)

QUORUM_ARGUMENTS: Final = (
    RuleArgument(
        "x-dead-letter-strategy",
        choice(*DEAD_LETTER_STRATEGIES, invalid="invalid_dlx_strategy"),
        "dead_letter_strategy",
        Setting(
            "dead-letter-strategy",
            "dead letter strategy",
            words(DEAD_LETTER_STRATEGIES),
            one_of(*DEAD_LETTER_STRATEGIES),
        ),
        _argument_first,
    ),
    RuleArgument("x-max-in-memory-length", number(0)),
    RuleArgument("x-max-in-memory-bytes", number(0)),
    RuleArgument("x-quorum-initial-group-size", number(1)),
    RuleArgument("x-member-placement-tag", text()),
    RuleArgument("x-consumer-disconnected-timeout", duration_ms(0)),
    RuleArgument("x-delayed-retry-type", _no_retry),
    RuleArgument("x-delayed-retry-min", number(1)),
    RuleArgument("x-delayed-retry-max", number(1)),
)

RULE_ARGUMENTS: Final = (*COMMON_ARGUMENTS, *CLASSIC_ARGUMENTS, *QUORUM_ARGUMENTS)


def rules_from_arguments(description: str, arguments: Mapping[str, FieldValue]) -> QueueRules:
    """The rules that a declaration asks for.

    description: the queue, for the texts.  Raises PreconditionFailed (406) that names the argument and what is allowed.
    """
    if not any(name.startswith("x-") for name in arguments):
        return NO_RULES
    values = read_arguments(description, RULE_ARGUMENTS, arguments)
    asked: dict[str, Any] = {
        each.rule: values[each.name] for each in RULE_ARGUMENTS if each.rule and values[each.name] is not None
    }
    if not asked.pop("deduplicates"):
        asked.pop("deduplication_size", None)
        asked.pop("deduplication_ttl_ms", None)
    elif "deduplication_size" not in asked and "deduplication_ttl_ms" not in asked:
        asked["deduplicates_present"] = True
    return QueueRules(**asked)


def effective_rules(rules: QueueRules, arguments: Mapping[str, FieldValue], policy: Mapping[str, object]) -> QueueRules:
    """The rules of a queue with these arguments under an effective policy definition (spec A.7, precedence)."""
    changes: dict[str, Any] = {
        each.rule: each.join(getattr(rules, each.rule), policy[each.policy.name], each.name in arguments)
        for each in RULE_ARGUMENTS
        if each.policy is not None and each.policy.name in policy
    }
    return replace(rules, **changes) if changes else rules


def within(rules: QueueRules, buffer: Buffer) -> QueueRules:
    """The rules with a buffer's quota: the smaller length counts, and the overflow that goes with the quota."""
    return replace(
        rules,
        max_length=_least(rules.max_length, buffer.length_max, True),
        max_length_bytes=_least(rules.max_length_bytes, buffer.bytes_max, True),
        overflow=buffer.overflow or rules.overflow,
    )
