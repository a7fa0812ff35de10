"""Upstreams that are reached over STOMP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from warren.gateway import open_broker
from warren.gateway.embedding import EmbeddedBroker
from warren.gateway.plugin import BrokerClient, Delivery


@asynccontextmanager
async def far_broker(**changes: object) -> AsyncIterator[tuple[EmbeddedBroker, BrokerClient]]:
    async with open_broker(listen=("stomp=127.0.0.1:0",), **changes) as broker, broker.connect() as client:  # type: ignore[arg-type]
        yield broker, client


def url(broker: EmbeddedBroker, user: str = "", rest: str = "") -> str:
    host, port = broker.address("stomp")
    return f"stomp://{user}{host}:{port}{rest}"


async def next_of(client: BrokerClient, queue: str) -> Delivery:
    async with client.consume(queue) as deliveries:
        delivery = await anext(deliveries)
        delivery.ack()
        return delivery
