"""TLS as a stage, without sockets: cut anywhere, slow readers, endings of every kind."""

from __future__ import annotations

import random
import ssl
from collections.abc import Iterator

import pytest

from tests.support.certificates import TestAuthority
from tests.support.recording_session import Recorder
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from tests.support.tls_peer import Cut, TlsPeer, in_pieces_of, records, whole
from warren.core.clients.outbox import HIGH_WATER_BYTES
from warren.gateway.tls.stage import TlsStage


@pytest.fixture
def peer(broker: SimulatedBroker, transport: SimulatedTransport, authority: TestAuthority) -> TlsPeer:
    """The client of that connection, with the handshake done."""
    peer = TlsPeer(broker, transport, authority.client_context())
    peer.connect()
    return peer


def at_random(data: bytes) -> Iterator[bytes]:
    """Anywhere, the same on every run."""
    generator = random.Random(len(data))
    position = 0
    while position < len(data):
        end = position + generator.randrange(1, 3000)
        yield data[position:end]
        position = end


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("cut", [whole, in_pieces_of(1), in_pieces_of(7), at_random], ids=["whole", "1", "7", "random"])
def test_bytes_go_both_ways_however_they_are_cut(
    broker: SimulatedBroker,
    transport: SimulatedTransport,
    recorder: Recorder,
    authority: TestAuthority,
    version: ssl.TLSVersion,
    cut: Cut,
) -> None:
    context = authority.client_context()
    context.minimum_version = context.maximum_version = version
    peer = TlsPeer(broker, transport, context, cut=cut)
    peer.connect()
    session = recorder.session
    assert session.transport.tls is not None
    assert session.transport.tls.protocol == ("TLSv1.2" if version is ssl.TLSVersion.TLSv1_2 else "TLSv1.3")
    assert session.transport.tls.cipher == (peer.tls.cipher() or ("",))[0]
    assert session.transport.certificate_name is None
    session.on_receive = session.outbox.write
    sent = random.Random(1).randbytes(40_000)
    peer.send(sent)
    assert session.received == sent
    assert peer.received == sent
    assert b"TLS" not in sent


def test_a_large_read_reaches_the_session_in_one_piece(
    transport: SimulatedTransport, recorder: Recorder, peer: TlsPeer
) -> None:
    sent = random.Random(2).randbytes(250_000)
    peer.send(sent)
    assert recorder.session.received == sent
    assert recorder.session.reads == 1


def test_many_records_in_one_turn_are_all_decrypted(
    transport: SimulatedTransport, recorder: Recorder, peer: TlsPeer
) -> None:
    for _ in range(1000):
        peer.tls.write(b"ping")
    peer.exchange()
    assert recorder.session.received == b"ping" * 1000
    assert recorder.session.reads == 1


def test_a_batch_is_one_write(broker: SimulatedBroker, transport: SimulatedTransport, peer: TlsPeer) -> None:
    session = transport.session
    assert isinstance(session, TlsStage)
    outbox = session.outbox.carried
    assert outbox is not None
    for number in range(100):
        outbox.write(b"%d " % number)
    broker.settle()
    sent = transport.take()
    assert len(records(sent)) == 1, "a record per chunk"


def test_a_client_that_sends_with_its_last_handshake_message(
    broker: SimulatedBroker, transport: SimulatedTransport, recorder: Recorder, authority: TestAuthority
) -> None:
    peer = TlsPeer(broker, transport, authority.client_context())
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.do_handshake()
    transport.receive(peer.taken())
    broker.settle()
    peer._incoming.write(transport.take())
    peer.tls.do_handshake()
    peer.tls.write(b"first words")
    transport.receive(peer.taken())
    assert recorder.session.received == b"first words"


def test_a_slow_reader_slows_down_its_consumers(
    broker: SimulatedBroker, transport: SimulatedTransport, recorder: Recorder, peer: TlsPeer
) -> None:
    outbox = recorder.session.outbox
    transport.socket_room = 0
    outbox.write(bytes(2 * HIGH_WATER_BYTES))
    broker.settle()
    assert outbox.room < 0
    drains = recorder.session.drains
    transport.read_by_peer(HIGH_WATER_BYTES + 100_000)
    assert outbox.room > 0
    assert recorder.session.drains == drains
    transport.read_by_peer(None)
    assert outbox.room == HIGH_WATER_BYTES
    assert recorder.session.drains == drains + 1


def test_pausing_goes_through(transport: SimulatedTransport, recorder: Recorder, peer: TlsPeer) -> None:
    recorder.session.transport.pause()
    assert transport.paused
    recorder.session.transport.resume()
    assert not transport.paused


# How it ends


