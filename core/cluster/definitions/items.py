"""What is shared, as it stands in the bucket: the keys, and the values.

A key is `kind.vhost.name`, each part in base64url, so that it says nothing that NATS's subjects can't.  A part that
is long (a binding's name holds its arguments) is a digest behind a `=`; the value has it in full.

A value is JSON:

    kind, vhost, name, row    what is declared, as the definition store has it
    made      the revision at which it came into being, 0 for this value's own: a later one of the same key whose `made`
              differs is another thing by the same name
    of        what it belongs to, by key, with the revision at which that came into being
    node, id, at    who wrote it, a number drawn for this writing alone, and when, in milliseconds since 1970

By `of` a binding of an exchange that was deleted and declared again doesn't come back to life, whatever is still in the
bucket, and in whichever order things are read: what it belonged to isn't there any more.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from warren.core.frozen import frozen

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON

VHOST: Final = "vhost"
USER: Final = "user"
PERMISSION: Final = "permission"
TOPIC_PERMISSION: Final = "topic_permission"
EXCHANGE: Final = "exchange"
QUEUE: Final = "queue"
BINDING: Final = "binding"
POLICY: Final = "policy"
OPERATOR_POLICY: Final = "operator_policy"
PARAMETER: Final = "parameter"
GLOBAL_PARAMETER: Final = "global_parameter"

RANKS: Final[Mapping[str, int]] = {
    VHOST: 0,
    USER: 0,
    GLOBAL_PARAMETER: 0,
    PERMISSION: 1,
    TOPIC_PERMISSION: 1,
    POLICY: 1,
    OPERATOR_POLICY: 1,
    PARAMETER: 1,
    EXCHANGE: 2,
    QUEUE: 3,
    BINDING: 4,
}
"""What is made first has the lower number; what goes, goes the other way round."""

CLUSTER_KEY: Final = "cluster"
"""The key of what is said of the bucket as a whole (joining.py)."""

PART_MAX: Final = 200
"""Characters of a part that is written as it is; a subject has some thousand at most."""

MARK_OF_DIGESTS: Final = "="


@frozen
class Item:
    """A value; see the head of this file."""

    kind: str
    vhost: str
    name: str
    row: Mapping[str, JSON]
    made: int
    of: Mapping[str, int]
    node: str
    id: str
    at_ms: int

    @property
    def key(self) -> str:
        """Where it stands."""
        return key_of(self.kind, self.vhost, self.name)

    @property
    def rank(self) -> int:
        """See RANKS."""
        return RANKS[self.kind]

    def __str__(self) -> str:
        """For people."""
        what = self.kind.replace("_", " ")
        return f"{what} '{self.name}' in vhost '{self.vhost}'" if self.vhost else f"{what} '{self.name}'"

    def encoded(self) -> bytes:
        """As it stands in the bucket."""
        value = {
            "kind": self.kind,
            "vhost": self.vhost,
            "name": self.name,
            "row": self.row,
            "made": self.made,
            "of": self.of,
            "node": self.node,
            "id": self.id,
            "at": self.at_ms,
        }
        return json.dumps(value, separators=(",", ":")).encode()


def decode(value: bytes, revision: int) -> Item:
    """The opposite of `encoded`; revision: the key's, which is what it was made at if it was made by this value.

    Raises ValueError for what isn't one, or is of a kind that this version doesn't know.
    """
    try:
        found = cast("dict[str, JSON]", json.loads(value))
        kind = str(found["kind"])
        of = {str(key): int(str(made)) for key, made in cast("dict[str, JSON]", found["of"]).items()}
        item = Item(
            kind,
            str(found["vhost"]),
            str(found["name"]),
            dict(cast("dict[str, JSON]", found["row"])),
            int(str(found["made"])) or revision,
            of,
            str(found["node"]),
            str(found["id"]),
            int(str(found["at"])),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"no value of a cluster's definitions: {error!r}") from None
    if kind not in RANKS:
        raise ValueError(f"a '{kind}', which this version of Warren doesn't know")
    return item


def key_of(kind: str, vhost: str, name: str) -> str:
    """Where something stands in the bucket."""
    return f"{_part(kind)}.{_part(vhost)}.{_part(name)}"


def new_id() -> str:
    """Of one writing."""
    return os.urandom(9).hex()


def _part(text: str) -> str:
    octets = text.encode("utf-8", "surrogatepass")
    part = base64.urlsafe_b64encode(octets).decode().rstrip("=")
    if not part or len(part) > PART_MAX:
        digest = base64.urlsafe_b64encode(hashlib.blake2b(octets, digest_size=24).digest()).decode()
        return MARK_OF_DIGESTS + (digest if part else "")
    return part
