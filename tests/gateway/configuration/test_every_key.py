"""Every configuration key is set to something else than its default, and seen where it acts in a running broker.

`OTHER` says for each key what is written in warren.toml and what its field of the settings is then.  A new key fails
`test_every_key_is_here` until it stands there, and `test_every_section_is_looked_at` until somebody says which object
of a running broker holds its settings.

Longer than 400 lines because it is one table.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.core.access.listed import list_permissions
from tests.gateway.plugins.samples import TABLE, Second
from tests.support import logs
from tests.support.certificates import TestAuthority
from tests.support.warren_process import warren_process
from warren.adapters.amqp091.connection import Connection
from warren.adapters.amqp091.settings import Amqp091Settings
from warren.adapters.amqp10.connection import Connection as Amqp10Connection
from warren.adapters.amqp10.settings import Amqp10Settings
from warren.adapters.mqtt.connection import MqttConnection
from warren.adapters.mqtt.sessions.place import world_of
from warren.adapters.mqtt.sessions.settings import QueueLimits, SessionSettings
from warren.adapters.mqtt.settings import MqttSettings
from warren.adapters.stomp.session import StompSession
from warren.adapters.stomp.settings import StompSettings
from warren.adapters.stream.session import StreamSession
from warren.adapters.stream.settings import StreamProtocolSettings
from warren.adapters.streams.settings import StreamSettings
from warren.adapters.websocket.http_stage import HttpStage
from warren.adapters.websocket.settings import WebSocketSettings
from warren.core.clients.limits import BrokerLimits
from warren.core.clients.transport import Session
from warren.core.configuration.key import keys_of
from warren.core.configuration.values import CertificateFiles, Watermark
from warren.core.settings import BrokerSettings
from warren.core.storage.memory import MemoryEngine
from warren.gateway import open_broker
from warren.gateway.authentication.settings.chain import AuthenticationSettings, StepNames
from warren.gateway.authentication.settings.http import HttpBackEndSettings
from warren.gateway.authentication.settings.oauth2 import OAuth2Settings
from warren.gateway.cluster.connecting import options_of
from warren.gateway.cluster.errors import ClusterRefusedError
from warren.gateway.cluster.node import ClusterNode
from warren.gateway.cluster.settings import ClusterSettings, LinkSettings
from warren.gateway.cluster.starting import joined_to
from warren.gateway.configuration.catalogue import KEYS, sections
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.load import describe, load_config
from warren.gateway.configuration.plugins import PluginSettings
from warren.gateway.network.addresses import Listener
from warren.gateway.network.settings import NetworkSettings
from warren.gateway.process.limits import ResourceLimits
from warren.gateway.process.log import configure_logging
from warren.gateway.process.resources import watch_resources
from warren.gateway.process.runner import BrokerRun
from warren.gateway.process.settings import FirstStartSettings, ProcessSettings, ResourceSettings
from warren.gateway.process.slow_disk import SlowDisk
from warren.gateway.server import Server, open_server
from warren.gateway.tls.settings import TlsSettings
from warren.gateway.tls.stage import TlsStage
from warren.plugins import registry

TIME_LIMIT_S = 60.0

LISTEN = tuple(f"{name}=127.0.0.1:0" for name in ("amqp", "amqp10", "stomp", "mqtt", "stream", "ws", "amqps", "auto"))

ADDED = "mqtts"
"""A listener that isn't among those."""

SAME = object()
"""The field is what is written."""

