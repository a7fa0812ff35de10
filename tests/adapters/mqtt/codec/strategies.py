"""Packets of every type for hypothesis, for a given protocol level, such as decode gives them back."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import strategies as st

from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from warren.adapters.mqtt.codec.properties import RULES, WILL, Kind, Properties, PropertyRule

LEVELS = (versions.V3_1, versions.V3_1_1, versions.V5)

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
blobs = st.binary(max_size=20)
packet_ids = st.integers(1, 65_535)
qualities = st.integers(0, 2)
topics = st.text(st.characters(exclude_characters="\0+#", exclude_categories=["Cs"]), min_size=1, max_size=12)
payloads = st.one_of(st.binary(max_size=20), st.sampled_from([b"x" * 127, b"x" * 128, b"x" * 16_384]))

_literal_words = st.text(st.characters(exclude_characters="\0+#/", exclude_categories=["Cs"]), max_size=4)
_plain_filters = st.builds(
    lambda words, tail: "/".join(words) + tail,
    st.lists(st.one_of(_literal_words, st.just("+")), min_size=1, max_size=4).filter(any),
    st.sampled_from(["", "/#"]),
).filter(lambda text: not text.startswith("$share"))
_shared_filters = st.builds("$share/{}/{}".format, _literal_words.filter(bool), _plain_filters)
filters = st.one_of(st.just("#"), _plain_filters, _shared_filters)

_values: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.FLAG: st.booleans(),
    Kind.STRING: texts,
    Kind.BINARY: blobs,
    Kind.PAIR: st.lists(st.tuples(texts, texts), min_size=1, max_size=3),
}
_largest = {Kind.BYTE: 0xFF, Kind.TWO_BYTES: 0xFFFF, Kind.FOUR_BYTES: 0xFFFF_FFFF, Kind.VARIABLE: 268_435_455}


def _value(rule: PropertyRule, packet: int) -> st.SearchStrategy[Any]:
    if rule.name == "response_topic":
        return topics
    if rule.kind in _values:
        return _values[rule.kind]
    numbers = st.integers(rule.minimum, min(rule.maximum, _largest[rule.kind]))
    if rule.kind is Kind.VARIABLE:
        return st.lists(numbers, min_size=1, max_size=1 if packet == versions.SUBSCRIBE else 3)
    return numbers


@st.composite
def properties(draw: st.DrawFn, packet: int, level: int) -> Properties:
    """Some of those that a packet of type `packet` may carry, in any order; none in MQTT 3."""
    if level != versions.V5:
        return {}
    rules = [rule for rule in RULES if packet in rule.packets]
    chosen = draw(st.lists(st.sampled_from(rules), unique=True, max_size=6))
    values = {rule.name: draw(_value(rule, packet)) for rule in chosen}
    if "authentication_data" in values:
        values.setdefault("authentication_method", "PLAIN")
    return cast(Properties, values)


@st.composite
def _connects(draw: st.DrawFn, level: int) -> Connect:
    username = draw(st.none() | texts)
    password = draw(st.none() | blobs) if level == versions.V5 or username is not None else None
    will = st.builds(Will, topics, blobs, qualities, st.booleans(), properties(WILL, level))
    return Connect(
        client_id=draw(texts),
        level=level,
        clean_start=draw(st.booleans()),
        keep_alive_s=draw(st.integers(0, 65_535)),
        will=draw(st.none() | will),
        username=username,
        password=password,
        is_bridge=level != versions.V5 and draw(st.booleans()),
        properties=draw(properties(versions.CONNECT, level)),
    )


@st.composite
def _connacks(draw: st.DrawFn, level: int) -> ConnAck:
    codes = sorted(reason_codes.ALLOWED[versions.CONNACK]) if level == versions.V5 else range(6)
    code = draw(st.sampled_from(codes))
    present = not code and level != versions.V3_1 and draw(st.booleans())
    return ConnAck(code, present, draw(properties(versions.CONNACK, level)))


@st.composite
def publishes(draw: st.DrawFn, level: int) -> Publish:
    """A PUBLISH; in MQTT 5 sometimes with an alias in place of its topic."""
    qos = draw(qualities)
    carried = draw(properties(versions.PUBLISH, level))
    return Publish(
        topic=draw(topics | st.just("") if "topic_alias" in carried else topics),
        payload=draw(payloads),
        qos=qos,
        packet_id=draw(packet_ids) if qos else 0,
        retain=draw(st.booleans()),
        duplicate=bool(qos) and draw(st.booleans()),
        properties=carried,
    )


@st.composite
def _auths(draw: st.DrawFn) -> Auth:
    carried = draw(properties(versions.AUTH, versions.V5))
    if not carried:
        return Auth()
    carried.setdefault("authentication_method", "SCRAM-SHA-256")
    return Auth(draw(st.sampled_from(sorted(reason_codes.ALLOWED[versions.AUTH]))), carried)


def _codes(packet: int, level: int) -> st.SearchStrategy[int]:
    return st.sampled_from(sorted(reason_codes.ALLOWED[packet])) if level == versions.V5 else st.just(0)


def _subscriptions(level: int) -> st.SearchStrategy[Subscription]:
    if level != versions.V5:
        return st.builds(Subscription, filters, qualities, st.just(False), st.just(False), st.just(0))
    options = st.builds(Subscription, filters, qualities, st.booleans(), st.booleans(), qualities)
    return options.filter(lambda option: not (option.no_local and option.filter.startswith("$share/")))


def packets(level: int) -> st.SearchStrategy[Packet]:
    """A packet of any type that exists in `level`."""
    v5 = level == versions.V5
    suback_codes = _codes(versions.SUBACK, level) if v5 else st.sampled_from([0, 1, 2, 0x80])
    unsuback_codes = st.lists(_codes(versions.UNSUBACK, level), min_size=1, max_size=3) if v5 else st.just([])
    answers = [
        st.builds(kind, packet_ids, _codes(number, level), properties(number, level))
        for kind, number in (
            (PubAck, versions.PUBACK),
            (PubRec, versions.PUBREC),
            (PubRel, versions.PUBREL),
            (PubComp, versions.PUBCOMP),
        )
    ]
    return st.one_of(
        _connects(level),
        _connacks(level),
        publishes(level),
        *answers,
        st.builds(
            Subscribe,
            packet_ids,
            st.lists(_subscriptions(level), min_size=1, max_size=3).map(tuple),
            properties(versions.SUBSCRIBE, level),
        ),
        st.builds(
            SubAck,
            packet_ids,
            st.lists(suback_codes, min_size=1, max_size=3).map(tuple),
            properties(versions.SUBACK, level),
        ),
        st.builds(
            Unsubscribe,
            packet_ids,
            st.lists(filters, min_size=1, max_size=3).map(tuple),
            properties(versions.UNSUBSCRIBE, level),
        ),
        st.builds(UnsubAck, packet_ids, unsuback_codes.map(tuple), properties(versions.UNSUBACK, level)),
        st.just(PingReq()),
        st.just(PingResp()),
        st.builds(Disconnect, _codes(versions.DISCONNECT, level), properties(versions.DISCONNECT, level)),
        *([_auths()] if v5 else []),
    )


levels_and_packets = st.sampled_from(LEVELS).flatmap(lambda level: st.tuples(st.just(level), packets(level)))
