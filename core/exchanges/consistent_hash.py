"""The exchange x-consistent-hash: each message to one of the targets, by a hash of it, in proportion to weights.

The binding key is the weight of a target: a positive integer, as many buckets.  Of several bindings to one target only
the earliest counts; when that goes, the next one does.  What is hashed is the routing key or, by the arguments of the
exchange, a header (`hash-header`) or a property (`hash-property`: message_id, correlation_id, timestamp); messages
without it all go to the same target.

A message's bucket is a slot of hash_slots.py: of n equal targets one that goes moves its own values, 1/n of all.  Which
slots a target has is kept with its binding, in the definitions too, so a restart moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from warren.core.compiled import mypyc_attr
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding, Destination, DestinationKind
from warren.core.exchanges.hash_slots import HashSlots
from warren.core.exchanges.registry import register
from warren.core.exchanges.stable_hash import stable_hash
from warren.core.limit_hits import limited
from warren.core.messages.field_names import field_type_name, term

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.properties import Properties

HASH_HEADER: Final = "hash-header"
HASH_PROPERTY: Final = "hash-property"

PROPERTIES: Final = ("correlation_id", "message_id", "timestamp")

WEIGHT_MAX: Final = 100_000
"""A share of one in a hundred thousand is as fine as anybody can measure."""

MISSING: Final = ""
"""What is hashed of a message without the header or property in question."""


@mypyc_attr(allow_interpreted_subclasses=True)
class ConsistentHashExchange(Exchange):
    """`_slots` is the row; `_counting` the binding that counts, by target."""

    __slots__ = ("_counting", "_header", "_property", "_slots")

    type_name: ClassVar[str] = "x-consistent-hash"
    depends_on_properties: ClassVar[bool] = True
    compared_arguments: ClassVar[tuple[str, ...]] = (*Exchange.compared_arguments, HASH_HEADER, HASH_PROPERTY)

    def make_index(self) -> None:
        """See Exchange.make_index."""
        header = self.arguments.get(HASH_HEADER)
        hashed_property = self.arguments.get(HASH_PROPERTY)
        self._header = header if isinstance(header, str) else None
        self._property = hashed_property if isinstance(hashed_property, str) else None
        self._slots: HashSlots[Destination] = HashSlots()
        self._counting: dict[tuple[DestinationKind, str], Binding] = {}
        self.picks_one = True
        self.cacheable = self._header is None and self._property is None

    def targets(self, routing_key: str, headers: Mapping[str, FieldValue] | None) -> tuple[Destination, ...]:
        """See Exchange.targets."""
        return self.targets_by_properties(routing_key, headers, None)

    def targets_by_properties(
        self, routing_key: str, headers: Mapping[str, FieldValue] | None, properties: Properties | None
    ) -> tuple[Destination, ...]:
        """See Exchange.targets_by_properties."""
        target = self._slots.find(stable_hash(self._hashed(routing_key, headers, properties)))
        return () if target is None else (target,)

    @classmethod
    def check_arguments(cls, arguments: Mapping[str, FieldValue]) -> None:
        """Refuse both arguments at once, an unknown property, and what is no name."""
        super().check_arguments(arguments)
        if HASH_HEADER in arguments and HASH_PROPERTY in arguments:
            raise PreconditionFailed(f"{HASH_HEADER} and {HASH_PROPERTY} are mutually exclusive")
        for name in (HASH_HEADER, HASH_PROPERTY):
            value = arguments.get(name)
            if name in arguments and not isinstance(value, str):
                raise PreconditionFailed(
                    f"invalid type '{field_type_name(value)}' for arg '{name}' of an exchange: expected longstr"
                )
        hashed_property = arguments.get(HASH_PROPERTY)
        if isinstance(hashed_property, str) and hashed_property not in PROPERTIES:
            raise PreconditionFailed(f"Unsupported property: {hashed_property!s}; use one of {', '.join(PROPERTIES)}")

    def check_binding(self, routing_key: str, arguments: Mapping[str, FieldValue]) -> None:
        """Refuse a binding key that is no weight."""
        digits = routing_key.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()):
            raise PreconditionFailed(
                f"The binding key must be an integer: {term(routing_key)}; it is the target's weight"
            )
        if routing_key.startswith("-") or not digits.strip("0"):
            raise PreconditionFailed(f"The binding key must be greater than 0; '{routing_key}' is no weight")
        if len(digits.lstrip("0")) > len(str(WEIGHT_MAX)) or int(digits) > WEIGHT_MAX:
            text = f"The binding key must not be greater than {WEIGHT_MAX}, the largest weight"
            raise limited(PreconditionFailed(text), "values of arguments")

    def binding_added(self, binding: Binding) -> None:
        """See Exchange.binding_added."""
        if self._counting.setdefault(binding.key[:2], binding) is binding:
            binding.slots = self._slots.enter(binding.target, int(binding.routing_key), binding.slots)

    def binding_removed(self, binding: Binding) -> None:
        """See Exchange.binding_removed."""
        if self._counting.get(binding.key[:2]) is not binding:
            return
        del self._counting[binding.key[:2]]
        self._slots.leave(binding.target)
        for following in self.bindings_to(binding.target):
            self.binding_added(following)
            return

    def target_gone(self, target: Destination) -> None:
        """See Exchange.target_gone."""
        key = (target.kind, target.name)
        counting = self._counting.get(key)
        if counting is not None and counting.target is target:
            del self._counting[key]
            self._slots.leave(target)

    def heir_of(self, binding: Binding) -> Binding | None:
        """See Exchange.heir_of."""
        heir = self._counting.get(binding.key[:2])
        return None if heir is binding else heir

    def _hashed(self, routing_key: str, headers: Mapping[str, FieldValue] | None, properties: Properties | None) -> str:
        if self._header is not None:
            value: object = headers.get(self._header) if headers else None
        elif self._property is not None:
            value = getattr(properties, self._property, None)
        else:
            return routing_key
        return MISSING if value is None else str(value)


register(ConsistentHashExchange)