OTHER: Mapping[str, tuple[object, object]] = {
    # ProcessSettings: in_memory has a test of its own, a broker that keeps nothing has no data directory
    "data_directory": ("data", SAME),
    "in_memory": (False, SAME),
    "ready_file": ("ready.json", SAME),
    "log_level": ("debug", SAME),
    "log_format": ("json", SAME),
    # NetworkSettings
    "listen": (list(LISTEN), SAME),
    "listen_by_protocol": ([f"{ADDED}=127.0.0.1:0"], (Listener("mqtt", "127.0.0.1", 0, tls=True),)),
    "handshake_timeout_s": (7.5, 7500),
    # ResourceSettings
    "memory_high_watermark": (0.0, Watermark(relative=0.0)),
    "disk_free_limit_bytes": (2**62, SAME),
    # FirstStartSettings
    "default_user": ("owner", SAME),
    "default_pass": ("owner's", SAME),
    "default_vhost": ("plant", SAME),
    "default_user_tags": (["monitoring"], frozenset({"monitoring"})),
    "default_permissions_configure": ("^c", SAME),
    "default_permissions_write": ("^w", SAME),
    "default_permissions_read": ("^r", SAME),
    "load_definitions": ("definitions.json", SAME),
    "definitions_skip_if_unchanged": (True, SAME),
    # BrokerSettings
    "loopback_users": (["owner", "other"], frozenset({"owner", "other"})),
    "refused_login_delay_s": (0.25, 250),
    "refused_logins_max": (17, SAME),
    "failed_logins_per_minute_max": (18, SAME),
    "unauthenticated_connections_max": (19, SAME),
    "track_auth_attempt_source": (True, SAME),
    "default_queue_type": ("quorum", SAME),
    "consumer_timeout_ms": (123_456, SAME),
    "continue_client_deaths": (False, SAME),
    "delivery_limit_counts": ("failures", SAME),
    "backlog_bytes_max": ("1MiB", 2**20),
    # BrokerLimits
    "connection_max": (101, SAME),
    "channel_max_per_node": (102, SAME),
    "cluster_queue_limit": (103, SAME),
    "cluster_exchange_limit": (104, SAME),
    "vhost_max": (105, SAME),
    "consumer_max_per_channel": (106, SAME),
    # TlsSettings
    "tls_certificate_file": ("server.pem", SAME),
    "tls_key_file": ("server.key", SAME),
    "tls_key_password": ("of the key", SAME),
    "tls_server_name_certificates": (["other.pem:other.key"], SAME),
    "tls_ca_file": ("ca.pem", SAME),
    "tls_verify": ("optional", SAME),
    "tls_ciphers": (["ECDHE-RSA-AES128-GCM-SHA256"], ("ECDHE-RSA-AES128-GCM-SHA256",)),
    "tls_versions": (["1.3"], frozenset({"1.3"})),
    "tls_handshake_timeout_s": (4.5, 4500),
    "tls_certificate_login_from": ("subject_alternative_name", SAME),
    "tls_certificate_login_san_type": ("email", SAME),
    "tls_certificate_login_san_index": (2, SAME),
    # AuthenticationSettings
    "auth_backends": (
        ["http", "oauth2/internal+http"],
        (StepNames("http", ("http",)), StepNames("oauth2", ("internal", "http"))),
    ),
    "auth_cache_ttl_s": (20.5, 20_500),
    "auth_cache_size_max": (1007, SAME),
    "auth_cache_refusals": (True, SAME),
    # HttpBackEndSettings
    "auth_http_method": ("post", SAME),
    "auth_http_user_path": ("http://127.0.0.1:1/user", SAME),
    "auth_http_vhost_path": ("http://127.0.0.1:1/vhost", SAME),
    "auth_http_resource_path": ("http://127.0.0.1:1/resource", SAME),
    "auth_http_topic_path": ("http://127.0.0.1:1/topic", SAME),
    "auth_http_request_timeout_s": (2.5, SAME),
    "auth_http_connection_timeout_s": (3.5, SAME),
    "auth_http_connections_max": (5, SAME),
    "auth_http_ca_file": ("ca.pem", SAME),
    "auth_http_certificate_file": ("server.pem", SAME),
    "auth_http_key_file": ("server.key", SAME),
    "auth_http_tls_verify": ("verify_none", SAME),
    # OAuth2Settings
    "auth_oauth2_resource_server_id": ("burrow", SAME),
    "auth_oauth2_scope_prefix": ("", SAME),
    "auth_oauth2_scope_aliases": (["reader=read:*/*"], (("reader", "read:*/*"),)),
    "auth_oauth2_additional_scopes_key": ("roles", SAME),
    "auth_oauth2_verify_aud": (False, SAME),
    "auth_oauth2_preferred_username_claims": (["email"], ("email",)),
    "auth_oauth2_require_exp": (False, SAME),
    "auth_oauth2_issuer": ("https://issuer.example", SAME),
    "auth_oauth2_signing_keys": (["one=server.pem"], SAME),
    "auth_oauth2_default_key": ("one", SAME),
    "auth_oauth2_jwks_url": ("http://127.0.0.1:1/keys", SAME),
    "auth_oauth2_algorithms": (["ES256"], ("ES256",)),
    "auth_oauth2_ca_file": ("ca.pem", SAME),
    "auth_oauth2_tls_verify": ("verify_none", SAME),
    # PluginSettings
    "plugins": (["second"], ("second",)),
    # Several protocols, and every link
    "unread_timeout_s": (45.5, 45_500),
    # Amqp091Settings
    "heartbeat_s": (31, SAME),
    "amqp_auth_mechanisms": (["PLAIN"], frozenset({"PLAIN"})),
    "frame_max": (65_536, SAME),
    "channel_max": (99, SAME),
    "default_consumer_prefetch": (12, SAME),
    "cluster_name": ("burrow", SAME),
    "max_message_bytes": ("1MB", 1_000_000),
    "product": ("Rabbit", SAME),
    "product_version": ("3.12.0", SAME),
    # Amqp10Settings
    "amqp10_idle_timeout_s": (7.5, 7500),
    "amqp10_frame_max": ("64KiB", 65_536),
    "amqp10_sessions_max": (5, SAME),
    "amqp10_links_max": (6, SAME),
    "amqp10_link_credit": (17, SAME),
    "amqp10_default_vhost": ("burrows", SAME),
    "amqp10_addresses_v1": (False, SAME),
    "amqp10_anonymous_user": ("nobody", SAME),
    "amqp10_product_version": ("4.0.5", SAME),
    # StreamProtocolSettings
    "stream_frame_max": ("2MiB", 2**21),
    "stream_initial_frame_max": ("64KiB", 65_536),
    "stream_heartbeat_offered_s": (45, SAME),
    "stream_advertised_host": ("streams.example", SAME),
    "stream_advertised_port": (5553, SAME),
    "stream_advertised_tls_port": (5554, SAME),
    # StompSettings
    "stomp_friendly": (True, SAME),
    "stomp_default_user": ("walker", SAME),
    "stomp_default_pass": ("walker's", SAME),
    "stomp_default_vhost": ("walks", SAME),
    "stomp_default_topic_exchange": ("topics", SAME),
    "stomp_default_nack_requeue": (False, SAME),
    "stomp_implicit_connect": (True, SAME),
    "stomp_certificate_login": (True, SAME),
    "stomp_hide_server_info": (True, SAME),
    "stomp_login_timeout_s": (6.5, 6500),
    "stomp_max_frame_bytes": ("64KiB", 65_536),
    "stomp_transaction_receipts": ("frame", False),
    "stomp_bare_errors": (True, SAME),
    "stomp_trailing_lf": (False, SAME),
    "websocket_stomp_frame": ("binary", False),
    # MqttSettings
    "mqtt_allow_anonymous": (False, SAME),
    "mqtt_certificate_login": (True, SAME),
    "mqtt_default_user": ("sensor", SAME),
    "mqtt_default_pass": ("sensor's", SAME),
    "mqtt_default_vhost": ("sensors", SAME),
    "mqtt_login_timeout_s": (5.5, 5500),
    "mqtt_ignore_colons_in_username": (True, SAME),
    "mqtt_max_packet_bytes": ("32KiB", 32_768),
    "mqtt_max_session_expiry_s": (3601, SAME),
    "mqtt_max_keep_alive_s": (61, SAME),
    "mqtt_receive_maximum": (21, SAME),
    "mqtt_prefetch": (22, SAME),
    "mqtt_topic_alias_maximum": (23, SAME),
    "mqtt_disconnect_on_unauthorized": (False, SAME),
    "mqtt_hide_refusals": (True, SAME),
    # SessionSettings and QueueLimits
    "mqtt_exchange": ("devices", SAME),
    "mqtt_sparkplug": (True, SAME),
    "mqtt_shared_subscription_strategy": ("sticky", SAME),
    "mqtt_max_queued_messages": (1001, SAME),
    "mqtt_max_queued_qos_0_messages": (1002, SAME),
    "mqtt_max_queued_qos_0_bytes": (1_000_003, SAME),
    "mqtt_max_deep_filter_levels": (1005, SAME),
    "mqtt_refusals_per_minute_max": (1006, SAME),
    "mqtt_max_retained_messages": (1003, SAME),
    "mqtt_max_retained_bytes": (1_000_004, SAME),
    # WebSocketSettings
    "websocket_idle_timeout_s": (50.5, 50_500),
    "websocket_compress": (False, SAME),
    "websocket_allow_origins": (["https://a.example"], frozenset({"https://a.example"})),
    "websocket_use_http_auth": (True, SAME),
    "websocket_trusted_proxies": (["10.0.0.0/8"], (ip_network("10.0.0.0/8"),)),
    # ClusterSettings
    "cluster": ("nats://127.0.0.1:1,127.0.0.1:2", SAME),
    "node_name": ("n1", SAME),
    "cluster_import": (True, SAME),
    "cluster_shards": (5, SAME),
    "cluster_replicas": (5, SAME),
    "cluster_credentials": ("node.creds", SAME),
    "cluster_cacertfile": ("ca.pem", SAME),
    "cluster_certfile": ("server.pem", SAME),
    "cluster_keyfile": ("server.key", SAME),
    # LinkSettings
    "cluster_link": ("127.0.0.1:0", SAME),
    "cluster_link_advertised": ("a.example:25672", SAME),
    "cluster_secret_file": ("secret", SAME),
    "cluster_link_tls": (True, SAME),
    "cluster_link_cacertfile": ("ca.pem", SAME),
    # StreamSettings
    "http_host_names": (["broker.example"], frozenset({"broker.example"})),
}

