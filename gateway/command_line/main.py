"""The command line: `warren serve`, `ctl ...`, `plugins ...`, `tls dev`, `version`, and every word of ctl directly.

Start-up time is part of the product (the first connection within half a second), so this file imports little,
and each command imports what it needs.  An error is one line on standard error, and an exit code of
gateway.control.exit_codes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from warren.gateway.control import exit_codes as codes

app = typer.Typer(
    name="warren",
    help="Warren, a message broker.  Every command of ctl can also be given directly: warren list_queues",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

tls = typer.Typer(
    name="tls",
    help="Certificates.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(tls)

OWN_COMMANDS = ("serve", "ctl", "plugins", "tls", "install-shims", "version", "--help", "--version")
"""First arguments that don't stand for a word of ctl."""


@app.command()
def serve(
    data_dir: Annotated[
        str | None, typer.Option("--data-dir", metavar="DIR", help="Directory of everything that is kept.")
    ] = None,
    in_memory: Annotated[bool, typer.Option("--in-memory", help="Keep nothing.")] = False,
    listen: Annotated[
        list[str] | None,
        typer.Option(
            "--listen",
            metavar="PROTOCOL=HOST:PORT",
            help="Listen here, and only here; repeatable; port 0 is any.  amqps is AMQP over TLS, and so on; "
            "auto is everything on one port.",
        ),
    ] = None,
    config: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="warren.toml or rabbitmq.conf to read.")
    ] = None,
    ready_file: Annotated[
        str | None,
        typer.Option("--ready-file", metavar="FILE", help="Gets the addresses, as JSON, once ready."),
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option("--log-level", metavar="LEVEL", help="debug, info, warning, error, critical, none."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any key of the configuration; repeatable."),
    ] = None,
) -> None:
    """Run a broker until Ctrl-C or SIGTERM."""
    from pathlib import Path

    from warren.gateway.command_line import serve as cli_serve
    from warren.gateway.configuration.load import load_config
    from warren.gateway.configuration.sources import assignments, command_line_settings

    given = command_line_settings(
        [
            ("--data-dir", "data_directory", data_dir),
            ("--in-memory", "in_memory", in_memory),
            ("--listen", "listen", listen),
            ("--ready-file", "ready_file", ready_file),
            ("--log-level", "log_level", log_level),
        ]
    )
    command_line = [*assignments(settings or ()), *given]
    cli_serve.run(load_config(command_line, config_file=Path(config) if config is not None else None))


@app.command(
    context_settings={"help_option_names": [], "ignore_unknown_options": True, "allow_interspersed_args": False}
)
def ctl(words: Annotated[list[str] | None, typer.Argument(metavar="COMMAND [ARGUMENTS]...")] = None) -> None:
    """Look into a running broker, and administer it (warren ctl --help lists the commands)."""
    # Which options there are is the commands' business, so they are not parsed here.
    from warren.gateway.command_line import ctl as cli_ctl

    raise typer.Exit(cli_ctl.run(words or ()))


@app.command(
    context_settings={"help_option_names": [], "ignore_unknown_options": True, "allow_interspersed_args": False}
)
def plugins(words: Annotated[list[str] | None, typer.Argument(metavar="COMMAND [ARGUMENTS]...")] = None) -> None:
    """List plugins, and say how to enable them (warren plugins --help)."""
    from warren.gateway.command_line import plugins as cli_plugins

    raise typer.Exit(cli_plugins.run(words or ()))


@tls.callback()
def _of_tls() -> None:
    """Certificates."""


@tls.command("dev")
def tls_dev(
    directory: Annotated[
        str, typer.Option("--directory", metavar="DIR", help="Where the files go; an authority in there is kept.")
    ] = "warren-tls",
    names: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="HOST", help="One more name or address of the broker; repeatable."),
    ] = None,
    user: Annotated[
        str, typer.Option("--user", metavar="NAME", help="The user that the client certificate is for.")
    ] = "guest",
) -> None:
    """Make an authority and certificates to develop with, or renew them, and say how to use them."""
    from warren.gateway.command_line import tls as cli_tls

    cli_tls.run(directory, names or (), user)


@app.command("install-shims")
def install_shims(
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="Where the programs go; it is made if it isn't there.")
    ],
) -> None:
    """Make programs named rabbitmqctl, rabbitmq-diagnostics and so on, for scripts that call those."""
    from pathlib import Path

    from warren.gateway.command_line import shims

    shims.install(Path(directory))


@app.command()
def version() -> None:
    """Print the version."""
    import platform

    from warren.gateway.version import WARREN_VERSION, form_and_reason

    print(f"Warren {WARREN_VERSION} (Python {platform.python_version()}, {form_and_reason()})")


def main() -> None:
    """The console script: run the command of sys.argv and exit."""
    try:
        code = run(sys.argv[1:])
    except Exception:
        sys.excepthook(*sys.exc_info())
        code = codes.SOFTWARE
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run a command; its exit code.  Errors are printed, bugs are raised."""
    try:
        code = _dispatch(list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough (`warren list_queues | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return codes.OK
    except KeyboardInterrupt:
        return 130
    return code


def _dispatch(arguments: list[str]) -> int:
    if not arguments:
        arguments = ["--help"]
    if arguments[0] == "--version":
        arguments[0] = "version"
    if arguments[0] not in OWN_COMMANDS:
        arguments.insert(0, "ctl")
    try:
        result = typer.main.get_command(app).main(arguments, prog_name="warren", standalone_mode=False)
    except SystemExit:
        # How typer ends, in this mode, when whoever read the output has gone: no failure of the command.
        return codes.OK
    except Exception as error:
        text, code = _explain(error)
        print(f"Error: {text}", file=sys.stderr)
        return code
    return result if isinstance(result, int) else codes.OK


def _explain(error: Exception) -> tuple[str, int]:
    """What to print and the exit code for an error that is not a bug; raises it again when it is one."""
    from warren.core.errors import StorageError
    from warren.gateway.configuration.config import ConfigError
    from warren.gateway.control.client import CommandFailedError
    from warren.gateway.process.data_directory import DataDirectoryInUseError

    # The class of usage errors moved between versions of typer; what they have in common is this method.
    describe = getattr(error, "format_message", None)
    if describe is not None:
        return f"{describe()} (--help tells more)", codes.USAGE
    if isinstance(error, typer.Abort):
        return "interrupted", 130
    if isinstance(error, CommandFailedError):
        return str(error), error.exit_code
    if isinstance(error, DataDirectoryInUseError):
        return str(error), codes.TEMPORARY_FAILURE
    if isinstance(error, ConfigError | StorageError):
        return str(error), codes.CONFIG
    if isinstance(error, OSError):
        return str(error), codes.SOFTWARE
    raise error
