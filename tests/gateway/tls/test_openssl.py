"""OpenSSL's own client against the broker: versions, alerts, expired certificates, plain and TLS confused."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.embedding.clients import in_thread
from tests.support.certificates import Files, TestAuthority, config_with
from tests.support.tls_broker import broker_without_leftovers
from warren.gateway import EmbeddedBroker
from warren.gateway.configuration.config import Config

Configure = Callable[..., Config]

TIME_LIMIT_S = 60

STOMP = b"CONNECT\n\n\0DISCONNECT\nreceipt:bye\n\n\0"
"""A whole conversation, so that the broker closes the connection."""


async def s_client(
    broker: EmbeddedBroker, listener: str, *options: str | Path, say: bytes = STOMP, to_the_end: bool = True
) -> tuple[str, str]:
    """What `openssl s_client` prints on standard output and standard error.

    to_the_end: until the broker closes the connection, without commands in what it is told to say.
    """
    port = broker.address(listener)[1]
    command = ["openssl", "s_client", "-connect", f"localhost:{port}", *map(str, options)]
    command += ["-ign_eof"] if to_the_end else []

    def run() -> tuple[str, str]:
        done = subprocess.run(command, input=say, capture_output=True, timeout=TIME_LIMIT_S, check=False)
        return done.stdout.decode("latin-1"), done.stderr.decode("latin-1")

    return await in_thread(run)


@pytest.mark.parametrize("listener", ["stomps", "auto"])
@pytest.mark.parametrize(("option", "version"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
async def test_it_connects_and_verifies(
    configure: Configure,
    authority: TestAuthority,
    caplog: pytest.LogCaptureFixture,
    listener: str,
    option: str,
    version: str,
) -> None:
    async with broker_without_leftovers(configure(), f"{listener}=127.0.0.1:0", log=caplog) as broker:
        out, err = await s_client(
            broker, listener, option, "-CAfile", authority.ca, "-verify_return_error", "-verify_hostname", "localhost"
        )
        assert "Verify return code: 0 (ok)" in out
        assert f"Protocol  : {version}" in out or f"New, {version}" in out
        assert "CONNECTED\nserver:" in out
        assert "RECEIPT\nreceipt-id:bye" in out
        assert "unexpected eof" not in err, "no close_notify"


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_no_protocol_is_chosen_of_those_that_browsers_offer(
    configure: Configure, caplog: pytest.LogCaptureFixture, version: str
) -> None:
    async with broker_without_leftovers(configure(), "auto=127.0.0.1:0", log=caplog) as broker:
        out, _ = await s_client(broker, "auto", version, "-alpn", "h2,http/1.1")
        assert "No ALPN negotiated" in out
        assert "CONNECTED\nserver:" in out


async def test_old_versions_are_refused_with_an_alert(configure: Configure, caplog: pytest.LogCaptureFixture) -> None:
    async with broker_without_leftovers(configure(), "stomps=127.0.0.1:0", log=caplog) as broker:
        _, err = await s_client(broker, "stomps", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        assert "alert protocol version" in err
    assert "have it use TLS 1.2 or later" in caplog.text


async def test_renegotiation_is_refused(configure: Configure, caplog: pytest.LogCaptureFixture) -> None:
    async with broker_without_leftovers(configure(), "stomps=127.0.0.1:0", log=caplog) as broker:
        out, err = await s_client(broker, "stomps", "-tls1_2", say=b"R\n", to_the_end=False)
        assert "RENEGOTIATING" in out + err
        assert "no renegotiation" in err
        assert "CONNECTED\nserver:" not in out


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_an_expired_certificate_of_the_broker(
    authority: TestAuthority, caplog: pytest.LogCaptureFixture, version: str
) -> None:
    expired = authority.issue("expired-server", "localhost", expired=True)
    async with broker_without_leftovers(config_with(authority, expired), "stomps=127.0.0.1:0", log=caplog) as broker:
        assert "has expired on" in caplog.text
        caplog.clear()
        out, err = await s_client(broker, "stomps", version, "-CAfile", authority.ca, "-verify_return_error")
        assert "certificate has expired" in out + err
        assert "the client refused the broker's certificate as expired; renew the file" in caplog.text
        caplog.clear()


async def test_an_expired_certificate_of_the_client(
    configure: Configure, authority: TestAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    expired = authority.issue("expired-for-openssl", "old@example.org", expired=True)
    config = configure(tls_verify="required")
    async with broker_without_leftovers(config, "stomps=127.0.0.1:0", log=caplog) as broker:
        _, err = await s_client(broker, "stomps", "-cert", expired.certificate, "-key", expired.key)
        assert "alert certificate expired" in err
    assert "renew the client's certificate" in caplog.text


async def test_a_certificate_for_the_client(
    configure: Configure, authority: TestAuthority, client: Files, caplog: pytest.LogCaptureFixture
) -> None:
    config = configure(tls_verify="required")
    async with broker_without_leftovers(config, "stomps=127.0.0.1:0", log=caplog) as broker:
        out, _ = await s_client(broker, "stomps", "-cert", client.certificate, "-key", client.key)
        assert "CONNECTED\nserver:" in out
        _, err = await s_client(broker, "stomps")
        assert "alert certificate required" in err


@pytest.mark.parametrize("listener", ["amqp", "stomp", "mqtt"])
async def test_tls_on_a_plain_listener_is_explained_in_the_log(
    configure: Configure, caplog: pytest.LogCaptureFixture, listener: str
) -> None:
    async with broker_without_leftovers(configure(), f"{listener}=127.0.0.1:0", log=caplog) as broker:
        _, err = await s_client(broker, listener)
        assert "error" in err.lower() or "errno" in err.lower()
    assert "this is TLS: connect to a listener with TLS" in caplog.text


async def test_many_at_once_leave_nothing_behind(
    configure: Configure, authority: TestAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    async with broker_without_leftovers(configure(), "auto=127.0.0.1:0", log=caplog) as broker:
        port = broker.address("auto")[1]
        command = ["openssl", "s_time", "-connect", f"localhost:{port}", "-new", "-time", "1"]
        done = await in_thread(lambda: subprocess.run(command, capture_output=True, timeout=TIME_LIMIT_S, check=False))
        assert b"connections in" in done.stdout, done.stderr
