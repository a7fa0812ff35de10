"""Addresses of servers as people write them, and who we say we are."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.gateway.nats.addresses import ServerAddress, learned_servers, parse_servers
from warren.gateway.nats.errors import LoginRefused
from warren.gateway.nats.login import Login, decode_seed, login_of_credentials, sign

SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
PUBLIC = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
"""The pair that the documentation of nkeys shows."""

CREDENTIALS = f"""-----BEGIN NATS USER JWT-----
eyJ0.eyJq.c2ln
------END NATS USER JWT------

************************* IMPORTANT *************************

-----BEGIN USER NKEY SEED-----
{SEED}
------END USER NKEY SEED------
"""

HERE = ServerAddress("here")


def test_lists_of_addresses() -> None:
    assert parse_servers("nats://a, b:4000,tls://me:p%40ss@c , [::1]:4") == (
        ServerAddress("a"),
        ServerAddress("b", 4000),
        ServerAddress("c", tls=True, user="me", password="p@ss"),
        ServerAddress("::1", 4, tls=True),
    )
    assert [str(each) for each in parse_servers("tls://me:secret@c,[::1]:4")] == ["tls://c:4222", "tls://[::1]:4"]


@pytest.mark.parametrize(
    "text", ["", "a,,b", "http://a", "nats://", "nats://a:port", "nats://a:0", "nats://a/b", "a b"]
)
def test_what_is_no_address_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        parse_servers(text)


@given(st.text(max_size=30))
def test_an_address_or_words(text: str) -> None:
    try:
        servers = parse_servers(text)
    except ValueError:
        return
    assert all(each.host and 0 < each.port < 65536 for each in servers)


def test_servers_that_a_server_tells_of_are_logged_in_to_alike() -> None:
    like = ServerAddress("a", 1, tls=True, user="u", password="p")
    told = ["b:2", "nonsense:x", 7, "[::2]:3"]
    assert list(learned_servers(told, like)) == [
        ServerAddress("b", 2, tls=True, user="u", password="p"),
        ServerAddress("::2", 3, tls=True, user="u", password="p"),
    ]
    assert list(learned_servers(None, like)) == []


def test_names_passwords_and_tokens() -> None:
    named = ServerAddress("a", user="them", password="theirs")
    assert Login().fields(HERE, "") == {}
    assert Login().fields(named, "") == {"user": "them", "pass": "theirs"}
    assert Login(user="me", password="mine").fields(named, "") == {"user": "me", "pass": "mine"}
    assert Login(token="t").fields(named, "") == {"auth_token": "t"}
    assert Login().fields(ServerAddress("a", user="token"), "") == {"auth_token": "token"}


def test_a_key_signs_what_the_server_sends() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    public, signature = sign(SEED, b"nonce")
    assert public == PUBLIC
    key = Ed25519PublicKey.from_public_bytes(base64.b32decode(public)[1:-2])
    key.verify(base64.urlsafe_b64decode(signature + "=="), b"nonce")
    fields = Login(seed=SEED).fields(HERE, "nonce")
    assert fields == {"nkey": PUBLIC, "sig": signature}
    with pytest.raises(LoginRefused, match="doesn't ask"):
        Login(seed=SEED).fields(HERE, "")


def test_a_file_of_credentials() -> None:
    login = login_of_credentials(CREDENTIALS)
    assert login == Login(seed=SEED, jwt="eyJ0.eyJq.c2ln")
    assert login.fields(HERE, "n")["jwt"] == "eyJ0.eyJq.c2ln"
    with pytest.raises(ValueError, match="file of NATS credentials"):
        login_of_credentials("nothing")


@pytest.mark.parametrize(
    "seed", ["", "S", "not base32", SEED[:-1], SEED[:-1] + "A", PUBLIC, SEED.lower(), SEED + "AAAA"]
)
def test_what_is_no_seed_is_refused_in_words(seed: str) -> None:
    with pytest.raises(ValueError, match="seed"):
        decode_seed(seed)
    with pytest.raises(LoginRefused, match="seed"):
        sign(seed, b"")
