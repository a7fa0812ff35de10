"""The protocols that this installation can speak: their names, and their adapters loaded when one is asked for.

Which names there are is known without importing any adapter (adapters.registry, and the entry points of other
packages), and other packages are only looked for when something isn't Warren's own: a start should take no longer than
it has to.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from importlib import import_module
from typing import Final

from warren.adapters.first_bytes import title_of
from warren.adapters.interface import ENTRY_POINT_GROUP, Adapter
from warren.adapters.registry import OWN, STREAM_FORM
from warren.core.errors import StorageError
from warren.core.streams.form import Form, use_form

_log = logging.getLogger("warren.protocols")

AUTO: Final = "auto"
"""The protocol of a listener on which the first bytes tell what is spoken."""

TLS_SUFFIX: Final = "s"
"""A protocol's name with this is the same over TLS: amqps, mqtts, wss."""


class Protocols(Collection[str]):
    """The names of all protocols, Warren's own first, and their adapters (adapters.interface.Installed)."""

    def __contains__(self, name: object) -> bool:
        return name in OWN or (not _is_taken(name) and name in _found())

    def __iter__(self) -> Iterator[str]:
        yield from OWN
        yield from (name for name in _found() if name not in OWN)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def adapter(self, name: str) -> Adapter:
        """The protocol's adapter.  Raises StorageError, which ends the start, when there is none that can be loaded."""
        where = OWN.get(name) or _found().get(name)
        if where is None:
            raise StorageError(f"no adapter for the protocol '{name}' is installed; there are {', '.join(self)}")
        return _load(name, where)

    def own(self) -> Mapping[str, Adapter]:
        """Warren's adapters by name, the default one first."""
        return {name: _load(name, where) for name, where in OWN.items()}

    def others(self) -> Mapping[str, Adapter]:
        """Those of other packages; what can't be loaded is a warning in the log, until a listener names it."""
        adapters: dict[str, Adapter] = {}
        for name, where in _found().items():
            if name not in OWN and not _is_taken(name):
                try:
                    adapters[name] = _load(name, where)
                except StorageError as error:
                    _log.warning("%s", error)
        return adapters


PROTOCOLS: Final = Protocols()
"""Protocols that a listener can be named for."""


def _is_taken(name: object) -> bool:
    """Whether the name is one of Warren's own over TLS, or `auto`: other packages can't have these."""
    return name == AUTO or (isinstance(name, str) and name.endswith(TLS_SUFFIX) and name[: -len(TLS_SUFFIX)] in OWN)


def _load(name: str, where: str) -> Adapter:
    module, _, attribute = where.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise StorageError(
            f"the adapter for the protocol '{name}' ({where}) can't be loaded: {error}; "
            "install its package again, or remove the listener"
        ) from error
    return found if isinstance(found, Adapter) else Adapter(found)


def _found() -> dict[str, str]:
    """The adapters that other packages offer: the name of the protocol to `module:name`."""
    from importlib.metadata import entry_points

    return {entry.name: f"{entry.module}:{entry.attr}" for entry in entry_points(group=ENTRY_POINT_GROUP)}


def _stream_form() -> Form:
    """The form of streams; imported when a message goes into one."""
    module, _, attribute = STREAM_FORM.partition(":")
    form: Form = getattr(import_module(module), attribute)()
    return form


use_form(_stream_form)


def what_on(listener_name: str, address: str) -> str:
    """What a listener is for, and how to get there, for the log."""
    if listener_name in ("ws", "wss"):
        return f"WebSocket on {address}, with the page at http{'s' if listener_name == 'wss' else ''}://{address}/"
    if listener_name in ("auto", "autos"):
        return f"every protocol{' over TLS' if listener_name == 'autos' else ''} on {address}"
    over_tls = listener_name not in PROTOCOLS
    protocol = listener_name.removesuffix(TLS_SUFFIX) if over_tls else listener_name
    return f"{title_of(protocol, PROTOCOLS.adapter(protocol))}{' over TLS' if over_tls else ''} on {address}"
