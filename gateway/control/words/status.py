"""Facts about the running broker, as values for programs and text for people; also while it is stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

from warren.gateway.control.target import Answer, Control, Request, done, value
from warren.gateway.control.word import Option, Remote, word
from warren.gateway.version import WARREN_VERSION, form

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.stalls import Stalls
    from warren.gateway.process.limits import ResourceLimits

MEBIBYTE: Final = 2**20


@word(
    "",
    "version, listeners, memory, alarms and totals",
    "Status of the Warren broker on {directory} ...",
    while_stopped=True,
    remote=Remote.MONITORING,
)
async def status(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    facts = await _facts(control)
    return value(facts, _status_text(facts))


async def _facts(control: Control) -> dict[str, object]:
    """Named as rabbitmqctl's `status --formatter json` names them, where it has the like."""
    import platform

    from warren.gateway.configuration.plugins import PluginSettings
    from warren.gateway.memory import resident_bytes
    from warren.gateway.memory_breakdown import memory_breakdown
    from warren.gateway.process.resources import descriptor_limit, free_bytes, open_descriptors
    from warren.gateway.process.settings import ProcessSettings
    from warren.gateway.turns import in_turns

    server, config = control.server, control.config
    process = config.section(ProcessSettings)
    used_bytes = resident_bytes()
    parts = await in_turns(memory_breakdown(server.broker, used_bytes)) if server.running else {}
    directory = None if process.in_memory else process.data_directory
    return {
        "warren_version": WARREN_VERSION,
        "product_name": "Warren",
        "product_version": WARREN_VERSION,
        "rabbitmq_version": control.product_version,
        "form": form(),
        "python_version": platform.python_version(),
        "pid": os.getpid(),
        "data_directory": str(process.data_directory),
        "in_memory": process.in_memory,
        "config_files": [str(config.file)] if config.file else [],
        "running": server.running,
        "is_under_maintenance": server.running and server.accepting.suspended,
        "active_plugins": list(config.section(PluginSettings).plugins),
        "uptime": int(time.monotonic() - control.started_at_s),
        "listeners": _listeners(server.listening),
        "memory_bytes": used_bytes,
        "memory": {
            **parts,
            "strategy": "rss",
            "total": {"erlang": used_bytes, "rss": used_bytes, "allocated": used_bytes},
        },
        "file_descriptors": {"total_used": open_descriptors(), "total_limit": descriptor_limit()},
        "disk_free": None if directory is None else free_bytes(directory),
        **(_limits(server.limits) if server.running else {}),
        "alarms": server.broker.alarms.raised() if server.running else [],
        "damage": server.broker.damage() if server.running else [],
        "stalls": _stalls(server.broker.stalls) if server.running else {},
        "totals": await _totals(server.broker) if server.running else {},
    }


def _stalls(stalls: Stalls) -> dict[str, object]:
    return {
        "count": stalls.count,
        "seconds": round(stalls.total_s, 3),
        "longest_seconds": round(stalls.longest_s, 3),
        "longest_by": stalls.longest_by,
    }


def _limits(limits: ResourceLimits) -> dict[str, object]:
    watermark = limits.memory_high_watermark
    setting = {"relative": watermark.relative} if watermark.relative is not None else {"absolute": str(watermark)}
    return {
        "vm_memory_high_watermark_setting": setting,
        "vm_memory_high_watermark_limit": limits.memory_limit_bytes,
        "disk_free_limit": limits.disk_free_limit_bytes,
    }


async def _totals(broker: Broker) -> dict[str, object]:
    from warren.core.administration import operations
    from warren.gateway.turns import in_turns

    return (await in_turns(operations.overview.totals(broker)))._asdict()


def _listeners(listening: Mapping[str, Sequence[tuple[str, int]]]) -> list[dict[str, object]]:
    return [
        {"protocol": protocol, "interface": host, "port": port}
        for protocol, addresses in listening.items()
        for host, port in addresses
    ]


def _status_text(value: Mapping[str, object]) -> str:
    from warren.gateway.network.addresses import format_address

    totals = cast("Mapping[str, object]", value["totals"])
    listeners = cast("list[dict[str, object]]", value["listeners"])
    addresses = [
        f"{each['protocol']} {format_address(str(each['interface']), int(str(each['port'])))}" for each in listeners
    ]
    memory_bytes = int(str(value["memory_bytes"]))
    kept = "in memory only" if value["in_memory"] else value["data_directory"]
    lines = {
        "Warren version": f"{value['warren_version']} ({value['form']})",
        "RabbitMQ version": value["rabbitmq_version"],
        "Python version": value["python_version"],
        "Process": value["pid"],
        "Data": kept,
        "Configuration files": ", ".join(cast("list[str]", value["config_files"])) or "none",
        "State": "running" if value["running"] else "stopped (warren ctl start_app starts it)",
        "Uptime": _duration(int(str(value["uptime"]))),
        "Listening": ", ".join(addresses) or "nowhere",
        "Memory": f"{memory_bytes / MEBIBYTE:.1f} MiB",
        "Alarms": ", ".join(cast("list[str]", value["alarms"])) or "none",
        **_stalls_text(cast("Mapping[str, object]", value["stalls"])),
        **{name.replace("_", " ").capitalize(): count for name, count in totals.items()},
    }
    shown = [f"{name}: {text}" for name, text in lines.items()]
    return "\n".join([*shown, *(f"Damage: {each}" for each in cast("list[str]", value["damage"]))])


def _stalls_text(stalls: Mapping[str, object]) -> dict[str, str]:
    """Nothing while there was none."""
    if not stalls.get("count"):
        return {}
    longest = f"the longest took {stalls['longest_seconds']} s, by {stalls['longest_by']}"
    return {"Stalls": f"{stalls['count']}, {stalls['seconds']} s together; {longest}"}


def _duration(seconds: int) -> str:
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    return f"{days} d {hours} h {minutes} min {seconds % 60} s"


@word("", "the configuration in effect", "Configuration of the broker on {directory} ...", while_stopped=True)
def environment(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.gateway.configuration.load import describe

    found = describe(control.config)
    return value(found, "\n".join(f"{name} = {_shown(entry)}" for name, entry in found.items()))


def _shown(entry: object) -> str:
    if isinstance(entry, list):
        return ", ".join(map(str, entry))
    if isinstance(entry, bool):
        return str(entry).lower()
    return "" if entry is None else str(entry)


@word("", "the version of RabbitMQ whose words these are; `warren version` is Warren's", while_stopped=True)
def version(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does, which needs no broker for it; nor does the client."""
    return value(control.product_version, control.product_version)


@word(
    "",
    "wait until the broker serves clients, 300 seconds unless --timeout says otherwise",
    remote=Remote.MANAGEMENT,
    example="--timeout 30",
)
def await_startup(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does: the client asks until it is so."""
    return done()


@word(
    "[PID_FILE]",
    "the same, of the process whose id is in a file, or is given as --pid: it fails when that has ended",
    options=(Option("pid", "PID"),),
    remote=Remote.MANAGEMENT,
    example="--pid 4711 --timeout 30",
)
def wait(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    return done()


@word("", "succeed if the broker answers", while_stopped=True, remote=Remote.MANAGEMENT)
def ping(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    return done("Ping succeeded")
