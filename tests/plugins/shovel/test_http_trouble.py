"""Shovels to an HTTP service over TLS, and over a link that goes wrong while the edge is killed."""

from __future__ import annotations

import json
import random
import ssl
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.plugins.shovel.brokers import edge, fill, set_shovel, until, until_state
from tests.plugins.shovel.http_services import Answer, Asked, service
from tests.support.certificates import TestAuthority
from tests.support.faulty_link import LOOPBACK, Faults, faulty_link
from tests.support.killed_brokers import Place, Publisher

ROUNDS = 4
MESSAGES_A_ROUND = 200


def server_context(
    authority: TestAuthority, name: str, *, expired: bool = False, verify: bool = False
) -> ssl.SSLContext:
    files = authority.issue("server", name, expired=expired)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    if verify:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(str(authority.ca))
    return context


@pytest.mark.parametrize(
    ("name", "expired", "tls", "said"),
    [
        ("127.0.0.1", False, {"cacertfile": "{ca}"}, ""),
        ("127.0.0.1", False, {"verify": "verify_none"}, ""),
        ("b.example", False, {"cacertfile": "{ca}", "server_name_indication": "b.example"}, ""),
        ("127.0.0.1", False, {}, "the peer's certificate isn't trusted"),
        ("b.example", False, {"cacertfile": "{ca}"}, "the peer's certificate isn't trusted"),
        ("127.0.0.1", True, {"cacertfile": "{ca}"}, "certificate has expired"),
        ("127.0.0.1", False, {"cacertfile": "/nowhere.pem"}, "the cacertfile /nowhere.pem can't be used"),
    ],
)
async def test_whom_it_trusts(tmp_path: Path, name: str, expired: bool, tls: dict[str, str], said: str) -> None:
    authority = TestAuthority(tmp_path)
    context = server_context(authority, name, expired=expired)
    async with service(context) as there, edge() as broker, broker.connect() as here:
        await fill(here, "out", [b"1"])
        keys: dict[str, Any] = {}
        if tls:
            keys["dest_tls"] = {name: value.format(ca=authority.ca) for name, value in tls.items()}
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_protocol="http",
            dest_uri=there.url(),
            **keys,
        )
        if said:
            await until_state(broker, "terminated", said)
            assert there.asked == []
        else:
            await until(lambda: there.bodies == [b"1"])


async def test_it_shows_its_certificate(tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path)
    client = authority.issue("client", "edge@example.org")
    context = server_context(authority, "127.0.0.1", verify=True)
    async with service(context) as there, edge() as broker, broker.connect() as here:
        await fill(here, "out", [b"1"])
        keys = {"src_uri": "amqp://", "src_queue": "out", "dest_protocol": "http", "dest_uri": there.url()}
        tls = {"cacertfile": str(authority.ca)}
        await set_shovel(broker, **keys, dest_tls=tls)
        await until_state(broker, "blocked", "connection")  # lost or closed, as TLS libraries tell it
        own = {"certfile": str(client.certificate), "keyfile": str(client.key)}
        await set_shovel(broker, **keys, dest_tls={**tls, **own})
        await until(lambda: there.bodies == [b"1"])


@pytest.mark.limits(seconds=200)
async def test_every_confirmed_message_arrives(tmp_path: Path) -> None:
    """The service answers now and then that it can't; the edge is killed; the link cuts, resets and stalls."""
    chance = random.Random(99)

    def answer(asked: Asked) -> Answer | type[Exception]:
        found = chance.random()
        return Answer(503) if found < 0.01 else Exception if found < 0.02 else Answer()

    async with trio.open_nursery() as peers, faulty_link(99) as link, service() as there:
        there.answer = answer
        link.target = LOOPBACK, there.port
        shovel = {
            "src-uri": "amqp://",
            "src-queue": "out",
            "dest-protocol": "http",
            "dest-uri": f"http://{LOOPBACK}:{link.port}/",
            "dest-timeout": 1,
            "dest-deduplication-header": "Stamp",
            "reconnect-delay": 0.05,
        }
        place = Place(
            tmp_path / "edge", "--set", "plugins=shovel", "--set", f"shovel_static={json.dumps({'s': shovel})}"
        )
        publisher = Publisher("", "out", declares="out")
        try:
            for _ in range(ROUNDS):
                link.faults = Faults(bytes_max=20_000)
                address = await place.start()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(publisher.publish, peers, address, MESSAGES_A_ROUND)
                    struck_at = publisher.published + chance.randrange(MESSAGES_A_ROUND // 2, MESSAGES_A_ROUND)
                    await until(lambda at=struck_at: publisher.published >= at or not nursery.child_tasks)  # type: ignore[misc]
                    before = len(there.asked)
                    await until(lambda at=before: len(there.asked) >= at + 20)  # type: ignore[misc]
                    await place.kill()
            there.answer = lambda asked: Answer()
            address = await place.start()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(link.go_wrong)
                nursery.start_soon(publisher.publish, peers, address, 20)  # so that there is something to cut
            link.heal()
            wanted = set(publisher.confirmed)
            await until(lambda: wanted <= {int(body) for body in there.bodies})
        finally:
            place.end()
        assert sum(link.happened.values()) > 0
        first_seen = [number for number in dict.fromkeys(int(body) for body in there.bodies) if number in wanted]
        assert first_seen == sorted(first_seen), "nothing overtakes"
        stamps = {(int(each.body), each.headers["stamp"]) for each in there.asked}
        assert len(stamps) == len({number for number, _ in stamps}) == len({stamp for _, stamp in stamps})
