"""Eclipse's paho-mqtt in all versions."""

from __future__ import annotations

from typing import Any

import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes

from tests.mqtt.paho_client import Properties, paho, paho_client
from tests.support.until import until


@pytest.fixture(params=[paho.MQTTv31, paho.MQTTv311, paho.MQTTv5], ids=["3.1", "3.1.1", "5"])
def protocol(request: pytest.FixtureRequest) -> MQTTProtocolVersion:
    """Each version in turn."""
    return MQTTProtocolVersion(request.param)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_thousand_messages_in_order(port: int, protocol: MQTTProtocolVersion, qos: int) -> None:
    with paho_client(port, "sub", protocol) as subscriber, paho_client(port, "pub", protocol) as publisher:
        subscriber.subscribe("load/#", 2)
        infos = [publisher.client.publish("load/x", b"%d" % number, qos) for number in range(1000)]
        for info in infos:
            info.wait_for_publish(20)
        messages = [subscriber.next() for _ in range(1000)]
        assert [message.payload for message in messages] == [b"%d" % number for number in range(1000)]
        assert {message.qos for message in messages} == {qos}


def test_retained_and_will(port: int, protocol: MQTTProtocolVersion) -> None:
    with paho_client(port, "watch", protocol) as watcher:
        watcher.subscribe("state/+", 1)
        dying = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="dying", protocol=protocol)  # type: ignore[attr-defined]
        dying.will_set("state/dying", b"gone", 1, retain=True)
        dying.connect("127.0.0.1", port)
        dying.loop_start()
        until(dying.is_connected, lambda _: dying._thread.join(0.01))  # type: ignore[union-attr]
        dying.loop_stop()
        sock = dying.socket()
        assert sock is not None
        sock.close()
        assert watcher.next().payload == b"gone"
        with paho_client(port, "late", protocol) as late:
            late.subscribe("state/#", 1)
            message = late.next()
            assert (message.payload, message.retain) == (b"gone", True)
        watcher.publish("state/dying", b"", 1, retain=True)


def test_a_persistent_session(port: int, protocol: MQTTProtocolVersion) -> None:
    properties = None
    if protocol == paho.MQTTv5:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 100
    more = {"properties": properties} if properties is not None else {}
    with paho_client(port, "away", protocol, clean=False, **more) as subscriber:
        subscriber.subscribe("kept", 2)
    with paho_client(port, "pub", protocol) as publisher:
        for qos in (1, 2):
            publisher.publish("kept", b"%d" % qos, qos)
    with paho_client(port, "away", protocol, clean=False, **more) as subscriber:
        assert subscriber.session_present or protocol == paho.MQTTv31
        assert [subscriber.next().payload for _ in range(2)] == [b"1", b"2"]
    with paho_client(port, "away", protocol):
        pass


def test_user_properties(port: int) -> None:
    with paho_client(port, "sub") as subscriber, paho_client(port, "pub") as publisher:
        subscriber.subscribe("t", 1)
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.UserProperty = [("b", "1"), ("a", "2"), ("b", "1")]
        properties.ContentType = "text/plain"
        publisher.publish("t", b"x", 1, properties=properties)
        received: Any = subscriber.next().properties
        assert received.UserProperty == [("b", "1"), ("a", "2"), ("b", "1")]
        assert received.ContentType == "text/plain"
