"""What a protocol has to bring so that Warren can speak it.

An adapter is an `Adapter`: what makes its sessions, and what else Warren has to know of it.  All of it but `configure`
may be left out:

    @frozen
    class LineSettings:
        greeting: str = configured(Key("line_greeting", text, "hello", "What a client is greeted with."))

    def configure(options: Options) -> Accept:
        settings = options.section(LineSettings)
        def accept(broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
            session = LineSession(broker, transport, settings)
            return session, session.outbox
        return accept

    ADAPTER = Adapter(configure, settings=(LineSettings,), first_bytes=looks_like_lines, over_websocket=endpoint)

`configure` is called once per listener that names the protocol, with the configuration, and gives another function,
`accept`, which is called for every connection.  What that makes is a *session*, which turns bytes into calls to the
broker and fills an *outbox* with what is to be sent.

settings        classes whose fields are configuration keys, see core/configuration/key.py.  Their names begin with the
                protocol's: `--set line_greeting=ho`, WARREN_LINE_GREETING, or `greeting` in the table `[line]` of
                warren.toml.  The keys of every installed adapter are known, whether a listener names it or not.
first_bytes     how a connection begins, so that listeners for everything (`auto`) find the protocol
over_websocket  under which subprotocols and paths WebSocket listeners carry it
component       what it keeps with the broker (core.component): Warren's own protocols always, others where a listener
                may speak them

The module that holds the Adapter is imported when a key or a name that isn't Warren's own is looked up, so it should
be light: `configure` may import the rest, and `accept` what `speaks` names.

To a session, everything is a plain call, on one thread, that must not wait (no sockets, no sleeping, no `async`):

    receive(data)            bytes from the peer, cut anywhere
    drained()                the peer has read all it was sent
    connection_lost(reason)  the connection is gone: end consumers, give back what was not acknowledged
    shut_down(reason)        the broker stops: tell the peer, and transport.close()

It keeps who has logged in as `client`, a core.clients.client.Client, None before and afterwards: by that the broker
finds the connections of a user who is deleted or may not enter any more, and calls their `force_close`.

It makes its outbox with `Outbox(broker.touched, transport)` and writes replies to it; the broker sends them at the end
of the turn.  It registers itself in `broker.sessions` (core.broker.SessionEntry) and leaves with its connection.
Time is `broker.now_ms`, and what is to happen later goes to `broker.deadlines`.

What a session calls:

    users.authenticate, broker.open_vhost, core.clients.client.Client    who is there
    broker.refused_logins                                                who isn't let in is told so late
    core.declaring: queues, exchanges, bindings                          declare, delete, bind
    core.routing.publish.check_publish, publish                          publish
    core.queues.consumer.Consumer, Queue.add_consumer, end_consumer      consume: its `deliver` writes to the outbox
    Queue.acknowledge, discard, requeue; core.queues.unacked             settle what was delivered
    broker.awaiting_flush                                                be told when a message is on disk
    client.counts.own: published, confirmed, of(queue).polled            count what isn't counted by what it calls
    store.begin_group, end_group                                         do several things or none
    adapters.session.ration.Ration                                       how much of a read to handle in one turn

Errors of the broker are `core.errors.BrokerError`, with a text for people; the session says them in its protocol's
terms and closes what its `scope` says.

A package offers its adapter by an entry point of the group `warren.adapters`, named as listeners name the protocol:

    [project.entry-points."warren.adapters"]
    line = "line_protocol:ADAPTER"

and `warren serve --listen line=127.0.0.1:7000` finds it.  Instead of an Adapter it may name a bare
`configure`.  Warren's own protocols come through the same door, see
registry.py.  examples/line_protocol is a whole one in little more than a hundred lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from warren.core.configuration.key import settings_from
from warren.core.frozen import frozen

if TYPE_CHECKING:
    from warren.core.administration.listing.kind import Kind
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Carrier, Credentials, Session, Transport
    from warren.core.component import Component

S = TypeVar("S")

ENTRY_POINT_GROUP: Final = "warren.adapters"

Accept = Callable[["Broker", "Transport"], "tuple[Session, Outbox]"]
"""Makes the session, and the outbox that it fills, for an accepted connection."""

ComponentFactory = Callable[["Broker", "Options"], "Component"]
"""Makes what a protocol keeps with every broker (core.component), whether or not a listener names the protocol."""

AcceptCarrier = Callable[["Broker", "Carrier"], "tuple[Session, Outbox]"]
"""Makes a stage (adapters.stage), which carries another session or steps aside for it.  Every Accept is one too."""


class Options:
    """The broker's configuration, read-only, and the protocols that are installed beside this one.

    `section` is for the settings that an adapter declares.  The other methods give the value of any key by its name,
    which has to be of that kind; KeyError when there is no such key.  `warren_version` is Warren's own.
    values: of all keys, by name.
    """

    __slots__ = ("installed", "values")

    def __init__(self, values: Mapping[str, object], installed: Installed) -> None:
        self.values = values
        self.installed = installed

    def section(self, section: type[S], **own: object) -> S:
        """Settings with the values that are in effect; `own`: fields that no key sets."""
        return settings_from(section, self.values, **own)

    def accept(self, adapter: Adapter) -> AcceptCarrier:
        """What makes the sessions of another protocol, for adapters that carry others or hand over to them."""
        return adapter.configure(self)

    def text(self, key: str) -> str:
        """A string."""
        value = self.values[key]
        if not isinstance(value, str):
            raise TypeError(f"{key} is no text")
        return value

    def integer(self, key: str) -> int:
        """A whole number."""
        value = self.values[key]
        if not isinstance(value, int):
            raise TypeError(f"{key} is no whole number")
        return value

    def number(self, key: str) -> float:
        """A number."""
        value = self.values[key]
        if not isinstance(value, int | float):
            raise TypeError(f"{key} is no number")
        return value

    def flag(self, key: str) -> bool:
        """True or false."""
        return self.values[key] is True

    def names(self, key: str) -> frozenset[str]:
        """A set of names."""
        value = self.values[key]
        if not isinstance(value, frozenset):
            raise TypeError(f"{key} is no set of names")
        return value


Configure = Callable[[Options], AcceptCarrier]
"""Makes what accepts connections, by the configuration."""


class Beginning(Enum):
    """What a connection's first bytes are to a protocol."""

    OTHER = "other"
    """Not of this protocol."""

    MORE = "more"
    """It may be; a few more bytes tell."""

    MINE = "mine"
    """Of this protocol, and no other."""

    LIKELY = "likely"
    """Of this protocol, unless another one says that they are its own: for protocols of text, which also have to
    explain mistakes."""


