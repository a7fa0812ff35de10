"""The steps of a page that somebody follows: what to save, what to type in which terminal, and what one sees then.

Every fenced block of docs/tutorials and docs/how_to is one of these.  A comment in the line above says what it is, if
it isn't plain:

- ```` ```console ````: lines that begin with `$ ` are typed (a line that ends in a backslash goes on in the next
  one), all others are what appears.  A line `...` stands for any lines, `...` within a line for anything.  `^C` is
  Ctrl-C.  Where a command asks for a password, `<!-- types: WORD -->` says what is typed.
- `<!-- terminal: NAME -->`: another terminal than the first.  `<!-- terminal: NAME, goes on -->`: and the last command
  goes on beside the steps that follow; a later block of that terminal may begin with what it prints then.
- `<!-- terminal: NAME, stomp -->`: a session of STOMP typed by hand.  Frames of clients are what is typed.
- `<!-- file: NAME -->`: is saved under this name, which the text before it has to tell, too.
- `<!-- needs: PROGRAM -->`: is left out where the program isn't installed; in CI it has to be.
- `<!-- not run: REASON -->`: can't be tried by a test.
- `<!-- fails -->`: the last command ends with an error, as one sees.
- `<!-- look: NAME -->` between blocks: what the test of this page does there, such as looking at a browser.

- ```` ```text ````: a drawing.

Several of them stand in one comment, between semicolons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MAIN = "main"
"""The first terminal."""

PROMPT = "$ "

INTERRUPT = "^C"

KEYS = ("terminal", "file", "types", "needs", "not run", "fails", "look")

_STEP = re.compile(
    r"^(?:<!-- (?P<said>[^\n]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$|^<!-- look: (?P<look>[\w ]+) -->$",
    re.MULTILINE | re.DOTALL,
)


class PageError(Exception):
    """A page that can't be walked, with what is wrong in it."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that is typed, if not the continuation of what runs, and the lines that appear then."""

    typed: str | None
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A block, with what is said of it.  before: the text since the block before."""

    language: str
    text: str
    said: dict[str, str]
    line: int
    before: str
    parts: tuple[Part, ...] = field(default=())

    @property
    def terminal(self) -> str:
        return self.said.get("terminal", MAIN).partition(",")[0]

    @property
    def goes_on(self) -> bool:
        return self.said.get("terminal", "").endswith(", goes on")

    @property
    def by_hand(self) -> bool:
        """Whether it is STOMP that is typed."""
        return self.said.get("terminal", "").endswith(", stomp")


def steps(page: Path) -> list[Step]:
    """All of a page, in order.  Raises PageError for a block that nobody could say anything about."""
    text = page.read_text("utf-8")
    found: list[Step] = []
    end = 0
    for match in _STEP.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        before, end = text[end : match.start()], match.end()
        if match["look"]:
            found.append(Step("", "", {"look": match["look"]}, line, before))
            continue
        said = _said(match["said"] or "", f"{page.name}:{line}")
        step = Step(match["language"], match["text"], said, line, before)
        _check(step, f"{page.name}:{line}")
        if step.language == "console" and "file" not in said and "not run" not in said:
            parts = tuple(_typed_frames(step.text) if step.by_hand else _commands(step.text))
            step = Step(step.language, step.text, said, line, before, parts)
        found.append(step)
    return found


def _said(comment: str, where: str) -> dict[str, str]:
    said = {}
    for each in filter(None, comment.split("; ")):
        key, _, value = each.partition(": ")
        if key not in KEYS:
            raise PageError(f"{where}: a comment says {key!r}, which means nothing")
        said[key] = value
    return said


def _check(step: Step, where: str) -> None:
    if "not run" in step.said:
        if not step.said["not run"]:
            raise PageError(f"{where}: no reason why it isn't run")
        return
    if "file" in step.said:
        if f"`{step.said['file']}`" not in step.before:
            raise PageError(f"{where}: the text doesn't say that this is {step.said['file']}")
        return
    if step.language not in ("console", "text"):
        raise PageError(f"{where}: a block of {step.language or 'nothing'} that nobody runs, saves or excuses")


def _commands(text: str) -> Iterator[Part]:
    typed: str | None = None
    shown: list[str] = []
    begun = False
    lines = iter(text.splitlines())
    for line in lines:
        if not line.startswith(PROMPT) and line != INTERRUPT:
            shown.append(line)
            begun = True
            continue
        if begun:
            yield Part(typed, tuple(shown))
        begun, shown = True, []
        typed = line.removeprefix(PROMPT)
        while typed.endswith("\\"):
            typed = f"{typed[:-1].rstrip()} {next(lines).strip()}"
    if begun:
        yield Part(typed, tuple(shown))


COMMANDS = re.compile(
    r"(?i)(CONNECT|STOMP|SEND|SUBSCRIBE|UNSUBSCRIBE|ACK|NACK|BEGIN|COMMIT|ABORT|DISCONNECT|HELP|QUIT|hello|\?)$"
)
"""What a client's frame begins with."""

ALONE = re.compile(r"(?i)(HELP|QUIT|hello|\?)$")


def _typed_frames(text: str) -> Iterator[Part]:
    """A session of STOMP by hand: a client's frame ends with an empty line, that of SEND with a lone dot."""
    typed: str | None = None
    shown: list[str] = []
    lines = iter(text.splitlines())
    for line in lines:
        if not COMMANDS.match(line) and not line.startswith(PROMPT):
            shown.append(line)
            continue
        if typed is not None or shown:
            yield Part(typed, tuple(shown))
        typed, shown = line.removeprefix(PROMPT), []
        if line.startswith(PROMPT) or ALONE.match(line):
            continue
        last = "." if line.upper() == "SEND" else ""
        for following in lines:
            typed += f"\n{following}"
            if following == last:
                break
    yield Part(typed, tuple(shown))
