"""Another client: publishes a message and gets it, again and again, and notes how long that took.

    python -m tests.floods.probe HOST PORT

A process of its own, so that what floods the broker doesn't slow it down by more than the machine's sharing.  To each
line of its input it answers the round trips since the line before: their number, the median, the 99th percentile and
the longest, in milliseconds.
"""

from __future__ import annotations

import json
import select
import sys
from time import perf_counter
from typing import Final

from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import WireClient

PAUSE_S: Final = 0.005
"""Between two round trips: it is not another flood."""

PATIENCE_S: Final = 120.0
"""For one round trip."""

QUEUE: Final = "probe"


def told(took_ms: list[float]) -> dict[str, float]:
    """What is told of some round trips."""
    row = sorted(took_ms) or [0.0]
    return {
        "count": len(took_ms),
        "p50": row[len(row) // 2],
        "p99": row[min(len(row) - 1, len(row) * 99 // 100)],
        "longest": row[-1],
    }


def main() -> None:
    """See the head of this file."""
    client = WireClient((sys.argv[1], int(sys.argv[2])))
    client.handshake()
    client.open_channel()
    client.declare_queue(1, QUEUE)
    client.consume(1, QUEUE)
    message = wire.publish(1, "", QUEUE, b"how long?")
    took_ms: list[float] = []
    while True:
        began_s = perf_counter()
        client.send(message)
        for _ in range(3):
            client.read_frame(PATIENCE_S)
        took_ms.append((perf_counter() - began_s) * 1000)
        if select.select([sys.stdin], [], [], PAUSE_S)[0]:
            if not sys.stdin.readline():
                break
            print(json.dumps(told(took_ms)), flush=True)
            took_ms.clear()
    client.close()


if __name__ == "__main__":
    main()
