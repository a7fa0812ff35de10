"""Endpoints: a method and a path, who may ask, what a body and an answer are, and the function that answers.

    @endpoint("PUT", "/queues/{vhost}/{queue}", "Declare a queue.", body=QueueBody)
    async def put_queue(call: Call) -> Created | None:
        ...

All that there are make a table (endpoints/), from which the application routes and the OpenAPI document is written, so
that neither can lack something.  Parts of a path in braces are given to the function decoded, exactly once: a `%2F` in
a name is a slash, a `%252F` is `%2F`.  `{vhost}` is checked before the function is called, but where an endpoint says
otherwise.

What the function returns becomes the answer:

    None            204, nothing
    Created         201, nothing, with a Location where there is one
    Listed          200, an array, or a page of it
    Streamed        200, piece by piece, for as long as there are any
    anything else   200, as JSON
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from warren.core.frozen import frozen
from warren.plugins.management.access import Needs, visible_vhosts
from warren.plugins.management.errors import bad_request

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.gateway.plugin import Context
    from warren.plugins.management.answer_room import Place
    from warren.plugins.management.node import Node

DEFAULT_EXCHANGE_IN_PATHS: Final = "amq.default"
"""How a path names the exchange whose name is empty."""


@frozen
class Created:
    """Something was made.  location: where it is, relative to the request's own path; empty for there."""

    location: str = ""


@frozen
class Listed:
    """Objects as JSON has them, each made when its turn comes.

    page: what stands around them, where only a page was asked for.
    """

    items: Iterable[Mapping[str, object]]
    page: Mapping[str, int] | None = None


@frozen
class Status:
    """An answer with another status than 200."""

    status: int
    value: object


@frozen
class Written:
    """An answer that is JSON already, in pieces that are written while they are taken."""

    pieces: Iterable[bytes]


@frozen
class Streamed:
    """What comes piece by piece.  close: called when it has ended, however that came about."""

    pieces: AsyncIterator[bytes]
    media_type: str
    close: Callable[[], None]


@frozen
class Call:
    """One request, whose user is known and may ask.

    path: the parts in braces.  query: what stands behind the `?`.  body: of the endpoint's type.  headers: by names in
    small letters.  peer_host: where it comes from.
    place: what holds a long answer, and says when one may be made.
    """

    context: Context
    node: Node
    user: User
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    peer_host: str
    place: Place

    @property
    def broker(self) -> Broker:
        """The broker's core."""
        return self.context.broker

    @property
    def vhost(self) -> str:
        """The virtual host in the path."""
        return self.path["vhost"]

    @property
    def vhosts(self) -> list[str] | None:
        """The virtual hosts that a listing is about: that in the path, or those the user sees; None for all."""
        return [self.vhost] if "vhost" in self.path else visible_vhosts(self.broker, self.user)

    @property
    def exchange(self) -> str:
        """The exchange in the path, as core calls it."""
        return exchange_name(self.path["exchange"])

    def flag(self, name: str) -> bool:
        """Whether a parameter behind the `?` is true; one that is only named is."""
        value = self.query.get(name)
        if value is None or value.lower() in ("false", "0"):
            return False
        if value.lower() in ("", "true", "1"):
            return True
        raise bad_request(f"{name} must be true or false, not '{value}'")


def exchange_name(in_path: str) -> str:
    """What core calls an exchange."""
    return "" if in_path == DEFAULT_EXCHANGE_IN_PATHS else in_path


Handler = Callable[[Call], Awaitable[object]]


@frozen
class Endpoint:
    """See the head of this file.

    answer: the type of what comes with a 200; None when nothing does.  lists: it is an array of these, that can be
    paged.  enters: `{vhost}` has to be there, and the user may use it, or for a GET, see it.  large: a body may have as
    much as the configuration says, rather than as much as declarations take.  later: what is asked for is done later,
    so that nothing is answered with 202 rather than 204.
    """

    method: str
    path: str
    about: str
    needs: Needs
    body: Any
    answer: Any
    lists: bool
    enters: bool
    large: bool
    later: bool
    handler: Handler


def endpoint(
    method: str,
    path: str,
    about: str,
    *,
    needs: Needs = Needs.MANAGEMENT,
    body: Any = None,
    answer: Any = None,
    lists: bool = False,
    enters: bool = True,
    large: bool = False,
    later: bool = False,
) -> Callable[[Handler], Endpoint]:
    """Make a function the handler of an endpoint; the arguments are the fields of Endpoint."""

    def declare(handler: Handler) -> Endpoint:
        return Endpoint(method, path, about, needs, body, answer, lists, enters, large, later, handler)

    return declare


def endpoints_of(module: object) -> list[Endpoint]:
    """The endpoints that a module declares, in the order of its text."""
    return [each for each in vars(module).values() if isinstance(each, Endpoint)]
