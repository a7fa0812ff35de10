"""Names of keys: second names, tables, keys of another package; and no name twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.installing import write_metadata
from warren.adapters.registry import OWN
from warren.core.clients.limits import BrokerLimits
from warren.core.configuration.key import Key, configured
from warren.core.configuration.values import text
from warren.gateway.configuration.catalogue import (
    KEYS,
    SECOND_NAMES,
    foreign_keys,
    keys_by_name,
    known_key,
    rabbitmq_names,
)

ODD = """
from dataclasses import dataclass

from warren.adapters.interface import Adapter
from warren.core.configuration.key import Key, configured
from warren.core.configuration.values import text

@dataclass(frozen=True, slots=True)
class Names:
    table: str = configured(Key("odd", text, "a", "Named as its table."))
    speed: str = configured(Key("odd_speed_s", text, "b", "An ordinary one.", also=("oddity", "heartbeat_s")))
    stranger: str = configured(Key("other_odd", text, "c", "Of another table."))
    taken: str = configured(Key("frame_max", text, "d", "Warren's already."))

ADAPTER = Adapter(lambda options: None, settings=(Names,))
"""


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package is installed whose keys have odd names."""
    (tmp_path / "odd_protocol.py").write_text(ODD)
    write_metadata(tmp_path, "odd-protocol", {"warren.adapters": {"odd": "odd_protocol:ADAPTER"}})
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("odd_protocol", None)


def test_second_names_are_those_declared_and_those_of_tables() -> None:
    expected = {name: key for key in KEYS.values() for name in key.also}
    for key in KEYS.values():
        expected |= {
            f"{table}.{key.name.removeprefix(f'{table}_')}": key for table in OWN if key.name.startswith(f"{table}_")
        }
    assert expected == SECOND_NAMES
    assert SECOND_NAMES["mqtt.exchange"] is KEYS["mqtt_exchange"]
    assert SECOND_NAMES["data_dir"] is KEYS["data_directory"]
    assert not set(SECOND_NAMES) & set(KEYS)


def test_keys_of_another_package(odd: None) -> None:
    found = {name: key.name for name, key in foreign_keys().items()}
    assert found == {
        "odd": "odd",
        "odd_speed_s": "odd_speed_s",
        "other_odd": "other_odd",
        "oddity": "odd_speed_s",
        "heartbeat_s": "odd_speed_s",
        "odd.speed_s": "odd_speed_s",
    }
    assert known_key("odd.speed_s") is foreign_keys()["odd_speed_s"]
    assert known_key("heartbeat_s") is KEYS["heartbeat_s"], "Warren's names stay Warren's"


def test_keys_of_a_package_that_is_not_there() -> None:
    assert foreign_keys() == {}
    assert known_key("odd_speed_s") is None


def test_rabbitmq_s_names() -> None:
    assert rabbitmq_names() == {name: key for key in KEYS.values() for name in key.rabbitmq}
    assert rabbitmq_names()["heartbeat"] is KEYS["heartbeat_s"]


@dataclass(frozen=True, slots=True)
class Rival:
    heartbeat_s: str = configured(Key("channel_max", text, "", "One that there is."))


@dataclass(frozen=True, slots=True)
class Sharer:
    channel_max: int = configured(KEYS["channel_max"])


def test_two_sections_share_a_key_but_not_a_name() -> None:
    assert keys_by_name([Sharer, Sharer]) == {"channel_max": KEYS["channel_max"]}
    assert list(keys_by_name([BrokerLimits])) == [name for name in KEYS if name in keys_by_name([BrokerLimits])]
    with pytest.raises(ValueError, match="the configuration key channel_max is declared twice"):
        keys_by_name([Sharer, Rival])
