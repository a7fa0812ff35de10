"""ARCHITECTURE.md is true as far as a test can tell: its paths and modules are there, its rooms are all rooms."""

from __future__ import annotations

import re

from tests.architecture.rooms import ROOMS
from tests.docs.pages import ROOT

PAGE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")

FOLDERS = ("core", "adapters", "gateway", "plugins", "testing", "tests", "docs", "examples", "src")

NAMES_MIN = 40
"""Fewer would mean that the patterns have stopped finding them."""


def named_paths() -> set[str]:
    """Everything in backticks that looks like a path below one of the folders."""
    return set(re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./*-]*)`", PAGE))


def named_modules() -> set[str]:
    """Everything in backticks that looks like a module, with or without a name in it."""
    return set(re.findall(r"`(?:warren\.)?((?:core|adapters|gateway|plugins|testing)\.[\w.]+)`", PAGE))


def is_there(module: str) -> bool:
    """Whether a dotted name is a package, a module, or a name that the text of a module defines or imports."""
    path = ROOT.joinpath(*module.split("."))
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    parent, name = path.parent, path.name
    source = parent / "__init__.py" if parent.is_dir() else parent.with_suffix(".py")
    if source.is_file():
        return re.search(rf"\b{re.escape(name)}\b", source.read_text("utf-8")) is not None
    # A method: the class stands one further up.
    owner = parent.parent.with_suffix(".py")
    return owner.is_file() and re.search(rf"\bdef {re.escape(name)}\b", owner.read_text("utf-8")) is not None


def test_paths_and_modules_are_there() -> None:
    paths, modules = named_paths(), named_modules()
    assert len(paths) + len(modules) >= NAMES_MIN
    missing = [path for path in sorted(paths) if not list(ROOT.glob(path.rstrip("/")))]
    missing += [module for module in sorted(modules) if not is_there(module)]
    assert not missing, "\n".join(missing)


def test_every_room_is_described() -> None:
    described = re.findall(r"^\| `([a-z0-9_.]+)` \|", PAGE, re.MULTILINE)
    assert sorted(described) == sorted(ROOMS)


def test_what_is_not_there_is_found_out() -> None:
    assert is_there("core.broker")
    assert is_there("core.broker.Broker")
    assert is_there("core.broker.Broker.dispatch")
    assert not is_there("core.nothing")
    assert not is_there("core.broker.nothing_like_it")
