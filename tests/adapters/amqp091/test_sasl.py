"""SASL mechanisms: what each accepts, what it refuses, and in which order they are offered."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.adapters.amqp091.codec.constants import AUTH_MECHANISMS
from warren.adapters.amqp091.sasl import (
    AmqPlain,
    Anonymous,
    Challenge,
    Credentials,
    External,
    Mechanism,
    Mechanisms,
    Outcome,
    Peer,
    Plain,
    standard_mechanisms,
)
from warren.core.errors import AccessRefused, CommandInvalid, MalformedField, Scope
from warren.core.messages.field_table import Encodable, encode_table


@dataclass
class KnownPeer:
    certificate_name: str | None = None


PEER = KnownPeer()


def amqplain(**fields: Encodable) -> bytes:
    return encode_table(fields)[4:]


names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(names, names)
def test_plain(user: str, password: str) -> None:
    response = b"\0" + user.encode() + b"\0" + password.encode()
    assert Plain().start(response, PEER) == Credentials(user, password)


@given(names, names)
def test_amqplain(user: str, password: str) -> None:
    as_texts = amqplain(LOGIN=user, PASSWORD=password)
    as_bytes = amqplain(PASSWORD=password.encode(), LOGIN=user.encode())
    assert AmqPlain().start(as_texts, PEER) == Credentials(user, password)
    assert AmqPlain().start(as_bytes, PEER) == Credentials(user, password)


def test_bytes_that_are_not_utf8_are_kept() -> None:
    assert Plain().start(b"\0\xff\0\xfe", PEER) == Credentials("\udcff", "\udcfe")


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"\0",
        b"guest",
        b"\0guest",
        b"guest\0guest",
        b"authzid\0guest\0guest",
        b"\0guest\0guest\0",
        b"\0a\0b\0c",
    ],
)
def test_malformed_plain(response: bytes) -> None:
    with pytest.raises(MalformedField, match="PLAIN response") as caught:
        Plain().start(response, PEER)
    assert "guest" not in caught.value.text


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (b"", "no string field LOGIN"),
        (amqplain(LOGIN="guest"), "no string field PASSWORD"),
        (amqplain(PASSWORD="guest"), "no string field LOGIN"),
        (amqplain(LOGIN="guest", PASSWORD=5), "no string field PASSWORD"),
        (amqplain(LOGIN=None, PASSWORD="guest"), "no string field LOGIN"),
        (encode_table({"LOGIN": "guest", "PASSWORD": "guest"}), "isn't a field table"),
        (amqplain(LOGIN="guest", PASSWORD="guest")[:-1], "isn't a field table"),
        (b"\0guest\0guest", "isn't a field table"),
    ],
)
def test_malformed_amqplain(response: bytes, text: str) -> None:
    with pytest.raises(MalformedField, match=text) as caught:
        AmqPlain().start(response, PEER)
    assert "guest" not in caught.value.text


@pytest.mark.parametrize("response", [b"", b"somebody else"])
def test_external_believes_the_certificate_alone(response: bytes) -> None:
    assert External().start(response, KnownPeer("CN=robot")) == Credentials("CN=robot", None)


def test_external_without_a_certificate_is_refused() -> None:
    with pytest.raises(AccessRefused, match="client certificate") as caught:
        External().start(b"", PEER)
    assert caught.value.scope is Scope.CONNECTION


def test_anonymous_is_the_configured_user() -> None:
    assert Anonymous("guest").start(b"whoever", PEER) == Credentials("guest", None)


@given(st.sampled_from([Plain(), AmqPlain(), Anonymous("guest")]), st.binary(max_size=60))
def test_arbitrary_responses_raise_nothing_but_malformed_field(mechanism: Mechanism, response: bytes) -> None:
    try:
        mechanism.start(response, PEER)
    except MalformedField:
        pass


@pytest.mark.parametrize(
    ("anonymous_user", "certificate_name", "offer"),
    [
        (None, None, b"PLAIN AMQPLAIN"),
        (None, "CN=robot", b"PLAIN AMQPLAIN EXTERNAL"),
        ("guest", None, b"PLAIN AMQPLAIN ANONYMOUS"),
        ("guest", "CN=robot", b"PLAIN AMQPLAIN EXTERNAL ANONYMOUS"),
    ],
)
def test_offers(anonymous_user: str | None, certificate_name: str | None, offer: bytes) -> None:
    assert standard_mechanisms(anonymous_user).offer(KnownPeer(certificate_name)) == offer


def test_mechanisms_are_found_by_name() -> None:
    for name in ("PLAIN", "AMQPLAIN", "EXTERNAL"):
        assert standard_mechanisms().find(name).name == name


@pytest.mark.parametrize("name", ["ANONYMOUS", "plain", "", "RABBIT-CR-DEMO"])
def test_unknown_mechanisms_are_invalid_commands(name: str) -> None:
    with pytest.raises(CommandInvalid, match=f"unknown authentication mechanism '{name}'"):
        standard_mechanisms().find(name)


def test_a_mechanism_may_ask_back() -> None:
    class Asking:
        name = "ASKING"

        def offered_to(self, peer: Peer) -> bool:
            return True

        def start(self, response: bytes, peer: Peer) -> Outcome:
            return Challenge(b"password?", lambda answer: Credentials(response.decode(), answer.decode()))

    outcome = Mechanisms([Asking()]).find("ASKING").start(b"user", PEER)
    assert isinstance(outcome, Challenge)
    assert outcome.question == b"password?"
    assert outcome.answer(b"secret") == Credentials("user", "secret")


def test_passwords_are_not_shown() -> None:
    assert "hidden" not in repr(Credentials("user", "hidden"))


@pytest.mark.parametrize(
    ("allowed", "offer"),
    [({"PLAIN"}, b"PLAIN"), ({"EXTERNAL", "AMQPLAIN"}, b"AMQPLAIN EXTERNAL"), ({"EXTERNAL"}, b"EXTERNAL")],
)
def test_only_what_is_allowed_is_offered_and_taken(allowed: set[str], offer: bytes) -> None:
    mechanisms = standard_mechanisms(allowed=allowed)
    assert mechanisms.offer(KnownPeer("CN=alice")) == offer
    for name in AUTH_MECHANISMS:
        if name in allowed:
            assert mechanisms.find(name).name == name
        else:
            with pytest.raises(CommandInvalid, match=f"unknown authentication mechanism '{name}'"):
                mechanisms.find(name)
