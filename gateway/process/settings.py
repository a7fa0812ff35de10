"""What an operator decides about the process: where it keeps its data, what it starts with, what it may use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from warren.core.configuration.key import Key, configured
from warren.core.configuration.values import (
    Watermark,
    boolean,
    information_unit,
    names,
    one_of,
    path,
    size,
    text,
    watermark,
)
from warren.core.frozen import frozen

LOG_LEVELS: Final = ("debug", "info", "warning", "error", "critical", "none")
"""As RabbitMQ names them, from all to nothing."""

LOG_FORMATS: Final = ("text", "json")
"""Lines for people, or an object a line for programs."""

MEMORY_HIGH_WATERMARK: Final = Watermark(relative=0.6)
"""RabbitMQ's default since 4.0; what is left is for the page cache and the other programs."""

BYTES_MOST: Final = 2**63 - 1
"""What a file offset can hold."""

MEMORY_MULTIPLE_MOST: Final = 1_000_000
"""Of the machine's memory that disks may be told to keep free; more is a size without its unit."""


_LEVELS_BETWEEN: Final = {"notice": "info", "alert": "critical", "emergency": "critical"}
"""Levels of RabbitMQ's that lie between those here: the one that leaves nothing out."""


def _log_level(value: str) -> str:
    value = value.lstrip("=<!")
    return _LEVELS_BETWEEN.get(value, value)


def _log_format(value: str) -> str:
    return "text" if value == "plaintext" else value


def _pattern(value: object) -> str:
    """A regular expression, as permissions have it."""
    # Most processes, such as those of `warren ctl`, never compile one.
    from warren.core.patterns.compiling import check_pattern

    try:
        if isinstance(value, str) and check_pattern(value) is not None:
            return value
    except ValueError as error:
        raise ValueError(f"a regular expression: {error}") from None
    raise ValueError("a regular expression")


def total_memory_bytes() -> int:
    """The machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@frozen
class ProcessSettings:
    """What the process is."""

    data_directory: Path | None = configured(
        Key(
            "data_directory",
            path,
            None,
            "Directory of everything that is kept; made, for its owner only, when it is missing. Also "
            "`--data-dir DIR`. Without it: `$XDG_DATA_HOME/warren`, else `/var/lib/warren` for root, "
            "else `~/.local/share/warren`. One broker at a time can use it.",
            also=("data_dir",),
            computed=True,
        )
    )
    in_memory: bool = configured(
        Key(
            "in_memory",
            boolean,
            False,
            "Keep nothing: messages and definitions end with the process. Also `--in-memory`. Without "
            "a data directory nothing touches the disk, and there is no control socket for `warren "
            "ctl`; with one, only the control socket and the lock are in it.",
        )
    )
    ready_file: Path | None = configured(
        Key(
            "ready_file",
            path,
            None,
            'File that gets the addresses as JSON, such as `{"amqp": ["127.0.0.1", 40123]}`, once '
            "connections are accepted. It appears as a whole, and is removed when the broker starts "
            "and when it stops. Further listeners of a protocol follow as `amqp.2`, `amqp.3` and so "
            "on. Also `--ready-file FILE`.",
        )
    )
    log_level: str = configured(
        Key(
            "log_level",
            one_of(LOG_LEVELS),
            "info",
            "Least important lines that are logged: `debug`, `info`, `warning`, `error`, `critical` "
            "or `none`. Also `--log-level`. The log goes to standard error.",
            rabbitmq=("log.level", "log.console.level", "log.default.level", "log.file.level"),
            from_rabbitmq=_log_level,
        )
    )
    log_format: str = configured(
        Key(
            "log_format",
            one_of(LOG_FORMATS),
            "text",
            "How a line of the log is written: `text` for people, or `json`, one object a line, for programs that "
            "collect logs: `time` in UTC, `level`, `logger`, `message`, and by name what the line is about, such as "
            "`connection` and `user`. Also `--log-format`.",
            rabbitmq=("log.console.formatter", "log.file.formatter"),
            from_rabbitmq=_log_format,
        )
    )


@frozen
class ResourceSettings:
    """What may run out, and when publishers are blocked for it."""

    memory_high_watermark: Watermark = configured(
        Key(
            "memory_high_watermark",
            watermark,
            MEMORY_HIGH_WATERMARK,
            "Memory use of the process that blocks publishers: a fraction of the machine's memory "
            "from 0 to 1, or a size. `warren ctl set_vm_memory_high_watermark` changes it until the "
            "application ends.",
            rabbitmq=("vm_memory_high_watermark.relative", "vm_memory_high_watermark.absolute"),
            from_rabbitmq=information_unit,
        )
    )
    disk_free_limit_bytes: int = configured(
        Key(
            "disk_free_limit_bytes",
            size(0, BYTES_MOST),
            50 * 10**6,
            "Free space on the data directory's file system below which publishers are blocked, in bytes. "
            "`warren ctl set_disk_free_limit` changes it until the application ends.",
            rabbitmq=("disk_free_limit.absolute",),
            from_rabbitmq=information_unit,
        )
    )


@frozen
class FirstStartSettings:
    """What a new store begins with, and what every start imports."""

    default_user: str = configured(
        Key(
            "default_user",
            text,
            "guest",
            "User that is made, with the tags and permissions of the keys below, when the data directory is new.",
            rabbitmq=("default_user",),
        )
    )
    default_password: str = configured(
        Key(
            "default_pass",
            text,
            "guest",
            "Password of that user. It is not shown by `warren ctl environment`.",
            rabbitmq=("default_pass",),
            secret=True,
        )
    )
    default_user_tags: frozenset[str] = configured(
        Key(
            "default_user_tags",
            names,
            frozenset({"administrator"}),
            "Tags of that user. In a rabbitmq.conf: `default_user_tags.administrator = false`, and so on.",
        )
    )
    default_permissions_configure: str = configured(
        Key(
            "default_permissions_configure",
            _pattern,
            ".*",
            "What that user may declare and delete: a regular expression. The empty one is nothing.",
            rabbitmq=("default_permissions.configure",),
        )
    )
    default_permissions_write: str = configured(
        Key(
            "default_permissions_write",
            _pattern,
            ".*",
            "What that user may publish to and bind.",
            rabbitmq=("default_permissions.write",),
        )
    )
    default_permissions_read: str = configured(
        Key(
            "default_permissions_read",
            _pattern,
            ".*",
            "What that user may consume from.",
            rabbitmq=("default_permissions.read",),
        )
    )
    default_vhost: str = configured(
        Key(
            "default_vhost",
            text,
            "/",
            "Virtual host that is made when the data directory is new.",
            rabbitmq=("default_vhost",),
        )
    )
    load_definitions: Path | None = configured(
        Key(
            "load_definitions",
            path,
            None,
            "Definitions, as exported by RabbitMQ or Warren, that are imported at every start: a "
            "file, or a directory of `*.json` files. A new store then gets no default user and "
            "virtual host.",
            rabbitmq=("load_definitions", "management.load_definitions", "definitions.local.path"),
        )
    )
    definitions_skip_if_unchanged: bool = configured(
        Key(
            "definitions_skip_if_unchanged",
            boolean,
            False,
            "Whether a start leaves out definitions that are the same, byte for byte, as those that "
            "were imported last. What was changed or deleted since then stays so.",
            rabbitmq=("definitions.skip_if_unchanged",),
        )
    )
