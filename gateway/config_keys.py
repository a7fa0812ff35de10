"""The keys of the configuration: name, field of `Config`, and what is allowed.  What each is for stands in
`Config`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway import config_values as values

PROTOCOLS = ("amqp",)
"""Protocols that a listener can be named for."""

LOG_LEVELS = ("debug", "info", "warning", "error", "critical", "none")
"""As RabbitMQ names them, from all to nothing."""

ALIASES = {"data_dir": "data_directory", "listeners": "listen"}
"""Second names of keys: as the command line's option is called, and as the field is."""

_FRAME_MAX_LEAST = 4096
"""AMQP 0-9-1, 1.4 (frame-min-size); every client must be able to take it."""

_FRAME_MAX_MOST = 2**28
"""A frame is held in memory as a whole, for each connection that is sending one."""

_MESSAGE_BYTES_MOST = 2**29
"""RabbitMQ's own upper bound of max_message_size, 512 MiB."""

_BYTES_MOST = 2**63 - 1
"""What a file offset can hold."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its name in every source, the field of Config that it sets, and its parser."""

    name: str
    field: str
    parse: values.Parser
    secret: bool = False


def _key(name: str, parse: values.Parser, *, field: str = "", secret: bool = False) -> Key:
    return Key(name, field or name, parse, secret)


_KEYS = (
    _key("data_directory", values.path),
    _key("in_memory", values.boolean),
    _key("listen", values.listeners(PROTOCOLS), field="listeners"),
    _key("ready_file", values.path),
    _key("heartbeat_s", values.whole_number(0, 65535, "seconds")),
    _key("frame_max", values.size(_FRAME_MAX_LEAST, _FRAME_MAX_MOST)),
    _key("channel_max", values.whole_number(1, 65535)),
    _key("handshake_timeout_s", values.number(0.1, 3600, "seconds")),
    _key("default_user", values.text),
    _key("default_pass", values.text, secret=True),
    _key("default_vhost", values.text),
    _key("loopback_users", values.names),
    _key("load_definitions", values.path),
    _key("default_queue_type", values.text),
    _key("connection_max", values.limit),
    _key("channel_max_per_node", values.limit),
    _key("cluster_queue_limit", values.limit),
    _key("cluster_exchange_limit", values.limit),
    _key("vhost_max", values.limit),
    _key("max_message_bytes", values.size(1, _MESSAGE_BYTES_MOST)),
    _key("memory_high_watermark", values.watermark),
    _key("disk_free_limit_bytes", values.size(0, _BYTES_MOST)),
    _key("backlog_bytes_max", values.size(0, _BYTES_MOST)),
    _key("log_level", values.one_of(LOG_LEVELS)),
    _key("product", values.text),
    _key("product_version", values.text),
    _key("cluster_name", values.text),
)

KEYS: Mapping[str, Key] = {key.name: key for key in _KEYS}
"""Every key by its name, in the order of `Config`."""
