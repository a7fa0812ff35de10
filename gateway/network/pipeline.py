"""What stands between an accepted socket and the session of a listener's protocol, put together from its options.

    amqp                      the session itself
    amqps                     TLS, in it the session
    auto                      the first bytes decide; TLS, if they say so, in it the decision once more
    ...?proxy_protocol=true   the PROXY header before everything else

Each kind of stage is imported when a listener has it: a start should take no longer than it has to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from warren.gateway.configuration.config import ConfigError
from warren.gateway.configuration.options import accept_by_protocol, adapters_for
from warren.gateway.network.settings import NetworkSettings
from warren.gateway.protocols import AUTO
from warren.gateway.tls.settings import TlsSettings

if TYPE_CHECKING:
    from datetime import datetime

    from warren.adapters.interface import AcceptCarrier, Adapter
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Carrier, Session
    from warren.gateway.configuration.config import Config
    from warren.gateway.loading.late import Late
    from warren.gateway.network.addresses import Listener
    from warren.gateway.tls.contexts import TlsContexts

_log = logging.getLogger("warren.tls")

Encrypt = Callable[["AcceptCarrier"], "AcceptCarrier"]
"""Puts TLS around something."""


class Pipelines:
    """Makes what each listener calls for.

    now_ms: the time, for looking at certificates.  late: lets connections wait for what isn't imported yet; without it
    everything is, but for what is imported on demand.  settings: the classes of settings that are in what is made.

    Raises ConfigError when TLS is wanted and can't be had, StorageError for a protocol that can't be loaded; both end
    the start.
    """

    def __init__(self, config: Config, listeners: Iterable[Listener], now_ms: int, late: Late | None = None) -> None:
        listeners = list(listeners)
        self._timeout_ms = config.section(NetworkSettings).first_bytes_timeout_ms
        names = [listener.protocol for listener in listeners]
        asked: list[type[object]] = []
        self._accepts = accept_by_protocol(config, names, asked, late)
        self._adapters = adapters_for(names)
        self._contexts = _certificates(config.section(TlsSettings), listeners, now_ms)
        self._encrypt = _encryption(self._contexts, self._adapters) if self._contexts is not None else None
        self.settings = [*asked, TlsSettings]

    def reload_certificates(self, now_ms: int, why: str) -> bool:
        """Load the files of TLS again; False where no listener uses it.  why: for the log, as `on SIGHUP`."""
        if self._contexts is None:
            return False
        self._contexts.reload(now_ms, why)
        return True

    @property
    def certificates(self) -> Mapping[str, datetime]:
        """Until when each certificate is valid, by its file; none where no listener uses TLS."""
        return {} if self._contexts is None else self._contexts.valid_until

    def accept(self, listener: Listener) -> AcceptCarrier:
        """What makes the first stage, or the session, of a connection that this listener has accepted."""
        accept: AcceptCarrier
        if listener.protocol == AUTO:
            accept = self._detect(None)
            if self._encrypt is not None and not listener.tls:
                accept = self._detect(self._encrypt(accept))
        else:
            accept = self._accepts[listener.protocol]
        if self._encrypt is not None and listener.tls:
            accept = self._encrypt(accept)
        if listener.proxy_protocol:
            from warren.adapters.proxy_protocol.stage import expect_proxy_header

            accept = expect_proxy_header(accept, self._timeout_ms)
        return accept

    def _detect(self, tls: AcceptCarrier | None) -> AcceptCarrier:
        from warren.adapters.detection import Choices, detect

        adapters = {name: each for name, each in self._adapters.items() if each.first_bytes is not None}
        accepts = {name: self._accepts[name] for name in adapters}
        return detect(Choices(adapters, accepts, tls, self._timeout_ms))


def _certificates(settings: TlsSettings, listeners: Iterable[Listener], now_ms: int) -> TlsContexts | None:
    """The configured certificates, if a listener can use them; nothing of TLS is imported otherwise."""
    has_certificate = settings.certificate_file is not None
    wanted = [listener for listener in listeners if listener.tls or (has_certificate and listener.protocol == AUTO)]
    if not wanted:
        if has_certificate:
            _log.warning("no listener uses tls_certificate_file; name one with TLS, such as amqps=0.0.0.0:5671")
        return None
    if not has_certificate:
        raise ConfigError(
            f"the listener {wanted[0]} needs a certificate: set tls_certificate_file and tls_key_file "
            "(`warren tls dev` makes them to try things out)"
        )
    from warren.gateway.tls.contexts import TlsContexts

    return TlsContexts(settings, now_ms)


def _encryption(contexts: TlsContexts, adapters: Mapping[str, Adapter]) -> Encrypt:
    """TLS with these certificates.  adapters: what can be told apart where somebody speaks without TLS."""
    from warren.gateway.tls.stage import TlsStage

    def encrypt(accept: AcceptCarrier) -> AcceptCarrier:
        def accept_encrypted(broker: Broker, below: Carrier) -> tuple[Session, Outbox]:
            stage = TlsStage(broker, below, contexts, accept, adapters)
            return stage, stage.outbox

        return accept_encrypted

    return encrypt
