"""The word that says everything, for whoever is asked for help."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

from warren.gateway.control.listing import listing
from warren.gateway.control.target import Answer, Control, Request, value
from warren.gateway.control.word import word
from warren.gateway.control.words import cluster, encryption, inspecting, plugins, status

if TYPE_CHECKING:
    from warren.gateway.control.word import Word

FACTS: Final = (
    status.status,
    cluster.cluster_status,
    status.environment,
    inspecting.memory_breakdown,
    encryption.certificates,
    plugins.list_plugins,
)
"""Words that are asked."""

LISTED: Final = ("vhosts", "users", "connections", "channels", "limit_hits")
LISTED_BY_VHOST: Final = (
    "queues",
    "exchanges",
    "bindings",
    "consumers",
    "permissions",
    "topic_permissions",
    "policies",
    "operator_policies",
)
"""Listings, as they are shown without columns."""


@word("", "all of status, environment, and what there is, in one", "Reporting server status of {directory} ...")
async def report(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; secrets of the configuration are hidden, and parameters, which hold some, left out."""
    found: dict[str, object] = {}
    for each in FACTS:
        found[each.name] = _content(await _asked(each, control))
    for kind in LISTED:
        found[kind] = (await listing(control, kind))["rows"]
    for vhost in list(control.broker.vhosts):
        for kind in LISTED_BY_VHOST:
            found[f"{kind} of vhost {vhost}"] = (await listing(control, kind, vhost=vhost))["rows"]
    return value(found, "\n\n".join(f"{name}:\n{_text(each)}" for name, each in found.items()))


async def _asked(word: Word, control: Control) -> Answer:
    answer = word.handler(control, Request((), {}))
    return answer if isinstance(answer, dict) else await answer


def _content(answer: Answer) -> object:
    return answer["rows"] if "rows" in answer else answer["value"]


def _text(found: object) -> str:
    if isinstance(found, list):
        return "\n".join(json.dumps(row, default=str, ensure_ascii=False) for row in found) or "(none)"
    return "\n".join(
        f"{name}: {json.dumps(each, default=str, ensure_ascii=False)}" for name, each in cast("Any", found).items()
    )
