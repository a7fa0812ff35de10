"""What a plugin can be and do: the whole interface between Warren and features that could live in another package.

A plugin is a subclass of `Plugin` that says what it brings:

    class Counting(Plugin):
        name = "counting"
        about = "counts what comes into a queue"
        keys = (Key("counting_queue", text, "counted", "the queue that is emptied and counted"),)
        count = 0

        async def start(self, context: Context) -> None:
            queue = context.options.text("counting_queue")
            async with context.connect() as client, client.consume(queue) as deliveries:
                async for delivery in deliveries:
                    self.count += 1
                    delivery.ack()

A package offers it by an entry point of the group `warren.plugins`, named as the plugin is:

    [project.entry-points."warren.plugins"]
    counting = "warren_counting:Counting"

and `plugins = ["counting"]` in the configuration enables it.  Nothing of a plugin that isn't enabled is imported.
Warren's own plugins come through the same door (plugins/registry.py).  examples/audit_plugin uses all of it.

**Its life.**  With the broker's start, before anything is restored, its class is loaded, and what the class declares is
made known: keys, queue and exchange types, policy keys, components of runtime parameters.  When everything is restored,
the class may `prepare` the broker.  Once connections are accepted, an instance is made, its words, listings and
counters are offered, and `start` runs as a task of its own.  Enabled while the broker runs (`warren plugins
enable`) it has all of that at once, and disabled it is cancelled and withdrawn with everything; but a type that
a queue or an exchange is of doesn't go, and who brings authentication back-ends comes and goes with a start alone.
When `start` raises, or a task in `context.nursery` does, everything that this run of it offered is withdrawn, and
after a pause a new instance is started: the first after about a second, then twice as long each time, up to a minute.
When it returns and nothing is left in the nursery, the plugin has ended, and its words and listings go on working.  At
the broker's stop it is cancelled, before connections and stores are closed, and has a few seconds to clean up.

**What it can't do.**  An error of a plugin is logged with its traceback, shown by `warren ctl list_plugins`, and ends
that plugin's run alone, or only the request: wherever it comes from, `start`, its tasks, a word, a listing, a counter,
a validator.  The one thing that nobody can keep from the others is the event loop: a plugin that computes for long
stops everything, so it gives way (`await trio.lowlevel.checkpoint()`), or uses a thread.

Longer than 400 lines because all that a plugin can be is documented in one place.

From `warren.gateway` a plugin imports this module alone.  It may import `warren.core` and `warren.adapters`: a queue
type is a subclass of `warren.core.queues.base.Queue`, an exchange type of `warren.core.exchanges.base.Exchange`.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from warren.adapters.direct.errors import (
    ClientClosed,
    ConsumerEnded,
    DirectError,
    PublishBlocked,
    RateExceeded,
    Refused,
    Unroutable,
)
from warren.adapters.interface import Options
from warren.core.administration.listing.column import Column, Row
from warren.core.administration.listing.kind import Kind
from warren.core.administration.parameters import Reached
from warren.core.configuration.key import Key, configured, keys_of, settings_from
from warren.core.configuration.values import boolean, names, number, one_of, size, text, whole_number
from warren.core.errors import BrokerError, PreconditionFailed
from warren.core.frozen import frozen
from warren.core.message_observer import MessageObserver
from warren.core.messages.properties import EMPTY, Properties, encode_properties
from warren.core.policy_setting import Setting as PolicyKey
from warren.core.queues.browse import MessageFilter
from warren.core.watchers import Watcher
from warren.gateway.control.listing import listing
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done, table
from warren.gateway.control.word import VHOST, Option, Remote, Word, word
from warren.gateway.facts import Facts, Resources
from warren.gateway.listening import Listening, listeners, missing_protocols
from warren.gateway.memory_breakdown import MEMORY_PARTS, memory_breakdown
from warren.gateway.network.answered import answered, when_known
from warren.gateway.network.browsing import browse_page
from warren.gateway.turns import give_way, in_turns

if TYPE_CHECKING:
    import trio

    from warren.adapters.direct.delivery import Delivery
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.core.exchanges.base import Exchange
    from warren.core.queues.base import Queue
    from warren.core.storage.definitions.store import JSON
    from warren.gateway.authentication.back_end import (
        AuthenticationBackEnd,
        BackEndUnusableError,
        Denied,
        DirectoryBackEnd,
        Identity,
        Login,
        MayEnter,
        MayUse,
        MayUseTopic,
        Question,
    )
    from warren.gateway.client.client import BrokerClient, QueueState
    from warren.gateway.client.confirmation import PendingConfirmation
    from warren.gateway.client.subscription import Subscription
    from warren.gateway.peers.amqp import AmqpPeer, connect_amqp
    from warren.gateway.peers.amqp10 import Amqp10Peer, connect_amqp10
    from warren.gateway.peers.http import HttpPeer
    from warren.gateway.peers.mqtt import MqttPeer, connect_mqtt
    from warren.gateway.peers.stomp import StompPeer, connect_stomp
    from warren.gateway.plugins.serving import ServingPlugin, cut_off_slowest, need_packages, refused_connection

__all__ = [
    "EMPTY",
    "MEMORY_PARTS",
    "VHOST",
    "Amqp10Peer",
    "AmqpPeer",
    "Answer",
    "App",
    "AuthenticationBackEnd",
    "BackEndUnusableError",
    "BrokerClient",
    "BrokerError",
    "ByteStream",
    "CheckParameter",
    "ClientClosed",
    "Column",
    "ConsumerEnded",
    "Context",
    "Control",
    "Delivery",
    "Denied",
    "DirectError",
    "DirectoryBackEnd",
    "Facts",
    "HttpPeer",
    "Identity",
    "Key",
    "Kind",
    "Listening",
    "Login",
    "MayEnter",
    "MayUse",
    "MayUseTopic",
    "MessageFilter",
    "MessageObserver",
    "Mount",
    "Mounts",
    "MqttPeer",
    "Option",
    "Options",
    "ParameterChange",
    "PendingConfirmation",
    "Plugin",
    "PolicyKey",
    "PreconditionFailed",
    "Properties",
    "PublishBlocked",
    "Question",
    "QueueState",
    "RateExceeded",
    "Reached",
    "Refused",
    "RefusedError",
    "Remote",
    "Request",
    "Resources",
    "Row",
    "ServingPlugin",
    "StompPeer",
    "Subscription",
    "Unroutable",
    "Watcher",
    "Word",
    "answered",
    "boolean",
    "browse_page",
    "configured",
    "connect_amqp",
    "connect_amqp10",
    "connect_mqtt",
    "connect_stomp",
    "cut_off_slowest",
    "done",
    "encode_properties",
    "give_way",
    "in_turns",
    "keys_of",
    "listeners",
    "listing",
    "memory_breakdown",
    "missing_protocols",
    "names",
    "need_packages",
    "number",
    "one_of",
    "refused_connection",
    "settings_from",
    "size",
    "table",
    "text",
    "when_known",
    "whole_number",
    "word",
]

_OF_BACK_ENDS: Final = (
    "AuthenticationBackEnd",
    "BackEndUnusableError",
    "Denied",
    "DirectoryBackEnd",
    "Identity",
    "Login",
    "MayEnter",
    "MayUse",
    "MayUseTopic",
    "Question",
)

_LATE: Final[Mapping[str, str]] = {
    "Amqp10Peer": "gateway.peers.amqp10",
    "connect_amqp10": "gateway.peers.amqp10",
    "AmqpPeer": "gateway.peers.amqp",
    "connect_amqp": "gateway.peers.amqp",
    "HttpPeer": "gateway.peers.http",
    "MqttPeer": "gateway.peers.mqtt",
    "connect_mqtt": "gateway.peers.mqtt",
    "StompPeer": "gateway.peers.stomp",
    "connect_stomp": "gateway.peers.stomp",
    "ServingPlugin": "gateway.plugins.serving",
    "cut_off_slowest": "gateway.plugins.serving",
    "need_packages": "gateway.plugins.serving",
    "refused_connection": "gateway.plugins.serving",
    "BrokerClient": "gateway.client.client",
    "QueueState": "gateway.client.client",
    "PendingConfirmation": "gateway.client.confirmation",
    "Subscription": "gateway.client.subscription",
    "Delivery": "adapters.direct.delivery",
    **dict.fromkeys(_OF_BACK_ENDS, "gateway.authentication.back_end"),
}
"""What reaches other brokers, is a client of this one, knows users beside it, or is a base of plugins, and the module
of warren that it is in.  It is most of what this module would import, and few plugins want it."""


def __getattr__(name: str) -> object:
    """What is imported by whoever wants it (PEP 562)."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"warren.{_LATE[name]}"), name)


