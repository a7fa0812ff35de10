"""The transaction of a tx channel (AMQP 0-9-1 1.9).

Publishes and acknowledgements are collected and done at tx.commit, all of them as one atomic group of the store: after
a crash either everything of a transaction is there or nothing, across queues too, which goes beyond RabbitMQ.
tx.commit-ok is sent when the group is on disk.  A rollback discards publishes; acknowledged messages become
unacknowledged again and are not redelivered.  A message of a transaction is published at the commit: its place in its
queues and its TTL are counted from then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.handlers.publish import deliver
from warren.adapters.session.deliveries import SETTLED_PER_SLICE, Settlement, Verdict, work_of
from warren.adapters.session.long_work import until_answered
from warren.core.chores import let_go
from warren.core.errors import NotFound, PreconditionFailed
from warren.core.queues.unacked import Delivery
from warren.core.routing.publish import check_topic_keys
from warren.core.routing.receipt import Receipt, joined
from warren.core.routing.route import Route
from warren.core.routing.vhost import Outcome

if TYPE_CHECKING:
    from warren.adapters.amqp091.channel import Channel
    from warren.adapters.session.long_work import Slices
    from warren.core.chores import Chores
    from warren.core.clients.client import Client
    from warren.core.messages.address import Address
    from warren.core.messages.message import Message
    from warren.core.routing.vhost import VirtualHost


PUBLISH_WORK: Final = 5
"""A message that is published is so much work, if an acknowledgement is 1; or as much as it goes to queues."""

CHECKED_PER_SLICE: Final = 500
"""Publishes that are looked at in one turn for the rights to them: a few microseconds each."""

Uncommitted = tuple["Message", Route, bool]
"""A publish: the message, its way when it came, and whether it is mandatory."""

Outcomes = tuple[int, list[Receipt]]
"""How many publishes full queues have refused, and those that are answered later."""


class Transaction:
    """What was done on the channel since the last commit or rollback.

    rights_version: of the users, when it began.  publishes: message, route, mandatory.  settlements: deliveries with
    their verdicts.  on_disk: the number of the latest commit that is.
    """

    __slots__ = (
        "_late",
        "_returning",
        "commits_answered",
        "commits_requested",
        "on_disk",
        "publishes",
        "rights_version",
        "settlements",
    )

    def __init__(self, rights_version: int) -> None:
        self.rights_version = rights_version
        self.publishes: list[Uncommitted] = []
        self.settlements: list[Settlement] = []
        self.commits_requested = 0
        self.commits_answered = 0
        self.on_disk = 0
        self._late: Receipt | None = None
        self._returning: list[dict[int, Delivery]] | None = None

    @property
    def committing(self) -> bool:
        """True while a tx.commit-ok waits for the disk, or for queues that answer later."""
        return self.commits_requested > self.commits_answered

    @property
    def uncommitted_acks(self) -> int:
        """Acknowledgements waiting for the commit."""
        return sum(len(deliveries) for deliveries, _ in self.settlements)

    @property
    def uncommitted_consumer_acks(self) -> int:
        """Those of them that keep credit of the channel's consumers until the commit."""
        return sum(
            1 for deliveries, _ in self.settlements for _, _, consumer in deliveries.values() if consumer is not None
        )

    @property
    def work(self) -> int:
        """How much the commit has to do, if an acknowledgement is 1 (core.chores), as far as a turn has that much."""
        work = 0
        for _, route, _ in self.publishes:
            work += max(PUBLISH_WORK, len(route.queues))
            if work > SETTLED_PER_SLICE:
                return work
        for deliveries, verdict in self.settlements:
            if work > SETTLED_PER_SLICE:
                break
            work += len(deliveries) if verdict == "ack" else work_of(deliveries, verdict)
        return work

    def commit(self, channel: Channel) -> bool:
        """Do it all; True when tx.commit-ok must wait for a flush, else it may be sent at once.

        Raises PreconditionFailed (406) when a full queue refused a publish (spec A.7); the rest has been done.  Raises
        AccessRefused (403) when the right to one of the publishes was withdrawn since then, and Unanswered where that
        has to be asked; nothing has been done.
        """
        for unanswered in self.check_rights(channel.client, self.publishes):
            if unanswered is not None:
                raise unanswered
        broker = channel.client.vhost.broker
        store = broker.store
        publishes, self.publishes = self.publishes, []
        settlements, self.settlements = self.settlements, []
        store.begin_group()
        try:
            outcomes = self.publish_all(channel, publishes)
            for deliveries, verdict in settlements:
                channel.deliveries.settle(deliveries, verdict)
        finally:
            store.end_group()
        return self.requested(channel, outcomes, is_stored=broker.messages_pending and store.durable)

    def publish_all(self, channel: Channel, publishes: list[Uncommitted]) -> Outcomes:
        """Publish these now, one by one; what became of it is for `requested`."""
        vhost = channel.client.vhost
        refused = 0
        late: list[Receipt] = []
        for message, route, mandatory in publishes:
            message.sequence = vhost.broker.next_sequence()
            message.published_at_ms = vhost.broker.now_ms
            now = route_now(vhost, message, route)
            receipt = now.receipt
            done = deliver(channel, message, now, mandatory, receipt)
            refused += done is Outcome.REFUSED
            if receipt is not None and receipt.pending:
                late.append(receipt)
        return refused, late

    def requested(self, channel: Channel, outcomes: Outcomes, *, is_stored: bool) -> bool:
        """Everything is done: see `commit`.  is_stored: some of it waits for the disk, or did until a moment ago."""
        refused, late = outcomes
        if refused:
            raise _partial(str(refused))
        if late:
            self._late = joined(late)
            self._late.then(lambda taken: channel.commit_answered(self))
        elif not is_stored:
            return False
        self.commits_requested += 1
        return True

    def check_rights(self, client: Client, publishes: list[Uncommitted]) -> Slices:
        """Each publish was checked when it came; what has changed since then is looked at once more, in slices."""
        version = client.vhost.broker.users.version
        if version == self.rights_version:
            return
        for count, (message, route, _) in enumerate(publishes, 1):
            yield from until_answered(partial(_check, client, message.address, route))
            if count % CHECKED_PER_SLICE == 0:
                yield None
        self.rights_version = version

    def committed_up_to(self, mark: int) -> int:
        """A flush covers the commits up to `mark`: how many tx.commit-ok are due now.

        Raises PreconditionFailed (406) when a queue that answered later has refused a publish.
        """
        self.on_disk = mark
        if self._late is not None:
            if self._late.pending:
                return 0
            if self._late.refused:
                raise _partial("some")
        due = mark - self.commits_answered
        self.commits_answered = mark
        return due

    def settling_by(self, verdict: Verdict) -> Callable[[dict[int, Delivery]], None]:
        """Takes deliveries that are to be settled so, at the commit."""

        def taken(deliveries: dict[int, Delivery]) -> None:
            if self._returning is None:
                self.settlements.append((deliveries, verdict))
            else:
                self._returning.append(deliveries)

        return taken

    def rollback(self, channel: Channel, then: Callable[[], None]) -> None:
        """Forget the publishes; what was acknowledged is unacknowledged again, in its old order.  then: called then."""
        self._forget_publishes(channel.client.vhost.broker.chores)
        taken = [deliveries for deliveries, _ in self.settlements]
        self.settlements = []
        channel.deliveries.put_all_back(taken, then)

    def end(self, chores: Chores) -> list[dict[int, Delivery]]:
        """It is void: the deliveries that it was to settle, which may become more in a later turn."""
        self._forget_publishes(chores)
        self._returning = [deliveries for deliveries, _ in self.settlements]
        self.settlements = []
        return self._returning

    def _forget_publishes(self, chores: Chores) -> None:
        """There may be very many."""
        publishes, self.publishes = self.publishes, []
        let_go(publishes, chores)


def _partial(count: str) -> PreconditionFailed:
    return PreconditionFailed(f"partial tx completion; full queues refused {count} of the publishes; the rest is done")


def route_now(vhost: VirtualHost, message: Message, route: Route) -> Route:
    """Where a message goes by the bindings of the commit's moment; nowhere, if its exchange is gone by then."""
    address = route.address
    properties = message.properties
    try:
        return vhost.route(address.exchange, address.routing_key, properties.headers, route.extra_keys, properties)
    except NotFound:
        return Route(address, (), routed=False, cacheable=False)


def _check(client: Client, address: Address, route: Route) -> None:
    client.check("exchange", address.exchange, "write")
    check_topic_keys(client, address.exchange, [address.routing_key, *route.extra_keys])
