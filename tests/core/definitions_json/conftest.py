"""Brokers of core alone to import into and to export from."""

from __future__ import annotations

import pytest

from core.broker import Broker
from core.definitions.memory import MemoryDefinitionStore
from tests.support.core_broker import core_broker


@pytest.fixture
def store() -> MemoryDefinitionStore:
    return MemoryDefinitionStore()


@pytest.fixture
def broker(store: MemoryDefinitionStore) -> Broker:
    """A new broker: user guest, virtual host `/`."""
    return core_broker(store)
