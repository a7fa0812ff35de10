"""The options of `warren serve`, read without typer where that is plain: a start needs nothing else of it.

What isn't plain (--help, a mistake, a value that looks like an option) is left to typer, which knows what to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict


class ServeOptions(TypedDict, total=False):
    """What was given, as the command `serve` (commands.py) has it."""

    data_dir: str
    in_memory: bool
    listen: list[str]
    listen_only: list[str]
    config: str
    ready_file: str
    log_level: str
    log_format: str
    cluster: str
    node_name: str
    cluster_import: bool
    settings: list[str]


def read_options(arguments: Sequence[str]) -> ServeOptions | None:
    """The options in these arguments; None where typer is to look at them."""
    found = ServeOptions()
    rest = iter(arguments)
    for argument in rest:
        if argument == "--in-memory":
            found["in_memory"] = True
            continue
        if argument == "--cluster-import":
            found["cluster_import"] = True
            continue
        name, _, value = argument.partition("=")
        if not value:
            value = next(rest, "")
        if not value or value.startswith("-"):
            return None
        if not _take(found, name, value):
            return None
    return found


def _take(found: ServeOptions, name: str, value: str) -> bool:
    """Add an option with a value; False where there is none of this name."""
    match name:
        case "--data-dir":
            found["data_dir"] = value
        case "--listen":
            found.setdefault("listen", []).append(value)
        case "--listen-only":
            found.setdefault("listen_only", []).append(value)
        case "--config":
            found["config"] = value
        case "--ready-file":
            found["ready_file"] = value
        case "--log-level":
            found["log_level"] = value
        case "--log-format":
            found["log_format"] = value
        case "--cluster":
            found["cluster"] = value
        case "--node-name":
            found["node_name"] = value
        case "--set":
            found.setdefault("settings", []).append(value)
        case _:
            return False
    return True
