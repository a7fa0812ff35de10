"""Definitions of shovels: each key arrives, and what can't be used is refused with the key and what it should be."""

from __future__ import annotations

import pytest

from warren.core.errors import PreconditionFailed
from warren.core.storage.definitions.store import JSON
from warren.plugins.shovel.definition import (
    QUEUE_LENGTH,
    Changes,
    DestinationDefinition,
    SourceDefinition,
    read_definition,
)
from warren.plugins.shovel.mqtt_definition import (
    SESSION_EXPIRY_DEFAULT_S,
    MqttClientDefinition,
    MqttDestinationDefinition,
    MqttSourceDefinition,
)
from warren.plugins.shovel.stomp_definition import StompDestinationDefinition, StompSourceDefinition
from warren.plugins.shovel.values import InternalOwner

LEAST: dict[str, JSON] = {"src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://far.example"}


def test_defaults() -> None:
    found = read_definition(LEAST)
    assert (found.ack_mode, found.reconnect_delay_s, found.rate_max) == ("on-confirm", 5.0, None)
    source, destination = found.source, found.destination
    assert isinstance(source, SourceDefinition)
    assert isinstance(destination, DestinationDefinition)
    assert (source.queue, source.exchange, found.prefetch, found.delete_after) == ("a", None, 1000, None)
    assert (destination.queue, destination.exchange, destination.exchange_key) == (None, None, None)
    assert destination.mandatory


def test_every_key_arrives() -> None:
    found = read_definition(
        {
            "src-protocol": "amqp091",
            "src-uri": ["amqp://one.example", "amqps://two.example"],
            "src-exchange": "x",
            "src-exchange-key": "k.#",
            "src-prefetch-count": 7,
            "src-consumer-args": {"x-priority": 1},
            "src-consumer-name": "tag",
            "src-delete-after": 12,
            "src-predeclared": True,
            "src-queue-args": {"x-expires": 1000},
            "dest-protocol": "local",
            "dest-uri": "amqp:///v",
            "dest-queue": "q",
            "dest-queue-args": {"x-queue-type": "quorum"},
            "dest-exchange-key": "other",
            "dest-predeclared": True,
            "dest-mandatory": False,
            "dest-publish-properties": {"delivery_mode": 2, "app_id": "edge"},
            "dest-add-forward-headers": True,
            "dest-add-timestamp-header": True,
            "ack-mode": "on-publish",
            "reconnect-delay": 0.5,
            "rate-limit": 100,
            "src-delete-after-duration": 60,
            "internal": True,
            "internal_owner": {"name": "q", "kind": "queue", "virtual_host": "v"},
        }
    )
    source, destination = found.source, found.destination
    assert isinstance(source, SourceDefinition)
    assert isinstance(destination, DestinationDefinition)
    assert [uri.host for uri in source.uris] == ["one.example", "two.example"]
    assert (source.queue, source.exchange, source.exchange_key) == (None, "x", "k.#")
    assert (found.prefetch, source.consumer_arguments, source.consumer_name) == (7, {"x-priority": 1}, "tag")
    assert (found.delete_after, source.predeclared, source.queue_arguments) == (12, True, {"x-expires": 1000})
    assert [uri.vhost for uri in destination.uris] == ["v"]
    assert (destination.queue, destination.queue_arguments) == ("q", {"x-queue-type": "quorum"})
    assert (destination.exchange_key, destination.predeclared, destination.mandatory) == ("other", True, False)
    assert found.changes == Changes({"delivery_mode": 2, "app_id": "edge"}, True, True)
    assert (found.ack_mode, found.reconnect_delay_s, found.rate_max) == ("on-publish", 0.5, 100)
    assert (found.delete_after_s, found.internal, found.owner) == (60, True, InternalOwner("q", "queue", "v"))


def test_a_prefetch_of_0_is_the_most_there_is() -> None:
    assert read_definition({**LEAST, "src-prefetch-count": 0}).prefetch == 65_535


def test_older_names_mean_the_same() -> None:
    found = read_definition(
        {
            **LEAST,
            "prefetch-count": 3,
            "delete-after": "queue-length",
            "publish-properties": {"delivery_mode": 1},
            "add-forward-headers": True,
            "add-timestamp-header": True,
        }
    )
    assert (found.prefetch, found.delete_after) == (3, QUEUE_LENGTH)
    assert found.changes == Changes({"delivery_mode": 1}, True, True)


