"""Runtime parameters: small JSON values that administrators set while the broker runs, most of them for plugins.

A parameter belongs to a component (`shovel`, `federation-upstream`, `vhost-limits`...), a virtual host and a name.
A component is an object that checks values before they are kept and hears of every change; it may be registered after
its values were restored, as a plugin is, and hears of all of them then.  Values of components that nobody registered
are kept when they come with imported definitions, but can't be set one by one, where a typing mistake is likelier.

Global parameters have a name alone; nobody checks them, and `watch` tells who wants to know.

Policies are runtime parameters in RabbitMQ too.  Here they have a table of their own (`core.policies.table`); the
functions at the end see to it that operator policies can be handled under their component's name all the same.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from warren.core.component import Component
from warren.core.errors import BrokerError, NoSuchParameter, PreconditionFailed
from warren.core.policies.policy import OPERATOR_POLICY, POLICY, policy_from_value

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.cluster.agreements import Agreements
    from warren.core.storage.definitions.store import JSON, DefinitionStore

_log = logging.getLogger("warren.parameters")

PARAMETER: Final = "parameter"
GLOBAL_PARAMETER: Final = "global_parameter"
"""Kinds of rows in the definition store."""


class ParameterComponent(Protocol):
    """What parameters of one component are for."""

    def check(self, vhost: str, name: str, value: JSON) -> None:
        """Raise PreconditionFailed for a value that can't be used."""

    def changed(self, vhost: str, name: str, value: JSON) -> None:
        """A checked value was set, or is there already when the component is registered."""

    def cleared(self, vhost: str, name: str) -> None:
        """A value was removed."""


CLEARED_PER_SLICE: Final = 50
"""Parameters of a virtual host that is deleted which go in one turn."""

Reached = Callable[["JSON"], Iterable[tuple[str, str | None]]]
"""Takes a checked value; the virtual hosts of this broker in which something is done because of it, each with the user
as whom, None for as the broker, which may do everything."""


class Parameter(NamedTuple):
    """One runtime parameter."""

    vhost: str
    component: str
    name: str
    value: JSON


