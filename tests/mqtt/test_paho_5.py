"""What MQTT 5 adds, seen by paho-mqtt."""

from __future__ import annotations

import queue
from typing import Any

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.mqtt.paho_client import TIME_LIMIT_S, PahoClient, Properties, paho, paho_client
from tests.support.until import until


def properties(packet: int, **values: Any) -> Properties:
    """paho's properties of a packet."""
    made = Properties(packet)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(made, name, value)
    return made


def in_publish(**values: Any) -> Properties:
    return properties(PacketTypes.PUBLISH, **values)


def in_connect(**values: Any) -> Properties:
    return properties(PacketTypes.CONNECT, **values)


def subscribe(client: PahoClient, filter: str, *, identifier: int = 0, **options: Any) -> int:
    """Subscribe with options; the reason code."""
    answers: queue.Queue[Any] = queue.Queue()
    before = client.client.on_subscribe
    client.client.on_subscribe = lambda client, userdata, mid, codes, properties: answers.put(codes)
    carried = properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=identifier) if identifier else None
    client.client.subscribe(filter, options=SubscribeOptions(**options), properties=carried)
    (code,) = answers.get(timeout=TIME_LIMIT_S)
    client.client.on_subscribe = before
    return int(code.value)


def test_reason_codes_of_publishing(port: int) -> None:
    codes: queue.Queue[Any] = queue.Queue()
    with paho_client(port, "p") as client:
        client.client.on_publish = lambda client, userdata, mid, code, properties: codes.put(code)
        for qos in (1, 2):
            client.publish("nobody/listens", b"x", qos)
            expected = "No matching subscribers" if qos == 1 else "Success"
            assert codes.get(timeout=TIME_LIMIT_S) == expected, "paho tells PUBCOMP's for QoS 2"
        client.subscribe("somebody", 1)
        client.publish("somebody", b"x", 1)
        assert codes.get(timeout=TIME_LIMIT_S) == "Success"
        client.client.on_publish = None


def test_an_assigned_client_identifier(port: int) -> None:
    found: queue.Queue[Any] = queue.Queue()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="", protocol=paho.MQTTv5)  # type: ignore[attr-defined]
    client.on_connect = lambda client, userdata, flags, code, properties: found.put(properties)
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert found.get(timeout=TIME_LIMIT_S).AssignedClientIdentifier
    client.disconnect()
    client.loop_stop()
    client.on_connect = None


def test_subscription_options_and_identifiers(port: int) -> None:
    with paho_client(port, "both") as both, paho_client(port, "other") as other:
        assert subscribe(both, "o/#", identifier=7, qos=2, noLocal=True, retainAsPublished=True) == 2
        assert subscribe(both, "+/1", identifier=9, qos=1) == 1
        both.publish("o/2", b"own, not local", 1)
        other.publish("o/1", b"other's", 2, retain=True)
        message: Any = both.next()
        assert (bytes(message.payload), message.qos, message.retain) == (b"other's", 2, True)
        assert sorted(message.properties.SubscriptionIdentifier) == [7, 9]
        for handling, copies in ((2, 0), (1, 0), (0, 1)):
            assert subscribe(both, "o/#", qos=2, retainHandling=handling) == 2
            other.publish("o/end", b"end", 1)
            # Retained messages come as there is room, so a newer one of another topic may overtake them.
            came = sorted(bytes(both.next().payload) for _ in range(copies + 1))
            assert came == sorted([b"other's"] * copies + [b"end"])
        other.publish("o/1", b"", 1, retain=True)


def test_topic_aliases_of_the_client(port: int) -> None:
    with paho_client(port, "s") as subscriber, paho_client(port, "p") as publisher:
        subscriber.subscribe("alias/#", 1)
        publisher.publish("alias/1", b"1", 1, properties=in_publish(TopicAlias=5))
        publisher.publish("", b"2", 1, properties=in_publish(TopicAlias=5))
        assert [(each.topic, bytes(each.payload)) for each in (subscriber.next(), subscriber.next())] == [
            ("alias/1", b"1"),
            ("alias/1", b"2"),
        ]


