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

from gateway.config import PORT, ConfigError, Setting

_LINE = re.compile(r"\s*([A-Za-z0-9_.$/@-]+)\s*=\s*(?:'([^']*)'|([^#']*?))\s*(?:#.*)?")

_EVERY_ADDRESS = "0.0.0.0"
"""A bare port listens on every address, as on RabbitMQ."""

_CHANNEL_MAX = "65535"
"""channel_max 0 is "no limit"; the field is 16 bits wide (AMQP 0-9-1, connection.tune)."""


def _seconds(milliseconds: str) -> object:
    return int(milliseconds) / 1000 if re.fullmatch("[0-9]{1,12}", milliseconds) else milliseconds


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
    "default_queue_type": ("default_queue_type", str),
    "consumer_timeout": ("consumer_timeout_ms", str),
    "connection_max": ("connection_max", str),
    "channel_max_per_node": ("channel_max_per_node", str),
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
    "stomp.hide_server_info": ("stomp_hide_server_info", str),
    "stomp.login_timeout": ("stomp_login_timeout_s", _seconds),
    "stomp.max_frame_size": ("stomp_max_frame_bytes", str),
    "stomp.trailing_lf": ("stomp_trailing_lf", str),
    "stomp.friendly": ("stomp_friendly", str),
    "product.version": ("product_version", str),
}
"""RabbitMQ's keys that are one key of Warren, and how their value is written for it (ms become seconds)."""


_ALREADY_SO = (("definitions.import_backend", "local_filesystem"), ("definitions.skip_if_unchanged", "false"))
"""What Warren does without being told."""


_READ_BELOW = ("listeners.tcp", "stomp.listeners.tcp", "loopback_users")
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
    settings += _listener_settings(entries, source, base)
    settings += _loopback_settings(entries, source, base)
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


def _listener_settings(entries: dict[str, str], source: str, base: Path) -> list[Setting]:
    """`listeners.tcp.NAME = PORT | HOST:PORT`; `listeners.tcp = none` drops the ones that stand above it.

    The same with `stomp.` in front.  Where STOMP's alone are named, AMQP keeps its default address.
    """
    amqp = _addresses(entries, "listeners.tcp")
    stomp = _addresses(entries, "stomp.listeners.tcp")
    if not amqp and not stomp:
        return []
    listen = [f"amqp={address}" for address in amqp.values() or [f"127.0.0.1:{PORT}"]]
    listen += [f"stomp={address}" for address in stomp.values()]
    return [Setting(source, ", ".join([*amqp, *stomp]), "listen", listen, base)]


def _addresses(entries: dict[str, str], prefix: str) -> dict[str, str]:
    addresses: dict[str, str] = {}
    for written, value in entries.items():
        if written == prefix and value == "none":
            addresses.clear()
        elif written.startswith(prefix):
            addresses[written] = _address(value)
    return addresses


def _address(value: str) -> str:
    """RabbitMQ writes IPv6 without brackets too: `:::5672` and `::1:5672` end in the port."""
    host, _, port = value.rpartition(":")
    if not host:
        return f"{_EVERY_ADDRESS}:{value}"
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else value


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