PATHS = (
    *("data_directory", "ready_file", "load_definitions", "tls_certificate_file", "tls_key_file", "tls_ca_file"),
    *("auth_http_ca_file", "auth_http_certificate_file", "auth_http_key_file", "auth_oauth2_ca_file"),
    *("cluster_credentials", "cluster_cacertfile", "cluster_certfile", "cluster_keyfile"),
    *("cluster_secret_file", "cluster_link_cacertfile"),
)
"""Written as names of files; they start at the file's directory."""

WITHOUT_DEFAULTS = ("load_definitions", "definitions_skip_if_unchanged", "cluster")
"""With these no default user and virtual host are made, or others are waited for: they have a broker of their own."""


def test_every_key_is_here() -> None:
    assert set(OTHER) == set(KEYS)


@pytest.mark.parametrize("name", [name for name in OTHER if name != "in_memory"])
def test_what_is_written_is_not_the_default(name: str) -> None:
    key = KEYS[name]
    assert key.parse(OTHER[name][0]) != key.default


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates, definitions, and warren.toml with every key but those of `WITHOUT_DEFAULTS`."""
    directory = tmp_path_factory.mktemp("broker")
    authority = TestAuthority(directory)
    authority.issue("server", "localhost", "127.0.0.1")
    authority.issue("other", "other.example")
    assert (directory / "ca.pem").exists()
    (directory / "definitions.json").write_text('{"vhosts": [{"name": "imported"}]}')
    _write(directory / "warren.toml", [name for name in OTHER if name not in WITHOUT_DEFAULTS])
    return directory


def _write(file: Path, names: list[str]) -> None:
    lines = [f"{name} = {json.dumps(OTHER[name][0])}\n" for name in names]
    file.write_text("".join(lines))


def _load(file: Path) -> Config:
    return load_config(config_file=file, environment={}, directory=file.parent.parent)


@pytest.fixture(autouse=True)
def sample_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BUILT_IN", TABLE)
    Second.started.clear()


def expected(directory: Path, name: str) -> object:
    """What the field is that the key sets."""
    written, found = OTHER[name]
    if name in PATHS:
        return directory / str(written)
    if name == "listen":
        protocols = {"amqps": "amqp", ADDED: "mqtt"}
        names = [*(str(each).partition("=")[0] for each in LISTEN), ADDED]
        return tuple(Listener(protocols.get(each, each), "127.0.0.1", 0, tls=each in protocols) for each in names)
    if name == "auth_oauth2_signing_keys":
        return (("one", directory / "server.pem"),)
    if name == "tls_server_name_certificates":
        return (CertificateFiles(directory / "other.pem", directory / "other.key"),)
    return written if found is SAME else found


def check(directory: Path, section: type[object], settings: object) -> None:
    """That each field which a key sets is what the file says; settings: an object that is in use."""
    names = [key.name for key in keys_of(section)]
    configured = [each.name for each in fields(cast("Any", section)) if each.metadata]
    assert len(names) == len(configured) > 0
    for name, field in zip(names, configured, strict=True):
        if name not in WITHOUT_DEFAULTS:
            assert getattr(settings, field) == expected(directory, name), name


@pytest.mark.parametrize("section", list(sections()), ids=lambda section: section.__name__)
def test_settings_are_made_of_the_file(directory: Path, section: type[object]) -> None:
    check(directory, section, _load(directory / "warren.toml").section(section))


LOOKED_AT: dict[type[object], str] = {}
"""The sections whose object in a running broker a test looks at, and the test."""


def looks_at(*sections: type[object]) -> Callable[[Any], Any]:
    """Marks a test."""

    def mark(test: Any) -> Any:
        LOOKED_AT.update(dict.fromkeys(sections, test.__name__))
        return test

    return mark


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[tuple[Server, BrokerRun]]:
    with trio.fail_after(TIME_LIMIT_S):
        async with open_server(config) as server:
            run = server._run
            assert run is not None
            yield server, run


async def sessions(run: BrokerRun, clients: AsyncExitStack) -> dict[str, Session]:
    """What a connection to each listener makes, by the listener's name; nothing is sent until `clients` end."""
    found: dict[str, Session] = {}
    for name, addresses in run.accepting.listening.items():
        before = set(run.hub.links)
        await clients.enter_async_context(await trio.open_tcp_stream(*addresses[0]))
        while not (new := run.hub.links - before):
            await trio.sleep(0)
        (link,) = new
        found[name] = link.session
    return found


