"""What a link takes of messages, what it remembers of them, and how they go on."""

from __future__ import annotations

from typing import Any, cast

import pytest

from warren.adapters.amqp091.client.incoming import Incoming
from warren.adapters.peers.errors import PeerError
from warren.core.messages.properties import EMPTY, Properties, encode_properties
from warren.plugins.bridging.amqp_ends import AmqpSource
from warren.plugins.bridging.remembered import Remembered
from warren.plugins.federation.messages import ExchangeRewriting, FederatedSource, Way, may_come_to
from warren.plugins.federation.ways import Place

WAY = Way("amqp://up", "exchange", "x", Place("up", "/"))


def incoming(tag: int, properties: Properties = EMPTY, body: bytes = b"b", *, redelivered: bool = False) -> Incoming:
    return Incoming(tag, redelivered, "x", "k", properties, body)


def named(tag: int, message_id: str, body: bytes = b"b", *, redelivered: bool = True) -> Incoming:
    return incoming(tag, encode_properties(message_id=message_id), body, redelivered=redelivered)


def entry(redelivered: bool = False) -> dict[str, Any]:
    return {"uri": "amqp://up", "exchange": "x", "redelivered": redelivered, "cluster-name": "up", "vhost": "/"}


def test_the_way_grows_in_front() -> None:
    rewriting = ExchangeRewriting("here", WAY, trust_user_id=False)
    assert rewriting.address(incoming(1)) == ("here", "k")
    once = rewriting.properties(incoming(1))
    assert once.headers == {"x-received-from": [entry()]}
    twice = rewriting.properties(incoming(2, once, redelivered=True))
    assert twice.headers == {"x-received-from": [entry(True), entry()]}
    nonsense = encode_properties(headers={"x-received-from": "nonsense", "a": 1})
    assert rewriting.properties(incoming(3, nonsense)).headers == {"x-received-from": [entry()], "a": 1}


def test_the_same_properties_go_on_as_the_same() -> None:
    rewriting = ExchangeRewriting("here", WAY, trust_user_id=False)
    given = encode_properties(delivery_mode=2)
    assert rewriting.properties(incoming(1, given)) is rewriting.properties(incoming(2, given))
    for number in range(1000):
        assert rewriting.properties(incoming(number, encode_properties(message_id=str(number)))).message_id == str(
            number
        )


def test_user_id() -> None:
    given = encode_properties(user_id="somebody", app_id="a")
    for trusted, left in ((True, "somebody"), (False, None)):
        properties = ExchangeRewriting("here", WAY, trust_user_id=trusted).properties(incoming(1, given))
        assert (properties.user_id, properties.app_id) == (left, "a")


def test_what_has_been_here_may_not_come() -> None:
    wanted = may_come_to(Place("down", "/"), 5)
    assert wanted(incoming(1))
    assert wanted(incoming(1, encode_properties(headers={"x-received-from": [entry()]})))
    been = {**entry(), "cluster-name": "down"}
    assert not wanted(incoming(1, encode_properties(headers={"x-received-from": [entry(), been]})))


def remembered(*tags: int, prefetch: int = 10) -> Remembered:
    """Messages with these tags, and their numbers as message_id, were sent on over one connection."""
    made = Remembered(prefetch)
    made.begin()
    for tag in tags:
        made.forwarded(named(tag, str(tag), redelivered=False))
    return made


def test_what_was_acknowledged_is_known_when_it_comes_again() -> None:
    tried = remembered(1, 2, 3)
    tried.acknowledged(2)
    tried.begin()
    assert [tried.is_known(named(tag, str(tag))) for tag in (1, 2, 3)] == [True, True, False]
    assert not tried.is_known(named(4, "2", redelivered=False)), "only what the upstream delivers again"
    assert not tried.is_known(named(5, "2", b"other")), "another body is another message"
    assert not tried.is_known(incoming(6, redelivered=True)), "without a message_id it might be another"


def test_tags_of_another_connection_mean_nothing() -> None:
    tried = remembered(1, 2, 3)
    tried.begin()
    tried.forwarded(named(1, "9"))
    tried.acknowledged(3)
    assert not tried.is_known(named(4, "3"))
    assert tried.is_known(named(4, "9"))


def test_no_more_is_remembered_than_may_come_again() -> None:
    tried = remembered(*range(1, 101), prefetch=10)
    tried.acknowledged(100)
    assert [tag for tag in range(1, 101) if tried.is_known(named(tag, str(tag)))] == list(range(81, 101))


class LostSource:
    """Its link is broken: nobody can be told anything."""

    def ack(self, message: Incoming) -> None:
        raise PeerError("the link broke")

    ack_alone = ack


def test_what_is_here_is_remembered_though_the_upstream_cant_be_told() -> None:
    remembered = Remembered(10)
    source = FederatedSource(cast("AmqpSource", LostSource()), remembered, lambda message: True, lambda count: None)
    for tag in (1, 2, 3):
        remembered.forwarded(named(tag, str(tag), redelivered=False))
    with pytest.raises(PeerError):
        source.ack(named(1, "1"))
    with pytest.raises(PeerError):
        source.ack_alone(named(3, "3"))
    assert [remembered.is_known(named(9, name)) for name in "123"] == [True, False, True]