def test_the_session_closes(
    broker: SimulatedBroker, transport: SimulatedTransport, recorder: Recorder, peer: TlsPeer
) -> None:
    recorder.session.outbox.write(b"last words")
    recorder.session.transport.close()
    peer.exchange()
    assert peer.received == b"last words"
    assert peer.closed, "no close_notify"
    assert transport.closed
    assert not transport.aborted
    assert recorder.session.lost == "closed"
    assert broker.timers == 0


def test_the_session_aborts(
    broker: SimulatedBroker, transport: SimulatedTransport, recorder: Recorder, peer: TlsPeer
) -> None:
    recorder.session.transport.abort()
    assert transport.aborted
    assert recorder.session.lost == "closed by the broker"
    assert broker.timers == 0


def test_the_peer_says_goodbye_with_its_last_words(
    broker: SimulatedBroker, transport: SimulatedTransport, recorder: Recorder, peer: TlsPeer
) -> None:
    recorder.session.on_receive = recorder.session.outbox.write
    peer.tls.write(b"that was all")
    peer.say_goodbye()
    peer.exchange()
    assert recorder.session.received == b"that was all"
    assert peer.received == b"that was all", "the answer was not sent any more"
    assert peer.closed
    assert transport.closed
    assert not transport.aborted
    assert recorder.session.lost == "the peer closed the connection"


def test_a_goodbye_waits_for_a_session_that_has_paused(
    broker: SimulatedBroker, transport: SimulatedTransport, recorder: Recorder, peer: TlsPeer
) -> None:
    session = recorder.session
    session.on_receive = lambda data: session.transport.pause()
    peer.tls.write(b"commands")
    peer.say_goodbye()
    peer.exchange()
    assert not transport.closed, "what the session had no time for is lost"
    broker.advance(60_000)
    drains = session.drains
    session.outbox.write(b"answers")
    peer.exchange()
    assert session.drains > drains, "the session isn't told any more that the peer has read"
    session.transport.resume()
    session.transport.pause()
    broker.advance(1)
    assert not transport.closed, "it had paused again"
    session.transport.resume()
    session.outbox.write(b", all")
    broker.advance(1)
    peer.exchange()
    assert peer.received == b"answers, all"
    assert peer.closed
    assert transport.closed
    assert session.lost == "the peer closed the connection"
    assert broker.timers == 0


def test_a_peer_is_gone_while_its_goodbye_waits(
    broker: SimulatedBroker, transport: SimulatedTransport, recorder: Recorder, peer: TlsPeer
) -> None:
    session = recorder.session
    session.on_receive = lambda data: session.transport.pause()
    peer.tls.write(b"commands")
    peer.say_goodbye()
    peer.exchange()
    session.transport.resume()
    transport.lose()
    broker.advance(1)
    assert session.lost == "the peer closed the connection"
    assert broker.timers == 0


def test_the_peer_is_gone_without_goodbye(
    transport: SimulatedTransport, recorder: Recorder, peer: TlsPeer, caplog: pytest.LogCaptureFixture
) -> None:
    transport.lose()
    assert recorder.session.lost == "the peer closed the socket"
    assert "TLS" not in caplog.text


def test_a_session_that_goes_on_writing_after_the_end(
    broker: SimulatedBroker, transport: SimulatedTransport, recorder: Recorder, peer: TlsPeer
) -> None:
    transport.lose()
    recorder.session.outbox.write(b"too late")
    broker.settle()
    assert transport.take() == b""


def test_what_was_changed_on_its_way_ends_the_connection_with_an_alert(
    broker: SimulatedBroker,
    transport: SimulatedTransport,
    recorder: Recorder,
    peer: TlsPeer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    peer.tls.write(b"good")
    good = peer.taken()
    peer.tls.write(b"to be damaged")
    damaged = bytearray(peer.taken())
    damaged[-1] ^= 1
    transport.receive(good + damaged)
    broker.settle()
    assert recorder.session.received == b"good"
    peer._incoming.write(transport.take())
    with pytest.raises(ssl.SSLError, match=r"(?i)bad.record.mac"):
        peer.tls.read(100)
    assert transport.closed
    assert not transport.aborted
    assert recorder.session.lost is not None
    assert "can't be decrypted" in caplog.text


def test_a_stop_reaches_the_session(
    broker: SimulatedBroker, transport: SimulatedTransport, recorder: Recorder, peer: TlsPeer
) -> None:
    transport.session.shut_down("stop")
    broker.settle()
    assert recorder.session.ended == "stop"
    assert transport.closed


def test_the_time_limit_is_for_the_handshake_alone(
    broker: SimulatedBroker, transport: SimulatedTransport, recorder: Recorder, peer: TlsPeer
) -> None:
    broker.advance(3_600_000)
    assert not transport.closed
    assert broker.timers == 0
