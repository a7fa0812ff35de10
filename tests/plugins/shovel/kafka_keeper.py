"""Keeps a Kafka cluster, librdkafka's own, until its input ends or it is killed: prints the port of its one broker.

A process of its own, as a signal that comes to the cluster's thread ends it (its poll is interrupted, and it takes that
for an error): the alarm of tests/support/limits.py does, on a machine that is busy.  Clients are refused from then on,
and at the end the library waits for that thread for ever, or gives up the whole process.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import confluent_kafka

ANSWER_S: Final = 60.0
"""How long the cluster may take to tell its broker, which it has at once on a machine that isn't very busy."""


def main() -> None:
    options: dict[str, Any] = {"test.mock.num.brokers": 1, "log_level": 0}
    keeper = confluent_kafka.Producer(options)
    (broker,) = keeper.list_topics(timeout=ANSWER_S).brokers.values()
    print(broker.port, flush=True)
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
