"""A word of `warren ctl`: how it is written, and what the broker does for it, declared in one place.

    @word("QUEUE", "drop the ready messages of a queue", "Purging queue '{0}' ...", options=(VHOST,))
    def purge_queue(control: Control, request: Request) -> Answer:
        from warren.core.administration import operations

        operations.queues.purge(control.broker, request.vhost, request.arguments[0])
        return done()

The function's name is the word, and what `word` makes of it is a `Word`.  Built-in words stand in
`warren.gateway.control.words`, by subject; a plugin brings its own by the same type.

Both sides use the same declaration.  The client checks arguments and options by its `Syntax`, which takes no broker:
therefore handlers import what they need when they are called, and modules of words import nothing else of weight.  The
syntax of a plugin's word travels to the client as JSON, since the plugin is where the broker is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, cast

from warren.core.frozen import frozen

if TYPE_CHECKING:
    from warren.gateway.control.target import Answer, Control, Request

    Handler = Callable[[Control, Request], Answer | Awaitable[Answer]]
    """What the broker does for a word.  A plain function runs in one go, between two batches of clients; an async one
    gives way to them, and has to look again at what it found before."""

ARGUMENTS_MAX: Final = 1000
"""For a word that takes any number: far more than anybody types, and a bound all the same."""


class Remote(Enum):
    """Who may have a word carried out over HTTP (`--url`); over the control socket its owner may have all.

    What a word does, it does as an administrator who needs no permissions, so only words that look may be others'.
    """

    NOBODY = "nobody"
    """What has to be done where the broker is: what ends it or wipes its data, and the API with it."""
    ADMINISTRATOR = "administrator"
    MONITORING = "monitoring"
    """It looks at what anybody with the tag sees in the API, of all virtual hosts and users."""
    MANAGEMENT = "management"
    """It looks at one virtual host, or at nothing that is anybody's: who may use that virtual host."""


@frozen
class Option:
    """An option of a word, `--if-empty` for the name `if_empty`.

    value: what its value is called in the help; empty for an option that is only there or not.  default: what an
    announcement says when it isn't given.  repeats: it may be given several times, and its values are a list.  One name
    means one thing in every word, so that options may stand in front of the word too.
    """

    name: str
    value: str = ""
    default: str = ""
    repeats: bool = False

    @property
    def flag(self) -> str:
        """As it is typed."""
        return "--" + self.name.replace("_", "-")


VHOST: Final = Option("vhost", "VHOST", "/")
"""The option -p/--vhost, which most words take."""


@frozen
class Syntax:
    """How a word is written; what the client knows of it.

    usage: both the help and the rule: NAME must be there, [NAME] may be, a last `...` takes any number.
    about: one line of help.
    announcement: what is printed before the result, with {directory}, the options by name and the arguments by number.
    options: those that it takes.
    secret: the place of a password among the arguments; when it is missing the client asks for it.
    reads_file, writes_file: the first argument is a file of the client, `-` its standard input or output: what is in it
    goes behind the request, or what the answer holds goes into it.
    reads_files: all arguments are such files, and what is in all of them goes behind the request.
    example: what may be typed behind the word, for the help.
    lists: the kind of listing (core.administration.listing) that is shown, whose columns may be named.
    """

    name: str
    usage: str
    about: str
    announcement: str = ""
    options: tuple[Option, ...] = ()
    secret: int | None = None
    reads_file: bool = False
    writes_file: bool = False
    reads_files: bool = False
    example: str = ""
    lists: str = ""

    def check(self, arguments: Sequence[str], options: Sequence[str]) -> None:
        """ValueError says what is wrong with the number of arguments or with an option, and what is right."""
        least, most = self._bounds()
        if not least <= len(arguments) <= most:
            raise ValueError(f"{'not enough' if len(arguments) < least else 'too many'} arguments; {self.line}")
        for name in options:
            if not self.takes(name):
                raise ValueError(f"{self.name} doesn't take {Option(name).flag}; {self.line}")

    def takes(self, option: str) -> bool:
        """True for the name of an option that goes with the word."""
        return any(option == each.name for each in self.options)

    @property
    def line(self) -> str:
        """`usage: warren ctl NAME ARGUMENTS [options]`."""
        options = "".join(f" [{option.flag}]" for option in sorted(self.options, key=lambda each: each.name))
        return f"usage: warren ctl {self.name}{' ' if self.usage else ''}{self.usage}{options}"

    def described(self) -> dict[str, object]:
        """As JSON, for a client that doesn't have the word."""
        found = {name: getattr(self, name) for name in _SYNTAX_FIELDS}
        return {**found, "options": [asdict(each) for each in self.options]}

    @staticmethod
    def from_description(value: Mapping[str, object]) -> Syntax:
        """The opposite of `described`.  Raises KeyError or TypeError for what isn't one."""
        options = (Option(**each) for each in cast("list[dict[str, Any]]", value["options"]))
        known = {name: each for name, each in value.items() if name in _SYNTAX_FIELDS}
        return Syntax(**{**known, "options": tuple(options)})  # type: ignore[arg-type]

    def _bounds(self) -> tuple[int, int]:
        names = self.usage.split()
        optional = sum(name.startswith("[") for name in names)
        most = ARGUMENTS_MAX if self.usage.endswith("...") else len(names)
        return len(names) - optional, most


_SYNTAX_FIELDS: Final = frozenset(Syntax.__dataclass_fields__)


@frozen
class Word(Syntax):
    """A word with what the broker does for it; made by `word`.

    handler: gets the broker and the checked request, and returns the answer or raises RefusedError or an error of core.
    while_stopped: it also works while the broker application is stopped (`stop_app`).
    remote: who may ask for it over HTTP.
    """

    handler: Handler = field(kw_only=True)
    while_stopped: bool = False
    remote: Remote = Remote.ADMINISTRATOR


def word(
    usage: str,
    about: str,
    announcement: str = "",
    *,
    options: Sequence[Option] = (),
    secret: int | None = None,
    reads_file: bool = False,
    writes_file: bool = False,
    reads_files: bool = False,
    example: str = "",
    lists: str = "",
    while_stopped: bool = False,
    remote: Remote = Remote.ADMINISTRATOR,
) -> Callable[[Handler], Word]:
    """Make a function the handler of the word that is called as it is; the arguments are those of Syntax and Word."""

    def declare(handler: Handler) -> Word:
        return Word(
            name=handler.__name__,
            usage=usage,
            about=about,
            announcement=announcement,
            options=tuple(options),
            secret=secret,
            reads_file=reads_file,
            writes_file=writes_file,
            reads_files=reads_files,
            example=example,
            lists=lists,
            handler=handler,
            while_stopped=while_stopped,
            remote=remote,
        )

    return declare


def words_of(module: object) -> list[Word]:
    """The words that a module declares, in the order of its text."""
    return [each for each in vars(module).values() if isinstance(each, Word)]
