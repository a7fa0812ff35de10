"""SUBSCRIBE and UNSUBSCRIBE (MQTT 5 3.8, 3.10; spec C.4).

A packet may have thousands of filters, so all is written as slices (adapters.session.long_work): so many filters, then
everybody else has a turn.  A packet that isn't longer than `SHORT_BYTES_MAX` is done at once.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.errors import PacketError, ProtocolViolation
from warren.adapters.mqtt.codec.packets import SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe
from warren.adapters.mqtt.codec.topics import SHARE_WORD, parse_filter
from warren.adapters.mqtt.codec.wire_subscribe import read_subscribe_in_slices, read_unsubscribe_in_slices
from warren.adapters.mqtt.errors import reason_of
from warren.adapters.mqtt.sessions.queue_names import queue_name_in
from warren.adapters.mqtt.sessions.stream_reading import STREAM_PREFIX, reading_by
from warren.adapters.mqtt.sessions.subscription import LEVELS_FREE, MqttSubscription
from warren.adapters.session.long_work import until_answered
from warren.core.errors import AccessRefused, BrokerError, PreconditionFailed
from warren.core.queues.stream.arguments import STREAM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from warren.adapters.mqtt.agreed import Agreed
    from warren.adapters.mqtt.answers import Answers
    from warren.adapters.mqtt.codec.reader import Reader
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.subscriptions import Subscriptions
    from warren.adapters.session.long_work import Slices

_log = logging.getLogger("warren.mqtt")

QUEUE_QOS_MAX: Final = 1
"""Granted for `$queue/NAME`: a message of QoS 2 is its client's alone (MQTT-4.8.2-5), and the queue would lose it."""

SHORT_BYTES_MAX: Final = 2048
"""Packets up to this length are handled in one go: a few hundred filters at most."""

FILTERS_PER_SLICE: Final = 256
"""Filters that are subscribed to or unsubscribed from before others have a turn: about 10 µs each."""

LEVELS_PER_FILTER: Final = 8
"""Levels that count as one filter more: each is looked up twice."""

NEVER_RETAINED: Final = 2
"""The retain handling that wants no retained messages (MQTT 5 3.8.3.1)."""

REFUSALS_NAMED_MAX: Final = 8
"""Refused filters of one packet that the log and the reason string name; further ones are counted."""


def long_subscribe(reader: Reader, subscriptions: Subscriptions, answers: Answers, *, hide_refusals: bool) -> Slices:
    """A whole SUBSCRIBE, its body still to be read by `reader`, in slices."""
    packet = yield from read_subscribe_in_slices(reader)
    yield from subscribe(subscriptions, answers, packet, hide_refusals=hide_refusals)


def long_unsubscribe(reader: Reader, subscriptions: Subscriptions, answers: Answers) -> Iterator[None]:
    """A whole UNSUBSCRIBE, its body still to be read by `reader`, in slices."""
    packet = yield from read_unsubscribe_in_slices(reader)
    yield from unsubscribe(subscriptions, answers, packet)


def subscribe(subscriptions: Subscriptions, answers: Answers, packet: Subscribe, *, hide_refusals: bool) -> Slices:
    """Each filter for itself; SUBACK first, then retained messages.

    hide_refusals: SUBACK says no more of a refusal than that it is one.  Raises PacketError for a filter that can't be
    one, where SUBACK can't say so.
    """
    session = subscriptions.session
    if _in_use(answers, session, packet.packet_id):
        codes = (reason_codes.PACKET_IDENTIFIER_IN_USE,) * len(packet.subscriptions)
        answers.send(SubAck(packet.packet_id, codes))
        return
    subscribing = _Subscribing(subscriptions, answers, _Said(packet), hide_refusals)
    start = 0
    while start < len(packet.subscriptions):
        if start:
            yield None
        end = _end_of_slice(packet.subscriptions, start)
        part = packet.subscriptions[start:end]
        yield from subscribing.take(part)
        start = end
    answers.send(SubAck(packet.packet_id, tuple(subscribing.granted)), subscribing.refusals.text)
    if subscribing.unauthorized:
        answers.refused()
    wanting = subscribing.wanting
    for start in range(0, len(wanting), FILTERS_PER_SLICE):
        if start:
            yield None
        session.feed_retained(wanting[start : start + FILTERS_PER_SLICE])


