"""What a test sees of the broker: messages, what was published, addresses, and what a test has left behind."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class QueueState:
    """A queue.  ready: messages that wait for a consumer; unacknowledged: those that one has and hasn't settled."""

    name: str
    type: str
    ready: int
    unacknowledged: int
    consumers: int
    row: Mapping[str, Any] = field(repr=False)
    """Everything that `warren ctl list_queues` can show."""

    @property
    def messages(self) -> int:
        """Both together."""
        return self.ready + self.unacknowledged


@dataclass(frozen=True)
class QueuedMessage:
    """A message in a queue."""

    exchange: str
    routing_key: str
    body: bytes
    properties: Mapping[str, Any]
    redelivered: bool

    @property
    def headers(self) -> Mapping[str, Any]:
        """Those of the properties."""
        return self.properties.get("headers") or {}


@dataclass(frozen=True)
class Published:
    """A message that was published, and the names of the queues that it was routed to.

    routing_keys: its own, and those of CC and BCC.  connection: whose, as connections are named.
    """

    exchange: str
    routing_keys: Sequence[str]
    queues: Sequence[str]
    body: bytes
    properties: Mapping[str, Any]
    user: str
    connection: str = field(repr=False)

    @property
    def headers(self) -> Mapping[str, Any]:
        """Those of the properties."""
        return self.properties.get("headers") or {}


@dataclass(frozen=True)
class ConnectionState:
    """A connection to the test's virtual host.

    name: PEER:PORT -> HOST:PORT.  client_name: what the client calls it, if it does.
    """

    name: str
    client_name: str
    protocol: str
    user: str
    channels: int
    row: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class MqttAddress:
    """Where and as whom to log in by MQTT; the user's name carries the virtual host, as with RabbitMQ."""

    host: str
    port: int
    username: str
    password: str


@dataclass(frozen=True)
class StompAddress:
    """Where and as whom to log in by STOMP; vhost is the header `host` of CONNECT."""

    host: str
    port: int
    login: str
    passcode: str
    vhost: str


@dataclass(frozen=True)
class Leftovers:
    """What is left of clients in the test's virtual host.

    connections: those that are open, with their channels.  unacknowledged: messages by queue that a client was given
    and never settled.  ready: messages by queue that nobody took.
    """

    connections: Sequence[ConnectionState]
    unacknowledged: Mapping[str, int]
    ready: Mapping[str, int]

    def __bool__(self) -> bool:
        """Whether a client should have cleared something away: messages that nobody took are as they are."""
        return bool(self.connections or self.unacknowledged)

    @property
    def channels(self) -> int:
        """Open ones, of all connections."""
        return sum(each.channels for each in self.connections)

    def __str__(self) -> str:
        lines = [
            f"open connection: {each.client_name or each.name} ({each.protocol}, channels: {each.channels})"
            for each in self.connections
        ]
        lines += [f"unacknowledged in queue '{name}': {count}" for name, count in self.unacknowledged.items()]
        lines += [f"nobody took from queue '{name}': {count}" for name, count in self.ready.items()]
        return "\n".join(lines) or "nothing"


def queue_state(row: Mapping[str, Any]) -> QueueState:
    """From a row of list_queues."""
    return QueueState(
        row["name"], row["type"], row["messages_ready"], row["messages_unacknowledged"], row["consumers"], row
    )


def connection_state(row: Mapping[str, Any]) -> ConnectionState:
    """From a row of list_connections."""
    names = row["name"], row["user_provided_name"]
    return ConnectionState(*names, row["protocol"], row["user"], row["channels"], row)


def queued_message(given: Mapping[str, Any]) -> QueuedMessage:
    """From what the chore `messages` gives."""
    return QueuedMessage(
        given["exchange"],
        given["routing_key"],
        base64.b64decode(given["body"]),
        given["properties"],
        given["redelivered"],
    )


def published(given: Mapping[str, Any]) -> Published:
    """From what the chore `published` gives."""
    return Published(
        given["exchange"],
        tuple(given["routing_keys"]),
        tuple(given["queues"]),
        base64.b64decode(given["body"]),
        given["properties"],
        given["user"],
        given["connection"],
    )
