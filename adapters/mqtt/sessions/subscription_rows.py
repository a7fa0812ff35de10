"""A stored session's subscriptions in the definitions: some to a row, so that one more costs the same however many.

Were they all in the session's row, each further one would write all the others again; in a row each, eight thousand of
them would be eight thousand statements.  So a row holds up to `ROW_SUBSCRIPTIONS_MAX`, and what has changed is written
once per batch, before its changes are committed and answered.  A row that has lost subscriptions isn't filled up again,
except the last; one that has lost all goes.

A row is named by the client identifier, U+0000, which no identifier has (MQTT-1.5.4-2), and a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

from warren.adapters.mqtt.sessions.subscription import subscription_from

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.subscription import MqttSubscription
    from warren.core.broker import Broker
    from warren.core.storage.definitions.store import JSON

KIND: Final = "mqtt_subscriptions"

ROW_SUBSCRIPTIONS_MAX: Final = 32
"""So few that writing the row for one of them costs little more than a row of its own, and so many that thousands at
once cost a few hundred statements."""

_BETWEEN: Final = "\0"


class SubscriptionRows:
    """Of one session that is stored."""

    __slots__ = ("_broker", "_changed", "_client_id", "_ended", "_last", "_rows", "_vhost")

    def __init__(self, broker: Broker, vhost: str, client_id: str) -> None:
        self._broker = broker
        self._vhost = vhost
        self._client_id = client_id
        self._rows: dict[int, dict[str, MqttSubscription]] = {}
        self._last = 0
        self._changed: dict[int, None] = {}
        self._ended = False

    def put(self, subscription: MqttSubscription, before: MqttSubscription | None) -> None:
        """A subscription was added, or has replaced `before`."""
        number = before.row_number if before is not None else 0
        row = self._rows.setdefault(number, {}) if number else self._row_with_room()
        subscription.row_number = number = number or self._last
        row[subscription.filter] = subscription
        self._change(number)

    def put_all(self, subscriptions: Sequence[MqttSubscription]) -> None:
        """Several were added."""
        start = 0
        while start < len(subscriptions):
            row = self._row_with_room()
            end = start + ROW_SUBSCRIPTIONS_MAX - len(row)
            for subscription in subscriptions[start:end]:
                subscription.row_number = self._last
                row[subscription.filter] = subscription
            self._change(self._last)
            start = end

    def remove(self, subscription: MqttSubscription) -> None:
        """A subscription is no more."""
        row = self._rows.get(subscription.row_number)
        if row is not None and row.pop(subscription.filter, None) is not None:
            self._change(subscription.row_number)

    def restore(self, number: int, subscriptions: Sequence[MqttSubscription]) -> None:
        """Take what a row says."""
        self._last = max(self._last, number)
        row = self._rows.setdefault(number, {})
        for subscription in subscriptions:
            subscription.row_number = number
            row[subscription.filter] = subscription

    def write(self) -> None:
        """Put into the definitions what has changed; called at the end of each batch with changes."""
        changed, self._changed = self._changed, {}
        if self._ended:
            return
        definitions = self._broker.definitions
        for number in changed:
            row = self._rows.get(number)
            if row:
                value: dict[str, JSON] = {"subscriptions": [each.row() for each in row.values()]}
                definitions.put(KIND, self._vhost, self._name(number), value)
            else:
                self._rows.pop(number, None)
                definitions.delete(KIND, self._vhost, self._name(number))

    def end(self) -> None:
        """The session is no more: neither are its rows, of which very many go bit by bit."""
        self._ended = True
        rest = self._broker.definitions.delete_beginning(KIND, self._vhost, self._client_id + _BETWEEN)
        if rest is not None:
            self._broker.chores.add(rest)
        self._rows = {}

    def _row_with_room(self) -> dict[str, MqttSubscription]:
        """The last one, or a new one behind it, which is the last then."""
        if not self._last or len(self._rows.get(self._last, ())) >= ROW_SUBSCRIPTIONS_MAX:
            self._last += 1
        return self._rows.setdefault(self._last, {})

    def _change(self, number: int) -> None:
        if not self._changed:
            self._broker.at_end_of_batch(self.write)
        self._changed[number] = None

    def _name(self, number: int) -> str:
        return f"{self._client_id}{_BETWEEN}{number}"


def parse_row(name: str, row: Mapping[str, JSON]) -> tuple[str, int, list[MqttSubscription]]:
    """The client identifier, the number and the subscriptions of a row; ValueError and KeyError for what is none."""
    client_id, between, number = name.rpartition(_BETWEEN)
    if not between:
        raise ValueError(f"the row's name '{name}' has no number")
    return client_id, int(number), list(subscriptions_in(row))


def subscriptions_in(row: Mapping[str, JSON]) -> Iterator[MqttSubscription]:
    """The subscriptions of a row of theirs, or of a session's row as it was when they were in there."""
    for each in cast("Sequence[JSON]", row.get("subscriptions", ())):
        yield subscription_from(each)
