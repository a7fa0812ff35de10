"""Deleting a virtual host with all that is in it, which may be very much: in slices (core.chores).

From the moment on at which it is asked for, nobody may connect to the virtual host or make anything in it, and its name
isn't free until all is gone.  Its row says so, and a start after a crash goes on with it.  In order:

    connections    are closed
    components     let go of what they keep for it (Component.leave_vhost, forget_vhost)
    queues         go with their messages and bindings, then exchanges
    rows           whatever is left of it in the definitions, its own last

A small one is gone when `delete_vhost` returns.  What fails is logged, and keeps nothing else from going.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from warren.core.chores import emptied
from warren.core.clients.client import Client
from warren.core.declaring.departures import work_of
from warren.core.declaring.exchanges import remove_exchange
from warren.core.declaring.queues import remove_queue
from warren.core.queues.answer import Answer, ignore

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.routing.vhost import VirtualHost

_log = logging.getLogger("warren.broker")

WORK_PER_SLICE: Final = 1000
"""Connections that are looked at in one turn, half a microsecond each; what else is done counts as so many of them."""

WORK_OF_CLOSING: Final = 20
WORK_OF_REMOVING: Final = 20
"""What it takes to close a connection, and to remove a queue or an exchange: fifty of them a turn."""


def delete_vhost(broker: Broker, vhost: VirtualHost, answer: Answer[None] = ignore) -> None:
    """See the head of this file.  answer: called once all of it is gone."""
    if not vhost.deleting:
        vhost.deleting = True
        broker.put_vhost(vhost)
    slices = _slices(broker, vhost, answer)

    def do_slice() -> bool:
        return next(slices, _ENDED) is None

    if do_slice():
        broker.chores.add(do_slice)


def resume(broker: Broker) -> None:
    """The broker has started: go on with what was begun before."""
    for vhost in list(broker.vhosts.values()):
        if vhost.deleting:
            _log.info("the deletion of vhost '%s' goes on", vhost.name)
            delete_vhost(broker, vhost)


_ENDED: Final = object()


def _slices(broker: Broker, vhost: VirtualHost, answer: Answer[None]) -> Iterator[None]:
    yield from _close_connections(broker, vhost)
    for name, component in list(broker.components.items()):
        yield from _leave(name, component.leave_vhost, vhost.name)
        _try(f"what '{name}' keeps for vhost '{vhost.name}'", component.forget_vhost, vhost.name)
    broker.quarantine.forget_vhost(vhost.name)
    work = 0
    for queue in emptied(list(vhost.queues.values())):
        work += WORK_OF_REMOVING + len(queue.consumers) + work_of(vhost, queue)
        _try(queue.description, remove_queue, vhost, queue)
        if work >= WORK_PER_SLICE:
            work = 0
            yield
    for exchange in emptied(list(vhost.exchanges.values())):
        if vhost.exchanges.get(exchange.name) is exchange:
            work += WORK_OF_REMOVING + work_of(vhost, exchange)
            _try(f"exchange '{exchange.name}' in vhost '{vhost.name}'", remove_exchange, vhost, exchange)
        if work >= WORK_PER_SLICE:
            work = 0
            yield
    while vhost.departing or vhost.removes_emptied:
        # Whose name is free may have another's bindings next.
        yield
    delete_some = broker.definitions.delete_vhost(vhost.name)
    while delete_some is not None and delete_some():
        yield
    broker.ended.vhost_gone(vhost)
    del broker.vhosts[vhost.name]
    broker.definitions.delete("vhost", "", vhost.name)
    answer(None)


def _close_connections(broker: Broker, vhost: VirtualHost) -> Iterator[None]:
    work = 0
    for session in list(broker.sessions):
        work += 1
        client = getattr(session, "client", None)
        if isinstance(client, Client) and client.vhost is vhost and session in broker.sessions:
            work += WORK_OF_CLOSING
            _try("a connection", session.force_close, f"vhost '{vhost.name}' is deleted")
        if work >= WORK_PER_SLICE:
            work = 0
            yield


def _leave(component: str, begin: Callable[[str], Iterator[None]], vhost: str) -> Iterator[None]:
    """What a component does in slices, of which a failure is the last one."""
    try:
        yield from begin(vhost)
    except Exception:
        _log.exception("what '%s' keeps for vhost '%s' couldn't be ended", component, vhost)


def _try(what: str, do: Callable[..., object], *arguments: object) -> None:
    try:
        do(*arguments)
    except Exception:
        _log.exception("%s couldn't be ended with its vhost", what)
