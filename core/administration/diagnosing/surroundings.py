"""What an examination is told of the process, which core can't know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class Port(Protocol):
    """An address that is listened on (gateway.listening)."""

    @property
    def protocol(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def tls(self) -> bool: ...


class Resources(Protocol):
    """What may run out (gateway.facts); in bytes, but for the descriptors."""

    @property
    def memory_used(self) -> int: ...
    @property
    def memory_limit(self) -> int: ...
    @property
    def disk_free(self) -> int | None: ...
    @property
    def disk_free_limit(self) -> int | None: ...
    @property
    def descriptors_used(self) -> int: ...
    @property
    def descriptors_max(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """ports: where it listens.  certificates: until when each is valid, in milliseconds since 1970, by its file.

    resources: None where nobody knows.
    """

    ports: Sequence[Port] = ()
    certificates: Mapping[str, int] = field(default_factory=dict)
    resources: Resources | None = None
