"""`warren serve` from a configuration to the end of the process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from warren.core.errors import StorageError
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.load import load_config
from warren.gateway.configuration.sources import assignments, command_line_settings
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.client import CommandFailedError
from warren.gateway.process.errors import sole_error
from warren.gateway.process.log import configure_logging, spare_what_no_line_has
from warren.gateway.process.settings import ProcessSettings
from warren.gateway.process.stop_signals import note_stop_signals

if TYPE_CHECKING:
    from warren.gateway.command_line.serve_options import ServeOptions


def run_with(
    *,
    data_dir: str | None = None,
    in_memory: bool = False,
    listen: Sequence[str] | None = None,
    listen_only: Sequence[str] | None = None,
    config: str | None = None,
    ready_file: str | None = None,
    log_level: str | None = None,
    log_format: str | None = None,
    cluster: str | None = None,
    node_name: str | None = None,
    cluster_import: bool = False,
    settings: Sequence[str] | None = None,
) -> None:
    """Run a broker as the options of the command line say.

    Raises what `run` does, ConfigError, and CommandFailedError for options that contradict each other.
    """
    if listen and listen_only:
        raise CommandFailedError(
            "--listen moves single protocols and leaves the others, --listen-only names all addresses that there are; "
            "give all of them to --listen-only",
            codes.USAGE,
        )
    given = command_line_settings(
        [
            ("--data-dir", "data_directory", data_dir),
            ("--in-memory", "in_memory", in_memory),
            ("--listen", "listen_by_protocol", listen),
            ("--listen-only", "listen", listen_only),
            ("--ready-file", "ready_file", ready_file),
            ("--log-level", "log_level", log_level),
            ("--log-format", "log_format", log_format),
            ("--cluster", "cluster", cluster),
            ("--node-name", "node_name", node_name),
            ("--cluster-import", "cluster_import", cluster_import),
        ]
    )
    command_line = [*assignments(settings or ()), *given]
    directory = Path.cwd()
    read = partial(load_config, command_line, config_file=Path(config) if config is not None else None)
    found = read()
    try:
        run(found, partial(read, directory=directory))
    except StorageError as error:
        from warren.gateway.network.unusable import AddressesUnusableError

        if not isinstance(error, AddressesUnusableError):
            raise
        from warren.gateway.command_line.elsewhere import with_the_line

        options: dict[str, object] = {
            "data_dir": data_dir,
            "in_memory": in_memory,
            "listen": listen,
            "listen_only": listen_only,
            "config": config,
            "ready_file": ready_file,
            "log_level": log_level,
            "log_format": log_format,
            "cluster": cluster,
            "node_name": node_name,
            "cluster_import": cluster_import,
            "settings": settings,
        }
        typed = {name: value for name, value in options.items() if value}
        raise with_the_line(error, cast("ServeOptions", typed), found.file) from None


def run(config: Config, read_config: Callable[[], Config] | None = None) -> None:
    """Run a broker until it is told to stop.  Raises StorageError or OSError when it can't start or go on.

    read_config: reads the configuration again, for SIGHUP.
    """
    asked = note_stop_signals()
    process = config.section(ProcessSettings)
    spare_what_no_line_has()
    log = configure_logging(process.log_level, log_format=process.log_format).getChild("start")
    if config.file is not None:
        log.info("configuration read from %s", config.file)
    for remark in config.remarks:
        log.log(remark.weight, "%s", remark)
    for name, package in config.left_out.items():
        log.info(
            "the plugin %s is off: it needs the package %s, which is missing (pip install %s)", name, package, package
        )

    import trio

    from warren.gateway.server import serve

    try:
        trio.run(serve, config, asked, read_config)
    except BaseExceptionGroup as group:
        raise sole_error(group) from None
