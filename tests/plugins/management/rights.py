"""Which rights each operation of the API takes of a user, found out by asking: the other half of matrix.py.

    python -m tests.plugins.management.rights

writes rights.txt anew, from what a broker answers; whoever reads its changes judges them.  Every operation is done with
all rights that there are to give, which has to be enough, and again without each of them: those without which it is
refused (401) are in its line.

    POST /exchanges/{vhost}/x/publish          vhost /, write exchange x
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import trio

from tests.plugins.management.api import Api, open_api
from tests.support.core_broker import core_client
from tests.support.other_back_ends import Atom, TableBackEnd, TableUser, use_chain
from warren.adapters.mqtt.sessions.operations import retained
from warren.core.administration import operations
from warren.core.errors import NotFound
from warren.core.messages.properties import EMPTY
from warren.core.routing.publish import publish_with_receipt
from warren.plugins.management.access import Needs
from warren.plugins.management.endpoint import Endpoint
from warren.plugins.management.endpoints import ENDPOINTS

TABLE = Path(__file__).parent / "rights.txt"

USER, PASSWORD = "alice", "secret"

ENTER: Atom = ("vhost", "/")

QUEUES = ("q", "other", "new", "fresh-0")
EXCHANGES = ("x", "y", "t", "d", "fresh", "amq.default", "amq.topic")
KEYS = (("t", "k"), ("amq.topic", "a.b"))

UNIVERSE: tuple[Atom, ...] = (
    ENTER,
    *((verb, "queue", name) for verb in ("configure", "write", "read") for name in QUEUES),
    *((verb, "exchange", name) for verb in ("configure", "write", "read") for name in EXCHANGES),
    *((verb, "topic", *key) for verb in ("write", "read") for key in KEYS),
)
"""All rights that are given; the broker's own permissions don't tell queues from exchanges, so no two have one name."""


class Operation(NamedTuple):
    """method, path: of the endpoint, with names for its parts but `{vhost}`, and with what stands behind a `?`."""

    method: str
    path: str
    body: object = None

    @property
    def shown(self) -> str:
        """As the table has it."""
        return " ".join([self.method, self.path, *([json.dumps(self.body)] if self.body is not None else [])])


_PUBLISH: Mapping[str, object] = {"routing_key": "k", "payload": "x", "payload_encoding": "string"}
_GET: Mapping[str, object] = {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
_DEAD_LETTERS = {"arguments": {"x-dead-letter-exchange": "x"}}
_ALTERNATE = {"type": "direct", "arguments": {"alternate-exchange": "x"}}
_KEY = {"routing_key": "k"}

OPERATIONS: tuple[Operation, ...] = (
    Operation("PUT", "/queues/{vhost}/new", {}),
    Operation("PUT", "/queues/{vhost}/new", _DEAD_LETTERS),
    Operation("PUT", "/queues/{vhost}/q", {"durable": True}),
    Operation("DELETE", "/queues/{vhost}/q"),
    Operation("DELETE", "/queues/{vhost}/q/contents"),
    Operation("POST", "/queues/{vhost}/q/get", _GET),
    Operation("GET", "/queues/{vhost}/q/messages"),
    Operation("GET", "/queues/{vhost}/q/messages?state=unacknowledged"),
    Operation("POST", "/queues/{vhost}/q/move", {"destination_queue": "other"}),
    Operation("POST", "/queues/{vhost}/q/move", {"exchange": "x", **_KEY}),
    Operation("POST", "/queues/{vhost}/q/move", {"exchange": "t", **_KEY}),
    Operation("PUT", "/exchanges/{vhost}/fresh", {}),
    Operation("PUT", "/exchanges/{vhost}/fresh", _ALTERNATE),
    Operation("DELETE", "/exchanges/{vhost}/x"),
    Operation("POST", "/exchanges/{vhost}/x/publish", _PUBLISH),
    Operation("POST", "/exchanges/{vhost}/t/publish", _PUBLISH),
    Operation("POST", "/exchanges/{vhost}/amq.default/publish", {**_PUBLISH, "routing_key": "q"}),
    Operation("POST", "/bindings/{vhost}/e/x/q/q", _KEY),
    Operation("POST", "/bindings/{vhost}/e/t/q/q", _KEY),
    Operation("POST", "/bindings/{vhost}/e/x/e/y", _KEY),
    Operation("DELETE", "/bindings/{vhost}/e/x/q/q/bound"),
    Operation("DELETE", "/bindings/{vhost}/e/x/e/y/bound"),
    Operation("DELETE", "/delayed/{vhost}/d/1"),
    Operation("GET", "/mqtt/retained/{vhost}?filter=a/b"),
    Operation("GET", "/mqtt/retained/{vhost}/a%2Fb"),
    Operation("PUT", "/mqtt/retained/{vhost}/a%2Fb", {"payload": "x"}),
    Operation("DELETE", "/mqtt/retained/{vhost}/a%2Fb"),
    Operation("DELETE", "/mqtt/sessions/{vhost}/nobody"),
    Operation("DELETE", "/stream/connections/{vhost}/nobody"),
    Operation("PUT", "/stream/super-streams/{vhost}/fresh", {"partitions": 1}),
    Operation("GET", "/tail/{vhost}?queue=q&seconds=0"),
    Operation("GET", "/tail/{vhost}?exchange=x&seconds=0"),
    Operation("GET", "/tail/{vhost}?exchange=t&routing_key=k&seconds=0"),
    Operation("GET", "/tail/{vhost}?mqtt_topic=a/b&seconds=0"),
    Operation("POST", "/explain/{vhost}", {"exchange": "x", **_KEY, "user": USER}),
    Operation("GET", "/queues/{vhost}/q"),
    Operation("GET", "/delayed/{vhost}"),
    Operation("GET", "/aliveness-test/{vhost}"),
)


def left_out() -> list[Endpoint]:
    """Endpoints that change something in a virtual host for whoever may enter it, and that no operation is of."""
    done = {(each.method, _pattern_of(each)) for each in OPERATIONS}
    return [
        each
        for each in ENDPOINTS
        if "{vhost}" in each.path
        and each.method != "GET"
        and each.needs is Needs.MANAGEMENT
        and not any(method == each.method and _fits(each.path, path) for method, path in done)
    ]


def _pattern_of(each: Operation) -> str:
    return each.path.partition("?")[0]


def _fits(pattern: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(pattern)), path) is not None


# Whose users


def own_user(api: Api) -> Callable[[set[Atom]], None]:
    """One of the broker's own, with permissions that allow exactly what is given."""
    users = api.broker.users
    users.add_user(USER, PASSWORD, ("management",))

    def give(rights: set[Atom]) -> None:
        if ENTER not in rights:
            users.clear_permissions(USER, "/")
            return
        plain: set[Atom] = {right[:3] for right in rights if right[1] != "topic"}
        users.set_permissions(USER, "/", *(_names(plain, verb) for verb in ("configure", "write", "read")))
        for exchange, _ in KEYS:
            keys = {(right[0], right[2], right[3]) for right in rights if right[1] == "topic"}
            of_exchange: set[Atom] = {(verb, "topic", key) for verb, name, key in keys if name == exchange}
            users.set_topic_permissions(USER, "/", exchange, *(_names(of_exchange, verb) for verb in ("write", "read")))

    return give


