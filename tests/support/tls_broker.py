"""An embedded broker for tests of TLS and of listeners, which must leave no connection and no bug behind."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pika
import pytest
import trio

from warren.gateway import EmbeddedBroker, open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.network.hub import Hub

TIME_LIMIT_S = 60.0


def hub_of(broker: EmbeddedBroker) -> Hub:
    """The hub inside."""
    run = broker._server._run
    assert run is not None
    return run.hub


async def nobody_connected(broker: EmbeddedBroker) -> None:
    """Return when the last connection is gone, and nothing of any is left."""
    hub = hub_of(broker)
    with trio.fail_after(TIME_LIMIT_S):
        while hub.links:
            await hub.link_released()
    assert not broker._server.broker.sessions


@asynccontextmanager
async def broker_without_leftovers(
    config: Config, *listen: str, log: pytest.LogCaptureFixture
) -> AsyncIterator[EmbeddedBroker]:
    """A broker on these listeners; at the end all clients have to be gone, and no traceback in its log."""
    with trio.fail_after(TIME_LIMIT_S):
        async with open_broker(listen=listen, config=config) as broker:
            yield broker
            await nobody_connected(broker)
    assert [record for record in log.records if record.exc_info or record.levelno >= logging.ERROR] == []


def pika_parameters(
    broker: EmbeddedBroker, listener: str, context: ssl.SSLContext | None = None, *, external: bool = False
) -> pika.ConnectionParameters:
    """How pika connects to a listener, with a context over TLS; with `external` by its certificate."""
    host, port = broker.address(listener)
    return pika.ConnectionParameters(
        host,
        port,
        ssl_options=None if context is None else pika.SSLOptions(context, "localhost"),
        credentials=pika.credentials.ExternalCredentials()
        if external
        else pika.PlainCredentials("guest", "guest", erase_on_connect=False),
        blocked_connection_timeout=TIME_LIMIT_S,
        socket_timeout=TIME_LIMIT_S,
    )
