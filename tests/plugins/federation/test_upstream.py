"""Upstreams and sets, read from runtime parameters: every key, and what is said of what can't be used."""

from __future__ import annotations

from typing import Any

import pytest

from warren.adapters.amqp091.client.uri import parse_uri
from warren.core.errors import PreconditionFailed
from warren.plugins.federation.upstream import (
    SET_KEYS,
    UPSTREAM_KEYS,
    SetElement,
    Upstream,
    overridden,
    read_set,
    read_upstream,
)

URI = "amqp://user:pass@far.example/v"

OTHER_VALUES: dict[str, tuple[Any, Any]] = {
    "prefetch-count": (7, 7),
    "reconnect-delay": (1.5, 1.5),
    "ack-mode": ("no-ack", "no-ack"),
    "trust-user-id": (True, True),
    "exchange": ("x", "x"),
    "max-hops": (3, 3),
    "expires": (1000, 1000),
    "message-ttl": (0, 0),
    "queue-type": ("quorum", "quorum"),
    "resource-cleanup-mode": ("never", "never"),
    "bind-nowait": (True, True),
    "channel-use-mode": ("single", "single"),
    "queue": ("q", "q"),
    "consumer-tag": ("t", "t"),
}
"""Of each key, a value that isn't its default, and what it is read as."""


def test_defaults_are_rabbitmqs() -> None:
    upstream = read_upstream("u", {"uri": URI})
    assert upstream == Upstream("u", (parse_uri(URI),))
    assert (upstream.prefetch, upstream.reconnect_delay_s, upstream.ack_mode) == (1000, 5.0, "on-confirm")
    assert (upstream.max_hops, upstream.trust_user_id, upstream.queue_type) == (1, False, "classic")
    assert (upstream.expires_ms, upstream.message_ttl_ms, upstream.exchange, upstream.queue) == (None, None, None, None)
    assert (upstream.cleans_up, upstream.bind_nowait, upstream.channels) == (True, False, "multiple")
    assert upstream.tag == "federation-link-u"


@pytest.mark.parametrize("key", SET_KEYS)
def test_every_key_is_read_and_overridden(key: str) -> None:
    given, meant = OTHER_VALUES[key]
    field = SET_KEYS[key][0]
    plain = read_upstream("u", {"uri": URI})
    assert getattr(plain, field) != meant
    assert getattr(read_upstream("u", {"uri": URI, key: given}), field) == meant
    (element,) = read_set([{"upstream": "u", key: given}])
    assert element == SetElement("u", {field: meant})
    assert getattr(overridden(plain, element), field) == meant


def test_several_uris() -> None:
    uris = [URI, "amqps://other.example?verify=verify_none"]
    assert read_upstream("u", {"uri": uris}).uris == tuple(map(parse_uri, uris))
    assert set(UPSTREAM_KEYS) == {"uri", *SET_KEYS}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("amqp://x", "an upstream is an object"),
        ({}, "the key 'uri' is missing"),
        ({"uri": URI, "prefetch": 3}, "unknown key 'prefetch': did you mean 'prefetch-count'?"),
        ({"uri": URI, "nonsense": 3}, "unknown key 'nonsense'"),
        ({"uri": "http://x"}, "the key 'uri' can't be used"),
        ({"uri": []}, "must be a URI, or a list of URIs"),
        ({"uri": "amqp:///v"}, "the key 'uri' has no host"),
        ({"uri": "amqp://x?nonsense=1"}, "unknown parameter 'nonsense'"),
        ({"uri": URI, "prefetch-count": 0}, "the key 'prefetch-count' must be a whole number from 1 to 65535"),
        ({"uri": URI, "max-hops": 0}, "the key 'max-hops' must be a whole number from 1 to 32767"),
        ({"uri": URI, "expires": 0}, "the key 'expires' must be"),
        ({"uri": URI, "message-ttl": -1}, "the key 'message-ttl' must be"),
        ({"uri": URI, "ack-mode": "never"}, "must be one of on-confirm, on-publish, no-ack"),
        ({"uri": URI, "queue-type": "stream"}, "must be one of classic, quorum"),
        ({"uri": URI, "resource-cleanup-mode": "always"}, "must be one of default, never"),
        ({"uri": URI, "channel-use-mode": "one"}, "must be one of multiple, single"),
        ({"uri": URI, "trust-user-id": 1}, "the key 'trust-user-id' must be true or false"),
        ({"uri": URI, "exchange": ""}, "the key 'exchange' must not be empty"),
        ({"uri": URI, "reconnect-delay": -1}, "the key 'reconnect-delay' must be a number of seconds"),
    ],
)
def test_what_is_no_upstream_is_refused_with_the_key(value: Any, said: str) -> None:
    with pytest.raises(PreconditionFailed) as refused:
        read_upstream("u", value)
    assert said in refused.value.text
    assert "pass@" not in refused.value.text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"upstream": "u"}, "an upstream set is a list"),
        ([], "an upstream set is a list"),
        (["u"], "each element of an upstream set is an object with the key 'upstream'"),
        ([{"upstream": 1}], "each element of an upstream set is an object with the key 'upstream'"),
        ([{"upstream": "u", "uri": URI}], "the key 'uri' belongs to the upstream"),
        ([{"upstream": "u", "max-hop": 1}], "unknown key 'max-hop': did you mean 'max-hops'?"),
    ],
)
def test_what_is_no_set_is_refused(value: Any, said: str) -> None:
    with pytest.raises(PreconditionFailed) as refused:
        read_set(value)
    assert said in refused.value.text
