"""What `warren serve` imports behind its ready line, in the order in which somebody may want it."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Final

from warren.forms import give_back
from warren.gateway.configuration.options import later_listings, loads_for
from warren.gateway.network.settings import NetworkSettings
from warren.gateway.process.settings import ProcessSettings

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.gateway.configuration.config import Config
    from warren.gateway.loading.loader import Loader

LISTINGS: Final = "warren.core.administration.listing.built_in"
"""What the API, metrics and words list."""

SELECTING: Final = "warren.core.administration.listing.selecting"
"""What they list it with."""

RELOADING: Final = "warren.gateway.process.reloading"
"""What SIGHUP needs."""

GOODBYE: Final = "warren.gateway.process.goodbye"
"""What the end needs."""

CONTROL: Final = "warren.gateway.control.commands"
"""What the words of `warren ctl` need."""


GC_THRESHOLDS: Final = (10_000, 5, 20)
"""The cyclic collector runs when this many more containers are alive: messages are no cycles, and aren't walked.  It
looks at all of these in one step, so at as many as take it a few milliseconds: 10,000, and 50,000 that stayed."""


async def end_starting(loader: Loader, broker: Broker, config: Config) -> None:
    """Import what speaks the protocols of the listeners, then what operators use; then the garbage collector may run.

    A later import than this might find the next version's files on the disk, and `warren ctl stop` has to work then.
    """
    for modules in loads_for(listener.protocol for listener in config.section(NetworkSettings).listeners):
        loader.soon(*modules)
    loader.soon(LISTINGS, SELECTING)
    for _, load in later_listings():
        loader.call_soon(load)
    loader.soon(RELOADING, GOODBYE)
    if config.section(ProcessSettings).data_directory is not None:
        loader.soon(CONTROL)
    await loader.done()
    broker.listings.names()
    # What is there stays: to collect first would hold the hub for some 40 ms, and frees next to nothing.
    gc.freeze()
    give_back()
    gc.set_threshold(*GC_THRESHOLDS)