@looks_at(
    Amqp091Settings,
    Amqp10Settings,
    StompSettings,
    MqttSettings,
    StreamProtocolSettings,
    WebSocketSettings,
    TlsSettings,
    NetworkSettings,
)
async def test_what_connections_are_made_with(directory: Path) -> None:
    async with running(_load(directory / "warren.toml")) as (_, run), AsyncExitStack() as clients:
        made = await sessions(run, clients)
        assert set(made) == {*(each.partition("=")[0] for each in LISTEN), ADDED}, "listen"
        amqp, stomp, mqtt, http, tls = (made[name] for name in ("amqp", "stomp", "mqtt", "ws", "amqps"))
        amqp10 = made["amqp10"]
        assert isinstance(amqp10, Amqp10Connection)
        check(directory, Amqp10Settings, amqp10.settings)
        stream = made["stream"]
        assert isinstance(stream, StreamSession)
        check(directory, StreamProtocolSettings, stream.settings)
        assert isinstance(amqp, Connection)
        check(directory, Amqp091Settings, amqp.settings)
        assert isinstance(stomp, StompSession)
        check(directory, StompSettings, stomp.settings)
        assert stomp.settings.server == "", "stomp_hide_server_info"
        assert isinstance(mqtt, MqttConnection)
        check(directory, MqttSettings, mqtt.settings)
        assert isinstance(http, HttpStage)
        check(directory, WebSocketSettings, http.settings)
        stomp_over_websocket = http._endpoints["stomp"]
        assert stomp_over_websocket.login == ("walker", "walker's")
        assert not stomp_over_websocket.sends_text
        assert isinstance(tls, TlsStage)
        check(directory, TlsSettings, tls._contexts.settings)
        choices = cast("Any", made["auto"])._choices
        assert choices.timeout_ms == expected(directory, "handshake_timeout_s")


