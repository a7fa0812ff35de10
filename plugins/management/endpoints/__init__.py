"""All endpoints, by subject; a module of endpoints that isn't named here isn't found."""

from __future__ import annotations

from typing import Any, Final

from warren.plugins.management.endpoint import Call, Endpoint, endpoint, endpoints_of
from warren.plugins.management.endpoints import (
    activity,
    bindings,
    browsing,
    connections,
    control,
    definitions,
    delayed,
    doctor,
    exchanges,
    explain,
    formalities,
    frames,
    health,
    limits,
    logins,
    messages,
    moving,
    mqtt,
    nodes,
    overview,
    parameters,
    permissions,
    plugins,
    policies,
    queues,
    replicas,
    stream_clients,
    streams,
    tail,
    users,
    vhosts,
)
from warren.plugins.management.openapi import document
from warren.plugins.management.settings import ManagementSettings

OF_SUBJECTS: Final[tuple[Endpoint, ...]] = tuple(
    each
    for module in (
        overview,
        activity,
        nodes,
        vhosts,
        users,
        logins,
        permissions,
        exchanges,
        queues,
        replicas,
        bindings,
        messages,
        browsing,
        streams,
        moving,
        delayed,
        mqtt,
        explain,
        connections,
        stream_clients,
        frames,
        tail,
        policies,
        parameters,
        limits,
        definitions,
        health,
        doctor,
        formalities,
        plugins,
        control,
    )
    for each in endpoints_of(module)
)
"""All but the document that describes them."""


@endpoint("GET", "/openapi.json", "This API as an OpenAPI document.", answer=dict[str, Any])
async def get_openapi(call: Call) -> object:
    prefix = call.context.options.section(ManagementSettings).path_prefix
    return document(ENDPOINTS, call.node.warren_version, prefix)


ENDPOINTS: Final[tuple[Endpoint, ...]] = (*OF_SUBJECTS, get_openapi)
"""In the order of the documentation."""
