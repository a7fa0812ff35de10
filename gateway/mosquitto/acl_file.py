"""Mosquitto's ACL file (`acl_file` in mosquitto.conf): who may publish to, and read, which topics.

    topic [read|write|readwrite|deny] FILTER    for the user of the last `user` line; before the first, for clients
                                                without a name
    user NAME
    pattern [read|write|readwrite|deny] FILTER  for everybody, with %u for the user name and %c for the client id

Without a word for the access it is readwrite.  Empty lines and those that begin with `#` mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from warren.adapters.mqtt.codec.errors import MalformedPacket
from warren.adapters.mqtt.codec.topics import check_filter
from warren.gateway.mosquitto.errors import MosquittoFileError

FILE: Final = "ACL file"

READ: Final = "read"
WRITE: Final = "write"
BOTH: Final = "readwrite"
DENY: Final = "deny"


@dataclass(slots=True)
class Allowed:
    """Topic filters, in the order of the file."""

    read: list[str] = field(default_factory=list)
    write: list[str] = field(default_factory=list)

    def add(self, access: str, filter: str) -> None:
        """Allow what `access` says."""
        if access != WRITE:
            self.read.append(filter)
        if access != READ:
            self.write.append(filter)


@dataclass(slots=True)
class AccessList:
    """An ACL file.  anonymous: of clients without a name.  patterns: of everybody, with %u and %c."""

    anonymous: Allowed = field(default_factory=Allowed)
    users: dict[str, Allowed] = field(default_factory=dict)
    patterns: Allowed = field(default_factory=Allowed)


def read_acl(text: str) -> AccessList:
    """What an ACL file allows.

    MosquittoFileError for a line that isn't one, a filter that is none, and for `deny`, which permissions here can't
    say.
    """
    found = AccessList()
    current = found.anonymous
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        if not rest:
            raise MosquittoFileError(FILE, number, f"'{word}' has nothing behind it")
        if word == "user":
            current = found.users.setdefault(rest, Allowed())
        elif word in ("topic", "pattern"):
            access, filter = _access(rest, number)
            _check(filter, number)
            (found.patterns if word == "pattern" else current).add(access, filter)
        else:
            raise MosquittoFileError(FILE, number, f"'{word[:40]}' isn't one of user, topic and pattern")
    return found


def _access(rest: str, number: int) -> tuple[str, str]:
    """(access, filter) of what stands behind `topic` or `pattern`."""
    first, space, filter = rest.partition(" ")
    if not space or first not in (READ, WRITE, BOTH, DENY):
        return BOTH, rest
    if first == DENY:
        raise MosquittoFileError(
            FILE,
            number,
            f"'deny {filter.strip()}' can't be taken over, since permissions here only say what is allowed; remove the "
            "line, and name what the user may use instead of the wider filter",
        )
    return first, filter.strip()


def _check(filter: str, number: int) -> None:
    try:
        check_filter(filter)
    except MalformedPacket as error:
        raise MosquittoFileError(FILE, number, error.text) from None