def unsubscribe(subscriptions: Subscriptions, answers: Answers, packet: Unsubscribe) -> Iterator[None]:
    """UNSUBACK says which there were."""
    session = subscriptions.session
    if _in_use(answers, session, packet.packet_id):
        answers.send(UnsubAck(packet.packet_id, (reason_codes.PACKET_IDENTIFIER_IN_USE,) * len(packet.filters)))
        return
    codes = []
    weight = 0
    for filter in packet.filters:
        subscriptions.leave_queue(filter)
        found = session.unsubscribe(filter)
        codes.append(reason_codes.SUCCESS if found is not None else reason_codes.NO_SUBSCRIPTION_EXISTED)
        if found is not None:
            subscriptions.taken_away()
        weight += 1 + filter.count("/") // LEVELS_PER_FILTER
        if weight >= FILTERS_PER_SLICE:
            weight = 0
            yield
    answers.send(UnsubAck(packet.packet_id, tuple(codes)))


class _Said:
    """What a packet says of all its filters.  identifier: 0 for none."""

    def __init__(self, packet: Subscribe) -> None:
        identifiers = packet.properties.get("subscription_identifiers", [])
        self.identifier = identifiers[0] if identifiers else 0
        self.user_properties = packet.properties.get("user_properties", [])


class _Subscribing:
    """What comes of one packet.

    granted: for SUBACK.  wanting: by these, retained messages are to come.  unauthorized: whether a filter was refused
    since the client may not read it.
    """

    def __init__(self, subscriptions: Subscriptions, answers: Answers, said: _Said, hide_refusals: bool) -> None:
        self._subscriptions = subscriptions
        self._agreed = answers.agreed
        self._limit_hits = answers.world.broker.limit_hits
        self._said = said
        self._hide_refusals = hide_refusals
        # Where others have to be asked for rights, each filter waits for its own answers.
        self._asks_others = subscriptions.client.user.rights is not None
        self.granted: list[int] = []
        self.wanting: list[MqttSubscription] = []
        self.unauthorized = False
        self.refusals = _Refusals(subscriptions.client.name)

    def take(self, asked: Sequence[Subscription]) -> Slices:
        """Subscribe by these filters, which are no more than a turn has room for."""
        agreed, subscriptions, said = self._agreed, self._subscriptions, self._said
        new = {} if self._asks_others else _take_new(agreed, subscriptions, asked, said.identifier)
        if len(new) == len(asked):
            self.granted += [each.qos for each in asked]
            self.wanting += [new[each.filter] for each in asked if each.retain_handling != NEVER_RETAINED]
            return
        for each in asked:
            if self._asks_others:
                yield from until_answered(partial(_check, agreed, subscriptions, each, said))
            self._take_one(each, new)

    def _take_one(self, asked: Subscription, new: dict[str, MqttSubscription]) -> None:
        """new: those that were subscribed to already, and only want their answer."""
        agreed = self._agreed
        try:
            subscription, is_new = new.pop(asked.filter, None), True
            if subscription is None:
                subscription, is_new = _take(agreed, self._subscriptions, asked, self._said)
        except BrokerError as error:
            self.refusals.add(asked.filter, error.text)
            self._limit_hits.count_error(error)
            self.unauthorized = self.unauthorized or isinstance(error, AccessRefused)
            code = _failure(agreed.level, asked, reason_of(error), hide_refusals=self._hide_refusals)
            self.granted.append(code)
        except PacketError as malformed:
            if malformed.reason_code != reason_codes.TOPIC_FILTER_INVALID or agreed.level != versions.V5:
                raise
            self.granted.append(reason_codes.TOPIC_FILTER_INVALID)
            self.refusals.texts.append(malformed.text)
        else:
            self.granted.append(subscription.qos)
            if subscription.is_own and (not asked.retain_handling or (asked.retain_handling == 1 and is_new)):
                self.wanting.append(subscription)


class _Refusals:
    """The filters of one packet that are refused, as they are told of.  texts: why."""

    def __init__(self, client: str) -> None:
        self._client = client
        self._count = 0
        self.texts: list[str] = []

    def add(self, filter: str, text: str) -> None:
        self._count += 1
        if self._count <= REFUSALS_NAMED_MAX:
            _log.warning("connection %s: '%s' is refused: %s", self._client, filter, text)
            self.texts.append(text)

    @property
    def text(self) -> str:
        """For the reason string; further ones are logged as a number."""
        if self._count > REFUSALS_NAMED_MAX:
            _log.warning(
                "connection %s: %d further filters of its SUBSCRIBE are refused",
                self._client,
                self._count - REFUSALS_NAMED_MAX,
            )
        return "; ".join(self.texts[:REFUSALS_NAMED_MAX])


def _end_of_slice(asked: Sequence[Subscription], start: int) -> int:
    """Where what is subscribed to in one go ends."""
    weight = 0
    for number in range(start, len(asked)):
        weight += 1 + asked[number].filter.count("/") // LEVELS_PER_FILTER
        if weight >= FILTERS_PER_SLICE:
            return number + 1
    return len(asked)


