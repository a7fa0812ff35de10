"""Listeners whose protocol is spoken neither by an adapter nor by the broker, as adapters.

Everything around it is as for any other protocol: addresses, TLS, the PROXY header, limits of file descriptors, peers
that read nothing.  What comes is kept for whoever serves the listener (`desk`), and what that writes is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.interface import Adapter
from warren.adapters.streams.settings import StreamSettings

if TYPE_CHECKING:
    from warren.adapters.interface import AcceptCarrier, Options
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Session, Transport
    from warren.core.component import Component


def stream_adapter(name: str, title: str) -> Adapter:
    """An adapter for listeners of this name.  title: what the log calls what is spoken there."""

    def configure(options: Options) -> AcceptCarrier:
        from warren.adapters.streams.desk import desk_of
        from warren.adapters.streams.session import StreamSession

        def accept(broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
            session = StreamSession(broker, transport)
            desk_of(broker, name).offer(session)
            return session, session.outbox

        return accept

    def component(broker: Broker, options: Options) -> Component:
        from warren.adapters.streams.desk import StreamDesk

        return StreamDesk(broker, name)

    return Adapter(configure, settings=(StreamSettings,), component=component, title=title)


HTTP: Final = stream_adapter("http", "HTTP")
"""For the management API."""

METRICS: Final = stream_adapter("metrics", "HTTP for metrics")
"""For metrics in Prometheus' format."""
