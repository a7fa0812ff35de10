"""What follows from a CONNECT and the operator's settings, and what CONNACK tells of it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from warren.adapters.mqtt import agreed as agreed_module
from warren.adapters.mqtt.agreed import (
    NOTHING_AGREED,
    Agreed,
    agree,
    client_id_of,
    connack_properties,
    effective_expiry_s,
)
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import Connect
from warren.adapters.mqtt.codec.properties import Properties
from warren.adapters.mqtt.sessions.session import EXPIRY_NEVER
from warren.adapters.mqtt.settings import MqttSettings

DEFAULTS = MqttSettings()


def connect(level: int = versions.V5, **more: Any) -> Connect:
    """A CONNECT: its fields, and the rest as properties."""
    fields = {name: more.pop(name) for name in list(more) if name in Connect.__dataclass_fields__}
    return Connect(fields.pop("client_id", "c"), level, properties=cast("Properties", more), **fields)


def agreed_and_told(settings: MqttSettings = DEFAULTS, level: int = versions.V5, **more: Any) -> tuple[Agreed, Any]:
    packet = connect(level, **more)
    agreed = agree(packet, settings)
    return agreed, connack_properties(agreed, client_id_of(packet), packet, settings)


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        NOTHING_AGREED.level = versions.V5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("asked_s", "most_s", "agreed_s"),
    [(0, 30, 30), (10, 30, 10), (100, 30, 30), (0, 65_535, 0), (65_535, 65_535, 65_535)],
)
def test_the_keep_alive_of_mqtt_5_is_capped_and_told(asked_s: int, most_s: int, agreed_s: int) -> None:
    agreed, told = agreed_and_told(MqttSettings(keep_alive_max_s=most_s), keep_alive_s=asked_s)
    assert agreed.keep_alive_ms == agreed_s * 1000
    assert told.get("server_keep_alive") == (agreed_s if agreed_s != asked_s else None)


@pytest.mark.parametrize("level", [versions.V3_1, versions.V3_1_1])
def test_mqtt_3_cannot_be_told_and_keeps_its_own(level: int) -> None:
    agreed, told = agreed_and_told(MqttSettings(keep_alive_max_s=30), level, keep_alive_s=100)
    assert agreed.keep_alive_ms == 100_000
    assert told == {}


def test_the_expiry_of_a_session() -> None:
    settings = MqttSettings(session_expiry_max_s=100)
    for asked_s, expected_s in ((0, 0), (50, 50), (100, 100), (101, 100), (EXPIRY_NEVER, 100)):
        agreed, told = agreed_and_told(settings, session_expiry_interval=asked_s)
        assert agreed.session_expiry_s == expected_s
        assert told.get("session_expiry_interval") == (expected_s if expected_s != asked_s else None)
    assert effective_expiry_s(MqttSettings(session_expiry_max_s=1 << 40), 1 << 40) == EXPIRY_NEVER
    assert agreed_and_told(settings)[0].session_expiry_s == 0, "without the property"


def test_a_persistent_session_of_mqtt_3_lives_as_long_as_any() -> None:
    settings = MqttSettings(session_expiry_max_s=100)
    assert agree(connect(versions.V3_1_1, clean_start=False), settings).session_expiry_s == 100
    assert agree(connect(versions.V3_1_1, clean_start=True), settings).session_expiry_s == 0


def test_limits_are_the_lower_of_the_two_sides() -> None:
    settings = MqttSettings(in_flight_max=20, receive_maximum=30, topic_alias_max=4, packet_bytes_max=5000)
    agreed, told = agreed_and_told(settings)
    assert (agreed.in_flight_max, agreed.alias_max, agreed.packet_bytes_max) == (20, 0, versions.PACKET_BYTES_MAX)
    assert (agreed.receive_maximum, agreed.client_alias_max) == (30, 4)
    assert told == {"receive_maximum": 30, "maximum_packet_size": 5000, "topic_alias_maximum": 4}
    agreed, _ = agreed_and_told(settings, receive_maximum=5, topic_alias_maximum=9, maximum_packet_size=77)
    assert (agreed.in_flight_max, agreed.alias_max, agreed.packet_bytes_max) == (5, 4, 77)
    assert agreed_and_told(settings, receive_maximum=500)[0].in_flight_max == 20
    assert "topic_alias_maximum" not in agreed_and_told(MqttSettings(topic_alias_max=0))[1]


def test_a_client_without_an_identifier_is_given_one_of_its_own() -> None:
    assigned = agreed_and_told(client_id="")[1]["assigned_client_identifier"]
    assert assigned.startswith("auto-")
    assert client_id_of(connect(client_id="")) != assigned
    assert client_id_of(connect(client_id="mine")) == "mine"
    assert "assigned_client_identifier" not in agreed_and_told(client_id="mine")[1]


def test_clients_that_agree_on_the_same_share_it() -> None:
    first = agree(connect(client_id="a", keep_alive_s=10), DEFAULTS)
    assert agree(connect(client_id="b", keep_alive_s=10), DEFAULTS) is first
    assert agree(connect(client_id="b", keep_alive_s=11), DEFAULTS) is not first


@pytest.mark.interpreted("has a constant of the module changed")
def test_terms_that_are_all_different_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreed_module, "SHARED_MAX", 3)
    kinds = [agree(connect(keep_alive_s=number), DEFAULTS) for number in range(1, 10)]
    assert [each.keep_alive_ms for each in kinds] == [1000 * number for number in range(1, 10)]
    assert len(agreed_module._shared) <= 3


def test_response_information_is_a_topic_and_no_filter() -> None:
    _, told = agreed_and_told(client_id="a+b#c", request_response_information=True)
    assert told["response_information"] == "response/a%2Bb%23c"
    assert "response_information" not in agreed_and_told()[1]


def test_what_else_the_client_says() -> None:
    agreed = agree(connect(is_bridge=True, request_problem_information=False), DEFAULTS)
    assert agreed.is_bridge
    assert not agreed.problem_information
    assert agree(connect(), DEFAULTS).problem_information
