"""The plugin: listeners `http` are served from its start on, with what is imported when the first connection comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.gateway.plugin import Context, ServingPlugin, keys_of, need_packages, refused_connection
from warren.plugins.management.oauth_settings import OAuthSettings
from warren.plugins.management.settings import ManagementSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.plugins.management.serving import HttpServer

PACKAGES: Final = ("h11", "starlette", "msgspec")
"""What is imported with the first connection."""

need_packages(*PACKAGES)

API: Final = "/api"
"""Where the API is, below the prefix that an operator may put before it."""

BUSY_BODY: Final = b'{"error":"service_unavailable","reason":"too many connections (management_connections_max)"}'


class ManagementPlugin(ServingPlugin):
    """See the head of this file."""

    name = "management"
    about = "RabbitMQ's HTTP API"
    keys = (*keys_of(ManagementSettings), *keys_of(OAuthSettings))
    listener = "http"
    limit = "management_connections_max"
    busy = refused_connection("application/json", BUSY_BODY)

    def connections_max(self, context: Context) -> int:
        return context.options.section(ManagementSettings).connections_max

    def path(self, context: Context) -> str:
        return context.options.section(ManagementSettings).path_prefix + API

    def load(self) -> Callable[[Context], HttpServer]:
        from warren.plugins.management.serving import HttpServer

        return lambda context: HttpServer(context, context.options.section(ManagementSettings))
