"""Runtime parameters, as list_parameters and list_global_parameters show them (spec F.3, F.8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from warren.core.administration.listing.column import Column, Row, named
from warren.core.administration.listing.kind import Kind, Vhosts, vhosts_among
from warren.core.administration.parameters import Parameter, list_parameters

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.storage.definitions.store import JSON


class ParameterRow(Row):
    """One parameter of a component."""

    __slots__ = ("parameter",)

    def __init__(self, parameter: Parameter) -> None:
        self.parameter = parameter

    @Column
    def vhost(self) -> str:
        """The virtual host it is in."""
        return self.parameter.vhost

    @Column
    def component(self) -> str:
        """Whose parameter it is, such as shovel."""
        return self.parameter.component

    @Column
    def name(self) -> str:
        """Its name."""
        return self.parameter.name

    @named("value")
    def content(self) -> JSON:
        """What it is set to."""
        return self.parameter.value


class GlobalParameterRow(Row):
    """One parameter of the whole broker."""

    __slots__ = ("_content", "_name")

    def __init__(self, name: str, content: JSON) -> None:
        self._name = name
        self._content = content

    @Column
    def name(self) -> str:
        """Its name."""
        return self._name

    @named("value")
    def content(self) -> JSON:
        """What it is set to."""
        return self._content


def _parameters(broker: Broker, vhosts: Vhosts) -> Iterator[ParameterRow]:
    for vhost in vhosts_among(broker, vhosts):
        yield from map(ParameterRow, list_parameters(broker, vhost.name))


def _count_parameters(broker: Broker, vhosts: Vhosts) -> int:
    return sum(len(list_parameters(broker, vhost.name)) for vhost in vhosts_among(broker, vhosts))


def _globals(broker: Broker, vhosts: Vhosts) -> Iterator[GlobalParameterRow]:
    for name, content in broker.parameters.globals():
        yield GlobalParameterRow(name, content)


def _count_globals(broker: Broker, vhosts: Vhosts) -> int:
    return len(broker.parameters.globals())


PARAMETERS = Kind("parameters", ParameterRow, _parameters, _count_parameters, shown=("component", "name", "value"))
GLOBAL_PARAMETERS = Kind("global_parameters", GlobalParameterRow, _globals, _count_globals, shown=("name", "value"))
