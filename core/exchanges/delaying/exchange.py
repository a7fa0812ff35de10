"""The exchange x-delayed-message: another type of exchange that delivers messages when their headers say so.

The argument `x-delayed-type` names the type that says where messages go.  A message whose headers name a time ahead
(`headers`) is held (`messages`), however far the time is; it is routed when it is due, by the bindings that are in
force then.  Others are routed at once.  A persistent message held by a durable exchange outlives
restarts; what became due meanwhile is delivered after the start.

For `mandatory` a held message counts as routed.  RabbitMQ's plugin returns it to the publisher and still delivers it
later; whether anything will take it can't be known before it is due.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from warren.core.compiled import mypyc_attr
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding, Destination
from warren.core.exchanges.delaying.headers import counts_from_publish, due_at_ms, with_delay_negated
from warren.core.exchanges.delaying.messages import DelayedMessages
from warren.core.exchanges.reasons import Reason
from warren.core.exchanges.registry import exchange_type, register
from warren.core.messages.checks import extra_routing_keys, without_bcc
from warren.core.messages.message import Message

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.properties import Properties
    from warren.core.routing.vhost import VirtualHost

DELAYED_TYPE: Final = "x-delayed-type"


@mypyc_attr(allow_interpreted_subclasses=True)
class DelayedMessageExchange(Exchange):
    """`inner`, an exchange that nobody else knows, has the same bindings and says where messages go."""

    __slots__ = ("_delayed", "inner")

    type_name: ClassVar[str] = "x-delayed-message"
    depends_on_headers: ClassVar[bool] = True
    depends_on_properties: ClassVar[bool] = True
    keeps_messages: ClassVar[bool] = True
    compared_arguments: ClassVar[tuple[str, ...]] = (*Exchange.compared_arguments, DELAYED_TYPE)

    def make_index(self) -> None:
        """See Exchange.make_index."""
        inner_type = exchange_type(str(self.arguments.get(DELAYED_TYPE)))
        self.inner = inner_type(self.name, durable=self.durable, arguments=self.arguments)
        self.picks_one = self.inner.picks_one
        self.observes = self.observes or self.inner.observes
        self._delayed: DelayedMessages | None = None

    @classmethod
    def check_arguments(cls, arguments: Mapping[str, FieldValue]) -> None:
        """Refuse a missing or unknown underlying type, and what that type refuses."""
        super().check_arguments(arguments)
        inner = arguments.get(DELAYED_TYPE)
        if inner == cls.type_name:
            raise PreconditionFailed(
                f"Invalid argument, '{cls.type_name}' can't be used for '{DELAYED_TYPE}'; name the type that routes"
            )
        try:
            if not isinstance(inner, str):
                raise PreconditionFailed("it is missing" if inner is None else f"{inner!r} is no string")
            inner_type = exchange_type(inner)
        except PreconditionFailed as error:
            raise PreconditionFailed(
                f"Invalid argument, '{DELAYED_TYPE}' must be an existing exchange type: {error.text}"
            ) from None
        inner_type.check_arguments(arguments)

    @property
    def delayed(self) -> DelayedMessages:
        """What it holds; made at the first use, when the exchange has its place in a virtual host."""
        if self._delayed is None:
            vhost = self.vhost
            if vhost is None:
                raise RuntimeError("an exchange holds messages only while it is in a virtual host")
            description = f"exchange '{self.name}' in vhost '{vhost.name}'"
            self._delayed = DelayedMessages(vhost.broker, self.store_id, self._give_away, description)
        return self._delayed

    @property
    def messages_delayed(self) -> int:
        """How many messages it holds."""
        return 0 if self._delayed is None else len(self._delayed)

    # Routing as the inner type does

    def targets(self, routing_key: str, headers: Mapping[str, FieldValue] | None) -> Collection[Destination]:
        """See Exchange.targets."""
        return self.inner.targets(routing_key, headers)

    def targets_by_properties(
        self, routing_key: str, headers: Mapping[str, FieldValue] | None, properties: Properties | None
    ) -> Collection[Destination]:
        """See Exchange.targets_by_properties."""
        return self.inner.targets_by_properties(routing_key, headers, properties)

    def reason(
        self,
        binding: Binding,
        routing_key: str,
        headers: Mapping[str, FieldValue] | None,
        properties: Properties | None,
    ) -> Reason:
        """See Exchange.reason."""
        return self.inner.reason(binding, routing_key, headers, properties)

    def check_binding(self, routing_key: str, arguments: Mapping[str, FieldValue]) -> None:
        """Refuse what the inner type refuses."""
        self.inner.check_binding(routing_key, arguments)

    def check_destination(self, target: Destination) -> None:
        """Refuse what the inner type refuses."""
        self.inner.check_destination(target)

    def binding_added(self, binding: Binding) -> None:
        """See Exchange.binding_added."""
        self.inner.add(binding)

    def binding_removed(self, binding: Binding) -> None:
        """See Exchange.binding_removed."""
        self.inner.remove(binding.key)

    def target_gone(self, target: Destination) -> None:
        """See Exchange.target_gone."""
        self.inner.target_gone(target)

    def routed(self, message: Message) -> None:
        """A message came by that isn't held, or no longer."""
        if self.inner.observes and not self.holds(message.properties.headers):
            self.inner.routed(message)

    def heir_of(self, binding: Binding) -> Binding | None:
        """See Exchange.heir_of."""
        return self.inner.heir_of(binding)

    def bound(self, binding: Binding) -> None:
        """See Exchange.bound."""
        self.inner.bound(binding)

    # Holding

    def attached(self, vhost: VirtualHost) -> None:
        """See Exchange.attached."""
        super().attached(vhost)
        self.inner.attached(vhost)

    def detached(self) -> None:
        """Drop what is held."""
        if self._delayed is not None:
            self._delayed.close()
            self._delayed = None
        self.inner.detached()
        super().detached()

    def holds(self, headers: Mapping[str, FieldValue] | None) -> bool:
        """Whether the headers name a time ahead."""
        return self.vhost is not None and due_at_ms(headers, self.vhost.broker.now_ms) is not None

    def hold(self, message: Message, extra_keys: Sequence[str]) -> None:
        """Keep a copy whose time of publish is the time when it is due."""
        if self.vhost is None:
            return
        now_ms = self.vhost.broker.now_ms
        self.delayed.hold(self._copy(message, extra_keys, due_at_ms(message.properties.headers, now_ms) or now_ms))

    def prepare_hold(self, message: Message, extra_keys: Sequence[str]) -> Message:
        """See Exchange.prepare_hold.  Until it is published, a time that counts from then is the negative delay."""
        headers = message.properties.headers
        now_ms = self.delayed.broker.now_ms
        at_ms = due_at_ms(headers, now_ms) or now_ms
        copy = self._copy(message, extra_keys, now_ms - at_ms if counts_from_publish(headers) else at_ms)
        self.delayed.store(copy)
        return copy

    def hold_prepared(self, held: Sequence[Message]) -> None:
        """See Exchange.hold_prepared."""
        now_ms = self.delayed.broker.now_ms
        for message in held:
            if message.published_at_ms < 0:
                message.published_at_ms = now_ms - message.published_at_ms
        self.delayed.hold_stored(held)

    def _copy(self, message: Message, extra_keys: Sequence[str], at_ms: int) -> Message:
        """What is held: BCC is gone from the message's headers by now, and in the copy's until that is delivered."""
        properties = message.properties
        headers = properties.headers
        hidden_keys = _without(extra_keys, headers.get("CC") if headers else None)
        if hidden_keys:
            properties = properties.with_header_entries({"BCC": hidden_keys})
        copy = Message(
            self.delayed.broker.next_sequence(),
            message.address,
            properties,
            message.body,
            0,
            message.body_size,
            0,
            at_ms,
        )
        properties.drop_decoded()
        return copy

    def restore_messages(self, positions: Sequence[int], body_sizes: Sequence[int]) -> None:
        """See Exchange.restore_messages."""
        self.delayed.restore(positions, body_sizes)

    def _give_away(self, held: Message) -> None:
        """Route a message that is due, as if it were published now."""
        vhost = self.vhost
        if vhost is None:
            return
        broker = vhost.broker
        extra_keys = extra_routing_keys(held.properties)
        properties = with_delay_negated(without_bcc(held.properties))
        route = vhost.route_behind(self, held.address.routing_key, properties, extra_keys)
        message = Message(
            broker.next_sequence(), held.address, properties, held.body, 0, held.body_size, 0, broker.now_ms
        )
        vhost.deliver(route, message)
        if self.inner.observes:
            self.inner.routed(message)


def _without(keys: Sequence[str], shown: FieldValue) -> list[str]:
    """The keys that aren't in CC."""
    return [key for key in keys if key not in shown] if isinstance(shown, list) else list(keys)


register(DelayedMessageExchange)
