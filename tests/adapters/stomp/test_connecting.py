"""CONNECT and what comes before it (spec B.2)."""

from __future__ import annotations

import pytest

from tests.adapters.stomp.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import frame
from warren.adapters.stomp.settings import StompSettings
from warren.core.queues.classic.queue import ClassicQueue


@pytest.mark.parametrize(
    ("accepted", "version"),
    [("1.0", "1.0"), ("1.1", "1.1"), ("1.2", "1.2"), ("1.0,1.1,1.2", "1.2"), ("1.1, 1.0", "1.1"), ("1.1,2.0", "1.1")],
)
def test_the_highest_common_version_is_chosen(accept: Connect, accepted: str, version: str) -> None:
    (answer,) = accept().send("CONNECT", accept_version=accepted)
    assert answer.command == "CONNECTED"
    assert answer["version"] == version
    assert answer["server"] == "RabbitMQ/4.1.0"
    assert answer["session"].startswith("session-")
    assert answer["heart-beat"] == "0,0"


def test_without_accept_version_it_is_1_0(accept: Connect) -> None:
    (answer,) = accept().send("CONNECT", login=" guest", passcode=" guest")
    assert answer["version"] == "1.0"


def test_the_server_may_keep_its_name_to_itself(accept: Connect) -> None:
    (answer,) = accept(StompSettings(server="")).send("CONNECT")
    assert "server" not in answer.headers


def test_the_default_user_and_virtual_host(accept: Connect, simulated: SimulatedBroker) -> None:
    simulated.broker.users.add_user("alice", "secret")
    simulated.broker.users.set_permissions("alice", "/", "", "", "")
    client = accept(StompSettings(default_user="alice", default_password="secret")).connect()
    assert client.session.logged_in.user.name == "alice"
    assert client.session.logged_in.vhost.name == "/"


def test_two_empty_credentials_are_none(accept: Connect, simulated: SimulatedBroker) -> None:
    simulated.broker.users.add_user("alice", "secret")
    simulated.broker.users.set_permissions("alice", "/", "", "", "")
    settings = StompSettings(default_user="alice", default_password="secret")
    assert accept(settings).connect(login="", passcode="").session.logged_in.user.name == "alice"
    for headers in ({"login": "alice", "passcode": ""}, {"login": "", "passcode": "secret"}, {"login": "nobody"}):
        (answer,) = accept(settings).send("CONNECT", **headers)
        assert answer.body.startswith(b"Access refused for user"), headers


def test_a_virtual_host_without_permissions(accept: Connect, simulated: SimulatedBroker) -> None:
    simulated.broker.add_vhost("other", {})
    client = accept()
    (answer,) = client.send("CONNECT", host="other")
    assert answer.body.startswith(b"Virtual host 'other' access denied")
    assert client.closed


def test_guest_from_afar(accept: Connect) -> None:
    client = accept(None, "192.0.2.7")
    (answer,) = client.send("CONNECT")
    assert answer["message"] == "Bad CONNECT"
    assert answer.body.startswith(b"non-loopback access denied")
    assert client.closed


def test_connection_limits(accept: Connect, simulated: SimulatedBroker) -> None:
    simulated.broker.users.set_limits("guest", {"max-connections": 1})
    accept().connect()
    client = accept()
    (answer,) = client.send("CONNECT")
    assert answer["message"] == "Bad CONNECT"
    assert b"limit (1) is reached" in answer.body
    assert client.closed
    assert simulated.broker.client_count == 1


def test_channel_limits_count_a_session_as_one(accept: Connect, simulated: SimulatedBroker) -> None:
    simulated.broker.users.set_limits("guest", {"max-channels": 1})
    accept().connect()
    (answer,) = accept().send("CONNECT")
    assert b"limit of (1)" in answer.body
    assert simulated.broker.client_count == 1


def test_a_refused_frame_leaves_the_way_to_connect_open(accept: Connect) -> None:
    client = accept()
    assert client.send("SUBSCRIBE", id="1")[0].command == "ERROR"
    client.connect()


def test_connecting_implicitly(accept: Connect, simulated: SimulatedBroker) -> None:
    client = accept(StompSettings(implicit_connect=True))
    assert client.send("SEND", b"x", destination="/queue/a", receipt="1")[0].headers == {"receipt-id": "1"}
    assert simulated.queue("a").ready_count == 1


def test_who_never_connects_is_told_and_dropped(accept: Connect, simulated: SimulatedBroker) -> None:
    client = accept()
    simulated.advance(9_999)
    assert not client.closed
    simulated.advance(1)
    (answer,) = client.answers()
    assert answer.body.startswith(b"no CONNECT came within 10 s; connect again; ")
    assert client.closed


