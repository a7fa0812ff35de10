"""Words of rabbitmq-diagnostics that look at the process: its memory, its state, the names that it resolves."""

from __future__ import annotations

from typing import Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, value
from warren.gateway.control.word import Option, Remote, word

UNIT: Final = Option("unit", "UNIT", "gb")

UNITS: Final = {"bytes": 1, "b": 1, "kb": 1000, "mb": 1_000_000, "gb": 1_000_000_000}
"""Bytes of each; also as `gigabytes` and so on."""

LONG_UNITS: Final = {"kilobytes": "kb", "megabytes": "mb", "gigabytes": "gb"}

ADDRESS_FAMILY: Final = Option("address_family", "IPv4|IPv6", "IPv4")


@word(
    "",
    "what the memory is used for",
    "Reporting memory breakdown on {directory} ...",
    options=(UNIT,),
    remote=Remote.MONITORING,
    example="--unit mb",
)
async def memory_breakdown(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does: bytes and percent of each part, the largest first."""
    from warren.gateway.memory import resident_bytes
    from warren.gateway.memory_breakdown import memory_breakdown
    from warren.gateway.turns import in_turns

    given = str(request.options.get(UNIT.name) or UNIT.default).lower()
    unit = LONG_UNITS.get(given, given)
    if unit not in UNITS:
        raise RefusedError(f"--unit is bytes, kb, mb or gb, not '{given}'", codes.USAGE)
    used = resident_bytes()
    parts = await in_turns(memory_breakdown(control.broker, used))
    ranked = sorted(parts.items(), key=lambda part: -part[1])
    shown = {name: {"bytes": size, "percentage": round(100 * size / used, 2)} for name, size in ranked}
    lines = [
        f"{name}: {round(each['bytes'] / UNITS[unit], 4)} {unit} ({each['percentage']}%)"
        for name, each in shown.items()
    ]
    return value(shown, "\n".join(lines))


@word("", "whether the broker is still starting", while_stopped=True, remote=Remote.MANAGEMENT)
def is_booting(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does; whoever answers has started."""
    text = "The broker is fully booted (check with is_running) or stopped"
    return value({"result": False, "message": text}, text)


@word(
    "HOSTNAME",
    "the addresses that a name has for the broker",
    options=(ADDRESS_FAMILY,),
    example="localhost --address-family IPv6",
)
async def resolve_hostname(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does."""
    import socket

    import trio

    families = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
    wanted = str(request.options.get(ADDRESS_FAMILY.name) or ADDRESS_FAMILY.default)
    if wanted.lower() not in families:
        raise RefusedError(f"--address-family is IPv4 or IPv6, not '{wanted}'", codes.DATA)
    try:
        found = await trio.socket.getaddrinfo(request.arguments[0], None, families[wanted.lower()], socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise RefusedError(f"'{request.arguments[0]}' has no address: {error}", codes.SOFTWARE) from None
    addresses = sorted({str(address[0]) for *_, address in found})
    return value({"result": "ok", "addresses": addresses}, "\n".join(addresses))
