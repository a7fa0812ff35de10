"""Client identifiers in a cluster: a client that connects to one node takes its session over from any other.

Theory of operation
-------------------
Before a client is let in, its node *claims* the identifier: it says so to all others, and waits for their answers, for
a while.  A node where the client is connected ends that connection (MQTT-3.1.4-3); one that has a session for it says
what its subscriptions are, so that the client's new node goes on with it, and fetches what is queued (`Move`).  The
other node's session ends when all of it has come.  A claim with Clean Start ends it at once.

Two claims of one identifier at once are told apart by stamps: a count of claims that each node carries on from the
largest that it has heard, and the node's name.  The larger one wins, and whoever is told of it later yields.  Words may
be lost: then an identifier is in use twice until nodes that see each other again say what they hold (`held`).

What isn't carried: packet identifiers of QoS 2.  A message of QoS 2 that was under way in either direction when its
client changed nodes may come twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.adapters.mqtt.sessions import leaving, rights
from warren.adapters.mqtt.sessions.headers import PACKET_ID, RELEASED, SOURCE
from warren.adapters.mqtt.sessions.outgoing import RELEASED_BY_CLIENT
from warren.adapters.mqtt.sessions.queue_names import session_queue_name
from warren.adapters.mqtt.sessions.subscription import subscription_from
from warren.core.access.answers import Awaited, Unanswered
from warren.core.errors import AccessRefused, BrokerError
from warren.core.messages.message import Message

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.registry import MqttSessions
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.sessions.subscription import MqttSubscription
    from warren.adapters.mqtt.sessions.world import MqttWorld
    from warren.core.clients.client import Client
    from warren.core.storage.definitions.store import JSON

_log = logging.getLogger("warren.mqtt")

WAIT_MS: Final = 3000
"""How long a client waits for what other nodes say: a node that doesn't answer for so long is about to be gone."""

Stamp = tuple[int, str]
Key = tuple[str, str]


class Asked(NamedTuple):
    """A claim as it is told.  clean: the session is to end.  is_held: only a reminder, which nobody answers."""

    vhost: str
    client_id: str
    user: str
    stamp: int
    clean: bool
    is_held: bool = False


class Found(NamedTuple):
    """What a node says of a claim.  refusal: why it can't be had.  subscriptions: rows of the session's, where it has
    one that goes on; has_session: whether it has."""

    vhost: str
    client_id: str
    refusal: str = ""
    has_session: bool = False
    subscriptions: "Sequence[JSON]" = ()


class Move(NamedTuple):
    """A session's messages are to be fetched from a node, and the rest of it is to be ended there.

    Its own subscriptions are to be bound here once the most has come.  stamp: of the claim; it is another one's to
    fetch them as soon as the session has another.
    """

    registry: "MqttSessions"
    session: "MqttSession"
    node: str
    queue: str
    stamp: Stamp

    @property
    def is_wanted(self) -> bool:
        """Whether the session goes on here, by the same claim."""
        return not self.session.ended and self.session.claimed == self.stamp


class Claim(Awaited):
    """One that is under way.  waits_for: nodes that haven't answered."""

    __slots__ = ("_claims", "asked", "due_at_ms", "found", "key", "refusal", "waits_for")

    def __init__(self, claims: Claims, asked: Asked, waits_for: set[str], due_at_ms: int) -> None:
        super().__init__()
        self._claims = claims
        self.asked = asked
        self.key = (asked.vhost, asked.client_id)
        self.waits_for = waits_for
        self.due_at_ms = due_at_ms
        self.found: dict[str, list[Found]] = {}
        self.refusal = ""

    def unpinned(self) -> None:
        self._claims.forget(self)