def test_who_connected_in_time_stays(accept: Connect, simulated: SimulatedBroker) -> None:
    client = accept().connect()
    simulated.advance(60_000)
    assert not client.closed


@pytest.mark.parametrize(
    ("wanted", "agreed"),
    [("0,0", "0,0"), ("1000,2000", "2000,1000"), ("1,0", "0,1000"), ("0,1999", "1000,0"), (" 5000 , 0 ", "0,5000")],
)
def test_heart_beats_are_whole_seconds(accept: Connect, wanted: str, agreed: str) -> None:
    (answer,) = accept().send("CONNECT", heart_beat=wanted)
    assert answer["heart-beat"] == agreed


def test_the_broker_beats(accept: Connect, simulated: SimulatedBroker) -> None:
    client = accept()
    client.send("CONNECT", heart_beat="0,1000")
    simulated.advance(499)
    assert client.transport.take() == b""
    for _ in range(5):
        simulated.advance(1)
        assert client.transport.take() == b"\n", "every half interval, the first one too"
        simulated.advance(499)
        assert client.transport.take() == b""
    simulated.advance(60_000)
    assert not client.closed


def test_a_client_that_falls_silent_is_dropped(accept: Connect, simulated: SimulatedBroker) -> None:
    client = accept()
    client.send("CONNECT", heart_beat="10000,0")
    for _ in range(5):
        simulated.advance(10_000)
        client.send_bytes(b"\n")
    simulated.advance(10_000)
    simulated.advance(10_000)
    assert not client.closed
    simulated.advance(10_000)
    assert client.transport.aborted, "reset, so that what it sends next isn't lost without a word"
    (answer,) = client.answers()
    assert answer["message"] == "missed heart-beats"
    assert b"two intervals of 10000 ms" in answer.body


def test_stopping_tells_the_client(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.session.shut_down("broker forced connection closure with reason 'shutdown'")
    simulated.settle()
    (answer,) = client.answers()
    assert answer["message"] == "connection_forced"
    assert answer.body.endswith(b"'shutdown'\n")
    assert client.closed


def test_disconnect_without_a_receipt_closes(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    assert client.send("DISCONNECT") == []
    assert client.closed
    assert not simulated.broker.sessions
    assert simulated.broker.client_count == 0
    assert simulated.broker.channel_count == 0


def test_listings(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect("1.1")
    client.send("SUBSCRIBE", id="1", destination="/queue/a", ack="client")
    (row,) = simulated.broker.inspect("connections", "/")
    assert row["protocol"] == "STOMP 1.1"
    assert (row["user"], row["vhost"], row["channels"], row["state"]) == ("guest", "/", 1, "running")
    (row,) = simulated.broker.inspect("channels", "/")
    assert (row["number"], row["consumer_count"]) == (1, 1)
    (row,) = simulated.broker.inspect("consumers", "/")
    assert row["consumer_tag"] == "T_1"
    assert row["ack_required"] is True


def test_a_deleted_virtual_host_closes_its_sessions(accept: Connect, simulated: SimulatedBroker) -> None:
    simulated.broker.add_vhost("other", {})
    simulated.broker.users.set_permissions("guest", "other", ".*", ".*", ".*")
    client = accept()
    client.send("CONNECT", host="other")
    simulated.broker.delete_vhost("other")
    simulated.settle()
    assert client.closed


def test_a_peer_that_does_not_read_its_replies_waits(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.transport.socket_room = 0
    receipt = frame("SEND", b"x", destination="/queue/a", receipt="r" * 60_000)
    for _ in range(200):
        client.transport.receive(receipt)
        simulated.settle()
    assert not client.session.takes_frames
    assert client.transport.paused
    queue = simulated.queue("a")
    assert isinstance(queue, ClassicQueue)
    assert queue.ready_count < 200
    client.transport.read_by_peer(None)
    simulated.settle()
    assert not client.transport.paused
    assert queue.ready_count == 200


def test_a_peer_that_never_reads_is_cut_off(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.transport.socket_room = 0
    receipt = frame("SEND", b"x", destination="/queue/a", receipt="r" * 60_000)
    for _ in range(200):
        client.transport.receive(receipt)
        simulated.settle()
    simulated.advance(30_000)
    assert client.transport.aborted


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_brokers_own_address_is_the_default_virtual_host(
    accept: Connect, simulated: SimulatedBroker, name: str
) -> None:
    client = accept()
    client.send("CONNECT", host=name)
    assert client.session.logged_in.vhost.name == "/"
    simulated.broker.add_vhost(name, {})
    other = accept()
    (answer,) = other.send("CONNECT", host=name)
    assert answer["message"] == "Bad CONNECT"
