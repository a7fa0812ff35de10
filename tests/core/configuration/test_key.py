"""Settings whose fields are keys: defaults, values, conversion, and fields of the code's own."""

from __future__ import annotations

from dataclasses import dataclass

from warren.core.configuration.key import Key, configured, keys_of, milliseconds, settings_from
from warren.core.configuration.values import number, size, text

GREETING = Key("line_greeting", text, "hello", "What a client is greeted with.")


@dataclass(frozen=True, slots=True)
class LineSettings:
    line_bytes_max: int = configured(Key("line_max_bytes", size(16, 2**20), 4096, "Longest line."))
    greeting: str = configured(GREETING)
    password: str = configured(Key("line_password", text, "pumpkin", "Of the door.", secret=True))
    idle_timeout_ms: int = configured(Key("line_idle_s", number(0, 60, "seconds"), 1.5, "Silence."), milliseconds)
    lines_max: int = 100


def test_defaults_are_those_of_the_keys() -> None:
    settings = LineSettings()
    assert (settings.line_bytes_max, settings.greeting, settings.idle_timeout_ms) == (4096, "hello", 1500)


def test_keys_come_in_the_order_of_the_fields() -> None:
    assert [key.name for key in keys_of(LineSettings)] == [
        "line_max_bytes",
        "line_greeting",
        "line_password",
        "line_idle_s",
    ]
    assert list(keys_of(LineSettings))[1] is GREETING


VALUES = {"line_max_bytes": 64, "line_greeting": "ho", "line_password": "x", "line_idle_s": 0.25, "other": 1}


def test_values_make_settings() -> None:
    settings = settings_from(LineSettings, VALUES, lines_max=7)
    assert settings == LineSettings(64, "ho", "x", 250, 7)


def test_a_missing_value_is_the_default() -> None:
    given = {name: value for name, value in VALUES.items() if name != "line_idle_s"}
    assert settings_from(LineSettings, given).idle_timeout_ms == 1500


def test_secrets_are_not_shown() -> None:
    assert "pumpkin" not in repr(LineSettings())
    assert "hello" in repr(LineSettings())


def test_a_key_is_nothing_special_unless_it_says_so() -> None:
    assert (GREETING.also, GREETING.rabbitmq, GREETING.secret, GREETING.computed) == ((), (), False, False)
    assert GREETING.from_rabbitmq("7") == "7"
