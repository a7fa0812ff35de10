"""Every way to log in, with a real server, and TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trio
import trustme

from tests.gateway.nats.test_addresses_and_login import PUBLIC, SEED
from tests.support.nats_servers import client_of, nats_server
from warren.gateway.nats import jetstream
from warren.gateway.nats.addresses import ServerAddress
from warren.gateway.nats.blocking import BlockingClient
from warren.gateway.nats.errors import LoginRefused
from warren.gateway.nats.login import Login
from warren.gateway.nats.options import Options
from warren.gateway.nats.trio_client import open_client


def test_a_token(tmp_path: Path) -> None:
    with nats_server(tmp_path, 'authorization { token: "secret" }', login=Login(token="secret")) as server:
        with client_of([server], Login(token="wrong")) as client, pytest.raises(LoginRefused):
            client.call(jetstream.account_info())
        with client_of([server], Login(token="secret")) as client:
            client.call(jetstream.account_info())


def test_a_key(tmp_path: Path) -> None:
    lines = f"authorization {{ users: [ {{ nkey: {PUBLIC} }} ] }}"
    with nats_server(tmp_path, lines, login=Login(seed=SEED)) as server, client_of([server]) as client:
        with pytest.raises(LoginRefused):
            client.call(jetstream.account_info())
        with client_of([server], Login(seed=SEED)) as known:
            known.call(jetstream.account_info())


async def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    lines = f'tls {{ cert_file: "{tmp_path}/cert.pem", key_file: "{tmp_path}/key.pem" }}'
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with nats_server(tmp_path, lines, tls=trusting) as server:
        for address in (ServerAddress("127.0.0.1", server.port), ServerAddress("127.0.0.1", server.port, tls=True)):
            options = Options((address,), tls=trusting)
            with BlockingClient(options, patience_s=30) as client:
                await trio.to_thread.run_sync(client.call, jetstream.account_info())
            async with open_client(options, patience_s=30) as own:
                await own.call(jetstream.account_info())
            with BlockingClient(Options((address,))) as distrusting, pytest.raises(LoginRefused, match="isn't who"):
                await trio.to_thread.run_sync(distrusting.call, jetstream.account_info())
            async with open_client(Options((address,))) as distrusting_too:
                with pytest.raises(LoginRefused, match="isn't who"):
                    await distrusting_too.call(jetstream.account_info())
