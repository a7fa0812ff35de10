"""Where settings come from: the file, the environment and the command line, each as a list of `Given`.

Nothing is checked here: `load.load_config` checks names and values, once it knows which plugins have keys, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from warren.gateway.configuration import catalogue
from warren.gateway.configuration.config import ConfigError
from warren.gateway.configuration.given import Given, Remark, Weight

FILE_NAME = "warren.toml"

RABBITMQ_SUFFIX = ".conf"
"""Of a file in RabbitMQ's format."""

PREFIX = "WARREN_"

FILE_VARIABLES = ("WARREN_CONFIG", "RABBITMQ_CONFIG_FILE")
"""Variables that name the configuration file."""

RABBITMQ_VARIABLES = {
    "RABBITMQ_DEFAULT_USER": "default_user",
    "RABBITMQ_DEFAULT_PASS": "default_pass",
    "RABBITMQ_DEFAULT_VHOST": "default_vhost",
}
"""Those of RabbitMQ's Docker image that Warren obeys; WARREN_ variables win over them."""

PROGRAM_VARIABLES = ("WARREN_FORM", "WARREN_COMPILE")
"""Say how Warren's modules are imported (warren.forms) and built (setup.py)."""

_SERVICE_LINK = re.compile(r"WARREN_(SERVICE_(HOST|PORT)(_.*)?|PORT(_\d+_(TCP|UDP).*)?|NAME|ENV_.*)")
"""What Kubernetes and Docker links put into the environment of the neighbours of a service called warren."""

_ERLANG_TERMS = re.compile(r"(?:\s|%[^\n]*\n)*\[\s*(?:%[^\n]*\n\s*)*(?:\{|\]\s*\.)")
"""How a rabbitmq.config begins: a list of tuples, after comments; no TOML does."""

_WHAT_TO_DO_WITH_TERMS = (
    "this is RabbitMQ's classic format, in Erlang terms, which Warren doesn't read; write its settings as key = value "
    "into a file whose name ends in .conf (as RabbitMQ has it since 3.7; docs/rabbitmq.md names the keys), or as TOML "
    "into one that ends in .toml (docs/configuration.md), and name that one"
)

_ADVANCED = "advanced.config"

_ADVANCED_VARIABLE = "RABBITMQ_ADVANCED_CONFIG_FILE"

FILE_BYTES_MAX = 1024 * 1024
"""A configuration is a few lines; more is a mistake in the file's name."""


def find_file(named: Path | None, environment: Mapping[str, str], directory: Path) -> Path | None:
    """The configuration file named on the command line or in the environment, else warren.toml."""
    if named is not None:
        return directory / named
    for variable in FILE_VARIABLES:
        if environment.get(variable):
            return _with_suffix(directory / environment[variable])
    return file_in(directory)


def _with_suffix(path: Path) -> Path:
    """RabbitMQ's variable may leave the end of the name out."""
    candidates = [path, *(path.with_name(path.name + suffix) for suffix in (".conf", ".config"))]
    return next((each for each in candidates if each.exists()), path)


def file_in(directory: Path) -> Path | None:
    """warren.toml in this directory, when there is one."""
    try:
        return directory / FILE_NAME if (directory / FILE_NAME).is_file() else None
    except OSError:
        return None


def read_file(path: Path, environment: Mapping[str, str]) -> tuple[list[Given], list[Remark]]:
    """(settings, remarks) of a configuration file; environment: for a rabbitmq.conf, whose values may name variables.

    Raises ConfigError when it can't be read.
    """
    text = _read_text(path)
    if _ERLANG_TERMS.match(text):
        raise ConfigError(f"{path}: {_WHAT_TO_DO_WITH_TERMS}")
    if path.suffix == RABBITMQ_SUFFIX:
        from warren.gateway.configuration.rabbitmq_conf.reader import read_rabbitmq_conf

        settings, remarks = read_rabbitmq_conf(text, path, environment)
        return settings, [*remarks, *_remarks_on_advanced(path, environment)]
    import tomllib  # a start without a file doesn't wait for it

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    source, base = str(path), path.parent
    return [Given(source, key, key_of(key), value, base) for key, value in _flat(document)], []


