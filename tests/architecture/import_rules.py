"""The rules on who may import what, as a function from a source text to the list of what breaks them.

    core  <-  adapters  <-  gateway        plugins: core, adapters, gateway.plugin, plugins.bridging, never each other
                              ^
                           testing

Everything is imported as `warren.…`; the folders' bare names are somebody else's.  Within a layer there are rooms
(rooms.py), which import in one direction.

core and adapters wait for nothing: no event loop, no `async`, no sockets, no threads, no reading of a clock
(time is an argument).  gateway knows no plugin by name: it finds them when it runs.

Imports count wherever they stand, within functions and under TYPE_CHECKING, too: a type that core needs to
name belongs to core.  Only between the rooms of one layer may types look up.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.architecture.rooms import may_import, room_of

PACKAGE = "warren"

LAYERS = ("core", "adapters", "gateway", "plugins", "testing")

PLUGIN_INTERFACE = "gateway.plugin"
"""The one module of gateway that a plugin may import from."""

FORMS = "forms"
"""What decides, before anything else is imported, whether compiled modules are; gateway says what has come of it."""

WAITING_MODULES = frozenset(
    {
        "_thread", "anyio", "asyncio", "concurrent", "multiprocessing", "queue", "sched",
        "select", "selectors", "signal", "socket", "socketserver", "sniffio", "ssl", "subprocess",
        "threading", "time", "trio",
    }
)  # fmt: skip
"""What core and adapters may not import: whatever waits, or reads a clock, or exists for those who do."""

CLOCK_CLASSES = frozenset({"datetime", "date"})
CLOCK_METHODS = frozenset({"now", "utcnow", "today"})
"""`datetime` is fine for taking dates apart; these of its class methods read the clock."""

PLUGINS_SHARED = "plugins.bridging"
"""What is no plugin, but what plugins have in common."""

ASYNC_SYNTAX = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)


def violations(path: str, source: str) -> list[str]:
    """What breaks the rules in the file at `path`, relative to the root of the repository."""
    layer = PurePosixPath(path).parts[0]
    assert layer in LAYERS, path
    tree = ast.parse(source, path)
    for_types = set(type_only(tree))
    found: list[tuple[int, str]] = []
    for node, name in imports(path, tree):
        found += [(node.lineno, text) for text in broken_by_import(layer, path, name, for_types=node in for_types)]
    if layer in ("core", "adapters"):
        found += waiting(layer, tree)
    if layer != "plugins" and not room_of(module_at(path)):
        found.append((1, f"{module_at(path)} is in no room (rooms.py)"))
    return [f"{path}:{line}: {text}" for line, text in sorted(found)]


def type_only(tree: ast.AST) -> Iterator[ast.AST]:
    """Everything under `if TYPE_CHECKING:`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and last_name(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                yield from ast.walk(statement)


def imports(path: str, tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """(statement, absolute dotted name) of everything imported; `from a import b` gives `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            module = absolute_module(path, node)
            for alias in node.names:
                yield node, f"{module}.{alias.name}"


def absolute_module(path: str, node: ast.ImportFrom) -> str:
    """The module that `node` imports from, with leading dots resolved."""
    if not node.level:
        return node.module or ""
    package = (PACKAGE, *PurePosixPath(path).parts)[: -node.level]
    return ".".join([*package, node.module] if node.module else package)


def broken_by_import(layer: str, path: str, name: str, *, for_types: bool) -> Iterator[str]:
    """What is wrong with importing `name` here; nothing as a rule.  for_types: under TYPE_CHECKING."""
    top, _, rest = name.partition(".")
    if layer in ("core", "adapters") and top in WAITING_MODULES:
        yield f"{layer} may not import {top}"
    if top in LAYERS:
        yield f"import {PACKAGE}.{name}, not {name}"
    if top != PACKAGE:
        return
    other = rest.partition(".")[0]
    if layer == "plugins":
        yield from broken_by_plugin_import(path, rest)
    elif layer == "gateway" and other == FORMS:
        return
    elif other not in LAYERS or LAYERS.index(other) > LAYERS.index(layer):
        yield f"{layer} may not import {other or PACKAGE}"
    elif not for_types:
        yield from broken_by_room(path, rest)


def broken_by_room(path: str, name: str) -> Iterator[str]:
    """What is wrong with importing `name`, in the same layer or one below, from the room that `path` is in."""
    here, there = room_of(module_at(path)), room_of(name)
    if here and there and not may_import(here, there):
        yield f"{here} may not import {there}"


def module_at(path: str) -> str:
    """`core.queues` for `core/queues/__init__.py`, `core.queues.base` for `core/queues/base.py`."""
    return PurePosixPath(path).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")


def broken_by_plugin_import(path: str, name: str) -> Iterator[str]:
    """What is wrong with a plugin importing `name`, which is in one of the layers."""
    if is_within(name, "gateway") and not is_within(name, PLUGIN_INTERFACE):
        yield f"plugins may import only {PLUGIN_INTERFACE} from gateway, not {name}"
    own = ".".join(PurePosixPath(path).with_suffix("").parts[:2])
    if is_within(name, "testing"):
        yield f"plugins may not import {name}"
    if is_within(name, "plugins") and not is_within(name, own) and not is_within(name, PLUGINS_SHARED):
        yield f"plugins may not import each other: {name}"


def is_within(name: str, package: str) -> bool:
    """Whether `name` is `package` or something in it."""
    return name == package or name.startswith(package + ".")


def waiting(layer: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, what is wrong) for syntax that waits, calls that read a clock, and imports in disguise."""
    for node in ast.walk(tree):
        if isinstance(node, ASYNC_SYNTAX):
            yield node.lineno, f"{layer} may not wait: {type(node).__name__}"
        elif isinstance(node, ast.comprehension) and node.is_async:
            yield node.iter.lineno, f"{layer} may not wait: async comprehension"
        elif isinstance(node, ast.Attribute) and node.attr in CLOCK_METHODS:
            if last_name(node.value) in CLOCK_CLASSES:
                yield node.lineno, f"{layer} may not read a clock: {ast.unparse(node)}"
        elif isinstance(node, ast.Call) and last_name(node.func) in ("__import__", "import_module"):
            yield node.lineno, f"{layer} may not import by name at run time"


def last_name(node: ast.expr) -> str:
    """`c` for `c`, `b.c` and `a.b.c`; empty for other expressions."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
