"""Password hashes in the formats of Mosquitto's password files, kept as they stand there.

    $6$SALT$DIGEST                  SHA-512 of password and salt             "SALT$DIGEST"
    $7$ITERATIONS$SALT$DIGEST       PBKDF2 with HMAC-SHA-512                  "ITERATIONS$SALT$DIGEST"

Salt and digest are base64.  On the right is what a user's row holds, beside the name of the algorithm.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

from warren.core.errors import PreconditionFailed

SALTED_SHA512: Final = "mosquitto_sha512"
PBKDF2_SHA512: Final = "mosquitto_pbkdf2_sha512"

ALGORITHMS: Final = (SALTED_SHA512, PBKDF2_SHA512)

DIGEST_BYTES: Final = hashlib.sha512().digest_size

ITERATIONS_MAX: Final = 10_000
"""About ten milliseconds, for which a login holds everybody up; mosquitto_passwd takes 101 or 1,000 by itself."""


def verify(password: bytes, stored: str, algorithm: str) -> bool:
    """Whether `stored` was made from the password; False, too, for what `check` refuses."""
    try:
        iterations, salt, digest = _parts(stored, algorithm)
    except PreconditionFailed:
        return False
    if algorithm == SALTED_SHA512:
        made = hashlib.sha512(password + salt).digest()
    else:
        made = hashlib.pbkdf2_hmac("sha512", password, salt, iterations)
    return hmac.compare_digest(made, digest)


def check(stored: str, algorithm: str) -> str:
    """`stored` itself; PreconditionFailed, with the reason, unless it is of the algorithm's form."""
    _parts(stored, algorithm)
    return stored


def iterations_of(stored: str) -> int:
    """How often a login against a hash of PBKDF2_SHA512 hashes; 0 for what isn't one."""
    try:
        return _parts(stored, PBKDF2_SHA512)[0]
    except PreconditionFailed:
        return 0


def stand_in(iterations: int) -> str:
    """What costs as much to compare with, and no password has: a digest of zeros alone."""
    zeros = base64.b64encode(bytes(DIGEST_BYTES)).decode("ascii")
    return f"{iterations}${zeros}${zeros}"


def _parts(stored: str, algorithm: str) -> tuple[int, bytes, bytes]:
    """Iterations, salt and digest."""
    parts = stored.split("$")
    if len(parts) != (2 if algorithm == SALTED_SHA512 else 3):
        raise PreconditionFailed(f"the password hash isn't of the form that {algorithm} has")
    iterations = 1
    if algorithm == PBKDF2_SHA512:
        number = parts.pop(0)
        iterations = int(number) if number.isascii() and number.isdecimal() else 0
        if not 0 < iterations <= ITERATIONS_MAX:
            raise PreconditionFailed(
                f"a password hash with {number[:20]} iterations; possible are 1 to {ITERATIONS_MAX}: give the user "
                "another password"
            )
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in parts)
    except (binascii.Error, ValueError):
        raise PreconditionFailed("the password hash isn't valid base64") from None
    if len(digest) != DIGEST_BYTES:
        raise PreconditionFailed(f"the password hash has {len(digest)} bytes instead of {DIGEST_BYTES}")
    return iterations, salt, digest
