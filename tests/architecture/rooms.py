"""The rooms of the house, from the ground up: a room may import from those before it, and from itself.

A list in this order can't hold a circle.  A room is named by the folder or the file that it begins with, and a file
belongs to the longest name that fits.  Types are another matter: what is imported under TYPE_CHECKING alone costs
nothing when the program runs, so within a layer it may name what is above (a queue knows its virtual host).
"""

from __future__ import annotations

from typing import Final

ROOMS: Final = (
    # The broker.
    "core.errors",
    "core.compiled",
    "core.frozen",
    "core.limit_hits",
    "core.stalls",
    "core.configuration",
    "core.patterns",
    "core.component",
    "core.watchers",
    "core.message_observer",
    "core.policy_setting",
    "core.messages",
    "core.selectors",
    "core.deadlines",
    "core.chores",
    "core.message_sizes",
    "core.given",
    "core.counters",
    "core.brief",
    "core.churn",
    "core.ended",
    "core.rates",
    "core.rationed_log",
    "core.alarms",
    "core.clients",
    "core.settings",
    "core.storage",
    "core.storage.definitions",
    "core.storage.disk",
    "core.storage.replicated",
    "core.streams",
    "core.access",
    "core.queues",
    "core.exchanges",
    "core.policies",
    "core.routing",
    "core.declaring",
    "core.cluster",
    "core.administration",
    "core.storage.recovery",
    "core.withdrawals",
    "core.rechecks",
    "core.broker",
    "core.cluster.definitions",
    "core.administration.definitions_json",
    "core.administration.explaining",
    "core.administration.diagnosing",
    "core.administration.operations",
    # Protocols.  A codec knows nothing of the session that uses it.
    "adapters.interface",
    "adapters.registry",
    "adapters.first_bytes",
    "adapters.session",
    "adapters.stage",
    "adapters.streams",
    "adapters.detection",
    "adapters.proxy_protocol",
    "adapters.peers",
    "adapters.http",
    "adapters.amqp091.codec",
    "adapters.amqp091.client",
    "adapters.amqp091",
    "adapters.amqp091.nodes",
    "adapters.amqp10.codec",
    "adapters.amqp10.client",
    "adapters.amqp10",
    "adapters.stomp.codec",
    "adapters.stomp.client",
    "adapters.stomp",
    "adapters.mqtt.codec",
    "adapters.mqtt.client",
    "adapters.mqtt.sessions",
    "adapters.mqtt",
    "adapters.stream.codec",
    "adapters.stream",
    "adapters.websocket",
    "adapters.direct",
    # Everything that waits.
    "gateway.version",
    "gateway.turns",
    "gateway.facts",
    "gateway.memory",
    "gateway.listening",
    "gateway.memory_breakdown",
    "gateway.protocols",
    "gateway.nats",
    "gateway.network.addresses",
    "gateway.network.settings",
    "gateway.tls.settings",
    "gateway.authentication.settings",
    "gateway.process.settings",
    "gateway.cluster.settings",
    "gateway.configuration",
    "gateway.tls",
    "gateway.loading",
    "gateway.network",
    "gateway.client",
    "gateway.peers",
    "gateway.authentication",
    "gateway.control.exit_codes",
    "gateway.control.word",
    "gateway.control.target",
    "gateway.control.json_text",
    "gateway.control.listing",
    "gateway.plugin",
    "gateway.plugins",
    "gateway.cluster",
    "gateway.process",
    "gateway.store_tools",
    "gateway.mosquitto",
    "gateway.control",
    "gateway.server",
    "gateway.embedding",
    "gateway.command_line",
    # Tests of other programs.
    "testing",
)


SEPARATE: Final = (
    "adapters.amqp091",
    "adapters.amqp10",
    "adapters.stomp",
    "adapters.mqtt",
    "adapters.stream",
    "adapters.http",
    "adapters.websocket",
    "adapters.direct",
    "adapters.proxy_protocol",
)
"""Protocols don't know each other, whatever their order."""


def room_of(module: str) -> str:
    """The room of a module, or of a name in it: the longest name that fits; empty when there is none.

    The folders themselves (`core`) are no rooms: `gateway`, last of all, is its own `__init__` alone.
    """
    parts = module.split(".")
    for count in range(len(parts), 1, -1):
        if (name := ".".join(parts[:count])) in ROOMS:
            return name
    return module if module in ("core", "adapters", "gateway") else "testing" if parts[0] == "testing" else ""


def may_import(here: str, there: str) -> bool:
    """Whether a room may import from another one of its layer or of one below."""
    protocols = {_protocol(here), _protocol(there)} - {""}
    if len(protocols) > 1:
        return False
    return here == there or here not in ROOMS or there not in ROOMS or ROOMS.index(there) < ROOMS.index(here)


def _protocol(room: str) -> str:
    return next((each for each in SEPARATE if room == each or room.startswith(each + ".")), "")
