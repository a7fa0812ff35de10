"""docs/reference/arguments.md: arguments of queues, consumers and exchanges, types of exchanges, settings of policies.

Which there are, what policies may say the same, and what an exchange type does is taken from the code; what an argument
means is written here, and one that nothing is written of ends the making of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import import_module

from tests.docs.reference.markdown import cell, code, joined, prose, table
from tests.support.docstrings import module_docstring
from warren.core.exchanges.registry import exchange_type, type_names
from warren.core.policies import settings
from warren.core.queues.argument import Argument
from warren.core.queues.base import Queue
from warren.core.queues.classic.rules import RULE_ARGUMENTS, RuleArgument
from warren.core.queues.registry import find_type, queue_types

import_module("warren.core.broker")  # with which all types are there

NO_MEANING = "checked, and of no meaning on one node"

OF_QUEUES = {
    "x-expires": "milliseconds from 1 to ten years: the queue is deleted when nobody has used it for so long",
    "x-message-ttl": "milliseconds from 0: how long a message may be in the queue; see [times](../times.md)",
    "x-dead-letter-exchange": "the exchange that messages go to that expire, are rejected, or don't fit in",
    "x-dead-letter-routing-key": "the key that they have there, instead of their own; needs the one above",
    "x-max-length": "how many ready messages may be in it",
    "x-max-length-bytes": "how many bytes their bodies may have; of a stream, how many bytes are kept",
    "x-overflow": "what a full queue does: `drop-head` (the default), `reject-publish` or `reject-publish-dlx`",
    "x-single-active-consumer": "true: one consumer gets everything, until it goes and the next one does",
    "x-delivery-limit": "how often a message may come back, -1 for any number; of quorum queues 20 by default",
    "x-consumer-timeout": "milliseconds from 0 in which a delivery has to be acknowledged; 0 for no bound",
    "x-queue-leader-locator": NO_MEANING,
    "x-message-deduplication": "true: duplicates are dropped; see [deduplication](../deduplication.md)",
    "x-cache-size": "among how many values that came last a duplicate is looked for",
    "x-cache-ttl": "for how many milliseconds a value is remembered",
    "x-deduplication-header": "the header whose value tells duplicates, `x-deduplication-header` by default",
    "x-group-by": "`header:NAME` or `routing-key`: a group has one consumer at a time; see [there](../consuming.md)",
    "x-max-priority": "1 to 255 priorities, the highest first; 0 for none",
    "x-drop-lowest-priority-first": "true: a full queue with priorities drops from the lowest one, not at its head",
    "x-queue-mode": "`default` or `lazy`; of no meaning, as bodies are on disk when memory is short",
    "x-queue-version": "1 or 2; of no meaning",
    "x-queue-master-locator": NO_MEANING,
    "x-dead-letter-strategy": "`at-most-once` (the default) or `at-least-once`; see [there](../quorum_queues.md)",
    "x-max-in-memory-length": "checked, and of no meaning",
    "x-max-in-memory-bytes": "checked, and of no meaning",
    "x-quorum-initial-group-size": NO_MEANING,
    "x-member-placement-tag": NO_MEANING,
    "x-consumer-disconnected-timeout": NO_MEANING,
    "x-delayed-retry-type": "`disabled`; retries with a delay aren't made: dead-letter to a queue with a TTL",
    "x-delayed-retry-min": "checked, and of no meaning",
    "x-delayed-retry-max": "checked, and of no meaning",
    "x-max-age": "how long messages of a stream are kept: a number and `Y`, `M`, `D`, `h`, `m` or `s`, such as `7D`",
    "x-stream-max-segment-size-bytes": "from which size on a file of the stream is closed, up to 3,000,000,000",
    "x-stream-filter-size-bytes": "bytes of the filter of each chunk, 16 to 255",
    "x-initial-cluster-size": NO_MEANING,
}

OF_CONSUMERS = {
    "x-priority": "any integer; consumers with the highest get messages first, as long as they have room",
    "x-consumer-timeout": "milliseconds from 0 in which a delivery has to be acknowledged, for this consumer",
    "x-cancel-on-ha-failover": NO_MEANING,
    "x-filter": "an expression in SQL: which messages it wants; see [consuming](../consuming.md)",
    "x-stream-offset": "where reading begins: `first`, `last`, `next`, an offset, a timestamp, or an age such as `1h`",
    "x-stream-filter": "values of `x-stream-filter-value`: only chunks with such messages come",
    "x-stream-match-unfiltered": "true: messages without a value, too",
}

OF_EXCHANGES = {
    "alternate-exchange": "the exchange that messages go to which nothing here takes",
    "x-message-deduplication": "true: duplicates are dropped; see [deduplication](../deduplication.md)",
    "x-cache-size": "among how many values that came last a duplicate is looked for, 1,000 by default",
    "x-cache-ttl": "for how many milliseconds a value is remembered",
    "x-deduplication-header": "the header whose value tells duplicates, `x-deduplication-header` by default",
    "hash-header": "hash this header instead of the routing key",
    "hash-property": "hash this property: `message_id`, `correlation_id` or `timestamp`",
    "x-delayed-type": "the type that it has otherwise: how it routes once the time has come",
    "x-recent-history-length": "how many messages it remembers, 20 by default",
}

INTRODUCTION = """
# Arguments, exchange types and policies

