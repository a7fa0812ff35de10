"""Commands that a queue may answer later, and the frames that wait behind them (core/queues/answer.py).

What a channel asks of a queue (basic.get, queue.purge, queue.delete, queue.declare) is mostly answered in the same
call.  While it isn't, the frames that follow on the channel are kept, in order, so that commands have their effects and
answers in the order in which they came; acknowledgements go on, as they concern what was delivered before, and so do
the other channels.  connection.close waits, since what was published before it is to arrive.  What is kept is bounded
(adapters.session.held).  With the answer the frames are due (due_frames.py), and obey alarms as if they came just then.

A channel that ends meanwhile gets no answer: a message that comes for it is given back to its queue.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from warren.adapters.amqp091.codec.constants import FRAME_METHOD
from warren.adapters.amqp091.held_frames import ACKNOWLEDGEMENTS, CLOSE, HeldFrame, size_of
from warren.adapters.session.held import Held
from warren.adapters.session.read_gate import UNANSWERED
from warren.core.errors import BrokerError
from warren.core.queues.answer import Answer, ignore

if TYPE_CHECKING:
    from warren.adapters.amqp091.channel import Channel
    from warren.adapters.amqp091.codec import methods
    from warren.adapters.amqp091.connection import Connection
    from warren.adapters.session.read_gate import ReadGate

Value = TypeVar("Value")


class Asking:
    """The channels of one connection that wait for a queue's answer.  active: True while there are any."""

    __slots__ = ("_channels", "_held", "active")

    def __init__(self, gate: ReadGate) -> None:
        self._channels: set[int] = set()
        self._held: Held[HeldFrame] = Held(gate, size_of, UNANSWERED)
        self.active = False

    def wants(self, kind: int, number: int, class_id: int, method_id: int) -> bool:
        """True for a frame that must wait."""
        if not number:
            return (class_id, method_id) == CLOSE
        return number in self._channels and (kind != FRAME_METHOD or (class_id, method_id) not in ACKNOWLEDGEMENTS)

    def add(self, kind: int, number: int, frame: bytes) -> None:
        """Keep a frame."""
        self._held.add((kind, number, frame))

    def begin(self, number: int) -> None:
        """This channel waits."""
        self._channels.add(number)
        self.active = True

    def end(self, number: int) -> list[HeldFrame]:
        """It waits no more, or is closed: the frames that were kept for it, and a connection.close if it was last."""
        self._channels.discard(number)
        self.active = bool(self._channels)
        ended: list[HeldFrame] = []

        def is_over(held: HeldFrame) -> bool:
            over = held[1] == number or (not held[1] and not self.active)
            if over:
                ended.append(held)
            return over

        self._held.drop(is_over)
        return ended

    def clear(self) -> None:
        """The connection ends."""
        self._channels.clear()
        self._held.clear()
        self.active = False


def ask(
    channel: Channel,
    method: methods.Method,
    question: Callable[[Answer[Value]], None],
    then: Callable[[Value], None],
    otherwise: Callable[[Value], None] = ignore,
) -> None:
    """Ask a queue something for a method of a channel, and go on with `then` when it has answered.

    question: asks.  otherwise: takes an answer that comes when the channel has ended.  Raises the error that is
    answered at once; one that is answered later closes the channel or the connection as if it had been raised.
    """
    given: list[Value | BrokerError] = []
    waiting: list[bool] = []

    def answer(value: Value | BrokerError) -> None:
        if waiting:
            _answered(channel, method, partial(_go_on, value, then), partial(_give_up, value, otherwise))
        else:
            given.append(value)

    question(answer)
    if given:
        _go_on(given[0], then)
        return
    waiting.append(True)
    channel.connection.asking.begin(channel.number)


def channel_ended(connection: Connection, number: int) -> None:
    """What was kept for a channel is void; a connection.close that waited for it alone is not."""
    connection.held.drop(number)
    connection.due.drop(number)
    if connection.asking.active:
        left = [frame for frame in connection.asking.end(number) if frame[1] != number]
        if left:
            connection.broker.at_end_of_batch(partial(connection.handle_due, left))


def _answered(channel: Channel, method: methods.Method, go_on: Callable[[], None], give_up: Callable[[], None]) -> None:
    """The late answer is there: `go_on`, or `give_up` if the channel has ended."""
    connection = channel.connection
    if connection.channels.by_number.get(channel.number) is not channel or channel.closing:
        give_up()
        return
    frames = connection.asking.end(channel.number)
    try:
        try:
            go_on()
        except BrokerError as error:
            connection.frame_failed(error, channel.number, (method.CLASS_ID, method.METHOD_ID))
    except Exception as fault:
        connection.break_off(fault)
    connection.handle_due(frames)


def _go_on(value: Value | BrokerError, then: Callable[[Value], None]) -> None:
    if isinstance(value, BrokerError):
        raise value
    then(value)


def _give_up(value: Value | BrokerError, otherwise: Callable[[Value], None]) -> None:
    if not isinstance(value, BrokerError):
        otherwise(value)
