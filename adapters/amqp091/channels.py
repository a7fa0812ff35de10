"""The channels of a connection: who is open under which number, and whose confirms are looked at after each read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.amqp091.channel import Channel
from warren.adapters.amqp091.codec import methods
from warren.adapters.session.ignored import log_ignored
from warren.core.declaring.queues import CONSUMERS_AT_ONCE, end_consumers
from warren.core.errors import NotAllowed
from warren.core.limit_hits import limited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warren.adapters.amqp091.connection import Connection


class Channels:
    """Of one connection.  by_number: for looking up; a channel that the broker closed stays until close-ok."""

    __slots__ = ("_confirming", "by_number")

    def __init__(self) -> None:
        self.by_number: dict[int, Channel] = {}
        self._confirming: dict[Channel, None] = {}

    def open(self, connection: Connection, number: int, queue_name: str = "") -> None:
        """channel.open; NotAllowed (530) for one too many.  What counts is how many there are, not which (spec A.4).

        queue_name: of the queue that a channel between nodes is for.
        """
        channel_max = connection.agreed.channel_max
        count = len(self.by_number)
        if channel_max and count >= channel_max:
            text = f"number of channels opened ({count}) has reached the negotiated channel_max ({channel_max})"
            raise limited(NotAllowed(text), "channel_max")
        if connection.client is not None:
            connection.client.open_channel()
        self.by_number[number] = channel = Channel(connection, number)
        if connection.settings.nodes is not None:
            connection.settings.nodes.begin(channel, queue_name)
        connection.send(number, methods.ChannelOpenOk())

    def has(self, channel: Channel) -> bool:
        """Whether the channel is one of them, still."""
        return self.by_number.get(channel.number) is channel

    def confirming(self, channel: Channel) -> None:
        """Look at this channel's confirms from now on."""
        self._confirming[channel] = None

    def confirm_batch(self) -> None:
        """A read was handled: confirm what may be confirmed."""
        for channel in self._confirming:
            channel.confirm_batch()

    def closed(self, channel: Channel) -> None:
        """The channel's number is free again."""
        if self.by_number.pop(channel.number, None) is not None:
            channel.client.close_channel()
            _log_ignored(channel)
        self._confirming.pop(channel, None)

    def end(self, begin: Callable[[Iterator[None]], None]) -> None:
        """The connection ends, and all of them with it.  begin: takes what is too much for a turn."""
        consumers = [consumer for channel in self.by_number.values() for consumer in channel.consumers.values()]
        if len(consumers) > CONSUMERS_AT_ONCE:
            end_consumers(consumers, begin)
        for channel in list(self.by_number.values()):
            channel.confirm_batch()
            channel.end()
            _log_ignored(channel)
        self.by_number.clear()
        self._confirming.clear()


def _log_ignored(channel: Channel) -> None:
    log_ignored(channel.name, channel.ignored_publishes, "publishes", "its channel was closed by the broker")