CheckParameter = Callable[[str, str, "JSON"], None]
"""Takes virtual host, name and value of a runtime parameter; raises PreconditionFailed for one that can't be used."""

App = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]
"""An ASGI application: scope, receive, send."""


class Plugin(ABC):
    """One plugin; an instance is made, without arguments, for each run of it.

    What the class declares counts from the start of the broker to its end, whether the plugin runs just then or not.
    """

    name: ClassVar[str]
    """As it is enabled by, as in its entry point: small letters, digits and `_`."""

    about: ClassVar[str] = ""
    """One line for listings."""

    keys: ClassVar[Sequence[Key[Any]]] = ()
    """Keys of the configuration, such as `tuple(keys_of(Settings))` (core.configuration.key).  Their names begin with
    the plugin's and `_`; in warren.toml the table `[NAME]` may hold them without that."""

    components: ClassVar[Mapping[str, CheckParameter]] = {}
    """Components of runtime parameters (`warren ctl set_parameter COMPONENT ...`), each with what checks a value."""

    reached: ClassVar[Mapping[str, Reached]] = {}
    """Of its components, those whose values have it do something in virtual hosts that they name, or as other users:
    who isn't an administrator may set only what reaches no further than that user's own permissions."""

    policy_keys: ClassVar[Sequence[PolicyKey]] = ()
    """What policies may hold."""

    queue_types: ClassVar[Sequence[type[Queue]]] = ()
    """For the argument x-queue-type."""

    exchange_types: ClassVar[Sequence[type[Exchange]]] = ()
    """For exchange.declare."""

    back_ends: ClassVar[Mapping[str, Callable[[Options], AuthenticationBackEnd]]] = {}
    """Who knows users beside the broker, by the names for `auth_backends`: classes, or what makes one of the
    configuration's values (warren.gateway.authentication.back_end).  They work as long as the broker runs, whether the
    plugin does or not."""

    def words(self) -> Sequence[Word]:
        """Words of `warren ctl`, made of methods: `word("QUEUE", "what it does")(self.word_of_that_name)`.

        While the plugin doesn't run they are refused, with the reason.
        """
        return ()

    def listings(self) -> Sequence[Kind]:
        """Kinds of objects that can be listed, for words, for the management API and for metrics."""
        return ()

    def counters(self) -> Mapping[str, float]:
        """What it has counted so far, by name; asked whenever somebody looks."""
        return {}

    @classmethod
    def prepare(cls, broker: Broker, options: Options) -> None:
        """Once everything is restored, and before the first connection is accepted: do to the broker what has to be
        done before anybody publishes.  It is for what can't wait for `start`, and is plain code that returns soon.

        options: the values of its keys, and of the broker's.  An error is logged, and the broker goes on.
        """

    @classmethod
    def leave(cls, broker: Broker) -> None:
        """It was disabled while the broker runs, and has ended: undo what `prepare` did.  An error is logged."""

    @abstractmethod
    async def start(self, context: Context) -> None:
        """Do whatever it is for, until it is over or cancelled."""


