"""What of RabbitMQ's schema has no counterpart here, and what it means that it is ignored.

Every key of a rabbitmq.conf is one of three: applied (named by a `Key`, or read by a module of this package), listed
here, or unknown, which is told together with the nearest known one.  The names are those of RabbitMQ 3.8 to 4.3 and of
the plugins that come with it; a name that ends in `.*` stands for all that begin so.  docs/rabbitmq_ignored.md shows
them, and is written by `python -m tests.docs.rabbitmq_ignored_page`.

Longer than 400 lines because it is one table.

The weight says how loudly: whatever would have kept somebody out is told as SECURITY, since a file that looks obeyed
and isn't is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from warren.core.frozen import frozen
from warren.gateway.configuration.given import Remark, Weight


@frozen
class Ignored:
    """Keys that are ignored for the same reason; `meaning` completes "ignored: "."""

    weight: Weight
    meaning: str
    names: tuple[str, ...]


def _keys(names: str, *, under: str = "") -> tuple[str, ...]:
    return tuple(under + name for name in names.split())


_PLUGINS: Final = ("", "mqtt.", "stomp.", "stream.")
_WEB_PLUGINS: Final = ("web_mqtt.", "web_stomp.")

_TLS_TUNING: Final = "honor_cipher_order honor_ecc_order reuse_sessions secure_renegotiate client_renegotiation"

_LOG_CATEGORIES: Final = ("connection", "channel", "mirroring", "queue", "federation", "upgrade", "user", "ra")

IGNORED: Final = (
    Ignored(
        Weight.SECURITY,
        "no LDAP directory is asked; a plugin can bring a back-end that does (docs/authentication.md)",
        _keys("auth_ldap.*"),
    ),
    Ignored(
        Weight.SECURITY,
        "over HTTP, too, logins go through auth_backends",
        _keys("http_dispatch.auth_backends.*"),
    ),
    Ignored(
        Weight.SECURITY,
        "revoked certificates of the back-end http are accepted, and chains of any length; certificates, keys and "
        "authorities are read from files only, and a key has no password",
        _keys("crl_check depth cacerts.* cert key.* psk_identity password", under="auth_http.ssl_options."),
    ),
    Ignored(
        Weight.SECURITY,
        "revoked certificates of the issuer are accepted, and chains of any length",
        _keys("crl_check depth", under="auth_oauth2.https."),
    ),
    Ignored(
        Weight.SECURITY,
        "there is one issuer and one resource server, and its keys are where auth_oauth2.jwks_url or signing_keys say; "
        "scopes have wildcards, and permissions by Rich Authorization Requests don't count",
        _keys(
            "oauth_providers.* resource_servers.* default_oauth_provider discovery_endpoint_path "
            "discovery_endpoint_params.* scope_pattern_syntax resource_server_type",
            under="auth_oauth2.",
        ),
    ),
    Ignored(
        Weight.SECURITY,
        "passwords of any length and kind are accepted",
        _keys("validation_backend min_length regexp", under="credential_validator."),
    ),
    Ignored(
        Weight.SECURITY,
        "no such user is made; bring users by load_definitions or `warren ctl add_user`",
        _keys("default_users.*"),
    ),
    Ignored(
        Weight.SECURITY,
        "new virtual hosts get no limits and operator policies by themselves; set them with `warren ctl "
        "set_vhost_limits` and `set_operator_policy`",
        _keys("default_policies.* default_limits.*"),
    ),
    Ignored(
        Weight.SECURITY,
        "revoked certificates are accepted as long as they are valid otherwise, and chains of any length",
        _keys("crl_check crl_sources.* depth", under="ssl_options."),
    ),
    Ignored(
        Weight.SECURITY,
        "certificates, keys and authorities are read from files only: ssl_options.certfile, keyfile, cacertfile",
        _keys("cert key.* cacerts.* psk_identity", under="ssl_options."),
    ),
    Ignored(
        Weight.SECURITY,
        "only the authorities in ssl_options.cacertfile are believed",
        _keys("trust_store.*"),
    ),
    Ignored(
        Weight.SECURITY,
        "a client may use any client id, whatever its certificate says; its session belongs to its user",
        _keys("ssl_cert_client_id_from ssl_cert_login_san_type ssl_cert_login_san_index", under="mqtt."),
    ),
    Ignored(
        Weight.SECURITY,
        "messages are routed as their publishers send them: nothing is added or checked",
        _keys("message_interceptors.* mqtt.message_interceptors.* channel_interceptor.*"),
    ),
    Ignored(
        Weight.SECURITY,
        "the type stays available",
        _keys("exchange_types.* queue_types.*"),
    ),
    Ignored(
        Weight.WARNING,
        "before the login a packet or frame may be as large as after it",
        _keys("mqtt.max_packet_size_unauthenticated stomp.max_frame_size_unauthenticated"),
    ),
    Ignored(
        Weight.WARNING,
        "connections are limited together, by connection_max, and per virtual host and user",
        ("ranch_connection_max", *(f"{plugin}max_connections" for plugin in (*_PLUGINS[1:], *_WEB_PLUGINS))),
    ),
    Ignored(
        Weight.WARNING,
        "runtime parameters are limited by nothing but memory",
        _keys("runtime_parameters.limits.*"),
    ),
    Ignored(
        Weight.SECURITY,
        "who administers by HTTP logs in with name and password, and may do what the user's tags say",
        _keys(
            "restrictions.* enable_uaa uaa_client_id uaa_client_secret uaa_location "
            "credential_encryption_secret login_session_timeout",
            under="management.",
        ),
    ),
    Ignored(
        Weight.SECURITY,
        "the page is a public client of one issuer, and people begin to log in on the page itself: docs/management.md",
        _keys(
            "oauth_authorization_endpoint_params.* oauth_client_secret oauth_initiated_logon_type "
            "oauth_resource_servers.* oauth_response_type oauth_token_endpoint_params.*",
            under="management.",
        ),
    ),
    Ignored(
        Weight.WARNING,
        "all listeners have the same TLS: ssl_options.*",
        (
            *_keys("ssl.* ssl listener.ssl_opts.* listener.ssl_opts", under="management."),
            *_keys("ssl.* ssl", under="prometheus."),
        ),
    ),
    Ignored(
        Weight.NOTE,
        "limits of the plugins' connections are management_request_timeout_s, metrics_request_timeout_s and the like",
        (
            *_keys("tcp.* listener.server.*", under="management."),
            *_keys("tcp.*", under="prometheus."),
        ),
    ),
    Ignored(
        Weight.NOTE,
        "answers of the management API have figures of whatever is asked for, sampled while somebody asks",
        _keys(
            "rates_mode sample_retention_policies.* disable_stats enable_queue_totals db_cache_multiplier "
            "delegate_count",
            under="management.",
        ),
    ),
    Ignored(
        Weight.NOTE,
        "answers of the management API have the headers that are safe for it, and requests aren't logged",
        _keys("csp.* hsts.* headers.* http.hide_allow_header http_log_dir", under="management."),
    ),
    Ignored(
        Weight.NOTE,
        "the management API describes itself to who logs in",
        _keys("require_auth_for_api_reference definitions.require_json_extension", under="management."),
    ),
    Ignored(
        Weight.NOTE, "figures are taken in the broker itself", _keys("management_agent.* http_dispatch.access_log_dir")
    ),
    Ignored(
        Weight.SECURITY,
        "metrics are shown to anybody who reaches their listener (docs/metrics.md)",
        _keys("prometheus.authentication.*"),
    ),
    Ignored(
        Weight.WARNING,
        "metrics are at /metrics, of all objects, and figured when they are asked for (docs/metrics.md)",
        _keys("prometheus.*"),
    ),
    Ignored(Weight.NOTE, "federation links end at once, however many there are", _keys("federation.*")),
    Ignored(Weight.NOTE, "shovels are set up by their parameters alone", _keys("shovel.*")),
    Ignored(
        Weight.WARNING,
        "no limits of streams: a group of partitions has as many as it is made with, and a client's credit is its own",
        _keys(
            "initial_credits credits_required_for_unblocking max_super_stream_partitions "
            "max_uncompressed_sub_entry_batch_size",
            under="stream.",
        ),
    ),
    Ignored(
        Weight.WARNING,
        "streams are stored on this machine alone; their clients log in with any certificate that is verified, and are "
        "told of one host",
        _keys("ssl_cert_login advertised_tls_host replication.* data_dir read_ahead read_ahead_limit", under="stream."),
    ),
    Ignored(
        Weight.WARNING,
        "keys of AMQP 1.0's older plugin and of its client; those of Warren's begin with amqp10_",
        _keys("amqp1_0.* amqp10_client.* amqp_client.*"),
    ),
    Ignored(
        Weight.WARNING,
        "events of the broker are published nowhere, and traced messages are written nowhere",
        _keys("event_exchange.* tracing.* log.exchange log.exchange.*"),
    ),
    Ignored(
        Weight.WARNING,
        "definitions are imported from files only: load_definitions",
        _keys("definitions.import_backend definitions.https.url definitions.tls.*"),
    ),
    Ignored(
        Weight.WARNING,
        "the log goes to standard error; redirect it where it is wanted",
        (
            *_keys("console file syslog syslog.* journald journald.* dir", under="log."),
            *(f"log.{category}.file" for category in _LOG_CATEGORIES),
        ),
    ),
    Ignored(
        Weight.WARNING,
        "shares of memory are those of the machine's",
        _keys("total_memory_available_override_value"),
    ),
    Ignored(
        Weight.WARNING,
        "all listeners have the same TLS: ssl_options.*",
        tuple(
            f"{plugin}ssl.{name}"
            for plugin in _WEB_PLUGINS
            for name in (*_TLS_TUNING.split(), "crl_check", "depth", "versions.*", "ciphers.*")
        ),
    ),
    Ignored(
        Weight.WARNING,
        "answers over HTTP have no such header; a proxy in front can add it",
        tuple(f"{plugin}hsts.policy" for plugin in _WEB_PLUGINS),
    ),
    Ignored(
        Weight.WARNING,
        "a frame of WebSocket may be as large as the protocol in it allows",
        tuple(f"{plugin}ws_opts.max_frame_size" for plugin in _WEB_PLUGINS),
    ),
    Ignored(
        Weight.WARNING,
        "both protocols are on every WebSocket port, at /ws and /stomp, /mqtt and so on (docs/websocket.md)",
        tuple(f"{plugin}ws_path" for plugin in _WEB_PLUGINS),
    ),
    Ignored(
        Weight.WARNING,
        "a consumer that is gone is gone: its messages are requeued at once",
        _keys("consumer_disconnected_timeout"),
    ),
    Ignored(Weight.NOTE, "passwords are kept as SHA-256 with salt", _keys("password_hashing_module")),
    Ignored(
        Weight.NOTE,
        "this is the business of the TLS library, which is OpenSSL",
        (
            *(f"ssl_options.{name}" for name in (*_TLS_TUNING.split(), "dh", "dhfile", "log_alert")),
            *_keys("ssl_options.log_level ssl_options.bypass_pem_cache ssl_allow_poodle_attack"),
        ),
    ),
    Ignored(
        Weight.NOTE,
        "there is no Erlang machine to tune",
        (
            *_keys(
                "erlang.* socket_writer.gc_threshold default_worker_pool_size delegate_count hipe_compile "
                "background_gc_enabled background_gc_target_interval sysmon_handler.* net_ticktime distribution.* "
                "vm_memory_calculation_strategy memory_monitor_interval initial_frame_max raft.*"
            ),
            *(f"{plugin}num_acceptors.{kind}" for plugin in (*_PLUGINS, *_WEB_PLUGINS) for kind in ("tcp", "ssl")),
            *(f"{plugin}use_file_handle_cache" for plugin in _WEB_PLUGINS),
        ),
    ),
    Ignored(
        Weight.NOTE,
        "sockets are set up as Warren needs them",
        (
            *(name for plugin in _PLUGINS for name in (f"{plugin}tcp_listen_options", f"{plugin}tcp_listen_options.*")),
            *(f"{plugin}{kind}.backlog" for plugin in _WEB_PLUGINS for kind in ("tcp", "ssl")),
            *(f"{plugin}cowboy_opts.*" for plugin in _WEB_PLUGINS),
            "reverse_dns_lookups",
        ),
    ),
    Ignored(
        Weight.NOTE,
        "Warren is a single node",
        _keys(
            "cluster_partition_handling cluster_partition_handling.* cluster_formation.* cluster_keepalive_interval "
            "cluster_tags.* node_tags.* queue_master_locator queue_leader_locator mirroring_sync_batch_size "
            "mirroring_sync_max_throughput mnesia_table_loading_retry_timeout mnesia_table_loading_retry_limit "
            "metadata_store.* prevent_startup_if_node_was_reset vhost_restart_strategy aws.*"
        ),
    ),
    Ignored(
        Weight.NOTE,
        "messages are stored in one log, which needs no tuning",
        _keys(
            "queue_index_embed_msgs_below message_store_shutdown_timeout vm_memory_high_watermark_paging_ratio "
            "classic_queue.default_version quorum_queue.* mqtt.durable_queue_type mqtt.retained_message_store "
            "mqtt.retained_message_store.* mqtt.retained_message_store_dets_sync_interval"
        ),
    ),
    Ignored(
        Weight.NOTE,
        "answers of all back-ends are kept, in memory, and clients aren't told a back-end's reasons",
        _keys("auth_cache.cache_module auth_http.authorization_failure_disclosure"),
    ),
    Ignored(
        Weight.NOTE,
        "clients fetch their tokens by themselves",
        _keys("authorization_endpoint end_session_endpoint token_endpoint", under="auth_oauth2."),
    ),
    Ignored(
        Weight.NOTE,
        "TLS to authentication back-ends is as the TLS library has it",
        (
            *_keys(
                f"{_TLS_TUNING} ciphers.* versions.* dh dhfile fail_if_no_peer_cert hostname_verification log_alert "
                "sni",
                under="auth_http.ssl_options.",
            ),
            "auth_http.ssl_options",
            *_keys("fail_if_no_peer_cert hostname_verification", under="auth_oauth2.https."),
        ),
    ),
    Ignored(
        Weight.NOTE,
        "counts are kept as things happen",
        _keys("collect_statistics collect_statistics_interval"),
    ),
    Ignored(
        Weight.NOTE,
        "lines of the log have one format, and are of one level for all categories",
        (
            *_keys(
                "console.stdio console.use_colors console.color_esc_seqs.* console.formatter console.formatter.* "
                "file.rotation.* file.formatter file.formatter.* default.rotation.* summarize_process_state "
                "error_logger_format_depth",
                under="log.",
            ),
            *(f"log.{category}.{name}" for category in _LOG_CATEGORIES for name in ("level", "rotation.*")),
        ),
    ),
    Ignored(Weight.NOTE, "there is no message of the day", _keys("motd_file")),
    Ignored(Weight.NOTE, "nothing that is deprecated is switched off", _keys("deprecated_features.permit.*")),
)

_AS_IT_IS: Final = (
    re.compile(
        r"definitions.import_backend = (local|local_filesystem|rabbit(mq)?_definitions_import_local_filesystem)"
    ),
    re.compile(r"definitions.hashing.algorithm = (sha(1|224|256|384|512)?)"),
    re.compile(r"password_hashing_module = (rabbit_password_hashing_sha256)"),
    re.compile(r"log.console = (true)"),
    re.compile(r"log.file = (false)"),
    re.compile(r"log.(syslog|exchange|journald) = (false)"),
    re.compile(r"(exchange|queue)_types\..*\.enabled = (true)"),
    re.compile(r"ssl_options\.client_renegotiation = (false)"),
    re.compile(r"ssl_options\.crl_check = (false)"),
    re.compile(r"ssl_allow_poodle_attack = (false)"),
)
"""Lines that say what Warren does anyway."""


def remarks_on(entries: Mapping[str, str], path: object) -> tuple[list[Remark], list[str]]:
    """(what is to be said of the keys that are listed here, the keys that aren't), both in the order of the file.

    entries: keys that nothing else in this package reads.
    """
    by_reason: dict[Ignored, list[str]] = {}
    unknown: list[str] = []
    for key, value in entries.items():
        reason = _reason(key)
        if any(line.fullmatch(f"{key} = {value}") for line in _AS_IT_IS):
            continue
        if reason is None:
            unknown.append(key)
        else:
            by_reason.setdefault(reason, []).append(key)
    found = [
        Remark(reason.weight, f"{path}: {', '.join(keys)}: ignored: {reason.meaning}")
        for reason, keys in by_reason.items()
    ]
    return found, unknown


def ignored_names() -> list[str]:
    """All names that are listed here; those of families without the star."""
    return [name.removesuffix(".*") for each in IGNORED for name in each.names]


def _reason(key: str) -> Ignored | None:
    exact, families = _index()
    found = exact.get(key)
    head = key
    while found is None and "." in head:
        head = head.rpartition(".")[0]
        found = families.get(head)
    return found


@cache
def _index() -> tuple[dict[str, Ignored], dict[str, Ignored]]:
    exact = {name: each for each in IGNORED for name in each.names if not name.endswith(".*")}
    families = {name.removesuffix(".*"): each for each in IGNORED for name in each.names if name.endswith(".*")}
    return exact, families
