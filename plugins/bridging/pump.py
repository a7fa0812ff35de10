"""One connected link at work: from a source to a destination, until one of them fails or enough has been moved.

Three tasks share what is in flight.  `_forward` takes batches from the source and sends them on; `_settle` hears what
became of them and tells the source; `_try_again` sends once more what the destination turned away, after a pause that
grows, while `_forward` waits: a destination that is full is asked now and then, not as fast as the machine can.

The source is acknowledged only what the destination has (`on-confirm`), so whatever ends a pump, and whichever process
dies, nothing is lost; what was in flight comes again.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Generic

import trio

from warren.adapters.peers.errors import PeerError
from warren.plugins.bridging.ack_modes import NO_ACK, ON_CONFIRM
from warren.plugins.bridging.ends import Message
from warren.plugins.bridging.in_flight import InFlight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.plugins.bridging.ends import Destination, Outcome, Rewriting, Source

BATCH_MAX: Final = 256
"""Messages sent on before other tasks have their turn: a millisecond or two."""

BURSTS_A_SECOND: Final = 10
"""With a limit of the rate, messages go out in so many bursts, or one by one."""

IN_FLIGHT_MAX: Final = 65_535
"""Messages that may be under way, where nobody says fewer: a prefetch has two bytes (AMQP 0-9-1 basic.qos)."""

PAUSE_LEAST_S: Final = 0.5
PAUSE_MOST_S: Final = 30.0
"""Between two tries of what the destination turns away; doubled from one to the next."""


PATIENCE_S: Final = 1.5
"""How long a pump that ends waits for the destination's word about what is under way; also at the broker's stop, when
plugins have a few seconds in all."""


class Pump(Generic[Message]):
    """remaining: messages still to move, None for no end.  forwarded: how many the destination has.

    wanted: whether a message is to be sent; None where all are.  What isn't counts as moved, but for `forwarded`, and
    is acknowledged in its turn, or rejected, where `rejects_unwanted` says so of it.  moved, passed_over: called with
    how many the destination has, and how many weren't sent.  reject: tells the source that a message can't be used.
    refusals_max: after so many refusals of the destination a message is rejected, which `given_up` is told of; None for
    never.
    batch_max: messages that are looked at before other tasks have their turn.
    in_flight_max: how many may wait for the destination's word before no more are sent, but for the rest of a batch.  A
    source whose prefetch is as large sends no more by itself; but MQTT's QoS 0 knows no such bound, nor do all brokers.
    refused: why the destination turns messages away just now, None if it doesn't.  patience_s: how long it may take to
    end when it is cancelled.  grace_s: how long when an end fails, of which a source gains that remembers what is safe.
    """

    def __init__(
        self,
        source: Source[Message],
        destination: Destination,
        rewriting: Rewriting[Message],
        *,
        ack_mode: str,
        remaining: int | None = None,
        rate_max: float | None = None,
        in_flight_max: int = IN_FLIGHT_MAX,
        moved: Callable[[int], None] = lambda count: None,
        wanted: Callable[[Message], bool] | None = None,
        passed_over: Callable[[int], None] = lambda count: None,
        reject: Callable[[Message], None] | None = None,
        rejects_unwanted: Callable[[Message], bool] | None = None,
        refusals_max: int | None = None,
        given_up: Callable[[int], None] = lambda count: None,
        batch_max: int = BATCH_MAX,
    ) -> None:
        self._source = source
        self._destination = destination
        self._rewriting = rewriting
        self._ack_mode = ack_mode
        self._rate_max = rate_max
        self._in_flight_max = in_flight_max
        self._batch_max = batch_max if rate_max is None else max(1, min(batch_max, int(rate_max / BURSTS_A_SECOND)))
        self._moved = moved
        self._wanted = wanted
        self._told_passed_over = passed_over
        self._reject = _cannot_reject if reject is None else reject
        self._rejects_unwanted = rejects_unwanted
        self._refusals_max = refusals_max
        self._told_given_up = given_up
        self._in_flight: InFlight[Message] = InFlight()
        self._allowed = trio.Event()
        self._allowed.set()
        self._turned_away = trio.lowlevel.ParkingLot()
        self._heard = trio.lowlevel.ParkingLot()
        self._settled = trio.lowlevel.ParkingLot()
        self.remaining = remaining
        self.forwarded = 0
        self.passed_over = 0
        self.refused: str | None = None
        self.patience_s = PATIENCE_S
        self.grace_s = 0.0

    @property
    def pending(self) -> int:
        """Messages that are under way."""
        return len(self._in_flight)

    @property
    def blocked(self) -> str | None:
        """Why the destination takes nothing now, None if it does."""
        return self.refused or self._destination.blocked

    async def run(self) -> None:
        """Move messages; returns when `remaining` has come to 0, raises PeerError when an end fails.

        However it ends, what the destination has said by then is passed on to the source, and what it says within
        `patience_s`, or `grace_s`, if it is still there.  So nothing is doubled that needn't be.
        """
        if self._ack_mode != ON_CONFIRM:
            await first_to_end(self._forward, self._forget, self._destination.wait_ended)
            return
        try:
            await first_to_end(self._forward, self._settle, self._try_again, self._destination.wait_ended)
        finally:
            cancelled = trio.current_effective_deadline() == -math.inf
            await self._settle_last(self.patience_s if cancelled else self.grace_s)

    async def _settle_last(self, patience_s: float) -> None:
        """Nothing more is sent: hear what is known of what was, and acknowledge it one by one where it must be."""
        in_flight = self._in_flight
        if self._destination.blocked is not None:
            patience_s = 0
        with suppress(PeerError), trio.CancelScope(shield=True, deadline=trio.current_time() + patience_s):
            while in_flight.unanswered:
                self._take_outcomes(await self._destination.outcomes())
        with suppress(PeerError):
            self._acknowledge()
        for message, sent in in_flight.take_scattered():
            with suppress(PeerError):
                self._source.ack_alone(message)
                if sent:
                    self._count(1)
                else:
                    self._count_passed_over(1)

    async def _forget(self) -> None:
        """What becomes of messages isn't of interest, but mustn't pile up."""
        while True:
            await self._destination.outcomes()

    async def _forward(self) -> None:
        while self.remaining is None or self.remaining > 0:
            batch = await self._source.receive()
            if self._ack_mode == NO_ACK:
                # Arriving is all that counts; where the protocol itself settles by that, there is nothing to be said.
                self._source.ack(batch[-1])
            if self.remaining is not None:
                batch = batch[: self.remaining]
            for start in range(0, len(batch), self._batch_max):
                await self._send(batch[start : start + self._batch_max])
        while self._in_flight:
            await self._settled.park()

    async def _send(self, batch: Sequence[Message]) -> None:
        while True:
            await self._allowed.wait()
            while len(self._in_flight) >= self._in_flight_max:
                await self._settled.park()
            await self._destination.ready()
            if self._allowed.is_set():
                break
        untold, count = batch, len(batch)
        if self._wanted is None:
            self._publish(batch)
        else:
            untold, count = self._publish_wanted(batch, self._wanted)
        self._destination.flush()
        if self.remaining is not None:
            self.remaining -= len(batch)
        if self._ack_mode != ON_CONFIRM:
            if untold and self._ack_mode != NO_ACK:
                self._source.ack(untold[-1])
            self._count(count)
        elif count < len(batch):
            self._acknowledge()
        if self._rate_max is not None:
            await trio.sleep(count / self._rate_max)

    def _publish(self, batch: Sequence[Message]) -> None:
        publish = self._destination.publish
        address, properties = self._rewriting.address, self._rewriting.properties
        sent = self._in_flight.sent
        tracked = self._ack_mode == ON_CONFIRM
        for message in batch:
            exchange, routing_key = address(message)
            try:
                number = publish(message, exchange, routing_key, properties(message))
            except ValueError as error:
                raise PeerError(f"a message can't be sent to the destination: {error}") from error
            if tracked:
                sent(number, message)

    def _publish_wanted(
        self, batch: Sequence[Message], wanted: Callable[[Message], bool]
    ) -> tuple[Sequence[Message], int]:
        """Send on those that are wanted; the messages that the source hasn't been told of yet, and how many were sent.

        The others keep their place among what is under way, or are rejected at once.
        """
        untold, count = [], 0
        for message in batch:
            if wanted(message):
                self._publish((message,))
                count += 1
            elif self._rejects_unwanted is not None and self._rejects_unwanted(message):
                self._reject(message)
                self._count_passed_over(1)
                continue
            elif self._ack_mode == ON_CONFIRM:
                self._in_flight.passed_over(message)
            else:
                self._count_passed_over(1)
            untold.append(message)
        return untold, count

    async def _settle(self) -> None:
        in_flight = self._in_flight
        while True:
            self._take_outcomes(await self._destination.outcomes())
            self._heard.unpark_all()
            if in_flight.refused:
                self._hold()
            self._acknowledge()

    def _take_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        for number, multiple, refused, passing in outcomes:
            if refused is None:
                self._in_flight.taken(number, multiple=multiple)
            else:
                self._in_flight.turned_away(number, multiple=multiple, passing=passing)
                self.refused = refused
        if self._refusals_max is not None and self._in_flight.refused:
            self._give_up(self._refusals_max)

    def _give_up(self, refusals_max: int) -> None:
        given_up = self._in_flight.give_up(refusals_max)
        for message in given_up:
            self._reject(message)
        if given_up:
            self._told_given_up(len(given_up))
            self._settled.unpark_all()
            if not self._in_flight.refused:
                self.refused = None

    def _acknowledge(self) -> None:
        """Tell the source of the run of messages that are done."""
        in_flight = self._in_flight
        last, count = in_flight.take_done()
        if last is not None:
            self._source.ack(last)
            if count:
                self._count(count)
            if in_flight.passed:
                self._count_passed_over(in_flight.passed)
                in_flight.passed = 0
            self._settled.unpark_all()

    def _hold(self) -> None:
        if self._allowed.is_set():
            self._allowed = trio.Event()
        self._turned_away.unpark_all()

    async def _try_again(self) -> None:
        """Whatever was turned away goes out once more after a pause; when all of it is taken, `_forward` goes on."""
        in_flight = self._in_flight
        pause_s = PAUSE_LEAST_S
        while True:
            while not in_flight.refused:
                await self._turned_away.park()
            await trio.sleep(pause_s)
            await self._destination.ready()
            for _ in range(len(in_flight.refused)):
                self._again()
            self._destination.flush()
            while in_flight.unanswered:
                await self._heard.park()
            if in_flight.refused:
                pause_s = min(2 * pause_s, PAUSE_MOST_S)
            else:
                self.refused = None
                pause_s = PAUSE_LEAST_S
                self._allowed.set()

    def _again(self) -> None:
        message = self._in_flight.refused[0].item
        exchange, routing_key = self._rewriting.address(message)
        number = self._destination.publish(message, exchange, routing_key, self._rewriting.properties(message))
        self._in_flight.sent_again(number)

    def _count_passed_over(self, count: int) -> None:
        self.passed_over += count
        self._told_passed_over(count)

    def _count(self, count: int) -> None:
        self.forwarded += count
        self._moved(count)


def _cannot_reject(message: object) -> None:
    raise PeerError("the source can't be told that a message can't be used")


async def first_to_end(*tasks: Callable[[], Awaitable[None]]) -> None:
    """Run tasks until one of them returns or fails, then end the others; its PeerError comes as it is."""
    failures: list[PeerError] = []
    async with trio.open_nursery() as nursery:

        async def run(task: Callable[[], Awaitable[None]]) -> None:
            try:
                await task()
            except PeerError as error:
                failures.append(error)
            nursery.cancel_scope.cancel()

        for task in tasks:
            nursery.start_soon(run, task)
    if failures:
        raise failures[0]
