"""How many messages queues of another broker hold at this moment, as AMQP says: a passive declaration answers exactly.

What the management API counts may be some seconds old, and a queue that it calls empty may hold messages; nothing may
be left behind for that.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from warren.adapters.amqp091.client.uri import parse_uri
from warren.adapters.amqp091.codec import methods
from warren.adapters.peers.errors import PeerError
from warren.core.errors import BrokerError
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.client import CommandFailedError
from warren.gateway.peers.amqp import AmqpPeer, connect_amqp
from warren.gateway.process.errors import sole_error
from warren.gateway.version import WARREN_VERSION


def ready_counts(uri: str, queues: Sequence[str]) -> dict[str, int]:
    """Messages of each queue that nobody holds; those that can't be asked are left out.

    Raises CommandFailedError when there is no connection.
    """
    try:
        return trio.run(_ready_counts, uri, queues)
    except BrokerError as error:
        raise CommandFailedError(f"--amqp: {error.text}", codes.USAGE) from None
    except BaseExceptionGroup as group:
        why = sole_error(group)
        if not isinstance(why, PeerError):
            raise
        raise CommandFailedError(f"its messages can't be fetched: {why} (--amqp)", codes.UNAVAILABLE) from None


async def _ready_counts(uri: str, queues: Sequence[str]) -> dict[str, int]:
    async with trio.open_nursery() as nursery:
        peer = await connect_amqp(
            nursery, parse_uri(uri), product="Warren", version=WARREN_VERSION, name="warren import"
        )
        try:
            return await _count(peer, queues)
        finally:
            await peer.aclose()
            nursery.cancel_scope.cancel()


async def _count(peer: AmqpPeer, queues: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    channel = peer.open_channel()
    for name in queues:
        declare = methods.QueueDeclare(queue=name, passive=True)
        try:
            found[name] = (await peer.ask(channel, declare, methods.QueueDeclareOk)).message_count
        except PeerError:
            if peer.connection.closed is not None:
                raise
            channel = peer.open_channel()  # a queue that is gone, or another connection's, has closed it
    return found