def _names(rights: set[Atom], verb: str) -> str:
    """An expression for what may be done so."""
    names = sorted(right[2] for right in rights if right[0] == verb)
    return f"^({'|'.join(map(re.escape, names))})$" if names else "^$"


def anothers_user(api: Api) -> Callable[[set[Atom]], None]:
    """One whom another back-end knows, which answers in later turns."""
    back_end = TableBackEnd()
    back_end.answers_later(api.broker, api.embedded._server.changed)
    use_chain(api.broker, None, back_end)

    def give(rights: set[Atom]) -> None:
        back_end.users[USER] = TableUser(PASSWORD, frozenset({"management"}), rights)
        api.broker.users.ask_anew()

    return give


USERS = {"the broker's own": own_user, "another's": anothers_user}


# Asking


async def lines(give_to: Callable[[Api], Callable[[set[Atom]], None]]) -> list[str]:
    """The lines as a broker answers now."""
    async with open_api() as api:
        give = give_to(api)
        return [_line(operation, await needed(api, give, operation)) for operation in OPERATIONS]


async def needed(api: Api, give: Callable[[set[Atom]], None], operation: Operation) -> list[Atom]:
    """The rights without which an operation is refused; AssertionError unless they are enough."""
    assert await _allowed(api, give, operation, set(UNIVERSE)), f"{operation.shown} with all rights"
    found = [right for right in UNIVERSE if not await _allowed(api, give, operation, {*UNIVERSE} - {right})]
    assert await _allowed(api, give, operation, set(found)), f"{operation.shown} with {found}"
    return found


