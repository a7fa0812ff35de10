"""One plugin under the host's eyes: run, restarted when it fails, stopped within bounds.

    waiting --start--> running --fails--> failed --pause--> running
                          |
                          +--returns--> ended            (words and listings stay)
    any of them --stop--> stopped, or stuck when it doesn't end in time

It runs in a system task of Trio, which belongs to no nursery of the broker.  So neither its errors reach the broker,
nor does a plugin that won't end: the broker's stop waits `STOP_S` for it, and then goes on without.  Whatever it still
holds of the broker is closed by then.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import trio

from warren.core.errors import BrokerError
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request
from warren.gateway.plugins.context import RunContext
from warren.gateway.plugins.parameters import PluginComponent

if TYPE_CHECKING:
    from warren.core.administration.listing.kind import Kind
    from warren.gateway.control.word import Word
    from warren.gateway.plugin import Plugin
    from warren.gateway.plugins.pauses import Pauses
    from warren.gateway.plugins.surroundings import Surroundings

STOP_S: Final = 5.0
"""How long a plugin may take to clean up when it is stopped."""


class SupervisedPlugin:
    """See the head of this file.

    restarts: runs after the first.  last_error: in words, empty as long as nothing went wrong.  since_ms: when it got
    into its state, in milliseconds since 1970.
    """

    def __init__(self, plugin: type[Plugin], surroundings: Surroundings, pauses: Pauses) -> None:
        self.plugin = plugin
        self.name = plugin.name
        self.log = logging.getLogger(f"warren.plugin.{plugin.name}")
        self.restarts = 0
        self.last_error = ""
        self._surroundings = surroundings
        self._pauses = pauses
        self._components = {
            name: PluginComponent(plugin.name, name, check, self.log) for name, check in plugin.components.items()
        }
        self._instance: Plugin | None = None
        self._words: Sequence[Word] = ()
        self._kinds: Sequence[Kind] = ()
        self._scope = trio.CancelScope()
        self._begun = trio.Event()
        self._over = trio.Event()
        self._over.set()
        self._stopping = False
        self._enter("waiting")

    def _enter(self, state: str) -> None:
        self.state = state
        if state != "waiting":
            self._begun.set()
        self.since_ms = self._surroundings.broker.now_ms

    # What is always there

    def register_components(self) -> None:
        """Have the broker check its runtime parameters.  Raises ValueError for a component that is taken."""
        for name, component in self._components.items():
            self._surroundings.broker.parameters.register(name, component, self.plugin.reached.get(name))

    def leave(self) -> None:
        """Undo what it did to the broker before it was started; the runtime parameters stay."""
        for name in self._components:
            self._surroundings.broker.parameters.unregister(name)
        try:
            self.plugin.leave(self._surroundings.broker)
        except Exception as error:
            self._note(error, "it couldn't undo what it had prepared")

    def prepare(self) -> None:
        """Let the class do what has to be done before anybody is connected."""
        try:
            self.plugin.prepare(self._surroundings.broker, self._surroundings.options)
        except Exception as error:
            self._note(error, "it couldn't prepare the broker")

    # What there is while it runs

    @property
    def words(self) -> list[Word]:
        """Its words, each refused while it doesn't run, and safe to call."""
        return [replace(each, handler=self._handler_of(each)) for each in self._words]

    def counters(self) -> Mapping[str, float]:
        """What it has counted; empty when it can't say."""
        if self._instance is None:
            return {}
        try:
            return dict(self._instance.counters())
        except Exception as error:
            self._note(error, "its counters failed")
            return {}

    # Its life

    def start(self) -> None:
        """Run it from now on."""
        self._over = trio.Event()
        trio.lowlevel.spawn_system_task(self._live, name=f"plugin {self.name}")

    async def wait_begun(self) -> None:
        """Return when it runs, or has failed to."""
        await self._begun.wait()

    def cancel(self) -> None:
        """Ask it to end."""
        self._stopping = True
        self._scope.cancel()

    async def wait_stopped(self) -> None:
        """Return when it has ended; or when its time for that is over, and then it is called stuck."""
        if self.state == "stuck":
            return
        with trio.move_on_after(STOP_S) as limit:
            await self._over.wait()
        if limit.cancelled_caught:
            self._enter("stuck")
            self.log.error(
                "it was asked to stop %g s ago and hasn't; the broker stops without waiting for it. It must not shield "
                "itself from being cancelled for so long",
                STOP_S,
            )

    async def _live(self) -> None:
        try:
            with self._scope:
                while not self._stopping:
                    began_s = trio.current_time()
                    if not await self._run_once():
                        await trio.sleep_forever()
                    pause_s = self._pauses.next_s(trio.current_time() - began_s)
                    self.log.error("%s; it is started again in %.1f s", self.last_error, pause_s)
                    await trio.sleep(pause_s)
                    self.restarts += 1
        finally:
            self._withdraw()
            if self._stopping:
                self._enter("stopped")
            self._over.set()

    async def _run_once(self) -> bool:
        """One run; True when it failed, and the error is noted."""
        context: RunContext | None = None
        try:
            self._offer()
            async with trio.open_nursery() as nursery:
                context = RunContext(self.name, self._surroundings, self._components, self.log, nursery)
                self._enter("running")
                await self._current().start(context)
        except GeneratorExit:
            raise
        except BaseException as error:
            cancelled, failure = _split(error) if self._scope.cancel_called else (None, error)
            if failure is not None:
                self._note(failure, "it failed")
                self._withdraw()
                self._enter("failed")
            if cancelled is not None:
                raise cancelled from None
            return True
        else:
            self._enter("ended")
            return False
        finally:
            if context is not None:
                context.withdraw()

    def _current(self) -> Plugin:
        if self._instance is None:
            raise RuntimeError("no instance was made")
        return self._instance

    # What it offers

    def _offer(self) -> None:
        """Make an instance, and known what it offers."""
        self._instance = self.plugin()
        self._words = list(self._instance.words())
        listings = self._surroundings.broker.listings
        for kind in self._instance.listings():
            listings.register(kind)
            self._kinds = [*self._kinds, kind]

    def _withdraw(self) -> None:
        for kind in self._kinds:
            self._surroundings.broker.listings.unregister(kind.name)
        self._kinds = ()

    def _handler_of(self, word: Word) -> Callable[[Control, Request], Awaitable[Answer]]:
        async def handle(control: Control, request: Request) -> Answer:
            if self.state not in ("running", "ended"):
                reason = f": {self.last_error}" if self.last_error else ""
                raise RefusedError(
                    f"the plugin '{self.name}' doesn't run, it is {self.state}{reason}", codes.UNAVAILABLE
                )
            try:
                answer = word.handler(control, request)
                return answer if isinstance(answer, dict) else await answer
            except (RefusedError, BrokerError):
                raise
            except Exception as error:
                self._note(error, f"its word '{word.name}' failed")
                raise RefusedError(
                    f"a bug in the plugin '{self.name}' ({error!r}); the broker's log has the details"
                ) from error

        return handle

    def _note(self, error: BaseException, what: str) -> None:
        self.last_error = f"{what}: {_in_words(error)}"
        self.log.error("%s", self.last_error, exc_info=error)


def _split(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """An error as the cancellation of the task that is in it, and the rest; None for nothing."""
    if isinstance(error, trio.Cancelled):
        return error, None
    if isinstance(error, BaseExceptionGroup):
        return error.split(trio.Cancelled)
    return None, error


def _in_words(error: BaseException) -> str:
    """The kind and text of an error; of a group, those of all that are in it, one after the other."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_in_words(each) for each in error.exceptions)
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
