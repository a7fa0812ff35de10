"""`warren serve` from a configuration to the end of the process."""

from __future__ import annotations

from gateway.config import Config
from gateway.log import configure_logging


def run(config: Config) -> None:
    """Run a broker until it is told to stop.  Raises StorageError or OSError when it can't start or go on."""
    log = configure_logging(config.log_level).getChild("start")
    if config.file is not None:
        log.info("configuration read from %s", config.file)
    for warning in config.warnings:
        log.warning("%s", warning)

    import trio

    from gateway.server import serve

    try:
        trio.run(serve, config)
    except BaseExceptionGroup as group:
        raise _essence(group) from None


def _essence(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error that a nursery wrapped, or the whole group when there are several."""
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup) and len(inner.exceptions) == 1:
        inner = inner.exceptions[0]
    return group if isinstance(inner, BaseExceptionGroup) else inner
