"""What nodes of a cluster say to each other beside AMQP 0-9-1's own methods: class 200, which nobody else has.

On a link, channel.open's only argument, which AMQP keeps for itself, names the queue that the channel is for.  Its
publishes go to that queue, whatever exchange and key they name, which are those that the message was published to.
Its consumers are given what was granted to them (`node.grant`).
"""

from __future__ import annotations

from dataclasses import field

from warren.adapters.amqp091.codec.methods_wire import (
    Bit,
    Long,
    LongLong,
    Method,
    Octet,
    RawTable,
    Short,
    ShortString,
    Table,
    method,
)


@method("node.grant", 200, 10)
class NodeGrant(Method):
    """A consumer may be given so many more messages; 0: none any more of what was granted before."""

    consumer_tag: ShortString
    credit: Long


@method("node.ended", 200, 11)
class NodeEnded(Method):
    """A consumer is none, or none any more; reply_code: why it was refused, 0 where its queue is gone."""

    consumer_tag: ShortString
    reply_code: Short = 0
    reply_text: ShortString = ""


@method("node.release", 200, 20)
class NodeRelease(Method):
    """A delivery goes back untouched: its consumer never saw it, or has ended in good order."""

    delivery_tag: LongLong


@method("node.look", 200, 30)
class NodeLook(Method):
    """What do listings show of the queue?"""


@method("node.look-ok", 200, 31)
class NodeLookOk(Method):
    columns: Table = field(default_factory=dict)
    columns_raw: RawTable = field(default=b"", compare=False, repr=False)


@method("node.browse", 200, 40)
class NodeBrowse(Method):
    """Ready messages from a position on, without changing anything."""

    start: LongLong
    count: Long


@method("node.browse-found", 200, 41, has_content=True)
class NodeBrowseFound(Method):
    """One of them; its content follows."""

    position: LongLong
    redelivered: Bit = False
    exchange: ShortString = ""
    routing_key: ShortString = ""


@method("node.browse-ok", 200, 42)
class NodeBrowseOk(Method):
    """That was all."""

    complete: Octet = 1
