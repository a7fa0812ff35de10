"""What each method of a channel does, by its class; the errors are core's, the caller turns them into closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import REPLY_SUCCESS
from warren.adapters.amqp091.handlers.basic import (
    ack,
    cancel,
    cancel_ok,
    consume,
    get,
    nack,
    qos,
    recover,
    recover_async,
    reject,
)
from warren.adapters.amqp091.handlers.topology import (
    declare_exchange,
    declare_queue,
    delete_exchange,
    delete_queue,
    exchange_bind,
    exchange_unbind,
    purge_queue,
    queue_bind,
    queue_unbind,
)
from warren.adapters.amqp091.long_commit import commit_in_turns
from warren.core.errors import ChannelError, CommandInvalid, NotImplementedByBroker, PreconditionFailed

if TYPE_CHECKING:
    from warren.adapters.amqp091.channel import Channel

_MethodType = TypeVar("_MethodType", bound=methods.Method)
_handlers: dict[type[methods.Method], Callable[[Channel, methods.Method], None]] = {}


def handle(channel: Channel, method: methods.Method) -> None:
    """Do what `method` asks; CommandInvalid (503) for one that a client doesn't send on a channel."""
    handler = _handlers.get(type(method))
    if handler is None:
        raise CommandInvalid(
            f"unimplemented method; {method.NAME} is not for a client to send on channel {channel.number}"
        )
    handler(channel, method)


def _on(method: type[_MethodType], handler: Callable[[Channel, _MethodType], None]) -> None:
    _handlers[method] = handler  # type: ignore[assignment]


def handle_also(method: type[_MethodType], handler: Callable[[Channel, _MethodType], None]) -> None:
    """Do this for a further method, which a module brings that most brokers don't load."""
    _on(method, handler)


def _open(channel: Channel, method: methods.ChannelOpen) -> None:
    raise ChannelError("second 'channel.open' seen")


def _close(channel: Channel, method: methods.ChannelClose) -> None:
    if method.reply_code != REPLY_SUCCESS:
        connection = channel.connection
        told = f"the client closed channel {channel.number}: {method.reply_code} {method.reply_text}"
        connection.broker.troubles.note(connection.broker.now_ms, connection.name, told, by_peer=True)
    channel.close()


def _close_ok(channel: Channel, method: methods.ChannelCloseOk) -> None:
    """A late answer to a close that has been settled otherwise."""


def _flow(channel: Channel, method: methods.ChannelFlow) -> None:
    if not method.active:
        raise NotImplementedByBroker("active=false; use basic.qos to limit deliveries, or cancel the consumer")
    channel.send(methods.ChannelFlowOk(True))


def _access_request(channel: Channel, method: methods.AccessRequest) -> None:
    channel.send(methods.AccessRequestOk(1))


def _confirm_select(channel: Channel, method: methods.ConfirmSelect) -> None:
    channel.select_confirms()
    if not method.nowait:
        channel.send(methods.ConfirmSelectOk())


def _tx_select(channel: Channel, method: methods.TxSelect) -> None:
    channel.select_transactions()
    channel.send(methods.TxSelectOk())


def _tx_commit(channel: Channel, method: methods.TxCommit) -> None:
    if channel.transaction is None:
        raise PreconditionFailed("channel is not transactional; tx.select comes first")
    settling = channel.connection.settling
    if settling.may(channel.transaction.work):
        channel.committed(channel.transaction.commit(channel))
    else:
        settling.begin(commit_in_turns(channel, channel.transaction))


def _tx_rollback(channel: Channel, method: methods.TxRollback) -> None:
    if channel.transaction is None:
        raise PreconditionFailed("channel is not transactional; tx.select comes first")
    channel.transaction.rollback(channel, lambda: channel.send(methods.TxRollbackOk()))


_on(methods.ChannelOpen, _open)
_on(methods.ChannelClose, _close)
_on(methods.ChannelCloseOk, _close_ok)
_on(methods.ChannelFlow, _flow)
_on(methods.AccessRequest, _access_request)
_on(methods.ConfirmSelect, _confirm_select)
_on(methods.TxSelect, _tx_select)
_on(methods.TxCommit, _tx_commit)
_on(methods.TxRollback, _tx_rollback)
_on(methods.ExchangeDeclare, declare_exchange)
_on(methods.ExchangeDelete, delete_exchange)
_on(methods.ExchangeBind, exchange_bind)
_on(methods.ExchangeUnbind, exchange_unbind)
_on(methods.QueueDeclare, declare_queue)
_on(methods.QueueDelete, delete_queue)
_on(methods.QueuePurge, purge_queue)
_on(methods.QueueBind, queue_bind)
_on(methods.QueueUnbind, queue_unbind)
_on(methods.BasicQos, qos)
_on(methods.BasicConsume, consume)
_on(methods.BasicCancel, cancel)
_on(methods.BasicCancelOk, cancel_ok)
_on(methods.BasicGet, get)
_on(methods.BasicAck, ack)
_on(methods.BasicNack, nack)
_on(methods.BasicReject, reject)
_on(methods.BasicRecover, recover)
_on(methods.BasicRecoverAsync, recover_async)
