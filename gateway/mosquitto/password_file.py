"""Mosquitto's password file (`password_file` in mosquitto.conf): a line `NAME:HASH` for each user.

Hashes begin with the number of their kind: `$6$` salted SHA-512, `$7$` PBKDF2.  Empty lines and those that begin with
`#` mean nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from warren.core.access import mosquitto_passwords
from warren.core.errors import PreconditionFailed
from warren.gateway.mosquitto.errors import MosquittoFileError

FILE: Final = "password file"

KINDS: Final = {
    "6": mosquitto_passwords.SALTED_SHA512,
    "7": mosquitto_passwords.PBKDF2_SHA512,
}
"""Algorithms by the number that Mosquitto has for them."""


class PasswordLine(NamedTuple):
    """A user.  password_hash, algorithm: as core.access.passwords has them."""

    name: str
    password_hash: str
    algorithm: str


def read_passwords(text: str) -> list[PasswordLine]:
    """The users of a password file, in its order.

    MosquittoFileError for a line that isn't one, a hash that Warren can't check, and a name that comes twice.
    """
    found: dict[str, PasswordLine] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, stored = line.strip().partition(":")
        if not colon or not name:
            raise MosquittoFileError(FILE, number, "it isn't of the form NAME:HASH")
        if name in found:
            raise MosquittoFileError(FILE, number, f"the user '{name}' is there already; remove one of the two lines")
        found[name] = _user(name, stored, number)
    return list(found.values())


def _user(name: str, stored: str, number: int) -> PasswordLine:
    parts = stored.split("$", 2)
    if len(parts) != 3 or parts[0]:
        raise MosquittoFileError(
            FILE,
            number,
            f"the password of '{name}' isn't hashed; run 'mosquitto_passwd -U FILE' first",
        )
    algorithm = KINDS.get(parts[1])
    if algorithm is None:
        raise MosquittoFileError(
            FILE,
            number,
            f"the password of '{name}' is hashed by ${parts[1][:20]}$, which Warren doesn't know; known are "
            f"{', '.join(f'${kind}$' for kind in KINDS)}. Remove the line, and add the user with a password",
        )
    try:
        return PasswordLine(name, mosquitto_passwords.check(parts[2], algorithm), algorithm)
    except PreconditionFailed as error:
        raise MosquittoFileError(FILE, number, f"'{name}': {error.text}") from None
