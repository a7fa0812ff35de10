"""The sample plugins are found where Warren's own are."""

from __future__ import annotations

import pytest

from tests.gateway.plugins.samples import TABLE, Sample, Second
from warren.plugins import registry


@pytest.fixture(autouse=True)
def samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BUILT_IN", TABLE)
    Sample.reset()
    Second.started.clear()
