"""The command line: `warren serve`, `ctl ...`, `plugins ...`, `tls dev`, `version`, and every word of ctl directly.

Start-up time is part of the product (the first connection within half a second), so this file imports little,
and each command imports what it needs.  An error is one line on standard error, and an exit code of
gateway.control.exit_codes.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from warren.gateway.command_line.names import COMMANDS
from warren.gateway.command_line.serve_options import ServeOptions, read_options
from warren.gateway.control import exit_codes as codes

OWN_COMMANDS = (*COMMANDS, "--help", "--version")
"""First arguments that don't stand for a word of ctl."""


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
        options = read_options(arguments[1:]) if arguments[0] == "serve" else None
        if options is not None:
            _serve(options)
            return codes.OK
        result = _run_command(arguments)
    except SystemExit:
        # How typer ends, in this mode, when whoever read the output has gone: no failure of the command.
        return codes.OK
    except Exception as error:
        text, code = _explain(error)
        print(f"Error: {text}", file=sys.stderr)
        return code
    return result if isinstance(result, int) else codes.OK


def _serve(options: ServeOptions) -> None:
    # Of what starting allocates little is garbage, and that has just been made: a dataclass leaves the class that
    # it was. So the collector looks at what is young alone, until all is loaded (gateway/loading/rest.py).
    gc.set_threshold(10_000, 1_000, 1_000)
    from warren.gateway.command_line import serve

    serve.run_with(**options)


def _run_command(arguments: list[str]) -> object:
    """By way of typer, which takes as long to import as a third of a broker."""
    import typer

    from warren.gateway.command_line.commands import app

    return typer.main.get_command(app).main(arguments, prog_name="warren", standalone_mode=False)


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
    if isinstance(error, CommandFailedError):
        return str(error), error.exit_code
    if isinstance(error, DataDirectoryInUseError):
        return str(error), codes.TEMPORARY_FAILURE
    if isinstance(error, ConfigError | StorageError):
        return str(error), codes.CONFIG
    if isinstance(error, OSError):
        return str(error), codes.SOFTWARE
    import typer

    if isinstance(error, typer.Abort):
        return "interrupted", 130
    raise error
