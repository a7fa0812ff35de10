"""What the pages say, of a broker with something in it."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from tests.plugins.metrics.scrape import Page, open_metrics
from warren.core.administration import operations
from warren.core.clients.login_attempts import Source
from warren.gateway.plugin import BrokerClient
from warren.plugins.metrics.groups import CLUSTER_GROUPS, GROUPS, NOT_HERE

ODD = 'a "queue"\\ in\ntwo lines, ä and \u2603'
"""A name that has to be escaped; queues' names lose line feeds."""


async def fill(client: BrokerClient, name: str = "q") -> None:
    """Three messages, of which one is acknowledged and one is out."""
    await client.declare_queue(name)
    for body in (b"1", b"22", b"333"):
        await client.publish("", name, body)
    first = await client.get(name)
    assert first is not None
    first.ack()
    assert await client.get(name) is not None
    assert await client.get(name) is not None


async def test_an_empty_broker_has_noughts_and_says_who_it_is() -> None:
    async with open_metrics(cluster_name="north") as metrics:
        page = await metrics.page()
        for name in ("connections", "channels", "queues", "consumers", "queue_messages_ready", "queue_messages"):
            assert page.value(f"rabbitmq_{name}") == 0, name
        (identity,) = page.labels("rabbitmq_identity_info")
        assert identity["rabbitmq_cluster"] == "north"
        assert identity["rabbitmq_node"].startswith("warren@")
        assert identity["rabbitmq_endpoint"] == "aggregated"
        library = version("prometheus-client")
        assert page.value("rabbitmq_build_info", product_name="Warren", prometheus_client_version=library) == 1
        assert page.value("rabbitmq_process_open_fds") > 0
        assert page.value("process_cpu_seconds_total") > 0
        assert page.value("python_info", implementation="CPython") == 1


async def test_messages_are_counted() -> None:
    async with open_metrics() as metrics, metrics.embedded.connect() as client:
        await fill(client)
        page = await metrics.page()
        found = {
            name: page.value(f"rabbitmq_{name}")
            for name in (
                "queue_messages_ready",
                "queue_messages_unacked",
                "queue_messages_published_total",
                "queue_get_ack_total",
                "queue_messages_acked_total",
                "channel_messages_published_total",
                "channel_messages_confirmed_total",
                "channel_get_ack_total",
                "queues_created_total",
                "connections_opened_total",
            )
        }
        assert found == {
            "queue_messages_ready": 0,
            "queue_messages_unacked": 2,
            "queue_messages_published_total": 3,
            "queue_get_ack_total": 3,
            "queue_messages_acked_total": 1,
            "channel_messages_published_total": 3,
            "channel_messages_confirmed_total": 3,
            "channel_get_ack_total": 3,
            "queues_created_total": 1,
            "connections_opened_total": 1,
        }
        assert page.value("rabbitmq_global_messages_received_total", protocol="direct091") == 3
        polled = "rabbitmq_global_messages_delivered_get_manual_ack_total"
        assert page.value(polled, protocol="direct091", queue_type="rabbit_classic_queue") == 3
        assert page.value("rabbitmq_global_publishers", protocol="direct091") == 1


async def test_what_is_given_is_by_queue_type_also_of_what_is_gone() -> None:
    async with open_metrics() as metrics:
        async with metrics.embedded.connect() as client:
            await fill(client)
            await client.declare_queue("sure", durable=True, arguments={"x-queue-type": "quorum"})
            await client.publish("", "sure", b"x")
            message = await client.get("sure")
            assert message is not None
            message.ack()
            assert await client.get("sure") is None
            before = await metrics.page()
        after = await metrics.page()

        def found(page: Page, name: str) -> dict[str, float]:
            name = f"rabbitmq_global_messages_{name}_total"
            return {each["queue_type"]: page.value(name, **each) for each in page.labels(name)}

        classic, quorum, stream = "rabbit_classic_queue", "rabbit_quorum_queue", "rabbit_stream_queue"
        for page in (before, after):
            assert found(page, "delivered_get_manual_ack") == {classic: 3, quorum: 1, stream: 0}
            assert found(page, "delivered") == {classic: 3, quorum: 1, stream: 0}
            assert found(page, "acknowledged") == {classic: 1, quorum: 1, stream: 0}
            assert found(page, "get_empty") == {classic: 0, quorum: 1, stream: 0}
            assert found(page, "redelivered") == {classic: 0, quorum: 0, stream: 0}


