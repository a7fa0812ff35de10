"""One client's session: its subscriptions, what is under way to it and from it, and what of that is on disk.

Theory of operation
-------------------
A session is *attached* while its client is connected; its holder is the adapter's connection.  One that outlives its
connection (`stored`) has a durable queue and a row in the definitions; any other ends when it is detached.

Outgoing messages of QoS 1 and 2 are in `outgoing` by packet identifier, in the order of sending, until the client is
done with them (most of QoS 1 only when somebody looks: strides.py); they stay there, unacknowledged in their queue,
while the client is away, and are sent again when it comes back.  After a restart those of QoS 1 are in their queue
again.

QoS 2 is exactly once, also across a crash, because its packet identifiers are on disk wherever forgetting one would
double or lose a message.  A stored session has two numbers in the message store for that, next to its queue's:

    inbound     a record per packet identifier that was received and not released.  It is written in one group with the
                message's own publishing, so either both are there or none; PUBREC waits for that, and PUBCOMP for its
                settling.
    outbound    before a message is sent, it moves from its queue to here, in one group, together with its packet
                identifier; PUBLISH waits for that.  After PUBREC it is replaced by a record that says "released", in
                one group; PUBREL waits for that.  PUBCOMP settles it.

The waiting is the adapter's business: what has to wait is marked `stores` here.  Moving costs writing the message once
more; in return nothing ever has to be looked up by a position that isn't known yet.

Longer than 400 lines because what goes out, what came in and what of both is on disk are one state.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions import leaving
from warren.adapters.mqtt.sessions.doubt import ROW_FIELD
from warren.adapters.mqtt.sessions.feeding import RetainedFeed
from warren.adapters.mqtt.sessions.headers import PACKET_ID, RELEASED
from warren.adapters.mqtt.sessions.outgoing import RELEASED_BY_CLIENT, WAITING, Outgoing
from warren.adapters.mqtt.sessions.records import make_record, outbound_copy, outgoing_of, packet_id_of
from warren.adapters.mqtt.sessions.strides import PACKET_ID_MAX, Strides
from warren.adapters.mqtt.sessions.subscription import LEVELS_FREE, MqttSubscription, deep_levels
from warren.adapters.mqtt.sessions.subscription_rows import SubscriptionRows
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.topic_trie import TopicTrie
from warren.core.limit_hits import limited
from warren.core.messages.message import Message

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.doubt import Doubt
    from warren.adapters.mqtt.sessions.holder import Holder
    from warren.adapters.mqtt.sessions.registry import MqttSessions
    from warren.core.access.accounts import User
    from warren.core.clients.client import Client
    from warren.core.deadlines import Deadline
    from warren.core.queues.base import Queue
    from warren.core.routing.receipt import Receipt
    from warren.core.storage.definitions.store import JSON

EXPIRY_NEVER: Final = 0xFFFF_FFFF
"""The expiry of a session that doesn't expire, in seconds (MQTT 5 3.1.2.11.2)."""

NO_SUBSCRIPTIONS: Final[dict[str, MqttSubscription]] = {}
NOTHING_OUTGOING: Final[dict[int, Outgoing]] = {}
NOTHING_INBOUND: Final[dict[int, Message | None]] = {}
"""What all sessions share that have none; nothing is ever put into them.  Most connections are quiet, and a dict for
each of the three is 64 bytes."""


