"""The definitions that stand for a Mosquitto's users and what they may do.

Each user may do in the virtual host what MQTT takes, and no more: all with the client's own queues, reading and writing
with the exchange that topics go through.  With an ACL file, topic permissions say which topics; a user who isn't in it
has none, as in Mosquitto.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from warren.core.frozen import frozen
from warren.gateway.mosquitto.acl_file import Allowed, read_acl
from warren.gateway.mosquitto.expressions import NOTHING, expression_of, whole
from warren.gateway.mosquitto.password_file import read_passwords

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON

QUEUES: Final = "^mqtt-(?:subscription|shared)-"
"""Those of MQTT clients."""


@frozen
class Converted:
    """definitions: as a definitions file has them.  notes: what was left out, and why, for people."""

    definitions: dict[str, JSON]
    notes: list[str]

    def text(self) -> str:
        """The definitions as they stand in a file."""
        return json.dumps(self.definitions)


def convert(passwords: str, acl: str | None, vhost: str, exchange: str) -> Converted:
    """What the texts of a password file and an ACL file, None if there is none, mean here.

    exchange: through which MQTT goes.  MosquittoFileError for a line that can't be taken over.
    """
    users = read_passwords(passwords)
    definitions: dict[str, JSON] = {
        "users": [
            {"name": each.name, "password_hash": each.password_hash, "hashing_algorithm": each.algorithm, "tags": []}
            for each in users
        ],
        "permissions": [
            {
                "user": each.name,
                "vhost": vhost,
                "configure": QUEUES,
                "write": _with_exchange(exchange),
                "read": _with_exchange(exchange),
            }
            for each in users
        ],
    }
    notes: list[str] = []
    if acl is not None:
        allowed = read_acl(acl)
        definitions["topic_permissions"] = [
            {
                "user": each.name,
                "vhost": vhost,
                "exchange": exchange,
                "write": _expression(allowed.users.get(each.name), allowed.patterns, write=True),
                "read": _expression(allowed.users.get(each.name), allowed.patterns, write=False),
            }
            for each in users
        ]
        known = {each.name for each in users}
        notes += [
            f"the user '{name}' of the ACL file isn't in the password file, and was left out"
            for name in allowed.users
            if name not in known
        ]
        if allowed.anonymous.read or allowed.anonymous.write:
            notes.append(
                "what the ACL file allows clients without a name was left out: give topic permissions to the user that "
                "mqtt_default_user names"
            )
    return Converted(definitions, notes)


def _with_exchange(exchange: str) -> str:
    return f"{QUEUES}|{whole(exchange)}"


def _expression(allowed: Allowed | None, patterns: Allowed, *, write: bool) -> str:
    filters = [] if allowed is None else allowed.write if write else allowed.read
    everybody = patterns.write if write else patterns.read
    return expression_of(filters, everybody) if filters or everybody else NOTHING
