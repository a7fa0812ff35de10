"""Brokers of core alone to import into and to export from."""

from __future__ import annotations

import pytest

from tests.support.core_broker import core_broker
from warren.core.broker import Broker
from warren.core.storage.definitions.memory import MemoryDefinitionStore


@pytest.fixture
def store() -> MemoryDefinitionStore:
    return MemoryDefinitionStore()


@pytest.fixture
def broker(store: MemoryDefinitionStore) -> Broker:
    """A new broker: user guest, virtual host `/`."""
    return core_broker(store)
