"""Definitions of shovels whose ends speak AMQP 1.0."""

from __future__ import annotations

import pytest

from warren.core.errors import PreconditionFailed
from warren.core.storage.definitions.store import JSON
from warren.plugins.shovel.amqp10_definition import Amqp10DestinationDefinition, Amqp10SourceDefinition
from warren.plugins.shovel.definition import read_definition

LEAST: dict[str, JSON] = {
    "src-protocol": "amqp10",
    "src-uri": "amqp://a",
    "src-address": "/queues/a",
    "dest-protocol": "amqp10",
    "dest-uri": ["amqps://b", "amqp://c:1/v"],
    "dest-address": "/queues/b",
}


def test_the_least() -> None:
    found = read_definition(LEAST)
    assert isinstance(found.source, Amqp10SourceDefinition)
    assert isinstance(found.destination, Amqp10DestinationDefinition)
    assert (found.source.address, found.destination.address) == ("/queues/a", "/queues/b")
    assert [uri.shown for uri in found.destination.uris] == ["amqps://b", "amqp://c:1/v"]
    assert not found.destination.changes_bare


def test_all_of_rabbitmqs_keys() -> None:
    found = read_definition(
        {
            **LEAST,
            "src-prefetch-count": 10,
            "src-delete-after": 5,
            "src-predeclared": True,
            "src-consumer-args": {"x-priority": 3},
            "src-consumer-name": "me",
            "dest-predeclared": True,
            "dest-properties": {"content-type": "text/plain", "group_sequence": 7, "user-id": "u"},
            "dest-application-properties": {"a": 1},
            "dest-message-annotations": {"x-b": True},
            "dest-add-forward-headers": True,
            "dest-add-timestamp-header": True,
            "ack-mode": "on-publish",
            "reconnect-delay": 1,
        }
    )
    assert isinstance(found.source, Amqp10SourceDefinition)
    assert isinstance(found.destination, Amqp10DestinationDefinition)
    assert (found.source.name, found.source.arguments) == ("me", {"x-priority": 3})
    destination = found.destination
    assert destination.properties == {"content_type": "text/plain", "group_sequence": 7, "user_id": b"u"}
    assert (destination.applications, destination.annotations) == ({"a": 1}, {"x-b": True})
    assert destination.changes_bare
    assert (found.changes.forward_headers, found.changes.timestamp_header, found.delete_after) == (True, True, 5)


def test_what_cant_be_used_may_be_dead_lettered_at_the_source() -> None:
    found = read_definition({**LEAST, "src-filter": {"topic": "a"}, "filter-else": "dead-letter"})
    assert found.filter_rejects


@pytest.mark.parametrize("missing", ["src-uri", "src-address", "dest-uri", "dest-address"])
def test_what_is_missing_is_said(missing: str) -> None:
    with pytest.raises(PreconditionFailed, match=f"the key '{missing}' is missing"):
        read_definition({key: value for key, value in LEAST.items() if key != missing})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"src-uri": "amqp://"}, "a URI of AMQP 1.0 has no host"),
        ({"src-address": ""}, "'src-address' must be an address such as '/queues/a'"),
        ({"dest-address": 7}, "'dest-address' must be an address"),
        ({"src-queue": "q"}, "the key 'src-queue' is for 'src-protocol' amqp091"),
        ({"src-delete-after": "queue-length"}, "'src-delete-after' can't be 'queue-length': AMQP10 doesn't tell"),
        ({"src-delete-after": 3, "ack-mode": "no-ack"}, "'ack-mode' can't be 'no-ack'"),
        ({"dest-properties": {"colour": "red"}}, "has 'colour', which is no property of AMQP 1.0"),
        ({"dest-properties": {"creation-time": "now"}}, "has 'creation_time' with a value of another type"),
        ({"dest-properties": {"subject": True}}, "has 'subject' with a value that is no text and no number"),
        ({"dest-application-properties": {"a": []}}, "has 'a' with a value that is no text, no number"),
        ({"dest-application-properties": {"a": 2**70}}, "can't be sent"),
        ({"dest-message-annotations": {"b": 1}}, "has 'b': an annotation's name begins with 'x-'"),
        ({"confirm-upstream": True}, "'confirm-upstream' is for a source that is a queue of this broker"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, JSON], said: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        read_definition({**LEAST, **change})
    assert said in caught.value.text
