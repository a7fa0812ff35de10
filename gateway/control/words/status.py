"""`status`, `environment` and `ping`: facts about the running broker, as values for programs and text for
people.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from typing import cast

from warren.core.broker import Broker
from warren.gateway.configuration.listener import format_address
from warren.gateway.configuration.load import describe
from warren.gateway.control.target import Answer, Control, Handler, Request, done
from warren.gateway.process.resources import resident_bytes
from warren.gateway.version import WARREN_VERSION


def _status(control: Control, request: Request) -> Answer:
    value = _facts(control)
    return {"ok": True, "value": value, "text": _status_text(value)}


def _facts(control: Control) -> dict[str, object]:
    """Named as rabbitmqctl's `status --formatter json` names them, where it has the like."""
    server, config = control.server, control.config
    return {
        "warren_version": WARREN_VERSION,
        "python_version": platform.python_version(),
        "pid": os.getpid(),
        "data_directory": str(config.data_directory),
        "in_memory": config.in_memory,
        "config_files": [str(config.file)] if config.file else [],
        "running": server.running,
        "uptime": int(time.monotonic() - control.started_at_s),
        "listeners": _listeners(server.listening),
        "memory_bytes": resident_bytes(),
        "alarms": server.broker.alarms.raised() if server.running else [],
        "totals": _totals(server.broker) if server.running else {},
    }


def _totals(broker: Broker) -> dict[str, object]:
    queues = broker.inspect("queues", None)
    return {
        "virtual_host_count": len(broker.vhosts),
        "connection_count": len(broker.inspect("connections", None)),
        "queue_count": len(queues),
        "messages_ready": _sum(queues, "messages_ready"),
        "messages_unacknowledged": _sum(queues, "messages_unacknowledged"),
    }


def _listeners(listening: Mapping[str, Sequence[tuple[str, int]]]) -> list[dict[str, object]]:
    return [
        {"protocol": protocol, "interface": host, "port": port}
        for protocol, addresses in listening.items()
        for host, port in addresses
    ]


def _status_text(value: Mapping[str, object]) -> str:
    totals = cast("Mapping[str, object]", value["totals"])
    listeners = cast("list[dict[str, object]]", value["listeners"])
    addresses = [
        f"{each['protocol']} {format_address(str(each['interface']), int(str(each['port'])))}" for each in listeners
    ]
    memory_bytes = int(str(value["memory_bytes"]))
    kept = "in memory only" if value["in_memory"] else value["data_directory"]
    lines = {
        "Warren version": value["warren_version"],
        "Python version": value["python_version"],
        "Process": value["pid"],
        "Data": kept,
        "Configuration files": ", ".join(cast("list[str]", value["config_files"])) or "none",
        "State": "running" if value["running"] else "stopped (warren ctl start_app starts it)",
        "Uptime": _duration(int(str(value["uptime"]))),
        "Listening": ", ".join(addresses) or "nowhere",
        "Memory": f"{memory_bytes / 2**20:.1f} MiB",
        "Alarms": ", ".join(cast("list[str]", value["alarms"])) or "none",
        **{name.replace("_", " ").capitalize(): count for name, count in totals.items()},
    }
    return "\n".join(f"{name}: {shown}" for name, shown in lines.items())


def _duration(seconds: int) -> str:
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    return f"{days} d {hours} h {minutes} min {seconds % 60} s"


def _environment(control: Control, request: Request) -> Answer:
    value = describe(control.config)
    text = "\n".join(f"{name} = {_shown(entry)}" for name, entry in value.items())
    return {"ok": True, "value": value, "text": text}


def _shown(entry: object) -> str:
    if isinstance(entry, list):
        return ", ".join(map(str, entry))
    if isinstance(entry, bool):
        return str(entry).lower()
    return "" if entry is None else str(entry)


def _ping(control: Control, request: Request) -> Answer:
    return done("Ping succeeded")


def _sum(rows: Sequence[Mapping[str, object]], column: str) -> int:
    values = (row.get(column) for row in rows)
    return sum(value for value in values if isinstance(value, int))


HANDLERS: dict[str, Handler] = {"status": _status, "environment": _environment, "ping": _ping}
"""By word; these also answer while the broker application is stopped."""
