"""A shovel's connections to MQTT brokers, which two ends share that are the same client there.

A broker knows a client by its id, and one client has one connection: a second one with its id ends the first.  So a
shovel that takes from a broker, and another one that brings messages there, may have one client id between them, as
the two directions of a Mosquitto's bridge have.  Then the broker can tell what that client itself has published, and
doesn't send it back (`no-local`): the only way without a loop where messages carry no properties, as in MQTT 3.1.1.

Who comes first connects, as both of them want to be known; the other one joins.  Whichever leaves closes the
connection: a broker sends what isn't acknowledged once more only over a new one.  The other connects anew.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import trio

from warren.adapters.mqtt.client.memory import ClientMemory
from warren.adapters.peers.errors import PeerError
from warren.core.frozen import frozen
from warren.gateway.plugin import MqttPeer, connect_mqtt

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.adapters.mqtt.client.connection import MqttLogin
    from warren.adapters.mqtt.client.uri import MqttUri

Direction: TypeAlias = Literal["source", "destination"]

SOURCE: Final = "source"
EXACTLY_ONCE: Final = 2

_Key: TypeAlias = tuple[str, str, int]
"""Client id, host, port."""


@frozen
class Wish:
    """What an end wants of a connection.  shovel: whose end it is, in words.  qos: the most that is sent with."""

    shovel: str
    direction: Direction
    login: MqttLogin
    qos: int = 0


@dataclass(slots=True)
class _Client:
    """One client at one broker.  users: the ends that have the connection just now."""

    memory: ClientMemory = field(default_factory=ClientMemory)
    wishes: dict[Direction, Wish] = field(default_factory=dict)
    connecting: trio.Lock = field(default_factory=trio.Lock)
    peer: MqttPeer | None = None
    login: MqttLogin | None = None
    users: set[Direction] = field(default_factory=set)


class MqttConnections:
    """Of all shovels."""

    def __init__(self) -> None:
        self._clients: dict[_Key, _Client] = {}

    def register(self, wish: Wish, uri: MqttUri) -> None:
        """An end is going to connect to this broker, now and then, until `forget`; it may say so again.

        PeerError where another shovel has the client id for this direction.
        """
        client = self._clients.setdefault(_key(wish.login, uri), _Client())
        other = client.wishes.get(wish.direction)
        if other is not None and other.shovel != wish.shovel:
            raise PeerError(
                f"{other.shovel} is '{wish.login.client_id}' at {uri.shown}, too, as its {wish.direction}: give one of "
                f"them another client id"
            )
        client.wishes[wish.direction] = wish

    def forget(self, shovel: str) -> None:
        """This shovel connects no more."""
        for key, client in list(self._clients.items()):
            client.wishes = {direction: wish for direction, wish in client.wishes.items() if wish.shovel != shovel}
            if not client.wishes and not client.memory.received:
                del self._clients[key]

    def is_used(self, client_id: str, uri: MqttUri) -> bool:
        """Whether a shovel that is registered is this client."""
        client = self._clients.get((client_id, uri.host, uri.port))
        return client is not None and bool(client.wishes)

    async def connect(
        self, peers: trio.Nursery, held: AsyncExitStack, wish: Wish, uri: MqttUri
    ) -> tuple[MqttPeer, Callable[[], None]]:
        """The connection of an end, which is registered by that; PeerError if there is none.

        And what lets go of messages that have come over it and that nobody waits for.
        peers: where its tasks run.  held: what is let go with the end.
        """
        self.register(wish, uri)
        client = self._clients[_key(wish.login, uri)]
        login = _agreed(client.wishes)
        async with client.connecting:
            if client.peer is not None and (client.login != login or wish.direction in client.users):
                # It was for one end alone, or is the last one's that this end had.
                await client.peer.aclose()
            if client.peer is None or client.peer.connection.closed is not None:
                client.peer, client.users = None, set()
                client.peer = await connect_mqtt(peers, uri, login, client.memory)
                client.login = login
            peer = client.peer
            users = client.users
        users.add(wish.direction)

        async def leave() -> None:
            users.discard(wish.direction)
            await peer.aclose()

        held.push_async_callback(leave)

        def let_go() -> None:
            arrived = peer.connection.arrived
            if SOURCE not in client.wishes:
                # A session of before may have subscriptions: their messages have nobody who reads them.
                arrived.clear()
            elif SOURCE not in users and arrived:
                # What the broker keeps for the source waits for it; the rest would be lost without a connection, too.
                kept = [packet for packet in arrived if packet.qos]
                arrived.clear()
                arrived.extend(kept)

        return peer, let_go


def _key(login: MqttLogin, uri: MqttUri) -> _Key:
    return login.client_id, uri.host, uri.port


def _agreed(wishes: dict[Direction, Wish]) -> MqttLogin:
    """Who the client is, if both ends are one: what a session is for is the source's to say.

    PeerError for two that can't be one.
    """
    source, destination = wishes.get("source"), wishes.get("destination")
    if source is None or destination is None:
        found = source or destination
        assert found is not None
        return found.login
    ours, theirs = source.login, destination.login
    for what, one, other in (
        ("version of MQTT", ours.level, theirs.level),
        ("user", (ours.user, ours.password), (theirs.user, theirs.password)),
        ("will", ours.will or theirs.will, theirs.will or ours.will),
    ):
        if one != other:
            raise PeerError(
                f"{source.shovel} and {destination.shovel} are one client, '{ours.client_id}', and have to have the "
                f"same {what}"
            )
    if destination.qos == EXACTLY_ONCE and not ours.clean_start:
        raise PeerError(
            f"{destination.shovel} can't share the session of '{ours.client_id}' with 'dest-qos' 2: new messages would "
            f"be taken for those that it knows; 'src-clean-start' true begins it anew"
        )
    return replace(ours, will=ours.will or theirs.will)
