"""A confirm to wait for."""

from __future__ import annotations

import trio

from warren.adapters.direct.confirmation import Confirmation


class PendingConfirmation(Confirmation):
    """What `begin_publish` and `publish_nowait` give: any number of them may be open at once.

    done, error: without waiting, see Confirmation.
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        super().__init__()
        self._waiting: trio.lowlevel.ParkingLot | None = None

    async def wait(self) -> None:
        """Return when the message is confirmed: on disk, if it had to be there.

        Raises Unroutable, Refused, or ClientClosed when the client has ended before; what refuses a message that had to
        wait for its user's rights, such as AccessRefused.
        """
        if self.done:
            await trio.lowlevel.checkpoint()
        else:
            if self._waiting is None:
                self._waiting = trio.lowlevel.ParkingLot()
            await self._waiting.park()
        if self.error is not None:
            raise self.error

    def settled(self) -> None:
        if self._waiting is not None:
            self._waiting.unpark_all()
