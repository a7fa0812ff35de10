"""Users over a blank store."""

from __future__ import annotations

import pytest

from core.access.users import Users
from core.definitions.memory import MemoryDefinitionStore


@pytest.fixture
def store() -> MemoryDefinitionStore:
    """A blank definition store."""
    return MemoryDefinitionStore()


@pytest.fixture
def users(store: MemoryDefinitionStore) -> Users:
    """Users kept in `store`: none yet."""
    return Users(store)
