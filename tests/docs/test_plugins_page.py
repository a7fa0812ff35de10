"""What docs/plugins.md shows is what happens."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.docs.pages import ROOT, blocks
from tests.support.installing import install_by_hand
from warren.gateway.configuration.load import load_config
from warren.gateway.plugin import Context, Plugin

PAGE = ROOT / "docs" / "plugins.md"

TIME_LIMIT_S = 60.0


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's plugin, as an installation of its package leaves it."""
    source, packages = tmp_path / "source", tmp_path / "packages"
    source.mkdir()
    packages.mkdir()
    (source / "warren_counting.py").write_text(blocks(PAGE, "python")[0])
    (source / "pyproject.toml").write_text(blocks(PAGE, "toml")[1])
    install_by_hand(source, packages)
    monkeypatch.syspath_prepend(packages)
    monkeypatch.delitem(sys.modules, "warren_counting", raising=False)


@pytest.mark.usefixtures("installed")
def test_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "warren.toml").write_text(blocks(PAGE, "toml")[0])
    config = load_config(environment={}, directory=tmp_path)
    assert config.plugins == ("management", "metrics", "counting")


@pytest.mark.usefixtures("installed")
async def test_the_plugin_and_its_test(autojump_clock: MockClock) -> None:
    names: dict[str, object] = {"trio": trio}
    exec(blocks(PAGE, "python")[1], names)
    test = names["test_it_counts"]
    assert callable(test)
    with trio.fail_after(TIME_LIMIT_S):
        await test()


def test_the_table_names_everything() -> None:
    page = PAGE.read_text("utf-8")
    public = [name for name in (*Plugin.__annotations__, *vars(Plugin)) if not name.startswith("_")]
    assert {"keys", "start", "words"} <= set(public)
    assert [name for name in public if f"`{name}" not in page and name not in ("name", "about")] == []
    own = [name for name in vars(Context) if not name.startswith("_")]
    known = ("parameters", "counters", "mounts")
    assert [name for name in own if f"context.{name}" not in page and name not in known] == []
