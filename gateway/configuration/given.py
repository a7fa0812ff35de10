"""What a source of the configuration says: about one key, and about what of it could not be applied."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

from warren.core.frozen import frozen


@frozen
class Given:
    """A key as one source gives it, not checked yet.

    source, written: the source and the key as people know them.  key: its name; what may be a plugin's, or a mistake,
    with `_` for dots.  base: where relative paths start.  plugin: it counts only while this one is enabled; empty for
    what counts in any case.
    """

    source: str
    written: str
    key: str
    value: object
    base: Path
    plugin: str = ""


class Weight(IntEnum):
    """How much it matters that a part of the configuration isn't applied; the numbers are those of log levels."""

    NOTE = 20
    """Nothing that a client or an operator would notice: tuning of a machine that isn't here."""
    WARNING = 30
    """Something that was asked for isn't there."""
    SECURITY = 40
    """Somebody may get in, or do more, whom the file would keep out."""


@frozen
class Remark:
    """One thing that could not be applied, for the log.

    unless: moot where a later source gives this key.  unless_plugin: moot while this plugin is enabled.
    """

    weight: Weight
    text: str
    unless: str = ""
    unless_plugin: str = ""

    def __str__(self) -> str:
        return f"SECURITY: {self.text}" if self.weight is Weight.SECURITY else self.text
