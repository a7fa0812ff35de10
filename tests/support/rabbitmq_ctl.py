"""RabbitMQ's command line, kept running: a word of `rabbitmqctl` for hundredths of a second instead of whole ones.

`rabbitmqctl` starts an Erlang VM, loads its own code from an archive, does what it is told and ends.  Here the archive
is unpacked once, and a VM reads one command per line, each a list of binaries as Erlang writes them, and calls the same
function as the script does.  What it prints comes back, then a line with the exit code.  It ends when its input does.
"""

from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support.child import ChildError
from tests.support.until import killed_after

TIMEOUT_S: Final = 60.0
"""For one command, on a busy machine."""

DONE: Final = b"-- rabbitmqctl's exit code: "

LOOP: Final = """
{ok, _} = application:ensure_all_started(elixir),
ok = application:load(rabbitmqctl),
Loop = fun(Self) ->
  case io:get_line("") of
    eof -> halt(0);
    Line ->
      {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Line)),
      {ok, Arguments} = erl_parse:parse_term(Tokens),
      Code = try 'Elixir.RabbitMQCtl':main(Arguments) of _ -> 0
      catch
        exit:{shutdown, Given} -> Given;
        exit:normal -> 0;
        Class:Reason:Stack -> io:format("~tp~n", [{Class, Reason, Stack}]), 70
      end,
      io:format("~n-- rabbitmqctl's exit code: ~w~n", [Code]),
      Self(Self)
  end
end,
Loop(Loop).
"""


class RabbitmqCtl:
    """The command line of one node.

    home: where RabbitMQ is installed.  environment: the node's.  directory: to work in, and to unpack into.
    """

    def __init__(self, home: Path, environment: Mapping[str, str], directory: Path) -> None:
        self._home = home
        self._environment = environment
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def call(self, *arguments: str) -> str:
        """What `rabbitmqctl ARGUMENTS` prints.  Raises ChildError with its output when it fails."""
        code, text = self.run(*arguments)
        if code:
            raise ChildError(f"rabbitmqctl {' '.join(arguments)}: {text}")
        return text

    def run(self, *arguments: str, program: str = "rabbitmqctl") -> tuple[int, str]:
        """The exit code, and what is printed.  program: whose words they are, such as rabbitmq-diagnostics."""
        process = self._process = self._process or self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        words = ["--node", self._environment["RABBITMQ_NODENAME"], "--script-name", program, *arguments]
        terms = (f"<<{','.join(map(str, word.encode()))}>>" for word in words)
        process.stdin.write(f"[{','.join(terms)}].\n".encode())
        process.stdin.flush()
        printed: list[bytes] = []
        with killed_after(process, TIMEOUT_S):
            while (line := process.stdout.readline()) and not line.startswith(DONE):
                printed.append(line)
        if not line:
            self.close()
            raise ChildError(f"{program} {' '.join(arguments)} ended without a word: {b''.join(printed).decode()}")
        # The line break before the last line is ours.
        return int(line.removeprefix(DONE)), b"".join(printed).decode().removesuffix("\n")

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _started(self) -> subprocess.Popen[bytes]:
        code = self._directory / "rabbitmqctl"
        if not code.is_dir():
            script = (self._home / "escript" / "rabbitmqctl").read_bytes()
            with zipfile.ZipFile(io.BytesIO(script[script.index(b"PK\x03\x04") :])) as archive:
                archive.extractall(code)
        return subprocess.Popen(
            [
                *("erl", "-boot", "start_clean", "-noshell", "-hidden", "-pa", str(code)),
                *("-kernel", "inet_dist_use_interface", "{127,0,0,1}"),
                *("-eval", " ".join(LOOP.split()), "-extra", "rabbitmqctl"),
            ],
            env={**self._environment, "RABBITMQ_HOME": str(self._home), "ERL_LIBS": str(self._home / "plugins")},
            cwd=self._directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
