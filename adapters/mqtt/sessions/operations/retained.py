"""Operations on retained messages."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.adapters.mqtt.sessions import publishing
from warren.adapters.mqtt.sessions.headers import publish_qos
from warren.adapters.mqtt.sessions.operations.topic_names import checked_filter, checked_topic
from warren.adapters.mqtt.sessions.place import world_of
from warren.core.administration.operations import vhosts
from warren.core.administration.steps import Steps
from warren.core.declaring.actor import Administrator
from warren.core.errors import AccessRefused, NotFound, PreconditionFailed, ResourceError

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.retained import RetainedMessages, RetainedNode
    from warren.core.access.accounts import User
    from warren.core.access.topic_permissions import TopicVerb
    from warren.core.broker import Broker
    from warren.core.messages.message import Message
    from warren.core.routing.vhost import VirtualHost

WALKED_PER_SLICE: Final = 2000
"""Steps of a walk in one slice, a microsecond or two each."""

CHECKED_PER_SLICE: Final = 300
"""The same where each topic is checked by the user's topic permissions, some ten microseconds."""

KEPT_MAX: Final = 10_000
"""So far into the matches a page may reach; who wants more asks for a narrower filter."""

EVERYTHING: Final = "#"
SYSTEM: Final = "$SYS"


class Retained(NamedTuple):
    """One retained message.  publisher: the client identifier of who published it, empty for nobody known."""

    topic: str
    message: Message
    publisher: str


class RetainedPage(NamedTuple):
    """Some of `match_count` messages, from a place on in the order of the tree."""

    messages: list[Retained]
    match_count: int


def find(
    broker: Broker,
    vhost: str,
    *,
    wanted: str = EVERYTHING,
    search: str = "",
    start: int = 0,
    count: int,
    user: User | str | None = None,
) -> Steps[RetainedPage]:
    """Retained messages whose topics match the filter `wanted` and contain `search`, whatever its case.

    Topics that begin with `$` are found by their first word alone, as by clients.  user: whose permissions to read
    count, None for the broker's owner.  What comes or goes meanwhile may be seen or not.

    Raises NotFound, AccessRefused, PreconditionFailed for what is no filter, ValueError for numbers out of range.
    """
    if start < 0 or count < 0 or start + count > KEPT_MAX:
        raise ValueError(f"a page of retained messages is within the first {KEPT_MAX}")
    found = vhosts.existing(broker, vhost)
    actor = Administrator(found, user)
    actor.check("exchange", world_of(broker).names.exchange, "read")
    words = checked_filter(wanted)
    return Steps(_find(world_of(broker).of(found).retained, actor, words, search.casefold(), start, count))


def get(broker: Broker, vhost: str, topic: str, *, user: User | str | None = None) -> Retained:
    """The retained message of a topic.  user: as in `find`.  Raises NotFound, AccessRefused."""
    found = vhosts.existing(broker, vhost)
    actor = Administrator(found, user)
    actor.check("exchange", world_of(broker).names.exchange, "read")
    _check_topic(actor, topic, "read")
    node = world_of(broker).of(found).retained.find(topic)
    if node is None or node.message is None:
        raise NotFound(f"nothing is retained for the topic '{topic}' in vhost '{vhost}'")
    return Retained(topic, node.message, node.publisher)


def put(broker: Broker, vhost: str, topic: str, body: bytes, *, qos: int = 0, user: User | str | None = None) -> None:
    """Publish a message to a topic, retained, as a client would: subscribers get it now, and others later.

    user: who has to have the permissions to publish it; None for the broker's owner.  Raises NotFound, AccessRefused,
    PreconditionFailed for a topic or a QoS that can't be, for an empty body, or when a limit is reached, and
    ResourceError while an alarm holds publishes back.
    """
    found, retained = _writable(broker, vhost, topic, user)
    if qos not in (0, 1, 2):
        raise PreconditionFailed(f"the QoS is 0, 1 or 2, not {qos}")
    if not body:
        raise PreconditionFailed("an empty message retains nothing; delete what is retained instead")
    blocked = broker.alarms.blocked
    if blocked is not None:
        raise ResourceError(f"publishing is blocked: {blocked}; try again when there is room")
    number = retained.number
    publishing.publish(found, topic, body, publishing.plain_properties(qos, retain=True), retain=True)
    if retained.number == number:
        raise PreconditionFailed("the message was published but not retained: a limit is reached, which the log names")


def remove(broker: Broker, vhost: str, topic: str, *, user: User | str | None = None) -> None:
    """Retain nothing for a topic any more; nothing is published.  user: as in `put`.

    Raises NotFound, AccessRefused.
    """
    _, retained = _writable(broker, vhost, topic, user)
    node = retained.find(topic)
    if node is None or node.message is None:
        raise NotFound(f"nothing is retained for the topic '{topic}' in vhost '{vhost}'")
    retained.remove(topic)


def _writable(broker: Broker, vhost: str, topic: str, user: User | str | None) -> tuple[VirtualHost, RetainedMessages]:
    found = vhosts.existing(broker, vhost)
    checked_topic(topic)
    if topic.split("/")[0] == SYSTEM:
        raise PreconditionFailed(f"topics that begin with {SYSTEM} are the broker's own")
    if topic.startswith(publishing.QUEUE_PREFIX):
        raise PreconditionFailed(f"'{topic}' stands for a queue, which retains nothing")
    actor = Administrator(found, user)
    actor.check("exchange", world_of(broker).names.exchange, "write")
    _check_topic(actor, topic, "write")
    return found, world_of(broker).of(found).retained


def _check_topic(actor: Administrator, topic: str, verb: TopicVerb) -> None:
    names = world_of(actor.vhost.broker).names
    if actor.narrows_topics(names.exchange):
        actor.check_topic(names.exchange, names.key_of(topic), verb)


def _exchange_of(actor: Administrator) -> str:
    return world_of(actor.vhost.broker).names.exchange


def _find(
    retained: RetainedMessages, actor: Administrator, words: tuple[str, ...], search: str, start: int, count: int
) -> Generator[None, None, RetainedPage]:
    found: list[Retained] = []
    matches = 0
    per_slice = CHECKED_PER_SLICE if actor.narrows_topics(_exchange_of(actor)) else WALKED_PER_SLICE
    for number, node in enumerate(retained.walk(words), 1):
        if node is not None and node.message is not None and _is_wanted(actor, node, search):
            matches += 1
            if start < matches <= start + count:
                found.append(Retained(node.topic, node.message, node.publisher))
        if number % per_slice == 0:
            yield
    return RetainedPage(found, matches)


def _is_wanted(actor: Administrator, node: RetainedNode, search: str) -> bool:
    if search and search not in node.topic.casefold():
        return False
    try:
        _check_topic(actor, node.topic, "read")
    except AccessRefused:
        return False
    return True


def qos_of(message: Message) -> int:
    """The QoS that a message was published with."""
    return publish_qos(message.properties)