MQTT_LEAST: dict[str, JSON] = {
    "src-protocol": "mqtt",
    "src-uri": "mqtt://near.example",
    "src-topics": "a/#",
    "dest-protocol": "mqtt",
    "dest-uri": "mqtts://far.example",
}


def test_defaults_of_mqtt() -> None:
    found = read_definition(MQTT_LEAST)
    source, destination = found.source, found.destination
    assert isinstance(source, MqttSourceDefinition)
    assert isinstance(destination, MqttDestinationDefinition)
    assert (source.topics, source.qos) == (("a/#",), 1)
    assert source.client == MqttClientDefinition(5, None, False, SESSION_EXPIRY_DEFAULT_S)
    assert (destination.renaming.template, destination.qos, destination.retain) == ("{topic}", 1, None)
    assert destination.client == MqttClientDefinition(5, None, True, SESSION_EXPIRY_DEFAULT_S)


def test_every_key_of_mqtt_arrives() -> None:
    found = read_definition(
        {
            **MQTT_LEAST,
            "src-topics": ["a/#", "$share/g/b"],
            "src-qos": 2,
            "src-client-id": "one",
            "src-clean-start": True,
            "src-session-expiry": 60,
            "src-mqtt-version": "3.1.1",
            "dest-topic": "site/7/{topic}",
            "dest-qos": 0,
            "dest-retain": True,
            "dest-client-id": "two",
            "dest-clean-start": False,
            "dest-session-expiry": 0,
            "dest-mqtt-version": "5",
        }
    )
    source, destination = found.source, found.destination
    assert isinstance(source, MqttSourceDefinition)
    assert isinstance(destination, MqttDestinationDefinition)
    assert (source.topics, source.qos) == (("a/#", "$share/g/b"), 2)
    assert source.client == MqttClientDefinition(4, "one", True, 60)
    assert (destination.renaming.template, destination.qos, destination.retain) == ("site/7/{topic}", 0, True)
    assert destination.client == MqttClientDefinition(5, "two", False, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"src-topics": "a/#/b"}, "'src-topics' can't be used: '#'"),
        ({"src-topics": []}, "'src-topics' must be a topic filter, or a list of them"),
        ({"src-qos": 3}, "'src-qos' must be a whole number from 0 to 2"),
        ({"src-queue": "a"}, "'src-queue' is for 'src-protocol' amqp091 or local"),
        ({"src-uri": "amqp://h"}, "'src-uri' can't be used: a URI begins with 'amqp:'"),
        ({"src-uri": "mqtt://h/topic"}, "'src-uri' can't be used: an MQTT URI has no path"),
        ({"src-uri": "mqtt://"}, "'src-uri' can't be used: an MQTT URI has no host"),
        ({"src-delete-after": "queue-length"}, "MQTT doesn't tell how much is waiting"),
        ({"src-mqtt-version": "4"}, '\'src-mqtt-version\' must be one of "5", "3.1.1"'),
        ({"dest-qos": 2, "dest-clean-start": False}, "'dest-qos' 2 needs 'dest-clean-start' true"),
        ({"dest-topic": "a/+"}, "'dest-topic' can't be used: the topic name 'a/+' contains a wildcard"),
        ({"dest-topic": ""}, "'dest-topic' can't be used: the topic name is empty"),
        ({"dest-retain": "yes"}, "'dest-retain' must be one of true, false, \"as-published\""),
        ({"dest-exchange": "x"}, "'dest-exchange' is for 'dest-protocol' amqp091 or local"),
        ({"src-topcis": "a"}, "unknown key 'src-topcis': did you mean 'src-topics'?"),
    ],
)
def test_what_is_wrong_with_mqtt_is_said(change: dict[str, JSON], said: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        read_definition({**MQTT_LEAST, **change})
    assert said in caught.value.text


STOMP_LEAST: dict[str, JSON] = {
    "src-protocol": "stomp",
    "src-uri": "stomp://near.example",
    "src-destination": "/queue/a",
    "dest-protocol": "stomp",
    "dest-uri": "stomp+ssl://far.example",
}


def test_defaults_of_stomp() -> None:
    found = read_definition(STOMP_LEAST)
    source, destination = found.source, found.destination
    assert isinstance(source, StompSourceDefinition)
    assert isinstance(destination, StompDestinationDefinition)
    assert (source.destinations, source.headers) == (("/queue/a",), {})
    assert (destination.destination, destination.headers) == ("{destination}", {})
    assert (source.uris[0].port, source.uris[0].vhost, source.uris[0].tls) == (61613, "/", None)
    assert (destination.uris[0].port, destination.uris[0].heartbeat_s) == (61614, 10)
    assert destination.uris[0].tls is not None


def test_every_key_of_stomp_arrives() -> None:
    found = read_definition(
        {
            **STOMP_LEAST,
            "src-uri": ["stomps://u:p@one.example/v%2Fw?heartbeat=3&verify=verify_none", "stomp://two.example:1"],
            "src-destination": ["/queue/a", "/topic/b"],
            "src-headers": {"durable": True, "auto-delete": False, "prefetch-count": 7, "id": "one"},
            "dest-destination": "/topic/site.7.{routing_key}",
            "dest-headers": {"persistent": True, "x-y": 1.5},
        }
    )
    source, destination = found.source, found.destination
    assert isinstance(source, StompSourceDefinition)
    assert isinstance(destination, StompDestinationDefinition)
    first, second = source.uris
    assert (first.user, first.password, first.vhost, first.heartbeat_s) == ("u", "p", "v/w", 3)
    assert first.tls is not None
    assert not first.tls.verify
    assert first.shown == "stomps://one.example/v%2Fw"
    assert second.shown == "stomp://two.example:1"
    assert source.destinations == ("/queue/a", "/topic/b")
    assert source.headers == {"durable": "true", "auto-delete": "false", "prefetch-count": "7", "id": "one"}
    assert destination.destination == "/topic/site.7.{routing_key}"
    assert destination.headers == {"persistent": "true", "x-y": "1.5"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"src-destination": ""}, "'src-destination' must be a destination such as '/queue/a', or a list"),
        ({"src-destination": ["a", "a"]}, "'src-destination' must be a destination such as '/queue/a', or a list"),
        ({"src-headers": {"ack": "client"}}, "'src-headers' can't have the header 'ack'"),
        ({"src-headers": {"x": None}}, "'src-headers' has the header 'x', whose value must be"),
        ({"src-headers": []}, "'src-headers' must be an object of headers"),
        ({"src-uri": "stomp://"}, "'src-uri' can't be used: a STOMP URI has no host"),
        ({"src-uri": "stomp://h/a/b"}, "one virtual host: write '/' in its name as %2F"),
        ({"src-uri": "stomp://h?cacertfile=a"}, "'cacertfile' is for TLS, and this URI's scheme has none"),
        ({"src-uri": "stomp://h?keep_alive=1"}, "a URI has an unknown parameter 'keep_alive'"),
        ({"src-delete-after": "queue-length"}, "STOMP doesn't tell how much is waiting"),
        ({"src-queue": "a"}, "'src-queue' is for 'src-protocol' amqp091 or local"),
        (
            {"dest-destination": "/queue/{queue}"},
            "has '{queue}' in it: there are {destination}, {topic}",
        ),
        ({"dest-destination": "x" * 102_401}, "'dest-destination' must be at most 102400 bytes long"),
        ({"dest-headers": {"message-id": "1"}}, "'dest-headers' can't have the header 'message-id'"),
        ({"dest-topic": "a"}, "'dest-topic' is for 'dest-protocol' mqtt"),
    ],
)
def test_what_is_wrong_with_stomp_is_said(change: dict[str, JSON], said: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        read_definition({**STOMP_LEAST, **change})
    assert said in caught.value.text


@pytest.mark.parametrize("missing", ["src-uri", "src-destination", "dest-uri"])
def test_what_is_missing_of_stomp_is_said(missing: str) -> None:
    with pytest.raises(PreconditionFailed, match=f"the key '{missing}' is missing"):
        read_definition({key: value for key, value in STOMP_LEAST.items() if key != missing})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"src-uri": None}, "'src-uri' must be a URI, or a list of URIs"),
        ({"src-uri": []}, "'src-uri' must be a URI, or a list of URIs"),
        ({"src-uri": ["amqp://", 1]}, "'src-uri' must be a URI, or a list of URIs"),
        ({"src-uri": "amqp://h?heartbeet=1"}, "'src-uri' can't be used: a URI has an unknown parameter 'heartbeet'"),
        ({"src-exchange": "x"}, "Cannot specify 'src-exchange' and 'src-queue'"),
        ({"dest-exchange": "x", "dest-queue": "q"}, "Cannot specify 'dest-exchange' and 'dest-queue'"),
        ({"src-queue": ""}, "'src-queue' must not be empty"),
        ({"src-queue": 3}, "'src-queue' must be a string"),
        ({"dest-queue": "x" * 256}, "'dest-queue' must be at most 255 bytes long"),
        ({"src-prefetch-count": -1}, "'src-prefetch-count' must be a whole number from 0 to 65535"),
        ({"src-prefetch-count": True}, "'src-prefetch-count' must be a whole number"),
        ({"prefetch-count": 65_536}, "'prefetch-count' must be a whole number from 0 to 65535"),
        ({"src-delete-after": "soon"}, "'src-delete-after' must be 'never', 'queue-length' or a number"),
        ({"src-delete-after": -1}, "'src-delete-after' must be 'never', 'queue-length' or a number"),
        ({"src-delete-after": 5, "ack-mode": "no-ack"}, "'ack-mode' can't be 'no-ack'"),
        ({"src-delete-after": "queue-length", "ack-mode": "no-ack"}, "'ack-mode' can't be 'no-ack'"),
        ({"ack-mode": "sometimes"}, "'ack-mode' must be one of on-confirm, on-publish, no-ack"),
        ({"src-protocol": "amqp11"}, "'src-protocol' must be one of amqp091, amqp10, local, mqtt, stomp"),
        ({"dest-protocol": "local"}, "'dest-protocol' is 'local', but 'dest-uri' has a host"),
        ({"reconnect-delay": -1}, "'reconnect-delay' must be a number of seconds from 0 to 86400"),
        ({"reconnect-delay": "5"}, "'reconnect-delay' must be a number of seconds"),
        ({"rate-limit": 0}, "'rate-limit' must be a number of messages a second, above 0"),
        ({"dest-predeclared": "yes"}, "'dest-predeclared' must be true or false"),
        ({"dest-queue-args": []}, "'dest-queue-args' must be an object"),
        ({"dest-queue-args": {"a": 2**70}}, "'dest-queue-args' can't be sent"),
        ({"dest-publish-properties": {"delivery-mode": 2}}, "'dest-publish-properties' there is no property"),
        ({"dest-publish-properties": {"priority": "high"}}, "priority"),
        ({"src-delete-after-duration": 59}, "'src-delete-after-duration' must be a whole number from 60"),
        ({"internal": "yes"}, "'internal' must be true or false"),
        ({"internal_owner": "q"}, "'internal_owner' must be an object with the texts name, kind and virtual_host"),
        ({"internal_owner": {"name": "q", "kind": "queue"}}, "'internal_owner' must be an object"),
        ({"internal_owner": {"name": "q", "kind": 1, "virtual_host": "/"}}, "'internal_owner' must be an object"),
        ({"src-quue": "a"}, "unknown key 'src-quue': did you mean 'src-queue'?"),
        ({"colour": "red"}, "unknown key 'colour'"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, JSON], said: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        read_definition({**LEAST, **change})
    assert said in caught.value.text


@pytest.mark.parametrize("missing", ["src-uri", "src-queue", "dest-uri"])
def test_what_is_missing_is_said(missing: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        read_definition({key: value for key, value in LEAST.items() if key != missing})
    assert missing in caught.value.text


@pytest.mark.parametrize("value", [None, [], "amqp://", 3])
def test_a_definition_is_an_object(value: JSON) -> None:
    with pytest.raises(PreconditionFailed, match="an object such as"):
        read_definition(value)


def test_no_password_is_told() -> None:
    with pytest.raises(PreconditionFailed) as caught:
        read_definition({**LEAST, "dest-uri": "amqp://u:s3cret@h?bad=1"})
    assert "s3cret" not in caught.value.text
    assert "s3cret" not in repr(read_definition({**LEAST, "dest-uri": "amqp://u:s3cret@h"}))
