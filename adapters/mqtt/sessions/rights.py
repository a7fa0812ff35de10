"""Whose a session is, and what becomes of it when its user may do less (docs/access.md).

A client identifier is a name that anybody can say, so a session belongs to the user who made it, and nobody else gets
it, in whatever way they connect.  What acts when its user isn't there to be asked, a will or a subscription that goes
on collecting, may do what the user may do then, not what was allowed when it was made.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions.publishing import QUEUE_PREFIX, address_of
from warren.core.access.accounts import User
from warren.core.access.answers import Unanswered
from warren.core.access.rights import BackEndFailed
from warren.core.chores import emptied
from warren.core.errors import AccessRefused

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.names import TopicNames
    from warren.adapters.mqtt.sessions.registry import MqttSessions
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.sessions.subscription import MqttSubscription
    from warren.adapters.mqtt.sessions.wills import WillMessage
    from warren.core.clients.client import Client
    from warren.core.routing.vhost import VirtualHost

_log = logging.getLogger("warren.mqtt")

SESSIONS_PER_SLICE: Final = 20
SUBSCRIPTIONS_PER_SLICE: Final = 100
"""Ended, and looked at, in one turn: some milliseconds."""

PASSED_PER_SLICE: Final = 2000
"""Sessions that only turn out to be somebody else's: a tenth of a microsecond each."""


def check_write(names: TopicNames, user: User | str, vhost: VirtualHost, client_id: str, topic: str) -> tuple[str, str]:
    """The exchange and the routing key of a topic; AccessRefused (403) when the user may not publish there."""
    users = vhost.broker.users
    exchange, key = address_of(names, topic)
    users.check(user, vhost.name, "exchange", exchange, "write")
    if not topic.startswith(QUEUE_PREFIX):
        users.check_topic(user, vhost.name, exchange, key, "write", {"client_id": client_id})
    return exchange, key


def check_owner(registry: MqttSessions, client: Client, client_id: str) -> None:
    """AccessRefused (403) when the session of this client identifier is another user's.

    One that was stored before sessions had owners is for whoever may do with its queue what subscribing takes.  One
    that nobody holds and that has nothing in it keeps nobody out, nor does one whose user is deleted: it ends now.
    """
    session = registry.sessions.get(client_id)
    if session is None or session.user == client.user.name or session.has_lost_queue or is_left_behind(session):
        return
    if not session.user:
        registry.permits.check_owning(client, client_id)
    elif session.holder is not None or not is_empty(session):
        raise AccessRefused(
            f"the session of client identifier '{client_id}' belongs to another user than '{client.user.name}'; use "
            "another client identifier, or have that session deleted with its queue"
        )


def goes_on(session: MqttSession, user: str) -> bool:
    """Whether a session is for this user, whom `check_owner` has let in, or else ends."""
    return not (session.has_lost_queue or session.user not in ("", user) or is_left_behind(session))


def is_left_behind(session: MqttSession) -> bool:
    """Whether it is a user's who is deleted, and ends soon, whoever has the name now."""
    return bool(session.user) and not session.registry.broker.users.owns(session.user, session.user_id)


def is_empty(session: MqttSession) -> bool:
    """Whether nothing would be lost with a session."""
    is_under_way = session.outgoing_count or session.inbound
    return not (session.subscriptions or is_under_way or session.registry.wills.has(session.client_id))


def may_publish_will(registry: MqttSessions, client_id: str, will: WillMessage) -> bool:
    """Whether the user of a will may publish it now; the log says so if not.  Wills without a user are old ones.

    Of a user whom another back-end knows, that can be asked only as long as the broker runs.  Raises Unanswered.
    """
    session = registry.sessions.get(client_id)
    if not registry.broker.users.owns(will.user, will.user_id) or (session is not None and is_left_behind(session)):
        _log.info("the will of client '%s' isn't published: its user is deleted", client_id)
        return False
    if not will.user:
        return True
    try:
        check_write(registry.world.names, will.actor, registry.vhost, client_id, will.topic)
    except AccessRefused as error:
        _log.warning("the will of client '%s' isn't published: %s", client_id, error.text)
        registry.world.dropped += 1
        return False
    return True


def end_left_behind(registry: MqttSessions, users: Collection[str], failures: list[Exception]) -> Iterator[None]:
    """The sessions of deleted users of these names end, and their wills go with them, in slices.

    failures: gets why one can't be ended, which keeps no other from it.
    """
    work = 0
    for session in list(registry.sessions.values()):
        work += 1
        if session.user in users and not session.ended:
            try:
                if is_left_behind(session):
                    work += PASSED_PER_SLICE // SESSIONS_PER_SLICE
                    _end(registry, session)
            except Exception as error:
                failures.append(error)
        if work >= PASSED_PER_SLICE:
            work = 0
            yield
    for number, (client_id, will) in enumerate(registry.wills.waiting(), 1):
        if will.user in users and not registry.broker.users.owns(will.user, will.user_id):
            registry.wills.cancel(client_id)
        if number % SUBSCRIPTIONS_PER_SLICE == 0:
            yield


