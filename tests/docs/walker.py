"""Follows a page step by step, as somebody would who has read nothing else: saves its files, types its commands.

Each walk has a directory of its own, which is home and working directory at once, and terminals in which a shell runs.
Programs are those that are installed, with few exceptions: `warren` and `python` are those of the tests; `pip install`
and `npm install` find what they are asked for among what the tests were installed with, and the well-known ports of
the page (`PORTS`) are replaced by free ones in all that is typed and saved, and put back in what appears.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import which
from types import MappingProxyType

from tests.docs.walk import INTERRUPT, PROMPT, PageError, Part, Step, steps
from tests.support.ports import free_ports
from tests.support.terminal import Terminal, terminal
from tests.support.warren_process import PYTHON_PATH
from tests.testing.running import pretend_installed

PORTS = (
    *(5671, 5672, 5673, 5674, 1883, 1884, 8883, 61613, 61614, 5551, 5552),
    *(15670, 15671, 15672, 15673, 15674, 15675, 15676, 15691, 15692, 15693),
    *(8000, 8080, 8081, 8082, 8443),
)
"""Ports that pages speak of."""

TIME_LIMIT_S = 60.0
"""For one command; the slowest takes a second or two."""

READY = "\x02"
"""In the shell's prompt, around the exit code of what ran before."""

SIZE = "rows 50 columns 120"

DRAWN = re.compile(r"\b(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|gen-[\w-]{22})(?![\w-])")
"""Names that the broker draws by lot."""

