"""The definition stores under test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore
from warren.core.storage.definitions.store import DefinitionStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database may be made."""
    return tmp_path / "definitions.sqlite"


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, path: Path) -> Iterator[DefinitionStore]:
    """A blank store of each kind."""
    made: DefinitionStore
    made = MemoryDefinitionStore() if request.param == "memory" else SqliteDefinitionStore(path)
    yield made
    made.close()


@pytest.fixture
def sqlite_store(path: Path) -> Iterator[SqliteDefinitionStore]:
    """A blank store on disk at `path`."""
    made = SqliteDefinitionStore(path)
    yield made
    made.close()
