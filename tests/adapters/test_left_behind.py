"""What a deleted user leaves behind is nobody's until it is gone, across a crash, and whatever fails meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient, frame
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.mqtt.codec.packets import Will
from warren.adapters.mqtt.sessions import rights
from warren.adapters.mqtt.sessions.session import MqttSession
from warren.adapters.session.admission import enter
from warren.core.access.accounts import DELETED_KIND
from warren.core.component import Component
from warren.core.errors import VirtualHostRefused
from warren.core.withdrawals import CLOSED_PER_SLICE

USER = "alice"
DURABLE = {"durable": "true", "auto_delete": "false"}
HOUR: dict[str, Any] = {"session_expiry_interval": 3600}
WILL = Will("gone", b"x", 0, False, {"will_delay_interval": 600})


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SimulatedBroker]:
    """On disk, with a user who may do everything in "/"."""
    simulated = SimulatedBroker(tmp_path)
    add_user(simulated)
    yield simulated
    simulated.close()


def add_user(broker: SimulatedBroker) -> None:
    broker.broker.users.add_user(USER, "secret")
    broker.broker.users.set_permissions(USER, "/", ".*", ".*", ".*")


def mqtt(broker: SimulatedBroker, client_id: str = "device", will: Will | None = None) -> MqttClient:
    client = MqttClient(broker)
    answer = client.connect(client_id, clean_start=False, username=USER, password=b"secret", will=will, **HOUR)
    assert not answer.reason_code
    return client


def stomp(broker: SimulatedBroker, *more: bytes) -> StompClient:
    client = StompClient(broker)
    client.send_bytes(frame("CONNECT", login=USER, passcode="secret", accept_version="1.2") + b"".join(more))
    return client


def subscribe(broker: SimulatedBroker) -> StompClient:
    return stomp(broker, frame("SUBSCRIBE", destination="/topic/a", id="0", **DURABLE))


def amqp(broker: SimulatedBroker) -> SimulatedClient:
    client = broker.accept()
    client.handshake(user=USER, password="secret")
    return client


def watcher(broker: SimulatedBroker, topic: str = "gone") -> MqttClient:
    client = MqttClient(broker)
    client.connect("watcher")
    client.subscribe(topic)
    return client


def leave(broker: SimulatedBroker) -> None:
    """A session with a message and a will, and a durable subscription with one, whose clients are away."""
    mqtt(broker, will=WILL).subscribe("a", qos=1)
    subscribe(broker)
    for client in list(broker.broker.sessions):
        client.transport.lose()  # type: ignore[attr-defined]
    publisher = MqttClient(broker)
    publisher.connect("publisher")
    publisher.publish("a", b"for the old one", 1)
    publisher.lose()
    broker.settle()


def commit(broker: SimulatedBroker) -> None:
    """What has changed is on disk; no slice of anything is done."""
    broker.broker.definitions.commit()
    broker.begin_commit()
    broker.finish_commit()


def rows(broker: SimulatedBroker) -> list[tuple[str, str]]:
    kinds = (DELETED_KIND, "mqtt_session", "mqtt_will", "mqtt_subscriptions")
    return [(kind, name) for kind, _, name, _ in broker.broker.definitions.load() if kind in kinds]


@pytest.mark.parametrize("is_there_again", ["before the crash", "after it"])
def test_a_crash_before_it_is_gone(broker: SimulatedBroker, is_there_again: str) -> None:
    leave(broker)
    broker.broker.users.delete_user(USER)
    if is_there_again == "before the crash":
        add_user(broker)
    commit(broker)
    broker.crash()
    assert broker.broker.users.leaving == [USER]
    if is_there_again == "after it":
        add_user(broker)
    device = MqttClient(broker)
    answer = device.connect("device", clean_start=False, username=USER, password=b"secret", **HOUR)
    assert (answer.reason_code, answer.session_present) == (0, False)
    assert device.messages() == []
    text = subscribe(broker)
    assert [each.body for each in text.answers()] == []
    watching = watcher(broker)
    broker.advance(700_000)
    assert watching.messages() == [], "nor is the will published"
    assert broker.broker.users.leaving == []
    assert (DELETED_KIND, USER) not in rows(broker)
    assert not device.session.ended
    assert len([queue for queue in broker.vhost.queues.values() if queue.user]) == 1


def test_it_goes_after_a_start_by_itself(broker: SimulatedBroker) -> None:
    leave(broker)
    assert {kind for kind, _ in rows(broker)} == {"mqtt_session", "mqtt_will", "mqtt_subscriptions"}
    broker.broker.users.delete_user(USER)
    commit(broker)
    broker.crash()
    broker.settle()
    assert rows(broker) == []
    assert not [queue for queue in broker.vhost.queues.values() if queue.user]
    broker.crash()
    broker.settle()
    assert not broker.broker.users.leaving


def test_what_the_next_of_the_name_has_made_stays_over_a_crash(broker: SimulatedBroker) -> None:
    leave(broker)
    broker.broker.users.delete_user(USER)
    add_user(broker)
    mqtt(broker, "other").subscribe("b", qos=1)
    commit(broker)
    broker.crash()
    broker.settle()
    assert list(broker.mqtt.of(broker.vhost).sessions) == ["other"]
    again = MqttClient(broker)
    assert again.connect("other", clean_start=False, username=USER, password=b"secret", **HOUR).session_present


def test_a_user_who_is_lost_to_damage_is_not_deleted(broker: SimulatedBroker) -> None:
    """Added anew by an administrator, the user is the one who left the session."""
    leave(broker)
    commit(broker)
    broker.crash(meanwhile=lambda: broker._definitions.delete("user", "", USER))
    assert USER not in broker.broker.users
    add_user(broker)
    device = MqttClient(broker)
    assert device.connect("device", clean_start=False, username=USER, password=b"secret", **HOUR).session_present


def test_who_was_there_before_there_were_ids(broker: SimulatedBroker) -> None:
    """Rows of an older Warren have none: they belong to the user of that name, until that one is deleted."""
    leave(broker)
    commit(broker)

    def age() -> None:
        for kind, vhost, name, value in list(broker._definitions.load()):
            if value.pop("id", None) if kind == "user" else value.pop("user_id", None):
                broker._definitions.put(kind, vhost, name, value)

    broker.crash(meanwhile=age)
    assert broker.broker.users[USER].id == ""
    assert [each.payload for each in mqtt_again(broker)] == [b"for the old one"]
    broker.crash(meanwhile=age)
    broker.broker.users.delete_user(USER)
    add_user(broker)
    assert mqtt_again(broker) == []


def mqtt_again(broker: SimulatedBroker) -> list[Any]:
    client = MqttClient(broker)
    client.connect("device", clean_start=False, username=USER, password=b"secret", **HOUR)
    return list(client.after_connack)


def test_a_user_who_is_changed_or_imported_again_is_the_same(broker: SimulatedBroker) -> None:
    leave(broker)
    users = broker.broker.users
    before = users[USER].id
    assert before
    users.change_password(USER, "other")
    users.set_tags(USER, ["monitoring"])
    users.set_limits(USER, {})
    users.clear_password(USER)
    users.put_user(users["guest"])
    users.delete_user("guest")
    users.change_password(USER, "secret")
    users.put_user(users[USER])
    broker.settle()
    assert users[USER].id == before
    assert mqtt(broker).session.subscriptions


def test_ids_are_never_the_same(broker: SimulatedBroker) -> None:
    users = broker.broker.users
    seen = set()
    for _ in range(3):
        seen.add(users[USER].id)
        users.delete_user(USER)
        users.add_user_hash(USER, "", None)
    assert len(seen) == 3


def test_deleting_looks_at_nothing(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many sessions there are, the call itself walks through none of them; slices do."""
    for number in range(3):
        mqtt(broker, f"device-{number}").lose()

    def looked(session: MqttSession) -> bool:
        raise AssertionError("looked at")

    with monkeypatch.context() as patched:
        patched.setattr(rights, "is_left_behind", looked)
        broker.broker.users.delete_user(USER)
    broker.settle()
    assert not broker.mqtt.of(broker.vhost).sessions


