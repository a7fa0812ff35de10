"""Listening sockets: accepted connections become links with a session of the listener's protocol.

When file descriptors run low, nothing is accepted until some are free again: connections wait in the kernel's queue,
everything connected keeps working, and so does the store, for which `DESCRIPTORS_RESERVED` are kept back.
"""

from __future__ import annotations

import errno
import logging
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.clients.connection_log import log_accepted
from warren.core.errors import StorageError
from warren.gateway.network.addresses import FOR_OPERATORS, format_address, hosts_of
from warren.gateway.network.link import EVENT_READ, Link

if TYPE_CHECKING:
    from warren.adapters.interface import AcceptCarrier
    from warren.core.clients.outbox import Outbox
    from warren.core.deadlines import Deadline
    from warren.gateway.network.addresses import Listener
    from warren.gateway.network.hub import Hub

_log = logging.getLogger("warren.listener")

BACKLOG: Final = 4096
"""Connections that the kernel keeps waiting for accept; a fleet of devices reconnects all at once."""

ACCEPTS_MAX: Final = 64
"""Accepted per turn and listener, so that a flood of connections doesn't starve those that are there."""

DESCRIPTORS_RESERVED: Final = 64
"""Kept back for segments, the definitions, the control socket and what Python opens by itself."""

RETRY_MS: Final = 1000
"""After running out of descriptors, when to look again even if no connection has gone meanwhile."""

TELL_AGAIN_MS: Final = 60_000
"""Between two log lines about the same shortage."""

PORT_ATTEMPTS_MAX: Final = 10
"""How often a port that is free in one family is looked for, when any port will do, until it is free in the other."""

FAMILY_MISSING: Final = frozenset(
    {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT, socket.EAI_FAMILY, socket.EAI_ADDRFAMILY}
)
"""The machine has no addresses of the family, such as IPv6 in many containers."""

EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Connection(Protocol):
    """What a protocol makes for an accepted socket: a session and the outbox that it fills."""

    outbox: Outbox


def listening_sockets(
    hub: Hub, listener: Listener, accept: AcceptCarrier, descriptors_max: int
) -> list[ListeningSocket]:
    """The sockets of a listener: one, or for `localhost` and `*` one of each family that the machine has.

    Both have the same port.  When an address can't be had there are none of an optional listener; else raises
    StorageError, which ends the start.
    """
    try:
        return _all_or_none(hub, listener, accept, descriptors_max)
    except AddressUnusableError as error:
        if not listener.optional:
            raise
        from warren.gateway.network.unusable import elsewhere, options

        _log.warning(
            "%s; going on without it. Elsewhere it is with %s",
            error,
            options([replace(elsewhere(listener, error), optional=False)]),
        )
        return []


def _all_or_none(hub: Hub, listener: Listener, accept: AcceptCarrier, descriptors_max: int) -> list[ListeningSocket]:
    hosts = hosts_of(listener.host)
    if len(hosts) == 1:
        return [ListeningSocket(hub, listener, accept, descriptors_max)]
    for attempt in range(PORT_ATTEMPTS_MAX):
        found: list[ListeningSocket] = []
        port = listener.port
        try:
            for host in hosts:
                one = replace(listener, host=host, port=port)
                try:
                    found.append(ListeningSocket(hub, one, accept, descriptors_max, both_families=True))
                except AddressUnusableError as error:
                    if error.number not in FAMILY_MISSING or (host == hosts[-1] and not found):
                        raise
                else:
                    port = found[0].address[1]
        except AddressUnusableError as error:
            for sock in found:
                sock.close()
            chance = listener.port == 0 and error.number == errno.EADDRINUSE
            if not chance or attempt == PORT_ATTEMPTS_MAX - 1:
                raise
        else:
            break
    return found


class AddressUnusableError(StorageError):
    """An address can't be listened on.

    listener: which one, with one host.  reason: what the system says, in its words.  number: the same, as errno or,
    where it is about a name, as getaddrinfo(3) has it.
    """

    def __init__(self, listener: Listener, reason: str, number: int, *, is_name: bool = False) -> None:
        super().__init__(f"can't listen on {listener.name}={format_address(listener.host, listener.port)}: {reason}")
        self.listener = listener
        self.reason = reason
        self.number = number
        self.is_name = is_name


