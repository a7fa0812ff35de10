"""The keys that sign tokens: from files, and from where the issuer shows them (JWKS, RFC 7517).

Theory of operation
-------------------
A token's header names its key (`kid`); one that isn't known has the issuer's keys fetched, all of them, which replace
those that were fetched before: so a new key is known as soon as a token comes that it signed, and one that the issuer
has taken away isn't any more.  Anybody can send tokens that name keys which there aren't, so keys are fetched at most
once in `FETCH_PAUSE_S`; and once in `KEYS_S_MAX` anyway, so that a key that was taken away isn't believed for ever.

What a key is decides which algorithms it can be used with: a public key that everybody can read is never a secret of
HS256, whatever the token's header says (RFC 8725 3.1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import jwt
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from trio import current_time

from warren.gateway.authentication.http_client import HttpClient, HttpError
from warren.gateway.authentication.oauth2.claims import WrongToken

FETCH_PAUSE_S: Final = 10.0
KEYS_S_MAX: Final = 3600.0

KEYS_MAX: Final = 100
"""Taken of an issuer: more is no issuer's."""

RSA_BITS_LEAST: Final = 2048
"""RFC 7518 3.3."""

_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_SECRET: Final = ("HS256", "HS384", "HS512")
_CURVES: Final = {"secp256r1": ("ES256",), "secp384r1": ("ES384",), "secp521r1": ("ES512",)}


class SigningKey(NamedTuple):
    """key: as PyJWT takes it.  algorithms: those that it can be used with."""

    key: Any
    algorithms: tuple[str, ...]


class KeyFileError(Exception):
    """A file holds no key that can be used."""


def key_in(path: Path) -> SigningKey:
    """The key of a file: a public key or certificate in PEM, or else a secret.  Raises KeyFileError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"{path} can't be read: {error.strerror}") from None
    try:
        if b"-----BEGIN CERTIFICATE-----" in data:
            return _usable(x509.load_pem_x509_certificate(data).public_key())
        if b"-----BEGIN " in data:
            return _usable(load_pem_public_key(data))
    except (ValueError, WrongToken) as error:
        raise KeyFileError(f"{path} holds no public key that can be used: {error}") from None
    secret = data.rstrip(b"\r\n")
    if not secret:
        raise KeyFileError(f"{path} is empty")
    return SigningKey(secret, _SECRET)


def _usable(key: object) -> SigningKey:
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_BITS_LEAST:
        return SigningKey(key, _RSA)
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return SigningKey(key, _CURVES[key.curve.name])
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return SigningKey(key, ("EdDSA",))
    raise WrongToken(f"keys have to be RSA of {RSA_BITS_LEAST} bits or more, EC of P-256, P-384 or P-521, or Ed25519")


def keys_in_jwks(body: bytes) -> dict[str, SigningKey]:
    """The keys of a JSON Web Key Set by their ids; those that are for something else, or can't be used, are left out.

    Raises WrongToken when it is no such set.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise WrongToken("the issuer's keys aren't JSON") from None
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise WrongToken("the issuer's keys are no JSON Web Key Set")
    keys: dict[str, SigningKey] = {}
    for each in listed[:KEYS_MAX]:
        key = _of_jwk(each)
        if key is not None:
            keys[each["kid"]] = key
    return keys


def _of_jwk(jwk: object) -> SigningKey | None:
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or jwk.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(jwk).key
        usable = SigningKey(key, _SECRET) if isinstance(key, bytes) else _usable(key)
    except (jwt.PyJWTError, WrongToken, ValueError, TypeError, KeyError):
        return None
    algorithm = jwk.get("alg")
    if algorithm is None:
        return usable
    return SigningKey(usable.key, (algorithm,)) if algorithm in usable.algorithms else None


class Keys:
    """All of one back-end.  own: those of files."""

    def __init__(self, own: Mapping[str, SigningKey], jwks_url: str, client: HttpClient) -> None:
        self._own = own
        self._jwks_url = jwks_url
        self._client = client
        self._fetched: dict[str, SigningKey] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching = trio.Lock()

    async def get(self, kid: str) -> SigningKey:
        """The key of this id.  Raises WrongToken when there is none, HttpError when the issuer can't be asked."""
        own = self._own.get(kid)
        if own is not None:
            return own
        if self._jwks_url and self._wants_fetching(kid):
            async with self._fetching:
                if self._wants_fetching(kid):
                    await self._fetch(kid)
        found = self._fetched.get(kid)
        if found is None:
            raise WrongToken(f"its key '{kid}' is none of those that are known")
        return found

    def _wants_fetching(self, kid: str) -> bool:
        now = current_time()
        if self._tried_at is not None and now - self._tried_at < FETCH_PAUSE_S:
            return False
        return kid not in self._fetched or self._fetched_at is None or now - self._fetched_at >= KEYS_S_MAX

    async def _fetch(self, kid: str) -> None:
        self._tried_at = current_time()
        try:
            answer = await self._client.get(self._jwks_url)
            if answer.status != 200:
                raise HttpError(f"the issuer's keys: status {answer.status}")
            self._fetched = keys_in_jwks(answer.body)
        except (HttpError, WrongToken) as error:
            if kid not in self._fetched:
                raise HttpError(f"the issuer's keys can't be fetched: {error}") from None
            return
        self._fetched_at = self._tried_at
