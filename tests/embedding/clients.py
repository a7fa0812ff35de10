"""pika in worker threads of a Trio test, beside a broker in its event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pika
import trio
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import ConnectionClosedByBroker

from warren.gateway import EmbeddedBroker

TIME_LIMIT_S = 30.0

Result = TypeVar("Result")


def parameters_of(broker: EmbeddedBroker, user: str = "guest", password: str = "guest") -> pika.ConnectionParameters:
    """How to connect to it."""
    host, port = broker.address("amqp")
    return pika.ConnectionParameters(
        host, port, credentials=pika.PlainCredentials(user, password), blocked_connection_timeout=TIME_LIMIT_S
    )


async def on_channel(broker: EmbeddedBroker, use: Callable[[BlockingChannel], Result]) -> Result:
    """What `use` gives for a channel with confirms, on a connection of its own, in a thread."""

    def connect() -> Result:
        with BlockingConnection(parameters_of(broker)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            return use(channel)

    return await in_thread(connect)


async def in_thread(function: Callable[[], Result]) -> Result:
    """Run a blocking function; the test fails when that takes too long."""
    with trio.fail_after(TIME_LIMIT_S):
        return await trio.to_thread.run_sync(function)


class ConnectedClient:
    """A client that is connected and does nothing but note how the connection ends."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self._parameters = parameters_of(broker)
        self.connected = trio.Event()
        self.closed_with: tuple[int, str] | None = None

    async def run(self) -> None:
        """Connect, and return when the broker has closed the connection."""
        await trio.to_thread.run_sync(self._run)

    def _run(self) -> None:
        connection = BlockingConnection(self._parameters)
        trio.from_thread.run_sync(self.connected.set)
        try:
            connection.process_data_events(time_limit=TIME_LIMIT_S)
        except ConnectionClosedByBroker as error:
            self.closed_with = (error.reply_code, error.reply_text)
        else:
            connection.close()
