"""Definitions of shovels to HTTP and Kafka: each key arrives, and what can't be used is refused, with what is wrong."""

from __future__ import annotations

import re

import pytest

from warren.core.errors import PreconditionFailed
from warren.core.storage.definitions.store import JSON
from warren.plugins.shovel.definition import read_definition
from warren.plugins.shovel.http_definition import HttpDestinationDefinition, HttpSourceDefinition
from warren.plugins.shovel.kafka_definition import KafkaDestinationDefinition, KafkaSourceDefinition, parse_kafka_uri
from warren.plugins.shovel.kafka_library import Ear, configuration

HTTP: dict[str, JSON] = {
    "src-protocol": "http",
    "src-uri": "http://a.example",
    "dest-protocol": "http",
    "dest-uri": "https://b.example/{topic}",
}
KAFKA: dict[str, JSON] = {
    "src-protocol": "kafka",
    "src-uri": "kafka://a.example",
    "src-topics": "t",
    "dest-protocol": "kafka",
    "dest-uri": "kafkas://b.example:1,c.example",
    "dest-topic": "x",
}


def test_defaults() -> None:
    http, kafka = read_definition(HTTP), read_definition(KAFKA)
    source, destination = http.source, http.destination
    assert isinstance(source, HttpSourceDefinition)
    assert isinstance(destination, HttpDestinationDefinition)
    assert (source.mode, source.interval_s, source.items, source.routing_key) == ("poll", 60, "whole", "{event}")
    assert (source.timeout_s, destination.timeout_s, destination.method) == (30, 30, "POST")
    assert (destination.concurrency, destination.batch_max, destination.token) == (1, 1, None)
    assert isinstance(kafka.source, KafkaSourceDefinition)
    assert isinstance(kafka.destination, KafkaDestinationDefinition)
    assert (kafka.source.topics, kafka.source.group, kafka.source.start) == (("t",), None, "earliest")
    assert (kafka.destination.topic, kafka.destination.key) == ("x", "{routing_key}")


def test_every_key_of_http_arrives() -> None:
    found = read_definition(
        {
            "src-protocol": "http",
            "src-uri": "https://a.example/x",
            "src-headers": {"Accept": "text/csv"},
            "src-bearer-token": "t",
            "src-tls": {"cacertfile": "/ca", "verify": "verify_none", "server_name_indication": "n"},
            "src-timeout": 5,
            "src-connection-timeout": 2.5,
            "src-poll-interval": 0,
            "src-items": "json-lines",
            "src-routing-key": "k",
            "dest-protocol": "http",
            "dest-uri": ["https://b.example/", "https://c.example/"],
            "dest-method": "PUT",
            "dest-concurrency": 3,
            "dest-batch-max": 10,
            "dest-batch-format": "json-array",
            "dest-tls": {"certfile": "/c", "keyfile": "/k", "password": "p"},
        }
    )
    source, destination = found.source, found.destination
    assert isinstance(source, HttpSourceDefinition)
    assert isinstance(destination, HttpDestinationDefinition)
    (uri,) = source.uris
    assert uri.tls is not None
    assert (uri.tls.cacertfile, uri.tls.verify, uri.tls.server_name) == ("/ca", False, "n")
    assert (uri.connection_timeout_ms, source.timeout_s, source.token) == (2500, 5, "t")
    assert (source.headers, source.interval_s, source.items) == ((("Accept", "text/csv"),), 0, "json-lines")
    assert [each.host for each in destination.uris] == ["b.example", "c.example"]
    assert all(each.tls is not None and each.tls.password == "p" for each in destination.uris)
    assert (destination.method, destination.concurrency) == ("PUT", 3)
    assert (destination.batch_max, destination.batch_format) == (10, "json-array")


