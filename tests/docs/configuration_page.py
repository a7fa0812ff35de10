"""Keeps docs/configuration.md in step with the keys that there are:

    python -m tests.docs.configuration_page

The page ends with a section per key. This puts them into the order of the keys, writes the defaults, drops what is no
longer a key, and adds a section with the docstring of `Config` for a key that has none. The text of a section that is
there is left as it is: it is for people who run a broker, while the docstring is for those who work on it.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

from tests.docs.pages import CONFIGURATION
from warren.gateway.configuration import load as config
from warren.gateway.configuration.keys import KEYS, Key
from warren.gateway.configuration.load import Config, describe

COLUMNS = 120

DEPENDING = ("data_directory", "cluster_name")
"""Keys whose default depends on the machine; the text says how."""

_SECTION = re.compile(r"^### `(\w+)`\n\nDefault: (.*)\n\n(\S[\s\S]*?)(?=\n*\n###|\n*\Z)", re.MULTILINE)


def refreshed(page: str) -> str:
    """The page as it should be."""
    introduction = page.partition("\n### ")[0]
    texts = {name: text for name, _, text in _SECTION.findall(page)}
    documented = docstrings()
    sections = [
        f"### `{key.name}`\n\nDefault: {default_of(key)}\n\n{texts.get(key.name) or documented[key.field]}\n"
        for key in KEYS.values()
    ]
    return "\n".join([introduction.rstrip("\n") + "\n", *sections])


def default_of(key: Key) -> str:
    """The default as the page shows it: what one would write in warren.toml."""
    if key.name in DEPENDING:
        return "see below"
    defaults = Config()
    # Secrets are hidden by `describe`; their defaults are well-known words.
    value = getattr(defaults, key.field) if key.secret else describe(defaults)[key.name]
    if key.name == "memory_high_watermark":
        value = defaults.memory_high_watermark.relative
    return "none" if value is None else f"`{json.dumps(value)}`"


def docstrings() -> Mapping[str, str]:
    """The docstring below each field of Config, as one paragraph."""
    (definition,) = ast.parse(inspect.getsource(config.Config)).body
    assert isinstance(definition, ast.ClassDef)
    found: dict[str, str] = {}
    for field, following in zip(definition.body, definition.body[1:], strict=False):
        match field, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                words = " ".join(text.split())
                found[name] = textwrap.fill(words, COLUMNS, break_long_words=False, break_on_hyphens=False)
    return found


def refresh(path: Path = CONFIGURATION) -> None:
    """Write the page as it should be."""
    path.write_text(refreshed(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    refresh()
