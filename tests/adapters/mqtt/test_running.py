"""What a logged in client's connection is put together from, without that connection: its own rules, and its end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.adapters.mqtt.bare import Bare, BareQueue, bare_client
from warren.adapters.mqtt.authentication import Answered
from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.mqtt.codec.errors import ProtocolViolation
from warren.adapters.mqtt.codec.packets import Auth, Connect, Disconnect, Will
from warren.adapters.mqtt.errors import Refusal
from warren.adapters.mqtt.login import Admitted
from warren.adapters.mqtt.plan import Plan
from warren.adapters.mqtt.running import Running
from warren.adapters.mqtt.sessions.subscription import MqttSubscription
from warren.adapters.mqtt.sessions.wills import WillMessage
from warren.adapters.mqtt.settings import MqttSettings
from warren.adapters.session.read_gate import ReadGate
from warren.core.alarms import Alarms
from warren.core.messages.properties import EMPTY

pytestmark = pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")

SETTINGS = MqttSettings()
METHOD = "METHOD"


class Steps:
    """An authentication whose steps come to what it was made with.  anew: how often it was begun again."""

    def __init__(self, *users: str | None) -> None:
        self.name = METHOD
        self.users = list(users)
        self.under_way = False
        self.anew = 0

    def begin_anew(self) -> None:
        """The client authenticates again."""
        self.anew += 1

    def step(self, data: bytes) -> Answered:
        """One step further."""
        return Answered(self.users.pop(0), {"authentication_method": METHOD})


class Place:
    """A client that is logged in, what it rests on, and what came of it."""

    def __init__(self, *, will: Will | None = None, exchange: Steps | None = None, expiry_s: int = 0) -> None:
        self.bare = Bare()
        self.events: list[object] = []
        self.session = session = self.bare.session
        session.expiry_s = expiry_s
        registry = cast("Any", session.registry)
        registry.detached = lambda: self.events.append("detached")
        registry.forget = lambda ended: self.events.append("session ended")
        registry.wills = SimpleNamespace(put=lambda client_id, will, at_ms: self.events.append((will.topic, at_ms)))
        registry.publish_will = lambda client_id, will: self.events.append(will.topic)
        vhost = SimpleNamespace(broker=SimpleNamespace(alarms=Alarms()), version=0)
        client = bare_client(
            vhost=vhost,
            user=SimpleNamespace(name="ann"),
            exclusive_queues={},
            close=lambda: self.events.append("closed"),
        )
        message = WillMessage(will.topic, will.payload, EMPTY, retain=False) if will is not None else None
        admitted = Admitted(Connect("c", will=will), client, message, {}, cast("Any", exchange))
        ending = SimpleNamespace(disconnect=lambda code, text: None)
        self.running = Running(
            admitted, session, self.bare.answers, SETTINGS, ReadGate(self.bare.transport), cast("Any", ending)
        )
        self.holder = cast("Any", object())
        session.holder = self.holder

    def end(self, *, publish_will: bool = True) -> list[object]:
        """The connection ends; what came of it."""
        self.running.end(self.holder, publish_will=publish_will)
        return self.events


class TestEnd:
    """Everything ends, in an order in which nothing comes back to what has ended."""

    def test_the_session_is_left_and_the_client_is_gone(self) -> None:
        place = Place()
        queue = BareQueue()
        place.bare.queues[""] = queue
        own = MqttSubscription("a", "a", qos=1)
        place.session.subscriptions = {"a": own}
        cast("Any", place.session.registry).subscription_changed = lambda now, before: None
        place.running.begin(None)
        assert len(queue.consumers) == 1
        place.bare.answers.answer_publish(1, 1, reason_codes.SUCCESS, stored=True)
        assert place.end() == ["detached", "session ended", "closed"]
        assert (queue.consumers, place.bare.awaiting_flush, place.running.outflow.ended) == ([], {}, True)
        assert place.session.holder is None

    def test_a_session_that_another_connection_has_is_left_alone(self) -> None:
        place = Place()
        other = cast("Any", object())
        place.session.holder = other
        assert place.end() == ["closed"]
        assert place.session.holder is other

    @pytest.mark.parametrize(
        ("delay_s", "expiry_s", "expected"),
        [(0, 100, "gone"), (30, 100, ("gone", 30_000)), (300, 100, ("gone", 100_000)), (30, 0, "gone")],
        ids=["at once", "after its delay", "with the session at the latest", "the session has ended"],
    )
    def test_the_will(self, delay_s: int, expiry_s: int, expected: object) -> None:
        will = Will("gone", b"x", properties={"will_delay_interval": delay_s})
        place = Place(will=will, expiry_s=expiry_s)
        place.session.stored = expiry_s > 0
        cast("Any", place.session.registry).broker.deadlines = SimpleNamespace(schedule=lambda at_ms, call: None)
        assert expected in place.end()

    def test_a_will_that_is_not_to_be_published(self) -> None:
        assert "gone" not in Place(will=Will("gone", b"x")).end(publish_will=False)


class TestTakeLeave:
    """DISCONNECT's session expiry interval (MQTT 5 3.14.2.2.2)."""

    def test_it_replaces_what_connect_said(self) -> None:
        place = Place(expiry_s=10)
        place.running.take_leave(Disconnect(), SETTINGS)
        assert place.session.expiry_s == 10
        place.running.take_leave(Disconnect(0, {"session_expiry_interval": 1 << 31}), SETTINGS)
        assert place.session.expiry_s == SETTINGS.session_expiry_max_s
        place.running.take_leave(Disconnect(0, {"session_expiry_interval": 0}), SETTINGS)
        assert place.session.expiry_s == 0

    def test_a_session_that_ends_with_its_connection_cannot_outlive_it(self) -> None:
        place = Place()
        place.running.take_leave(Disconnect(0, {"session_expiry_interval": 0}), SETTINGS)
        with pytest.raises(ProtocolViolation):
            place.running.take_leave(Disconnect(0, {"session_expiry_interval": 1}), SETTINGS)
        assert place.session.expiry_s == 0


