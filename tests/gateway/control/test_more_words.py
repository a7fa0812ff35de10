"""Words of rabbitmqctl and rabbitmq-diagnostics that look at this and that, or change a little."""

from __future__ import annotations

import base64
import hashlib
import logging
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.control.control_target import Asker
from tests.support import logs
from warren.core.administration import operations
from warren.core.clients.login_attempts import Source
from warren.core.errors import PreconditionFailed
from warren.core.queues.unavailable import Unavailable
from warren.gateway import memory_breakdown
from warren.gateway.process.log import LOGGER_NAME


@pytest.fixture
async def asker() -> Asker:
    return Asker()


async def rows_of(asker: Asker, word: str, *arguments: str, **options: object) -> Any:
    return (await asker.ask(word, *arguments, **options))["rows"]


async def value(asker: Asker, word: str, *arguments: str, **options: object) -> Any:
    answer = await asker.ask(word, *arguments, **options)
    assert answer["ok"] is True, answer
    return answer["value"]


async def test_the_parts_of_the_memory_add_up(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warren.gateway.memory.resident_bytes", lambda: 1_000_000)
    monkeypatch.setattr(memory_breakdown, "QUEUES_PER_SLICE", 1)
    asker.server.fill_queue("q", 3)
    broker = asker.server.broker
    monkeypatch.setattr(type(broker.vhosts["/"].queues["q"]), "resident_bytes", 250_000)
    found = await value(asker, "memory_breakdown")
    assert list(found)[:2] == ["other_system", "queue_procs"], "the largest first"
    assert sum(each["bytes"] for each in found.values()) == 1_000_000
    assert found["queue_procs"] == {"bytes": 250_000, "percentage": 25.0}
    assert "queue_procs: 0.25 mb (25.0%)" in await asker.do("memory_breakdown", unit="MB")
    assert "queue_procs: 0.0003 gb (25.0%)" in await asker.do("memory_breakdown", unit="gigabytes")
    assert (await asker.refused("memory_breakdown", unit="stone"))[0] == 64


async def test_policies_that_match(asker: Asker) -> None:
    operations.queues.declare(asker.server.broker, "/", "orders.new")
    for name, pattern, priority, apply_to in (
        ("low", "^orders", "1", "queues"),
        ("high", "new$", "5", "all"),
        ("other", "^amq", "9", "exchanges"),
        ("nowhere", "^nothing$", "9", "all"),
    ):
        await asker.do("set_policy", name, pattern, '{"alternate-exchange": "x"}', priority=priority, apply_to=apply_to)
    found = await asker.rows("list_policies_that_match", "orders.new")
    assert [row[1] for row in found] == ["high", "low"], "the one in effect first"
    assert found[1] == ["/", "low", "^orders", "queues", '{"alternate-exchange":"x"}', 1]
    assert asker.server.broker.vhosts["/"].queues["orders.new"].policy == "high"
    (exchange,) = await asker.rows("list_policies_that_match", "amq.topic", object_type="exchange")
    assert exchange[1] == "other"
    assert (await asker.refused("list_policies_that_match", "none"))[0] == 65
    assert (await asker.refused("list_policies_that_match", "none", object_type="exchange"))[0] == 65
    assert (await asker.refused("list_policies_that_match", "q", object_type="user"))[0] == 65


async def test_attempts_to_log_in(asker: Asker) -> None:
    attempts = asker.server.broker.login_attempts
    before = await asker.rows("list_node_auth_attempt_stats")
    assert before == []
    source = Source(protocol="amqp091", peer_host="10.0.0.7", user="alice")
    attempts.count(source, succeeded=False)
    assert await asker.rows("list_node_auth_attempt_stats", by_source=True) == [], "only where it is counted"
    attempts.tracks_sources = True
    attempts.count(source, succeeded=True)
    assert await asker.rows("list_node_auth_attempt_stats") == [["amqp091", 2, 1, 1]]
    assert await asker.rows("list_node_auth_attempt_stats", by_source=True) == [
        ["10.0.0.7", "alice", "amqp091", 1, 0, 1]
    ]
    await asker.do("reset_node_auth_attempt_metrics")
    assert await asker.rows("list_node_auth_attempt_stats") == []


async def test_certificates(asker: Asker) -> None:
    assert await asker.do("certificates") == "No listener uses TLS"
    soon = datetime.fromtimestamp(asker.server.broker.now_ms / 1000, UTC) + timedelta(days=20)
    asker.server.certificates = {"server.pem": soon}
    assert (await value(asker, "certificates"))["certificates"] == {"server.pem": soon.isoformat()}
    code, text = await asker.refused("check_certificate_expiration")
    assert (code, text) == (70, f"certificates expire: server.pem on {soon:%Y-%m-%d}")
    assert (await value(asker, "check_certificate_expiration", within="2"))["result"] == "ok"
    assert (await asker.refused("check_certificate_expiration", within="1", unit="months"))[0] == 70
    for options in ({"within": "x"}, {"within": "12345"}, {"unit": "moons"}, {"within": "-1"}):
        assert (await asker.refused("check_certificate_expiration", **options))[0] == 65


async def test_what_tls_takes(asker: Asker) -> None:
    assert (await value(asker, "tls_versions"))["versions"] == ["tlsv1.3", "tlsv1.2"]
    suites = await value(asker, "cipher_suites")
    assert {"TLS_AES_256_GCM_SHA384", "ECDHE-RSA-AES128-GCM-SHA256"} <= set(suites)
    assert "AES128-SHA" not in suites


async def test_the_log(asker: Asker) -> None:
    logger = logging.getLogger(LOGGER_NAME)
    with logs.put_back():
        for level, number in (("debug", 10), ("error", 40), ("none", 60)):
            await asker.do("set_log_level", level)
            assert logger.level == number
        assert (await asker.refused("set_log_level", "loud"))[0] == 65
        assert logger.level == 60
    assert (await value(asker, "log_location"))["paths"] == ["<standard error>"]


async def test_a_hash_logs_in(asker: Asker) -> None:
    found = (await value(asker, "hash_password", "pässword"))["value"]
    decoded = base64.b64decode(found)
    assert decoded[4:] == hashlib.sha256(decoded[:4] + "pässword".encode()).digest()
    asker.server.broker.users.add_user_hash("hashed", found, "rabbit_password_hashing_sha256", ())
    operations.users.check_password(asker.server.broker, "hashed", "pässword")


async def test_permissions_everywhere(asker: Asker) -> None:
    await asker.do("add_user", "alice", "secret")
    await asker.do("set_permissions_globally", "alice", "", ".*", "^q")
    assert sorted(await asker.rows("list_user_permissions", "alice")) == [
        ["/", "", ".*", "^q"],
        ["other", "", ".*", "^q"],
    ]
    assert (await asker.refused("set_permissions_globally", "nobody", "", "", ""))[0] == 67
    assert (await asker.refused("set_permissions_globally", "alice", "(", "", ""))[0] == 70


async def test_virtual_hosts_are_tagged_and_protected(asker: Asker) -> None:
    await asker.do("set_vhost_tags", "other", "a,b", "c")
    assert [row for row in await asker.rows("list_vhosts", "name", "tags") if row[0] == "other"] == [
        ["other", ["a", "b", "c"]]
    ]
    await asker.do("set_vhost_tags", "other")
    await asker.do("enable_vhost_deletion_protection", "other")
    with pytest.raises(PreconditionFailed, match="protected from deletion"):
        operations.vhosts.delete(asker.server.broker, "other")
    assert (await asker.refused("delete_vhost", "other"))[0] == 70
    await asker.do("disable_vhost_deletion_protection", "other")
    await asker.do("delete_vhost", "other")
    for word in ("set_vhost_tags", "enable_vhost_deletion_protection", "disable_vhost_deletion_protection"):
        assert (await asker.refused(word, "none"))[0] == 65


async def test_formalities(asker: Asker) -> None:
    assert await asker.rows("list_feature_flags") == []
    assert await asker.rows("list_deprecated_features", "name", used=True) == []
    assert await asker.rows("list_unresponsive_queues", "name", "type") == []
    for word in ("list_feature_flags", "list_deprecated_features", "list_unresponsive_queues"):
        assert (await asker.refused(word, "nonsense"))[0] == 64
    assert (await asker.refused("list_unresponsive_queues", vhost="none"))[0] == 65
    await asker.do("enable_feature_flag", "all")
    assert (await asker.refused("enable_feature_flag", "quorum_queue"))[0] == 65
    await asker.do("check_if_any_deprecated_features_are_used")
    assert "already running" in await asker.do("restart_vhost", "other")
    assert (await asker.refused("restart_vhost", "none"))[0] == 65
    await asker.do("node_health_check")
    asker.server.broker.alarms.set("memory", True)
    assert (await asker.refused("node_health_check"))[0] == 70
    assert (await value(asker, "alarms"))["alarms"][0]["resource"] == "memory"
    assert await asker.do("alarms") == "memory"


async def test_policies_that_want_mirrors(asker: Asker) -> None:
    await asker.do("check_if_cluster_has_classic_queue_mirroring_policy")
    await asker.do("set_policy", "mirrors", ".*", '{"ha-mode": "all"}', vhost="other")
    code, text = await asker.refused("check_if_cluster_has_classic_queue_mirroring_policy")
    assert (code, "'mirrors' in vhost 'other'" in text) == (70, True)


async def test_names_are_resolved(asker: Asker) -> None:
    assert "127.0.0.1" in (await value(asker, "resolve_hostname", "localhost"))["addresses"]
    assert await value(asker, "resolve_hostname", "127.0.0.1", address_family="IPv4") == {
        "result": "ok",
        "addresses": ["127.0.0.1"],
    }
    assert (await asker.refused("resolve_hostname", "127.0.0.1", address_family="IPv6"))[0] == 70
    assert (await asker.refused("resolve_hostname", "localhost", address_family="IPX"))[0] == 65
    assert (await asker.refused("resolve_hostname", "a" * 300))[0] == 70
    assert socket.has_ipv6 in (True, False)


async def test_a_report_has_everything_but_secrets(asker: Asker) -> None:
    asker.server.fill_queue("orders", 1)
    await asker.do("set_global_parameter", "token", '"hush"')
    found = await value(asker, "report")
    assert found["queues of vhost /"] == [{"name": "orders", "messages": 1}]
    assert found["users"] == [{"user": "guest", "tags": ["administrator"]}]
    assert {"status", "cluster_status", "environment", "memory_breakdown", "list_plugins"} <= set(found)
    text = await asker.do("report")
    assert "queues of vhost /:\n" in text
    assert "(none)" in text
    assert "swordfish" not in text
    assert "hush" not in text


async def test_wiping_by_force_is_as_careful(asker: Asker, tmp_path: Path) -> None:
    before = asker.server.broker
    assert (await asker.refused("force_reset"))[0] == 70
    await asker.do("stop_app")
    await asker.do("force_reset")
    assert asker.server.broker is not before


async def test_a_shutdown_is_a_stop(asker: Asker) -> None:
    await asker.do("shutdown", no_wait=True)
    assert asker.control.stop_requested is True


async def test_sizes_of_messages(asker: Asker) -> None:
    assert [row["messages"] for row in await rows_of(asker, "message_size_stats")] == [0] * 9
    sizes = asker.server.broker.message_sizes
    for protocol, size in (("AMQP 0-9-1", 100), ("MQTT 5-0", 5), ("STOMP 1.2", 101), ("STOMP 1.2", 10**9)):
        sizes.of(protocol).add(size)
    rows = await rows_of(asker, "message_size_stats")
    assert rows[0] == {"bytes": "0-100", "messages": 2, "percent": 50.0}
    assert rows[1] == {"bytes": "101-1000", "messages": 1, "percent": 25.0}
    assert rows[8] == {"bytes": "100000001 or more", "messages": 1, "percent": 25.0}
    assert sum(row["messages"] for row in rows) == 4


async def test_queues_by_whether_they_are_served(asker: Asker) -> None:
    broker = asker.server.broker
    for name in ("here", "gone"):
        operations.queues.declare(broker, "/", name)
    vhost = broker.vhosts["/"]
    vhost.queues["gone"] = Unavailable(vhost, "gone", arguments={"x-queue-type": "missing"})

    async def names(**options: bool) -> list[object]:
        return [row["name"] for row in await rows_of(asker, "list_queues", "name", **options)]

    assert await names(online=True) == ["here"]
    assert await names(offline=True) == ["gone"]
    for options in ({}, {"local": True}, {"online": True, "offline": True}):
        assert sorted(map(str, await names(**options))) == ["gone", "here"]


async def test_definitions_that_were_imported_last_are_left_out(asker: Asker) -> None:
    broker = asker.server.broker
    document = b'{"queues": [{"name": "q", "vhost": "/", "durable": true, "auto_delete": false, "arguments": {}}]}'

    async def imported(content: bytes, **options: object) -> Any:
        return await asker.ask("import_definitions", content=content, skip_if_unchanged=True, **options)

    assert "value" in await imported(document)
    operations.queues.delete(broker, "/", "q")
    assert "left as they are" in (await imported(document))["text"]
    assert "q" not in broker.vhosts["/"].queues
    assert "value" in await imported(document + b" "), "another document"
    assert "q" in broker.vhosts["/"].queues
    operations.queues.delete(broker, "/", "q")
    assert "value" in await asker.ask("import_definitions", content=document + b" "), "it wasn't asked to look"
    assert "q" in broker.vhosts["/"].queues