def _remarks_on_advanced(path: Path, environment: Mapping[str, str]) -> list[Remark]:
    """RabbitMQ reads a second file, in Erlang terms, that stands beside the first one or is named by a variable."""
    named = environment.get(_ADVANCED_VARIABLE)
    advanced = path.parent / (named or _ADVANCED)
    try:
        if not advanced.is_file():
            return []
    except OSError:
        return []
    text = f"{advanced}: ignored: Warren reads no Erlang terms; what of it has a key belongs into {path}"
    return [Remark(Weight.WARNING, text)]


def _flat(document: Mapping[str, object]) -> Iterable[tuple[str, object]]:
    """The keys of a TOML document, those of its tables as `table.key`; a key's value may be a table, too."""
    for key, value in document.items():
        if isinstance(value, dict) and key not in catalogue.KEYS:
            yield from ((f"{key}.{name}", entry) for name, entry in value.items())
        else:
            yield key, value


def environment_settings(environment: Mapping[str, str], directory: Path) -> list[Given]:
    """Settings of RABBITMQ_DEFAULT_... and WARREN_... variables."""
    source = "environment"
    found = [
        Given(source, variable, key, environment[variable], directory)
        for variable, key in RABBITMQ_VARIABLES.items()
        if variable in environment
    ]
    for variable in sorted(environment):
        if not variable.startswith(PREFIX) or variable in FILE_VARIABLES or variable in PROGRAM_VARIABLES:
            continue
        if _SERVICE_LINK.fullmatch(variable):
            continue
        key = key_of(variable[len(PREFIX) :].lower())
        found.append(Given(source, variable, key, environment[variable], directory))
    return found


def command_line_settings(options: Iterable[tuple[str, str, object]], directory: Path | None = None) -> list[Given]:
    """Settings of the command line: (option as written, key, value), e.g. ("--log-level", "log_level",
    "debug").

    Options that were not given (None, False or an empty list) give no setting.
    """
    base = directory or Path.cwd()
    return [
        Given("command line", option, key, value, base)
        for option, key, value in options
        if value is not None and value != [] and value is not False
    ]


def assignments(texts: Iterable[str], directory: Path | None = None) -> list[Given]:
    """Settings of `--set KEY=VALUE`.  Raises ConfigError."""
    found = []
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise ConfigError(f"command line: --set {text!r}: must be KEY=VALUE, such as heartbeat_s=30")
        written = f"--set {name}"
        key = key_of(name)
        found.append(Given("command line", written, key, value, directory or Path.cwd()))
    return found


def key_of(name: str) -> str:
    """The key that `name` stands for; a name that may be a plugin's, with `_` for dots."""
    key = catalogue.known_key(name)
    return key.name if key is not None else name.replace(".", "_")


_ALIKE_CUTOFF = 0.5
"""How much alike keys are that are shown where none is nearly what was written; difflib's own is 0.6."""


def unknown_key(given: Given, of_plugins: Iterable[str]) -> ConfigError:
    """The error of a key that is nobody's, with the nearest known ones.

    of_plugins: the keys of the plugins that are enabled.
    """
    keys = [*catalogue.KEYS, *(key.name for key in catalogue.foreign_keys().values()), *of_plugins]
    return ConfigError(f"{given.source}: unknown key {given.written}; {_suggestion(given, list(dict.fromkeys(keys)))}")


def _suggestion(given: Given, keys: list[str]) -> str:
    import difflib

    prefixed = given.written.startswith(PREFIX)
    known = [key for key in (*keys, *catalogue.SECOND_NAMES) if not (prefixed and "." in key)]
    name = given.key.replace("-", "_").lower()
    near = difflib.get_close_matches(name, known, n=2)
    alike = near or difflib.get_close_matches(name, known, n=3, cutoff=_ALIKE_CUTOFF)
    shown = [PREFIX + key.upper() if prefixed else key for key in alike]
    if near:
        return f"did you mean {' or '.join(shown)}?"
    nearest = f"nearest: {', '.join(shown)}; " if shown else ""
    return f"{nearest}docs/configuration.md has all keys, and `warren init` writes them into a file"


def _read_text(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size > FILE_BYTES_MAX:
                raise ConfigError(f"{path}: larger than {FILE_BYTES_MAX} bytes, so not a configuration file")
            return file.read(FILE_BYTES_MAX).decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from None