async def test_dead_letters_are_by_queue_type_and_strategy() -> None:
    async with open_metrics() as metrics, metrics.embedded.connect() as client:
        dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
        await client.declare_queue("dead")
        await client.declare_queue("full", arguments={"x-max-length": 1, **dead})
        quorum = {"x-queue-type": "quorum", "x-overflow": "reject-publish", "x-dead-letter-strategy": "at-least-once"}
        await client.declare_queue("sure", durable=True, arguments={**quorum, **dead})
        for _ in range(3):
            await client.publish("", "full", b"x")
        await client.publish("", "sure", b"x")
        message = await client.get("sure")
        assert message is not None
        message.nack(requeue=False)
        await metrics.page()
        page = await metrics.page()

        def found(reason: str) -> dict[tuple[str, str], float]:
            name = f"rabbitmq_global_messages_dead_lettered_{reason}_total"
            series = page.labels(name)
            return {(each["queue_type"], each["dead_letter_strategy"]): page.value(name, **each) for each in series}

        classic, lossy = ("rabbit_classic_queue", "at_most_once"), ("rabbit_quorum_queue", "at_most_once")
        sure = ("rabbit_quorum_queue", "at_least_once")
        assert found("maxlen") == {classic: 2, lossy: 0, sure: 0}
        assert found("rejected") == {classic: 0, lossy: 0, sure: 1}
        assert found("expired") == {classic: 0, lossy: 0, sure: 0}
        assert found("confirmed") == {sure: 1}


async def test_counters_stay_when_what_they_counted_goes() -> None:
    async with open_metrics() as metrics:
        async with metrics.embedded.connect() as client:
            await fill(client)
        before = await metrics.page()
        async with metrics.embedded.connect() as client:
            await client.delete_queue("q")
        operations.vhosts.add(metrics.broker, "other")
        async with metrics.embedded.connect(vhost="other") as client:
            await fill(client)
        between = await metrics.page()
        operations.vhosts.delete(metrics.broker, "other")
        after = await metrics.page()
        for earlier, later in ((before, between), (between, after)):
            for (name, labels), value in earlier.values.items():
                if name.endswith("_total") and not name.startswith("python_"):
                    assert later.values.get((name, labels), -1) >= value, name
        assert after.value("rabbitmq_queue_messages_published_total") == 6
        assert after.value("rabbitmq_channel_messages_published_total") == 6
        assert after.value("rabbitmq_connections_closed_total") == 3
        assert after.value("rabbitmq_queue_messages_unacked") == 0


async def test_each_object_has_its_series_and_they_end_with_it() -> None:
    async with open_metrics() as metrics, metrics.embedded.connect(name="reader") as client:
        await fill(client)
        await client.declare_queue(ODD)
        name = ODD.replace("\n", "")
        page = await metrics.page("/metrics/per-object")
        assert page.value("rabbitmq_queue_messages_unacked", queue="q", vhost="/") == 2
        assert page.value("rabbitmq_queue_messages_ready", queue=name) == 0
        assert page.value("rabbitmq_queue_get_ack_total", queue="q") == 3
        (channel,) = page.labels("rabbitmq_channel_messages_unacked")
        assert page.value("rabbitmq_channel_messages_published_total", channel=channel["channel"]) == 3
        (connection,) = page.labels("rabbitmq_connection_channels")
        assert connection["vhost"] == "/"
        assert page.value("rabbitmq_exchange_messages_published_total", exchange="", vhost="/") == 3
        await client.delete_queue(ODD)
        await client.delete_queue("q")
        assert not (await metrics.page("/metrics/per-object")).labels("rabbitmq_queue_messages_ready")


async def test_both_pages_have_the_same_families_but_for_labels() -> None:
    async with open_metrics() as metrics, metrics.embedded.connect() as client:
        await fill(client)
        metrics.broker.login_attempts.count(Source("mqtt", "10.0.0.1", "ann"), succeeded=True)
        summed, each = await metrics.page(), await metrics.page("/metrics/per-object")
        assert {name for name in summed.kinds if name.startswith("rabbitmq_")} <= set(each.kinds)
        for name, kind in summed.kinds.items():
            assert each.kinds.get(name, kind) == kind, name


async def test_metrics_may_be_of_each_object_at_once() -> None:
    async with open_metrics(metrics_return_per_object_metrics=True) as metrics, metrics.embedded.connect() as client:
        await fill(client)
        page = await metrics.page()
        assert page.value("rabbitmq_queue_messages_unacked", queue="q", vhost="/") == 2


@pytest.mark.parametrize("name", [group.name for group in (*GROUPS, *CLUSTER_GROUPS)])
async def test_families_are_shown_when_they_are_asked_for(name: str) -> None:
    async with open_metrics("mqtt=127.0.0.1:0") as metrics, metrics.embedded.connect() as client:
        await fill(client)
        page = await metrics.page(f"/metrics/detailed?family={name}")
        (group,) = [each for each in (*GROUPS, *CLUSTER_GROUPS) if each.name == name]
        shown = {each for each in page.names if not each.startswith(("rabbitmq_identity", "rabbitmq_build"))}
        assert shown, "there is nothing in it"
        wanted = {measure.name for measure in group.measures}
        assert {each.removeprefix("rabbitmq_").split("_", 1)[1] for each in shown} <= wanted
        labels = {label for label, _ in group.labels}
        for each in shown:
            for found in page.labels(each):
                assert set(found) == labels, each