class Parameters(Component):
    """All runtime parameters, kept in `store`.

    agreements: of the cluster that they belong to, if there is one (core.cluster.agreements).
    """

    __slots__ = ("_components", "_globals", "_reached", "_store", "_values", "_watchers", "agreements")

    def __init__(self, store: DefinitionStore) -> None:
        self._store = store
        self.agreements: Agreements | None = None
        self._values: dict[tuple[str, str, str], JSON] = {}
        self._globals: dict[str, JSON] = {}
        self._components: dict[str, ParameterComponent] = {}
        self._reached: dict[str, Reached] = {}
        self._watchers: dict[str, list[Callable[[JSON], None]]] = {}

    def restore(self, kind: str, vhost: str, name: str, value: Mapping[str, JSON]) -> bool:
        """Take a row of the definition store if its kind is ours, else return False."""
        if kind == PARAMETER:
            component, parameter = json.loads(name)
            self._values[vhost, component, parameter] = value["value"]
            if component in self._components:
                self._components[component].changed(vhost, parameter, value["value"])
        elif kind == GLOBAL_PARAMETER:
            self._globals[name] = value["value"]
        else:
            return False
        return True

    def register(self, component: str, listener: ParameterComponent, reached: Reached | None = None) -> None:
        """Have `listener` check and hear of the values of a component; those that are there, it hears of at once.

        A value kept from before that it refuses is logged and left out.  Raises ValueError for a second one.
        """
        if component in self._components:
            raise ValueError(f"component {component!r} is registered already")
        self._components[component] = listener
        if reached is not None:
            self._reached[component] = reached
        for found in self.find(component=component):
            try:
                listener.check(found.vhost, found.name, found.value)
            except BrokerError as error:
                _log.warning("parameter '%s' of component '%s' can't be used: %s", found.name, component, error)
            else:
                listener.changed(found.vhost, found.name, found.value)

    def unregister(self, component: str) -> None:
        """Undo `register`; the values stay."""
        self._components.pop(component, None)
        self._reached.pop(component, None)

    def knows(self, component: str) -> bool:
        """True when somebody checks the values of this component."""
        return component in self._components

    def check(self, vhost: str, component: str, name: str, value: JSON, *, unknown_too: bool = False) -> None:
        """Raise PreconditionFailed unless `set` would accept the value.

        unknown_too: accept values of components that nobody registered.
        """
        listener = self._components.get(component)
        if listener is not None:
            listener.check(vhost, name, value)
        elif not unknown_too:
            known = ", ".join(sorted(self._components))
            raise PreconditionFailed(f"component {component} not found; the components are {known}")

    def set(self, vhost: str, component: str, name: str, value: JSON, *, unknown_too: bool = False) -> None:
        """Add or replace a value; PreconditionFailed as `check` raises it."""
        if self._is_agreed("set", vhost, component, name, repr(value)):
            return
        self.check(vhost, component, name, value, unknown_too=unknown_too)
        self._store.check_room(len(str(value)))
        if self.agreements is not None:
            self.agreements.ask((PARAMETER, vhost, _row_name(component, name), {"value": value}))
        self._store.put(PARAMETER, vhost, _row_name(component, name), {"value": value})
        self._values[vhost, component, name] = value
        listener = self._components.get(component)
        if listener is not None:
            listener.changed(vhost, name, value)

    def reached(self, component: str, value: JSON) -> list[tuple[str, str | None]]:
        """Where something is done because of a checked value, and as whom: see Reached."""
        reached = self._reached.get(component)
        return [] if reached is None else list(reached(value))

    def clear(self, vhost: str, component: str, name: str) -> None:
        """Remove a value; NotFound when there is none."""
        if self._is_agreed("clear", vhost, component, name):
            return
        if (vhost, component, name) not in self._values:
            text = f"no '{name}' of component '{component}' in vhost '{vhost}'"
            raise NoSuchParameter(f"Parameter does not exist: there is {text}")
        if self.agreements is not None:
            self.agreements.ask((PARAMETER, vhost, _row_name(component, name), None))
        self._clear(vhost, component, name)

    def _clear(self, vhost: str, component: str, name: str) -> None:
        del self._values[vhost, component, name]
        self._store.delete(PARAMETER, vhost, _row_name(component, name))
        listener = self._components.get(component)
        if listener is not None:
            listener.cleared(vhost, name)

    def get(self, vhost: str, component: str, name: str) -> JSON:
        """The value, None when there is none."""
        return self._values.get((vhost, component, name))

    def find(self, *, vhost: str | None = None, component: str | None = None) -> list[Parameter]:
        """Those of a virtual host, of a component, of both, or all, in the order of setting."""
        return [
            Parameter(*key, value)
            for key, value in self._values.items()
            if vhost in (None, key[0]) and component in (None, key[1])
        ]

    def _is_agreed(self, *intent: str) -> bool:
        return self.agreements is not None and self.agreements.begin(("parameter", *intent))

    def leave_vhost(self, name: str) -> Iterator[None]:
        """A virtual host is being deleted: its parameters go in slices, as somebody may hear of each."""
        for number, found in enumerate(self.find(vhost=name), 1):
            self._clear(*found[:3])
            if number % CLEARED_PER_SLICE == 0:
                yield

    def forget_vhost(self, vhost: str) -> None:
        """A virtual host is being deleted, and its parameters with it."""
        for found in self.find(vhost=vhost):
            self._clear(*found[:3])

    # Global parameters

    def set_global(self, name: str, value: JSON) -> None:
        """Add or replace a global value; PreconditionFailed for an empty name."""
        if self._is_agreed("set", name, repr(value)):
            return
        if not name:
            raise PreconditionFailed("a global parameter needs a name")
        self._store.check_room(len(str(value)))
        if self.agreements is not None:
            self.agreements.ask((GLOBAL_PARAMETER, "", name, {"value": value}))
        self._store.put(GLOBAL_PARAMETER, "", name, {"value": value})
        self._globals[name] = value
        for watcher in self._watchers.get(name, ()):
            watcher(value)

    def clear_global(self, name: str) -> None:
        """Remove a global value; NotFound when there is none."""
        if self._is_agreed("clear", name):
            return
        if name not in self._globals:
            raise NoSuchParameter(f"Parameter does not exist: there is no global parameter '{name}'")
        if self.agreements is not None:
            self.agreements.ask((GLOBAL_PARAMETER, "", name, None))
        del self._globals[name]
        self._store.delete(GLOBAL_PARAMETER, "", name)
        for watcher in self._watchers.get(name, ()):
            watcher(None)

    def get_global(self, name: str) -> JSON:
        """The global value, None when there is none."""
        return self._globals.get(name)

    def globals(self) -> list[tuple[str, JSON]]:
        """(name, value) of all global parameters, in the order of setting."""
        return list(self._globals.items())

    def watch(self, name: str, watcher: Callable[[JSON], None]) -> None:
        """Have `watcher` called with the new value whenever a global parameter changes, None when it is cleared."""
        self._watchers.setdefault(name, []).append(watcher)


def set_parameter(broker: Broker, vhost: str, component: str, name: str, value: JSON) -> None:
    """Set a parameter under its component's name, operator policies included.

    Raises NotAllowed for an unknown virtual host, PreconditionFailed for what the component refuses.
    """
    found = broker.vhost(vhost)
    if component == POLICY:
        raise PreconditionFailed("policies may not be set using this method; set_policy does it")
    if component == OPERATOR_POLICY:
        broker.policies.set(found, policy_from_value(OPERATOR_POLICY, name, value))
    else:
        broker.parameters.set(vhost, component, name, value)


def clear_parameter(broker: Broker, vhost: str, component: str, name: str) -> None:
    """The opposite of `set_parameter`; NotFound when there is no such parameter."""
    found = broker.vhost(vhost)
    if component == OPERATOR_POLICY:
        broker.policies.clear(found, OPERATOR_POLICY, name)
    else:
        broker.parameters.clear(vhost, component, name)


def list_parameters(broker: Broker, vhost: str) -> list[Parameter]:
    """The parameters of a virtual host, operator policies included."""
    operators = broker.policies.in_vhost(OPERATOR_POLICY, vhost)
    return [
        *broker.parameters.find(vhost=vhost),
        *(Parameter(vhost, OPERATOR_POLICY, policy.name, policy.value()) for policy in operators),
    ]


def parameter_row(vhost: str, component: str, name: str) -> tuple[str, str, str]:
    """Kind, virtual host and name of the row that a parameter is kept in."""
    if component == OPERATOR_POLICY:
        return OPERATOR_POLICY, vhost, name
    return PARAMETER, vhost, _row_name(component, name)


def _row_name(component: str, name: str) -> str:
    return json.dumps([component, name])