@frozen
class Endpoint:
    """How WebSocket listeners carry a protocol.

    subprotocols: the names that clients offer in Sec-WebSocket-Protocol.  ranked: of several that are offered, the
    first in `subprotocols` is selected, rather than the client's first.  paths: of URLs, where it is spoken by who
    offers none.  needs_subprotocol: there one has to be offered, this one (words for the refusal).  takes_text: it may
    come in text messages, rather than in binary ones alone.  sends_text: it goes out in text messages.  login: user and
    password of who has said neither by HTTP Basic, where that says who connects; None: the protocol's own login
    counts.  message_bytes_max: the largest unit of the protocol, in bytes.
    """

    subprotocols: tuple[str, ...] = ()
    ranked: bool = False
    paths: tuple[str, ...] = ()
    needs_subprotocol: str = ""
    takes_text: bool = False
    sends_text: bool = False
    login: Credentials | None = None
    message_bytes_max: int = 0


@frozen
class Adapter:
    """A protocol; see the head of this file.

    first_bytes: judges what has come so far, at least one byte.  listings: of its connections, beside those of all.
    listing_names: what these are called, so that they are loaded when somebody asks.
    speaks: modules that what `configure` gives imports, and no start waits for: they are loaded when the broker is
    ready, beside its work, and connections that come before wait for them.  on_demand: they are loaded when the first
    connection comes, since they are large and may never be needed.
    title: what the protocol is called in lines of the log, instead of its name in capitals.  elsewhere: what
    somebody is told who speaks it to another protocol's listener, instead of that it has one of its own.  needs_tls:
    what who speaks it on a listener for TLS is sent, in its own terms; empty: an alert of TLS.
    """

    configure: Configure
    settings: tuple[type[object], ...] = ()
    first_bytes: Callable[[bytes], Beginning] | None = None
    over_websocket: Callable[[Options], Endpoint] | None = None
    component: ComponentFactory | None = None
    listings: Callable[[], Sequence[Kind]] | None = None
    listing_names: tuple[str, ...] = ()
    speaks: tuple[str, ...] = ()
    on_demand: bool = False
    title: str = ""
    elsewhere: str = ""
    needs_tls: bytes = b""


class Installed(Protocol):
    """The protocols that this installation can speak, by the names that listeners have for them."""

    def own(self) -> Mapping[str, Adapter]:
        """Warren's, the default one first."""

    def others(self) -> Mapping[str, Adapter]:
        """Those of other packages; looking for them takes some milliseconds."""
