"""Tokens: which are taken, which aren't, where their keys come from, and what they give."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.support.auth_server import Asked, AuthServer, auth_server
from tests.support.tokens import TestKey, ec_key, ed_key, forged, jwks, rsa_key, secret_key
from warren.core.access.questions import Denied, Identity, Login, MayEnter, MayUse, MayUseTopic, Secret
from warren.gateway.authentication.back_end import BackEndUnusableError
from warren.gateway.authentication.oauth2.back_end import OAuth2BackEnd
from warren.gateway.authentication.oauth2.keys import FETCH_PAUSE_S, KEYS_S_MAX
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.options import options_of

NOW_S = 1_700_000_000

CLAIMS: Mapping[str, object] = {
    "sub": "alice",
    "aud": ["burrow", "others"],
    "exp": NOW_S + 3600,
    "scope": "burrow.read:*/* burrow.read:*/*/a.* burrow.tag:administrator",
}


def back_end(**config: object) -> OAuth2BackEnd:
    keys: dict[str, Any] = {"auth_oauth2_resource_server_id": "burrow", **config}
    made = OAuth2BackEnd(options_of(Config(in_memory=True, **keys)))
    made.now_ms = lambda: NOW_S * 1000
    return made


def with_files(directory: Path, *keys: TestKey, **config: object) -> OAuth2BackEnd:
    files = tuple((key.kid, key.write(directory)) for key in keys)
    return back_end(auth_oauth2_signing_keys=files, **config)


async def log_in(of: OAuth2BackEnd, token: str) -> Identity | Denied:
    found = await of.answer(Login("ignored", Secret(token)))
    assert not isinstance(found, bool)
    return found


@pytest.mark.parametrize("make", [rsa_key, ec_key, ed_key], ids=["RSA", "EC", "Ed25519"])
async def test_a_token_by_a_key_in_a_file(tmp_path: Path, make: Callable[[], TestKey]) -> None:
    key = make()
    of = with_files(tmp_path, key)
    who = await log_in(of, key.sign(CLAIMS))
    assert isinstance(who, Identity)
    assert (who.name, sorted(who.tags), who.expires_at_ms) == ("alice", ["administrator"], (NOW_S + 3600) * 1000)
    assert of.at_once(MayEnter(who, "/", "127.0.0.1")) is True
    assert of.at_once(MayUse(who, "/", "queue", "q", "read")) is True
    assert isinstance(of.at_once(MayUse(who, "/", "queue", "q", "write")), Denied)
    assert of.at_once(MayUseTopic(who, "/", "amq.topic", "a.b", "read")) is True
    assert isinstance(of.at_once(MayUseTopic(who, "/", "amq.topic", "b.a", "read")), Denied)
    of.now_ms = lambda: (NOW_S + 3600) * 1000
    assert of.at_once(MayEnter(who, "/", "127.0.0.1")) == Denied("the token has expired")


async def test_a_secret_only_where_its_algorithm_is_named(tmp_path: Path) -> None:
    key = secret_key()
    refused = await log_in(with_files(tmp_path, key), key.sign(CLAIMS))
    assert refused == Denied("the token is refused: its algorithm 'HS256' isn't allowed")
    taken = await log_in(with_files(tmp_path, key, auth_oauth2_algorithms=("HS256",)), key.sign(CLAIMS))
    assert isinstance(taken, Identity)


async def test_the_default_key(tmp_path: Path) -> None:
    key = rsa_key()
    token = key.sign(CLAIMS, kid=None)
    assert isinstance(await log_in(with_files(tmp_path, key), token), Denied)
    assert isinstance(await log_in(with_files(tmp_path, key, auth_oauth2_default_key="rsa"), token), Identity)


WRONG_CLAIMS: list[tuple[Mapping[str, object], str]] = [
    ({"exp": NOW_S}, "expired"),
    ({"exp": NOW_S - 1}, "expired"),
    ({"exp": None}, "when it expires"),
    ({"exp": "soon"}, "when it expires"),
    ({"exp": True}, "when it expires"),
    ({"exp": -1}, "when it expires"),
    ({"exp": 1e300}, "when it expires"),
    ({"exp": [NOW_S + 1]}, "when it expires"),
    ({"nbf": NOW_S + 1}, "isn't valid yet"),
    ({"nbf": "now"}, "isn't valid yet"),
    ({"aud": None}, "isn't for 'burrow'"),
    ({"aud": "other"}, "isn't for 'burrow'"),
    ({"aud": ["burrows", 7]}, "isn't for 'burrow'"),
    ({"aud": {"burrow": 1}}, "isn't for 'burrow'"),
    ({"iss": "https://another"}, "wasn't issued by"),
    ({"iss": None}, "wasn't issued by"),
]


@pytest.mark.parametrize(("changed", "why"), WRONG_CLAIMS, ids=[str(changed) for changed, _ in WRONG_CLAIMS])
async def test_claims_that_dont_count(tmp_path: Path, changed: Mapping[str, object], why: str) -> None:
    key = ec_key()
    of = with_files(tmp_path, key, auth_oauth2_issuer="https://issuer")
    claims = {**CLAIMS, "iss": "https://issuer", **changed}
    token = key.sign({name: value for name, value in claims.items() if value is not None})
    denied = await log_in(of, token)
    assert isinstance(denied, Denied)
    assert why in denied.reason
    assert not denied.failed


async def test_what_needs_no_checking_where_the_configuration_says_so(tmp_path: Path) -> None:
    key = ec_key()
    of = with_files(tmp_path, key, auth_oauth2_verify_aud=False, auth_oauth2_require_exp=False)
    who = await log_in(of, key.sign({"sub": "alice"}))
    assert who == Identity("alice", frozenset(), None, getattr(who, "state", None))


def malformed(key: TestKey) -> dict[str, str]:
    """Tokens that are none, or that somebody has tampered with."""
    good = key.sign(CLAIMS)
    head, body, signature = good.split(".")
    other = rsa_key("other")
    public = rsa_key().pem()
    return {
        "nothing": "",
        "a password": "secret",
        "dots": "..",
        "one part": head,
        "two parts": f"{head}.{body}",
        "four parts": f"{good}.x",
        "no signature": f"{head}.{body}.",
        "a cut signature": f"{head}.{body}.{signature[:-4]}",
        "another's signature": f"{head}.{body}.{other.sign(CLAIMS).split('.')[2]}",
        "other claims": f"{head}.{forged({}, {**CLAIMS, 'sub': 'root'}).split('.')[1]}.{signature}",
        "another's key by this one's name": other.sign(CLAIMS, kid=key.kid),
        "an unknown key": other.sign(CLAIMS),
        "none": forged({"alg": "none", "kid": key.kid}, CLAIMS),
        "None": forged({"alg": "None", "kid": key.kid}, CLAIMS, b"x"),
        "no algorithm": forged({"kid": key.kid}, CLAIMS, b"x"),
        "an algorithm that is a list": forged({"alg": ["RS256"], "kid": key.kid}, CLAIMS, b"x"),
        "an algorithm that isn't there": forged({"alg": "RS257", "kid": key.kid}, CLAIMS, b"x"),
        "HS256 by the public key": _hmac_signed(key.kid, public),
        "a kid that is a number": forged({"alg": "RS256", "kid": 7}, CLAIMS, b"x"),
        "a kid that is a path": forged({"alg": "RS256", "kid": "../../etc/passwd"}, CLAIMS, b"x"),
        "its own key along": forged({"alg": "RS256", "kid": "x", "jwk": other.jwk()}, CLAIMS, b"x"),
        "a header that is a list": ".".join([forged({}, [1]).split(".")[1], body, signature]),
        "claims that are a list": key.sign({}).split(".")[0] + "." + forged({}, [1]).split(".")[1] + "." + signature,
        "no base64": f"{head}!.{body}.{signature}",
        "unknown critical headers": _sign_with_crit(key),
        "deep JSON": forged({"alg": "RS256", "kid": key.kid}, _deep(900), b"x"),
        "very long": "a" * 100_000,
        "not ASCII": good.replace("e", "é"),
        "a NUL": f"\0{good}",
    }


def _deep(levels: int) -> object:
    found: object = 1
    for _ in range(levels):
        found = [found]
    return found


def _hmac_signed(kid: str, public: bytes) -> str:
    """RS256's public key taken for a secret (RFC 8725, 2.1)."""
    import base64
    import hashlib
    import hmac

    unsigned = forged({"alg": "HS256", "kid": kid}, CLAIMS).rpartition(".")[0]
    digest = hmac.new(public, unsigned.encode(), hashlib.sha256).digest()
    return f"{unsigned}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def _sign_with_crit(key: TestKey) -> str:
    return key.sign(CLAIMS, crit=["unheard-of"], **{"unheard-of": 1})


