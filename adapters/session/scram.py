"""SCRAM-SHA-256, the server's side (RFC 5802, RFC 7677), for protocols whose authentication takes several steps.

    client    n,,n=user,r=NONCE
    server    r=NONCE+OURS,s=SALT,i=ITERATIONS
    client    c=biws,r=NONCE+OURS,p=PROOF
    server    v=SIGNATURE

A name that has no verifier is led through the same steps and refused at the end.  Channel binding isn't offered.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from typing import TYPE_CHECKING, Final

from warren.core.access.scram import Verifier, stand_in
from warren.core.declaring.names import unguessable

if TYPE_CHECKING:
    from warren.core.access.users import Users

SCRAM_SHA_256: Final = "SCRAM-SHA-256"

_SECRET: Final = os.urandom(32)
"""Makes the salts of names without a verifier, the same for a name each time, so that they look like real ones."""

_first = re.compile(r"([ny],(?:a=[^,]*)?,)(n=([^,]+),r=([^,]+))(?:,.*)?")
_final = re.compile(r"(c=([^,]+),r=([^,]+)),p=([^,]+)")


class ScramRefused(Exception):
    """What the client says proves nothing, or is none of SCRAM's.  name: whom it said it is; empty before that."""

    def __init__(self, name: str) -> None:
        of_whom = f" of user '{name}'" if name else ""
        super().__init__(f"the authentication{of_whom} failed; check user name and password")
        self.name = name


class Step:
    """The answer to one message of the client.  user: set when the client has proved who it is."""

    __slots__ = ("data", "user")

    def __init__(self, data: bytes, user: str | None = None) -> None:
        self.data = data
        self.user = user


class ScramSha256:
    """One authentication; see the head of this file.

    vhosts_in_names: a name may be `VHOST:USER`, and is the latter's unless there is such a user.
    """

    __slots__ = ("_challenge", "_header", "_name", "_nonce", "_start", "_users", "_verifier", "_vhosts_in_names")

    def __init__(self, users: Users, *, vhosts_in_names: bool = False) -> None:
        self._users = users
        self._vhosts_in_names = vhosts_in_names
        self._name = ""
        self._header = ""
        self._start = ""
        self._nonce = ""
        self._challenge = ""
        self._verifier: Verifier | None = None

    def answer(self, data: bytes) -> Step:
        """Take the client's message; ScramRefused when it proves nothing, or is none of SCRAM's."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise ScramRefused(self._name) from None
        return self._prove(text) if self._verifier is not None else self._begin(text)

    def _begin(self, text: str) -> Step:
        found = _first.fullmatch(text)
        if found is None:
            raise ScramRefused(self._name)
        self._header, self._start = found[1], found[2]
        self._name = found[3].replace("=2C", ",").replace("=3D", "=")
        self._nonce = found[4] + unguessable()
        without_vhost = self._name.rpartition(":")[2]
        user = self._name if self._name in self._users or not self._vhosts_in_names else without_vhost
        other = stand_in(user, _SECRET)  # made in any case, as it takes its time
        self._verifier = self._users.verifiers.get(user) or other
        salt = base64.b64encode(self._verifier.salt).decode()
        self._challenge = f"r={self._nonce},s={salt},i={self._verifier.iterations}"
        return Step(self._challenge.encode())

    def _prove(self, text: str) -> Step:
        found = _final.fullmatch(text)
        verifier = self._verifier
        if found is None or verifier is None or found[3] != self._nonce:
            raise ScramRefused(self._name)
        try:
            header = base64.b64decode(found[2], validate=True)
            proof = base64.b64decode(found[4], validate=True)
        except ValueError:
            raise ScramRefused(self._name) from None
        message = f"{self._start},{self._challenge},{found[1]}".encode()
        signature = hmac.digest(verifier.stored_key, message, "sha256")
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=False))
        proved = hmac.compare_digest(hashlib.sha256(client_key).digest(), verifier.stored_key)
        if not proved or header != self._header.encode():
            raise ScramRefused(self._name)
        self._verifier = None
        answer = base64.b64encode(hmac.digest(verifier.server_key, message, "sha256"))
        return Step(b"v=" + answer, self._name)
