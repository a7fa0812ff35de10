"""The broker as a whole."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from warren.core.administration import operations
from warren.gateway.plugin import in_turns
from warren.plugins.management import node_objects, objects
from warren.plugins.management.access import Needs, sees_everything
from warren.plugins.management.bodies import NameBody
from warren.plugins.management.endpoint import Call, endpoint
from warren.plugins.management.endpoints.nodes import RATES_MODE, contexts, exchange_types
from warren.plugins.management.node import PRODUCT
from warren.plugins.management.ranges import DATA_RATES, LENGTH_NAMES, LENGTHS, MESSAGE_RATES, spans_of
from warren.plugins.management.series import OF_EVERYTHING, OF_OBJECTS
from warren.plugins.management.views import with_rates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from warren.core.broker import Broker
    from warren.plugins.management.series import Figures

RETENTION_S: Final = {
    "global": [age_ms // 1000 for _, age_ms in OF_EVERYTHING],
    "basic": [age_ms // 1000 for _, age_ms in OF_OBJECTS],
}
"""How far back samples go, in seconds."""


def _cluster_name(call: Call) -> str:
    return operations.overview.cluster_name(call.broker) or call.context.facts.cluster_name


def _listeners(call: Call) -> list[dict[str, object]]:
    return [
        {"node": call.node.name, "protocol": protocol, "ip_address": host, "port": port, "tls": tls}
        for protocol, host, port, tls in call.node.listeners()
    ]


async def _figures(broker: Broker, vhosts: Sequence[str] | None) -> Figures:
    """Of all messages of these virtual hosts, and of what comes and goes."""
    if broker.cluster is not None:
        await broker.cluster.count_elsewhere()
    found = await in_turns(operations.overview.totals(broker, vhosts))
    return {
        **await in_turns(operations.overview.message_counts(broker, vhosts)),
        **broker.churn.snapshot(),
        "messages": found.messages_ready + found.messages_unacknowledged,
        "messages_ready": found.messages_ready,
        "messages_unacknowledged": found.messages_unacknowledged,
    }


@endpoint("GET", "/overview", "The broker as a whole.", answer=node_objects.Overview)
async def get_overview(call: Call) -> object:
    broker, node, vhosts, spans = call.broker, call.node, call.vhosts, spans_of(call.query)
    figures = await _figures(broker, vhosts)
    churn = broker.churn.snapshot()
    what = "everything", None if vhosts is None else tuple(vhosts)
    series = node.sampler.of(what, lambda: figures, partial(_figures, broker, vhosts), charts=OF_EVERYTHING)
    counts = {name: count for name, count in figures.items() if name not in churn and name not in LENGTH_NAMES}
    lengths = {name: figures[name] for name in LENGTH_NAMES}
    kinds = ("connections", "channels", "consumers", "exchanges", "queues")
    others: Mapping[str, int] = {}
    if broker.cluster is not None and vhosts is None:
        # Other nodes don't tell virtual hosts apart.
        others = await broker.cluster.counts_elsewhere()
    found: dict[str, object] = {
        "management_version": node.rabbitmq_version,
        "rates_mode": RATES_MODE,
        "sample_retention_policies": RETENTION_S,
        "product_name": PRODUCT,
        "product_version": node.warren_version,
        "rabbitmq_version": node.rabbitmq_version,
        "python_version": node.python_version,
        "cluster_name": _cluster_name(call),
        "node": node.name,
        "exchange_types": exchange_types(),
        "disable_stats": False,
        "enable_queue_totals": False,
        "statistics_db_event_queue": 0,
        "message_stats": with_rates(counts, series, spans.get(MESSAGE_RATES)),
        "queue_totals": with_rates(lengths, series, spans.get(LENGTHS)),
        "object_totals": {
            what: operations.overview.count(broker, what, vhosts) + others.get(what, 0) for what in kinds
        },
    }
    if sees_everything(call.user):
        found |= {
            "churn_rates": with_rates(churn, series, spans.get(DATA_RATES)),
            "listeners": _listeners(call),
            "contexts": contexts(call),
        }
    return found


@endpoint("GET", "/cluster-name", "What the broker is called.", answer=objects.Name)
async def get_cluster_name(call: Call) -> object:
    return {"name": _cluster_name(call)}


@endpoint("PUT", "/cluster-name", "Call it otherwise.", needs=Needs.ADMINISTRATOR, body=NameBody)
async def put_cluster_name(call: Call) -> None:
    body: NameBody = call.body
    operations.overview.set_cluster_name(call.broker, body.name)
