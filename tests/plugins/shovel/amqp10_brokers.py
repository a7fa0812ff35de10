"""Upstreams that are reached over AMQP 1.0."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from warren.gateway import open_broker
from warren.gateway.embedding import EmbeddedBroker
from warren.gateway.plugin import BrokerClient


@asynccontextmanager
async def far_broker(**changes: object) -> AsyncIterator[tuple[EmbeddedBroker, BrokerClient]]:
    async with open_broker(listen=("amqp10=127.0.0.1:0",), **changes) as broker, broker.connect() as client:  # type: ignore[arg-type]
        yield broker, client


def url(broker: EmbeddedBroker, user: str = "guest:guest@", rest: str = "") -> str:
    host, port = broker.address("amqp10")
    return f"amqp://{user}{host}:{port}{rest}"


def to(broker: EmbeddedBroker, address: str, **more: Any) -> dict[str, Any]:
    """From the queue `out` here to an address there."""
    far = {"dest_protocol": "amqp10", "dest_uri": url(broker), "dest_address": address}
    return {"src_uri": "amqp://", "src_queue": "out", **far, **more}


def back(broker: EmbeddedBroker, address: str, **more: Any) -> dict[str, Any]:
    """From an address there to the queue `in` here."""
    far = {"src_protocol": "amqp10", "src_uri": url(broker), "src_address": address}
    return {**far, "dest_uri": "amqp://", "dest_queue": "in", **more}