class Claims:
    """Of one broker.

    node: its name.  said: called when there is something to say (`to_say`).  move: called with what is to be fetched.
    """

    def __init__(self, world: MqttWorld, node: str) -> None:
        self._world = world
        self.node = node
        self.said: Callable[[], None] = lambda: None
        self.move: Callable[[Move], None] = lambda move: None
        self._others: set[str] = set()
        self._stamp = 0
        self._claims: dict[Key, Claim] = {}
        self._to_say: list[Asked] = []

    # The side of the client's new node

    def claim(self, vhost: str, client_id: str, user: str, *, clean: bool) -> None:
        """A client is about to be let in.  Unanswered until the others have answered; AccessRefused (403) where one
        of them has the session of another user, or a later claim."""
        key = (vhost, client_id)
        claim = self._claims.get(key)
        if claim is not None and claim.is_there and (claim.asked.user, claim.asked.clean) == (user, clean):
            if claim.refusal:
                raise AccessRefused(claim.refusal)
            return
        if not self._others:
            return
        if claim is None or claim.is_there:
            self._stamp += 1
            asked = Asked(vhost, client_id, user, self._stamp, clean)
            due_at_ms = self._world.broker.now_ms + WAIT_MS
            claim = self._claims[key] = Claim(self, asked, set(self._others), due_at_ms)
            self._to_say.append(asked)
            self.said()
        raise Unanswered(claim)

    def adopt(self, registry: MqttSessions, session: MqttSession, client: Client) -> bool:
        """The client is let in, and this is its session here: go on with what others have; whether any has."""
        claim = self._claims.get((registry.vhost.name, session.client_id))
        if claim is None or not claim.is_there:
            session.claimed = (self._stamp, self.node)
            return False
        session.claimed = (claim.asked.stamp, self.node)
        has_any = False
        for node, parts in claim.found.items():
            if any(part.has_session for part in parts):
                has_any = True
                self._adopt_from(registry, session, client, node, [row for part in parts for row in part.subscriptions])
        claim.found = {}
        return has_any

    def _adopt_from(
        self, registry: MqttSessions, session: MqttSession, client: Client, node: str, rows: Sequence[JSON]
    ) -> None:
        own: list[MqttSubscription] = []
        for row in rows:
            try:
                subscription = subscription_from(row)
                if subscription.filter in session.subscriptions:
                    continue
                if subscription.is_own:
                    own.append(subscription)
                else:
                    session.subscribe(client, subscription)
            except (BrokerError, ValueError, KeyError, TypeError) as error:
                _log.warning("a subscription of client '%s' on node '%s' is lost: %s", session.client_id, node, error)
        try:
            if session.queue is None:
                session.queue = registry.make_queue(session, client)
        except BrokerError as error:
            _log.warning("the session of client '%s' stays on node '%s': %s", session.client_id, node, error.text)
            return
        session.adopt(own)
        self.move(Move(registry, session, node, session_queue_name(session.client_id), session.claimed))

    def answered(self, node: str, stamp: int, found: Found, *, is_last: bool) -> None:
        """A node has said something of a claim, maybe all."""
        claim = self._claims.get((found.vhost, found.client_id))
        if claim is None or claim.asked.stamp != stamp or node not in claim.waits_for:
            return
        claim.refusal = claim.refusal or found.refusal
        claim.found.setdefault(node, []).append(found)
        if is_last:
            claim.waits_for.discard(node)
            self._settle(claim)

    def nothing(self, node: str, stamp: int, vhost: str, client_id: str) -> None:
        """It has nothing for it."""
        self.answered(node, stamp, Found(vhost, client_id), is_last=True)

    def set_nodes(self, names: Iterable[str]) -> None:
        """These are the other nodes of the cluster; with new ones, what is held here is said once more."""
        now = set(names)
        is_more = not now <= self._others
        gone = self._others - now
        self._others = now
        if gone:
            for claim in list(self._claims.values()):
                claim.waits_for -= gone
                self._settle(claim)
        if is_more:
            self.say_held()

    def say_held(self) -> None:
        """Others may not have heard of claims."""
        for sessions in self._world.all():
            for session in sessions.sessions.values():
                if session.holder is not None:
                    self._to_say.append(_held(sessions, session))
        if self._to_say:
            self.said()

    def tick(self, now_ms: int) -> None:
        """Who has waited long enough goes on."""
        for claim in list(self._claims.values()):
            if claim.due_at_ms <= now_ms and not claim.is_there:
                _log.warning(
                    "client '%s' is let in though the nodes %s haven't said whether it is there",
                    claim.asked.client_id,
                    ", ".join(sorted(claim.waits_for)),
                )
                claim.waits_for.clear()
                self._settle(claim)

    def to_say(self) -> list[Asked]:
        """What is to be told to all others."""
        said, self._to_say = self._to_say, []
        return said

    def forget(self, claim: Claim) -> None:
        """Nobody waits for it, or is let in by it, any more."""
        if self._claims.get(claim.key) is claim:
            del self._claims[claim.key]

    def _settle(self, claim: Claim) -> None:
        if not claim.waits_for and not claim.is_there:
            claim.tell()

    # The side of all others

    def asked(self, node: str, asked: Asked) -> Found | None:
        """Another node claims an identifier; what to answer, None for nothing."""
        self._stamp = max(self._stamp, asked.stamp)
        stamp = (asked.stamp, node)
        key = (asked.vhost, asked.client_id)
        own = self._claims.get(key)
        if own is not None and not own.is_there and not asked.is_held:
            if (own.asked.stamp, self.node) > stamp:
                return Found(*key, "another connection of this client has come later")
            own.refusal = "another connection of this client has come later"
        vhost = self._world.broker.vhosts.get(asked.vhost)
        registry = self._world.of(vhost) if vhost is not None else None
        session = registry.sessions.get(asked.client_id) if registry is not None else None
        if registry is None or session is None:
            return None
        if session.holder is not None and session.claimed > stamp:
            if asked.is_held:
                self._to_say.append(_held(registry, session))
                self.said()
                return None
            return Found(*key, "another connection of this client has come later")
        if session.user not in ("", asked.user) and not rights.is_left_behind(session):
            if session.holder is None and rights.is_empty(session):
                session.end()
                return None
            return Found(*key, f"the session of client identifier '{asked.client_id}' belongs to another user")
        if session.holder is not None:
            session.holder.taken_over()
        if asked.is_held:
            return None
        return self._given(registry, asked, stamp)

    def _given(self, registry: MqttSessions, asked: Asked, stamp: Stamp) -> Found | None:
        """What is left of a session that nobody holds here any more."""
        if asked.clean:
            registry.wills.session_ended(asked.client_id)
        else:
            registry.wills.cancel(asked.client_id)
        session = registry.sessions.get(asked.client_id)
        if session is None or session.ended:
            return None
        if asked.clean:
            session.end()
            return None
        _return_all(registry, session)
        session.wait_anew()
        session.claimed = stamp
        rows = [each.row() for each in session.subscriptions.values()]
        return Found(asked.vhost, asked.client_id, has_session=True, subscriptions=rows)

    def bound(self, node: str, stamp: int, vhost: str, client_id: str) -> None:
        """The client's new node gets what is published from now on."""
        registry, session = self._left(node, stamp, vhost, client_id)
        if registry is not None and session is not None and session.queue is not None:
            for each in session.subscriptions.values():
                if each.is_own:
                    registry.unbind(session.queue, each)

    def moved(self, node: str, stamp: int, vhost: str, client_id: str) -> None:
        """It has everything."""
        _, session = self._left(node, stamp, vhost, client_id)
        if session is not None:
            session.end()

    def _left(
        self, node: str, stamp: int, vhost_name: str, client_id: str
    ) -> tuple[MqttSessions | None, MqttSession | None]:
        """The session that was given to this claim, if that hasn't changed since."""
        vhost = self._world.broker.vhosts.get(vhost_name)
        registry = self._world.of(vhost) if vhost is not None else None
        session = registry.sessions.get(client_id) if registry is not None else None
        return registry, None if session is None or session.claimed != (stamp, node) else session


def _held(registry: MqttSessions, session: MqttSession) -> Asked:
    return Asked(registry.vhost.name, session.client_id, session.user, session.claimed[0], clean=False, is_held=True)


def _return_all(registry: MqttSessions, session: MqttSession) -> None:
    """What was under way goes back to the session's queue, so that it can be fetched from there."""
    leaving.return_own(session)
    if session.queue is None:
        return
    for each in list(session.outgoing.values()):
        message = each.message
        if message is not None and each.state != RELEASED_BY_CLIENT and each.queue is None:
            properties = message.properties.with_header_entries({}, [PACKET_ID, SOURCE, RELEASED])
            body = message.body
            again = Message(
                registry.broker.next_sequence(),
                message.address,
                properties,
                body,
                0,
                len(body),
                0,
                registry.broker.now_ms,
            )
            registry.vhost.deliver_to(session.queue, again)
            session.acknowledge(each.packet_id)
