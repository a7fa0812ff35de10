"""A rabbitmq.conf on its way: its keys and values, and what has become of them so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from warren.gateway.configuration.config import ConfigError
from warren.gateway.configuration.given import Given, Remark, Weight
from warren.gateway.configuration.rabbitmq_conf.syntax import words_of


class Reading:
    """What the modules of this package read from, and write to.

    entries: values by keys as they are written.  settings, remarks: what was made of them.
    """

    __slots__ = ("_path", "_taken", "entries", "remarks", "settings")

    def __init__(self, entries: Mapping[str, str], path: Path) -> None:
        self.entries = entries
        self.settings: list[Given] = []
        self.remarks: list[Remark] = []
        self._path = path
        self._taken: set[str] = set()

    def take(self, key: str) -> str | None:
        """The value of a key, which is known from now on; None when the file hasn't it."""
        if key not in self.entries:
            return None
        self._taken.add(key)
        return self.entries[key]

    def take_under(self, key: str) -> Iterator[tuple[str, str, str]]:
        """(key as it is written, the word after `key`, value) of each key with one word more."""
        head = words_of(key)
        for written, value in self.entries.items():
            words = words_of(written)
            if words[:-1] == head:
                self._taken.add(written)
                yield written, words[-1], value

    def rest(self) -> dict[str, str]:
        """What nobody has taken."""
        return {key: value for key, value in self.entries.items() if key not in self._taken}

    def give(self, written: str, key: str, value: object, plugin: str = "") -> None:
        """Set a key of Warren's.  plugin: while it is enabled."""
        self.settings.append(Given(str(self._path), written, key, value, self._path.parent, plugin))

    def remark(self, weight: Weight, text: str, *, unless: str = "", unless_plugin: str = "") -> None:
        """Say something of the file; unless, unless_plugin: as in Remark."""
        self.remarks.append(Remark(weight, f"{self._path}: {text}", unless, unless_plugin))

    def refuse(self, text: str) -> NoReturn:
        """End the start with a ConfigError."""
        raise ConfigError(f"{self._path}: {text}")
