"""The methods of classes basic (60), confirm (85) and tx (90): AMQP 0-9-1 1.8, 1.9, and RabbitMQ's own.

`ticket` is what access.request-ok gave; nothing reads it any more.
"""

from __future__ import annotations

from dataclasses import field

from warren.adapters.amqp091.codec.methods_wire import (
    Bit,
    Long,
    LongLong,
    Method,
    RawTable,
    Short,
    ShortString,
    Table,
    method,
)


@method("basic.qos", 60, 10)
class BasicQos(Method):
    prefetch_size: Long = 0
    prefetch_count: Short = 0
    global_: Bit = False


@method("basic.qos-ok", 60, 11)
class BasicQosOk(Method):
    pass


@method("basic.consume", 60, 20)
class BasicConsume(Method):
    ticket: Short = 0
    queue: ShortString = ""
    consumer_tag: ShortString = ""
    no_local: Bit = False
    no_ack: Bit = False
    exclusive: Bit = False
    nowait: Bit = False
    arguments: Table = field(default_factory=dict)
    arguments_raw: RawTable = field(default=b"", compare=False, repr=False)


@method("basic.consume-ok", 60, 21)
class BasicConsumeOk(Method):
    consumer_tag: ShortString


@method("basic.cancel", 60, 30)
class BasicCancel(Method):
    """Either side may send it: the broker does when the queue of a consumer goes away."""

    consumer_tag: ShortString
    nowait: Bit = False


@method("basic.cancel-ok", 60, 31)
class BasicCancelOk(Method):
    consumer_tag: ShortString


@method("basic.publish", 60, 40, has_content=True)
class BasicPublish(Method):
    ticket: Short = 0
    exchange: ShortString = ""
    routing_key: ShortString = ""
    mandatory: Bit = False
    immediate: Bit = False


@method("basic.return", 60, 50, has_content=True)
class BasicReturn(Method):
    reply_code: Short
    reply_text: ShortString = ""
    exchange: ShortString = ""
    routing_key: ShortString = ""


@method("basic.deliver", 60, 60, has_content=True)
class BasicDeliver(Method):
    consumer_tag: ShortString
    delivery_tag: LongLong
    redelivered: Bit = False
    exchange: ShortString = ""
    routing_key: ShortString = ""


@method("basic.get", 60, 70)
class BasicGet(Method):
    ticket: Short = 0
    queue: ShortString = ""
    no_ack: Bit = False


@method("basic.get-ok", 60, 71, has_content=True)
class BasicGetOk(Method):
    delivery_tag: LongLong
    redelivered: Bit = False
    exchange: ShortString = ""
    routing_key: ShortString = ""
    message_count: Long = 0


@method("basic.get-empty", 60, 72)
class BasicGetEmpty(Method):
    cluster_id: ShortString = ""


@method("basic.ack", 60, 80)
class BasicAck(Method):
    delivery_tag: LongLong = 0
    multiple: Bit = False


@method("basic.reject", 60, 90)
class BasicReject(Method):
    delivery_tag: LongLong
    requeue: Bit = True


@method("basic.recover-async", 60, 100)
class BasicRecoverAsync(Method):
    requeue: Bit = False


@method("basic.recover", 60, 110)
class BasicRecover(Method):
    requeue: Bit = False


@method("basic.recover-ok", 60, 111)
class BasicRecoverOk(Method):
    pass


@method("basic.nack", 60, 120)
class BasicNack(Method):
    delivery_tag: LongLong = 0
    multiple: Bit = False
    requeue: Bit = True


@method("confirm.select", 85, 10)
class ConfirmSelect(Method):
    nowait: Bit = False


@method("confirm.select-ok", 85, 11)
class ConfirmSelectOk(Method):
    pass


@method("tx.select", 90, 10)
class TxSelect(Method):
    pass


@method("tx.select-ok", 90, 11)
class TxSelectOk(Method):
    pass


@method("tx.commit", 90, 20)
class TxCommit(Method):
    pass


@method("tx.commit-ok", 90, 21)
class TxCommitOk(Method):
    pass


@method("tx.rollback", 90, 30)
class TxRollback(Method):
    pass


@method("tx.rollback-ok", 90, 31)
class TxRollbackOk(Method):
    pass
