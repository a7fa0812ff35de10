"""docs/management.md names every key with its default, every tag, and only health checks that there are."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT
from warren.plugins.management.access import Needs
from warren.plugins.management.endpoints import ENDPOINTS
from warren.plugins.management.openapi import LIST_PARAMETERS
from warren.plugins.management.plugin import ManagementPlugin

TEXT = (ROOT / "docs" / "management.md").read_text()


def test_every_key() -> None:
    found = re.findall(r"^\| `(management_\w+)` \| ([^|]*) \|", TEXT, re.MULTILINE)
    shown = {20 * 2**20: "20 MiB", 64 * 2**20: "64 MiB", (): "none", "": "none", 30.0: "30"}
    keys = ManagementPlugin.keys
    assert found == [(key.name, shown.get(key.default, str(key.default))) for key in keys]


def test_every_tag_and_parameter() -> None:
    assert [tag for tag in Needs.MANAGEMENT.value if f"| `{tag}` |" not in TEXT] == []
    assert [name for name in LIST_PARAMETERS if f"`{name}=" not in TEXT] == []


def test_paths_are_there() -> None:
    paths = {re.sub(r"\{\w+\}", "*", each.path) for each in ENDPOINTS}
    named = re.findall(r"`(?:GET |POST )?/api(/[a-zA-Z_./-]+)`", TEXT)
    assert len(named) > 4
    for path in named:
        pattern = re.sub(r"[A-Z]+", "*", path)
        assert pattern in paths, path


def test_every_health_check() -> None:
    section = TEXT.split("## Health checks", 1)[1].split("\n## ", 1)[0]
    for each in ENDPOINTS:
        if each.path.startswith("/health/checks/"):
            assert each.path.split("/")[3] in section