class ByteStream(Protocol):
    """A connection of a listener that a plugin serves; as a `trio.abc.Stream`, and of that only what is listed here.

    peer_host, peer_port, host, port: the two ends.  is_tls: whether it comes by TLS.  shares_port: it comes by a port
    that has other uses, such as one for WebSocket: answer one request, and close.
    """

    peer_host: str
    peer_port: int
    host: str
    port: int
    is_tls: bool
    shares_port: bool

    @property
    def behind_s(self) -> float:
        """How many seconds longer the peer has taken for what it was sent than one of 64 KiB/s would have."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Bytes from the peer, empty at their end; trio.BrokenResourceError for one that isn't in good order."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, and return when no more than a little waits for the peer to read; trio.BrokenResourceError."""

    async def aclose(self) -> None:
        """Close in good order: what was sent still arrives."""

    def abort(self) -> None:
        """Cut the peer off: whoever sends to it or reads from it gets trio.BrokenResourceError."""


@frozen
class ParameterChange:
    """A runtime parameter as it is now.  removed: it is there no more, and `value` is None."""

    vhost: str
    name: str
    value: JSON
    removed: bool = False


@frozen
class Mount:
    """An application at a path.  plugin: whose it is."""

    path: str
    app: App
    plugin: str


class Mounts(Protocol):
    """What all plugins have mounted; whoever serves HTTP asks it for every request."""

    def find(self, path: str) -> Mount | None:
        """The mount of this path or of the nearest one above it: of `/api` and `/`, `/api/queues` goes to `/api`."""

    def __iter__(self) -> Iterator[Mount]: ...


