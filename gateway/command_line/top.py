"""`warren top`: what the broker is doing, live in the terminal."""

from __future__ import annotations

import json
import select
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from warren.gateway.command_line.tail import whole_number
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.api_client import Api, Where, ask
from warren.gateway.control.client import CommandFailedError

if TYPE_CHECKING:
    from rich.table import Table

INTERVAL_DEFAULT_S: Final = 2.0
INTERVAL_MIN_S: Final = 0.2
"""A look at ten thousand queues takes some tens of milliseconds of the broker's."""

TIMEOUT_S: Final = 30.0

SORTS: Final = {"i": "in", "o": "out", "r": "ready", "n": "name"}
"""By the key that asks for it."""

QUIT: Final = "q"

ROWS_WITHOUT_TERMINAL: Final = 20
LINES_AROUND: Final = 9
"""Of the screen, beside rows of queues."""

MEBIBYTE: Final = 1024 * 1024


def run(where: Where, options: Mapping[str, object]) -> None:
    """Show it until somebody types q or Ctrl-C, or has seen `--count` looks.

    Raises CommandFailedError.
    """
    from rich.console import Console
    from rich.live import Live

    interval_s = _interval(options.get("interval", INTERVAL_DEFAULT_S))
    sort = str(options.get("sort", "in"))
    if sort not in SORTS.values():
        raise CommandFailedError(f"--sort is {', '.join(SORTS.values())}, not '{sort}'", codes.USAGE)
    left = whole_number(options.get("count"), "--count")
    console = Console()
    before: dict[str, Any] | None = None
    with _keys() as pressed, Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while True:
            now = _look(where)
            rows = console.size.height - LINES_AROUND if console.is_terminal else ROWS_WITHOUT_TERMINAL
            live.update(shown(now, before, sort, max(rows, 1)), refresh=True)
            if left is not None:
                left -= 1
                if not left:
                    return
            before = now
            key = pressed(interval_s)
            if key == QUIT:
                return
            sort = SORTS.get(key, sort)


def _look(where: Where) -> dict[str, Any]:
    if isinstance(where, Api):
        found: dict[str, Any] = json.loads(b"".join(where.lines("/api/activity", TIMEOUT_S)))
        return found
    answer: Any = ask(where, "top", (), {}, TIMEOUT_S)["value"]
    return dict(answer)


def shown(now: Mapping[str, Any], before: Mapping[str, Any] | None, sort: str, rows: int) -> Table:
    """One look as a table, with rates if there was one before.  rows: of queues, at most."""
    from rich.table import Table
    from rich.text import Text

    seconds = max((now["at_ms"] - before["at_ms"]) / 1000, 0.001) if before else 0.0
    known = {(each["vhost"], each["name"]): each for each in before["queues"]} if before else {}
    lines = [_line(each, known.get((each["vhost"], each["name"])), seconds) for each in now["queues"]]
    if sort == "name":
        lines.sort(key=lambda line: (line["vhost"], line["name"]))
    else:
        lines.sort(key=lambda line: (-line[sort], -line["ready"], line["name"]))
    totals, counts = now["totals"], now["counts"]
    cpu = (now["cpu_s"] - before["cpu_s"]) / seconds if before else 0.0
    head = (
        f"up {now['uptime_s']} s   CPU {cpu:.0%}   memory {now['memory_bytes'] / MEBIBYTE:.0f} MiB   "
        f"{totals['connection_count']} connections   {totals['queue_count']} queues\n"
        f"{totals['messages_ready']} ready   {totals['messages_unacknowledged']} unacknowledged   "
        f"{_rate(counts, before, 'publish', seconds)}/s published   "
        f"{_rate(counts, before, 'deliver_get', seconds)}/s delivered   "
        f"{_rate(counts, before, 'ack', seconds)}/s acknowledged"
    )
    title = Text(head, "bold")
    if now["alarms"]:
        title.append(f"\nalarms: {', '.join(now['alarms'])}", "bold red")
    table = Table(title=title, title_justify="left", expand=True, box=None, header_style="reverse")
    table.add_column("vhost")
    table.add_column("queue", overflow="ellipsis", no_wrap=True)
    for name in ("ready", "unacked", "consumers", "in/s", "out/s", "ack/s"):
        table.add_column(name, justify="right")
    for line in lines[:rows]:
        cells = (line["ready"], line["unacknowledged"], line["consumers"])
        rates = (line["in"], line["out"], line["acked"])
        table.add_row(
            Text(line["vhost"]),
            Text(line["name"]),
            *map(str, cells),
            *(f"{rate:.0f}" if before else "" for rate in rates),
        )
    if len(lines) > rows:
        table.caption = f"and {len(lines) - rows} queues more"
    return table


def _line(now: Mapping[str, Any], before: Mapping[str, Any] | None, seconds: float) -> dict[str, Any]:
    def rate(name: str) -> float:
        if before is None or not seconds:
            return 0.0
        # A queue that was made anew counts from 0.
        return max(float(now[name] - before[name]), 0.0) / seconds

    return {**now, "in": rate("publish"), "out": rate("deliver_get"), "acked": rate("ack")}


def _rate(counts: Mapping[str, int], before: Mapping[str, Any] | None, name: str, seconds: float) -> str:
    if before is None:
        return "?"
    return f"{max(counts.get(name, 0) - before['counts'].get(name, 0), 0) / seconds:.0f}"


def _interval(given: object) -> float:
    try:
        seconds = float(str(given))
    except ValueError:
        seconds = 0.0
    if not INTERVAL_MIN_S <= seconds <= 3600:
        raise CommandFailedError(f"--interval is {INTERVAL_MIN_S} to 3600 seconds, not '{given}'", codes.USAGE)
    return seconds


@contextmanager
def _keys() -> Iterator[Any]:
    """Gives what waits for a key, for some seconds; keys count at once and aren't shown, where there is a terminal."""
    if not sys.stdin.isatty():
        yield _sleep
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield _pressed
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _sleep(seconds: float) -> str:
    time.sleep(seconds)
    return ""


def _pressed(seconds: float) -> str:
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    return sys.stdin.read(1) if readable else ""