async def _allowed(api: Api, give: Callable[[set[Atom]], None], operation: Operation, rights: set[Atom]) -> bool:
    _make(api)
    give(rights)
    path = operation.path.replace("{vhost}", "%2F")
    content = json.dumps(operation.body).encode() if operation.body is not None else b""
    answer = await api.http.request(operation.method, f"/api{path}", content=content, auth=(USER, PASSWORD))
    assert answer.status_code in (200, 201, 204, 401, 404), (operation.shown, answer.status_code, answer.text)
    if "/retained/{vhost}?" in operation.path:
        return bool(answer.status_code == 200 and answer.json()["total"])
    if operation.path.endswith("/move"):
        return bool(answer.status_code == 200 and not answer.json()["stopped"])
    if operation.path.startswith("/explain"):
        return bool(answer.status_code == 200 and answer.json()["outcome"] != "refused")
    return bool(answer.status_code != 401)


def _make(api: Api) -> None:
    """Queues `q`, with a message, and `other`; exchanges `x` (direct), `y` (fanout), `t` (topic) and `d` (delaying);
    bindings; a retained message.
    """
    broker = api.broker
    for name in ("new", "other", "fresh-0"):
        with suppress(NotFound):
            operations.queues.delete(broker, "/", name, lambda answer: None)
    with suppress(NotFound):
        operations.exchanges.delete(broker, "/", "fresh")
    for name in ("q", "other"):
        operations.queues.declare(broker, "/", name, durable=True)
    for name, kind in (("x", "direct"), ("y", "fanout"), ("t", "topic")):
        operations.exchanges.declare(broker, "/", name, kind, durable=True)
    delayed = {"x-delayed-type": "direct"}
    operations.exchanges.declare(broker, "/", "d", "x-delayed-message", durable=True, arguments=delayed)
    if not broker.vhosts["/"].queues["q"].ready_count:
        client = core_client(broker)
        publish_with_receipt(client, "", "q", EMPTY, b"x")
        client.close()
    retained.put(broker, "/", "a/b", b"x", qos=0)
    for exchange in ("x", "t"):
        operations.bindings.add(broker, "/", exchange, "queue", "other", "k")
    operations.bindings.add(broker, "/", "x", "queue", "q", "bound")
    operations.bindings.add(broker, "/", "x", "exchange", "y", "bound")
    api.embedded._server.changed()


def _line(operation: Operation, rights: list[Atom]) -> str:
    return f"{operation.shown:<118} {', '.join(' '.join(right) for right in rights)}"


def shown() -> Iterator[str]:
    """The table anew."""
    yield from trio.run(lines, own_user)


if __name__ == "__main__":
    TABLE.write_text("\n".join(shown()) + "\n")
