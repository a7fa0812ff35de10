"""The methods of classes exchange (40) and queue (50): AMQP 0-9-1 1.6, 1.7, and exchange.bind of RabbitMQ.

`ticket` is what access.request-ok gave; nothing reads it any more.
"""

from __future__ import annotations

from dataclasses import field

from warren.adapters.amqp091.codec.methods_wire import Bit, Long, Method, RawTable, Short, ShortString, Table, method


@method("exchange.declare", 40, 10)
class ExchangeDeclare(Method):
    ticket: Short = 0
    exchange: ShortString = ""
    type: ShortString = "direct"
    passive: Bit = False
    durable: Bit = False
    auto_delete: Bit = False
    internal: Bit = False
    nowait: Bit = False
    arguments: Table = field(default_factory=dict)
    arguments_raw: RawTable = field(default=b"", compare=False, repr=False)


@method("exchange.declare-ok", 40, 11)
class ExchangeDeclareOk(Method):
    pass


@method("exchange.delete", 40, 20)
class ExchangeDelete(Method):
    ticket: Short = 0
    exchange: ShortString = ""
    if_unused: Bit = False
    nowait: Bit = False


@method("exchange.delete-ok", 40, 21)
class ExchangeDeleteOk(Method):
    pass


@method("exchange.bind", 40, 30)
class ExchangeBind(Method):
    ticket: Short = 0
    destination: ShortString = ""
    source: ShortString = ""
    routing_key: ShortString = ""
    nowait: Bit = False
    arguments: Table = field(default_factory=dict)
    arguments_raw: RawTable = field(default=b"", compare=False, repr=False)


@method("exchange.bind-ok", 40, 31)
class ExchangeBindOk(Method):
    pass


@method("exchange.unbind", 40, 40)
class ExchangeUnbind(Method):
    ticket: Short = 0
    destination: ShortString = ""
    source: ShortString = ""
    routing_key: ShortString = ""
    nowait: Bit = False
    arguments: Table = field(default_factory=dict)
    arguments_raw: RawTable = field(default=b"", compare=False, repr=False)


@method("exchange.unbind-ok", 40, 51)
class ExchangeUnbindOk(Method):
    """Its id is 51, not 41."""


@method("queue.declare", 50, 10)
class QueueDeclare(Method):
    ticket: Short = 0
    queue: ShortString = ""
    passive: Bit = False
    durable: Bit = False
    exclusive: Bit = False
    auto_delete: Bit = False
    nowait: Bit = False
    arguments: Table = field(default_factory=dict)
    arguments_raw: RawTable = field(default=b"", compare=False, repr=False)


@method("queue.declare-ok", 50, 11)
class QueueDeclareOk(Method):
    queue: ShortString
    message_count: Long = 0
    consumer_count: Long = 0


@method("queue.bind", 50, 20)
class QueueBind(Method):
    ticket: Short = 0
    queue: ShortString = ""
    exchange: ShortString = ""
    routing_key: ShortString = ""
    nowait: Bit = False
    arguments: Table = field(default_factory=dict)
    arguments_raw: RawTable = field(default=b"", compare=False, repr=False)


@method("queue.bind-ok", 50, 21)
class QueueBindOk(Method):
    pass


@method("queue.purge", 50, 30)
class QueuePurge(Method):
    ticket: Short = 0
    queue: ShortString = ""
    nowait: Bit = False


@method("queue.purge-ok", 50, 31)
class QueuePurgeOk(Method):
    message_count: Long = 0


@method("queue.delete", 50, 40)
class QueueDelete(Method):
    ticket: Short = 0
    queue: ShortString = ""
    if_unused: Bit = False
    if_empty: Bit = False
    nowait: Bit = False


@method("queue.delete-ok", 50, 41)
class QueueDeleteOk(Method):
    message_count: Long = 0


@method("queue.unbind", 50, 50)
class QueueUnbind(Method):
    """The one method of its kind without a nowait bit."""

    ticket: Short = 0
    queue: ShortString = ""
    exchange: ShortString = ""
    routing_key: ShortString = ""
    arguments: Table = field(default_factory=dict)
    arguments_raw: RawTable = field(default=b"", compare=False, repr=False)


@method("queue.unbind-ok", 50, 51)
class QueueUnbindOk(Method):
    pass
