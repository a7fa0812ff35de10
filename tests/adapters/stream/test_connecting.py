"""From the first byte to an open virtual host, and how connections end (spec H.2)."""

from __future__ import annotations

import logging

import pytest

from tests.adapters.stream.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stream import StreamClient
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.encoding import encode
from warren.adapters.stream.codec.keys import Code, Key
from warren.adapters.stream.settings import StreamProtocolSettings


def test_each_says_what_it_is(accept: Connect) -> None:
    client: StreamClient = accept()
    answer = client.ask(commands.PeerProperties, {"connection_name": "mine"})
    assert answer.properties["product"] == "RabbitMQ"
    assert answer.properties["version"] == "3.13.7"
    assert client.session.agreed.client_name == "mine"


def test_frame_size_and_heartbeat_are_offered_behind_the_login(accept: Connect) -> None:
    answer, tuned = accept().log_in()
    assert answer.code == Code.OK
    assert tuned == commands.Tune(1_048_576, 60)


def test_open_says_where_to_connect_to(accept: Connect) -> None:
    client = accept()
    client.log_in()
    client.send(commands.TuneAnswer(0, 0))
    answer = client.ask(commands.Open, "/")
    assert answer.properties == {"advertised_host": "127.0.0.1", "advertised_port": "5672"}
    other = accept(StreamProtocolSettings(advertised_host="streams.example", advertised_port=5552))
    other.log_in()
    other.send(commands.Tune(0, 0))
    assert other.ask(commands.Open, "/").properties == {
        "advertised_host": "streams.example",
        "advertised_port": "5552",
    }