def test_sessions_of_others_are_passed_over_in_slices(broker: SimulatedBroker) -> None:
    registry = broker.mqtt.of(broker.vhost)
    for number in range(2 * rights.PASSED_PER_SLICE + 1):
        registry.sessions[str(number)] = MqttSession(registry, str(number), 0, "somebody", "")
    broker.broker.users.delete_user(USER)
    steps = sum(1 for _ in rights.end_left_behind(registry, [USER], []))
    assert steps == 2
    assert sum(1 for _ in rights.disconnect_withdrawn(registry, [USER])) == 2
    assert len(registry.sessions) == 2 * rights.PASSED_PER_SLICE + 1
    registry.sessions.clear()


def test_a_login_that_began_as_the_old_one_is_refused(broker: SimulatedBroker) -> None:
    """Though the password is the same."""
    users = broker.broker.users
    old = users[USER]
    users.delete_user(USER)
    users.put_user(old)
    users.set_permissions(USER, "/", ".*", ".*", ".*")
    with pytest.raises(VirtualHostRefused, match="another one now"):
        enter(broker.broker, SimulatedTransport(), old, "/", "test", {}, has_channels=False)


# What fails


class Failing(Component):
    """Keeps something that can't be dropped."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def forget_users(self, users: Collection[str]) -> Iterator[None]:
        self.asked.append(list(users))
        yield
        raise ValueError("on purpose")

    def rights_withdrawn(self, vhost: str, users: Collection[str]) -> Iterator[None]:
        raise ValueError("on purpose, too")


@pytest.mark.interpreted("replaces a method, which the compiled form doesn't let")
def test_what_fails_keeps_nothing_else(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection, a queue, a session, a component, each the first of its kind; and the next start tries again."""
    leave(broker)
    mqtt(broker, "second").lose()
    connections = [amqp(broker), amqp(broker)]
    text = stomp(broker)
    failing = Failing()
    broker.broker.components = {"failing": failing, **broker.broker.components}

    def fail(*arguments: object) -> None:
        raise ValueError("on purpose")

    monkeypatch.setattr(connections[0].connection, "force_close", fail)
    end = MqttSession.end

    def end_or_not(self: MqttSession) -> None:
        if self.client_id == "device":
            fail()
        end(self)

    monkeypatch.setattr(MqttSession, "end", end_or_not)
    broker.broker.users.delete_user(USER)
    broker.broker.users.clear_permissions("guest", "/")
    broker.settle()
    assert text.closed
    assert connections[0].connection.state == "running"
    assert connections[1].connection.state == "closing"
    assert not [queue for queue in broker.vhost.queues.values() if queue.user]
    assert list(broker.mqtt.of(broker.vhost).sessions) == ["device"]
    assert failing.asked == [[USER]]
    assert broker.broker.users.leaving == [USER], "nobody gets what couldn't be ended"
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 4, [record.getMessage() for record in errors]
    caplog.clear()
    monkeypatch.undo()
    broker.crash()
    broker.settle()
    assert not broker.mqtt.of(broker.vhost).sessions
    assert broker.broker.users.leaving == []