@looks_at(BrokerSettings, BrokerLimits, SessionSettings, QueueLimits, PluginSettings)
async def test_what_the_broker_is_made_with(directory: Path) -> None:
    async with running(_load(directory / "warren.toml")) as (_, run):
        broker = run.broker
        check(directory, BrokerLimits, broker.limits)
        assert broker.users.loopback_users == {"owner", "other"}
        assert (broker.refused_logins.delay_ms, broker.refused_logins.waiting_max) == (250, 17)
        assert (broker.guessing.failures_max, broker.strangers.per_address_max) == (18, 19)
        assert broker.login_attempts.tracks_sources
        assert broker.default_queue_type == "quorum"
        assert broker.ack_timeouts._timeout_ms == 123_456
        assert not broker.continue_client_deaths
        assert not broker.counts_returns
        assert broker.backlog_bytes_max == 2**20
        world = world_of(broker)
        check(directory, QueueLimits, world.limits)
        assert world.names.exchange == "devices"
        assert world.names.key_of("spBv1.0/plant") == "spBv1___0.plant"
        assert world.shared_strategy == "sticky"
        await wait_all_tasks_blocked()
    assert Second.started == ["second ended"], "plugins"


@looks_at(AuthenticationSettings, HttpBackEndSettings, OAuth2Settings)
async def test_who_is_asked_at_logins(directory: Path) -> None:
    async with running(_load(directory / "warren.toml")) as (_, run):
        users = run.broker.users
        assert users.chain is not None
        (http, also_http), (oauth2, (own, still_http)) = [
            (step.authenticates, step.authorizes) for step in users.chain.steps
        ]
        assert (also_http, still_http) == ((http,), http)
        assert [each.name for each in (http, oauth2, own)] == ["http", "oauth2", "internal"]
        kept = users.answers
        assert (kept.ttl_ms, kept.size_max, kept.cache_refusals) == (20_500, 1007, True)
        check(directory, HttpBackEndSettings, cast("Any", http)._back_end._settings)
        check(directory, OAuth2Settings, cast("Any", oauth2)._back_end._settings)


