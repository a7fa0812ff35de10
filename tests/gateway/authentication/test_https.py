"""Back-ends over HTTPS, with real certificates: a service by RabbitMQ's protocol, and an issuer of tokens."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.support.auth_server import AuthServer, allow_all, auth_server
from tests.support.certificates import Files, TestAuthority
from tests.support.tokens import jwks, rsa_key
from warren.core.access.questions import Answer, Denied, Identity, Login, Secret
from warren.gateway import open_broker
from warren.gateway.authentication.back_end import AuthenticationBackEnd
from warren.gateway.authentication.http import HttpBackEnd
from warren.gateway.authentication.oauth2.back_end import OAuth2BackEnd
from warren.gateway.configuration.catalogue import KEYS
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.options import options_of
from warren.gateway.plugin import when_known

TIME_LIMIT_S = 60

LOGIN = Login("alice", Secret("secret"))

Make = Callable[..., AuthenticationBackEnd]

Serve = Callable[[Files], AbstractContextManager[AuthServer]]


@pytest.fixture
def authority(tmp_path: Path) -> TestAuthority:
    return TestAuthority(tmp_path / "authority")


def server_context(files: Files, clients: TestAuthority | None = None) -> ssl.SSLContext:
    """clients: whose certificates a client has to show one of."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    if clients is not None:
        context.load_verify_locations(clients.ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@contextmanager
def service(files: Files, clients: TestAuthority | None = None) -> Iterator[AuthServer]:
    with auth_server(allow_all, server_context(files, clients)) as server:
        yield server


@contextmanager
def issuer(files: Files, clients: TestAuthority | None = None) -> Iterator[AuthServer]:
    with auth_server(lambda asked: (200, jwks(rsa_key())), server_context(files, clients)) as server:
        yield server


def config(**written: object) -> Config:
    return Config(in_memory=True, **{name: KEYS[name].parse(value) for name, value in written.items()})


def of_service(server: AuthServer, **tls: object) -> AuthenticationBackEnd:
    keys = {f"auth_http_{name}": value for name, value in tls.items()}
    return HttpBackEnd(options_of(server.config(**keys)))


def of_issuer(server: AuthServer, **tls: object) -> AuthenticationBackEnd:
    keys = {f"auth_oauth2_{name}": value for name, value in tls.items()}
    written = config(auth_oauth2_resource_server_id="burrow", auth_oauth2_jwks_url=f"{server.url}/keys", **keys)
    return OAuth2BackEnd(options_of(written))


def token() -> str:
    return rsa_key().sign({"sub": "alice", "aud": "burrow", "exp": int(time.time()) + 600, "scope": "burrow.read:*/*"})


async def answer(of: AuthenticationBackEnd) -> Answer:
    """What it says to alice."""
    login = Login("", Secret(token())) if isinstance(of, OAuth2BackEnd) else LOGIN
    of.now_ms = lambda: int(time.time() * 1000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(of.run)
        with trio.fail_after(TIME_LIMIT_S):
            found = await of.answer(login)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return found


BOTH = pytest.mark.parametrize(
    ("serve", "make"), [(service, of_service), (issuer, of_issuer)], ids=["service", "issuer"]
)


@BOTH
async def test_one_that_is_trusted(authority: TestAuthority, serve: Serve, make: Make) -> None:
    with serve(authority.issue("server", "localhost")) as server:
        found = await answer(make(server, ca_file=str(authority.ca)))
        assert isinstance(found, Identity), found
        assert found.name == "alice"
        assert server.take()


@BOTH
@pytest.mark.parametrize("wrong", ["authority", "name", "expired"])
async def test_one_that_isnt(
    authority: TestAuthority,
    tmp_path: Path,
    serve: Serve,
    make: Make,
    wrong: str,
) -> None:
    """Nothing is asked of it, so no password gets there."""
    names = ("elsewhere.example",) if wrong == "name" else ("localhost",)
    signer = TestAuthority(tmp_path / "another") if wrong == "authority" else authority
    files = signer.issue("server", *names, expired=wrong == "expired")
    with serve(files) as server:
        found = await answer(make(server, ca_file=str(authority.ca)))
        assert isinstance(found, Denied)
        assert found.failed or "token" in found.reason
        assert server.take() == []
        unchecked = await answer(make(server, tls_verify="verify_none"))
        assert isinstance(unchecked, Identity), unchecked


async def test_a_service_that_wants_a_certificate(authority: TestAuthority) -> None:
    mine = authority.issue("broker", "broker.example")
    with service(authority.issue("server", "localhost"), authority) as server:
        shown = {"certificate_file": str(mine.certificate), "key_file": str(mine.key)}
        found = await answer(of_service(server, ca_file=str(authority.ca), **shown))
        assert isinstance(found, Identity), found
        server.take()
        without = await answer(of_service(server, ca_file=str(authority.ca)))
        assert isinstance(without, Denied)
        assert without.failed
        assert server.take() == []


async def test_connections_are_kept(authority: TestAuthority) -> None:
    with service(authority.issue("server", "localhost")) as server:
        of = of_service(server, ca_file=str(authority.ca))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(of.run)
            for _ in range(3):
                assert isinstance(await of.answer(LOGIN), Identity)
            nursery.cancel_scope.cancel()
        assert len(server.take()) == 3


async def test_in_a_broker(authority: TestAuthority) -> None:
    """From the configuration to a client: the management API's, by a password and by a token."""
    files = authority.issue("server", "localhost")
    with service(files) as server, issuer(files) as keys:
        written = server.written(
            auth_backends=["oauth2", "http"],
            auth_http_ca_file=str(authority.ca),
            auth_oauth2_ca_file=str(authority.ca),
            auth_oauth2_jwks_url=f"{keys.url}/keys",
            auth_oauth2_resource_server_id="burrow",
            plugins=["management"],
        )
        async with open_broker(listen=["http=127.0.0.1:0"], config=config(**written)) as broker:
            log_in = broker._server.broker.users.log_in

            async def whoami(name: str, secret: str) -> tuple[str, bool]:
                async def ask() -> tuple[str, bool]:
                    user = log_in(name, secret, is_loopback=True, mechanism="PLAIN")
                    return user.name, "administrator" in user.tags

                with trio.fail_after(TIME_LIMIT_S):
                    return await when_known(ask)

            assert await whoami("bob", "secret") == ("bob", True)
            assert await whoami("whatever", token()) == ("alice", False)
            assert {each.path for each in server.take()} == {"user"}
            assert {each.path for each in keys.take()} == {"keys"}