def test_the_smaller_frame_size_counts_once_the_virtual_host_is_open(
    accept: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    client = accept().connect(frame_max=10_000)
    assert client.send_bytes((10_001).to_bytes(4, "big"))[0].code == Code.FRAME_TOO_LARGE
    assert client.closed
    assert "a frame of 10001 bytes, 10000 are possible" in caplog.text


def test_a_large_frame_before_that_ends_the_connection(accept: Connect, simulated: SimulatedBroker) -> None:
    client = accept()
    assert client.send_bytes((8_193).to_bytes(4, "big")) == []
    assert client.closed
    assert simulated.broker.limit_hits.of("stream_frame_max") == 1


@pytest.mark.parametrize("data", [b"", b"\0guest", b"\0guest\0guest\0guest"])
def test_a_plain_response_that_is_none(accept: Connect, data: bytes) -> None:
    assert accept().code(commands.SaslAuthenticate, "PLAIN", data) is Code.SASL_ERROR


def test_a_mechanism_that_is_not_offered(accept: Connect) -> None:
    client = accept()
    assert client.code(commands.SaslAuthenticate, "AMQPLAIN", b"") is Code.NO_MECHANISM
    assert client.code(commands.SaslAuthenticate, "EXTERNAL", b"") is Code.NO_MECHANISM
    assert not client.closed


def test_a_wrong_password_is_told_late_and_ends_the_connection(accept: Connect) -> None:
    client = accept()
    (answer,) = client.log_in(password="other")
    assert answer.code == Code.AUTHENTICATION_FAILED
    assert client.closed


def test_a_guest_from_elsewhere(accept: Connect) -> None:
    client = accept(peer_host="192.0.2.1")
    (answer,) = client.log_in()
    assert answer.code == Code.LOOPBACK_ONLY
    assert client.closed


def test_a_certificate_logs_in(accept: Connect) -> None:
    client = accept()
    client.transport.certificate_name = "guest"
    assert "EXTERNAL" in client.ask(commands.SaslHandshake).mechanisms
    answer, _ = client.send(commands.SaslAuthenticate(1, "EXTERNAL", None))
    assert answer.code == Code.OK


@pytest.mark.parametrize("vhost", ["nowhere", "closed"])
def test_a_virtual_host_that_may_not_be_entered(accept: Connect, simulated: SimulatedBroker, vhost: str) -> None:
    simulated.broker.add_vhost("closed", {})
    client = accept()
    client.log_in()
    client.send(commands.Tune(0, 0))
    assert client.code(commands.Open, vhost) is Code.VHOST_REFUSED
    assert client.closed


@pytest.mark.parametrize(
    "command",
    [commands.Open(1, "/"), commands.Tune(0, 0), commands.Create(1, "s", {}), commands.StreamStats(1, "s")],
)
def test_what_is_not_due_ends_the_connection(
    accept: Connect, command: commands.Command, caplog: pytest.LogCaptureFixture
) -> None:
    client = accept()
    assert client.send(command) == []
    assert client.closed
    assert "UNKNOWN_FRAME" in caplog.text


def test_a_login_on_a_connection_that_is_logged_in(accept: Connect) -> None:
    client = accept()
    client.log_in()
    assert client.send(commands.SaslAuthenticate(1, "PLAIN", b"\0guest\0guest")) == []
    assert client.closed


@pytest.mark.parametrize("frame", [b"\x00\x2f\x00\x01", b"\x00\x0d\x00\x02", b"\x00\x0d\x00\x01\x00", b"\x00"])
def test_a_frame_that_is_no_command_ends_the_connection_with_a_code(connect: Connect, frame: bytes) -> None:
    client = connect()
    (answer,) = client.send_bytes(len(frame).to_bytes(4, "big") + frame)
    assert isinstance(answer, commands.Close)
    assert answer.code == Code.UNKNOWN_FRAME
    assert client.closed


def test_what_only_the_broker_sends_ends_the_connection(connect: Connect) -> None:
    client = connect()
    (answer,) = client.send(commands.MetadataUpdate(6, "s"))
    assert answer.code == Code.UNKNOWN_FRAME


def test_an_answer_to_nothing_is_logged_and_nothing_else(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    client = connect()
    assert client.send(commands.ConsumerUpdateAnswer(7, Code.OK)) == []
    assert "ConsumerUpdate answer to nothing that was asked (7)" in caplog.text
    assert not client.closed


def test_a_question_is_answered_once(connect: Connect) -> None:
    client = connect()
    found: list[commands.Command] = []
    client.session.ask(lambda id: commands.ConsumerUpdate(id, 3, 1), found.append)
    client.simulated.settle()
    (asked,) = client.answers()
    answer = commands.ConsumerUpdateAnswer(asked.correlation_id, Code.OK)
    client.send(answer, answer)
    assert found == [answer]


def test_close_is_answered(connect: Connect) -> None:
    client = connect()
    assert client.code(commands.Close, Code.OK, "bye") is Code.OK
    assert client.closed


def test_an_operator_closes_it_with_a_word(connect: Connect) -> None:
    client = connect()
    client.session.force_close("maintenance")
    client.simulated.settle()
    (answer,) = client.answers()
    assert (answer.code, answer.reason) == (Code.OK, "maintenance")
    assert client.closed


def test_heartbeats_go_both_ways(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect(heartbeat=10)
    for _ in range(4):
        simulated.advance(5_000)
        client.send(commands.Heartbeat())
    assert not client.closed
    simulated.advance(5_000)
    assert commands.Heartbeat() in client.answers()


def test_who_is_silent_is_cut_off(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect(heartbeat=10)
    for _ in range(3):
        simulated.advance(10_001)
    assert client.transport.aborted


def test_who_never_opens_a_virtual_host_is_cut_off(accept: Connect, simulated: SimulatedBroker) -> None:
    client = accept()
    client.log_in()
    simulated.advance(10_001)
    assert client.transport.aborted


def test_versions_of_commands_are_exchanged(connect: Connect) -> None:
    client = connect()
    answer = client.ask(commands.ExchangeCommandVersions, [commands.CommandVersion(Key.DELIVER, 1, 2)])
    versions = {each.key: (each.least, each.most) for each in answer.commands}
    assert set(versions) == set(range(1, 32))
    assert versions[Key.DELIVER] == versions[Key.PUBLISH] == (1, 2)
    assert versions[Key.SUBSCRIBE] == (1, 1)
    assert client.session.agreed.delivers_v2


@pytest.mark.parametrize("cut", ["whole", "byte by byte", "1", "2"])
def test_how_bytes_are_cut_never_matters(accept: Connect, cut: str) -> None:
    client = accept()
    data = b"".join(
        map(
            encode,
            [
                commands.PeerProperties(1, {"a": "b"}),
                commands.SaslHandshake(2),
                commands.SaslAuthenticate(3, "PLAIN", b"\0guest\0guest"),
                commands.Tune(0, 0),
                commands.Open(4, "/"),
                commands.Heartbeat(),
                commands.Close(5, Code.OK, ""),
            ],
        )
    )
    answers = client.send_bytes(data, cut)
    assert [getattr(each, "correlation_id", "tune") for each in answers] == [1, 2, 3, "tune", 4, 5]


def test_first_bytes_of_something_else_are_told(accept: Connect, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        client = accept(StreamProtocolSettings(hint=lambda data: " (this is AMQP)"))
        client.send_bytes(b"AMQP\0\0\x09\x01")
    assert client.closed
    assert "(this is AMQP)" in caplog.text
