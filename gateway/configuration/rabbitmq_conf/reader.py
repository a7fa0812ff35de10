"""rabbitmq.conf: the keys that Warren has too, so that a file written for RabbitMQ can be used as it is.

The format (cuttlefish's sysctl dialect, RabbitMQ "Configuration" guide): one `key = value` per line, `#`
starts a comment, a value may stand in single quotes, a later line for a key wins.  A key that Warren doesn't
have is a warning, since most files hold tuning of the Erlang machine that has no counterpart; a key that it
has with a value that it can't use is an error, as everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from warren.gateway.configuration.load import ConfigError, Setting
from warren.gateway.configuration.rabbitmq_conf.listeners import LISTENER_FAMILIES, listener_settings
from warren.gateway.configuration.rabbitmq_conf.tls import TLS_FAMILIES, tls_settings

_LINE = re.compile(r"\s*([A-Za-z0-9_.$/@-]+)\s*=\s*(?:'([^']*)'|([^#']*?))\s*(?:#.*)?")

_CHANNEL_MAX = "65535"
"""channel_max 0 is "no limit"; the field is 16 bits wide (AMQP 0-9-1, connection.tune)."""


_MQTT_NEVER = "4294967295"
"""The session expiry interval that has no end (MQTT 5 3.1.2.11.2)."""


def _seconds(milliseconds: str) -> object:
    return int(milliseconds) / 1000 if re.fullmatch("[0-9]{1,12}", milliseconds) else milliseconds


def _session_expiry(seconds: str) -> object:
    return _MQTT_NEVER if seconds == "infinity" else seconds


_RENAMED: dict[str, tuple[str, Callable[[str], object]]] = {
    "default_user": ("default_user", str),
    "default_pass": ("default_pass", str),
    "default_vhost": ("default_vhost", str),
    "heartbeat": ("heartbeat_s", str),
    "frame_max": ("frame_max", str),
    "channel_max": ("channel_max", lambda value: _CHANNEL_MAX if value == "0" else value),
    "load_definitions": ("load_definitions", str),
    "management.load_definitions": ("load_definitions", str),
    "definitions.local.path": ("load_definitions", str),
    "definitions.skip_if_unchanged": ("definitions_skip_if_unchanged", str),
    "default_queue_type": ("default_queue_type", str),
    "consumer_timeout": ("consumer_timeout_ms", str),
    "connection_max": ("connection_max", str),
    "channel_max_per_node": ("channel_max_per_node", str),
    "consumer_max_per_channel": ("consumer_max_per_channel", str),
    "default_consumer_prefetch": ("default_consumer_prefetch", str),
    "cluster_queue_limit": ("cluster_queue_limit", str),
    "cluster_exchange_limit": ("cluster_exchange_limit", str),
    "vhost_max": ("vhost_max", str),
    "handshake_timeout": ("handshake_timeout_s", _seconds),
    "max_message_size": ("max_message_bytes", str),
    "vm_memory_high_watermark.relative": ("memory_high_watermark", str),
    "vm_memory_high_watermark.absolute": ("memory_high_watermark", str),
    "disk_free_limit.absolute": ("disk_free_limit_bytes", str),
    "log.level": ("log_level", str),
    "log.console.level": ("log_level", str),
    "cluster_name": ("cluster_name", str),
    "product.name": ("product", str),
    "stomp.default_user": ("stomp_default_user", str),
    "stomp.default_pass": ("stomp_default_pass", str),
    "stomp.default_vhost": ("stomp_default_vhost", str),
    "stomp.default_topic_exchange": ("stomp_default_topic_exchange", str),
    "stomp.default_nack_requeue": ("stomp_default_nack_requeue", str),
    "stomp.implicit_connect": ("stomp_implicit_connect", str),
    "stomp.ssl_cert_login": ("stomp_certificate_login", str),
    "mqtt.ssl_cert_login": ("mqtt_certificate_login", str),
    "mqtt.allow_anonymous": ("mqtt_allow_anonymous", str),
    "anonymous_login_pass": ("mqtt_default_pass", str),
    "mqtt.default_user": ("mqtt_default_user", str),
    "mqtt.default_pass": ("mqtt_default_pass", str),
    "mqtt.exchange": ("mqtt_exchange", str),
    "mqtt.sparkplug": ("mqtt_sparkplug", str),
    "mqtt.vhost": ("mqtt_default_vhost", str),
    "mqtt.prefetch": ("mqtt_prefetch", str),
    "mqtt.login_timeout": ("mqtt_login_timeout_s", _seconds),
    "mqtt.max_packet_size_authenticated": ("mqtt_max_packet_bytes", str),
    "mqtt.max_session_expiry_interval_seconds": ("mqtt_max_session_expiry_s", _session_expiry),
    "mqtt.topic_alias_maximum": ("mqtt_topic_alias_maximum", str),
    "mqtt.mailbox_soft_limit": ("mqtt_max_queued_qos_0_messages", str),
    "mqtt.disconnect_on_unauthorized": ("mqtt_disconnect_on_unauthorized", str),
    "mqtt.ignore_colons_in_username": ("mqtt_ignore_colons_in_username", str),
    "ssl_handshake_timeout": ("tls_handshake_timeout_s", _seconds),
    "ssl_cert_login_san_type": ("tls_certificate_login_san_type", str),
    "ssl_cert_login_san_index": ("tls_certificate_login_san_index", str),
    "stomp.hide_server_info": ("stomp_hide_server_info", str),
    "stomp.login_timeout": ("stomp_login_timeout_s", _seconds),
    "stomp.max_frame_size": ("stomp_max_frame_bytes", str),
    "stomp.trailing_lf": ("stomp_trailing_lf", str),
    "stomp.friendly": ("stomp_friendly", str),
    "product.version": ("product_version", str),
    "web_stomp.ws_frame": ("websocket_stomp_frame", str),
    "web_stomp.use_http_auth": ("websocket_use_http_auth", str),
    "web_stomp.ws_opts.compress": ("websocket_compress", str),
    "web_mqtt.ws_opts.compress": ("websocket_compress", str),
    "web_stomp.ws_opts.idle_timeout": ("websocket_idle_timeout_s", _seconds),
    "web_mqtt.ws_opts.idle_timeout": ("websocket_idle_timeout_s", _seconds),
}
"""RabbitMQ's keys that are one key of Warren, and how their value is written for it (ms become seconds)."""