@pytest.mark.parametrize("algorithms", [("RS256",), ("RS256", "HS256", "ES256")], ids=["RS256", "several"])
@pytest.mark.parametrize("kind", malformed(rsa_key()))
async def test_malformed_tokens_are_refused(tmp_path: Path, kind: str, algorithms: tuple[str, ...]) -> None:
    of = with_files(tmp_path, rsa_key(), auth_oauth2_algorithms=algorithms)
    denied = await log_in(of, malformed(rsa_key())[kind])
    assert isinstance(denied, Denied)
    assert denied.reason.startswith("the token is refused: ")
    assert not denied.failed
    assert len(denied.reason) < 300


async def test_without_a_token(tmp_path: Path) -> None:
    assert await with_files(tmp_path, rsa_key()).answer(Login("alice", None)) == Denied("a token is needed")


# Keys that the issuer shows


def serving(*keys: TestKey) -> Callable[[Asked], tuple[int, str]]:
    return lambda asked: (200, jwks(*keys))


@asynccontextmanager
async def of_issuer(server: AuthServer, **config: object) -> AsyncIterator[OAuth2BackEnd]:
    made = back_end(auth_oauth2_jwks_url=f"{server.url}/keys", **config)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        yield made
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


async def test_keys_are_fetched_once_and_again_for_one_that_isnt_known(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = rsa_key("first"), ec_key("second")
    now = trio.current_time()
    monkeypatch.setattr("warren.gateway.authentication.oauth2.keys.current_time", lambda: now)
    with auth_server(serving(first)) as server:
        async with of_issuer(server) as of:
            for _ in range(3):
                assert isinstance(await log_in(of, first.sign(CLAIMS)), Identity)
            assert len(server.take()) == 1
            server.answer = serving(second)
            refused = await log_in(of, second.sign(CLAIMS))
            assert refused == Denied("the token is refused: its key 'second' is none of those that are known")
            assert server.take() == [], "not so soon after the last time"
            now += FETCH_PAUSE_S
            assert isinstance(await log_in(of, second.sign(CLAIMS)), Identity)
            assert len(server.take()) == 1
            assert isinstance(await log_in(of, first.sign(CLAIMS)), Denied), "the issuer shows it no more"


async def test_keys_are_fetched_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    key = rsa_key()
    now = trio.current_time()
    monkeypatch.setattr("warren.gateway.authentication.oauth2.keys.current_time", lambda: now)
    with auth_server(serving(key)) as server:
        async with of_issuer(server) as of:
            await log_in(of, key.sign(CLAIMS))
            now += KEYS_S_MAX
            server.answer = lambda asked: (500, "")
            assert isinstance(await log_in(of, key.sign(CLAIMS)), Identity), "what is known is believed a little longer"
            now += FETCH_PAUSE_S
            server.answer = serving()
            assert isinstance(await log_in(of, key.sign(CLAIMS)), Denied)


BROKEN = {
    "no JSON": (200, "{"),
    "a list": (200, "[]"),
    "keys that are no list": (200, '{"keys": {}}'),
    "an error": (503, "later"),
    "too long": (200, " " * (1024 * 1024 + 1)),
    "a redirect": (302, ""),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_an_issuer_that_shows_no_keys(answer: tuple[int, str]) -> None:
    with auth_server(lambda asked: answer) as server:
        async with of_issuer(server) as of:
            denied = await log_in(of, rsa_key().sign(CLAIMS))
    assert isinstance(denied, Denied)
    assert denied.failed
    assert denied.reason.startswith("the issuer's keys can't be fetched: ")


async def test_an_issuer_that_isnt_there() -> None:
    with auth_server() as server:
        url = server.url
    async with of_issuer(AuthServer(url)) as of:
        denied = await log_in(of, rsa_key().sign(CLAIMS))
    assert isinstance(denied, Denied)
    assert denied.failed


USELESS: dict[str, dict[str, object]] = {
    "without a kid": {**rsa_key().jwk(), "kid": None},
    "for encryption": rsa_key().jwk(use="enc"),
    "for another algorithm": rsa_key().jwk(alg="PS256"),
    "of an unknown type": {"kid": "rsa", "kty": "XYZ"},
    "without numbers": {"kid": "rsa", "kty": "RSA"},
    "with wrong numbers": rsa_key().jwk(n="!!"),
    "too short": rsa_key("rsa", 1024).jwk(),
}


@pytest.mark.parametrize("key", USELESS.values(), ids=USELESS)
async def test_keys_of_an_issuer_that_cant_be_used(key: dict[str, object]) -> None:
    with auth_server(lambda asked: (200, json.dumps({"keys": [key, 7, ec_key().jwk()]}))) as server:
        async with of_issuer(server) as of:
            assert isinstance(await log_in(of, rsa_key().sign(CLAIMS)), Denied)
            assert isinstance(await log_in(of, ec_key().sign(CLAIMS)), Identity)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PUBLIC KEY-----\nxx\n-----END PUBLIC KEY-----\n", None])
def test_a_key_file_that_cant_be_used_ends_the_start(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BackEndUnusableError, match="auth_oauth2_signing_keys"):
        back_end(auth_oauth2_signing_keys=(("one", path),))


def test_what_has_to_be_configured(tmp_path: Path) -> None:
    with pytest.raises(BackEndUnusableError, match="auth_oauth2_resource_server_id"):
        OAuth2BackEnd(options_of(Config(in_memory=True)))
    with pytest.raises(BackEndUnusableError, match="no keys"):
        back_end()
