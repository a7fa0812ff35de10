"""Which bindings an upstream exchange is to have for a federated one, kept up with changes.

A binding of the exchange here, whatever it leads to, is wanted once at the upstream, with the same key and arguments
and with x-bound-from; many that are alike there are one.  So bindings here are counted, and what an upstream has is
told from what it should have by looking only at what has changed.  Nothing is computed when a binding comes or goes:
that is noted, and worked off in slices by the link's own task, also while the link is down.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from warren.core.exchanges.binding import canonical_arguments
from warren.core.messages.field_table import decode_table
from warren.plugins.federation.ways import Place, bound_from, hops_left

if TYPE_CHECKING:
    from warren.core.exchanges.binding import Binding

_Key = tuple[str, tuple[object, ...]]
"""Routing key, canonical arguments at the upstream."""


class Wanted(NamedTuple):
    """A binding at the upstream.  arguments_raw: a field table."""

    routing_key: str
    arguments_raw: bytes


class BindingMirror:
    """Of one exchange towards one upstream.

    downstream, exchange: where the federated exchange is, and its name.  upstream: where the bindings are made, once
    that is known (`begin`).
    """

    def __init__(self, downstream: Place, exchange: str, max_hops: int, there_are: Iterable[Binding]) -> None:
        self._downstream = downstream
        self._exchange = exchange
        self._max_hops = max_hops
        self._upstream: Place | None = None
        self._before = deque(there_are)
        self._local: deque[tuple[Iterator[Binding], int]] = deque()
        self._bindings: dict[Binding, None] = {}
        self._counts: dict[_Key, int] = {}
        self._wanted: dict[_Key, Wanted] = {}
        self._keys: dict[Binding, _Key] = {}
        self._there: dict[_Key, None] = {}
        self._changed: dict[_Key, None] = {}

    def __len__(self) -> int:
        """Bindings that the upstream has."""
        return len(self._there)

    def bound(self, binding: Binding) -> None:
        """The exchange here has this one more."""
        self._local.append((iter((binding,)), 1))

    def unbound(self, bindings: Iterable[Binding]) -> None:
        """The exchange here has these no more; they aren't to change."""
        self._local.append((iter(bindings), -1))

    def begin(self, upstream: Place) -> None:
        """At this upstream there is none of them yet."""
        self._there.clear()
        if upstream != self._upstream:
            # Which bindings may go there depends on where it is.
            self._upstream = upstream
            self._before.extendleft(reversed(self._bindings))
            self._bindings.clear()
            self._counts.clear()
            self._keys.clear()
        self._wanted = {key: self._wanted[key] for key in self._counts}
        self._changed = dict.fromkeys(self._counts)

    def work_off(self, count: int) -> bool:
        """Look at so many of the changes here; True when there are more."""
        for _ in range(count):
            if self._before:
                self._count_in(self._before.popleft())
            elif self._local:
                bindings, step = self._local[0]
                binding = next(bindings, None)
                if binding is None:
                    self._local.popleft()
                elif step > 0:
                    self._count_in(binding)
                else:
                    self._count_out(binding)
            else:
                break
        return bool(self._before or self._local)

    @property
    def has_news(self) -> bool:
        """Whether anything has changed here that the upstream doesn't know of."""
        return bool(self._before or self._local or self._changed)

    @property
    def has_changes(self) -> bool:
        """Whether `take_changes` has something to look at."""
        return bool(self._changed)

    def take_changes(self, count: int) -> tuple[list[Wanted], list[Wanted]]:
        """What is to be bound and what to be unbound at the upstream, so many at most; that counts as done then."""
        to_bind, to_unbind = [], []
        for key in list(islice(self._changed, count)):
            del self._changed[key]
            if self._counts.get(key):
                if key not in self._there:
                    self._there[key] = None
                    to_bind.append(self._wanted[key])
            else:
                wanted = self._wanted.pop(key, None)
                if key in self._there and wanted is not None:
                    del self._there[key]
                    to_unbind.append(wanted)
        return to_bind, to_unbind

    def some_there(self, count: int) -> list[Wanted]:
        """So many of those that the upstream has, others each time, to be made again in case it has lost them."""
        keys = list(islice(self._there, count))
        for key in keys:
            self._there[key] = self._there.pop(key)
        return [self._wanted[key] for key in keys]

    def _count_in(self, binding: Binding) -> None:
        self._bindings[binding] = None
        upstream = self._upstream
        if upstream is None:
            return
        hops = hops_left(binding.arguments, self._max_hops, upstream)
        if not hops:
            return
        raw = bound_from(binding.arguments_raw, self._downstream, self._exchange, hops)
        key = binding.routing_key, canonical_arguments(decode_table(raw, 0)[0])
        self._keys[binding] = key
        self._wanted.setdefault(key, Wanted(binding.routing_key, raw))
        self._counts[key] = self._counts.get(key, 0) + 1
        self._changed[key] = None

    def _count_out(self, binding: Binding) -> None:
        if self._bindings.pop(binding, self) is self:
            return
        key = self._keys.pop(binding, None)
        if key is None:
            return
        self._counts[key] -= 1
        if not self._counts[key]:
            del self._counts[key]
            if key not in self._there:
                # The upstream never hears of it: bindings that come and go while the link is down leave nothing here.
                self._wanted.pop(key, None)
                self._changed.pop(key, None)
                return
        self._changed[key] = None