_ALREADY_SO = (("definitions.import_backend", "local_filesystem"), ("definitions.hashing.algorithm", "sha256"))
"""What Warren does without being told."""


_ANONYMOUS_USER = "anonymous_login_user"
"""`none` forbids anonymous logins (RabbitMQ 4)."""

_ORIGINS = ("web_stomp.allow_origins", "web_mqtt.allow_origins")

_READ_BELOW = (_ANONYMOUS_USER, *_ORIGINS, *LISTENER_FAMILIES, *TLS_FAMILIES, "loopback_users")
"""Keys with a family of names, which have readers of their own."""


def read_rabbitmq_conf(text: str, path: Path) -> tuple[list[Setting], list[str]]:
    """(settings, warnings) of a rabbitmq.conf.  Raises ConfigError for a line that isn't `key = value`."""
    entries = _entries(text, path)
    source, base = str(path), path.parent
    settings: list[Setting] = []
    unknown: list[str] = []
    for written, value in entries.items():
        if written in _RENAMED:
            key, convert = _RENAMED[written]
            settings.append(Setting(source, written, key, convert(value), base))
        elif not written.startswith(_READ_BELOW) and (written, value) not in _ALREADY_SO:
            unknown.append(written)
    settings += listener_settings(entries, source, base)
    settings += tls_settings(entries, source, base)
    settings += _loopback_settings(entries, source, base)
    settings += _origin_settings(entries, source, base)
    anonymous = entries.get(_ANONYMOUS_USER)
    if anonymous is not None:
        key, written = ("mqtt_allow_anonymous", "false") if anonymous == "none" else ("mqtt_default_user", anonymous)
        settings.append(Setting(source, _ANONYMOUS_USER, key, written, base))
    return settings, [f"{path}: {key} is not a key that Warren has; ignored" for key in unknown]


def _entries(text: str, path: Path) -> dict[str, str]:
    entries: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise ConfigError(f"{path}: line {number}: {line.strip()!r}: must be key = value")
        entries[found[1]] = found[3] if found[2] is None else found[2]
    return entries


def _loopback_settings(entries: dict[str, str], source: str, base: Path) -> list[Setting]:
    """`loopback_users = none`, or `loopback_users.NAME = true|false` added to the default, guest."""
    names = {"guest"}
    given = [written for written in entries if written.startswith("loopback_users")]
    for written in given:
        name, value = written.removeprefix("loopback_users").removeprefix("."), entries[written].lower()
        if not name and value == "none":
            names.clear()
        elif name and value in ("true", "false"):
            (names.add if value == "true" else names.discard)(name)
        else:
            allowed = "true or false" if name else "none"
            raise ConfigError(f"{source}: {written} = {entries[written]!r}: must be {allowed}")
    return [Setting(source, ", ".join(given), "loopback_users", sorted(names), base)] if given else []


def _origin_settings(entries: dict[str, str], source: str, base: Path) -> list[Setting]:
    """`web_stomp.allow_origins.N = ORIGIN`, and the same for web_mqtt: Warren has one list for both."""
    given = {written: value for written, value in entries.items() if written.startswith(_ORIGINS)}
    origins = sorted(set(given.values()) - {"none"})
    return [Setting(source, ", ".join(given), "websocket_allow_origins", origins, base)] if origins else []
