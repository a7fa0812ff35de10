"""Connections of a protocol whose modules aren't there yet: they wait, and the hub goes on.

A listener is open before what speaks its protocol is imported.  Whoever connects meanwhile gets a stage that reads
nothing more, and steps aside for the session as soon as the modules are there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.adapters.interface import AcceptCarrier
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Carrier, Session
    from warren.gateway.loading.loader import Loader
    from warren.gateway.loading.waiting import Waiting

InTurn = Callable[[Callable[[], None]], None]
"""Does something in the broker, and settles it."""


class Late:
    """Of one run of a broker.  in_turn: how what has waited is done."""

    def __init__(self, loader: Loader, in_turn: InTurn) -> None:
        self._loader = loader
        self._in_turn = in_turn
        self._ended = False

    def accept(self, modules: tuple[str, ...], accept: AcceptCarrier) -> AcceptCarrier:
        """What makes the same sessions as `accept`, once these modules are imported."""

        def accept_late(broker: Broker, below: Carrier) -> tuple[Session, Outbox]:
            if self._loader.has(modules):
                return accept(broker, below)
            from warren.gateway.loading.waiting import Waiting

            stage = Waiting(broker, below, accept)
            self._loader.now(modules, partial(self._loaded, stage))
            return stage, stage.outbox

        return accept_late

    def end(self) -> None:
        """The run is over: whoever waits has nothing to wait for."""
        self._ended = True

    def _loaded(self, stage: Waiting, problem: Exception | None) -> None:
        if not self._ended:
            self._in_turn(stage.go_on if problem is None else stage.give_up)
