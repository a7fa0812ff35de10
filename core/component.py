"""What belongs to a broker beside its topology: users, policies, parameters, and what adapters and plugins bring.

A component keeps rows in the definition store, and may keep messages in the message store under numbers of its own.
The broker and recovery know components by this interface alone, and ask them in the order in which they were added:

    restore          each row of the definition store, until somebody takes it
    restored         once all rows are back, and before messages are
    restore_records  the stored entries of each number that is no queue's or exchange's, until somebody takes them
    owners           after that: whose its numbers are
    damage_found     after that, where something that was stored is damaged
    leave_vhost      a virtual host is being deleted, in slices, before the next
    forget_vhost     a virtual host is being deleted; its connections are closed, its queues are still there
    forget_users     users were deleted; their connections are closed
    rights_withdrawn users may do less in a virtual host
    before_stop      the broker stops in good order; all connections are closed

Rows and records of a component that isn't there (its package is not installed) stay where they are, for the start at
which it is back; the log says so.  Their kinds begin with `FOREIGN_PREFIX`, so that they aren't taken for something
that a newer Warren wrote and this one would do wrong to ignore.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from warren.core.compiled import mypyc_attr

if TYPE_CHECKING:
    from warren.core.administration.diagnosing.examination import Examination
    from warren.core.broker import Broker
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue
    from warren.core.storage.definitions.store import JSON
    from warren.core.storage.engine import Owner

FOREIGN_PREFIX: Final = "x-"
"""How the kinds of rows begin that other packages keep in the definition store."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Component:
    """A part of the broker; every method may stay as it is."""

    __slots__ = ()

    def restore(self, kind: str, vhost: str, name: str, value: Mapping[str, JSON]) -> bool:
        """Take a row of the definition store if its kind is this component's, else return False.

        Raises a BrokerError, KeyError, TypeError or ValueError for a row that can't be understood; it ends the start.
        """
        return False

    def restored(self) -> None:
        """All rows have been given; queues, exchanges, bindings and policies are in force."""

    def restore_records(self, number: int, positions: Sequence[int]) -> bool:
        """Take the unsettled entries that the message store holds under `number`, else return False.

        positions: where they are in the log, in ascending order (StorageEngine.read).
        """
        return False

    def owners(self) -> Mapping[int, Owner]:
        """Whose the component's numbers in the message store are, for a start that has lost its rows."""
        return {}

    def damage_found(self) -> None:
        """At the start, once all that could be read has been given: something that was stored couldn't.

        It may have been anybody's.  What is to be remembered of it has to go to disk: a later start may not find it.
        """

    def leave_vhost(self, name: str) -> Iterator[None]:
        """A virtual host is being deleted; its connections are closed, its queues still there: drop what takes long.

        Everything in slices, rows included.  `forget_vhost` comes after it, for what is quick.  A broker that ends
        meanwhile asks for it again at the next start.
        """
        return iter(())

    def forget_vhost(self, name: str) -> None:
        """A virtual host is being deleted: drop what belongs to it, rows included."""

    def forget_users(self, users: Collection[str]) -> Iterator[None]:
        """Users of these names are deleted, and their connections closed: drop what was theirs alone, in slices.

        Somebody else may have a name already: what was a deleted user's is what `Users.owns` denies, by the name and id
        that the component has kept with it; from the deletion on, it is nobody's.  What raises, or is cut short by the
        end of the broker, is asked for again at the next start.
        """
        return iter(())

    def rights_withdrawn(self, vhost: str, users: Collection[str]) -> Iterator[None]:
        """These users may do less in the virtual host: end what they may not have any more, a slice at each step."""
        return iter(())

    def outstanding(self) -> Iterator[tuple[Queue, Message] | None]:
        """Messages that are out of their queues with what it keeps, while nobody is connected who has them.

        None after a microsecond's looking.
        """
        return iter(())

    def dropped_as_expected(self) -> Iterator[tuple[str, str, int]]:
        """Messages that went nowhere, as is normal where they come from: virtual host, exchange, how many at most."""
        return iter(())

    def examine(self, exam: Examination) -> Iterator[None]:
        """Report what is wrong with how it is used, in slices (core.administration.diagnosing)."""
        return iter(())

    def before_stop(self) -> None:
        """The last moment to keep something: the stores are closed next."""


ComponentFactory = Callable[["Broker"], Component]
"""Makes a component for a broker that is being made itself: its stores are there, its topology isn't yet."""
