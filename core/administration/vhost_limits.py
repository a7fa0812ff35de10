"""Limits of a virtual host, which RabbitMQ keeps as the runtime parameter `limits` of component `vhost-limits`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from warren.core.clients.limits import VHOST_LIMITS, check_limits
from warren.core.errors import PreconditionFailed

if TYPE_CHECKING:
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON

COMPONENT: Final = "vhost-limits"
NAME: Final = "limits"


class VhostLimits:
    """The component (see core.administration.parameters): hands the limits on to the virtual hosts in `vhosts`.

    on_change: called then.
    """

    def __init__(self, vhosts: Mapping[str, VirtualHost], on_change: Callable[[], None]) -> None:
        self._vhosts = vhosts
        self._on_change = on_change

    def check(self, vhost: str, name: str, value: JSON) -> None:
        """Raise PreconditionFailed for another name than `limits`, or what isn't limits."""
        if name != NAME:
            raise PreconditionFailed(f"the only parameter of component {COMPONENT} is '{NAME}', not '{name}'")
        check_limits(value, VHOST_LIMITS, NAME)

    def changed(self, vhost: str, name: str, value: JSON) -> None:
        """New limits; what is over them already stays."""
        if vhost in self._vhosts:
            self._vhosts[vhost].limits = check_limits(value, VHOST_LIMITS, NAME)
            self._on_change()

    def cleared(self, vhost: str, name: str) -> None:
        """No limits any more."""
        if vhost in self._vhosts:
            self._vhosts[vhost].limits = {}
            self._on_change()
