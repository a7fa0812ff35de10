"""A paho-mqtt client on a loopback connection whose other end is this codec, in one thread."""

from __future__ import annotations

import select
import socket
from types import TracebackType

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Packet

TIMEOUT_S = 10.0
"""How long to wait for bytes on a loopback connection before a test fails."""


class PahoPeer:
    """`client` is paho's, not connected yet; `level` the version it speaks."""

    def __init__(self, level: int, client_id: str = "paho", *, clean_start: bool = True) -> None:
        self.level = level
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=None if level == versions.V5 else clean_start,
            protocol=MQTTProtocolVersion(level),
        )
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._server = self._listener
        self._received = b""

    def __enter__(self) -> PahoPeer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.on_disconnect = None
        self.client.disconnect()
        if self.client.socket() is not None:
            self.client.loop_write()
            self._server.close()
            self.read_all()
        self._server.close()
        self._listener.close()

    def connect(self, *, keep_alive_s: int = 60, clean_start: bool = True, properties: object = None) -> Packet:
        """Let the client connect; its CONNECT."""
        self.client.connect(
            "127.0.0.1",
            self._listener.getsockname()[1],
            keep_alive_s,
            clean_start=clean_start if self.level == versions.V5 else paho.MQTT_CLEAN_START_FIRST_ONLY,
            properties=properties,  # type: ignore[arg-type]  # paho's own class of properties
        )
        self._server, _ = self._listener.accept()
        self._server.settimeout(TIMEOUT_S)
        return self.receive(versions.UNKNOWN)

    def receive(self, level: int | None = None) -> Packet:
        """The next packet from the client."""
        level = self.level if level is None else level
        while (found := decode(self._received, 0, len(self._received), level)) is None:
            more = self._server.recv(65_536)
            assert more, "paho has closed the connection"
            self._received += more
        packet, end = found
        self._received = self._received[end:]
        return packet

    def send(self, packet: Packet) -> None:
        """Send a packet to the client and let it act on it."""
        self._server.sendall(encode(packet, self.level))
        self.read_all()

    def read_all(self) -> None:
        """Let the client read one packet, or notice the end."""
        sock = self.client.socket()
        assert sock is not None
        assert select.select([sock], [], [], TIMEOUT_S)[0]
        self.client.loop_read()
