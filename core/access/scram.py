"""What SCRAM needs to know of a password (RFC 5802, RFC 7677), and who proved to know it.

RabbitMQ's password hashes can't serve SCRAM, so a verifier of its own is kept beside them (kind "scram", one row per
user).  It is made when the broker sees the password itself: when it is set, or at the first login by password through
an adapter that offers SCRAM.  A user whose hash was imported can therefore use SCRAM after one such login.  As with any
SCRAM server, the rows don't hold what a client would need to log in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Final

from warren.core.frozen import frozen
from warren.core.storage.definitions.store import JSON, DefinitionStore

KIND: Final = "scram"

ITERATIONS: Final = 4096
"""The least that RFC 7677 allows: each one costs a small device at every login."""

SALT_BYTES: Final = 16


@frozen
class Verifier:
    """StoredKey and ServerKey of RFC 5802, 3, with what they were made with."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


def make_verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> Verifier:
    """The verifier of a password."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("utf-8", "surrogateescape"), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return Verifier(salt, iterations, hashlib.sha256(client_key).digest(), hmac.digest(salted, b"Server Key", "sha256"))


def new_salt() -> bytes:
    """Of a verifier that is about to be made."""
    return os.urandom(SALT_BYTES)


def row_of(verifier: Verifier) -> dict[str, JSON]:
    """As it is kept."""
    return {
        "salt": base64.b64encode(verifier.salt).decode(),
        "iterations": verifier.iterations,
        "stored_key": base64.b64encode(verifier.stored_key).decode(),
        "server_key": base64.b64encode(verifier.server_key).decode(),
    }


def stand_in(name: str, secret: bytes) -> Verifier:
    """A verifier for a name that has none, always the same one, so that nobody finds out which names exist."""
    salt = hmac.digest(secret, name.encode("utf-8", "surrogateescape"), "sha256")[:SALT_BYTES]
    return Verifier(salt, ITERATIONS, os.urandom(32), os.urandom(32))


class Verifiers:
    """The verifiers of all users, kept in `store`."""

    __slots__ = ("_by_name", "_store")

    def __init__(self, store: DefinitionStore) -> None:
        self._store = store
        self._by_name: dict[str, Verifier] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def get(self, name: str) -> Verifier | None:
        """The user's; None when there is none yet."""
        return self._by_name.get(name)

    def make(self, name: str, password: str) -> None:
        """The user's password is this one."""
        verifier = self._by_name[name] = make_verifier(password, new_salt())
        self._store.put(KIND, "", name, row_of(verifier))

    def put(self, name: str, row: Mapping[str, JSON]) -> None:
        """The user's is this one, made elsewhere."""
        self.restore(name, row)
        self._store.put(KIND, "", name, row)

    def forget(self, name: str) -> None:
        """The user is gone, or has another password that nobody has said yet."""
        if self._by_name.pop(name, None) is not None:
            self._store.delete(KIND, "", name)

    def restore(self, name: str, row: Mapping[str, JSON]) -> None:
        """Take a row read back."""
        self._by_name[name] = Verifier(
            base64.b64decode(str(row["salt"])),
            int(str(row["iterations"])),
            base64.b64decode(str(row["stored_key"])),
            base64.b64decode(str(row["server_key"])),
        )
