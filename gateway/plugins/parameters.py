"""A plugin's component of runtime parameters: its validator, guarded, and who wants to hear of changes."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

import trio

from warren.core.errors import BrokerError, PreconditionFailed
from warren.gateway.plugin import CheckParameter, ParameterChange

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON


class PluginComponent:
    """Implements core.administration.parameters.Component.

    A validator that fails in another way than by a BrokerError refuses the value, and its traceback goes to the log.
    """

    def __init__(self, plugin: str, component: str, check: CheckParameter, log: logging.Logger) -> None:
        self._plugin = plugin
        self._component = component
        self._check = check
        self._log = log
        self._values: dict[tuple[str, str], JSON] = {}
        self._readers: set[ParameterReader] = set()

    def check(self, vhost: str, name: str, value: JSON) -> None:
        """Raise PreconditionFailed for a value that the plugin can't use."""
        try:
            self._check(vhost, name, value)
        except BrokerError:
            raise
        except Exception as error:
            self._log.exception("the check of component '%s' failed", self._component)
            raise PreconditionFailed(
                f"the plugin '{self._plugin}' failed to check '{name}' of component '{self._component}': {error!r}"
            ) from error

    def changed(self, vhost: str, name: str, value: JSON) -> None:
        """A value was set, or is there already."""
        self._values[vhost, name] = value
        self._tell(ParameterChange(vhost, name, value))

    def cleared(self, vhost: str, name: str) -> None:
        """A value was removed; one that couldn't be used was never told."""
        if self._values.pop((vhost, name), _NEVER) is not _NEVER:
            self._tell(ParameterChange(vhost, name, None, removed=True))

    def reader(self) -> ParameterReader:
        """The values that there are, and changes from now on, until `forget`."""
        found = ParameterReader(ParameterChange(*key, value) for key, value in self._values.items())
        self._readers.add(found)
        return found

    def forget(self, reader: ParameterReader) -> None:
        """Nobody reads it any more."""
        self._readers.discard(reader)

    def _tell(self, change: ParameterChange) -> None:
        for reader in self._readers:
            reader.put(change)


_NEVER = object()


class ParameterReader:
    """An async iterator over changes; of several changes of one parameter it gives the latest."""

    def __init__(self, changes: Iterable[ParameterChange]) -> None:
        self._pending = {(change.vhost, change.name): change for change in changes}
        self._parking = trio.lowlevel.ParkingLot()

    def put(self, change: ParameterChange) -> None:
        """A parameter has changed."""
        self._pending.pop((change.vhost, change.name), None)
        self._pending[change.vhost, change.name] = change
        self._parking.unpark_all()

    def __aiter__(self) -> ParameterReader:
        return self

    async def __anext__(self) -> ParameterChange:
        if self._pending:
            await trio.lowlevel.checkpoint()
        while not self._pending:
            await self._parking.park()
        return self._pending.pop(next(iter(self._pending)))