What a queue, a consumer or an exchange may be declared with, in every protocol, and what policies may say. An
argument that no type knows is kept as it is and means nothing; one that another type knows is refused (406), as is a
value that can't be. Headers of messages have [a page of their own](../headers.md).
"""


def page() -> str:
    """The whole page; AssertionError for an argument or a type that nothing is said of, and for what isn't there."""
    types = {name: found for name in queue_types() if (found := find_type({"x-queue-type": name})) is not None}
    of_queues = _by_name(types, "known_arguments")
    of_consumers = _by_name(types, "consumer_arguments")
    of_exchanges = {
        name: exchange_type(each).compared_arguments
        for each in type_names()
        for name in exchange_type(each).compared_arguments
    }
    _check(of_queues, OF_QUEUES)
    _check(of_consumers, OF_CONSUMERS)
    _check(of_exchanges, OF_EXCHANGES)
    policies = {
        each.name: each.policy.name for each in RULE_ARGUMENTS if isinstance(each, RuleArgument) and each.policy
    }
    queues = [
        (code(name), ", ".join(of_queues[name]), code(policies.get(name, "")), about.replace("|", "\\|"))
        for name, about in OF_QUEUES.items()
    ]
    return joined(
        [
            INTRODUCTION.strip(),
            "## Queues",
            "`x-queue-type` says the type: "
            + ", ".join(map(code, types))
            + "; without it, `classic` unless the virtual host or the "
            "broker has another one.",
            table(("argument", "types", "policy", "what it says"), queues),
            "## Consumers",
            table(
                ("argument", "types", "what it says"),
                [(code(name), ", ".join(of_consumers[name]), about) for name, about in OF_CONSUMERS.items()],
            ),
            "## Exchanges",
            table(
                ("argument", "types", "what it says"),
                [(code(name), _which(name), about) for name, about in OF_EXCHANGES.items()],
            ),
            "## Types of exchanges",
            *(_type(name) for name in type_names()),
            "## Policies",
            "A queue or exchange takes one policy, and queues one operator policy beside it, which bounds what the "
            "other asks for. Where an argument says the same, the smaller number counts, or of words the argument's.",
            table(("setting", "has to be", "for operators, too"), _policies()),
        ]
    )


def _check(found: Iterable[str], told: Iterable[str]) -> None:
    assert set(found) == set(told), "tests/docs/reference/arguments.py says what each argument means"


def _by_name(types: Mapping[str, type[Queue]], attribute: str) -> dict[str, list[str]]:
    """The types that know an argument; `all` where all do."""
    found: dict[str, list[str]] = {}
    for type_name, queue_type in types.items():
        arguments: Iterable[Argument] = getattr(queue_type, attribute)
        for each in arguments:
            found.setdefault(each.name, []).append(type_name)
    return {name: ["all"] if len(known) == len(types) else known for name, known in found.items()}


def _which(argument: str) -> str:
    known = [name for name in type_names() if argument in exchange_type(name).compared_arguments]
    return "all" if len(known) == len(type_names()) else ", ".join(map(code, known))


def _type(name: str) -> str:
    """What the module of an exchange type says in its first paragraphs."""
    text = module_docstring(exchange_type(name).__module__)
    paragraphs = re.sub(r"\s*\(spec [^)]*\)", "", text).split("\n\n")
    shown = [each for each in paragraphs[:2] if not each.startswith(("    ", "What can be worked out"))]
    return joined([f"### {code(name)}", *(prose(each) for each in shown)])


def _policies() -> list[tuple[str, str, str]]:
    """Every setting, as the broker refuses others."""
    found = settings._settings.values()
    return [
        (code(each.name), cell(each.allowed), "yes" if each.merge is not None else "no")
        for each in sorted(found, key=lambda each: each.name)
    ]
