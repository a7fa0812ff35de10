"""What makes a policy, and which objects it matches."""

from __future__ import annotations

import pytest

from warren.core.clients.client import Client
from warren.core.declaring.exchanges import declare_exchange
from warren.core.declaring.queues import create_queue
from warren.core.errors import PreconditionFailed
from warren.core.messages.field_table import encode_table
from warren.core.policies.policy import OPERATOR_POLICY, POLICY, make_policy, policy_from_row, policy_from_value
from warren.core.queues.base import Queue
from warren.core.routing.vhost import VirtualHost
from warren.core.storage.definitions.store import JSON

REFUSED: list[tuple[dict[str, JSON], str]] = [
    ({"name": ""}, "needs a name"),
    ({"pattern": "("}, "pattern should be regular expression but is invalid: '\\('"),
    ({"pattern": "[[a"}, "pattern should be regular expression but is invalid"),
    ({"pattern": 1}, "pattern must be a string"),
    ({"priority": "1"}, "priority should be a number"),
    ({"priority": 1.5}, "priority should be a number"),
    ({"priority": True}, "priority should be a number"),
    ({"priority": 2**63}, "priority should be a number"),
    ({"apply_to": "frobs"}, "apply-to 'frobs' unrecognised; should be one of all, exchanges, queues, classic_queues"),
    ({"apply_to": 1}, "apply-to 1 unrecognised"),
    ({"definition": {}}, "no policy provided"),
    ({"definition": {"frob": 1}}, "are not recognised policy settings"),
]


@pytest.mark.parametrize(("change", "text"), REFUSED)
def test_refused(change: dict[str, JSON], text: str) -> None:
    given: dict[str, JSON] = {"name": "p", "pattern": ".*", "definition": {"max-length": 1}, **change}
    with pytest.raises(PreconditionFailed, match=text):
        make_policy(
            POLICY,
            str(given["name"]),
            given["pattern"],
            given["definition"],
            given.get("priority", 0),
            given.get("apply_to", "all"),
        )


def test_written_down_and_read_back() -> None:
    policy = make_policy(POLICY, "p", "^q", {"max-length": 1}, -3, "queues")
    assert policy.value() == {"pattern": "^q", "definition": {"max-length": 1}, "priority": -3, "apply-to": "queues"}
    assert policy_from_value(POLICY, "p", policy.value()) == policy
    assert policy_from_row(POLICY, "p", policy.value()) == policy


def test_missing_keys() -> None:
    policy = policy_from_value(OPERATOR_POLICY, "p", {"pattern": "", "definition": {"max-length": 1}})
    assert (policy.priority, policy.apply_to) == (0, "all")
    for key in ("pattern", "definition"):
        value: dict[str, JSON] = {"pattern": "", "definition": {"max-length": 1}}
        del value[key]
        with pytest.raises(PreconditionFailed, match=f"key '{key}' not found in policy 'p'"):
            policy_from_value(POLICY, "p", value)
    with pytest.raises(PreconditionFailed, match="must be a JSON object"):
        policy_from_value(POLICY, "p", [])


def test_a_row_with_a_setting_of_a_plugin_that_is_not_running() -> None:
    row = policy_from_value(POLICY, "p", {"pattern": "", "definition": {"max-length": 1}}).value()
    assert policy_from_row(POLICY, "p", {**row, "definition": {"frobs": 1}}).definition == {"frobs": 1}


def queue_of(vhost: VirtualHost, name: str, queue_type: str) -> Queue:
    arguments = {"x-queue-type": queue_type}
    return create_queue(vhost, name, durable=True, arguments=arguments, arguments_raw=encode_table(arguments))


PATTERNS = [
    ("", True),
    ("q", True),
    ("^q", True),
    ("ue-1$", True),
    ("^ue", False),
    ("^queue$", False),
    ("QUEUE", False),
    ("(?i)QUEUE", True),
    (r"\d", True),
]


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS)
def test_a_pattern_is_found_anywhere_in_the_name(vhost: VirtualHost, pattern: str, expected: bool) -> None:
    queue = create_queue(vhost, "queue-1")
    assert make_policy(POLICY, "p", pattern, {"max-length": 1}).matches(queue) is expected


APPLIES = [
    # apply-to, exchange, classic queue, quorum queue
    ("all", True, True, True),
    ("exchanges", True, False, False),
    ("queues", False, True, True),
    ("classic_queues", False, True, False),
    ("quorum_queues", False, False, True),
    ("streams", False, False, False),
]


@pytest.mark.parametrize(("apply_to", "exchange", "classic", "quorum"), APPLIES)
def test_apply_to(
    client: Client, vhost: VirtualHost, apply_to: str, exchange: bool, classic: bool, quorum: bool
) -> None:
    policy = make_policy(POLICY, "p", "", {"expires": 1000}, 0, apply_to)
    assert policy.matches(declare_exchange(client, "x", "direct")) is exchange
    assert policy.matches(queue_of(vhost, "c", "classic")) is classic
    assert policy.matches(queue_of(vhost, "q", "quorum")) is quorum


UNSUPPORTED: list[tuple[str, JSON, bool, bool]] = [
    # setting, value, classic, quorum
    ("max-age", "1D", False, False),
    ("dead-letter-strategy", "at-most-once", False, True),
    ("delivery-limit", 3, True, True),
    ("queue-mode", "lazy", True, False),
]


@pytest.mark.parametrize(("key", "value", "classic", "quorum"), UNSUPPORTED)
def test_a_setting_that_a_queue_type_lacks(
    vhost: VirtualHost, key: str, value: JSON, classic: bool, quorum: bool
) -> None:
    policy = make_policy(POLICY, "p", "", {key: value, "max-length": 1})
    assert policy.matches(queue_of(vhost, "c", "classic")) is classic
    assert policy.matches(queue_of(vhost, "q", "quorum")) is quorum