class ListeningSocket:
    """One bound address; accepts from `open` to `close`.

    both_families: another socket has IPv4's side of `::`.  Raises AddressUnusableError.
    """

    def __init__(
        self, hub: Hub, listener: Listener, accept: AcceptCarrier, descriptors_max: int, *, both_families: bool = False
    ) -> None:
        self._hub = hub
        self._accept = accept
        self._links_max = max(descriptors_max - DESCRIPTORS_RESERVED, 1)
        self.listener = listener
        self._ipv6_only = both_families or listener.host not in ("::", "")
        self._socket = _bind(listener, ipv6_only=self._ipv6_only)
        host, port = self._socket.getsockname()[:2]
        self.address: tuple[str, int] = (str(host), int(port))
        self._accepting = False
        self._told_at_ms: int | None = None
        self._retry: Deadline | None = None

    def use(self, accept: AcceptCarrier) -> None:
        """From now on this makes the sessions of new connections."""
        self._accept = accept

    def open(self) -> None:
        """Start accepting."""
        if not self._accepting:
            self._accepting = True
            self._hub.sockets.place(self._socket.fileno(), self)
            self._hub.sockets.watch(self._socket.fileno(), 0, EVENT_READ)

    def bind_again(self) -> None:
        """Take the address again after `close`, and accept.  Raises AddressUnusableError."""
        if self._socket.fileno() < 0:
            self._socket = _bind(replace(self.listener, port=self.address[1]), ipv6_only=self._ipv6_only)
            self.open()

    def close(self) -> None:
        """Give the address back."""
        self._stop_accepting()
        self._socket.close()

    def room_again(self) -> None:
        """A connection has gone: go on accepting if that was what it took."""
        if not self._accepting and self._socket.fileno() >= 0 and self._hub.sockets.link_count < self._links_max:
            self.open()

    def _stop_accepting(self) -> None:
        if self._accepting:
            self._accepting = False
            self._hub.sockets.watch(self._socket.fileno(), EVENT_READ, 0)
            self._hub.sockets.forget(self._socket.fileno())

    def ready(self, events: int) -> None:
        """Somebody connects."""
        for _ in range(ACCEPTS_MAX):
            if self._hub.sockets.link_count >= self._links_max:
                self._exhausted("as many connections as there are file descriptors for")
                return
            try:
                sock, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in EXHAUSTED:
                    self._exhausted(error.strerror or str(error))
                    return
                _log.warning("accepting on %s failed: %s", format_address(*self.address), error)
                return
            try:
                self._take(sock)
            except Exception:
                # A bug that one connection runs into ends that connection, not the broker.
                _log.exception("%s: internal error; closing a new connection", format_address(*self.address))
                sock.close()

    def _take(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = Link(self._hub, sock)
        link.log_level = self.listener.log_level
        log_accepted(link, self.listener.name, link.log_level)
        session, outbox = self._accept(self._hub.broker, link)
        link.start(session, outbox)
        if not self.listener.proxy_protocol and self.listener.protocol not in FOR_OPERATORS:
            self._hub.broker.strangers.came(link)

    def _exhausted(self, why: str) -> None:
        now_ms = self._hub.broker.now_ms
        self._hub.broker.limit_hits.count("open files")
        if self._told_at_ms is None or now_ms - self._told_at_ms >= TELL_AGAIN_MS:
            self._told_at_ms = now_ms
            _log.error(
                "%s: %s; new connections wait. Raise the limit (ulimit -n) or close connections",
                format_address(*self.address),
                why,
            )
        self._stop_accepting()
        if self._retry is None or not self._retry.is_pending:
            self._retry = self._hub.broker.deadlines.schedule(now_ms + RETRY_MS, lambda now_ms: self.room_again())


def _bind(listener: Listener, *, ipv6_only: bool) -> socket.socket:
    try:
        host: str | bytes | None = listener.host or None
        if listener.host.isascii() and (":" in listener.host or listener.host.replace(".", "").isdigit()):
            host = listener.host.encode("ascii")  # text would have Python import its codec for names (IDNA)
        family, _, _, _, address = socket.getaddrinfo(
            host, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6 and ipv6_only:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setblocking(False)
            sock.bind(address)
            sock.listen(BACKLOG)
        except BaseException:
            sock.close()
            raise
    except UnicodeError:
        # A label that is too long for a name (RFC 1035, 2.3.4).
        raise AddressUnusableError(listener, "no name of a machine", 0, is_name=True) from None
    except OSError as error:
        is_name = isinstance(error, socket.gaierror) and error.errno not in FAMILY_MISSING
        raise AddressUnusableError(listener, error.strerror or str(error), error.errno or 0, is_name=is_name) from None
    return sock