class MqttSession:
    """See the head of this file; made by the registry.

    user, user_id: whose it is (rights.py), by name and id; empty for one that was stored without.  rights_version: of
    the users, when its subscriptions were looked at; is_looked_at: that is under way.  expiry_s: how long it outlives
    its connection.  no_local_count: subscriptions that want none of its own messages.  stored: it is on disk.
    sent_number: of the last message of QoS 1 or 2 that was sent.  inbound: packet identifiers of messages of QoS 2 that
    came and weren't released, with their records.  feed: what its subscriptions still have coming of the retained
    messages; None before there was anything.
    claimed: in a cluster, the claim by which its client is connected (claims.py).
    has_entries_to_settle: it has ended, and the store is still to be told of all it had.
    unanswered: receipts of those among them that queues are still to take, by packet identifier.
    """

    __slots__ = (
        "_deep_levels",
        "_expiry",
        "_outbound_id",
        "_outgoing",
        "_packet_id",
        "_rows",
        "_strides",
        "actor",
        "claimed",
        "client_id",
        "detached_at_ms",
        "ended",
        "expiry_s",
        "feed",
        "has_entries_to_settle",
        "holder",
        "inbound",
        "inbound_id",
        "is_looked_at",
        "no_local_count",
        "queue",
        "registry",
        "rights_version",
        "sent_number",
        "stored",
        "subscriptions",
        "trie",
        "unanswered",
        "user",
        "user_id",
    )

    def __init__(
        self, registry: MqttSessions, client_id: str, expiry_s: int, user: str = "", user_id: str = ""
    ) -> None:
        self.registry = registry
        self.client_id = client_id
        self.user = user
        self.user_id = user_id
        self.actor: User | str = user
        self.rights_version = 0
        self.is_looked_at = False
        self.expiry_s = expiry_s
        self.stored = expiry_s > 0
        self.holder: Holder | None = None
        self.ended = False
        self.has_entries_to_settle = False
        self.detached_at_ms: int | None = None
        self.claimed: tuple[int, str] = (0, "")
        self.queue: Queue | None = None
        self.subscriptions = NO_SUBSCRIPTIONS
        self.feed: RetainedFeed | None = None
        self.no_local_count = 0
        self._outgoing = NOTHING_OUTGOING
        self._strides: Strides | None = None
        self.inbound = NOTHING_INBOUND
        self.unanswered: dict[int, Receipt] | None = None
        self.trie: TopicTrie[MqttSubscription] | None = None
        self._rows: SubscriptionRows | None = None
        self._packet_id = 0
        self._deep_levels = 0
        self.sent_number = 0
        self._expiry: Deadline | None = None
        self.inbound_id = 0
        self._outbound_id = 0

    # Subscriptions

    def subscribe(self, client: Client, subscription: MqttSubscription) -> bool:
        """Add a subscription or replace the one of the same filter; False when it replaced one.

        What it may do was checked (`SubscribePermits.check`).  Raises ResourceLocked (405) when another program
        has a queue of the session's name, NotFound (404) for `$queue/NAME` without such a queue, PreconditionFailed
        (406) when the filters have too many levels.
        """
        before = self.subscriptions.get(subscription.filter)
        deep_levels = 0 if before is not None else self._more_deep_levels(subscription)
        if subscription.is_own:
            if self.queue is None:
                self.queue = self.registry.make_queue(self, client)
            self.registry.bind(self.queue, [subscription])
            self._match_also(subscription, before)
        elif subscription.group and before is None:
            self.registry.join(subscription)
        elif subscription.queue_name:
            self.registry.vhost.queue(subscription.queue_name)
        self._own_subscriptions()[subscription.filter] = subscription
        self._deep_levels += deep_levels
        self.no_local_count += subscription.no_local - (before is not None and before.no_local)
        self.registry.subscription_changed(subscription, before)
        if self.stored:
            self._stored_rows().put(subscription, before)
        return before is None

    def subscribe_all(self, client: Client, subscriptions: Sequence[MqttSubscription]) -> None:
        """The same for new subscriptions of its own, all different, not for $SYS topics, and none of them deep."""
        registry = self.registry
        if self.queue is None:
            self.queue = registry.make_queue(self, client)
        registry.bind(self.queue, subscriptions)
        known = self._own_subscriptions()
        wide: list[MqttSubscription] = []
        for subscription in subscriptions:
            filter = subscription.filter
            known[filter] = subscription
            if subscription.no_local:
                self.no_local_count += 1
            if "+" in filter or filter.endswith("#"):
                wide.append(subscription)
        if wide:
            if self.trie is None:
                self.trie = TopicTrie.for_mqtt()
            insert = self.trie.insert
            for subscription in wide:
                insert(subscription.filter.split("/"), subscription)
        if self.stored:
            self._stored_rows().put_all(subscriptions)
        registry.subscriptions_added(len(subscriptions))

    def adopt(self, subscriptions: Sequence[MqttSubscription]) -> None:
        """Go on with subscriptions that another node of a cluster had, own ones and new; they aren't bound yet."""
        self._restore_subscriptions(subscriptions)
        if self.stored:
            self._stored_rows().put_all(subscriptions)
        for subscription in subscriptions:
            self.registry.subscription_changed(subscription, None)

    def _more_deep_levels(self, subscription: MqttSubscription) -> int:
        """How many a new filter adds; PreconditionFailed (406) when that is too many."""
        more = deep_levels(subscription.topic_filter)
        most = self.registry.world.limits.deep_levels
        if more and most and self._deep_levels + more > most:
            raise limited(
                PreconditionFailed(
                    f"topic filters of the client '{self.client_id}' have more than {most} levels beyond the first "
                    f"{LEVELS_FREE} of each (mqtt_max_deep_filter_levels)"
                ),
                "mqtt_max_deep_filter_levels",
            )
        return more

    def unsubscribe(self, filter: str) -> MqttSubscription | None:
        """Take a subscription away; None when there was none.  Messages that it brought already still come."""
        subscription = self.subscriptions.pop(filter, None)
        if subscription is None:
            return None
        self.no_local_count -= subscription.no_local
        self._deep_levels -= deep_levels(subscription.topic_filter)
        if subscription.is_own:
            if self.feed is not None:
                self.feed.drop(filter)
            if self.trie is not None and subscription.has_wildcards:
                self.trie.remove(subscription.words, subscription)
            if self.queue is not None:
                self.registry.unbind(self.queue, subscription)
        elif subscription.group:
            self.registry.leave(subscription)
        self.registry.subscription_changed(None, subscription)
        if self._rows is not None:
            self._rows.remove(subscription)
        return subscription

    def note(self, subscription: MqttSubscription) -> None:
        """It has come to another place in its stream: have that written, if the session is."""
        if self.stored and self.subscriptions.get(subscription.filter) is subscription:
            self._stored_rows().put(subscription, subscription)

    def feed_retained(self, subscriptions: Sequence[MqttSubscription]) -> None:
        """Give it the retained messages that these subscriptions of its own match, as there is room (3.3.1.3)."""
        if self.feed is None:
            self.feed = RetainedFeed(self)
        self.feed.add(subscriptions)

    def matching(self, topic: str) -> list[MqttSubscription]:
        """The session's own subscriptions that match a topic, each once; asked once for each topic that comes."""
        found = self.trie.match(topic.split("/")) if self.trie is not None else []
        exact = self.subscriptions.get(topic)
        if exact is not None and exact.is_own and not exact.has_wildcards:
            found.append(exact)
        if self.is_looked_at:
            return [each for each in found if self.registry.permits.may_read(self, each)]
        return found

    def _own_subscriptions(self) -> dict[str, MqttSubscription]:
        if self.subscriptions is NO_SUBSCRIPTIONS:
            self.subscriptions = {}
        return self.subscriptions

    def _match_also(self, subscription: MqttSubscription, before: MqttSubscription | None) -> None:
        """Have a filter with wildcards found; the others are found by name."""
        if not subscription.has_wildcards:
            return
        if self.trie is None:
            self.trie = TopicTrie.for_mqtt()
        if before is not None:
            self.trie.remove(before.words, before)
        self.trie.insert(subscription.words, subscription)

    # Messages to the client

    @property
    def outgoing(self) -> dict[int, Outgoing]:
        """What is under way, by packet identifier, in the order of sending."""
        strides = self._strides
        if strides is not None and strides.count:
            strides.unfold(self._own_outgoing())
        return self._outgoing

    @property
    def outgoing_count(self) -> int:
        """How many are under way."""
        return len(self._outgoing) + (self._strides.count if self._strides is not None else 0)

    def find_outgoing(self, packet_id: int) -> Outgoing | None:
        """What is under way by this packet identifier."""
        return self._outgoing.get(packet_id) or self.outgoing.get(packet_id)

    def take_outgoing(self) -> dict[int, Outgoing]:
        """All that is under way, which is the caller's from now on."""
        outgoing = self.outgoing
        self._outgoing = {}
        return outgoing

    @property
    def doubt(self) -> Doubt | None:
        """What its client may remember of messages that were lost (doubt.py); None, mostly: nothing."""
        doubts = self.registry.doubts
        return doubts.get(self.client_id) if doubts else None

    def trust(self) -> None:
        """The doubt is over."""
        self.registry.doubts.pop(self.client_id, None)
        self.save()

    def number_from(self, place: int) -> None:
        """At a start: not from where an earlier one began, whose packet identifiers the client may remember."""
        self._packet_id = place % PACKET_ID_MAX

    def next_packet_id(self) -> int:
        """A packet identifier that isn't in use."""
        outgoing = self.outgoing
        packet_id = self._packet_id % PACKET_ID_MAX + 1
        while packet_id in outgoing:
            packet_id = packet_id % PACKET_ID_MAX + 1
        self._packet_id = packet_id
        return packet_id

    def stride_room(self) -> int:
        """How many messages of QoS 1 may be sent as a stride now, under identifiers one behind the other."""
        packet_id = self._packet_id % PACKET_ID_MAX + 1
        strides = self._strides
        if strides is None:
            strides = self._strides = Strides()
        room = strides.room(packet_id)
        if self._outgoing and not self._outgoing.keys().isdisjoint(range(packet_id, packet_id + room)):
            return 0
        return room

    def send_stride(self, messages: list[Message], queue: Queue, source: str) -> int:
        """So many as there is room for are about to be sent; the packet identifier of the first."""
        packet_id = self._packet_id % PACKET_ID_MAX + 1
        strides = self._strides
        if strides is None:
            strides = self._strides = Strides()
        strides.add(packet_id, self.sent_number + 1, messages, queue, source)
        self._packet_id = packet_id + len(messages) - 1
        self.sent_number += len(messages)
        return packet_id

    def acknowledge_row(self, data: bytes, position: int, end: int) -> int:
        """PUBACKs in the order of sending, from `position` on: how many are taken, 0 for others (strides.py)."""
        strides = self._strides
        return 0 if strides is None else strides.acknowledged(data, position, end)

    def send(self, message: Message, queue: Queue, qos: int, source: str) -> Outgoing:
        """A message of QoS 1 or 2 is about to be sent; in state WAITING it has to wait for the next flush."""
        outgoing = Outgoing(self.next_packet_id(), message, queue, qos, source)
        outgoing.number = self.sent_number = self.sent_number + 1
        self._own_outgoing()[outgoing.packet_id] = outgoing
        if qos == 2 and self.stores:
            self._move_to_outbound(outgoing, message, queue)
        return outgoing

    def _own_outgoing(self) -> dict[int, Outgoing]:
        if self._outgoing is NOTHING_OUTGOING:
            self._outgoing = {}
        return self._outgoing

    def count(self, outgoing: Outgoing) -> None:
        """It is sent again now."""
        outgoing.number = self.sent_number = self.sent_number + 1

    @property
    def stores(self) -> bool:
        """True when the session's QoS 2 state goes to disk."""
        return self.stored and self.registry.broker.store.durable

    def _move_to_outbound(self, outgoing: Outgoing, message: Message, queue: Queue) -> None:
        copy = outbound_copy(message, outgoing)
        number, store = self._outbound(), self.registry.broker.store
        store.begin_group()
        store.append(copy, (number,))
        queue.acknowledge(message)
        store.end_group()
        outgoing.message = outgoing.record = copy
        outgoing.queue = None
        outgoing.state = WAITING

    def acknowledge(self, packet_id: int) -> Outgoing | None:
        """PUBACK, or PUBREC with a failure: the client is done with the message; None when there is none such."""
        outgoing = self._outgoing.pop(packet_id, None) or self.outgoing.pop(packet_id, None)
        if outgoing is not None:
            outgoing.settle()
            self.settle_record(outgoing)
        return outgoing

    def release(self, packet_id: int) -> Outgoing | None:
        """PUBREC: the client has the message; None when there is none such.  PUBREL waits for a flush if `stores`."""
        outgoing = self.outgoing.get(packet_id)
        if outgoing is None or outgoing.qos != 2:
            return None
        if outgoing.state != RELEASED_BY_CLIENT:
            outgoing.state = RELEASED_BY_CLIENT
            outgoing.settle()
            if self.stores:
                store = self.registry.broker.store
                store.begin_group()
                self.settle_record(outgoing)
                outgoing.record = make_record(self.registry.broker, {PACKET_ID: packet_id, RELEASED: True})
                store.append(outgoing.record, (self._outbound(),))
                store.end_group()
            outgoing.message = None
        return outgoing

    def complete(self, packet_id: int) -> Outgoing | None:
        """PUBCOMP: the packet identifier is free again; None when it isn't one that was released."""
        outgoing = self.outgoing.get(packet_id)
        if outgoing is None or outgoing.state != RELEASED_BY_CLIENT:
            return None
        del self.outgoing[packet_id]
        self.settle_record(outgoing)
        return outgoing

    def settle_record(self, outgoing: Outgoing) -> None:
        if outgoing.record is not None:
            self.registry.broker.store.settle(self._outbound_id, outgoing.record)
            outgoing.record = None

    # Messages from the client

    def note_inbound(self, packet_id: int) -> None:
        """A QoS 2 message came; called within the group of its publishing if `stores`."""
        record = None
        if self.stores:
            record = make_record(self.registry.broker, {PACKET_ID: packet_id})
            self.registry.broker.store.append(record, (self._inbound(),))
        self._own_inbound()[packet_id] = record

    def forget_inbound(self, packet_id: int) -> bool:
        """PUBREL; False for an unknown one.  PUBCOMP waits for a flush if `stores`."""
        if packet_id not in self.inbound:
            return False
        record = self.inbound.pop(packet_id)
        if record is not None:
            self.registry.broker.store.settle(self.inbound_id, record)
        return True

    def _own_inbound(self) -> dict[int, Message | None]:
        if self.inbound is NOTHING_INBOUND:
            self.inbound = {}
        return self.inbound

    def _inbound(self) -> int:
        if not self.inbound_id:
            self.inbound_id = self._numbered()
            self.save()
        return self.inbound_id

    def _outbound(self) -> int:
        if not self._outbound_id:
            self._outbound_id = self._numbered()
            self.save()
        return self._outbound_id

    @property
    def numbers(self) -> tuple[int, int]:
        """Its own numbers in the store, 0 for what it doesn't have."""
        return self.inbound_id, self._outbound_id

    def _numbered(self) -> int:
        number = self.registry.broker.numbers.take("mqtt_session", self.registry.vhost.name, self.client_id)
        self.registry.records[number] = self
        return number

    # Coming and going

    @property
    def has_lost_queue(self) -> bool:
        """True when somebody deleted its queue: it can't go on (spec C.5)."""
        found = self.registry.vhost.queues.get(self.queue.name) if self.queue is not None else None
        return found is not self.queue or (found is None and self.has_own_subscriptions)

    @property
    def has_own_subscriptions(self) -> bool:
        """Whether any of its subscriptions has messages come to its own queue."""
        return any(each.is_own for each in self.subscriptions.values())

    def attach(self, holder: Holder, expiry_s: int) -> None:
        """Its client is connected."""
        self.holder = holder
        self.registry.attached()
        self.expiry_s = expiry_s
        self.detached_at_ms = None
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        self.save()

    def detach(self) -> None:
        """Its client is gone: what came by shared queues goes to others, and the session waits or ends."""
        self.holder = None
        self.registry.detached()
        if self.ended:
            return
        leaving.return_shared(self)
        if not self.expiry_s or not self.stored:
            self.end()
            return
        self.detached_at_ms = self.registry.broker.now_ms
        self.save()
        self.expect_return()
        if self.feed is not None:
            self.feed.look()

    def expect_return(self) -> None:
        """Let the session expire when its time has come."""
        if self.expiry_s != EXPIRY_NEVER and self.detached_at_ms is not None:
            self._expiry = self.registry.broker.deadlines.schedule(
                self.detached_at_ms + self.expiry_s * 1000, self._expired
            )

    def wait_anew(self) -> None:
        """Its client is on another node of the cluster, which fetches what is here: there is time for that."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        self.detached_at_ms = self.registry.broker.now_ms
        self.save()
        self.expect_return()

    def _expired(self, now_ms: int) -> None:
        if self.holder is None:
            self.registry.world.expired_count += 1
            self.registry.wills.session_ended(self.client_id)
            self.end()

    def end(self) -> None:
        """The session and everything in it is gone."""
        if self.ended:
            return
        self.ended = True
        if self._expiry is not None:
            self._expiry.cancel()
        if self.feed is not None:
            self.feed.end()
        leaving.return_shared(self)
        leaving.in_turns(self, leaving.settle_all(self), self.outgoing_count + len(self.inbound))
        if self._rows is not None:
            self._rows.end()
        self.registry.forget(self)
        leaving.in_turns(self, leaving.leave_all(self), leaving.work_of_leaving(self))

    # Restart

    def save(self) -> None:
        """Write its row, if it has one; its subscriptions have rows of their own (subscription_rows.py)."""
        if not self.stored or self.ended:
            return
        row: dict[str, JSON] = {
            "expiry_s": self.expiry_s,
            "inbound": self.inbound_id,
            "outbound": self._outbound_id,
            "detached_at_ms": self.detached_at_ms,
            "user": self.user,
            "user_id": self.user_id,
        }
        if self.doubt is not None:
            row[ROW_FIELD] = True
        self.registry.broker.definitions.put("mqtt_session", self.registry.vhost.name, self.client_id, row)

    def _stored_rows(self) -> SubscriptionRows:
        if self._rows is None:
            self._rows = SubscriptionRows(self.registry.broker, self.registry.vhost.name, self.client_id)
        return self._rows

    def restore(self, inbound_id: int, outbound_id: int, subscriptions: Iterable[MqttSubscription]) -> None:
        """Take what the row says.  subscriptions: of a row that was written when they were part of it."""
        self.inbound_id = inbound_id
        self._outbound_id = outbound_id
        self.registry.records.update({number: self for number in self.numbers if number})
        moved = list(subscriptions)
        if moved:
            self._restore_subscriptions(moved)
            rows = self._stored_rows()
            for subscription in moved:
                rows.put(subscription, None)
            rows.write()
            self.save()

    def restore_subscriptions(self, number: int, subscriptions: Sequence[MqttSubscription]) -> None:
        """Take a row of its subscriptions."""
        self._stored_rows().restore(number, subscriptions)
        self._restore_subscriptions(subscriptions)

    def _restore_subscriptions(self, subscriptions: Iterable[MqttSubscription]) -> None:
        known = self._own_subscriptions()
        for subscription in subscriptions:
            known[subscription.filter] = subscription
            self.no_local_count += subscription.no_local
            self._deep_levels += deep_levels(subscription.topic_filter)
            if subscription.is_own:
                self._match_also(subscription, None)

    def restore_record(self, number: int, record: Message) -> None:
        """Take a record read back from the store; one with a packet identifier that was seen replaces it."""
        packet_id = packet_id_of(record)
        if number == self.inbound_id:
            self._own_inbound()[packet_id] = record
            return
        older = self.outgoing.pop(packet_id, None)
        if older is not None:
            self.settle_record(older)
        self._own_outgoing()[packet_id] = outgoing_of(record)
