"""How a node comes to have what its cluster has: the first one brings it, and others take it.

    LOOKING      it doesn't know yet what is in the bucket
    WAITING      another node is bringing what it has
    BRINGING     this one is
    JOINED       what is here is what the cluster has
    REFUSED      it can't be: `trouble` says why, and what to do

The bucket says of itself, under `CLUSTER_KEY`, which cluster it is of, by a number drawn once, and whether the first
node's definitions are in it as a whole (`ready`).  Who finds an empty bucket claims it by that key; one wins, and goes
on with it after a crash.

A node that has joined keeps the cluster's number.  It serves its clients before it has reached the bucket again, with
what it knows; but it never takes a bucket for its cluster's that is another one's, was emptied, or was set back to an
earlier time.  And nothing that a node brings is merged in silence: what the cluster lacks keeps it out, until somebody
says `--cluster-import`.  What differs counts as the cluster has it then, but queues and exchanges that differ keep it
out all the same.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Final

from warren.core.cluster.agreements import Agreement, Change, State
from warren.core.cluster.definitions.items import CLUSTER_KEY, EXCHANGE, QUEUE, key_of, new_id
from warren.core.cluster.definitions.rows import local_rows
from warren.core.errors import ClusterAway

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.cluster.definitions.replica import Replica

_log = logging.getLogger("warren.cluster")

FORMAT: Final = 1
"""Of keys and values.  A node refuses a bucket of a later one."""

NAMED_MAX: Final = 5
"""Of what keeps a node out, so much is named."""


class Joining(Enum):
    """See the head of this file."""

    LOOKING = "looking for its cluster's definitions"
    WAITING = "waiting for another node's definitions"
    BRINGING = "bringing its definitions into the cluster"
    JOINED = "joined"
    REFUSED = "refused"


class Membership:
    """Of one node.

    imports: whether what the cluster lacks is brought.  seed: makes what a blank broker starts with.  joined: called
    once this node has all that the cluster has.  refused: called once it can't.
    """

    def __init__(self, broker: Broker, replica: Replica, *, imports: bool = False) -> None:
        self._broker = broker
        self._replica = replica
        self._imports = imports
        self._claimed = ""
        self._is_importing = False
        self.state = Joining.LOOKING
        self.trouble = ""
        self.seed: Callable[[], None] = _nothing
        self.joined: Callable[[], None] = _nothing
        self.refused: Callable[[], None] = _nothing
        agreements = replica.agreements
        agreements.propose = self._propose
        agreements.holds = lambda key, revision: replica.table.revision(key) == revision
        agreements.now_ms = lambda: broker.now_ms
        agreements.check_room = broker.definitions.check_room

    @property
    def has_joined_before(self) -> bool:
        """Whether it knows a cluster from an earlier start, so that it needn't wait for the bucket."""
        return "id" in self._replica.saved

    def look(self) -> Iterator[None]:
        """The bucket is known as a whole, or says something else of itself: take the next step, in slices."""
        replica = self._replica
        if replica.is_catching_up or self.state is Joining.REFUSED:
            return
        if self.state is Joining.JOINED:
            self._check_identity()
            if self.state is Joining.JOINED:
                yield from replica.settle_all()
                self._save()
                self._clear_away()
            return
        said, revision = replica.cluster
        if said is None:
            if self.has_joined_before:
                self._refuse(
                    "the bucket of the cluster's definitions is empty, and this node has joined its cluster before: "
                    "restore the bucket from a backup, or see docs/cluster.md for how to begin a new cluster"
                )
            else:
                self._claim(revision)
            return
        self._check_identity()
        if self.trouble:
            return
        if said.get("state") == "ready":
            yield from self._join()
        elif said.get("node") == replica.agreements.node:
            self._bring()
        elif self.state is not Joining.WAITING:
            self.state = Joining.WAITING
            _log.info(
                "node '%s' is bringing its definitions into the new cluster; this one waits until that is done",
                said.get("node"),
            )

    def _check_identity(self) -> None:
        said, _ = self._replica.cluster
        saved = self._replica.saved
        if said is None:
            self._refuse("the bucket of the cluster's definitions was emptied while this node was running")
        elif int(str(said.get("format", 0))) > FORMAT:
            self._refuse("the cluster's definitions are of a later version of Warren: upgrade this node")
        elif "id" in saved and saved["id"] != said.get("id"):
            self._refuse(
                f"this node belongs to cluster {saved['id']}, and the bucket to cluster {said.get('id')}: "
                "start it with the servers of its own cluster, or with an empty data directory"
            )
        elif "id" in saved and 0 < self._replica.bucket_revision < int(str(saved["revision"])):
            self._refuse("the bucket of the cluster's definitions is older than what this node has seen of it")

    def _claim(self, revision: int) -> None:
        if not self._claimed:
            self._claimed = new_id()
            value = {"id": self._claimed, "state": "begun", "node": self._replica.agreements.node, "format": FORMAT}
            self._replica.proposals.write(CLUSTER_KEY, json.dumps(value).encode(), revision)

    def _bring(self) -> None:
        """What is here, as much as isn't there already; again after a crash."""
        if self.state is Joining.BRINGING:
            return
        self.state = Joining.BRINGING
        if not self._broker.vhosts:
            with self._replica.agreements.apart():
                self.seed()
        self._bring_missing(list(local_rows(self._broker, self._replica.agreements.node)), self._say_ready)

    def _bring_missing(self, changes: Sequence[Change], done: Callable[[], None]) -> None:
        replica = self._replica
        missing = [change for change in changes if not replica.table.counts(key_of(*change[:3]))]
        agreement = Agreement(replica.agreements, ("bring", object()), missing, self._broker.now_ms)

        def answered() -> None:
            if agreement.state is State.AGREED:
                done()
            elif agreement.state is State.OVERTAKEN:
                self._bring_missing(missing, done)
            else:
                self._refuse(f"its definitions can't be brought into the cluster: {agreement.error}")

        agreement.waiting.append(answered)
        replica.proposals.submit(agreement, patient=True)

    def _say_ready(self) -> None:
        said, revision = self._replica.cluster
        value = json.dumps({**(said or {}), "state": "ready"}).encode()
        self._replica.proposals.write(CLUSTER_KEY, value, revision)

    def _join(self) -> Iterator[None]:
        """Take what the cluster has."""
        replica = self._replica
        if self._is_importing:
            return
        missing, different = replica.foreign()
        if self._keeps_out(missing, different):
            return
        if missing:
            self._is_importing = True
            self.state = Joining.BRINGING
            self._bring_missing(missing, self._brought)
            return
        yield from self._take_all()

    def _brought(self) -> None:
        self._is_importing = False
        slices = self._take_all()
        self._broker.chores.add(lambda: next(slices, _ENDED) is None)

    def _take_all(self) -> Iterator[None]:
        self._replica.adopt()
        yield from self._replica.settle_all()
        self._save()
        self.state = Joining.JOINED
        self.trouble = ""
        self._clear_away()
        _log.info("joined the cluster's definitions: %d are shared", len(self._replica.table))
        self.joined()

    def _clear_away(self) -> None:
        """What counts no more, and was left by a node that ended before it had cleared it away."""
        self._replica.proposals.clean(self._replica.table.orphans())

    def _keeps_out(self, missing: Sequence[Change], different: Sequence[Change]) -> bool:
        """Whether what is here can't be the cluster's."""
        found = [*missing, *different]
        if not found:
            return False
        conflicts = [change for change in different if change.kind in (QUEUE, EXCHANGE)]
        if self._imports and not conflicts:
            for change in different:
                _log.warning("%s differs from the cluster's, which counts from now on", _named(change))
            return False
        named = ", ".join(_named(change) for change in (conflicts or found)[:NAMED_MAX])
        more = len(conflicts or found) - NAMED_MAX
        named += f" and {more} more" if more > 0 else ""
        if self._imports:
            self._refuse(f"this node has what the cluster has otherwise: {named}. Delete it on one side, or rename it")
        else:
            self._refuse(
                f"this node has definitions that the cluster hasn't, or has otherwise: {named}. Start it with an empty "
                "data directory, or with --cluster-import, which gives the cluster what it lacks"
            )
        return True

    def _save(self) -> None:
        said, _ = self._replica.cluster
        self._replica.save({"id": (said or {}).get("id")})

    def _propose(self, agreement: Agreement) -> None:
        if self.state is Joining.JOINED or (self.state is Joining.LOOKING and self.has_joined_before):
            self._replica.proposals.submit(agreement)
        else:
            words = self.trouble or f"this node is {self.state.value}"
            agreement.end(State.FAILED, ClusterAway(f"nothing of the cluster's can be changed here: {words}"))

    def _refuse(self, why: str) -> None:
        if self.trouble != why:
            _log.error("this node isn't part of its cluster: %s", why)
        self.state = Joining.REFUSED
        self.trouble = why
        self._replica.applies = False
        self._replica.proposals.refuse_all(f"nothing of the cluster's can be changed here: {why}")
        self.refused()


_ENDED: Final = object()


def _named(change: Change) -> str:
    where = f" in vhost '{change.vhost}'" if change.vhost else ""
    return f"{change.kind.replace('_', ' ')} '{change.name}'{where}"


def _nothing() -> None:
    pass