class Context(Protocol):
    """What a running plugin has of the broker; one for each run of it.

    options: the values of its keys, and of the broker's.  log: its logger, `warren.plugin.NAME`.  facts: see Facts.
    nursery: for tasks that outlive `start`; one that fails ends the run.  broker: the core itself, for what the client
    can't do; `changed` has to follow whatever is done there.  mounts: all plugins' HTTP mounts.
    """

    options: Options
    log: logging.Logger
    nursery: trio.Nursery

    @property
    def mounts(self) -> Mounts: ...

    @property
    def broker(self) -> Broker: ...

    @property
    def facts(self) -> Facts: ...

    def connect(
        self, user: User | str | None = None, vhost: str = "/", *, name: str = ""
    ) -> AbstractAsyncContextManager[BrokerClient]:
        """A client for the length of a block: as a user, or as the broker itself, which may do everything.

        user: by name, or as logged in (`broker.users.log_in`).  Of a user whom another authentication back-end knows,
        connecting raises core.access.answers.Unanswered where that has to be asked first; see `when_known`.  Calls of
        the client wait for it.

        name: what it calls itself in list_connections; the plugin's name by default.  Raises NotFound for an unknown
        user, NotAllowed for a virtual host that isn't there or isn't the user's, or when a limit is reached.
        """

    def parameters(self, component: str) -> AsyncIterator[ParameterChange]:
        """The runtime parameters of one of its components: first each that is there, then every change, for ever.

        Who reads slowly gets the latest of several changes of a parameter.  KeyError for a component that the class
        doesn't declare.
        """

    def mount(self, path: str, app: App) -> None:
        """Have HTTP requests at this path and below handled, as long as the plugin runs.

        The application gets the path below the mount in `scope["path"]`, the mount's in `scope["root_path"]`.  An error
        of it is logged, answered with 500, and ends that request alone.  Raises ValueError for a path that doesn't
        begin with `/` or is taken.
        """

    async def serve(self, listener: str, handler: Callable[[ByteStream], Awaitable[None]], path: str = "") -> None:
        """Serve the connections of the listeners of this name, such as `http`, each in a task of its own, for ever.

        path: of requests to listeners `http`, such as `/api`, that are to come here from ports for WebSocket, too.
        An error of the handler is logged and ends that connection alone; when it returns, the connection is closed.
        Raises ValueError for a name whose connections aren't for plugins, or where another plugin serves them.
        """

    def resources(self) -> Resources:
        """What the process uses; looking takes some system calls."""

    def counters(self) -> Mapping[str, Mapping[str, float]]:
        """What all plugins have counted, by plugin."""

    def watch(self, watcher: Watcher) -> None:
        """Have it hear, as long as the plugin runs, of bindings, policies, and what is deleted (core.watchers)."""

    def observe_messages(self, observer: MessageObserver) -> None:
        """Have it see each message on its way, as long as the plugin runs (core.message_observer); ValueError while
        another plugin's does.

        All messages are handled one by one meanwhile, which costs several times as much as the quick ways.
        """

    def changed(self) -> None:
        """Something was done in `broker`: let it deliver, send and commit."""

    async def kept(self) -> None:
        """Return when all that was changed in `broker` until now is there after a power failure."""

    async def carry_out(self, request: bytes, permitted: Callable[[Remote, str], Awaitable[None]]) -> Iterator[bytes]:
        """Carry out a word of `warren ctl` that came over HTTP; the answer in pieces, for others' turns in between.

        Both are as on the control socket.  permitted: asked, with the virtual host or an empty text, before anything is
        done; what it raises comes out here.
        """