def test_a_group_shares(port: int) -> None:
    with paho_client(port, "a") as first, paho_client(port, "b", paho.MQTTv311) as second:
        for member in (first, second):
            member.subscribe("$share/g/shared/#", 1)
        with paho_client(port, "p") as publisher:
            for number in range(20):
                publisher.publish("shared/t", b"%d" % number, 1)
        taken = [[bytes(member.next().payload) for _ in range(10)] for member in (first, second)]
    assert sorted([*taken[0], *taken[1]], key=int) == [b"%d" % number for number in range(20)]


def test_takeover_is_told(port: int) -> None:
    told: queue.Queue[Any] = queue.Queue()
    with paho_client(port, "same") as first:

        def note(client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
            told.put(code)
            client.disconnect()  # or it would come back, and take over in turn

        first.client.on_disconnect = note
        with paho_client(port, "same"):
            assert told.get(timeout=TIME_LIMIT_S) == "Session taken over"
        first.client.on_disconnect = None


def test_a_packet_that_is_too_large_for_the_client(port: int) -> None:
    limits = in_connect(MaximumPacketSize=100)
    with paho_client(port, "s", properties=limits) as subscriber, paho_client(port, "p") as publisher:
        subscriber.subscribe("size", 2)
        for qos in (0, 1, 2):
            publisher.publish("size", b"x" * 200, qos)
        publisher.publish("size", b"small", 1)
        assert bytes(subscriber.next().payload) == b"small"


def test_a_receive_maximum_of_one(port: int) -> None:
    limits = in_connect(ReceiveMaximum=1)
    with paho_client(port, "s", properties=limits) as subscriber, paho_client(port, "p") as publisher:
        subscriber.subscribe("one", 2)
        for number in range(50):
            publisher.client.publish("one", b"%d" % number, number % 3)
        publisher.publish("one", b"50", 1)
        by_qos: dict[int, list[int]] = {0: [], 1: [], 2: []}
        for _ in range(51):
            message = subscriber.next()
            by_qos[message.qos].append(int(message.payload))
    assert by_qos[1] == [*range(1, 50, 3), 50]
    assert by_qos[2] == list(range(2, 50, 3))
    assert by_qos[0] == list(range(0, 50, 3))


def test_expiry_is_counted_down_and_kept_across_a_session(port: int) -> None:
    session = in_connect(SessionExpiryInterval=100)
    with paho_client(port, "away", clean=False, properties=session) as subscriber:
        subscriber.subscribe("expiring", 1)
    with paho_client(port, "p") as publisher:
        publisher.publish("expiring", b"x", 1, properties=in_publish(MessageExpiryInterval=1000))
    with paho_client(port, "away", clean=False, properties=session) as subscriber:
        assert subscriber.session_present
        message: Any = subscriber.next()
        assert 900 < message.properties.MessageExpiryInterval <= 1000
    with paho_client(port, "away"):
        pass


def test_a_will_with_properties(port: int) -> None:
    carried = properties(PacketTypes.WILLMESSAGE, ContentType="text/plain", UserProperty=[("k", "1"), ("k", "2")])
    with paho_client(port, "w") as watcher:
        watcher.subscribe("wills/+", 1)
        dying = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="dying", protocol=paho.MQTTv5)  # type: ignore[attr-defined]
        dying.will_set("wills/dying", b"gone", 1, properties=carried)
        dying.connect("127.0.0.1", port)
        until(dying.is_connected, dying.loop)
        dying.disconnect(reasoncode=ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
        until(lambda: dying.loop() != paho.MQTT_ERR_SUCCESS, lambda _: None)
        message: Any = watcher.next()
    assert bytes(message.payload) == b"gone"
    assert message.properties.ContentType == "text/plain"
    assert message.properties.UserProperty == [("k", "1"), ("k", "2")]
