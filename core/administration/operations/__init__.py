"""What administrators do, for whoever asks: the control socket, the management API, programs that embed a broker.

By subject, a function for each operation.  It takes the broker and typed arguments, gives a typed result, and raises
errors of core whose texts are for people: NotFound for what isn't there, PreconditionFailed for what can't be.
Callers translate both ways and decide nothing.  The caller ends the turn afterwards (`Broker.end_turn`).

Work that may be long comes as `Steps` (`core.administration.steps`), which the caller drives in slices.
"""

from __future__ import annotations

from warren.core.administration.operations import (
    activity,
    bindings,
    certificates,
    connections,
    definitions,
    delayed,
    doctor,
    exchanges,
    explain,
    limits,
    moving,
    overview,
    parameters,
    permissions,
    policies,
    quarantine,
    queues,
    streams,
    super_streams,
    users,
    vhosts,
)

__all__ = [
    "activity",
    "bindings",
    "certificates",
    "connections",
    "definitions",
    "delayed",
    "doctor",
    "exchanges",
    "explain",
    "limits",
    "moving",
    "overview",
    "parameters",
    "permissions",
    "policies",
    "quarantine",
    "queues",
    "streams",
    "super_streams",
    "users",
    "vhosts",
]
