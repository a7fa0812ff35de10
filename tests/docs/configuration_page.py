"""Writes docs/configuration.md: its second half, a section per key, follows from the declarations.

    python -m tests.docs.configuration_page

What stands above the first section is written by hand and left as it is.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from tests.docs.pages import CONFIGURATION
from warren.core.configuration.key import Key
from warren.core.configuration.values import Watermark
from warren.gateway.configuration.catalogue import KEYS

COLUMNS = 120


def refreshed(page: str) -> str:
    """The page as it should be."""
    introduction = page.partition("\n### ")[0]
    return "\n".join([introduction.rstrip("\n") + "\n", *map(section_of, KEYS.values())])


def section_of(key: Key[Any]) -> str:
    """What the page says about a key."""
    about = textwrap.fill(key.about, COLUMNS, break_long_words=False, break_on_hyphens=False)
    return f"### `{key.name}`\n\nDefault: {default_of(key)}\n\n{about}\n"


def default_of(key: Key[Any]) -> str:
    """The default as the page shows it: what one would write in warren.toml."""
    if key.computed:
        return "see below"
    return "none" if key.default is None else f"`{json.dumps(_as_toml(key.default))}`"


def _as_toml(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [str(entry) for entry in value]
    return value.relative if isinstance(value, Watermark) else value


def refresh(path: Path = CONFIGURATION) -> None:
    """Write the page as it should be."""
    path.write_text(refreshed(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    refresh()