@looks_at(ClusterSettings)
async def test_what_a_node_of_a_cluster_is_told(directory: Path, tmp_path: Path) -> None:
    config = _load(directory / "warren.toml").replace(
        cluster=OTHER["cluster"][0], data_directory=tmp_path, cluster_credentials=None
    )
    settings = config.section(ClusterSettings)
    async with running(Config(in_memory=True, listeners=())) as (_, run):
        node = ClusterNode(settings, tmp_path, run.broker)
    assert (node.name, node.shards, node.replicas) == ("n1", 5, 5)
    assert [str(each) for each in node.options.servers] == ["nats://127.0.0.1:1", "nats://127.0.0.1:2"]
    tls = node.options.tls
    assert tls is not None
    assert len(tls.get_ca_certs()) == 1
    (tmp_path / "node.creds").write_text("")
    with pytest.raises(ClusterRefusedError, match="credentials"):
        options_of(config.replace(cluster_credentials=tmp_path / "node.creds").section(ClusterSettings), "n1")


@looks_at(LinkSettings)
async def test_how_nodes_of_a_cluster_reach_each_other(directory: Path, tmp_path: Path) -> None:
    (directory / "secret").write_text("the secret of a cluster")
    config = _load(directory / "warren.toml").replace(
        cluster=OTHER["cluster"][0], data_directory=tmp_path, cluster_credentials=None
    )
    async with running(Config(in_memory=True, listeners=())) as (_, run):
        node = joined_to(config, run.broker)
        run.broker.cluster = None
        assert node._make_links is not None
        links = node._make_links(node, run.hub)
        assert links.address == "a.example:25672"
        check(directory, LinkSettings, links._settings)
        context = links._client_context
        assert context is not None
        assert len(context.get_ca_certs()) == 1
        links.close()


