"""The keys of the configuration: name, field of `Config`, and what is allowed.  What each is for stands in
`Config`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from warren.adapters.mqtt.sessions.sharing import STRATEGIES
from warren.core.configuration import values
from warren.gateway.configuration.listener import listeners
from warren.gateway.configuration.plugins import plugin_names
from warren.gateway.configuration.protocols import PROTOCOLS

LOG_LEVELS = ("debug", "info", "warning", "error", "critical", "none")
"""As RabbitMQ names them, from all to nothing."""

ALIASES = {
    "data_dir": "data_directory",
    "listeners": "listen",
    "stomp.friendly": "stomp_friendly",
    "stomp.default_user": "stomp_default_user",
    "stomp.default_pass": "stomp_default_pass",
    "stomp.default_vhost": "stomp_default_vhost",
    "stomp.default_topic_exchange": "stomp_default_topic_exchange",
    "stomp.default_nack_requeue": "stomp_default_nack_requeue",
    "stomp.implicit_connect": "stomp_implicit_connect",
    "stomp.certificate_login": "stomp_certificate_login",
    "stomp.ssl_cert_login": "stomp_certificate_login",
    "stomp.hide_server_info": "stomp_hide_server_info",
    "stomp.login_timeout_s": "stomp_login_timeout_s",
    "stomp.max_frame_size": "stomp_max_frame_bytes",
    "stomp.trailing_lf": "stomp_trailing_lf",
    "mqtt.allow_anonymous": "mqtt_allow_anonymous",
    "mqtt.certificate_login": "mqtt_certificate_login",
    "mqtt.ssl_cert_login": "mqtt_certificate_login",
    "mqtt.default_user": "mqtt_default_user",
    "mqtt.default_pass": "mqtt_default_pass",
    "mqtt.default_vhost": "mqtt_default_vhost",
    "mqtt.login_timeout_s": "mqtt_login_timeout_s",
    "mqtt.refused_login_delay_s": "refused_login_delay_s",
    "mqtt_refused_login_delay_s": "refused_login_delay_s",
    "mqtt.exchange": "mqtt_exchange",
    "mqtt.sparkplug": "mqtt_sparkplug",
    "mqtt.ignore_colons_in_username": "mqtt_ignore_colons_in_username",
    "mqtt.max_packet_size": "mqtt_max_packet_bytes",
    "mqtt.max_packet_size_authenticated": "mqtt_max_packet_bytes",
    "mqtt.max_queued_messages": "mqtt_max_queued_messages",
    "mqtt.max_queued_qos_0_messages": "mqtt_max_queued_qos_0_messages",
    "mqtt.max_queued_qos_0_bytes": "mqtt_max_queued_qos_0_bytes",
    "mqtt.mailbox_soft_limit": "mqtt_max_queued_qos_0_messages",
    "mqtt.max_session_expiry_s": "mqtt_max_session_expiry_s",
    "mqtt.max_keep_alive_s": "mqtt_max_keep_alive_s",
    "mqtt.receive_maximum": "mqtt_receive_maximum",
    "mqtt.prefetch": "mqtt_prefetch",
    "mqtt.shared_subscription_strategy": "mqtt_shared_subscription_strategy",
    "mqtt.topic_alias_maximum": "mqtt_topic_alias_maximum",
    "mqtt.disconnect_on_unauthorized": "mqtt_disconnect_on_unauthorized",
    "mqtt.hide_refusals": "mqtt_hide_refusals",
    "mqtt.vhost": "mqtt_default_vhost",
    "web_stomp.ws_frame": "websocket_stomp_frame",
    "web_stomp.use_http_auth": "websocket_use_http_auth",
    "mqtt.max_session_expiry_interval_seconds": "mqtt_max_session_expiry_s",
}
"""Second names of keys: as the command line's option is called, as the field is, and as RabbitMQ calls it."""

_FRAME_MAX_LEAST = 4096
"""AMQP 0-9-1, 1.4 (frame-min-size); every client must be able to take it."""

_FRAME_MAX_MOST = 2**28
"""A frame is held in memory as a whole, for each connection that is sending one."""

_MESSAGE_BYTES_MOST = 2**29
"""RabbitMQ's own upper bound of max_message_size, 512 MiB."""

_MQTT_PACKET_MOST = 268_435_460
"""The longest packet that MQTT can write (MQTT 5 1.5.5)."""

_MQTT_EXPIRY_MOST = 0xFFFF_FFFF
"""What the session expiry interval can hold."""

_DURATION_MS_MOST = 315_360_000_000
"""Ten years, as for every duration of a queue."""

_BYTES_MOST = 2**63 - 1
"""What a file offset can hold."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its name in every source, the field of Config that it sets, and its parser."""

    name: str
    field: str
    parse: Callable[[object], object]
    secret: bool = False


def _key(name: str, parse: Callable[[object], object], *, field: str = "", secret: bool = False) -> Key:
    return Key(name, field or name, parse, secret)


