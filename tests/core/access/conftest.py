"""Users over a blank store."""

from __future__ import annotations

import pytest

from warren.core.access.users import Users
from warren.core.storage.definitions.memory import MemoryDefinitionStore


@pytest.fixture
def store() -> MemoryDefinitionStore:
    """A blank definition store."""
    return MemoryDefinitionStore()


@pytest.fixture
def users(store: MemoryDefinitionStore) -> Users:
    """Users kept in `store`: none yet."""
    return Users(store)