@pytest.mark.parametrize(
    ("least", "more", "said"),
    [
        (HTTP, {"dest-uri": "http://b/{key}"}, "'dest-uri' has '{key}' in it: there are {topic}"),
        (HTTP, {"src-uri": "http://a/{topic}"}, "'src-uri' has braces"),
        (HTTP, {"dest-uri": "ftp://b"}, "begins with http:// or https://"),
        (HTTP, {"dest-method": "GET"}, "'dest-method' must be one of POST, PUT"),
        (HTTP, {"dest-concurrency": 65}, "'dest-concurrency' must be a whole number from 1 to 64"),
        (HTTP, {"dest-timeout": 0}, "'dest-timeout' must be a number of seconds from 0.1"),
        (HTTP, {"dest-headers": {"Host": "x"}}, "can't have the header 'Host'"),
        (HTTP, {"dest-headers": {"a b": "x"}}, "has the header 'a b'"),
        (HTTP, {"dest-headers": {"a": "x\r\ny"}}, "has the header 'a'"),
        (HTTP, {"dest-headers": {"a": 1}}, "has the header 'a'"),
        (HTTP, {"dest-bearer-token": "a b"}, "'dest-bearer-token' must be a text without blanks"),
        (HTTP, {"dest-bearer-token": "a", "dest-uri": "http://u:p@b"}, "two logins"),
        (HTTP, {"dest-bearer-token": "a", "dest-headers": {"authorization": "b"}}, "beside another login"),
        (HTTP, {"src-tls": {"verify": "verify_none"}}, "'src-tls' is for https://"),
        (HTTP, {"dest-tls": {"ca": "x"}}, "has the unknown member 'ca'"),
        (HTTP, {"dest-tls": {"verify": "maybe"}}, "has 'verify' that must be one of"),
        (HTTP, {"dest-batch-format": "json-array"}, "'dest-batch-max' above 1"),
        (HTTP, {"dest-batch-max": 2}, "'dest-uri' has fields in it"),
        (HTTP, {"src-mode": "events", "src-poll-interval": 1}, "'src-poll-interval' is for the 'src-mode' 'poll'"),
        (HTTP, {"src-delete-after": "queue-length"}, "HTTP doesn't tell how much is waiting"),
        (HTTP, {"src-topics": "x"}, "the key 'src-topics' is for 'src-protocol' mqtt or kafka"),
        (KAFKA, {"dest-topic": "a b"}, "'dest-topic' must be a topic"),
        (KAFKA, {"dest-topic": "{name}"}, "'dest-topic' has '{name}' in it"),
        (KAFKA, {"dest-key": 5}, "'dest-key' must be a string"),
        (KAFKA, {"src-topics": "a/b"}, "'src-topics' must be a topic"),
        (KAFKA, {"src-start": "now"}, "'src-start' must be one of earliest, latest"),
        (KAFKA, {"src-uri": "kafka://a/x"}, "has no path"),
        (KAFKA, {"src-uri": "amqp://a"}, "begins with kafka:// or kafkas://"),
        (KAFKA, {"src-uri": "kafka://"}, "hosts can't be read"),
        (KAFKA, {"src-uri": "kafka://a:0"}, "hosts can't be read"),
        (KAFKA, {"src-uri": "kafka://a?heartbeat=1"}, "unknown parameter 'heartbeat'"),
        (KAFKA, {"src-uri": "kafka://a?cacertfile=/x"}, "'cacertfile' is for TLS"),
        (KAFKA, {"src-uri": "kafkas://a?server_name_indication=x"}, "isn't for Kafka"),
        (KAFKA, {"src-uri": "kafka://a?sasl_mechanism=x"}, "'sasl_mechanism' must be one of plain, scram-sha-256"),
        (KAFKA, {"filter-else": "dead-letter", "src-filter": {"topic": "a"}}, "KAFKA has no word"),
        (KAFKA, {"confirm-upstream": True}, "is for a source that is a queue of this broker"),
    ],
)
def test_what_cant_be_used_is_refused(least: dict[str, JSON], more: dict[str, JSON], said: str) -> None:
    with pytest.raises(PreconditionFailed, match=re.escape(said)):
        read_definition({**least, **more})


@pytest.mark.parametrize("key", ["src-uri", "src-topics", "dest-uri", "dest-topic"])
def test_what_is_missing_is_named(key: str) -> None:
    with pytest.raises(PreconditionFailed, match=f"the key '{key}' is missing"):
        read_definition({name: value for name, value in KAFKA.items() if name != key})


async def test_what_librdkafka_is_told() -> None:
    uri = parse_kafka_uri(
        "kafkas://u:p%40@a.example,[::1]:9093?sasl_mechanism=SCRAM-SHA-512&cacertfile=/ca&certfile=/c&keyfile=/k"
        "&password=s&verify=verify_none&connection_timeout=5000"
    )
    assert (uri.shown, uri.host, uri.port) == ("kafkas://a.example,[::1]:9093", "a.example", 9092)
    assert not any(secret in repr(uri) for secret in ("p@", "'s'"))
    found = configuration(uri, Ear(), "me", acks="all", enable_idempotence=True)
    assert {
        "bootstrap.servers": "a.example:9092,[::1]:9093",
        "client.id": "me",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "u",
        "sasl.password": "p@",
        "ssl.ca.location": "/ca",
        "ssl.certificate.location": "/c",
        "ssl.key.location": "/k",
        "ssl.key.password": "s",
        "enable.ssl.certificate.verification": False,
        "socket.connection.setup.timeout.ms": 5000,
        "acks": "all",
        "enable.idempotence": True,
    }.items() <= found.items()
    plain = configuration(parse_kafka_uri("kafka://a"), Ear(), "me")
    assert plain["security.protocol"] == "PLAINTEXT"
    assert not any(name.startswith(("sasl", "ssl")) for name in plain)
