"""The library that speaks Kafka's protocol, loaded when a shovel asks for it, and what it is told of a cluster.

Kafka is nothing that a broker exists to speak, and its protocol is large (groups that rebalance, idempotent producers):
librdkafka, by the package confluent-kafka, does that well.  It has threads of its own and calls back from one that asks
it (`poll`), so each end has one thread that does nothing else, and hands over to Trio (`Ear`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import trio

from warren.adapters.peers.errors import PeerError

if TYPE_CHECKING:
    from warren.plugins.shovel.kafka_definition import KafkaUri

EXTRA: Final = "kafka"
MODULE: Final = "confluent_kafka"

POLL_S: Final = 0.1
"""How long a thread asks the library before it looks whether it is still wanted."""

OPENING_S: Final = 0.5
"""How long it asks at once whether the cluster is there."""

_log = logging.getLogger("warren.plugin.shovel.kafka")
_log.propagate = False
"""librdkafka's own lines: what matters of them is the reason in the status."""


def kafka() -> Any:
    """The library; PeerError, which names the extra, where it isn't installed."""
    try:
        return import_module(MODULE)
    except ImportError as error:
        raise PeerError(f"Kafka needs the package confluent-kafka: install warren-mq[{EXTRA}] ({error})") from error


class Ear:
    """What the library's thread has to say to Trio's: something has come, or an end is over."""

    def __init__(self) -> None:
        self.error: PeerError | None = None
        self.said: str | None = None
        self._token = trio.lowlevel.current_trio_token()
        self._changed = trio.lowlevel.ParkingLot()
        self._woken = False

    def wake(self) -> None:
        """From any thread: whoever waits looks."""
        if not self._woken:
            self._woken = True
            try:
                self._token.run_sync_soon(self._wake, idempotent=True)
            except trio.RunFinishedError:
                return

    def fail(self, text: str) -> None:
        """From any thread: there is no connection any more."""
        if self.error is None:
            self.error = PeerError(text)
        self.wake()

    def on_error(self, error: Any) -> None:
        """The library's `error_cb`: what it can't mend by itself."""
        library = kafka()
        self.said = f"Kafka: {error.str()}"
        if error.fatal() or error.code() in (
            library.KafkaError._ALL_BROKERS_DOWN,
            library.KafkaError._AUTHENTICATION,
            library.KafkaError._FATAL,
        ):
            self.fail(self.said)

    async def changed(self) -> None:
        """Wait until something has come; PeerError when the end is over."""
        if self.error is not None:
            await trio.lowlevel.checkpoint()
            raise self.error
        await self._changed.park()

    def _wake(self) -> None:
        self._woken = False
        self._changed.unpark_all()


def configuration(uri: KafkaUri, ear: Ear, client_id: str, **own: object) -> dict[str, object]:
    """What librdkafka is told.  own: of this end."""
    found: dict[str, object] = {
        "bootstrap.servers": ",".join(uri.servers),
        "client.id": client_id,
        "socket.keepalive.enable": True,
        "socket.connection.setup.timeout.ms": max(1000, uri.connection_timeout_ms),
        "error_cb": ear.on_error,
        "logger": _log,
        "security.protocol": ("SASL_" if uri.user is not None else "") + ("PLAINTEXT" if uri.tls is None else "SSL"),
    }
    if uri.user is not None:
        found |= {"sasl.mechanism": uri.mechanism, "sasl.username": uri.user, "sasl.password": uri.password or ""}
    for name, option in _TLS_OPTIONS.items():
        value = getattr(uri.tls, name, None)
        if value is not None:
            found[option] = value
    return found | {name.replace("_", "."): value for name, value in own.items()}


_TLS_OPTIONS: Final = {
    "cacertfile": "ssl.ca.location",
    "certfile": "ssl.certificate.location",
    "keyfile": "ssl.key.location",
    "password": "ssl.key.password",
    "verify": "enable.ssl.certificate.verification",
}
"""Fields of TlsParameters, and what librdkafka calls them."""


def made(make: Callable[[dict[str, object]], Any], options: dict[str, object]) -> Any:
    """A producer or consumer; PeerError for options that the library doesn't take, such as a file that isn't there."""
    library = kafka()
    try:
        return make(options)
    except (library.KafkaException, ValueError, TypeError) as error:
        raise PeerError(f"Kafka: {words(error)}") from None


def reach(client: Any, ear: Ear, timeout_s: float) -> str:
    """In a thread of Trio's: the cluster's id, once it has answered; PeerError, in words, when it doesn't in time."""
    library = kafka()
    said = ""
    for _ in range(max(1, int(timeout_s / OPENING_S))):
        try:
            return str(client.list_topics(timeout=min(OPENING_S, timeout_s)).cluster_id)
        except library.KafkaException as error:
            said = words(error)
        # What the library finds out by itself is told in a poll, to who asks.
        client.poll(0)
        if ear.error is not None:
            raise ear.error
        trio.from_thread.check_cancelled()
    raise PeerError(ear.said or f"Kafka: no broker of the cluster answers: {said}")


def words(error: BaseException) -> str:
    """An error of the library's, for people."""
    first = error.args[0] if error.args else error
    return first.str() if hasattr(first, "str") else str(first)
