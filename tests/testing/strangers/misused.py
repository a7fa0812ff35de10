"""Mistakes that strangers make, each of which is told what to do.  Run by ../test_strangers.py."""

from __future__ import annotations

import socket

import pika
import pytest
import trio

from warren.gateway import EmbeddedBroker, open_broker


def test_a_plain_test_with_the_async_fixture(warren_embedded: EmbeddedBroker) -> None:
    assert warren_embedded.url()


@pytest.mark.trio
async def test_pika_in_the_brokers_loop(warren_embedded: EmbeddedBroker) -> None:
    pika.BlockingConnection(pika.URLParameters(warren_embedded.url()))


@pytest.mark.trio
async def test_a_socket_in_the_brokers_loop(warren_embedded: EmbeddedBroker) -> None:
    socket.create_connection(warren_embedded.address())


@pytest.mark.trio
async def test_pika_in_a_thread_is_fine(warren_embedded: EmbeddedBroker) -> None:
    def use() -> None:
        pika.BlockingConnection(pika.URLParameters(warren_embedded.url())).close()

    await trio.to_thread.run_sync(use)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_open_broker_in_asyncio(anyio_backend: str) -> None:
    async with open_broker():
        pass


@pytest.mark.warren(leftovers="perhaps")
def test_a_mark_that_says_nothing(warren_url: str) -> None:
    pika.BlockingConnection(pika.URLParameters(warren_url))


@pytest.mark.warren(definitions="nowhere.json")
def test_definitions_that_arent_there(warren_url: str) -> None:
    raise AssertionError("it has begun")
