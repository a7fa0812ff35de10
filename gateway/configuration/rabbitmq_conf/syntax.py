"""The text of a rabbitmq.conf: from lines to keys and values.

    key = value                   up to the end of the line or a #, without the spaces around it
    key = 'value with # in it'    up to the next single quote, over lines, too
    key = '''more lines'''
    include conf.d/*.conf         that file, or those files in the order of their names, in this place
    # comment

A key is words with dots in between; `\\.` is a dot within a word, as in `loopback_users.john\\.doe`.  A later line for
a key wins.  In a value, `$(NAME)` is what the key NAME has in the file or else the environment variable of this name,
and a value that is `$(<FILE)` is what that file holds, without the newline at its end, which suits secrets that are
mounted as files.  Names of files start at the directory of the file that names them.

That is the format of cuttlefish, which reads this file for RabbitMQ ("sysctl-style"); a line that it refuses is refused
here, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from warren.gateway.configuration.config import ConfigError

Entries = dict[str, str]

FILE_BYTES_MAX: Final = 1024 * 1024
"""An included file, or one that holds a value, is a few lines; more is a mistake in its name."""

INCLUDES_MAX: Final = 100
"""Files that one file may include, directly or not; more is a circle."""

_EMPTY: Final = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)")
_END: Final = _EMPTY
_INCLUDE: Final = re.compile(r"[ \t]*include[ \t]+([^\s#=]+)")
_KEY: Final = re.compile(r"[ \t]*((?:\\\.|[A-Za-z0-9_$/@-])+(?:\.(?:\\\.|[A-Za-z0-9_$/@-])+)*)[ \t]*=[ \t]*")
"""More than cuttlefish allows in words: nothing is gained by refusing a user's name with an @ in it."""
_MULTILINE: Final = re.compile(r"'''(.*?)'''", re.DOTALL)
_QUOTED: Final = re.compile(r"'([^']*)'")
_PLAIN: Final = re.compile(r"([^\r\n#]+?)(?=[ \t]*(?:#|\r?\n|\Z))")

_VALUE_OF_FILE: Final = re.compile(r"\$\(<(.+)\)")
_NAMED: Final = re.compile(r"\$\(([^()]*)\)")


def read_entries(text: str, path: Path, environment: Mapping[str, str], missing: list[str] | None = None) -> Entries:
    """The values of the keys of a rabbitmq.conf with this text.  Raises ConfigError.

    missing: gets the includes that find no file, which is no error for RabbitMQ either.
    """
    files = _Files(path, [] if missing is None else missing)
    values: Entries = {}
    finished: dict[str, str] = {}
    for key, (value, directory) in files.entries(text, path).items():
        found = _VALUE_OF_FILE.fullmatch(value)
        if found is None:
            values[key] = value
        else:
            values[key] = finished[key] = _value_of_file(path, key, directory / found[1].strip())
    made = _Substitution(values, finished, environment, path)
    return {key: made.value(key, ()) for key in values}


def words_of(key: str) -> list[str]:
    """The words of a key; `\\.` in one of them is a dot."""
    return [word.replace("\\.", ".") for word in re.split(r"(?<!\\)\.", key)]


class _Files:
    """Reads a file and those that it includes."""

    def __init__(self, path: Path, missing: list[str]) -> None:
        self._path = path
        self._read = 0
        self._missing = missing

    def entries(self, text: str, path: Path) -> dict[str, tuple[str, Path]]:
        """(value, directory of its file) by key, in the order of the files."""
        found: dict[str, tuple[str, Path]] = {}
        at = 0
        while at < len(text):
            empty, include, key = _EMPTY.match(text, at), _INCLUDE.match(text, at), _KEY.match(text, at)
            if empty is not None:
                at = empty.end()
            elif key is not None:
                value, at = _value(text, key.end(), path)
                found[key[1]] = (value, path.parent)
            elif include is not None:
                at = _line_end(text, include.end(), path)
                for each in self._included(path, include[1]):
                    found |= each
            else:
                raise _syntax_error(text, at, path)
        return found

    def _included(self, path: Path, name: str) -> list[dict[str, tuple[str, Path]]]:
        folder, pattern = (path.parent / name).parent, Path(name).name
        try:
            found = sorted(folder.glob(pattern))
        except OSError as error:
            raise ConfigError(f"{path}: include {name}: can't be read: {error.strerror or error}") from None
        if not found:
            self._missing.append(f"include {name}")
        return [self._file(each, path) for each in found]

    def _file(self, included: Path, path: Path) -> dict[str, tuple[str, Path]]:
        self._read += 1
        if self._read > INCLUDES_MAX:
            raise ConfigError(f"{self._path}: includes more than {INCLUDES_MAX} files; does one include itself?")
        return self.entries(_text(included, f"{path}: include {included}"), included)


def _value(text: str, at: int, path: Path) -> tuple[str, int]:
    for kind in (_MULTILINE, _QUOTED, _PLAIN):
        found = kind.match(text, at)
        if found is not None:
            return found[1].strip("\r\n") if kind is _MULTILINE else found[1], _line_end(text, found.end(), path)
    raise _syntax_error(text, at, path, "must be key = value; there is no value ('' is an empty one)")


def _line_end(text: str, at: int, path: Path) -> int:
    end = _END.match(text, at)
    if end is None:
        quoted = "'" in text[text.rfind("\n", 0, at) + 1 : at]
        raise _syntax_error(text, at, path, "a value in single quotes ends at the next one" if quoted else "")
    return end.end()


def _syntax_error(text: str, at: int, path: Path, why: str = "") -> ConfigError:
    """What is wrong with a line.  Its value isn't shown: it may be a secret."""
    number = text.count("\n", 0, at) + 1
    line = text.splitlines()[number - 1].strip()
    shown = line.partition("=")[0].rstrip() + " = ..." if "=" in line else line
    return ConfigError(f"{path}: line {number}: {shown!r}: {why or 'must be key = value'}")


class _Substitution:
    """Puts what values name into them; finished: values that are what they are, whatever they hold."""

    def __init__(
        self, values: Mapping[str, str], finished: Mapping[str, str], environment: Mapping[str, str], path: Path
    ) -> None:
        self._values = values
        self._finished = finished
        self._environment = environment
        self._path = path

    def value(self, key: str, asked: tuple[str, ...]) -> str:
        """The value of a key; asked: the keys whose values need it."""
        if key in asked:
            raise ConfigError(f"{self._path}: {' -> '.join((*asked, key))}: each is made of the next one")
        if key in self._finished:
            return self._finished[key]
        return _NAMED.sub(lambda found: self._named(key, found[1].strip(), asked), self._values[key])

    def _named(self, key: str, name: str, asked: tuple[str, ...]) -> str:
        if name in self._values:
            return self.value(name, (*asked, key))
        if name in self._environment:
            return self._environment[name]
        raise ConfigError(
            f"{self._path}: {key} = $({name}): there is no environment variable {name}, nor a key of that name in the "
            f"file; set it for this process, or write the value itself"
        )


def _value_of_file(path: Path, key: str, file: Path) -> str:
    text = _text(file, f"{path}: {key} = $(<{file})")
    return text.removesuffix("\n").removesuffix("\r")


def _text(file: Path, what: str) -> str:
    try:
        with open(file, "rb") as opened:
            data = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{what}: can't be read: {error.strerror or error}") from None
    if len(data) > FILE_BYTES_MAX:
        raise ConfigError(f"{what}: larger than {FILE_BYTES_MAX} bytes, so not a part of a configuration")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what}: not UTF-8 text (byte {error.start})") from None
