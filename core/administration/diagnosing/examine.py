"""An examination from one end to the other, in slices."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from warren.core.administration.diagnosing.access import examine_ports, examine_users
from warren.core.administration.diagnosing.connections import examine_connections, examine_what_ended
from warren.core.administration.diagnosing.consumers import examine_consumers, examine_unacked
from warren.core.administration.diagnosing.examination import Examination
from warren.core.administration.diagnosing.finding import Report
from warren.core.administration.diagnosing.policies import examine_policies
from warren.core.administration.diagnosing.process import examine_process
from warren.core.administration.diagnosing.queues import examine_queues
from warren.core.administration.diagnosing.routing import examine_routing
from warren.core.administration.listing.kind import vhosts_among

if TYPE_CHECKING:
    from warren.core.administration.diagnosing.looking import Look
    from warren.core.administration.diagnosing.surroundings import Surroundings
    from warren.core.administration.listing.kind import Vhosts
    from warren.core.broker import Broker


def examine(
    broker: Broker,
    surroundings: Surroundings,
    now_ms: int,
    patience_ms: int,
    earlier: Look | None,
    vhosts: Vhosts,
) -> Generator[None, None, Report]:
    """See core.administration.operations.doctor."""
    exam = Examination(
        broker,
        surroundings,
        vhosts_among(broker, vhosts),
        whole=vhosts is None,
        now_ms=now_ms,
        patience_ms=patience_ms,
        earlier=earlier,
    )
    if exam.whole:
        yield from examine_process(exam)
        yield from examine_users(exam)
        yield from examine_ports(exam)
    yield from examine_consumers(exam)
    yield from examine_unacked(exam)
    yield from examine_connections(exam)
    yield from examine_what_ended(exam)
    yield from examine_queues(exam)
    yield from examine_routing(exam)
    yield from examine_policies(exam)
    for component in list(broker.components.values()):
        yield from component.examine(exam)
    seconds = 0.0 if earlier is None else (now_ms - earlier.at_ms) / 1000
    return Report(exam.findings(), exam.looked_at, seconds)
