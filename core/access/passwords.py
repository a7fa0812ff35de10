"""Password hashes in RabbitMQ's format, so that its exported definitions can be taken over.

A stored hash is base64(salt + H(salt + password in UTF-8)) with four bytes of salt (spec G).  The hash
functions carry the names under which RabbitMQ stores them; a user without such a name dates from the time of
MD5.  Hashes of Mosquitto's password files are kept in its own formats (mosquitto_passwords.py).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from warren.core.access import mosquitto_passwords
from warren.core.errors import PreconditionFailed

SHA256: Final = "rabbit_password_hashing_sha256"
SHA512: Final = "rabbit_password_hashing_sha512"
MD5: Final = "rabbit_password_hashing_md5"

DEFAULT_ALGORITHM: Final = SHA256
LEGACY_ALGORITHM: Final = MD5
"""What an imported hash without a named algorithm was made with."""

SALT_BYTES: Final = 4
"""Fixed by the format: nothing in a stored hash says where the salt ends."""

NO_PASSWORD: Final = ""
"""The stored hash of a user who can't log in with a password."""

STAND_IN: Final = base64.b64encode(bytes(SALT_BYTES + hashlib.sha256().digest_size)).decode("ascii")
"""What a password is compared with where there is none to compare it with, so that nobody can tell by the time it takes
which names exist; no password has a digest of zeros alone."""


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _sha512(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


_ALGORITHMS: Final[dict[str, Callable[[bytes], bytes]]] = {SHA256: _sha256, SHA512: _sha512, MD5: _md5}


def hash_password(password: str, salt: bytes, algorithm: str = DEFAULT_ALGORITHM) -> str:
    """The hash to store for `password`; `salt` is SALT_BYTES random bytes.

    Raises PreconditionFailed for a blank password, one that can't be written as UTF-8, and an unknown
    algorithm.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    if not password:
        raise PreconditionFailed("a password can't be blank; choose one, or clear it to forbid password logins")
    try:
        encoded = _encode(password)
    except UnicodeEncodeError:
        raise PreconditionFailed("the password holds characters that UTF-8 can't express") from None
    if algorithm not in _ALGORITHMS:
        raise PreconditionFailed(f"nothing is hashed anew with '{algorithm}'; use one of {', '.join(_ALGORITHMS)}")
    digest = _ALGORITHMS[algorithm](salt + encoded)
    return base64.b64encode(salt + digest).decode("ascii")


def verify(password: str, stored_hash: str, algorithm: str) -> bool:
    """True when `stored_hash` was made from `password`.

    False for everything else: a blank password always (spec G), a stored hash that is blank or malformed, an
    unknown algorithm.
    """
    if not password or not stored_hash:
        return False
    if algorithm in mosquitto_passwords.ALGORITHMS:
        return mosquitto_passwords.verify(_encode(password), stored_hash, algorithm)
    function = _ALGORITHMS.get(algorithm)
    if function is None:
        return False
    try:
        stored = base64.b64decode(stored_hash, validate=True)
        encoded = _encode(password)
    except (binascii.Error, ValueError):
        return False
    salt, digest = stored[:SALT_BYTES], stored[SALT_BYTES:]
    return hmac.compare_digest(function(salt + encoded), digest)


def check_algorithm(algorithm: str) -> str:
    """`algorithm` itself; raises PreconditionFailed when there is none of that name."""
    known = (*_ALGORITHMS, *mosquitto_passwords.ALGORITHMS)
    if algorithm not in known:
        raise PreconditionFailed(f"unknown password hashing algorithm '{algorithm}'; known are {', '.join(known)}")
    return algorithm


def check_hash(stored_hash: str, algorithm: str = DEFAULT_ALGORITHM) -> str:
    """`stored_hash` itself; PreconditionFailed unless it is blank, or of the form that the algorithm's hashes have."""
    if stored_hash != NO_PASSWORD and algorithm in mosquitto_passwords.ALGORITHMS:
        return mosquitto_passwords.check(stored_hash, algorithm)
    try:
        decoded = base64.b64decode(stored_hash, validate=True)
    except (binascii.Error, ValueError):
        raise PreconditionFailed("the password hash is not valid base64") from None
    if stored_hash != NO_PASSWORD and len(decoded) <= SALT_BYTES:
        raise PreconditionFailed("the password hash is too short to hold a salt and a digest")
    return stored_hash


def _encode(password: str) -> bytes:
    # Bytes that weren't UTF-8 on the wire are lone surrogates here, and hash as the bytes they were.
    return password.encode("utf-8", "surrogateescape")
