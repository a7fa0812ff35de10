"""Certificates that are loaded again because somebody asks for it: SIGHUP."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.gateway.tls.test_contexts import Replaceable, certificate_shown, der
from tests.support.certificates import Files, TestAuthority, config_with
from warren.gateway import open_broker
from warren.gateway.tls.contexts import TlsContexts
from warren.gateway.tls.settings import TlsSettings

NOW_MS = int(time.time() * 1000)


@pytest.fixture
def replaceable(tmp_path: Path, server: Files) -> Replaceable:
    return Replaceable(tmp_path, server)


@pytest.fixture
def renewed(authority: TestAuthority) -> Files:
    return authority.issue("renewed", "localhost", "127.0.0.1")


def test_whoever_asks_has_them_loaded_at_once(
    authority: TestAuthority, replaceable: Replaceable, renewed: Files, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    contexts = TlsContexts(config_with(authority, replaceable.files).section(TlsSettings), NOW_MS)
    before = contexts.current(NOW_MS)
    contexts.reload(NOW_MS, "on SIGHUP")
    unchanged = contexts.current(NOW_MS)
    assert unchanged is not before, "whether or not they have changed"
    replaceable.use(renewed)
    contexts.reload(NOW_MS, "on SIGHUP")
    assert certificate_shown(contexts.current(NOW_MS), authority, "localhost") == der(renewed)
    assert caplog.text.count("certificates were loaded again, on SIGHUP") == 2
    replaceable.files.key.unlink()
    now = contexts.current(NOW_MS)
    contexts.reload(NOW_MS, "on SIGHUP")
    assert contexts.current(NOW_MS) is now
    assert "the certificate before stays" in caplog.text


async def test_a_broker_has_them_loaded_at_a_hangup(
    authority: TestAuthority, replaceable: Replaceable, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    config = config_with(authority, replaceable.files)
    async with open_broker(listen=["amqps=127.0.0.1:0"], config=config) as broker:
        await broker._server.reload()
        assert "certificates were loaded again, on SIGHUP" in caplog.text
        await broker._server.stop_app()
        await broker._server.reload()
        assert "there is nothing to load again" in caplog.text


async def test_a_broker_without_tls_says_that_there_is_nothing_to_load(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with open_broker(listen=["amqp=127.0.0.1:0"]) as broker:
        await broker._server.reload()
    assert "there is nothing to load again: no listener uses TLS, and the configuration is the same" in caplog.text
