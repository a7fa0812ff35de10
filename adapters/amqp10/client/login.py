"""SASL on the client's side (part 5, 5.3), up to where open is due.

    -> AMQP 3 1 0 0      <- AMQP 3 1 0 0, mechanisms
    -> init              <- [challenge -> response]* outcome
    -> AMQP 0 1 0 0      <- AMQP 0 1 0 0

A mechanism that the peer doesn't offer is no reason to try another one: who wrote the URI has said which.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import field
from typing import Final

from warren.adapters.amqp10.client.uri import EXTERNAL, PLAIN, SCRAM_SHA_256
from warren.adapters.amqp10.codec import sasl
from warren.adapters.peers.errors import PeerError
from warren.core.frozen import frozen

ITERATIONS_MAX: Final = 1_000_000
"""Of SCRAM, that a peer may ask for: more takes seconds."""

_CODES: Final = {
    sasl.AUTH: "the user name or the password is wrong",
    sasl.SYS: "the peer has an error",
    sasl.SYS_PERM: "the peer has an error that stays",
    sasl.SYS_TEMP: "the peer has an error that passes",
}


@frozen
class Amqp10Login:
    """How this client introduces itself.

    hostname: of open.  mechanism: of SASL.  container: what the peer's listings call it.  heartbeat_ms: how often each
    side is to be heard, 0 for never.
    """

    hostname: str
    mechanism: str
    container: str
    user: str = ""
    password: str = field(default="", repr=False)
    product: str = "Warren"
    version: str = ""
    heartbeat_ms: int = 10_000


class ClientSasl:
    """Of one connection.  PeerError for what ends it."""

    def __init__(self, login: Amqp10Login) -> None:
        self._login = login
        self._nonce = ""
        self._server_signature = b""

    def init(self, offered: sasl.SaslMechanisms) -> sasl.SaslInit:
        """What answers the peer's mechanisms."""
        login = self._login
        if login.mechanism not in offered.sasl_server_mechanisms:
            there = ", ".join(offered.sasl_server_mechanisms)[:200] or "none"
            raise PeerError(f"the peer doesn't offer the SASL mechanism {login.mechanism}, but {there}")
        made = sasl.SaslInit()
        made.mechanism = login.mechanism
        made.hostname = login.hostname
        if login.mechanism == PLAIN:
            made.initial_response = b"\0%b\0%b" % (_bytes(login.user), _bytes(login.password))
        elif login.mechanism == EXTERNAL:
            made.initial_response = b""
        elif login.mechanism == SCRAM_SHA_256:
            self._nonce = secrets.token_urlsafe(24)
            made.initial_response = b"n,," + self._first()
        else:
            made.initial_response = b"anonymous"
        return made

    def answer(self, challenge: bytes) -> bytes:
        """The response to a challenge, which only SCRAM has (RFC 5802)."""
        if self._login.mechanism != SCRAM_SHA_256 or self._server_signature:
            raise PeerError(f"the peer asks something that {self._login.mechanism} has no answer to")
        fields = dict(each.split("=", 1) for each in challenge.decode("utf-8", "replace").split(",") if "=" in each)
        nonce, iterations = fields.get("r", ""), fields.get("i", "")
        is_count = iterations.isascii() and iterations.isdigit()
        if not nonce.startswith(self._nonce) or not is_count or int(iterations[:8]) > ITERATIONS_MAX:
            raise PeerError("the peer's challenge of SCRAM-SHA-256 can't be answered")
        try:
            salt = base64.b64decode(fields.get("s", ""), validate=True)
        except ValueError:
            raise PeerError("the peer's challenge of SCRAM-SHA-256 has no salt") from None
        salted = hashlib.pbkdf2_hmac("sha256", _bytes(self._login.password), salt, max(int(iterations), 1))
        without_proof = b"c=biws,r=" + _bytes(nonce)
        message = b",".join([self._first(), challenge, without_proof])
        key = _hmac(salted, b"Client Key")
        signature = _hmac(hashlib.sha256(key).digest(), message)
        self._server_signature = _hmac(_hmac(salted, b"Server Key"), message)
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        return without_proof + b",p=" + base64.b64encode(proof)

    def finish(self, outcome: sasl.SaslOutcome) -> None:
        """The peer's word on the login."""
        if outcome.code != sasl.OK:
            raise PeerError(f"the peer refused the login: {_CODES.get(outcome.code, f'code {outcome.code}')}")
        if self._login.mechanism == SCRAM_SHA_256:
            proof = b"v=" + base64.b64encode(self._server_signature)
            if not self._server_signature or not hmac.compare_digest(outcome.additional_data or b"", proof):
                raise PeerError("the peer doesn't know the password that it has accepted")

    def _first(self) -> bytes:
        name = self._login.user.replace("=", "=3D").replace(",", "=2C")
        return b"n=%b,r=%b" % (_bytes(name), self._nonce.encode())


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")
