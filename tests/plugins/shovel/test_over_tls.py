"""Shovels over TLS, by every protocol: who is trusted, who logs in by a certificate, and what is said of who isn't."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.shovel.brokers import ask, edge, fill, set_shovel, take, until_state
from tests.support.certificates import Files, TestAuthority, config_with
from warren.gateway import open_broker
from warren.gateway.embedding import EmbeddedBroker
from warren.gateway.plugin import BrokerClient

SCHEMES = ["amqps", "amqp10s", "mqtts", "stomps", "stomp+ssl"]


def to(scheme: str, where: str) -> dict[str, Any]:
    """The keys of a destination whose messages come to the queue `in`.  where: host, port and parameters."""
    if scheme == "amqp10s":
        return {"dest_uri": f"amqps://{where}", "dest_protocol": "amqp10", "dest_address": "/queues/in"}
    uri = {"dest_uri": f"{scheme}://{where}"}
    if scheme == "amqps":
        return {**uri, "dest_queue": "in"}
    if scheme == "mqtts":
        return {**uri, "dest_protocol": "mqtt", "dest_topic": "in"}
    return {**uri, "dest_protocol": "stomp", "dest_destination": "/queue/in"}


def of(scheme: str, where: str) -> dict[str, Any]:
    """The keys of a source that has what is published to `amq.topic` with the key `in`."""
    if scheme == "amqp10s":
        return {"src_uri": f"amqps://{where}", "src_protocol": "amqp10", "src_address": "/topic/in"}
    uri = {"src_uri": f"{scheme}://{where}"}
    if scheme == "amqps":
        return {**uri, "src_exchange": "amq.topic", "src_exchange_key": "in"}
    if scheme == "mqtts":
        return {**uri, "src_protocol": "mqtt", "src_topics": "in"}
    return {**uri, "src_protocol": "stomp", "src_destination": "/topic/in"}


@asynccontextmanager
async def upstream(
    authority: TestAuthority, server: Files, **changes: object
) -> AsyncIterator[tuple[EmbeddedBroker, BrokerClient]]:
    """A broker that listens with TLS, and whose queue `in` has what is published to `amq.topic` with that key."""
    listen = tuple(f"{scheme}=127.0.0.1:0" for scheme in ("amqps", "amqp10s", "mqtts", "stomps"))
    async with (
        open_broker(config=config_with(authority, server, **changes), listen=listen) as broker,
        broker.connect() as far,
    ):
        await far.declare_queue("in", durable=True)
        await far.bind_queue("in", "amq.topic", "in")
        yield broker, far


def where(broker: EmbeddedBroker, scheme: str, parameters: str) -> str:
    host, port = broker.address("stomps" if scheme == "stomp+ssl" else scheme)
    user = "guest:guest@" if scheme == "amqp10s" and "sasl=" not in parameters else ""
    return f"{user}{host}:{port}?{parameters}"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("expired", "parameters", "refused"),
    [
        (False, "cacertfile={ca}", ""),
        (False, "verify=verify_none", ""),
        (False, "cacertfile={ca}&server_name_indication=other.example", "isn't trusted: Hostname mismatch"),
        (False, "cacertfile={ca}.none", "can't be used"),
        (False, "", "the peer's certificate isn't trusted"),
        (True, "cacertfile={ca}", "the peer's certificate isn't trusted: certificate has expired"),
    ],
)
async def test_who_is_trusted(tmp_path: Path, scheme: str, expired: bool, parameters: str, refused: str) -> None:
    authority = TestAuthority(tmp_path)
    async with (
        upstream(authority, authority.issue("server", "127.0.0.1", expired=expired)) as (peer, far),
        edge() as broker,
        broker.connect() as here,
    ):
        await fill(here, "out", [b"1"])
        there = where(peer, scheme, parameters.format(ca=authority.ca))
        await set_shovel(broker, src_uri="amqp://", src_queue="out", **to(scheme, there))
        if refused:
            await until_state(broker, "terminated", refused)
        else:
            await until_state(broker, "running")
            assert await take(far, "in", 1) == [b"1"]


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_from_there(tmp_path: Path, scheme: str) -> None:
    authority = TestAuthority(tmp_path)
    async with (
        upstream(authority, authority.issue("server", "127.0.0.1")) as (peer, far),
        edge() as broker,
        broker.connect() as here,
    ):
        there = where(peer, scheme, f"cacertfile={authority.ca}")
        await set_shovel(broker, **of(scheme, there), dest_uri="amqp://", dest_queue="here")
        await until_state(broker, "running")
        await far.publish("amq.topic", "in", b"1")
        assert await take(here, "here", 1) == [b"1"]


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_who_shows_a_certificate_is_who_it_names(tmp_path: Path, scheme: str) -> None:
    authority = TestAuthority(tmp_path)
    client = authority.issue("client", "edge@example.org", user="edge")
    changes = {
        "tls_verify": "required",
        "tls_certificate_login_from": "common_name",
        "mqtt_certificate_login": True,
        "stomp_certificate_login": True,
    }
    async with (
        upstream(authority, authority.issue("server", "127.0.0.1"), **changes) as (peer, far),
        edge() as broker,
        broker.connect() as here,
    ):
        assert (await ask(peer, "add_user", "edge", "unknown to the shovel"))["ok"]
        assert (await ask(peer, "set_permissions", "edge", ".*", ".*", ".*"))["ok"]
        await fill(here, "out", [b"1"])
        own = f"certfile={client.certificate}&keyfile={client.key}"
        external = {"amqps": "&auth_mechanism=external", "amqp10s": "&sasl=external"}.get(scheme, "")
        there = where(peer, scheme, f"cacertfile={authority.ca}&{own}{external}")
        await set_shovel(broker, src_uri="amqp://", src_queue="out", **to(scheme, there))
        await until_state(broker, "running")
        assert await take(far, "in", 1) == [b"1"]
        (row,) = (row for row in peer.inspect("connections") if row["ssl"])
        assert row["user"] == "edge"
        assert "CN=edge" in str(row["peer_cert_subject"])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("shown", ["", "expired", "stranger", "unreadable"])
async def test_a_certificate_that_the_peer_doesnt_take_is_told(tmp_path: Path, scheme: str, shown: str) -> None:
    authority = TestAuthority(tmp_path)
    async with (
        upstream(authority, authority.issue("server", "127.0.0.1"), tls_verify="required") as (peer, _),
        edge() as broker,
        broker.connect() as here,
    ):
        await fill(here, "out", [b"1"])
        parameters = f"cacertfile={authority.ca}"
        if shown:
            other = TestAuthority(tmp_path / "other") if shown == "stranger" else authority
            client = other.issue("client", "guest@example.org", user="guest", expired=shown == "expired")
            key = client.certificate if shown == "unreadable" else client.key
            parameters += f"&certfile={client.certificate}&keyfile={key}"
        said = {
            "": "certificate required",
            "expired": "certificate expired",
            "stranger": "unknown ca",
            "unreadable": f"the certificate {tmp_path}/client.pem with {tmp_path}/client.pem can't be used",
        }
        await set_shovel(broker, src_uri="amqp://", src_queue="out", **to(scheme, where(peer, scheme, parameters)))
        found = await until_state(broker, "terminated", said[shown])
        assert (await here.check_queue("out")).messages == 1, found
