"""Shovels over TLS: who is trusted, by which name, and what is said of who isn't."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.shovel.brokers import edge, fill, set_shovel, take, until_state
from tests.support.certificates import TestAuthority
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config


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
async def test_who_is_trusted(tmp_path: Path, expired: bool, parameters: str, refused: str) -> None:
    authority = TestAuthority(tmp_path)
    files = authority.issue("server", "127.0.0.1", expired=expired)
    config = Config(in_memory=True).replace(tls_certificate_file=files.certificate, tls_key_file=files.key)
    async with (
        open_broker(config=config, listen=("amqps=127.0.0.1:0",)) as upstream,
        upstream.connect() as far,
        edge() as broker,
        broker.connect() as here,
    ):
        await far.declare_queue("in", durable=True)
        await fill(here, "out", [b"1"])
        host, port = upstream.address("amqps")
        uri = f"amqps://{host}:{port}?{parameters.format(ca=authority.ca)}"
        await set_shovel(broker, src_uri="amqp://", src_queue="out", dest_uri=uri, dest_queue="in")
        if refused:
            await until_state(broker, "terminated", refused)
        else:
            await until_state(broker, "running")
            assert await take(far, "in", 1) == [b"1"]
