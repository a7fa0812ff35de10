"""A stand-in for MicroPython's `umqtt.simple`, with the same functions, by paho-mqtt, for a program of a page.

As there: MQTT 3.1.1, `publish` and `subscribe` wait for the answer, `check_msg` doesn't, and failures are OSError.
"""

from __future__ import annotations

import ssl as tls
import time
from collections.abc import Callable

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

TIME_LIMIT_S = 60.0


class MQTTClient:
    """One connection at a time."""

    def __init__(
        self,
        client_id: bytes,
        server: str,
        port: int = 0,
        user: bytes | None = None,
        password: bytes | None = None,
        keepalive: int = 0,
        ssl: tls.SSLContext | None = None,
    ) -> None:
        self._id = client_id.decode()
        self._login = (user.decode() if user else None, password.decode() if password else None)
        self._address = (server, port or (8883 if ssl else 1883), keepalive)
        self._tls = ssl
        self._will: tuple[str, bytes, int, bool] | None = None
        self._callback: Callable[[bytes, bytes], None] | None = None
        self._kept = False
        self._answered: set[int] = set()
        self._connected = False

    def set_callback(self, callback: Callable[[bytes, bytes], None]) -> None:
        self._callback = callback

    def set_last_will(self, topic: bytes, msg: bytes, retain: bool = False, qos: int = 0) -> None:
        self._will = (topic.decode(), msg, qos, retain)

    def connect(self, clean_session: bool = True) -> bool:
        """Whether the broker had a session."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2, self._id, clean_session)
        client.username_pw_set(*self._login)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        if self._will is not None:
            client.will_set(*self._will)
        client.on_connect = lambda _client, _data, flags, reason, _properties: self._accepted(flags, reason)
        client.on_subscribe = lambda _client, _data, number, _reasons, _properties: self._answered.add(number)
        client.on_publish = lambda _client, _data, number, _reason, _properties: self._answered.add(number)
        client.on_message = lambda _client, _data, message: self._hand_over(message)
        self._client, self._connected = client, False
        client.connect(*self._address)
        self._wait(lambda: self._connected)
        return self._kept

    def publish(self, topic: bytes, msg: bytes, retain: bool = False, qos: int = 0) -> None:
        assert qos < 2
        number = self._client.publish(topic.decode(), msg, qos, retain).mid
        self._wait(lambda: number in self._answered)

    def subscribe(self, topic: bytes, qos: int = 0) -> None:
        assert qos < 2
        _, number = self._client.subscribe(topic.decode(), qos)
        self._wait(lambda: number in self._answered)

    def check_msg(self) -> None:
        self._loop(0)

    def ping(self) -> None:
        self._loop(0)

    def _accepted(self, flags: mqtt.ConnectFlags, reason: object) -> None:
        assert reason == "Success", reason
        self._connected, self._kept = True, flags.session_present

    def _hand_over(self, message: mqtt.MQTTMessage) -> None:
        if self._callback is not None:
            self._callback(message.topic.encode(), bytes(message.payload))

    def _loop(self, seconds: float) -> None:
        if self._client.loop(seconds) != mqtt.MQTT_ERR_SUCCESS:
            raise OSError(-1)

    def _wait(self, done: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + TIME_LIMIT_S
        while not done():
            if time.monotonic() > give_up_at:
                raise OSError(-1)
            self._loop(0.1)
