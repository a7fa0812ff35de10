"""One policy: which objects it matches, by name and kind, and what it gives them (spec G).

The pattern is searched for anywhere in the name; the empty one is found in every name.  What it may be is told in
core.patterns.expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from warren.core.errors import PreconditionFailed
from warren.core.exchanges.base import Exchange
from warren.core.frozen import frozen
from warren.core.limit_hits import limited
from warren.core.patterns.compiling import check_pattern, compile_pattern, limit_of
from warren.core.patterns.expression import Expression
from warren.core.policies.settings import check_definition

if TYPE_CHECKING:
    from warren.core.queues.base import Queue
    from warren.core.storage.definitions.store import JSON

PolicyKind = Literal["policy", "operator_policy"]
"""A user's policy or an operator's; also the kinds of their rows in the definition store."""

POLICY: Final = "policy"
OPERATOR_POLICY: Final = "operator_policy"

_QUEUE_TYPES: Final[Mapping[str, str]] = {"classic_queues": "classic", "quorum_queues": "quorum", "streams": "stream"}

APPLY_TO: Final = ("all", "exchanges", "queues", *_QUEUE_TYPES)

PRIORITY_MAX: Final = 2**63 - 1

_STREAM_SETTINGS = frozenset({"max-age", "stream-max-segment-size-bytes", "initial-cluster-size"})

_NOT_FOR_QUEUE_TYPE: Final[Mapping[str, frozenset[str]]] = {
    "classic": _STREAM_SETTINGS
    | {"dead-letter-strategy", "max-in-memory-length", "max-in-memory-bytes", "target-group-size"},
    "quorum": _STREAM_SETTINGS
    | {
        "queue-mode",
        "ha-mode",
        "ha-params",
        "ha-sync-mode",
        "ha-promote-on-shutdown",
        "ha-promote-on-failure",
        "queue-master-locator",
    },
    "stream": frozenset(
        {
            "expires",
            "message-ttl",
            "dead-letter-exchange",
            "dead-letter-routing-key",
            "dead-letter-strategy",
            "max-length",
            "overflow",
            "queue-mode",
            "delivery-limit",
            "target-group-size",
        }
    ),
}
"""A policy that holds one of these doesn't match queues of that type at all, so that the next one may.  As RabbitMQ's,
except that classic queues obey delivery-limit here."""


@frozen
class Policy:
    """A checked policy; made by `make_policy`."""

    kind: PolicyKind
    name: str
    pattern: str
    definition: Mapping[str, JSON]
    priority: int
    apply_to: str
    expression: Expression

    def matches(self, target: Queue | Exchange) -> bool:
        """True when the queue or exchange (of the policy's vhost) is one that this policy is for."""
        if isinstance(target, Exchange):
            if self.apply_to not in ("all", "exchanges"):
                return False
        elif not self._is_for_queues_of(target.policy_type or target.type_name):
            return False
        unanswered = self.expression.unanswered
        is_found = self.expression.found_in(target.name)
        if self.expression.unanswered != unanswered and target.vhost is not None:
            target.vhost.broker.limit_hits.count("work of a pattern")
        return is_found

    def matches_new(self, queue_name: str, type_name: str) -> bool:
        """The same for a queue that isn't there yet, by its name and type."""
        return self._is_for_queues_of(type_name) and self.expression.found_in(queue_name)

    def _is_for_queues_of(self, type_name: str) -> bool:
        if self.apply_to not in ("all", "queues") and _QUEUE_TYPES.get(self.apply_to) != type_name:
            return False
        unsupported = _NOT_FOR_QUEUE_TYPE.get(type_name)
        return unsupported is None or unsupported.isdisjoint(self.definition)

    def value(self) -> dict[str, JSON]:
        """The policy as RabbitMQ writes a runtime parameter, and as a row of the definition store."""
        return {
            "pattern": self.pattern,
            "definition": self.definition,
            "priority": self.priority,
            "apply-to": self.apply_to,
        }


def make_policy(
    kind: PolicyKind, name: str, pattern: JSON, definition: JSON, priority: JSON = 0, apply_to: JSON = "all"
) -> Policy:
    """A policy, if all of that can be one; PreconditionFailed says what can't."""
    checked = check_definition(definition, operator=kind == OPERATOR_POLICY)
    policy = _make(kind, name, pattern, checked, priority, apply_to)
    try:
        check_pattern(policy.pattern)
    except ValueError as error:
        raise _invalid(policy.pattern, error) from None
    return policy


def _make(
    kind: PolicyKind, name: str, pattern: JSON, definition: Mapping[str, JSON], priority: JSON, apply_to: JSON
) -> Policy:
    if not name:
        raise PreconditionFailed("a policy needs a name")
    if not isinstance(pattern, str):
        raise PreconditionFailed(f"pattern must be a string, not {pattern!r}")
    if isinstance(priority, bool) or not isinstance(priority, int):
        raise _no_priority(priority)
    if abs(priority) > PRIORITY_MAX:
        raise limited(_no_priority(priority), "values of arguments")
    if not isinstance(apply_to, str) or apply_to not in APPLY_TO:
        raise PreconditionFailed(f"apply-to {apply_to!r} unrecognised; should be one of {', '.join(APPLY_TO)}")
    try:
        expression = compile_pattern(pattern)
    except ValueError as error:
        raise _invalid(pattern, error) from None
    return Policy(kind, name, pattern, definition, priority, apply_to, expression)


def policy_from_row(kind: PolicyKind, name: str, value: Mapping[str, JSON]) -> Policy:
    """The policy with this row in the definition store.

    Its settings were checked when it was set; the plugin that knows one of them may not be running yet.
    """
    definition = value["definition"]
    if not isinstance(definition, Mapping):
        raise TypeError(f"the definition is {definition!r}")
    return _make(kind, name, value["pattern"], definition, value["priority"], value["apply-to"])


def policy_from_value(kind: PolicyKind, name: str, value: JSON) -> Policy:
    """The policy whose `value` this is; priority and apply-to may be missing.  Raises PreconditionFailed."""
    if not isinstance(value, Mapping):
        raise PreconditionFailed(f"a policy must be a JSON object, not {value!r}")
    for key in ("pattern", "definition"):
        if key not in value:
            raise PreconditionFailed(f"key '{key}' not found in policy '{name}'")
    return make_policy(
        kind,
        name,
        value["pattern"],
        value["definition"],
        value.get("priority", 0),
        value.get("apply-to", "all"),
    )


def _no_priority(priority: object) -> PreconditionFailed:
    return PreconditionFailed(f"priority should be a number (an integer), actually was {priority!r}")


def _invalid(pattern: str, error: ValueError) -> PreconditionFailed:
    text = f"pattern should be regular expression but is invalid: '{pattern}': {error}"
    return limited(PreconditionFailed(text), limit_of(error))
