"""An embedded broker for tests of TLS and of listeners, which must leave no connection and no bug behind."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pika
import pytest
import trio

from warren.adapters.interface import AcceptCarrier
from warren.gateway import EmbeddedBroker, open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.network.addresses import Listener
from warren.gateway.network.hub import Hub
from warren.gateway.network.listeners import ListeningSocket
from warren.gateway.process.runner import BrokerRun

TIME_LIMIT_S = 60.0

DESCRIPTORS_MAX = 1000
"""For `listening`: enough for any test here."""


def run_of(broker: EmbeddedBroker) -> BrokerRun:
    """The run inside."""
    run = broker._server._run
    assert run is not None
    return run


def hub_of(broker: EmbeddedBroker) -> Hub:
    """The hub inside."""
    return run_of(broker).hub


@contextmanager
def listening(hub: Hub, accept: AcceptCarrier) -> Iterator[tuple[str, int]]:
    """The address of one more listener, whose connections `accept` makes sessions of."""
    sock = ListeningSocket(hub, Listener("test", "127.0.0.1", 0), accept, DESCRIPTORS_MAX)
    sock.open()
    try:
        yield sock.address
    finally:
        sock.close()


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
