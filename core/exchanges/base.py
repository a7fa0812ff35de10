"""What every exchange type offers to the rest of the broker, and the set of bindings they all keep.

An exchange type is a class behind this interface, found by its name in `core.exchanges.registry`; the
built-in types come through the same door as any other.  A type says how to find the targets of a message
(`targets`), what bindings it accepts (`check_binding`), and keeps whatever index makes finding cheap:
`make_index` starts it empty, `binding_added` and `binding_removed` tell it of changes.

The set of bindings proper is kept here, two ways: by key in the order of adding, and by target, so that
the bindings of a queue that goes away are found without looking at all the others.  Targets are held by
reference; whoever deletes one calls `remove_target` first, or has them leave bit by bit.

A queue may have had thousands of bindings when it goes.  They lead nowhere from that moment on, and nobody sees them
any more (`VirtualHost.departing`), but they leave the exchange and its index in the turns that follow
(core.declaring.departures).  A type needn't know: who routes leaves out targets that are gone, and tells a type that
picks one of them (`target_gone`).

The default exchange is not one of these: it has no bindings, the vhost routes by queue name itself.

Longer than 400 lines because what every type may say is one interface, of which most types say little.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from warren.core.compiled import mypyc_attr
from warren.core.counters import ExchangeCounts
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.binding import Binding, BindingKey, Destination, DestinationKind
from warren.core.exchanges.duplicates import DEDUPLICATION_ARGUMENTS, duplicate_filter
from warren.core.exchanges.reasons import Reason, shown
from warren.core.exchanges.staying import Staying
from warren.core.messages.field_names import field_type_name
from warren.core.messages.field_table import EMPTY_TABLE_RAW

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON

_log = logging.getLogger("warren.exchange")

ALTERNATE_EXCHANGE = "alternate-exchange"
HISTORY_STREAM = "history-stream"
"""The declare argument that names the exchange for messages which this one leads nowhere."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Exchange:
    """The common part of every exchange: its name and declaration, and its bindings as a source.

    type_name: what clients call the type in exchange.declare.
    depends_on_headers: True when `targets` looks at more than the routing key, so that its result can't be
    kept by key.
    compared_arguments: the arguments that must be the same when the exchange is declared again; others are
    ignored.
    internal: publishable only by way of another exchange.
    duplicates: the filter that drops messages seen before, None for most.
    observes: whether it wants to hear of the messages that come by (`duplicates`, `routed`).
    cacheable: whether what `targets` says of a routing key holds until bindings change.
    picks_one: whether a message goes to one target at most, so that only its first routing key counts.
    alternate: the exchange for messages without a target here, None for none; a policy may set it where the
    argument doesn't.
    history: the stream that gets every message that comes by, whatever becomes of it; of a policy, None for none.
    counts: what was published to it (core/counters.py); whoever publishes counts.
    watchers: who is shown the messages that come by.
    """

    __slots__ = (
        "_bindings",
        "_by_target",
        "_missed_alternate",
        "_missed_history",
        "_sequence",
        "alternate",
        "arguments",
        "arguments_raw",
        "auto_delete",
        "cacheable",
        "counts",
        "duplicates",
        "durable",
        "effective_policy",
        "history",
        "internal",
        "name",
        "observes",
        "operator_policy",
        "picks_one",
        "policy",
        "store_id",
        "vhost",
        "watchers",
    )

    type_name: ClassVar[str]
    depends_on_headers: ClassVar[bool] = False
    compared_arguments: ClassVar[tuple[str, ...]] = (ALTERNATE_EXCHANGE, *DEDUPLICATION_ARGUMENTS)
    kind: Literal["exchange"] = "exchange"

    depends_on_properties: ClassVar[bool] = False
    """True for a type that is to be asked by `targets_by_properties` instead of `targets`."""

    keeps_messages: ClassVar[bool] = False
    """True for a type that holds messages back (`holds`, `hold`): a durable exchange of it gets a `store_id`."""

    made_by_broker: ClassVar[bool] = False
    """A type of which the broker makes exchanges when it needs one, and nobody else."""

    def __init__(
        self,
        name: str,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Mapping[str, FieldValue] | None = None,
        arguments_raw: bytes = EMPTY_TABLE_RAW,
    ) -> None:
        self.name = name
        self.durable = durable
        self.auto_delete = auto_delete
        self.internal = internal
        self.arguments: Mapping[str, FieldValue] = arguments or {}
        self.arguments_raw = arguments_raw
        alternate = self.arguments.get(ALTERNATE_EXCHANGE)
        self.alternate: str | None = alternate if isinstance(alternate, str) else None
        self.policy: str | None = None
        self.operator_policy: str | None = None
        self.effective_policy: Mapping[str, JSON] = {}
        self.vhost: VirtualHost | None = None
        self.store_id = 0
        self.counts = ExchangeCounts()
        self.duplicates = duplicate_filter(self.arguments)
        self.observes = self.duplicates is not None
        self.cacheable = not self.depends_on_headers
        self.picks_one = False
        self.watchers: tuple[Callable[[Message], None], ...] = ()
        self._bindings: dict[BindingKey, Binding] = {}
        self._by_target: dict[tuple[DestinationKind, str], dict[BindingKey, Binding]] = {}
        self._sequence = 0
        self._missed_alternate: str | None = None
        self.history: str | None = None
        self._missed_history: str | None = None
        self.make_index()

    @abstractmethod
    def targets(self, routing_key: str, headers: Mapping[str, FieldValue] | None) -> Collection[Destination]:
        """Where a message goes: each target once, in the order of the earliest bindings that lead there.

        headers: the headers property of the message, None when it has none.
        The caller must not change the collection, nor use it any more after a binding has changed.
        """

    def apply_policy(
        self, effective: Mapping[str, JSON], policy_name: str | None, operator_policy_name: str | None
    ) -> None:
        """Other policies match the exchange now; called when it is declared or restored, and whenever that changes.

        effective: the merged definition of both.  An argument of the declaration wins over it.
        """
        self.effective_policy = effective
        self.policy = policy_name
        self.operator_policy = operator_policy_name
        alternate = self.arguments.get(ALTERNATE_EXCHANGE, effective.get(ALTERNATE_EXCHANGE))
        self.alternate = alternate if isinstance(alternate, str) else None
        history = effective.get(HISTORY_STREAM)
        self.history = history if isinstance(history, str) and history else None

    def targets_by_properties(
        self, routing_key: str, headers: Mapping[str, FieldValue] | None, properties: Properties | None
    ) -> Collection[Destination]:
        """As `targets`, for types that look at other properties than the headers too; None: not known."""
        return self.targets(routing_key, headers)

    def note_missing_alternate(self) -> None:
        """A message was dropped because the alternate exchange isn't there: the log says so, once."""
        if self.alternate != self._missed_alternate:
            self._missed_alternate = self.alternate
            _log.warning(
                "exchange '%s' has the alternate exchange '%s', which doesn't exist; what it can't route is dropped",
                self.name,
                self.alternate,
            )

    def note_missing_history(self) -> None:
        """The stream for its history isn't there, or is none: the log says so, once."""
        if self.history != self._missed_history:
            self._missed_history = self.history
            _log.warning(
                "exchange '%s' has the history-stream '%s', which is no stream; what comes by isn't kept until it is "
                "declared",
                self.name,
                self.history,
            )

    # For types that observe or keep messages; the others need none of it.

    def attached(self, vhost: VirtualHost) -> None:
        """The exchange now exists in `vhost`: declared, or restored with its bindings still to come."""
        self.vhost = vhost

    def detached(self) -> None:
        """The exchange is deleted: let go of timers, settle what it keeps."""
        self.vhost = None

    def is_duplicate(self, message: Message) -> bool:
        """True when the exchange drops duplicates and has seen this message's value before; else it has now."""
        if self.duplicates is None or self.vhost is None:
            return False
        return self.duplicates.is_duplicate(message, self.vhost.broker.now_ms)

    def forget(self, message: Message) -> None:
        """Nothing took the message: it is no duplicate when it comes again."""
        if self.duplicates is not None:
            self.duplicates.forget(message)

    def holds(self, headers: Mapping[str, FieldValue] | None) -> bool:
        """Whether a message with these headers stays here instead of going on; asked of types that keep messages."""
        return False

    def hold(self, message: Message, extra_keys: Sequence[str]) -> None:
        """Take a message in that `holds` said yes to; extra_keys: the routing keys of its CC and BCC."""
        return

    def prepare_hold(self, message: Message, extra_keys: Sequence[str]) -> Message:
        """What `hold` keeps, for who publishes many messages together (core.routing.staging); the store has it then.

        To be called while the store is collecting.  Its time is that for `hold_prepared` to make right.
        """
        raise NotImplementedError(f"exchanges of type {self.type_name} hold nothing")

    def hold_prepared(self, held: Sequence[Message]) -> None:
        """Now all of these are published."""
        return

    def routed(self, message: Message) -> None:
        """A message has come by and was delivered; called if the exchange observes."""
        return

    def watch(self, watcher: Callable[[Message], None]) -> None:
        """Have `watcher` called with each message that comes by, after its delivery.

        The caller makes remembered routes void (`VirtualHost.changed`).
        """
        self.watchers = (*self.watchers, watcher)

    def unwatch(self, watcher: Callable[[Message], None]) -> None:
        """Undo `watch`."""
        self.watchers = tuple(each for each in self.watchers if each != watcher)

    def heir_of(self, binding: Binding) -> Binding | None:
        """The binding that stands in for one that was removed, and has changed by that: its row is to be written anew.

        For types that keep something with a binding; of others a removal changes no other binding.
        """
        return None

    def bound(self, binding: Binding) -> None:
        """A client has added this binding just now, and routing knows of it."""
        return

    def restore_messages(self, positions: Sequence[int], body_sizes: Sequence[int]) -> None:
        """At start: the log positions of what this exchange had stored under its `store_id`, in order."""
        return

    @classmethod
    def check_arguments(cls, arguments: Mapping[str, FieldValue]) -> None:
        """Raise PreconditionFailed when an exchange of this type can't be declared with these arguments."""
        check_alternate("an exchange", arguments)
        duplicate_filter(arguments)

    def check_binding(self, routing_key: str, arguments: Mapping[str, FieldValue]) -> None:
        """Raise PreconditionFailed when this type has no use for such a binding; most types accept any."""
        return

    def check_destination(self, target: Destination) -> None:
        """Raise PreconditionFailed when this type can't lead to such a target; most types can lead to any."""
        return

    def reason(
        self,
        binding: Binding,
        routing_key: str,
        headers: Mapping[str, FieldValue] | None,
        properties: Properties | None,
    ) -> Reason:
        """Whether one of the bindings leads such a message on, and why, for people who look for that.

        Asked of an exchange of this type that has this one alone, so that it is what `targets` says.  Types that pick
        one of their targets aren't asked.
        """
        alone = type(self)(self.name, durable=self.durable, arguments=self.arguments)
        alone.add(Binding(self.name, binding.target, binding.routing_key, binding.arguments, binding.arguments_raw))
        if alone.targets_by_properties(routing_key, headers, properties):
            return Reason(True, 0, self.agreement(binding, routing_key))
        return Reason(False, *self.difference(binding, routing_key, headers))

    def agreement(self, binding: Binding, routing_key: str) -> str:
        """Why a binding leads a message on, in words."""
        return f"the binding key '{shown(binding.routing_key)}' matches"

    def difference(
        self, binding: Binding, routing_key: str, headers: Mapping[str, FieldValue] | None
    ) -> tuple[int, str]:
        """How far a binding is from leading a message on (reasons.py), and why it doesn't, in words."""
        return 1, "the exchange doesn't let it pass"

    @property
    def bindings(self) -> Collection[Binding]:
        """All bindings with this exchange as the source, in the order of adding."""
        vhost = self.vhost
        if vhost is not None and vhost.departing:
            return Staying(self._bindings, self._by_target, vhost.departing)
        return self._bindings.values()

    def get(self, key: BindingKey) -> Binding | None:
        """The binding with this key (see `core.exchanges.binding.binding_key`), None when there is none."""
        binding = self._by_target.get(key[:2], _NONE).get(key)
        return None if binding is None or self._is_departing(binding.target) else binding

    def bindings_to(self, target: Destination) -> Collection[Binding]:
        """The bindings that lead from here to `target`, in the order of adding."""
        found = self._by_target.get((target.kind, target.name), _NONE)
        return () if self._has_departing(found) else found.values()

    def check(self, binding: Binding) -> None:
        """Raise PreconditionFailed when this exchange can't have such a binding."""
        self.check_binding(binding.routing_key, binding.arguments)
        self.check_destination(binding.target)

    def add(self, binding: Binding) -> bool:
        """Route by `binding` from now on; False when there is an equal one already, which then stays.

        Raises PreconditionFailed, before anything is changed, as `check` does.
        """
        self.check(binding)
        key = binding.key
        to_target = self._bindings_of(key[:2])
        if key in to_target:
            return False
        self._sequence += 1
        binding.sequence = self._sequence
        binding.source_durable = self.durable
        leaving = self._bindings.get(key)
        if leaving is not None:
            self.let_go(leaving)
        self._bindings[key] = binding
        to_target[key] = binding
        self.binding_added(binding)
        return True

    def add_all(self, target: Destination, bindings: Sequence[Binding]) -> list[Binding]:
        """The same for new bindings that all lead to one target; gives back those that there was no equal one of."""
        for binding in bindings:
            self.check_binding(binding.routing_key, binding.arguments)
        self.check_destination(target)
        if not bindings:
            return []
        to_target = self._bindings_of((target.kind, target.name))
        all_bindings, durable, sequence = self._bindings, self.durable, self._sequence
        added: list[Binding] = []
        for binding in bindings:
            key = binding.key
            if to_target.setdefault(key, binding) is not binding:
                continue
            sequence += 1
            binding.sequence = sequence
            binding.source_durable = durable
            leaving = all_bindings.setdefault(key, binding)
            if leaving is not binding:
                self.let_go(leaving)
                all_bindings[key] = binding
            added.append(binding)
        self._sequence = sequence
        self.bindings_added(added)
        return added

    def remove(self, key: BindingKey) -> bool:
        """Stop routing by the binding with this key; False when there is none."""
        to_target = self._by_target.get(key[:2], _NONE)
        binding = to_target.pop(key, None)
        if binding is None:
            return False
        if not to_target:
            del self._by_target[key[:2]]
        del self._bindings[key]
        self.binding_removed(binding)
        return True

    def remove_target(self, target: Destination) -> list[Binding]:
        """Remove and return all bindings that lead to `target`, without looking at any others."""
        removed = self._by_target.pop((target.kind, target.name), {})
        for key in removed:
            del self._bindings[key]
        bindings = list(removed.values())
        self.bindings_removed(bindings)
        return bindings

    def retarget(self, old: Destination, new: Destination) -> None:
        """The bindings to `old` lead to `new` from now on, which has the same name (core.cluster.replacing)."""
        found = self._by_target.get((old.kind, old.name), _NONE)
        if not found or next(iter(found.values())).target is not old:
            return
        bindings = self.remove_target(old)
        for binding in bindings:
            binding.target = new
        self.add_all(new, bindings)

    # For targets that go with many bindings (core.declaring.departures)

    def begin_leaving(self, target: Destination) -> dict[BindingKey, Binding]:
        """The bindings to a target that is departing, which are only to be let go one by one."""
        self.target_gone(target)
        found = self._by_target.get((target.kind, target.name), _NONE)
        if not found or next(iter(found.values())).target is not target:
            return {}
        return self._by_target.pop((target.kind, target.name))

    def let_go(self, binding: Binding) -> None:
        """One of those leaves; nothing happens if it has left, or another one has come in its place."""
        if self._bindings.get(binding.key) is binding:
            del self._bindings[binding.key]
            self.binding_removed(binding)

    def let_go_some(self, count: int) -> list[Binding]:
        """The exchange is deleted: take so many of its bindings out, as long as there are any."""
        taken: list[Binding] = []
        while self._bindings and len(taken) < count:
            key, binding = self._bindings.popitem()
            to_target = self._by_target.get(key[:2], _NONE)
            if to_target.get(key) is binding:
                del to_target[key]
                if not to_target:
                    del self._by_target[key[:2]]
            self.binding_removed(binding)
            taken.append(binding)
        return taken

    def target_gone(self, target: Destination) -> None:
        """A target is departing: pick it no more.  For types that pick one of several."""
        if self.picks_one:
            self.remove_target(target)

    def _bindings_of(self, target: tuple[DestinationKind, str]) -> dict[BindingKey, Binding]:
        """Those to the target of this name, for one more to be put into it."""
        found = self._by_target.get(target)
        if found is not None and self._has_departing(found):
            self._make_way(found)
            found = None
        if found is None:
            found = self._by_target[target] = {}
        return found

    def _make_way(self, to_target: dict[BindingKey, Binding]) -> None:
        """A target of a name comes while these bindings to another of that name are still to leave."""
        old = next(iter(to_target.values())).target
        leaving = self.begin_leaving(old)
        if self.vhost is not None:
            self.vhost.departing[old].take_over(self, leaving)

    def _is_departing(self, target: Destination) -> bool:
        vhost = self.vhost
        return vhost is not None and bool(vhost.departing) and target in vhost.departing

    def _has_departing(self, to_target: dict[BindingKey, Binding]) -> bool:
        """Whether these, which all lead to one target, are still to leave."""
        vhost = self.vhost
        if vhost is None or not vhost.departing or not to_target:
            return False
        return next(iter(to_target.values())).target in vhost.departing

    @abstractmethod
    def make_index(self) -> None:
        """Make the type's own index, empty as yet; called once, by the constructor."""

    @abstractmethod
    def binding_added(self, binding: Binding) -> None:
        """Bring the type's own index up to date; `binding` is in `bindings` already."""

    @abstractmethod
    def binding_removed(self, binding: Binding) -> None:
        """Bring the type's own index up to date; `binding` is no longer in `bindings`."""

    def bindings_added(self, bindings: Sequence[Binding]) -> None:
        """The same for several at once, all to one target."""
        for binding in bindings:
            self.binding_added(binding)

    def bindings_removed(self, bindings: list[Binding]) -> None:
        """The same for all that led to one target; a type whose index is slow to change may do it bit by bit."""
        for binding in bindings:
            self.binding_removed(binding)


_NONE: Final[dict[BindingKey, Binding]] = {}


def distinct_targets(bindings: Iterable[Binding]) -> tuple[Destination, ...]:
    """The targets of `bindings`, each once, in the order of its first appearance."""
    return tuple(dict.fromkeys(binding.target for binding in bindings))


def check_alternate(description: str, arguments: Mapping[str, FieldValue]) -> None:
    """PreconditionFailed (406) when what is to be the alternate exchange of `description` is no name."""
    alternate = arguments.get(ALTERNATE_EXCHANGE)
    if ALTERNATE_EXCHANGE in arguments and not isinstance(alternate, str):
        raise PreconditionFailed(
            f"invalid type '{field_type_name(alternate)}' for arg '{ALTERNATE_EXCHANGE}' in {description}; "
            "it must be the name of another one"
        )
