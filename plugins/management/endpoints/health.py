"""Health checks: 200 and `ok`, or 503 and a reason (spec F.4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from warren.core.administration import operations
from warren.gateway.plugin import missing_protocols
from warren.plugins.management import objects
from warren.plugins.management.endpoint import Call, Status, endpoint
from warren.plugins.management.endpoints import nodes
from warren.plugins.management.errors import bad_request

CHECKS: Final = "/health/checks"

PORT_MOST: Final = 65_535


def _ok(more: Mapping[str, object] | None = None) -> object:
    return {"status": "ok", **(more or {})}


def _alone() -> object:
    return _ok({"reason": "single node cluster"})


def _failed(reason: str, more: Mapping[str, object] | None = None) -> Status:
    return Status(503, {"status": "failed", "reason": reason, **(more or {})})


def _alarms(call: Call) -> object:
    raised = call.broker.alarms.raised()
    if not raised:
        return _ok()
    alarms = [{"node": call.node.name, "resource": each} for each in raised]
    return _failed(f"alarms are raised: {', '.join(raised)}", {"alarms": alarms})


@endpoint("GET", f"{CHECKS}/alarms", "No alarm is raised.", answer=objects.Health)
async def check_alarms(call: Call) -> object:
    return _alarms(call)


@endpoint("GET", f"{CHECKS}/local-alarms", "No alarm is raised here.", answer=objects.Health)
async def check_local_alarms(call: Call) -> object:
    return _alarms(call)


@endpoint("GET", f"{CHECKS}/port-listener/{{port}}", "Something listens on the port.", answer=objects.Health)
async def check_port(call: Call) -> object:
    text = call.path["port"]
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= PORT_MOST):
        raise bad_request(f"'{text}' is no port")
    ports = sorted({port for _, _, port, _ in call.node.listeners()})
    if int(text) in ports:
        return _ok({"port": int(text)})
    return _failed(f"nothing listens on port {text}", {"missing": int(text), "ports": ports})


@endpoint(
    "GET",
    f"{CHECKS}/protocol-listener/{{protocols}}",
    "Something listens for each of these protocols, which stand with commas between.",
    answer=objects.Health,
)
async def check_protocols(call: Call) -> object:
    asked = [each.strip().lower() for each in call.path["protocols"].split(",") if each.strip()]
    found = call.node.listeners()
    there = sorted({each.protocol for each in found})
    missing = missing_protocols(found, asked)
    if not missing:
        return _ok({"protocol": ",".join(asked), "protocols": asked})
    return _failed(f"nothing listens for {', '.join(missing)}", {"missing": missing, "protocols": there})


@endpoint(
    "GET",
    f"{CHECKS}/certificate-expiration/{{within}}/{{unit}}",
    "No certificate expires within so many days, weeks, months or years.",
    answer=objects.Health,
)
async def check_certificates(call: Call) -> object:
    try:
        days = operations.certificates.days_of(call.path["within"], call.path["unit"])
    except ValueError as error:
        raise bad_request(f"it has to be {error}") from None
    valid_until_ms = call.context.facts.certificates
    expired = [
        {"certificate": file, "not_after": datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()}
        for file, at_ms in operations.certificates.expiring(valid_until_ms, days, call.node.sampler.now_ms).items()
    ]
    return _ok() if not expired else _failed("Certificates expiring", {"expired": expired})


@endpoint("GET", f"{CHECKS}/virtual-hosts", "All virtual hosts are there.", answer=objects.Health)
async def check_virtual_hosts(call: Call) -> object:
    damage = call.broker.damage()
    return _ok() if not damage else _failed("; ".join(damage))


@endpoint("GET", f"{CHECKS}/node-is-quorum-critical", "Nobody needs this node for a majority.", answer=objects.Health)
async def check_quorum(call: Call) -> object:
    return _alone()


@endpoint("GET", f"{CHECKS}/node-is-mirror-sync-critical", "Nobody needs this node's mirrors.", answer=objects.Health)
async def check_mirrors(call: Call) -> object:
    return _alone()


@endpoint(
    "GET",
    f"{CHECKS}/quorum-queues-without-elected-leaders/all-vhosts",
    "Every quorum queue has a leader.",
    answer=objects.Health,
)
async def check_leaders(call: Call) -> object:
    return _ok()


@endpoint(
    "GET",
    f"{CHECKS}/quorum-queues-without-elected-leaders/all-vhosts/pattern/{{pattern}}",
    "The same of queues whose names match.",
    answer=objects.Health,
)
async def check_leaders_of_some(call: Call) -> object:
    return _ok()


@endpoint(
    "GET",
    f"{CHECKS}/quorum-queues-without-elected-leaders/vhost/{{vhost}}",
    "The same in a virtual host.",
    answer=objects.Health,
)
async def check_leaders_of_vhost(call: Call) -> object:
    return _ok()


@endpoint(
    "GET",
    f"{CHECKS}/quorum-queues-without-elected-leaders/vhost/{{vhost}}/pattern/{{pattern}}",
    "The same there of queues whose names match.",
    answer=objects.Health,
)
async def check_leaders_of_some_of_vhost(call: Call) -> object:
    return _ok()


@endpoint("GET", f"{CHECKS}/metadata-store/initialized", "Definitions are loaded.", answer=objects.Health)
async def check_metadata(call: Call) -> object:
    return _ok()


@endpoint("GET", f"{CHECKS}/metadata-store/initialized/with-data", "The same.", answer=objects.Health)
async def check_metadata_with_data(call: Call) -> object:
    return _ok()


@endpoint("GET", f"{CHECKS}/reached-target-cluster-size", "All nodes are there.", answer=objects.Health)
async def check_cluster_size(call: Call) -> object:
    return _ok()


@endpoint("GET", f"{CHECKS}/is-in-service", "The broker works.", answer=objects.Health)
async def check_service(call: Call) -> object:
    return _ok()


@endpoint("GET", f"{CHECKS}/below-node-connection-limit", "There is room for connections.", answer=objects.Health)
async def check_connections(call: Call) -> object:
    return _connections(call)


@endpoint("GET", f"{CHECKS}/ready-to-serve-clients", "Clients can connect.", answer=objects.Health)
async def check_ready(call: Call) -> object:
    return _connections(call)


@endpoint("GET", "/aliveness-test/{vhost}", "The virtual host can be used.", answer=objects.Health)
async def check_alive(call: Call) -> object:
    return _ok()


@endpoint("GET", "/healthchecks/node", "No alarm is raised.", answer=objects.Health)
async def check_node(call: Call) -> object:
    return _node(call)


@endpoint("GET", "/healthchecks/node/{node}", "The same, of the node of this name.", answer=objects.Health)
async def check_node_by_name(call: Call) -> object:
    nodes.check_node(call)
    return _node(call)


def _node(call: Call) -> object:
    raised = call.broker.alarms.raised()
    return {"status": "failed", "reason": f"alarms are raised: {', '.join(raised)}"} if raised else _ok()


def _connections(call: Call) -> object:
    limit, count = call.broker.limits.connections, call.broker.client_count
    if limit is None or count < limit:
        return _ok()
    return _failed(f"{count} of {limit} connections are open (connection_max)", {"connections": count, "limit": limit})