class TestAuthentication:
    """Once more, without being interrupted (MQTT 5 4.12.1)."""

    def auth(self, reason_code: int, method: str = METHOD) -> Auth:
        return Auth(reason_code, {"authentication_method": method})

    def test_in_two_steps_as_the_same_user(self) -> None:
        steps = Steps(None, "ann")
        place = Place(exchange=steps)
        place.running.authenticate(self.auth(reason_codes.REAUTHENTICATE))
        assert place.bare.packets() == [self.auth(reason_codes.CONTINUE_AUTHENTICATION)]
        assert steps.anew == 1
        steps.under_way = True
        place.running.authenticate(self.auth(reason_codes.CONTINUE_AUTHENTICATION))
        assert place.bare.packets() == [self.auth(reason_codes.SUCCESS)]

    def test_not_as_another_user(self) -> None:
        place = Place(exchange=Steps("bob"))
        with pytest.raises(Refusal) as refused:
            place.running.authenticate(self.auth(reason_codes.REAUTHENTICATE))
        assert refused.value.reason_code == reason_codes.NOT_AUTHORIZED

    @pytest.mark.parametrize("exchange", [None, Steps("ann")], ids=["without a method", "by another"])
    def test_not_by_a_method_that_connect_did_not_name(self, exchange: Steps | None) -> None:
        with pytest.raises(ProtocolViolation) as refused:
            Place(exchange=exchange).running.authenticate(self.auth(reason_codes.REAUTHENTICATE, "OTHER"))
        assert refused.value.clause == "MQTT-4.12.0-6"

    def test_not_on_with_what_was_not_begun(self) -> None:
        with pytest.raises(ProtocolViolation):
            Place(exchange=Steps("ann")).running.authenticate(self.auth(reason_codes.CONTINUE_AUTHENTICATION))


def test_the_watch_of_the_acknowledgement_timeout_has_a_holder_while_there_is_something_to_acknowledge() -> None:
    place = Place()
    assert place.running.ack_holder is None
    plan = Plan("a", [MqttSubscription("a", "a", qos=1)])
    place.running.outflow.send_new(place.bare.message(), cast("Any", BareQueue()), "", plan, False)
    holder = place.running.ack_holder
    assert holder is not None
    assert place.running.ack_holder is holder, "its notes last as long as there is something"
    place.session.acknowledge(1)
    assert place.running.ack_holder is None