_KEYS = (
    _key("data_directory", values.path),
    _key("in_memory", values.boolean),
    _key("listen", listeners(PROTOCOLS), field="listeners"),
    _key("ready_file", values.path),
    _key("heartbeat_s", values.whole_number(0, 65535, "seconds")),
    _key("frame_max", values.size(_FRAME_MAX_LEAST, _FRAME_MAX_MOST)),
    _key("channel_max", values.whole_number(1, 65535)),
    _key("handshake_timeout_s", values.number(0.1, 3600, "seconds")),
    _key("tls_certificate_file", values.path),
    _key("tls_key_file", values.path),
    _key("tls_key_password", values.text, secret=True),
    _key("tls_server_name_certificates", values.certificate_files),
    _key("tls_ca_file", values.path),
    _key("tls_verify", values.one_of(("none", "optional", "required"))),
    _key("tls_versions", values.several_of(("1.2", "1.3"))),
    _key("tls_handshake_timeout_s", values.number(0.1, 3600, "seconds")),
    _key(
        "tls_certificate_login_from",
        values.one_of(("distinguished_name", "common_name", "subject_alternative_name")),
    ),
    _key("tls_certificate_login_san_type", values.one_of(("dns", "ip", "email", "uri", "other_name"))),
    _key("tls_certificate_login_san_index", values.whole_number(0, 99)),
    _key("default_user", values.text),
    _key("default_pass", values.text, secret=True),
    _key("default_vhost", values.text),
    _key("loopback_users", values.names),
    _key("refused_login_delay_s", values.number(0, 60, "seconds")),
    _key("refused_logins_max", values.whole_number(0, 100_000)),
    _key("load_definitions", values.path),
    _key("definitions_skip_if_unchanged", values.boolean),
    _key("default_queue_type", values.text),
    _key("consumer_timeout_ms", values.whole_number(0, _DURATION_MS_MOST, "milliseconds")),
    _key("continue_client_deaths", values.boolean),
    _key("connection_max", values.limit),
    _key("channel_max_per_node", values.limit),
    _key("consumer_max_per_channel", values.limit),
    _key("default_consumer_prefetch", values.whole_number(0, 65535, "messages")),
    _key("cluster_queue_limit", values.limit),
    _key("cluster_exchange_limit", values.limit),
    _key("vhost_max", values.limit),
    _key("max_message_bytes", values.size(1, _MESSAGE_BYTES_MOST)),
    _key("memory_high_watermark", values.watermark),
    _key("disk_free_limit_bytes", values.size(0, _BYTES_MOST)),
    _key("backlog_bytes_max", values.size(0, _BYTES_MOST)),
    _key("stomp_friendly", values.boolean),
    _key("stomp_default_user", values.text),
    _key("stomp_default_pass", values.text, secret=True),
    _key("stomp_default_vhost", values.text),
    _key("stomp_default_topic_exchange", values.text),
    _key("stomp_default_nack_requeue", values.boolean),
    _key("stomp_implicit_connect", values.boolean),
    _key("stomp_certificate_login", values.boolean),
    _key("stomp_hide_server_info", values.boolean),
    _key("stomp_login_timeout_s", values.number(0.1, 3600, "seconds")),
    _key("stomp_max_frame_bytes", values.size(_FRAME_MAX_LEAST, _FRAME_MAX_MOST)),
    _key("stomp_trailing_lf", values.boolean),
    _key("mqtt_allow_anonymous", values.boolean),
    _key("mqtt_certificate_login", values.boolean),
    _key("mqtt_default_user", values.text),
    _key("mqtt_default_pass", values.text, secret=True),
    _key("mqtt_default_vhost", values.text),
    _key("mqtt_login_timeout_s", values.number(0.1, 3600, "seconds")),
    _key("mqtt_exchange", values.text),
    _key("mqtt_sparkplug", values.boolean),
    _key("mqtt_ignore_colons_in_username", values.boolean),
    _key("mqtt_max_queued_messages", values.whole_number(0, 10**9)),
    _key("mqtt_max_queued_qos_0_messages", values.whole_number(1, 10**9)),
    _key("mqtt_max_queued_qos_0_bytes", values.size(1024, 2**40)),
    _key("mqtt_max_packet_bytes", values.size(_FRAME_MAX_LEAST, _MQTT_PACKET_MOST)),
    _key("mqtt_max_session_expiry_s", values.whole_number(0, _MQTT_EXPIRY_MOST, "seconds")),
    _key("mqtt_max_keep_alive_s", values.whole_number(1, 65535, "seconds")),
    _key("mqtt_receive_maximum", values.whole_number(1, 65535)),
    _key("mqtt_prefetch", values.whole_number(1, 65535)),
    _key("mqtt_shared_subscription_strategy", values.one_of(STRATEGIES)),
    _key("mqtt_topic_alias_maximum", values.whole_number(0, 65535)),
    _key("mqtt_disconnect_on_unauthorized", values.boolean),
    _key("mqtt_hide_refusals", values.boolean),
    _key("websocket_idle_timeout_s", values.number(0, 86_400, "seconds")),
    _key("websocket_compress", values.boolean),
    _key("websocket_stomp_frame", values.one_of(("text", "binary"))),
    _key("websocket_allow_origins", values.names),
    _key("websocket_use_http_auth", values.boolean),
    _key("plugins", plugin_names),
    _key("log_level", values.one_of(LOG_LEVELS)),
    _key("product", values.text),
    _key("product_version", values.text),
    _key("cluster_name", values.text),
)

KEYS: Mapping[str, Key] = {key.name: key for key in _KEYS}
"""Every key by its name, in the order of `Config`."""
