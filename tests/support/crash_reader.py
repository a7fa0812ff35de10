"""What is in a broker after a restart: its definitions over the control socket, its messages over AMQP.

The reader takes every message of every queue without acknowledging it, makes sure that no queue holds more than it
said, and keeps them until it is told which to acknowledge; the rest goes back when it closes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from tests.support import amqp_bytes as wire
from tests.support import crash_definitions
from tests.support import crash_link as link
from tests.support.amqp_wire import Address
from tests.support.crash_definitions import Definition
from tests.support.crash_history import Found, History
from tests.support.crash_link import CrashLink, Event
from warren.gateway.control.client import request


def read_definitions(data_directory: Path) -> list[Definition]:
    """Every durable queue, exchange and binding that was not predeclared."""
    found = [crash_definitions.queue(row["name"]) for row in _rows(data_directory, "list_queues", "name")]
    for row in _rows(data_directory, "list_exchanges", "name"):
        if row["name"] and not row["name"].startswith("amq."):
            found.append(crash_definitions.exchange(row["name"]))
    for row in _rows(data_directory, "list_bindings", "source_name", "destination_name", "routing_key"):
        if row["source_name"]:
            found.append(crash_definitions.binding(row["source_name"], row["destination_name"], row["routing_key"]))
    return found


def _rows(data_directory: Path, command: str, *columns: str) -> list[dict[str, Any]]:
    answer = request(data_directory, command, columns, timeout_s=link.WAIT_S)
    return cast("list[dict[str, Any]]", answer["rows"])


class Reader:
    """See the head of this file.  `found` is what was in each queue, in queue order."""

    def __init__(self, address: Address, name: str, queues: Iterable[str]) -> None:
        self._link = CrashLink(address, name)
        self.found: dict[str, list[Found]] = {queue: [] for queue in queues}
        self._tags: dict[tuple[str, str], int] = {}
        self._expected = 0
        self._counted = 0
        self._empty = 0
        self._closed = False
        self._asked = list(self.found)
        self._read_all()

    def settle(self, history: History, acknowledged: Sequence[tuple[str, str]]) -> None:
        """Acknowledge these (queue, message id), give the others back, and close."""
        for queue, message_id in acknowledged:
            history.acknowledge(self._link.name, queue, message_id)
            self._link.send(link.acknowledge(self._tags.pop((queue, message_id))))
        for queue, message_id in self._tags:
            history.requeue(queue, message_id)
        count = history.acknowledged_count(self._link.name)
        close = wire.method(0, "connection.close", wire.short(200), wire.shortstr(""), wire.long(0))
        self._link.send(close)
        self._link.wait(self._handle, lambda: self._closed, "closing")
        history.answered(self._link.name, count)
        self._link.close()

    def abandon(self) -> None:
        """Close the socket without a word."""
        self._link.close()

    def _read_all(self) -> None:
        for queue in self._asked:
            flags = wire.bits(True, True, False, False, False)
            names = wire.shortstr(queue)
            self._link.method("queue.declare", wire.short(0), names, flags, wire.table())
        self._link.wait(self._handle, lambda: self._counted == len(self._asked), "counting the messages")
        for queue in self._asked:
            self._link.send(link.consume(queue))
        self._link.wait(self._handle, self._is_complete, "delivering what the queues said they hold")
        for queue in self._asked:
            self._link.method("basic.get", wire.short(0), wire.shortstr(queue), wire.bits(False))
        self._link.wait(self._handle, lambda: self._empty == len(self._asked), "saying that the queues are empty")

    def _is_complete(self) -> bool:
        return sum(map(len, self.found.values())) >= self._expected

    def _handle(self, event: Event) -> None:
        if event.name == "queue.declare-ok":
            event.arguments.shortstr()
            self._expected += event.arguments.long()
            self._counted += 1
        elif event.name == "basic.deliver":
            queue = event.arguments.shortstr()
            tag, redelivered = event.arguments.longlong(), bool(event.arguments.octet())
            self.found[queue].append(Found(event.message_id, redelivered, event.intact))
            self._tags[queue, event.message_id] = tag
        elif event.name == "basic.get-empty":
            self._empty += 1
        elif event.name == "connection.close-ok":
            self._closed = True
        elif event.name not in ("basic.consume-ok",):
            raise AssertionError(f"{self._link.name} got {event.name}")
