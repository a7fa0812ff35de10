"""Handshakes that fail, and what a client's certificate says, without sockets."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable

import pytest

from tests.support.certificates import TestAuthority
from tests.support.recording_session import Recorder, accepted
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from tests.support.tls_peer import TlsPeer, encrypted, failed_handshake, records
from warren.gateway.tls.contexts import TlsContexts
from warren.gateway.tls.stage import HANDSHAKE_BYTES_MAX

Contexts = Callable[..., TlsContexts]


def test_a_handshake_that_never_ends_is_cut_off(
    broker: SimulatedBroker, transport: SimulatedTransport, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    broker.advance(4999)
    assert not transport.closed
    broker.advance(1)
    broker.settle()
    assert transport.closed
    assert recorder.sessions == []
    assert "no TLS handshake within 5 s" in caplog.text
    assert broker.timers == 0


def test_endless_bytes_of_handshake_are_cut_off(
    broker: SimulatedBroker, transport: SimulatedTransport, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    # A ClientHello that says it has 16 MiB, in as many records as the peer likes to send.
    body = bytes.fromhex("01 ffffff 0303") + bytes(16_000)
    record = bytes.fromhex("16 0301") + len(body).to_bytes(2, "big") + body
    sent = 0
    while not transport.closed and sent < 100 * HANDSHAKE_BYTES_MAX:
        transport.receive(record)
        sent += len(record)
        broker.settle()
    assert sent <= HANDSHAKE_BYTES_MAX + len(record)
    assert transport.closed
    assert recorder.sessions == []


def test_a_hello_in_crumbs_is_cut_off_before_it_is_whole(
    broker: SimulatedBroker, transport: SimulatedTransport, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    # OpenSSL takes a ClientHello of 128 KiB, and as many records for it as there are bytes.
    transport.receive(bytes.fromhex("16 0301 0004 01 020000"))
    crumbs = bytes.fromhex("16 0301 0001 00") * 1000
    sent = 0
    while not transport.closed:
        transport.receive(crumbs)
        sent += len(crumbs)
        broker.settle()
        assert sent <= HANDSHAKE_BYTES_MAX + len(crumbs)
    assert sent > HANDSHAKE_BYTES_MAX - 100, "cut off by OpenSSL, so this tests nothing of ours"
    assert "bytes of handshake without coming to its end; closing it" in caplog.text
    assert recorder.sessions == []
    assert broker.timers == 0


@pytest.mark.parametrize(
    ("sent", "spoken"),
    [
        (b"AMQP\0\0\x09\x01", "plain AMQP on a TLS port"),
        (b"CONNECT\naccept-version:1.2\n\n\0", "plain STOMP on a TLS port"),
        (bytes.fromhex("10 0c 0004") + b"MQTT", "plain MQTT on a TLS port"),
        (b"\0\1\2\3", "b'\\x00\\x01\\x02\\x03', which is no TLS, on a TLS port"),
        (bytes.fromhex("80 2e 01 00 02"), "which is no TLS, on a TLS port"),
    ],
)
def test_plain_text_gets_an_alert_and_a_line_in_the_log(
    broker: SimulatedBroker,
    transport: SimulatedTransport,
    recorder: Recorder,
    caplog: pytest.LogCaptureFixture,
    sent: bytes,
    spoken: str,
) -> None:
    transport.receive(sent)
    transport.receive(sent)
    broker.settle()
    assert records(transport.take()) == [(21, bytes([2, 40]))]
    assert transport.closed
    assert spoken in caplog.text
    assert len(caplog.records) == 1
    assert recorder.sessions == []
    assert broker.timers == 0


def test_plain_http_is_told_so_in_http(
    broker: SimulatedBroker, transport: SimulatedTransport, caplog: pytest.LogCaptureFixture
) -> None:
    transport.receive(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    broker.settle()
    assert transport.take().startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert transport.closed
    assert "plain HTTP" in caplog.text


@pytest.mark.parametrize("hello_bytes", [1, 5, 100])
def test_a_handshake_that_breaks_off(
    broker: SimulatedBroker,
    transport: SimulatedTransport,
    authority: TestAuthority,
    caplog: pytest.LogCaptureFixture,
    hello_bytes: int,
) -> None:
    caplog.set_level("INFO")
    peer = TlsPeer(broker, transport, authority.client_context())
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.do_handshake()
    transport.receive(peer.taken()[:hello_bytes])
    transport.lose()
    assert "the TLS handshake was not finished: the peer closed the socket" in caplog.text
    assert broker.timers == 0


def test_a_look_whether_the_port_is_open_is_no_line(
    broker: SimulatedBroker, transport: SimulatedTransport, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    transport.lose()
    assert caplog.text == ""
    assert broker.timers == 0


def test_garbage_that_begins_like_tls(
    broker: SimulatedBroker, transport: SimulatedTransport, caplog: pytest.LogCaptureFixture
) -> None:
    transport.receive(bytes.fromhex("16 0301 0005") + b"hello")
    broker.settle()
    assert [kind for kind, _ in records(transport.take())] == [21]
    assert transport.closed
    assert "TLS handshake failed" in caplog.text


@pytest.mark.parametrize("seed", range(40))
def test_a_client_hello_with_a_damaged_byte_leaves_nothing_behind(
    broker: SimulatedBroker, transport: SimulatedTransport, recorder: Recorder, authority: TestAuthority, seed: int
) -> None:
    peer = TlsPeer(broker, transport, authority.client_context())
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.do_handshake()
    hello = bytearray(peer.taken())
    generator = random.Random(seed)
    hello[generator.randrange(len(hello))] ^= generator.randrange(1, 256)
    transport.receive(bytes(hello))
    broker.settle()
    broker.advance(5000)
    broker.settle()
    assert transport.closed
    assert recorder.sessions == []
    assert broker.timers == 0


def test_a_stop_during_the_handshake(broker: SimulatedBroker, transport: SimulatedTransport) -> None:
    transport.session.shut_down("stop")
    broker.settle()
    assert transport.closed
    assert broker.timers == 0


def test_a_client_that_does_not_trust_the_broker(
    broker: SimulatedBroker,
    transport: SimulatedTransport,
    recorder: Recorder,
    other_authority: TestAuthority,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert "certificate verify failed" in failed_handshake(broker, transport, other_authority.client_context())
    assert "the client doesn't trust the broker's certificate (unknown authority)" in caplog.text
    assert recorder.sessions == []


def test_a_client_that_only_has_versions_that_are_not_allowed(
    broker: SimulatedBroker,
    contexts: Contexts,
    recorder: Recorder,
    authority: TestAuthority,
    caplog: pytest.LogCaptureFixture,
) -> None:
    transport = accepted(broker, encrypted(contexts(tls_versions=frozenset({"1.3"})), recorder.accept))
    context = authority.client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert "protocol version" in failed_handshake(broker, transport, context).replace("_", " ")
    assert "offers only versions of TLS that are not allowed here" in caplog.text


def test_no_cipher_in_common(
    broker: SimulatedBroker,
    transport: SimulatedTransport,
    authority: TestAuthority,
    caplog: pytest.LogCaptureFixture,
) -> None:
    context = authority.client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # the broker's key is no RSA key
    assert "handshake failure" in failed_handshake(broker, transport, context).replace("_", " ")
    assert "the client and the broker have no cipher in common" in caplog.text
