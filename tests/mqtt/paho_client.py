"""paho-mqtt for tests: connected, with what came in a queue; nothing here sleeps."""

from __future__ import annotations

import queue
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties

TIME_LIMIT_S = 20.0


class PahoClient:
    """A client with its own thread.  connack: (session present, reason code) of the latest connection."""

    def __init__(
        self,
        port: int,
        client_id: str,
        protocol: MQTTProtocolVersion,
        *,
        clean: bool = True,
        tls: ssl.SSLContext | None = None,
        transport: Literal["tcp", "websockets"] = "tcp",
        login: tuple[str, str] | None = None,
        **connect: Any,
    ) -> None:
        more: Any = {} if protocol == paho.MQTTv5 else {"clean_session": clean}
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=protocol,
            transport=transport,
            **more,
        )
        if login is not None:
            self.client.username_pw_set(*login)
        if tls is not None:
            self.client.tls_set_context(tls)
        self.messages: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self._done: dict[str, threading.Event] = {}
        self._connected = threading.Event()
        self._subscribed: queue.Queue[int] = queue.Queue()
        self.session_present = False
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda client, userdata, mid, codes, properties: self._subscribed.put(mid)
        self.client.on_message = lambda client, userdata, message: self.messages.put(message)
        if protocol == paho.MQTTv5:
            connect["clean_start"] = clean
        self.client.connect("127.0.0.1", port, **connect)
        self.client.loop_start()
        assert self._connected.wait(TIME_LIMIT_S)

    def _on_connect(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        self.session_present = bool(flags.session_present)
        assert not code.is_failure, code
        self._connected.set()

    def subscribe(self, filter: str, qos: int = 0) -> None:
        """Subscribe, and wait for SUBACK."""
        self.client.subscribe(filter, qos)
        self._subscribed.get(timeout=TIME_LIMIT_S)

    def publish(self, topic: str, payload: bytes, qos: int = 0, **more: Any) -> None:
        """Publish, and wait until that is answered."""
        self.client.publish(topic, payload, qos, **more).wait_for_publish(TIME_LIMIT_S)

    def next(self) -> paho.MQTTMessage:
        """The next message."""
        return self.messages.get(timeout=TIME_LIMIT_S)

    def stop(self) -> None:
        """Say goodbye and end the thread."""
        self.client.disconnect()
        self.client.loop_stop()
        # Without callbacks it is in no circle of references, and closes its sockets as soon as nobody has it.
        self.client.on_connect = self.client.on_subscribe = self.client.on_message = None


@contextmanager
def paho_client(
    port: int, client_id: str, protocol: MQTTProtocolVersion = paho.MQTTv5, **more: Any
) -> Iterator[PahoClient]:
    """A connected client, stopped at the end."""
    client = PahoClient(port, client_id, protocol, **more)
    try:
        yield client
    finally:
        client.stop()


__all__ = ["CallbackAPIVersion", "PahoClient", "Properties", "paho", "paho_client"]
