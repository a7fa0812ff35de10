"""AMQP URIs: what each part means, and what is said of one that can't be read."""

from __future__ import annotations

import pytest

from warren.adapters.amqp091.client.uri import parse_uri
from warren.core.errors import PreconditionFailed


@pytest.mark.parametrize(
    ("text", "host", "port", "vhost", "user", "password"),
    [
        ("amqp://", "", 5672, "/", None, None),
        ("amqp:///", "", 5672, "/", None, None),
        ("amqp:///here", "", 5672, "here", None, None),
        ("amqp://far.example", "far.example", 5672, "/", None, None),
        ("amqp://far.example/", "far.example", 5672, "", None, None),
        ("amqp://far.example/%2F", "far.example", 5672, "/", None, None),
        ("amqp://far.example:1/%2Fa%20b", "far.example", 1, "/a b", None, None),
        ("amqps://far.example", "far.example", 5671, "/", None, None),
        ("amqp://ada:l%40ve%2F@far.example", "far.example", 5672, "/", "ada", "l@ve/"),
        ("amqp://ada:@far.example", "far.example", 5672, "/", "ada", ""),
        ("amqp://ada@far.example", "far.example", 5672, "/", "ada", None),
        ("amqp://[::1]:7", "::1", 7, "/", None, None),
        (" amqp://far.example\n", "far.example", 5672, "/", None, None),
    ],
)
def test_the_parts(text: str, host: str, port: int, vhost: str, user: str | None, password: str | None) -> None:
    uri = parse_uri(text)
    assert (uri.host, uri.port, uri.vhost, uri.user, uri.password) == (host, port, vhost, user, password)
    assert (uri.tls is not None) == text.strip().startswith("amqps")


def test_every_parameter_arrives() -> None:
    uri = parse_uri(
        "amqps://far.example?heartbeat=0&connection_timeout=1500&channel_max=7&auth_mechanism=external"
        "&cacertfile=%2Fca.pem&certfile=/c.pem&keyfile=/k.pem&password=p%26q&verify=verify_none"
        "&server_name_indication=other.example&depth=2&fail_if_no_peer_cert=true"
    )
    assert (uri.heartbeat_s, uri.connection_timeout_ms, uri.channel_max, uri.mechanism) == (0, 1500, 7, "EXTERNAL")
    tls = uri.tls
    assert tls is not None
    assert (tls.cacertfile, tls.certfile, tls.keyfile, tls.password) == ("/ca.pem", "/c.pem", "/k.pem", "p&q")
    assert (tls.verify, tls.server_name) == (False, "other.example")


def test_defaults_watch_the_peer_and_its_certificate() -> None:
    uri = parse_uri("amqps://far.example")
    assert uri.heartbeat_s == 10
    assert uri.connection_timeout_ms == 30_000
    assert uri.tls is not None
    assert uri.tls.verify


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("far.example", "no scheme"),
        ("http://far.example", "begins with 'http:'"),
        ("amqp://far.example:99999", "can't be read"),
        ("amqp://far.example:x", "can't be read"),
        ("amqp://[::1", "can't be read"),
        ("amqp://far.example/a/b", "%2F"),
        ("amqp://far.example/a#b", "%23"),
        ("amqps://", "no host"),
        ("amqp://far.example?heartbeet=1", "'heartbeet': did you mean 'heartbeat'?"),
        ("amqp://far.example?x=1", "unknown parameter 'x'"),
        ("amqp://far.example?heartbeat=-1", "'heartbeat' must be a whole number up to 65535"),
        ("amqp://far.example?heartbeat=65536", "'heartbeat' must be a whole number up to 65535"),
        ("amqp://far.example?heartbeat=", "'heartbeat' must be a whole number"),
        ("amqp://far.example?cacertfile=/ca.pem", "'cacertfile' is for TLS"),
        ("amqps://far.example?verify=maybe", "'verify' must be one of verify_peer, verify_none"),
        ("amqps://far.example?certfile=", "'certfile' must not be empty"),
        ("amqp://far.example?auth_mechanism=magic", "'auth_mechanism' must be one of plain, amqplain, external"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        parse_uri(text)
    assert said in caught.value.text


def test_no_password_is_told() -> None:
    text = "amqps://ada:s3cret@far.example:7/v?password=0ther&certfile=/c"
    uri = parse_uri(text)
    assert uri.shown == "amqps://far.example:7/v"
    assert "s3cret" not in repr(uri)
    assert "0ther" not in repr(uri)
    with pytest.raises(PreconditionFailed) as caught:
        parse_uri(text + "&bad=1")
    assert "s3cret" not in caught.value.text
    broken_ones = (
        "amqp://ada:s3cret@[::1",
        "amqp://ada:s3cret/@far.example",
        "amqp://ada:12/s3cret@far.example",
        "amqp://ada:12?s3cret@far.example",
    )
    for broken in broken_ones:
        with pytest.raises(PreconditionFailed) as caught:
            parse_uri(broken)
        assert "s3cret" not in caught.value.text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("amqp://", "amqp://"),
        ("amqp:///v", "amqp:///v"),
        ("amqp://u:p@h:5672/%2F?heartbeat=3", "amqp://h"),
        ("amqps://[::1]:5672/a%2Fb", "amqps://[::1]:5672/a%2Fb"),
    ],
)
def test_shown(text: str, shown: str) -> None:
    assert parse_uri(text).shown == shown