async def test_what_is_asked_for_can_be_narrowed() -> None:
    async with open_metrics() as metrics:
        for vhost in ("one", "two"):
            operations.vhosts.add(metrics.broker, vhost)
            async with metrics.embedded.connect(vhost=vhost) as client:
                await client.declare_queue("a")
                await client.declare_queue("b")
        for asked, wanted in {
            "vhost=one": {("one", "a"), ("one", "b")},
            "vhost=one&vhost=two": {("one", "a"), ("one", "b"), ("two", "a"), ("two", "b")},
            "vhost=none": set(),
            "queue=%5Eb": {("one", "b"), ("two", "b")},
            "vhost=two&queue=a": {("two", "a")},
        }.items():
            page = await metrics.page(f"/metrics/detailed?family=queue_coarse_metrics&{asked}")
            found = {(each["vhost"], each["queue"]) for each in page.labels("rabbitmq_detailed_queue_messages")}
            assert found == wanted, asked


@pytest.mark.parametrize("name", sorted(NOT_HERE))
async def test_families_that_nothing_corresponds_to_are_empty(name: str) -> None:
    async with open_metrics() as metrics:
        page = await metrics.page(f"/metrics/detailed?family={name}")
        assert page.names == {"rabbitmq_build_info", "rabbitmq_identity_info"}


async def test_the_memory_adds_up() -> None:
    async with open_metrics() as metrics, metrics.embedded.connect() as client:
        await client.declare_queue("q")
        await client.publish("", "q", bytes(100_000))
        page = await metrics.page("/metrics/memory-breakdown")
        parts = {name: value for (name, _), value in page.values.items() if "memory" in name}
        assert parts["rabbitmq_memory_classic_queue_erlang_process_bytes"] >= 100_000
        assert parts["rabbitmq_memory_other_system_bytes"] > 1_000_000


async def test_alarms_show() -> None:
    async with open_metrics() as metrics:
        metrics.broker.alarms.set("memory", True, source="test")
        assert (await metrics.page()).value("rabbitmq_alarms_memory_used_watermark") == 1
        metrics.broker.alarms.set("memory", False, source="test")
        assert (await metrics.page()).value("rabbitmq_alarms_memory_used_watermark") == 0


async def test_what_limits_did_shows() -> None:
    async with open_metrics() as metrics:
        metrics.broker.limit_hits.count("queue_limit", 3)
        assert (await metrics.page()).value("warren_limit_hits_total", limit="queue_limit") == 3


async def test_who_the_broker_is_stays() -> None:
    async with open_metrics() as metrics:
        first = (await metrics.page()).labels("rabbitmq_identity_info")
        again = (await metrics.page("/metrics/per-object")).labels("rabbitmq_identity_info")
        assert first[0]["rabbitmq_cluster_permanent_id"] == again[0]["rabbitmq_cluster_permanent_id"]
        assert metrics.broker.parameters.get_global("internal_cluster_id") == first[0]["rabbitmq_cluster_permanent_id"]


def test_families_have_names_of_their_own() -> None:
    names = [group.name for group in (*GROUPS, *CLUSTER_GROUPS)]
    assert len(names) == len(set(names))
    assert not set(names) & NOT_HERE


async def test_logins() -> None:
    async with open_metrics(track_auth_attempt_source=True) as metrics:
        attempts = metrics.broker.login_attempts
        for user, succeeded in (("ann", True), ("ann", True), (ODD, False)):
            attempts.count(Source("mqtt", "10.0.0.1", user), succeeded=succeeded)
        attempts.count(Source("stomp", "10.0.0.2", "ann"), succeeded=False)
        for path in ("/metrics", "/metrics/per-object"):
            page = await metrics.page(path)
            parts = ("", "_succeeded", "_failed")
            found = [page.value(f"rabbitmq_auth_attempts{part}_total", protocol="mqtt") for part in parts]
            assert found == [3, 2, 1]
            assert page.value("rabbitmq_auth_attempts_failed_total", protocol="stomp") == 1
        each = await metrics.page("/metrics/per-object")
        assert each.value("rabbitmq_auth_attempts_detailed_total", username="ann", protocol="mqtt") == 2
        page = await metrics.page("/metrics/detailed?family=auth_attempt_detailed_metrics&family=auth_attempt_metrics")
        failed = "rabbitmq_detailed_auth_attempts_detailed_failed_total"
        assert page.value(failed, username=ODD, remote_address="10.0.0.1") == 1
        assert page.value("rabbitmq_detailed_auth_attempts_succeeded_total", protocol="stomp") == 0
        attempts.forget()
        assert (await metrics.page()).value("rabbitmq_auth_attempts_total", protocol="mqtt") == 3, (
            "a counter never goes back"
        )
