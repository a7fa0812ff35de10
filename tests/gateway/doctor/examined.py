"""A broker as a process, with a virtual host for each test, clients that misbehave in it, and what the doctor says.

Every finding has a test that it is there and one that it isn't, by the same steps but one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pika import BasicProperties, BlockingConnection, ConnectionParameters
from pika.adapters.blocking_connection import BlockingChannel

from tests.support.ctl import ctl
from tests.support.warren_process import WarrenProcess
from warren.gateway.control import client

PERSISTENT = BasicProperties(delivery_mode=2)
TRANSIENT = BasicProperties(delivery_mode=1)


@dataclass(frozen=True, slots=True)
class Examined:
    """One virtual host of a running broker."""

    broker: WarrenProcess
    vhost: str

    def parameters(self, heartbeat: int = 60) -> ConnectionParameters:
        return ConnectionParameters(
            "127.0.0.1", self.broker.amqp_port, self.vhost, heartbeat=heartbeat, blocked_connection_timeout=60
        )

    @property
    def mqtt_login(self) -> tuple[str, str]:
        """User and password of an MQTT client in this virtual host."""
        return f"{self.vhost}:guest", "guest"

    @contextmanager
    def connection(self, heartbeat: int = 60) -> Iterator[BlockingConnection]:
        """One of pika's, closed at the end."""
        connection = BlockingConnection(self.parameters(heartbeat))
        try:
            yield connection
        finally:
            if connection.is_open:
                connection.close()

    @contextmanager
    def channel(self) -> Iterator[BlockingChannel]:
        """A channel on a connection of its own, with confirms."""
        with self.connection() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            yield channel

    def answer(self, *, patience: float = 0, watch: float = 0, vhost: str | None = "") -> dict[str, Any]:
        """What the word answers, before anything is printed.  vhost: None for the whole broker."""
        options: dict[str, object] = {"patience": str(patience), "watch": str(watch)}
        if vhost is not None:
            options["vhost"] = vhost or self.vhost
        assert self.broker.data_directory is not None
        return client.request(self.broker.data_directory, "doctor", (), options, 60.0)

    def findings(self, **options: Any) -> dict[str, dict[str, Any]]:
        """All of them, by their codes."""
        value = self.answer(**options)["value"]
        assert isinstance(value, dict)
        return {each["code"]: each for each in value["findings"]}

    def places(self, code: str, **options: Any) -> list[tuple[str, str]]:
        """Kind and name of each place where this is found; empty where it isn't."""
        found = self.findings(**options).get(code)
        return [] if found is None else [(each["kind"], each["name"]) for each in found["places"]]

    def details(self, code: str, **options: Any) -> str:
        """The evidence of all its places."""
        found = self.findings(**options).get(code, {"places": []})
        return "\n".join(each["detail"] for each in found["places"])

    def ctl(self, *words: str) -> str:
        return ctl(self.broker.data_directory, *words)

    def formatted(self, *words: str) -> Any:
        return json.loads(self.ctl(*words, "--formatter", "json"))


def publish(channel: BlockingChannel, queue: str, count: int, properties: BasicProperties = PERSISTENT) -> None:
    """To a queue, by the default exchange."""
    for number in range(count):
        channel.basic_publish("", queue, b"%d" % number, properties)


def take(channel: BlockingChannel, queue: str, count: int, *, ack: bool, **options: Any) -> None:
    """Consume until so many have come; the consumer stays."""
    tags: list[int] = []

    def came(_: object, method: Any, __: object, ___: object) -> None:
        tags.append(method.delivery_tag)
        if ack:
            channel.basic_ack(method.delivery_tag)

    channel.basic_consume(queue, came, **options)
    for _ in range(1000):
        if len(tags) >= count:
            break
        channel.connection.process_data_events(time_limit=1)
    assert len(tags) >= count
    channel.queue_declare(queue, passive=True)  # what was acknowledged is with the broker when this is answered
