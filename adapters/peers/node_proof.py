"""How two nodes of a cluster prove to each other that they know its secret, without saying it (SASL).

    asking node    name NUL nonce
    other node     name NUL nonce NUL proof       over both names and both nonces, as the one that is asked
    asking node    proof                          the same, as the one that asks

A proof is HMAC-SHA-256 with the cluster's secret (RFC 2104), in hexadecimal.  Nonces are never used twice, so what was
heard can't be said again; and the two proofs differ in their first word, so one can't be sent back as the other.  It
doesn't protect what is said afterwards: that is for TLS.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final

MECHANISM: Final = "WARREN-NODE-SHA-256"

NONCE_BYTES: Final = 16

ASKED: Final = b"asked"
ASKING: Final = b"asking"

TELLING_BYTES_MAX: Final = 1024
"""A node's name, a nonce and a proof are far below it."""


class NotProved(Exception):
    """The other side doesn't know the secret, or hasn't said what is due; the text says which."""


class AskingNode:
    """The side that connects.  name: its node's.  peer: the other node's, once that is proved."""

    __slots__ = ("_nonce", "_secret", "name", "peer")

    def __init__(self, secret: bytes, name: str) -> None:
        self._secret = secret
        self._nonce = secrets.token_hex(NONCE_BYTES).encode()
        self.name = name
        self.peer = ""

    def start(self) -> bytes:
        """What is said first."""
        return self.name.encode() + b"\0" + self._nonce

    def answer(self, challenge: bytes) -> bytes:
        """The proof, for what the other side has said; NotProved when that doesn't prove itself."""
        parts = challenge.split(b"\0")
        if len(parts) != 3:
            raise NotProved("the other node hasn't said name, nonce and proof")
        name, nonce, proof = parts
        said = self.name.encode(), name, self._nonce, nonce
        if not hmac.compare_digest(proof, _proof(self._secret, ASKED, *said)):
            raise NotProved("the other node doesn't know the secret of this cluster")
        self.peer = name.decode("utf-8", "replace")
        return _proof(self._secret, ASKING, *said)


class AskedNode:
    """The side that listens.  name: its node's.  peer: what the other one calls itself."""

    __slots__ = ("_expected", "_secret", "name", "peer")

    def __init__(self, secret: bytes, name: str) -> None:
        self._secret = secret
        self._expected = b""
        self.name = name
        self.peer = ""

    def challenge(self, start: bytes) -> bytes:
        """What is to be said to the other side's beginning; NotProved for one that is none."""
        peer, separator, peer_nonce = start.partition(b"\0")
        if not (peer and separator and peer_nonce) or len(start) > TELLING_BYTES_MAX or b"\0" in peer_nonce:
            raise NotProved("the other node hasn't said name and nonce")
        self.peer = peer.decode("utf-8", "replace")
        nonce = secrets.token_hex(NONCE_BYTES).encode()
        said = peer, self.name.encode(), peer_nonce, nonce
        self._expected = _proof(self._secret, ASKING, *said)
        return b"\0".join((self.name.encode(), nonce, _proof(self._secret, ASKED, *said)))

    def check(self, proof: bytes) -> None:
        """NotProved unless this is the other side's proof."""
        if not hmac.compare_digest(proof, self._expected):
            raise NotProved(f"node '{self.peer}' doesn't know the secret of this cluster")


def _proof(secret: bytes, role: bytes, *said: bytes) -> bytes:
    return hmac.digest(secret, b"\0".join((role, *said)), "sha256").hex().encode()
