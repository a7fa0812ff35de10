"""What a client's certificate says, who is refused for one, and resumed sessions, without sockets."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.certificates import Files, TestAuthority
from tests.support.recording_session import Recorder, accepted
from tests.support.simulated_broker import SimulatedBroker
from tests.support.tls_peer import TlsPeer, encrypted, failed_handshake, in_pieces_of
from warren.gateway.command_line.development import make_certificates
from warren.gateway.tls.contexts import TlsContexts
from warren.gateway.tls.stage import RECORD_BYTES

Contexts = Callable[..., TlsContexts]


def test_a_verified_certificate_is_a_name_and_is_shown(
    broker: SimulatedBroker, contexts: Contexts, recorder: Recorder, authority: TestAuthority, client: Files
) -> None:
    transport = accepted(broker, encrypted(contexts(tls_verify="optional"), recorder.accept))
    TlsPeer(broker, transport, authority.client_context(client)).connect()
    carrier = recorder.session.transport
    assert carrier.tls is not None
    assert carrier.certificate_name == carrier.tls.peer_subject
    assert "CN=guest" in carrier.tls.peer_subject
    assert "O=Example\\, Inc." in carrier.tls.peer_subject
    assert "O=trustme" in carrier.tls.peer_issuer
    assert " - " in carrier.tls.peer_validity


@pytest.mark.parametrize("verify", ["none", "optional"])
def test_without_a_certificate_there_is_no_name(
    broker: SimulatedBroker, contexts: Contexts, recorder: Recorder, authority: TestAuthority, verify: str
) -> None:
    transport = accepted(broker, encrypted(contexts(tls_verify=verify), recorder.accept))
    TlsPeer(broker, transport, authority.client_context()).connect()
    assert recorder.session.transport.certificate_name is None
    assert recorder.session.transport.tls is not None
    assert recorder.session.transport.tls.peer_subject == ""


def test_a_certificate_that_nobody_asked_for_is_no_name(
    broker: SimulatedBroker, contexts: Contexts, recorder: Recorder, authority: TestAuthority, client: Files
) -> None:
    transport = accepted(broker, encrypted(contexts(tls_verify="none"), recorder.accept))
    TlsPeer(broker, transport, authority.client_context(client)).connect()
    assert recorder.session.transport.certificate_name is None


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"tls_certificate_login_from": "common_name"}, "guest"),
        (
            {
                "tls_certificate_login_from": "subject_alternative_name",
                "tls_certificate_login_san_type": "email",
            },
            "guest@example.org",
        ),
        ({"tls_certificate_login_from": "subject_alternative_name"}, None),
        (
            {
                "tls_certificate_login_from": "subject_alternative_name",
                "tls_certificate_login_san_type": "email",
                "tls_certificate_login_san_index": 1,
            },
            None,
        ),
    ],
)
def test_what_of_the_certificate_is_the_name(
    broker: SimulatedBroker,
    contexts: Contexts,
    recorder: Recorder,
    authority: TestAuthority,
    client: Files,
    changes: dict[str, object],
    name: str | None,
) -> None:
    transport = accepted(broker, encrypted(contexts(tls_verify="required", **changes), recorder.accept))
    TlsPeer(broker, transport, authority.client_context(client)).connect()
    assert recorder.session.transport.certificate_name == name


def test_no_certificate_where_one_is_required(
    broker: SimulatedBroker,
    contexts: Contexts,
    recorder: Recorder,
    authority: TestAuthority,
    caplog: pytest.LogCaptureFixture,
) -> None:
    transport = accepted(broker, encrypted(contexts(tls_verify="required"), recorder.accept))
    assert "certificate required" in failed_handshake(broker, transport, authority.client_context()).replace("_", " ")
    assert "the client showed no certificate, and tls_verify is required" in caplog.text
    assert recorder.sessions == []


def test_an_expired_client_certificate(
    broker: SimulatedBroker,
    contexts: Contexts,
    recorder: Recorder,
    authority: TestAuthority,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expired = authority.issue("expired-client", "old@example.org", user="guest", expired=True)
    transport = accepted(broker, encrypted(contexts(tls_verify="optional"), recorder.accept))
    failure = failed_handshake(broker, transport, authority.client_context(expired))
    assert "certificate expired" in failure.replace("_", " ")
    assert "the client's certificate was refused: certificate has expired; renew the client's" in caplog.text
    assert recorder.sessions == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_resumed_session_is_the_same_user(
    broker: SimulatedBroker,
    contexts: Contexts,
    recorder: Recorder,
    authority: TestAuthority,
    client: Files,
    version: ssl.TLSVersion,
) -> None:
    tls = contexts(tls_verify="required")
    context = authority.client_context(client)
    context.minimum_version = context.maximum_version = version
    first = TlsPeer(broker, accepted(broker, encrypted(tls, recorder.accept)), context)
    first.connect()
    first.exchange()
    resuming = TlsPeer(broker, accepted(broker, encrypted(tls, recorder.accept)), context, session=first.tls.session)
    resuming.connect()
    assert resuming.tls.session_reused
    before, after = (session.transport for session in recorder.sessions)
    assert after.certificate_name is not None
    assert "CN=guest" in after.certificate_name
    assert after.certificate_name == before.certificate_name
    assert after.tls == before.tls


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_large_client_certificate(
    broker: SimulatedBroker, contexts: Contexts, recorder: Recorder, authority: TestAuthority, version: ssl.TLSVersion
) -> None:
    large = authority.issue("large", *(f"device-{number}.example.org" for number in range(2000)), user="guest")
    context = authority.client_context(large)
    context.minimum_version = context.maximum_version = version
    transport = accepted(broker, encrypted(contexts(tls_verify="required"), recorder.accept))
    peer = TlsPeer(broker, transport, context, cut=in_pieces_of(1000))
    peer.connect()
    peer.send(b"hello")
    assert transport.received_bytes > 2 * RECORD_BYTES, "it fits one record"
    assert "CN=guest" in (recorder.session.transport.certificate_name or "")
    assert recorder.session.received == b"hello"


def test_a_session_is_not_resumed_after_the_authorities_have_changed(
    broker: SimulatedBroker, contexts: Contexts, recorder: Recorder, authority: TestAuthority, client: Files
) -> None:
    context = authority.client_context(client)
    first = TlsPeer(broker, accepted(broker, encrypted(contexts(tls_verify="required"), recorder.accept)), context)
    first.connect()
    first.exchange()
    renewed = accepted(broker, encrypted(contexts(tls_verify="required"), recorder.accept))
    again = TlsPeer(broker, renewed, context, session=first.tls.session)
    again.connect()
    assert not again.tls.session_reused
    assert len(recorder.sessions) == 2


def test_a_client_certificate_that_expired_since_the_session_that_is_resumed(
    broker: SimulatedBroker,
    contexts: Contexts,
    recorder: Recorder,
    authority: TestAuthority,
    client: Files,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tls = contexts(tls_verify="required")
    context = authority.client_context(client)
    first = TlsPeer(broker, accepted(broker, encrypted(tls, recorder.accept)), context)
    first.connect()
    first.exchange()
    resuming = TlsPeer(broker, accepted(broker, encrypted(tls, recorder.accept)), context, session=first.tls.session)
    resuming.connect()
    assert resuming.tls.session_reused
    assert len(recorder.sessions) == 2
    # OpenSSL looks at the clock of the machine, and at none at all when a session is resumed.
    broker.broker.now_ms = int((time.time() + 100 * 24 * 3600) * 1000)
    transport = accepted(broker, encrypted(tls, recorder.accept))
    late = TlsPeer(broker, transport, context, session=first.tls.session)
    late.exchange()
    assert transport.closed
    assert len(recorder.sessions) == 2
    assert "the client's certificate has expired since it was verified" in caplog.text
    assert broker.timers == 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_certificate_for_servers_is_none_for_clients(
    broker: SimulatedBroker,
    contexts: Contexts,
    recorder: Recorder,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    version: ssl.TLSVersion,
) -> None:
    make_certificates(tmp_path, [], "guest", datetime.now(UTC))
    tls = contexts(
        tls_verify="required",
        tls_ca_file=tmp_path / "ca.pem",
        tls_certificate_file=tmp_path / "server.pem",
        tls_key_file=tmp_path / "server.key",
    )
    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    transport = accepted(broker, encrypted(tls, recorder.accept))
    assert "unsupported certificate" in failed_handshake(broker, transport, context).replace("_", " ")
    assert "it is meant for another purpose than for clients (extended key usage)" in caplog.text
    assert recorder.sessions == []


def test_a_client_certificate_of_another_authority(
    broker: SimulatedBroker,
    contexts: Contexts,
    recorder: Recorder,
    authority: TestAuthority,
    other_authority: TestAuthority,
    caplog: pytest.LogCaptureFixture,
) -> None:
    foreign = other_authority.issue("foreign", "guest@example.org", user="guest")
    transport = accepted(broker, encrypted(contexts(tls_verify="optional"), recorder.accept))
    assert "unknown ca" in failed_handshake(broker, transport, authority.client_context(foreign)).replace("_", " ")
    assert "add its authority to the file that tls_ca_file names" in caplog.text
    assert recorder.sessions == []
