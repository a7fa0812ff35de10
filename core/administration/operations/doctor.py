"""The operations that say what is wrong with how a broker is used and set up: nothing changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from warren.core.administration.diagnosing import looking
from warren.core.administration.diagnosing.examine import examine as examine_in_slices
from warren.core.administration.diagnosing.thresholds import PATIENCE_DEFAULT_S
from warren.core.administration.operations import vhosts as of_vhosts
from warren.core.administration.steps import Steps

if TYPE_CHECKING:
    from warren.core.administration.diagnosing.finding import Report
    from warren.core.administration.diagnosing.looking import Look
    from warren.core.administration.diagnosing.surroundings import Surroundings
    from warren.core.broker import Broker


__all__ = ["PATIENCE_DEFAULT_S", "examine", "look"]

WATCH_S_DEFAULT: Final = 3.0
"""Between the two looks: long enough to see a queue grow, and not so long that anybody takes it for hung."""

WATCH_S_MAX: Final = 30.0
"""Clients wait for an answer for a minute, if they aren't told otherwise."""

PATIENCE_S_MAX: Final = 86_400.0


def look(broker: Broker, vhost: str | None = None, now_ms: int | None = None) -> Steps[Look]:
    """How long queues are, for an `examine` some seconds later.

    vhost: only what is in it, None for all.  now_ms: as in `examine`.  Raises NotFound for an unknown one.
    """
    return looking.look(broker, _only(broker, vhost), broker.now_ms if now_ms is None else now_ms)


def examine(
    broker: Broker,
    surroundings: Surroundings,
    *,
    patience_ms: int,
    earlier: Look | None = None,
    vhost: str | None = None,
    now_ms: int | None = None,
) -> Steps[Report]:
    """What is wrong, by what the broker has counted.

    surroundings: what is known of the process.  patience_ms: what has been so for less isn't told.  earlier: of a
    `look`; without one nobody knows what grows.  vhost: only what is in it; None for all, users, listeners and the
    process.  now_ms: the time, where somebody knows it better than the broker, which notes it with each turn.
    Raises NotFound for an unknown virtual host.
    """
    only = _only(broker, vhost)
    now_ms = broker.now_ms if now_ms is None else now_ms
    return Steps(examine_in_slices(broker, surroundings, now_ms, patience_ms, earlier, only))


def _only(broker: Broker, vhost: str | None) -> Sequence[str] | None:
    return None if vhost is None else [of_vhosts.existing(broker, vhost).name]
