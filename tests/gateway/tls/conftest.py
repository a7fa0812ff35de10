"""An authority and the usual certificates, made once for all tests here."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.certificates import Files, TestAuthority, config_with
from tests.support.recording_session import Recorder, accepted
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from tests.support.tls_peer import encrypted
from warren.gateway.configuration.config import Config
from warren.gateway.tls.contexts import TlsContexts
from warren.gateway.tls.settings import TlsSettings
from warren.gateway.tls.turns import HandshakeTurns


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    """Signs everything."""
    return TestAuthority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def server(authority: TestAuthority) -> Files:
    """The broker's certificate, for localhost."""
    return authority.issue("server", "localhost", "127.0.0.1")


@pytest.fixture(scope="session")
def client(authority: TestAuthority) -> Files:
    """A client's certificate, for the user guest."""
    return authority.issue("client", "guest@example.org", user="guest", organization="Example, Inc.")


@pytest.fixture
def configure(authority: TestAuthority, server: Files) -> Callable[..., Config]:
    """A broker's configuration with the usual certificate, and these changes."""

    def configure(**changes: object) -> Config:
        return config_with(authority, server, **changes)

    return configure


@pytest.fixture
def contexts(configure: Callable[..., Config]) -> Callable[..., TlsContexts]:
    """What a TLS stage is given, for a configuration with these changes.

    Handshakes take no time unless a test brings `turns` with a clock, so none has to wait because this machine is busy.
    """

    def contexts(turns: HandshakeTurns | None = None, **changes: object) -> TlsContexts:
        turns = turns or HandshakeTurns(clock_ns=lambda: 0)
        return TlsContexts(configure(**changes).section(TlsSettings), int(time.time() * 1000), turns)

    return contexts


@pytest.fixture
def other_authority(tmp_path: Path) -> TestAuthority:
    """One that nobody trusts."""
    return TestAuthority(tmp_path / "other")


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def transport(broker: SimulatedBroker, contexts: Callable[..., TlsContexts], recorder: Recorder) -> SimulatedTransport:
    """A connection that TLS is expected on."""
    return accepted(broker, encrypted(contexts(), recorder.accept))
