"""A broker with metrics, and what its pages say, read by the library that Prometheus' other programs read with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from warren.core.broker import Broker
from warren.gateway import EmbeddedBroker, open_broker
from warren.gateway.configuration.config import Config

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page:
    """values: by name and labels.  kinds: by the family's name."""

    values: dict[tuple[str, Labels], float]
    kinds: dict[str, str]

    @property
    def names(self) -> set[str]:
        """Of all series."""
        return {name for name, _ in self.values}

    def value(self, name: str, **labels: str) -> float:
        """Of the one series of this name that has these labels."""
        wanted = set(labels.items())
        (found,) = [value for (of, has), value in self.values.items() if of == name and wanted <= has]
        return found

    def labels(self, name: str) -> list[dict[str, str]]:
        """Of all series of a name."""
        return [dict(has) for of, has in self.values if of == name]


def read_page(text: str) -> Page:
    """Parse a page; AssertionError for what is said twice."""
    values: dict[tuple[str, Labels], float] = {}
    kinds: dict[str, str] = {}
    for family in text_string_to_metric_families(text):
        assert family.name not in kinds, f"{family.name} is there twice"
        kinds[family.name] = family.type
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in values, f"{key} is there twice"
            values[key] = sample.value
    return Page(values, kinds)


@dataclass(frozen=True, slots=True)
class Metrics:
    """embedded: the broker.  port: of the listener.  http: keeps a connection."""

    embedded: EmbeddedBroker
    port: int
    http: httpx.AsyncClient

    @property
    def broker(self) -> Broker:
        """Its core."""
        return self.embedded._server.broker

    async def page(self, path: str = "/metrics") -> Page:
        """What it says."""
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        return read_page(answer.text)


@asynccontextmanager
async def open_metrics(*listen: str, directory: Path | None = None, **options: object) -> AsyncIterator[Metrics]:
    """A broker with these further listeners and keys of the configuration, which keeps nothing without a directory."""
    config = Config(plugins=("metrics",)).replace(**options)
    async with open_broker(directory, listen=("metrics=127.0.0.1:0", *listen), config=config) as embedded:
        ((_, port),) = embedded.listening["metrics"]
        base = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=base, timeout=30.0, trust_env=False) as client:
            yield Metrics(embedded, port, client)