def _take_new(
    agreed: Agreed, subscriptions: Subscriptions, asked: Sequence[Subscription], identifier: int
) -> dict[str, MqttSubscription]:
    """Subscribe in one go by those filters that are new and as most are; they are given back.

    None is where there is a reason to refuse one: the others are taken one by one, then, and each hears its own.
    """
    session = subscriptions.session
    known = session.subscriptions
    is_bridge = agreed.is_bridge
    new: dict[str, MqttSubscription] = {}
    for filter, qos, no_local, as_published, _ in asked:
        if filter not in known and filter not in new and len(filter) < LEVELS_FREE and filter[0] != "$":
            new[filter] = MqttSubscription(
                filter, filter, qos, no_local or is_bridge, as_published or is_bridge, identifier
            )
    if len(new) < 2:
        return {}
    taken = list(new.values())
    try:
        session.registry.permits.check_all(subscriptions.client, session.client_id, taken)
        session.subscribe_all(subscriptions.client, taken)
    except BrokerError:
        return {}
    try:
        subscriptions.changed(taken[0])
    except BrokerError:
        for filter in new:
            session.unsubscribe(filter)
        return {}
    return new


def _take(
    agreed: Agreed, subscriptions: Subscriptions, asked: Subscription, said: _Said
) -> tuple[MqttSubscription, bool]:
    """Subscribe by one filter; whether it is new.  Nothing has changed where that raises."""
    subscription = _subscription(agreed, asked, said)
    session = subscriptions.session
    session.registry.permits.check(subscriptions.client, session.client_id, subscription)
    if subscription.queue_name:
        # The queue is there already, so it is asked first: it may have a consumer that wants to be its only one.
        queue = session.registry.vhost.queue(subscription.queue_name)
        if subscription.stream is not None:
            if queue.type_name != STREAM:
                raise PreconditionFailed(f"{queue.description} is no stream; subscribe to $queue/{queue.name}")
            # It begins where this SUBSCRIBE says, wherever it was.
            subscriptions.leave_queue(subscription.filter)
        subscriptions.changed(subscription)
        return subscription, session.subscribe(subscriptions.client, subscription)
    is_new = session.subscribe(subscriptions.client, subscription)
    try:
        subscriptions.changed(subscription)
    except BrokerError:
        if is_new:
            session.unsubscribe(subscription.filter)
        raise
    return subscription, is_new


def _check(agreed: Agreed, subscriptions: Subscriptions, wanted: Subscription, said: _Said) -> None:
    """Have all answered that `_take` asks; what is refused is for that to say."""
    try:
        subscription = _subscription(agreed, wanted, said)
        session = subscriptions.session
        session.registry.permits.check(subscriptions.client, session.client_id, subscription)
    except (BrokerError, PacketError):
        pass


def _subscription(agreed: Agreed, asked: Subscription, said: _Said) -> MqttSubscription:
    """By a filter that was checked when it was read, but for what MQTT 3 doesn't know of: shared ones."""
    filter = asked.filter
    share_name, topic_filter = "", filter
    if filter.startswith(SHARE_WORD):
        parsed = parse_filter(filter, agreed.level)
        share_name, topic_filter = parsed.share_name, parsed.filter
    if share_name and asked.no_local:
        raise ProtocolViolation(
            reason_codes.PROTOCOL_ERROR, "MQTT-3.8.3-4", "a shared subscription can't have the option no local"
        )
    queue_name = queue_name_in(topic_filter) if not share_name else ""
    return MqttSubscription(
        filter,
        topic_filter,
        group=share_name,
        queue_name=queue_name,
        qos=min(asked.qos, QUEUE_QOS_MAX) if queue_name else asked.qos,
        no_local=asked.no_local or (agreed.is_bridge and not share_name),
        retain_as_published=asked.retain_as_published or agreed.is_bridge,
        identifier=said.identifier,
        stream=reading_by(said.user_properties) if queue_name and topic_filter.startswith(STREAM_PREFIX) else None,
    )


def _in_use(answers: Answers, session: MqttSession, packet_id: int) -> bool:
    """True when a message of QoS 2 has this packet identifier; MQTT 3 can't say so, and takes it (MQTT 5 2.4, 0x91)."""
    return answers.agreed.level == versions.V5 and packet_id in session.inbound


def _failure(level: int, asked: Subscription, code: int, *, hide_refusals: bool) -> int:
    """What SUBACK says.  MQTT 3.1 knows no failure: the client "will not be informed" (3.8 there), and gets nothing."""
    if level == versions.V3_1:
        return asked.qos
    if level != versions.V5 or hide_refusals:
        return reason_codes.UNSPECIFIED_ERROR
    return reason_codes.fitting(versions.SUBACK, code)