DIFFERENT = (
    (DRAWN, "NAME"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?"), "TIME"),
    (re.compile(r"\s+"), " "),
)
"""What is another each time, and what stands for it where lines are compared."""

ANYTHING = "..."


def installed(program: str) -> bool:
    """Whether there is such a program, also where only root has it on the path."""
    return which(program) is not None or which(f"/usr/sbin/{program}") is not None


def comparable(line: str) -> str:
    """A line without what differs from run to run."""
    for pattern, instead in DIFFERENT:
        line = pattern.sub(instead, line)
    return line.strip()


def matches(lines: Iterable[str], expected: Iterable[str]) -> bool:
    """Whether lines are those that a page shows."""
    pattern = ""
    for line in expected:
        if line.strip() == ANYTHING:
            pattern += r"(?:.*\n)*"
        else:
            pattern += ".*".join(re.escape(part) for part in comparable(line).split(ANYTHING)) + r"\n"
    return re.fullmatch(pattern, "".join(f"{comparable(line)}\n" for line in lines)) is not None


class Shell:
    """A terminal with a shell.  What is typed isn't echoed, so that the screen has what programs print alone.

    translate: makes of what appears here what the page has.  busy: whether a command has been typed and not ended.
    by_hand: whether that is telnet, to which Ctrl-C means nothing.
    """

    def __init__(self, screen: Terminal, translate: Callable[[str], str]) -> None:
        self._terminal = screen
        self._translate = translate
        self._begin = 0
        self.busy = self.by_hand = False
        self.wait_for_prompt()

    def type(self, text: str) -> None:
        self._terminal.type(text)

    def lines(self) -> list[str]:
        """What has appeared and wasn't taken yet; an unfinished line at the end counts as one."""
        return self._translate(self._terminal.screen[self._begin :]).splitlines(keepends=True)

    def take(self, count: int) -> None:
        """Leave out so many lines from now on."""
        for _ in range(count):
            self._begin = self._terminal.screen.index("\n", self._begin) + 1

    def wait_for_prompt(self) -> tuple[list[str], int]:
        """What the command printed, and how it ended."""
        give_up_at = time.monotonic() + TIME_LIMIT_S
        while not self._has_prompt():
            self._read("the command doesn't end", give_up_at)
        screen = self._terminal.screen[self._begin :]
        self.busy = self.by_hand = False
        printed, code, _ = screen.split(READY, 2)
        self._begin += len(screen)
        return self._translate(printed).splitlines(), int(code)

    def interrupt(self) -> None:
        """Ctrl-C until the prompt is back: a shell that is about to start a command may take the first for itself."""
        give_up_at = time.monotonic() + TIME_LIMIT_S
        while not self._has_prompt():
            assert time.monotonic() < give_up_at, self._failed("the command doesn't end")
            self.type("\x03")
            again_at = time.monotonic() + 2.0
            while not self._has_prompt() and (left := again_at - time.monotonic()) > 0:
                self._terminal.read(left)
        self.wait_for_prompt()

    def _has_prompt(self) -> bool:
        screen = self._terminal.screen[self._begin :]
        return screen.count(READY) >= 2 and screen.endswith(PROMPT)

    def wait_for_lines(self, expected: Sequence[str], *, blank: bool) -> list[str]:
        """Until these lines are what has appeared, which are returned; what follows them is taken next time.

        blank: whether empty lines count.
        """
        give_up_at = time.monotonic() + TIME_LIMIT_S
        while (count := self._ends_at(expected, blank)) is None:
            assert READY not in "".join(self.lines()), self._failed("the command ended instead of", *expected)
            self._read("\n".join(["there doesn't appear", *expected]), give_up_at)
        taken = self.lines()[:count]
        self.take(count)
        return taken

    def _ends_at(self, expected: Sequence[str], blank: bool) -> int | None:
        lines = [line for line in self.lines() if line.endswith("\n")]
        wanted = [line for line in expected if blank or line.strip()]
        for count in range(len(lines) + 1):
            if matches([line for line in lines[:count] if blank or line.strip()], wanted):
                return count
        return None

    def wait_for_question(self, question: str) -> None:
        """Until a program asks something, on a line that doesn't end."""
        give_up_at = time.monotonic() + TIME_LIMIT_S
        while not (lines := self.lines()) or question not in lines[-1]:
            self._read(f"nobody asks {question!r}", give_up_at)

    def wait_for_telnet(self) -> None:
        """Until it has told the terminal how to be typed into, after which what is typed is echoed."""
        self._terminal.wait_until_a_line_ends_at("\x1d")
        self.by_hand = True

    def _read(self, otherwise: str, give_up_at: float) -> None:
        left = give_up_at - time.monotonic()
        assert left > 0, self._failed(otherwise)
        assert self._terminal.read(left), self._failed(otherwise)

    def _failed(self, *what: str) -> str:
        return "\n".join([*what, "what appeared is", "".join(self.lines()).replace(READY, "")])


class Walk:
    """One page, that is followed in a directory of its own.

    looks: what is done where the page says `look`, by its name.  instead: what is done instead of what is typed in a
    terminal, by its name.  missing: programs without which steps were left out.
    """

    def __init__(
        self,
        page: Path,
        directory: Path,
        looks: Mapping[str, Callable[[Walk], None]],
        instead: Mapping[str, Callable[[Step], None]],
    ) -> None:
        self.page = page
        self.home = directory / "home"
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.missing: list[str] = []
        self._drawn: dict[str, str] = {}
        self._looks = looks
        self._instead = instead
        self._shells: dict[str, Shell] = {}
        self._terminals = ExitStack()
        self.home.mkdir()
        self._data = self.home / ".local" / "share" / "warren"
        told = directory / "installed"
        pretend_installed(told)
        self._environment = {
            "HOME": str(self.home),
            "WARREN_DATA_DIRECTORY": str(self._data),
            "WALK_PORTS": ",".join(f"{port}:{free}" for port, free in self.ports.items()),
            "WARREN_REFUSED_LOGIN_DELAY_S": "0.1",
            "PATH": f"{programs(directory)}:{os.environ['PATH']}:/usr/sbin",
            "PYTHONPATH": f"{PYTHON_PATH}:{told}",
            "PYTHONUNBUFFERED": "1",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "NO_COLOR": "1",
            "PS1": f"{READY}$?{READY}{PROMPT}",
        }

    def run(self) -> None:
        """Follow it to its end."""
        for step in steps(self.page):
            try:
                self._take(step)
            except (AssertionError, PageError) as error:
                raise AssertionError(f"{self.page.name}, line {step.line}: {error}") from None

    def follow(self, name: str, command: str, shown: Sequence[str]) -> None:
        """Type a command in a terminal, and wait for these lines; it goes on."""
        shell = self._shell(name)
        shell.type(f"{self.here(command)}\n")
        shell.busy = True
        shell.wait_for_lines(shown, blank=True)

    def here(self, text: str) -> str:
        """Text of the page as it counts here, with other ports, and other names where those are drawn by lot."""
        text = DRAWN.sub(lambda found: self._drawn.get(found[0], found[0]), text)
        return re.sub(r"\b\d{4,5}\b", lambda found: str(self.ports.get(int(found[0]), found[0])), text)

    def there(self, text: str) -> str:
        """What appears here as the page would have it."""
        for port, free in self.ports.items():
            text = re.sub(rf"\b{free}\b", str(port), text)
        return text.replace(str(self.home), "/home/you")

    def _take(self, step: Step) -> None:
        if "look" in step.said:
            self._looks[step.said["look"]](self)
        elif step.terminal in self._instead:
            self._instead[step.terminal](step)
        elif "not run" in step.said:
            pass
        elif "needs" in step.said and not installed(step.said["needs"]):
            assert os.environ.get("CI") != "true", (
                f"{step.said['needs']} is not installed (.ci/run does that on Debian)"
            )
            self.missing.append(step.said["needs"])
        elif "file" in step.said:
            path = self.home / step.said["file"]
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(self.here(step.text), "utf-8")
        else:
            for part in step.parts:
                self._type(step, part, last=part is step.parts[-1])

    def _type(self, step: Step, part: Part, *, last: bool) -> None:
        shell = self._shell(step.terminal)
        _check_busy(shell, step, part)
        if part.typed is not None:
            shell.type("\x03" if part.typed == INTERRUPT else f"{self.here(part.typed)}\n")
            shell.busy = True
        if part.typed == INTERRUPT:
            printed, _ = shell.wait_for_prompt()
            assert matches(printed, [ANYTHING, *part.shown]), "\n".join(["what appeared is", *printed])
        elif step.by_hand:
            self._see_frames(shell, part)
        elif part.typed is None or (last and step.goes_on):
            shell.wait_for_lines(part.shown, blank=True)
        else:
            self._finish(shell, step, part, fails=last and "fails" in step.said)

    def _see_frames(self, shell: Shell, part: Part) -> None:
        """Wait for what a session by hand shows."""
        # telnet has the terminal echo what is typed.
        echo = (part.typed or "").splitlines() if shell.by_hand else []
        taken = shell.wait_for_lines([*map(self.here, echo), *part.shown], blank=False)
        # What the broker has drawn by lot is typed as it was, where the page types what it was shown.
        shown = DRAWN.findall("\n".join([*echo, *part.shown]))
        there = DRAWN.findall("".join(taken))
        assert len(shown) == len(there), f"the page shows other names than {there}"
        self._drawn |= dict(zip(shown, there, strict=True))
        if any("closed by foreign host" in line for line in part.shown):
            shell.wait_for_prompt()
        elif not shell.by_hand:
            shell.wait_for_telnet()

    def _finish(self, shell: Shell, step: Step, part: Part, *, fails: bool) -> None:
        """Let a command end, which has printed what the page shows."""
        if any(line.strip().endswith("assword:") for line in part.shown):
            shell.wait_for_question("assword: ")
            shell.type(f"{step.said['types']}\n")
        printed, code = shell.wait_for_prompt()
        if not matches(printed, part.shown):
            raise AssertionError("\n".join([f"$ {part.typed}", *printed, "instead of", *part.shown]))
        assert (code != 0) == fails, f"$ {part.typed}\nends with {code}"

    def _shell(self, name: str) -> Shell:
        if name not in self._shells:
            bash = ["env", "-i", *(f"{key}={value}" for key, value in self._environment.items()), "bash"]
            start = (
                f"stty -echo {SIZE}; cd {shlex.quote(str(self.home))}; exec {shlex.join(bash)} --norc --noediting -i"
            )
            screen = self._terminals.enter_context(terminal(["sh", "-c", start]))
            self._shells[name] = Shell(screen, self.there)
        return self._shells[name]

    def end(self) -> None:
        """End what goes on, as Ctrl-C does, the latest first, and close the terminals."""
        try:
            for shell in reversed(self._shells.values()):
                if shell.busy and not shell.by_hand:
                    shell.interrupt()
        finally:
            self._terminals.close()


@contextmanager
def walk(
    page: Path,
    directory: Path,
    looks: Mapping[str, Callable[[Walk], None]] = MappingProxyType({}),
    instead: Mapping[str, Callable[[Step], None]] = MappingProxyType({}),
) -> Iterator[Walk]:
    """A page to follow (`Walk.run`); what still runs then is ended at the end."""
    found = Walk(page, directory, looks, instead)
    try:
        yield found
    finally:
        found.end()


def _check_busy(shell: Shell, step: Step, part: Part) -> None:
    """Raises PageError where the page types into a program that reads nothing, or shows what nothing can print."""
    if step.by_hand:
        return
    if part.typed is None and not shell.busy:
        raise PageError("nothing runs that could have printed this")
    if part.typed not in (None, INTERRUPT) and shell.busy:
        raise PageError(f"{part.typed!r} is typed while something runs in the terminal")


def programs(directory: Path) -> Path:
    """A directory, for the path, with the programs that are others than those installed."""
    folder = directory / "programs"
    folder.mkdir()
    python = shlex.quote(sys.executable)
    commands = {
        "warren": f"{python} -m tests.docs.walk_warren",
        "python": python,
        "python3": python,
        "pip": f"{python} -m tests.docs.walk_installed pip",
        "npm": f"{python} -m tests.docs.walk_installed npm",
    }
    for name, command in commands.items():
        path = folder / name
        path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        path.chmod(0o755)
    return folder
