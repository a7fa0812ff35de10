"""All listening sockets of a run: opened together, suspended and resumed for maintenance, closed together.

Suspending closes the sockets, so that whoever connects is refused at once, as by RabbitMQ, and a load balancer goes
elsewhere; the addresses are bound again when the listeners are resumed.  What serves operators goes on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from warren.gateway.network.addresses import FOR_OPERATORS, Listener, hosts_of
from warren.gateway.network.listeners import AddressUnusableError, ListeningSocket, listening_sockets

if TYPE_CHECKING:
    from warren.adapters.interface import AcceptCarrier
    from warren.gateway.network.hub import Hub


class Accepting:
    """listeners: with the ports that they got.  listening: addresses by name.  suspended: clients are refused."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._sockets: list[ListeningSocket] = []
        self.listeners: list[Listener] = []
        self.listening: dict[str, list[tuple[str, int]]] = {}
        self.suspended = False

    def bind(
        self, listeners: Iterable[Listener], accept: Callable[[Listener], AcceptCarrier], descriptors_max: int
    ) -> None:
        """Take the addresses, all or none.  Raises AddressesUnusableError, which tells of all that can't be had."""
        wanted, before = list(listeners), len(self._sockets)
        taken: list[tuple[Listener, list[ListeningSocket]]] = []
        problems: list[tuple[Listener, AddressUnusableError]] = []
        for listener in wanted:
            try:
                found = listening_sockets(self._hub, listener, accept(listener), descriptors_max)
            except AddressUnusableError as error:
                problems.append((listener, error))
            else:
                self._sockets += found
                taken.append((listener, found))
        if problems:
            from warren.gateway.network.unusable import Problem, error_of

            for sock in self._sockets[before:]:
                sock.close()
            del self._sockets[before:]
            raise error_of([Problem(*each) for each in problems], [*self.listeners, *wanted])
        for listener, found in taken:
            self._note(listener, found)
        for sock in [sock for _, found in taken for sock in found[1:]]:
            self.listening[sock.listener.name].append(sock.address)
        self._hub.on_released = self._released

    def _note(self, listener: Listener, found: Sequence[ListeningSocket]) -> None:
        """The listener as a restart of the app has it: with the same port, and both families if it was both."""
        if not found:
            self.listeners.append(listener)  # which the restart tries again
            return
        host, port = found[0].address
        both = len(hosts_of(listener.host)) > 1
        self.listeners.append(replace(listener, host=listener.host if both else host, port=port))
        self.listening.setdefault(listener.name, []).append(found[0].address)

    def add(
        self, listeners: Iterable[Listener], accept: Callable[[Listener], AcceptCarrier], descriptors_max: int
    ) -> None:
        """Accept connections on further addresses.  Raises AddressesUnusableError."""
        before = len(self._sockets)
        self.bind(listeners, accept, descriptors_max)
        for sock in self._sockets[before:]:
            sock.open()

    def remove(self, protocols: Collection[str]) -> None:
        """Give back the addresses of listeners of these protocols; connections that are there stay."""
        gone = [sock for sock in self._sockets if sock.listener.protocol in protocols]
        for sock in gone:
            sock.close()
            self.listening.pop(sock.listener.name, None)
        self._sockets = [sock for sock in self._sockets if sock not in gone]
        self.listeners = [listener for listener in self.listeners if listener.protocol not in protocols]

    def use(self, accept: Callable[[Listener], AcceptCarrier]) -> None:
        """From now on connections are taken as this says, by listener; those that are there stay as they are."""
        for sock in self._sockets:
            sock.use(accept(sock.listener))

    def open(self) -> None:
        """Accept connections."""
        for sock in self._sockets:
            sock.open()

    def suspend(self) -> None:
        """Refuse clients' connections; those that are there stay."""
        self.suspended = True
        for sock in self._of_clients():
            sock.close()

    def resume(self) -> None:
        """Accept them again.  Raises AddressUnusableError for an address that somebody else has taken meanwhile."""
        for sock in self._of_clients():
            sock.bind_again()
        self.suspended = False

    def close(self) -> None:
        """Give all addresses back."""
        for sock in self._sockets:
            sock.close()

    def _of_clients(self) -> list[ListeningSocket]:
        """Not those that serve operators: who looks after the broker needs them most then."""
        return [sock for sock in self._sockets if sock.listener.protocol not in FOR_OPERATORS]

    def _released(self) -> None:
        for sock in self._sockets:
            sock.room_again()
