"""One browser and one broker for all tests of this folder, and what every test of the page checks besides.

A page must not complain on its console, and that includes violations of the Content-Security-Policy.  The broker's log
must have no traceback.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pika
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pika.adapters.blocking_connection import BlockingChannel

from tests.browser.devtools import Browser, browser, find_chromium
from tests.browser.page import Page, new_page
from tests.interop.clients import need
from tests.support.warren_process import WarrenProcess, start_warren
from warren.gateway.command_line.development import Made, make_certificates

TEST_LIMIT_S = 180.0
"""For one test: seconds, on a busy machine many times that."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Chromium may take longer than other tests' clients."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.limits(seconds=TEST_LIMIT_S))


@dataclass(frozen=True)
class Broker:
    """A broker with the page on two listeners."""

    process: WarrenProcess

    def url(self, scheme: str = "ws") -> str:
        """Where the page is that connects by this scheme, ws or wss."""
        port = self.process.addresses[scheme][1]
        return f"{'https' if scheme == 'wss' else 'http'}://127.0.0.1:{port}/"


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """What `warren tls dev` makes."""
    return make_certificates(tmp_path_factory.mktemp("tls"), ["127.0.0.1"], "guest", datetime.now(UTC))


def key_hash(certificate: Path) -> str:
    """How Chromium names a public key: the hash of its SubjectPublicKeyInfo."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    return base64.b64encode(
        hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    ).decode()


@pytest.fixture(scope="session")
def chromium(certificates: Made) -> Iterator[Browser]:
    """The browser.  It trusts the broker's certificate, by its key, and no other that it wouldn't trust anyway."""
    need(find_chromium() is not None, "chromium")
    trusted = key_hash(certificates.path("server.pem"))
    with browser([f"--ignore-certificate-errors-spki-list={trusted}"]) as running:
        yield running


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A tab; complaints on its console fail the test, but for those that it expects (`Page.expect`)."""
    with new_page(chromium) as opened:
        yield opened
        assert opened.complaints() == []


@pytest.fixture(scope="session")
def start(certificates: Made) -> Callable[..., Broker]:
    """Starts brokers; who does ends them."""

    def start(directory: Path, *listen: str, data_directory: Path | None = None) -> Broker:
        options = [
            f"tls_certificate_file={certificates.path('server.pem')}",
            f"tls_key_file={certificates.path('server.key')}",
        ]
        settings = [word for each in options for word in ("--set", each)]
        addresses = listen or ("amqp=127.0.0.1:0", "ws=127.0.0.1:0", "wss=127.0.0.1:0")
        return Broker(start_warren(directory, data_directory=data_directory, listen=addresses, options=settings))

    return start


@pytest.fixture(scope="session")
def broker(start: Callable[..., Broker], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker of most tests."""
    running = start(tmp_path_factory.mktemp("broker"))
    try:
        yield running
    finally:
        running.process.stop()
    log = running.process.log.read_text()
    assert "Traceback" not in log, log


@pytest.fixture
def amqp(broker: Broker) -> Iterator[BlockingChannel]:
    """A pika channel."""
    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", broker.process.amqp_port)) as connection:
        yield connection.channel()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A word of the test's own, for queues and topics."""
    return "".join(letter if letter.isalnum() else "-" for letter in request.node.name).strip("-")
