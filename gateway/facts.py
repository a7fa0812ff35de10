"""What there is to know of the broker's process, for plugins (warren.gateway.plugin)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from socket import gethostname

from warren.core.frozen import frozen


def node_name() -> str:
    """What the one node is called where RabbitMQ names nodes: `warren@HOST`."""
    return f"warren@{gethostname()}"


@frozen
class Facts:
    """What there is to know of the broker.

    listening: addresses by the listener's name.  data_directory: None when everything is in memory; a plugin may keep
    files of its own there, in a folder `plugins/NAME`.  started_at_ms: in milliseconds since 1970.  certificates: until
    when each is valid, in milliseconds since 1970, by its file.  configuration: gives the value of every key as JSON
    has it, with secrets hidden.  suspended: whether clients' connections are refused for maintenance.
    """

    version: str
    cluster_name: str
    data_directory: Path | None
    listening: Mapping[str, Sequence[tuple[str, int]]]
    started_at_ms: int
    certificates: Mapping[str, int] = field(default_factory=dict)
    configuration: Callable[[], Mapping[str, object]] = dict
    suspended: bool = False

    @property
    def node_name(self) -> str:
        """As RabbitMQ names nodes."""
        return node_name()

    @property
    def host_name(self) -> str:
        """The machine's own."""
        return gethostname()


@frozen
class Resources:
    """What the process uses of what may run out, and how much it may; in bytes, but for the descriptors.

    disk_free, disk_free_limit: of the data directory's file system; None when everything is in memory.
    """

    memory_used: int
    memory_limit: int
    disk_free: int | None
    disk_free_limit: int | None
    descriptors_used: int
    descriptors_max: int
