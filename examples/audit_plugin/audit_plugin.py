"""A plugin of one's own for Warren: copies of what passes through chosen exchanges, the latest of them kept.

How to write a plugin is told in `gateway/plugin.py`, and this one uses all of it. To try it:

    pip install ./examples/audit_plugin
    warren serve --set plugins=audit --set audit_keep=100
    warren ctl set_parameter audit orders '{"exchange": "amq.topic", "routing_key": "orders.#"}'
    warren ctl audit_report

What is published to that exchange with such a key is counted from then on, and copied into the queue `audit`. It is of
a queue type of the plugin's own, `ring`, which keeps its latest messages: as many as its argument x-max-length says, or
a policy by `ring-size`.
"""

import dataclasses
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from warren.core.exchanges.fanout import FanoutExchange
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.classic.rules import QueueRules
from warren.gateway.plugin import (
    Answer,
    BrokerClient,
    Column,
    Context,
    Control,
    Key,
    Kind,
    Plugin,
    PolicyKey,
    PreconditionFailed,
    Request,
    Row,
    Word,
    listing,
    text,
    whole_number,
    word,
)

RING_SIZE = 1000

INTAKE = "audit.in"
COPIES = "audit.copies"


class RingQueue(ClassicQueue):
    """A queue type: it forgets the oldest message when another one comes."""

    type_name = "ring"

    def with_defaults(self, rules: QueueRules) -> QueueRules:
        size = self.effective_policy.get("ring-size", RING_SIZE)
        if rules.max_length is None and isinstance(size, int):
            return dataclasses.replace(rules, max_length=size)
        return rules


class TeeExchange(FanoutExchange):
    """An exchange type: a fanout under another name."""

    type_name = "x-tee"


def check_audit(vhost: str, name: str, value: object) -> None:
    """The validator of the runtime parameters of component `audit`."""
    if not isinstance(value, dict) or set(value) != {"exchange", "routing_key"}:
        raise PreconditionFailed('an audit is an object such as {"exchange": "amq.topic", "routing_key": "orders.#"}')


class AuditRow(Row):
    def __init__(self, exchange: str, count: int) -> None:
        self._exchange, self._count = exchange, count

    @Column
    def exchange(self) -> str:
        """Where the messages were published."""
        return self._exchange

    @Column
    def messages(self) -> int:
        """How many those were."""
        return self._count


class Audit(Plugin):
    name = "audit"
    about = "keeps copies of what passes through chosen exchanges"
    keys = (
        Key("audit_queue", text, "audit", "Queue that the copies are kept in."),
        Key("audit_keep", whole_number(1, 10**6), RING_SIZE, "Copies that are kept."),
    )
    components = {"audit": check_audit}  # noqa: RUF012  # nobody changes it
    policy_keys = (PolicyKey("ring-size", "ring size", "an integer", lambda value: isinstance(value, int)),)
    queue_types = (RingQueue,)
    exchange_types = (TeeExchange,)

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def words(self) -> Sequence[Word]:
        return (word("[COLUMN]...", "audited messages by exchange", "Listing audits ...")(self.audit_report),)

    async def audit_report(self, control: Control, request: Request) -> Answer:
        return await listing(control, "audits", request.arguments)

    def listings(self) -> Sequence[Kind]:
        def rows(broker: object, vhosts: object) -> Iterator[AuditRow]:
            return (AuditRow(*each) for each in list(self.seen.items()))

        return (Kind("audits", AuditRow, rows, lambda broker, vhosts: len(self.seen), shown=("exchange", "messages")),)

    def counters(self) -> Mapping[str, float]:
        return {"messages": sum(self.seen.values())}

    async def start(self, context: Context) -> None:
        context.log.info("auditing on Warren %s", context.facts.version)
        context.mount("/audit", self.serve)
        kept = context.options.text("audit_queue")
        async with context.connect() as client:
            await client.declare_queue(INTAKE)
            await client.declare_exchange(COPIES, "x-tee")
            ring: dict[str, str | int] = {"x-queue-type": "ring", "x-max-length": context.options.integer("audit_keep")}
            await client.declare_queue(kept, durable=True, arguments=ring)
            await client.bind_queue(kept, COPIES)
            context.nursery.start_soon(self.follow, context, client)
            async with client.consume(INTAKE) as messages:
                async for message in messages:
                    self.seen[message.exchange] = self.seen.get(message.exchange, 0) + 1
                    # Confirmed before it is acknowledged: a copy may come twice, but none is lost.
                    await client.publish(COPIES, message.routing_key, message.body, message.properties)
                    message.ack()

    async def follow(self, context: Context, client: BrokerClient) -> None:
        """Listen to the exchanges that the runtime parameters name, now and whenever they change."""
        bound: dict[str, tuple[str, str]] = {}
        async for change in context.parameters("audit"):
            if change.name in bound:
                await client.unbind_queue(INTAKE, *bound.pop(change.name))
            if isinstance(change.value, dict):
                bound[change.name] = (str(change.value["exchange"]), str(change.value["routing_key"]))
                await client.bind_queue(INTAKE, *bound[change.name])

    async def serve(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """HTTP: the same figures as JSON."""
        body = json.dumps(self.seen).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})
