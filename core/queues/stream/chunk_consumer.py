"""A consumer that is given chunks as they are stored, instead of messages one by one: the stream protocol's.

Its credit is counted in chunks, so it needs neither prefetch nor acknowledgements, and a chunk counts as as many
deliveries as it has records.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from warren.core.compiled import mypyc_attr
from warren.core.queues.consumer import Consumer

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.messages.message import Message
    from warren.core.queues.stream.arguments import Wanted
    from warren.core.queues.stream.queue import StreamQueue
    from warren.core.streams.cursor import Chunk


@mypyc_attr(allow_interpreted_subclasses=True)
class ChunkConsumer(Consumer):
    """An adapter's subclass knows how a chunk goes over its wire.

    stream: its queue.  wanted: where it begins, and which filter values it wants.
    """

    grants_credit: ClassVar[bool] = True

    __slots__ = ("stream", "wanted")

    def __init__(self, queue: StreamQueue, client: Client, tag: str, wanted: Wanted) -> None:
        super().__init__(queue, client, tag, no_ack=True, exclusive=False, prefetch=0, arguments={})
        self.stream = queue
        self.wanted = wanted

    @abstractmethod
    def deliver_chunk(self, chunk: Chunk) -> bool:
        """Send it; True when another one could follow at once."""

    def deliver(self, message: Message, redelivered: bool) -> bool:
        """Never called."""
        raise NotImplementedError