def test_who_is_deleted_twice_meanwhile_is_seen_to_twice(broker: SimulatedBroker) -> None:
    """While the work for the first goes on, the second of the name comes, and goes."""
    for number in range(2 * CLOSED_PER_SLICE):
        mqtt(broker, f"device-{number}")
    users = broker.broker.users
    users.delete_user(USER)
    add_user(broker)
    broker.broker.end_turn()
    registry = broker.mqtt.of(broker.vhost)
    assert registry.connected_count
    registry.sessions["late"] = late = MqttSession(registry, "late", 3600, USER, users[USER].id)
    users.delete_user(USER)
    broker.settle()
    assert late.ended
    assert not registry.sessions
    assert users.leaving == []


@pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")
def test_a_virtual_host_that_fails_keeps_no_other(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registries = [broker.mqtt.of(broker.broker.add_vhost(name, {})) for name in ("first", "second")]
    for registry in registries:
        name = registry.vhost.name
        registry.sessions[name] = MqttSession(registry, name, 3600, USER, broker.broker.users[USER].id)
    monkeypatch.setattr(registries[0].sessions["first"], "registry", None, raising=False)
    broker.broker.users.delete_user(USER)
    broker.settle()
    assert [list(registry.sessions) for registry in registries] == [["first"], []]
    assert "what 'mqtt' keeps for deleted users couldn't be ended" in caplog.text
    assert broker.broker.users.leaving == [USER]
    registries[0].sessions.clear()
