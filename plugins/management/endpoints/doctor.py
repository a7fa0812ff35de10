"""What is wrong with how the broker is used and set up."""

from __future__ import annotations

from typing import Literal

import trio

from warren.core.administration import operations
from warren.core.administration.diagnosing.surroundings import Surroundings
from warren.gateway.plugin import in_turns
from warren.plugins.management import objects
from warren.plugins.management.access import Needs
from warren.plugins.management.endpoint import Call, endpoint
from warren.plugins.management.errors import bad_request


class Place(objects.Object):
    """vhost, name: empty for what has none.  detail: the evidence.  remedy: what to type for this one, or empty."""

    vhost: str
    kind: str
    name: str
    detail: str
    remedy: str


class Finding(objects.Object):
    """count: at how many places it is so, of which some are named."""

    code: str
    severity: Literal["notice", "warning", "error"]
    title: str
    why: str
    remedy: list[str]
    count: int
    places: list[Place]


class Report(objects.Object):
    """healthy: nothing but notices.  looked_at: how many of what.  seconds: between the two looks."""

    healthy: bool
    looked_at: dict[str, int]
    seconds: float
    findings: list[Finding]


@endpoint(
    "GET",
    "/doctor",
    "What is wrong with how the broker is used and set up, why, and what helps; it looks twice, `?watch=` seconds "
    "apart (0 to 30, otherwise 3), and says nothing of what has been so for less than `?patience=` seconds (600). "
    "`?vhost=` names one virtual host.",
    needs=Needs.ADMINISTRATOR,
    answer=Report,
)
async def get_doctor(call: Call) -> object:
    rules = operations.doctor
    watch_s = _seconds(call, "watch", rules.WATCH_S_DEFAULT, rules.WATCH_S_MAX)
    patience_s = _seconds(call, "patience", rules.PATIENCE_DEFAULT_S, rules.PATIENCE_S_MAX)
    vhost = call.query.get("vhost")
    earlier = None
    if watch_s:
        earlier = await in_turns(rules.look(call.broker, vhost, call.node.sampler.now_ms))
        await trio.sleep(watch_s)
    surroundings = Surroundings(call.node.listeners(), call.context.facts.certificates, call.context.resources())
    steps = rules.examine(
        call.broker,
        surroundings,
        patience_ms=int(patience_s * 1000),
        earlier=earlier,
        vhost=vhost,
        now_ms=call.node.sampler.now_ms,
    )
    return (await in_turns(steps)).described()


def _seconds(call: Call, name: str, default: float, most: float) -> float:
    given = call.query.get(name, str(default))
    try:
        found = float(given)
    except ValueError:
        found = -1.0
    if not 0 <= found <= most:
        raise bad_request(f"{name} is from 0 to {most:g} seconds, not '{given}'")
    return found
