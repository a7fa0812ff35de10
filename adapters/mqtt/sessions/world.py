"""The MQTT side of a broker: the sessions of its virtual hosts, and what clients have counted.

It is a component (core.component) of every broker, whether or not anybody listens for MQTT: sessions that outlive their
connections go on receiving.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from warren.adapters.mqtt.sessions import feeding, leaving, retained, rights, subscription_rows, wills
from warren.adapters.mqtt.sessions.doubt import doubt_all
from warren.adapters.mqtt.sessions.names import TopicNames
from warren.adapters.mqtt.sessions.registry import SESSION_KIND, MqttSessions
from warren.adapters.mqtt.sessions.session_queue import MqttQueue
from warren.adapters.mqtt.sessions.settings import ROUND_ROBIN, QueueLimits
from warren.adapters.mqtt.sessions.traffic import LOOKED_AT_PER_SLICE, Rates
from warren.core.chores import Ration
from warren.core.component import Component

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.claims import Claims
    from warren.adapters.mqtt.sessions.sharing_retained import SharedRetained
    from warren.core.administration.diagnosing.examination import Examination
    from warren.core.broker import Broker
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON
    from warren.core.storage.engine import Owner


class MqttWorld(Component):
    """The MQTT side of one broker.

    product: for $SYS.  names: what topics are called in AMQP.  shared_strategy: how groups share where no policy says
    it.  limits: of sessions' queues.  dropped: messages that slow or absent clients didn't get, or that were too large
    for them.  packets_, publish_ and publish_bytes_received: all that came, as read.  answers_sent: packets to clients
    other than PUBLISH.  publish_sent, bytes_received and bytes_sent: what connections that have ended counted by
    themselves.  feeding: of retained messages with SUBSCRIBEs, in all virtual hosts.  connections_made, sockets_made:
    with and without a login.  expired_count: sessions that nobody came back for.
    claims: of client identifiers, and shared_retained: what all nodes of a cluster retain; None without one.
    """

    def __init__(
        self,
        broker: Broker,
        limits: QueueLimits | None = None,
        *,
        product: str = "Warren",
        names: TopicNames | None = None,
        shared_strategy: str = ROUND_ROBIN,
    ) -> None:
        self.broker = broker
        self.product = product
        self.names = names or TopicNames()
        self.shared_strategy = shared_strategy
        self.limits = limits or QueueLimits()
        self.dropped = 0
        self.packets_received = 0
        self.publish_received = 0
        self.publish_bytes_received = 0
        self.publish_bytes_sent = 0
        self.answers_sent = 0
        self.publish_sent = 0
        self.bytes_received = 0
        self.bytes_sent = 0
        self.connections_made = 0
        self.sockets_made = 0
        self.expired_count = 0
        self.feeding = Ration(feeding.TURN_WORK)
        self._vhosts: dict[str, MqttSessions] = {}
        self.shared_retained: SharedRetained | None = None
        self.claims: Claims | None = None
        self.rates = Rates(self)

    @property
    def connected_count(self) -> int:
        """Clients that are connected."""
        return sum(sessions.connected_count for sessions in self._vhosts.values())

    @property
    def session_count(self) -> int:
        """Sessions in all virtual hosts."""
        return sum(len(sessions.sessions) for sessions in self._vhosts.values())

    def counters(self) -> Generator[None, None, dict[str, int]]:
        """What counts up since the start of the broker, by the names that $SYS has for it; in slices.

        Connections are those of the beginning, also those that end meanwhile: what they leave here then isn't counted
        yet.  So no counter goes back.
        """
        publish_sent, bytes_received, bytes_sent = self.publish_sent, self.bytes_received, self.bytes_sent
        holders = [holder for sessions in self._vhosts.values() for holder in sessions.holders()]
        for number, holder in enumerate(holders, 1):
            counted = holder.traffic()
            publish_sent += counted.publish_sent
            bytes_received += counted.bytes_received
            bytes_sent += counted.bytes_sent
            if number % LOOKED_AT_PER_SLICE == 0:
                yield
        return {
            "messages/received": self.packets_received,
            "messages/sent": publish_sent + self.answers_sent,
            "publish/received": self.publish_received,
            "publish/sent": publish_sent,
            "publish/dropped": self.dropped,
            "bytes/received": bytes_received,
            "bytes/sent": bytes_sent,
            "connections": self.connections_made,
            "sockets": self.sockets_made,
        }

    def of(self, vhost: VirtualHost) -> MqttSessions:
        """The sessions of a virtual host."""
        found = self._vhosts.get(vhost.name)
        if found is None or found.vhost is not vhost:
            found = self._vhosts[vhost.name] = MqttSessions(self, vhost)
        return found

    def outstanding(self) -> Iterator[tuple[Queue, Message] | None]:
        """What was sent to clients that have gone without acknowledging it."""
        for sessions in self.all():
            for session in list(sessions.sessions.values()):
                yield None
                if session.holder is None:
                    for outgoing in list(session.outgoing.values()):
                        if outgoing.queue is not None and outgoing.message is not None:
                            yield outgoing.queue, outgoing.message

    def dropped_as_expected(self) -> Iterator[tuple[str, str, int]]:
        """See examining.py, which nothing imports before somebody asks."""
        from warren.adapters.mqtt.sessions import examining

        return examining.dropped_as_expected(self)

    def examine(self, exam: Examination) -> Iterator[None]:
        """See examining.py."""
        from warren.adapters.mqtt.sessions import examining

        return examining.examine(self, exam)

    def all(self) -> list[MqttSessions]:
        """Those of every virtual host that has any."""
        return list(self._vhosts.values())

    def leave_vhost(self, name: str) -> Iterator[None]:
        """Sessions end, wills are cancelled, and nothing is retained any more."""
        if self.shared_retained is not None:
            self.shared_retained.vhost_gone(name)
        found = self._vhosts.get(name)
        if found is not None:
            yield from leaving.leave_vhost(found)

    def forget_vhost(self, name: str) -> None:
        """A virtual host is being deleted; its connections are closed already."""
        found = self._vhosts.pop(name, None)
        if found is not None:
            found.close()

    def forget_users(self, users: Collection[str]) -> Iterator[None]:
        """Their sessions and wills go with them."""
        failures: list[Exception] = []
        for sessions in self.all():
            yield from rights.end_left_behind(sessions, users, failures)
        if failures:
            raise ExceptionGroup("sessions of deleted users that can't be ended", failures)

    def rights_withdrawn(self, vhost: str, users: Collection[str]) -> Iterator[None]:
        """Who is subscribed to what isn't allowed any more is disconnected."""
        found = self._vhosts.get(vhost)
        if found is not None:
            yield from rights.disconnect_withdrawn(found, users)

    def restore(self, kind: str, vhost: str, name: str, value: Mapping[str, JSON]) -> bool:
        """Take a row of the definitions if it is MQTT's, else False."""
        if kind == SESSION_KIND:
            self.of(self.broker.vhosts[vhost]).restore_session(name, value)
        elif kind == subscription_rows.KIND:
            self.of(self.broker.vhosts[vhost]).restore_subscriptions(name, value)
        elif kind == retained.KIND:
            self.of(self.broker.vhosts[vhost]).retained.restore(name, value)
        elif kind == feeding.KIND:
            self.of(self.broker.vhosts[vhost]).restore_cursor(name, value)
        elif kind == wills.KIND:
            self.of(self.broker.vhosts[vhost]).wills.restore(name, value)
        elif kind == retained.SHARED_KIND:
            if self.shared_retained is not None:
                self.shared_retained.restore(vhost, name, value)
        else:
            return False
        return True

    def claim_by(self, node: str) -> Claims:
        """The same, for client identifiers.  node: this one's name."""
        from warren.adapters.mqtt.sessions.claims import Claims

        self.claims = Claims(self, node)
        return self.claims

    def share(self) -> SharedRetained:
        """Be one node of a cluster, before anything is recovered."""
        from warren.adapters.mqtt.sessions.sharing_retained import SharedRetained

        self.shared_retained = SharedRetained(self)
        return self.shared_retained

    def restored(self) -> None:
        """All rows have been given."""
        for vhost in self.broker.vhosts.values():
            if vhost.name in self._vhosts or any(isinstance(queue, MqttQueue) for queue in vhost.queues.values()):
                self.of(vhost).restored()

    def restore_records(self, number: int, positions: Sequence[int]) -> bool:
        """Take the unsettled entries of a store number if it is a session's own, else False."""
        for sessions in self.all():
            session = sessions.records.get(number)
            if session is not None:
                for position, record in zip(positions, self.broker.store.read(positions), strict=True):
                    if record is not None:
                        record.sequence = position
                        session.restore_record(number, record)
                return True
        return False

    def damage_found(self) -> None:
        """Messages on their way to clients may be among what is lost."""
        for sessions in self.all():
            doubt_all(sessions)

    def owners(self) -> Mapping[int, Owner]:
        """The numbers of sessions."""
        return {
            number: ("mqtt_session", sessions.vhost.name, session.client_id)
            for sessions in self.all()
            for number, session in sessions.records.items()
        }

    def before_stop(self) -> None:
        """The broker stops in good order; connections are closed."""
        for sessions in self.all():
            for session in sessions.sessions.values():
                leaving.return_own(session)
                if session.feed is not None:
                    session.feed.finish()
