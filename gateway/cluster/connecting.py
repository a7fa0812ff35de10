"""How a node reaches its NATS servers, by its configuration."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from warren.gateway.cluster.errors import ClusterRefusedError
from warren.gateway.nats.addresses import parse_servers
from warren.gateway.nats.login import Login, login_of_credentials
from warren.gateway.nats.options import Options

if TYPE_CHECKING:
    from warren.gateway.cluster.settings import ClusterSettings


def options_of(settings: ClusterSettings, name: str) -> Options:
    """What clients are told.  name: this node's.  Raises ClusterRefusedError for files that can't be used."""
    try:
        login = Login()
        if settings.credentials is not None:
            login = login_of_credentials(settings.credentials.read_text())
        return Options(parse_servers(settings.servers), login=login, tls=_tls(settings), name=f"warren {name}")
    except (OSError, ValueError) as error:
        raise ClusterRefusedError(f"the NATS servers of the cluster can't be used: {error}") from error


def _tls(settings: ClusterSettings) -> ssl.SSLContext | None:
    if settings.ca_file is None and settings.certificate_file is None:
        return None
    context = ssl.create_default_context(cafile=None if settings.ca_file is None else str(settings.ca_file))
    if settings.certificate_file is not None:
        key = None if settings.key_file is None else str(settings.key_file)
        context.load_cert_chain(str(settings.certificate_file), key)
    return context