def _end(registry: MqttSessions, session: MqttSession) -> None:
    user = session.user
    _log.info("the session of client '%s' ends: its user '%s' is deleted", session.client_id, user)
    if session.holder is not None:
        session.holder.rights_withdrawn(f"user '{user}' is deleted")
    if registry.sessions.get(session.client_id) is session:
        registry.wills.cancel(session.client_id)
    session.end()


def disconnect_withdrawn(registry: MqttSessions, users: Collection[str]) -> Iterator[None]:
    """These users may do less: who is subscribed to what isn't allowed any more is disconnected, in slices.

    There is no other way to tell it.  Its subscriptions are looked at when it comes back (`drop_withdrawn`).
    """
    work = 0
    for session in list(registry.sessions.values()):
        work += 1
        is_concerned = session.user in users and session.holder is not None
        for subscription in list(session.subscriptions.values()) if is_concerned else ():
            work += PASSED_PER_SLICE // SUBSCRIPTIONS_PER_SLICE
            if work >= PASSED_PER_SLICE:
                work = 0
                yield
            if _disconnect_unless_allowed(registry, session, subscription):
                break
        if work >= PASSED_PER_SLICE:
            work = 0
            yield


def _disconnect_unless_allowed(registry: MqttSessions, session: MqttSession, subscription: MqttSubscription) -> bool:
    if session.holder is None or session.subscriptions.get(subscription.filter) is not subscription:
        return False
    try:
        refusal = _refusal(registry, session, subscription)
    except Unanswered as unanswered:
        unanswered.then(partial(_disconnect_unless_allowed, registry, session, subscription))
        return False
    if refusal is None or isinstance(refusal, BackEndFailed):
        return False
    session.holder.rights_withdrawn(f"the subscription to '{subscription.filter}': {refusal.text}")
    return True


def _look_again(registry: MqttSessions, session: MqttSession) -> Iterator[None]:
    """The same for one session, in slices."""
    for number, subscription in enumerate(emptied(list(session.subscriptions.values())), 1):
        if session.holder is None or _disconnect_unless_allowed(registry, session, subscription):
            return
        if number % SUBSCRIPTIONS_PER_SLICE == 0:
            yield


def drop_withdrawn(registry: MqttSessions, session: MqttSession) -> None:
    """Its client is back: what it was subscribed to and may not read any more, it isn't subscribed to any more.

    Looked at only when rights have changed since the last time.  Of very many subscriptions, the first ones at once,
    the others in the turns that follow; until then, they are asked about with each topic (`MqttSession.matching`).
    Those that have messages come by others' queues are looked at first.
    """
    if session.rights_version == registry.broker.users.version or session.is_looked_at:
        return
    if _is_known_elsewhere(session):
        # It was looked at before it was let in (returning.py), and rights have changed since.
        again = _look_again(registry, session)
        registry.broker.chores.add(lambda: next(again, _ENDED) is None)
        return
    slices = _drop_slices(registry, session)

    def do_slice() -> bool:
        session.is_looked_at = next(slices, _ENDED) is None
        return session.is_looked_at

    if do_slice():
        registry.broker.chores.add(do_slice)


_ENDED: Final = object()


def _drop_slices(registry: MqttSessions, session: MqttSession) -> Iterator[None]:
    users = registry.broker.users
    work = 0
    while session.rights_version != users.version:
        version = users.version
        waiting = list(session.subscriptions.values())
        of_others = [each for each in waiting if each.group or each.queue_name]
        for subscription in chain(emptied(of_others), emptied(waiting)):
            if session.subscriptions.get(subscription.filter) is subscription:
                _drop_unless_allowed(registry, session, subscription)
            work += 1
            if work >= SUBSCRIPTIONS_PER_SLICE:
                work = 0
                yield
            if session.ended or _is_known_elsewhere(session):
                return
        # Rights that have changed meanwhile are looked at from the first subscription on.
        session.rights_version = version


def _is_known_elsewhere(session: MqttSession) -> bool:
    """Whether its user is one whom another back-end knows."""
    return isinstance(session.actor, User) and session.actor.rights is not None


def _drop_unless_allowed(registry: MqttSessions, session: MqttSession, subscription: MqttSubscription) -> None:
    refusal = _refusal(registry, session, subscription)
    if refusal is not None:
        _log.warning("client '%s' is subscribed no more: %s", session.client_id, refusal.text)
        session.unsubscribe(subscription.filter)


def _refusal(registry: MqttSessions, session: MqttSession, subscription: MqttSubscription) -> AccessRefused | None:
    try:
        registry.permits.check_reading(session, subscription, session.actor)
    except AccessRefused as error:
        return error
    return None
