"""The bindings of an exchange without those that are still to leave (core.declaring.departures)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from warren.core.exchanges.binding import Binding, BindingKey, Destination, DestinationKind


class Staying(Collection[Binding]):
    """bindings, by_target: all, by key and by target.  departing: targets that are gone."""

    __slots__ = ("_bindings", "_by_target", "_departing")

    def __init__(
        self,
        bindings: Mapping[BindingKey, Binding],
        by_target: Mapping[tuple[DestinationKind, str], Mapping[BindingKey, Binding]],
        departing: Collection[Destination],
    ) -> None:
        self._bindings = bindings
        self._by_target = by_target
        self._departing = departing

    def __len__(self) -> int:
        return sum(map(len, self._by_staying()))

    def __bool__(self) -> bool:
        return any(True for _ in self._by_staying())

    def __iter__(self) -> Iterator[Binding]:
        departing = self._departing
        return (binding for binding in self._bindings.values() if binding.target not in departing)

    def __contains__(self, binding: object) -> bool:
        return (
            isinstance(binding, Binding)
            and binding.target not in self._departing
            and self._bindings.get(binding.key) is binding
        )

    def _by_staying(self) -> Iterator[Mapping[BindingKey, Binding]]:
        departing = self._departing
        return (each for each in self._by_target.values() if each and next(iter(each.values())).target not in departing)
