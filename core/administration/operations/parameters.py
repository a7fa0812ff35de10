"""Operations on runtime parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.administration import parameters
from warren.core.administration.operations import vhosts

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.storage.definitions.store import JSON


def set_parameter(broker: Broker, vhost: str, component: str, name: str, value: JSON) -> None:
    """Set a parameter of a component; NotFound, PreconditionFailed for an unknown component or an unusable value."""
    parameters.set_parameter(broker, vhosts.existing(broker, vhost).name, component, name, value)


def clear_parameter(broker: Broker, vhost: str, component: str, name: str) -> None:
    """Remove a parameter of a component; NotFound, NoSuchParameter when there is none of this name."""
    parameters.clear_parameter(broker, vhosts.existing(broker, vhost).name, component, name)


def set_global(broker: Broker, name: str, value: JSON) -> None:
    """Set a parameter of the whole broker; PreconditionFailed for a blank name."""
    broker.parameters.set_global(name, value)


def clear_global(broker: Broker, name: str) -> None:
    """Remove a parameter of the whole broker; NoSuchParameter."""
    broker.parameters.clear_global(name)
