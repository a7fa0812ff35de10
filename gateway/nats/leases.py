"""Leases: a key of a bucket that one node holds as long as it renews it, and that goes by itself when it doesn't.

A lease says who is to own a shard, so that two nodes don't take it from each other in turns.  It isn't what keeps them
apart: a holder that was paused may believe that it holds it still, and is refused by the stream
(core/storage/replicated).  So the time here may be wrong, and clocks may jump, without harm to what is confirmed.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

import trio

from warren.gateway.nats.errors import WRONG_LAST_SEQUENCE, ApiError, NatsError
from warren.gateway.nats.key_value import Bucket, Entry
from warren.gateway.nats.trio_client import TrioClient

TTL_S: Final = 5
"""How long a lease outlives its last renewal: a shard waits so long when its owner dies."""

RENEWALS_PER_TTL: Final = 4
"""So that one that is late or lost doesn't cost the lease."""

LOOKS_PER_TTL: Final = 2
"""A holder that hasn't renewed it for so much of that time isn't there any more, if it can be an earlier run of us."""


class Lease:
    """A lease of one key, for one node; `take` it, then `keep` it, and `give_up` in good order.

    client: to the NATS servers.  holder: this node's name.  ttl_s: whole seconds, at least 1.  identity: what this
    process has in common with its earlier runs, and with who was started with a copy of its directory; empty for
    nothing.  details: what else the lease says of its holder, for others; `tell` changes it.
    """

    def __init__(
        self,
        client: TrioClient,
        bucket: Bucket,
        key: str,
        holder: str,
        *,
        ttl_s: int = TTL_S,
        identity: str = "",
        details: Mapping[str, object] | None = None,
    ) -> None:
        self.key = key
        self._client = client
        self._bucket = bucket
        self._ttl_s = ttl_s
        self._holder = holder
        self._identity = identity
        # The token tells what this process has written from what another one of the same name has.
        self._token = secrets.token_hex(8)
        self._value = b""
        self.tell(details or {})
        self._revision = 0
        self._renewed_s = 0.0

    def tell(self, details: Mapping[str, object]) -> None:
        """What else it says from its next renewal on."""
        said = {**details, "node": self._holder, "identity": self._identity, "token": self._token}
        self._value = json.dumps(said).encode()

    @property
    def is_fresh(self) -> bool:
        """Whether it hasn't run out, if nobody else has taken it."""
        return self._revision > 0 and trio.current_time() - self._renewed_s < self._ttl_s

    @property
    def revision(self) -> int:
        """Of the last write of it; each is larger than all before it."""
        return self._revision

    async def take(self) -> bool:
        """Take it if nobody holds it, or renew it; whether this node has it now.  Raises NatsError."""
        entry = await self._client.call(self._bucket.get(self.key))
        if entry is not None and not entry.is_gone and not self._is_ours(entry):
            return False
        # One that is ours was written by us lately, as far as the servers know; here that may never have been heard.
        return await self._write(0 if entry is None else entry.revision)

    async def take_over(self, *, is_dead: bool = False) -> bool:
        """The same, at a start: also from an earlier run of this node, without waiting for its end.

        is_dead: that run is known not to be there any more.  Otherwise it is looked at for a while whether the lease is
        renewed: whoever has our identity may also be another node, with a copy of our directory.  Raises NatsError.
        """
        found = await self._client.call(self._bucket.get(self.key))
        if found is None or not self._is_of_us(found):
            return await self.take()
        if not is_dead:
            await trio.sleep(self._ttl_s / LOOKS_PER_TTL)
            entry = await self._client.call(self._bucket.get(self.key))
            if entry is None or entry.revision != found.revision:
                return await self.take()
        # It may have run out just now.
        return await self._write(found.revision) or await self.take()

    async def keep(self, is_well: Callable[[], bool]) -> str:
        """Renew it until it is lost; why, in words.

        is_well: whether what it is held for works, for instance whether flushes finish: it is renewed only then.
        """
        trouble = ""
        while True:
            await trio.sleep(self._ttl_s / RENEWALS_PER_TTL)
            if is_well():
                try:
                    if not await self.renew():
                        return f"another node holds {self.key} now"
                    trouble = ""
                except NatsError as error:
                    # Until it runs out, another try may succeed: servers come back, and full ones get room again.
                    trouble = f": {error}"
            if trio.current_time() - self._renewed_s >= self._ttl_s:
                return f"{self.key} could not be renewed for {self._ttl_s} s{trouble}"

    async def renew(self) -> bool:
        """Renew it once; whether it is ours still.  Raises NatsError."""
        return await self._write(self._revision)

    async def give_up(self) -> None:
        """Have it gone at once, so that another node needn't wait.  Raises NatsError."""
        try:
            await self._client.call(self._bucket.delete(self.key, self._revision))
        except ApiError as error:
            if error.code not in WRONG_LAST_SEQUENCE:
                raise

    async def _write(self, revision: int) -> bool:
        """Write it at this revision; whether it is ours then."""
        began_s = trio.current_time()
        call = self._bucket.write(self.key, self._value, revision, ttl_s=self._ttl_s)
        try:
            self._revision = await self._client.call(call)
        except ApiError as error:
            if error.code not in WRONG_LAST_SEQUENCE:
                raise
            # A write of ours whose answer was lost counts as well.
            entry = await self._client.call(self._bucket.get(self.key))
            return entry is not None and not entry.is_gone and self._is_ours(entry)
        self._renewed_s = began_s
        return True

    def _is_of_us(self, entry: Entry) -> bool:
        """Whether who holds it has our identity, and isn't this process."""
        return bool(self._identity) and said_by(entry).get("identity") == self._identity and not self._is_ours(entry)

    def _is_ours(self, entry: Entry) -> bool:
        if said_by(entry).get("token") != self._token:
            return False
        self._revision = entry.revision
        return True


def holder_of(entry: Entry) -> str:
    """The node that holds a lease; empty where nobody does, or what is there is none."""
    node = said_by(entry).get("node")
    return node if isinstance(node, str) else ""


def said_by(entry: Entry) -> Mapping[str, Any]:
    """All that a lease says; nothing where nobody holds it, or what is there is none."""
    if entry.is_gone:
        return {}
    try:
        found = json.loads(entry.value)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
