"""Method frames off the hot path: bytes to method objects and back, both directions (AMQP 0-9-1 2.3.5).

The methods themselves are declared in the `methods_*` modules by class, and are all found here.
"""

from __future__ import annotations

from warren.adapters.amqp091.codec.constants import FRAME_END, FRAME_METHOD
from warren.adapters.amqp091.codec.methods_basic import (
    BasicAck,
    BasicCancel,
    BasicCancelOk,
    BasicConsume,
    BasicConsumeOk,
    BasicDeliver,
    BasicGet,
    BasicGetEmpty,
    BasicGetOk,
    BasicNack,
    BasicPublish,
    BasicQos,
    BasicQosOk,
    BasicRecover,
    BasicRecoverAsync,
    BasicRecoverOk,
    BasicReject,
    BasicReturn,
    ConfirmSelect,
    ConfirmSelectOk,
    TxCommit,
    TxCommitOk,
    TxRollback,
    TxRollbackOk,
    TxSelect,
    TxSelectOk,
)
from warren.adapters.amqp091.codec.methods_connection import (
    AccessRequest,
    AccessRequestOk,
    ChannelClose,
    ChannelCloseOk,
    ChannelFlow,
    ChannelFlowOk,
    ChannelOpen,
    ChannelOpenOk,
    ConnectionBlocked,
    ConnectionClose,
    ConnectionCloseOk,
    ConnectionOpen,
    ConnectionOpenOk,
    ConnectionSecure,
    ConnectionSecureOk,
    ConnectionStart,
    ConnectionStartOk,
    ConnectionTune,
    ConnectionTuneOk,
    ConnectionUnblocked,
    ConnectionUpdateSecret,
    ConnectionUpdateSecretOk,
)
from warren.adapters.amqp091.codec.methods_topology import (
    ExchangeBind,
    ExchangeBindOk,
    ExchangeDeclare,
    ExchangeDeclareOk,
    ExchangeDelete,
    ExchangeDeleteOk,
    ExchangeUnbind,
    ExchangeUnbindOk,
    QueueBind,
    QueueBindOk,
    QueueDeclare,
    QueueDeclareOk,
    QueueDelete,
    QueueDeleteOk,
    QueuePurge,
    QueuePurgeOk,
    QueueUnbind,
    QueueUnbindOk,
)
from warren.adapters.amqp091.codec.methods_wire import Method, read_arguments, registered, write_arguments
from warren.core.errors import CommandInvalid, MalformedField

__all__ = [
    "AccessRequest",
    "AccessRequestOk",
    "BasicAck",
    "BasicCancel",
    "BasicCancelOk",
    "BasicConsume",
    "BasicConsumeOk",
    "BasicDeliver",
    "BasicGet",
    "BasicGetEmpty",
    "BasicGetOk",
    "BasicNack",
    "BasicPublish",
    "BasicQos",
    "BasicQosOk",
    "BasicRecover",
    "BasicRecoverAsync",
    "BasicRecoverOk",
    "BasicReject",
    "BasicReturn",
    "ChannelClose",
    "ChannelCloseOk",
    "ChannelFlow",
    "ChannelFlowOk",
    "ChannelOpen",
    "ChannelOpenOk",
    "ConfirmSelect",
    "ConfirmSelectOk",
    "ConnectionBlocked",
    "ConnectionClose",
    "ConnectionCloseOk",
    "ConnectionOpen",
    "ConnectionOpenOk",
    "ConnectionSecure",
    "ConnectionSecureOk",
    "ConnectionStart",
    "ConnectionStartOk",
    "ConnectionTune",
    "ConnectionTuneOk",
    "ConnectionUnblocked",
    "ConnectionUpdateSecret",
    "ConnectionUpdateSecretOk",
    "ExchangeBind",
    "ExchangeBindOk",
    "ExchangeDeclare",
    "ExchangeDeclareOk",
    "ExchangeDelete",
    "ExchangeDeleteOk",
    "ExchangeUnbind",
    "ExchangeUnbindOk",
    "Method",
    "QueueBind",
    "QueueBindOk",
    "QueueDeclare",
    "QueueDeclareOk",
    "QueueDelete",
    "QueueDeleteOk",
    "QueuePurge",
    "QueuePurgeOk",
    "QueueUnbind",
    "QueueUnbindOk",
    "TxCommit",
    "TxCommitOk",
    "TxRollback",
    "TxRollbackOk",
    "TxSelect",
    "TxSelectOk",
    "decode",
    "encode",
    "encode_frame",
    "frame",
    "method_ids",
    "name_of",
]


def decode(payload: bytes, offset: int, end: int) -> Method:
    """The method in `payload[offset:end]`: class id u16, method id u16, arguments.

    Raises MalformedField (502) when the arguments are cut short, invalid, or followed by more bytes, and
    CommandInvalid (503) for ids that no method has.  `method_ids` gives what connection.close is to name as
    the culprit.
    """
    if end - offset < 4:
        raise MalformedField("method frame is too short for a class id and a method id")
    class_id, method_id = method_ids(payload, offset)
    method = registered.get((class_id, method_id))
    if method is None:
        raise CommandInvalid(f"unimplemented method; there is none of class {class_id} and id {method_id}")
    return read_arguments(method, payload[offset + 4 : end])


def method_ids(payload: bytes, offset: int) -> tuple[int, int]:
    """Class id and method id of the method frame payload at `offset`; zeros where it is too short."""
    ids = payload[offset : offset + 4].ljust(4, b"\0")
    return ids[0] << 8 | ids[1], ids[2] << 8 | ids[3]


def name_of(ids: tuple[int, int]) -> str:
    """The name of the method with this class id and method id, or the ids where there is none."""
    found = registered.get(ids)
    return found.NAME if found is not None else f"class {ids[0]} method {ids[1]}"


def encode(method: Method) -> bytes:
    """The payload of a method frame.

    Raises ValueError, naming the method and the argument, for a value that doesn't fit the argument's type.
    """
    ids = method.CLASS_ID << 16 | method.METHOD_ID
    return ids.to_bytes(4, "big") + write_arguments(method)


def encode_frame(channel: int, method: Method) -> bytes:
    """A whole method frame on this channel, end byte included.  Raises what `encode` raises."""
    return frame(channel, encode(method))


def frame(channel: int, payload: bytes) -> bytes:
    """A whole method frame of a payload that is there already."""
    return b"%c%b%b%b%c" % (
        FRAME_METHOD,
        channel.to_bytes(2, "big"),
        len(payload).to_bytes(4, "big"),
        payload,
        FRAME_END,
    )
