"""Links between two brokers, by real sockets, with TLS and without."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.support.certificates import TestAuthority, config_with
from tests.support.linked_brokers import Linked, linked_brokers
from tests.support.tls_broker import run_of
from warren.core.errors import StorageError
from warren.core.messages.properties import encode_properties
from warren.gateway.cluster.links import SECRET_BYTES_LEAST, read_secret
from warren.gateway.cluster.settings import LinkSettings

PERSISTENT = encode_properties(delivery_mode=2)


async def there_and_back(near: Linked, far: Linked) -> None:
    """A client of each node; the queue is the far one's."""
    async with far.broker.connect() as owner, near.broker.connect() as client:
        await owner.declare_queue("q", durable=True)
        near.remote("q", far.name)
        for number in range(100):
            await client.publish("", "q", b"%d" % number, PERSISTENT)
        assert (await owner.check_queue("q")).messages == 100
        assert (await client.check_queue("q")).messages == 100
        browsed, following = await client.browse("q", 98, 5)
        assert ([each.message.body for each in browsed], following) == ([b"98", b"99"], 100)
        async with client.consume("q") as deliveries:
            for number in range(100):
                delivery = await deliveries.__anext__()
                assert delivery.body == b"%d" % number
                delivery.ack()
        assert (await client.check_queue("q")).messages == 0


async def told(near: Linked) -> None:
    """Until the log says why there is no link."""
    hub = run_of(near.broker).hub
    links = near.links.links
    while not any(link._told for link in links.all()):
        hub.request_turn()
        await trio.lowlevel.checkpoint()


async def test_a_queue_of_another_node_is_used_like_ones_own() -> None:
    async with linked_brokers() as (near, far):
        await there_and_back(near, far)


async def test_the_same_over_tls(tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path)
    config = config_with(authority, authority.issue("server", "127.0.0.1"))
    settings = LinkSettings(address="127.0.0.1:0", tls=True, link_ca_file=authority.ca)
    async with linked_brokers(config, settings) as (near, far):
        await there_and_back(near, far)


async def test_a_node_without_a_valid_certificate_is_not_spoken_to(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority, other = TestAuthority(tmp_path / "one"), TestAuthority(tmp_path / "other")
    config = config_with(authority, authority.issue("server", "127.0.0.1"))
    settings = LinkSettings(address="127.0.0.1:0", tls=True, link_ca_file=other.ca)
    async with linked_brokers(config, settings) as (near, far):
        near.remote("q", far.name)
        async with near.broker.connect() as client:
            client.publish_nowait("", "q", b"m")
            await told(near)
            assert "the other node's certificate isn't valid" in caplog.text


async def test_a_link_that_breaks_is_made_anew() -> None:
    async with linked_brokers() as (near, far), far.broker.connect() as owner, near.broker.connect() as client:
        await owner.declare_queue("q", durable=True)
        near.remote("q", far.name)
        await client.publish("", "q", b"1", PERSISTENT)
        async with client.consume("q") as deliveries:
            first = await deliveries.__anext__()
            (link,) = near.links.links.all()
            transport = link._transport
            assert transport is not None
            transport.abort()
            again = await deliveries.__anext__()
            assert (first.body, first.redelivered, again.body, again.redelivered) == (b"1", False, b"1", True)
            first.ack()
            again.ack()
        assert (await client.check_queue("q")).messages == 0


async def test_where_a_node_is_may_be_known_later() -> None:
    async with linked_brokers() as (near, far), far.broker.connect() as owner, near.broker.connect() as client:
        address = far.addresses.pop("b")
        await owner.declare_queue("q", durable=True)
        near.remote("q", far.name)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.publish, "", "q", b"1", PERSISTENT)
            await told(near)
            far.addresses["b"] = address
        assert (await owner.check_queue("q")).messages == 1


def test_secrets(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="needs cluster_secret_file"):
        read_secret(None)
    with pytest.raises(StorageError, match="can't be read: No such file"):
        read_secret(tmp_path / "none")
    short = tmp_path / "short"
    short.write_bytes(b"x" * (SECRET_BYTES_LEAST - 1) + b"\n")
    with pytest.raises(StorageError, match=f"holds {SECRET_BYTES_LEAST - 1} bytes"):
        read_secret(short)
    short.write_bytes(b"x" * SECRET_BYTES_LEAST + b"\n")
    assert read_secret(short) == b"x" * SECRET_BYTES_LEAST
