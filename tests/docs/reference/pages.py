"""The pages that are made from the code, and what makes each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.docs.pages import ROOT
from tests.docs.reference import arguments, client, fixtures, http_api, metric_names, plugin_interface, words

FOLDER = ROOT / "docs" / "reference"

COMMAND = "python -m tests.docs.reference"

MAKERS: dict[str, Callable[[], str]] = {
    "arguments": arguments.page,
    "client": client.page,
    "http_api": http_api.page,
    "metric_names": metric_names.page,
    "plugin_interface": plugin_interface.page,
    "pytest": fixtures.page,
    "words": words.page,
}


def path_of(name: str) -> Path:
    """The file of a page."""
    return FOLDER / f"{name}.md"


def made(name: str) -> str:
    """A page as it should be."""
    return f"{MAKERS[name]()}\n\n<!-- Made from the code by: {COMMAND} -->\n"