@looks_at(StreamSettings)
async def test_by_which_names_it_is_asked_over_http(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = _load(directory / "warren.toml").http_host_names
    monkeypatch.undo()  # Warren's own plugins are there again
    config = Config(in_memory=True, plugins=("metrics",))
    async with open_broker(listen=["metrics=127.0.0.1:0"], config=config.replace(http_host_names=names)) as broker:
        for name, status in (("broker.example", b"200"), ("other.example", b"421")):
            stream = await trio.open_tcp_stream(*broker.address("metrics"))
            await stream.send_all(f"HEAD / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            assert (await stream.receive_some(1000)).split()[1] == status
            await stream.aclose()


@looks_at(FirstStartSettings, ResourceSettings, ProcessSettings)
async def test_what_a_start_does(directory: Path, tmp_path: Path) -> None:
    config = _load(directory / "warren.toml")
    async with running(config) as (_, run):
        broker = run.broker
        owner = broker.users.authenticate("owner", "owner's", True)
        assert (owner.name, sorted(owner.tags)) == ("owner", ["monitoring"])
        row = {"user": "owner", "configure": "^c", "write": "^w", "read": "^r"}
        assert list_permissions(broker.users, "plant") == [row]
        assert list(broker.vhosts) == ["plant"]
        assert (directory / "data" / "messages").is_dir()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                watch_resources, run.hub, config, ResourceLimits(config.section(ResourceSettings)), SlowDisk("")
            )
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert sorted(broker.alarms.raised()) == ["disk", "memory"]
    imported = _load(directory / "warren.toml").replace(
        load_definitions=directory / "definitions.json",
        definitions_skip_if_unchanged=True,
        data_directory=tmp_path / "data",
    )
    async with running(imported) as (_, run):
        assert list(run.broker.vhosts) == ["imported"]
        assert "owner" not in run.broker.users
        run.broker.delete_vhost("imported")
    async with running(imported) as (_, run):
        assert list(run.broker.vhosts) == [], "what is imported already isn't imported again"
    async with running(Config(in_memory=True, listeners=())) as (_, run):
        assert isinstance(run.broker.store, MemoryEngine)


def test_what_a_process_does(directory: Path) -> None:
    """The ready file is what `warren_process` waits for."""
    with warren_process(in_memory=True, listen=["amqp=127.0.0.1:0"], options=["--set", "log_level=none"]) as silent:
        assert silent.log.read_text() == ""
    with warren_process(in_memory=True, listen=["amqp=127.0.0.1:0"], options=["--log-format", "json"]) as for_programs:
        assert all(line.startswith('{"time":') for line in for_programs.log.read_text().splitlines())
    with logs.put_back():
        assert configure_logging(cast("str", OTHER["log_level"][0])).level == logging.DEBUG


def test_every_section_is_looked_at() -> None:
    assert set(LOOKED_AT) == set(sections())


def test_everything_is_described(directory: Path) -> None:
    config = _load(directory / "warren.toml")
    shown = describe(config)
    assert set(KEYS) <= set(shown)
    for name in OTHER:
        if name not in (*WITHOUT_DEFAULTS, "in_memory"):
            assert KEYS[name].secret == (shown[name] == "********")
