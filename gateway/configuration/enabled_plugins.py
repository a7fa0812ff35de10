"""Plugins that were enabled and disabled with `warren plugins`: a file in the data directory, beside the configuration.

    enabled_plugins    ["shovel", "-metrics"]

A name is of a plugin that the configuration doesn't enable, one with a `-` of one that it does.  What the file doesn't
name is as the configuration has it.  Keys of a plugin that only the file enables have their defaults, since a
configuration is read before the data directory is known.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from warren.core.errors import StorageError
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.plugins import OFF, PLUGINS, PluginSettings
from warren.gateway.process.settings import ProcessSettings

NAME: Final = "enabled_plugins"


def place_of(config: Config) -> Path | None:
    """Where the file of a broker with this configuration is; None where nothing is kept."""
    process = config.section(ProcessSettings)
    if process.in_memory or process.data_directory is None:
        return None
    return Path(process.data_directory) / NAME


def with_changes(config: Config) -> Config:
    """The configuration as the file changes it.

    Names of plugins that aren't installed any more are left out.  Raises StorageError for a file that is none.
    """
    path = place_of(config)
    changes = [] if path is None else read_changes(path)
    return changed(config, changes) if changes else config


def read_changes(path: Path) -> list[str]:
    """What the file says; nothing where there is none.  Raises StorageError."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} can't be read: {error}; without the file plugins are as configured") from None
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise StorageError(f"{path} isn't a list of names of plugins; without the file plugins are as configured")
    return [each for each in found if each.removeprefix(OFF) in PLUGINS]


def write_changes(path: Path, changes: Sequence[str]) -> None:
    """Keep what is otherwise than configured; no file where nothing is.  Raises StorageError."""
    try:
        if not changes:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.new")
        with open(beside, "w", encoding="utf-8") as file:
            file.write(json.dumps([*changes]) + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise StorageError(f"{path} can't be written: {error}") from None


def changes_to(config: Config, wanted: Sequence[str]) -> list[str]:
    """How these plugins, and no others, differ from what is configured."""
    configured = config.section(PluginSettings).plugins
    on = [name for name in dict.fromkeys(wanted) if name not in configured]
    return on + [OFF + name for name in configured if name not in wanted]


def changed(config: Config, changes: Sequence[str]) -> Config:
    """The configuration with such differences."""
    named = config.named_plugins
    off = [each for each in changes if each.startswith(OFF)]
    on = [each for each in changes if not each.startswith(OFF)]
    kept = [each for each in named if each.removeprefix(OFF) not in on]
    return config.replace(plugins=tuple(dict.fromkeys([*kept, *on, *off])))
