"""What the broker asks of a cluster, where it is part of one: the one seam between core and what runs a cluster.

`Broker.cluster` is None without a cluster, and then none of this is imported.  Whoever needs another question asked
adds it here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from warren.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from warren.core.administration.listing.far import FarRow
    from warren.core.administration.steps import Steps
    from warren.core.cluster.beyond import Beyond
    from warren.core.cluster.figures import ClusterFigures
    from warren.core.messages.field_table import FieldValue
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost


@frozen
class Node:
    """A node of the cluster.

    link: where it listens for other nodes, as `host:port`; empty where it doesn't.  version: of its Warren.
    started_at_ms: since 1970, by its own clock.  is_draining: it gives its shards away and takes no others.
    """

    name: str
    link: str = ""
    version: str = ""
    started_at_ms: int = 0
    is_draining: bool = False


class ClusterHook(Protocol):
    """See the head of this file.  name: this node's."""

    name: str

    def end_of_turn(self) -> bool:
        """A turn of the broker ends: begin what has to be written for shards; True where more is to be done at once."""

    def makes(self, made: type[Queue], *, durable: bool, exclusive: bool) -> bool:
        """Whether a queue of this type always is one of the cluster's, made by `queue`."""

    def number_of(self, vhost: str, name: str) -> int:
        """A number for such a queue, in the log of its shard."""

    def queue(
        self,
        vhost: VirtualHost,
        name: str,
        *,
        auto_delete: bool,
        arguments: Mapping[str, FieldValue],
        arguments_raw: bytes,
        store_id: int,
    ) -> Queue:
        """What stands for a replicated queue here, as things are: the queue itself where this node owns its shard.

        Raises PreconditionFailed (406) for arguments that can't be.
        """

    def beyond_of(self, vhost: VirtualHost) -> Beyond | None:
        """Where messages of a virtual host go on other nodes; None where none can be reached from here."""

    def queue_made(self, queue: Queue) -> None:
        """A queue was declared here."""

    def queue_named(self, vhost: VirtualHost, name: str) -> None:
        """A queue is there that this node alone knows: the default exchange leads there."""

    def queue_unnamed(self, vhost: VirtualHost, name: str) -> None:
        """It isn't any more."""

    def queue_at(
        self,
        vhost: VirtualHost,
        name: str,
        node: str,
        *,
        arguments: Mapping[str, FieldValue],
        arguments_raw: bytes,
        store_id: int,
    ) -> Queue:
        """What stands here for a durable queue that this node has by itself, wherever shards are.

        Raises PreconditionFailed (406) for arguments that can't be.
        """

    @property
    def nodes(self) -> Mapping[str, Node]:
        """Those that are in the cluster, by name, as far as is known; this one, too, once it has joined."""

    def owners_of_shards(self) -> Sequence[str]:
        """The node that has each shard, in the order of their numbers; empty where none has it."""

    def figures(self) -> ClusterFigures:
        """What is measured of it, for who counts."""

    def shard_rows(self) -> Steps[list[dict[str, object]]]:
        """Each shard with its `node`, and what that is doing with it where it is this one: `state`, `reason`, `queues`,
        `messages`, `unconfirmed`.
        """

    def rows_elsewhere(self, what: str, where: tuple[str, str] | None = None) -> Awaitable[Sequence[FarRow]]:
        """Rows of the other nodes in a listing (`connections`, `channels`...): of those that answer in time.

        where: a column, and what it holds in the rows that are wanted.  Without it all are, as they were up to a second
        ago.
        """

    def counts_elsewhere(self) -> Awaitable[Mapping[str, int]]:
        """How many connections and channels the other nodes have, by these names."""

    def count_elsewhere(self, queue: Queue | None = None) -> Awaitable[None]:
        """Have queues of other nodes show what these say of them now: one, or all.  Those of a node that doesn't answer
        in time show that.
        """

    def want_counts(self) -> None:
        """The same of all, soon, for who can't wait."""

    def close_elsewhere(
        self, reason: str, *, name: str = "", vhost: str = "", user: str = "", node: str = ""
    ) -> Awaitable[int]:
        """Close the connection of a name, or all, or those of a virtual host or a user; how many were closed.

        reason: what their clients are told.  node: the one that is asked; all others where it is empty.
        Raises NotFound where the one that was named doesn't answer.
        """

    def is_there(self, node: str) -> bool:
        """Whether a node of this name is in the cluster, as far as is known."""

    def place_of(self, queue: Queue) -> Node | None:
        """The node that has a queue which isn't here; None where nobody has it, as far as is known."""
