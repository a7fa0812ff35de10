"""Requests that RabbitMQ and Warren are asked one after the other; docs/management_rabbitmq.md says what differs.

A line of scenario.txt is a method, a path below /api, and a body if there is one.  NODE stands for the node's name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

LIVE: Final = "live"
"""The part with a client connected that publishes and consumes, once both have figures."""

SPANS: Final = "&".join(f"{sort}_age=60&{sort}_incr=5" for sort in ("lengths", "msg_rates", "data_rates", "node_stats"))


def parts() -> dict[str, list[str]]:
    """The requests of each part."""
    found: dict[str, list[str]] = {}
    for line in (Path(__file__).parent / "scenario.txt").read_text().splitlines():
        if line.startswith("# "):
            requests = found[line.removeprefix("# ")] = []
        elif line:
            requests.append(line)
    return found
