"""Classes and functions as a page describes them: signatures and docstrings, read from the source text.

The text is read rather than the objects, since signatures are to be seen as they are written and attributes have their
docstrings below them. What begins with `_` is nobody's business.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Collection, Iterator
from functools import cache
from typing import NamedTuple

from tests.docs.pages import ROOT
from tests.docs.reference.markdown import code, fenced, joined

COLUMNS = 100
"""Of a signature: a longer one has a line for each parameter."""

HEAD_OF_FILE = "See the head of this file"
"""What a class says whose file says everything."""

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Assign | ast.AnnAssign


class Found(NamedTuple):
    """Where a name is defined."""

    node: Definition
    dotted: str
    docstring: str
    """Of a constant or a type, below it."""


@cache
def _text(dotted: str) -> str:
    path = ROOT.joinpath(*dotted.removeprefix("warren.").split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file.read_text("utf-8")


@cache
def _module(dotted: str) -> ast.Module:
    return ast.parse(_text(dotted))


def find(dotted: str, name: str) -> Found:
    """The definition of a name that a module has or imports; LookupError where there is none."""
    module = _module(dotted)
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.module and any((a.asname or a.name) == name for a in node.names):
            return find(node.module, next(a.name for a in node.names if (a.asname or a.name) == name))
    for at, node in enumerate(module.body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return Found(node, dotted, "")
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in _targets(node):
            return Found(node, dotted, _docstring_at(module.body, at + 1))
    raise LookupError(f"{dotted} has no {name}")


def described(dotted: str, name: str, known: Collection[str] = (), level: int = 3) -> str:
    """The whole of what a page says of a name.

    known: what the page has anyway; methods of other bases are shown as the class's own. level: of the heading; that
    of methods is one more.
    """
    found = find(dotted, name)
    node = found.node
    heading = f"{'#' * level} {code(name)}"
    if isinstance(node, ast.ClassDef):
        return joined([heading, *_class(node, found.dotted, known, level)])
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return joined([heading, fenced("python", signature(node)), documentation(ast.get_docstring(node) or "")])
    written = ast.get_source_segment(_text(found.dotted), node) or ""
    return joined([heading, fenced("python", written), documentation(found.docstring)])


def _class(node: ast.ClassDef, dotted: str, known: Collection[str], level: int) -> Iterator[str]:
    docstring = ast.get_docstring(node) or ""
    if docstring.startswith(HEAD_OF_FILE):
        rest = docstring.removeprefix(HEAD_OF_FILE).lstrip(".; ")
        docstring = f"{ast.get_docstring(_module(dotted))}\n\n{rest[:1].upper()}{rest[1:]}"
    yield fenced("python", _head(node))
    yield documentation(docstring)
    attributes = list(_attributes(node))
    if attributes:
        yield "\n".join(f"- {code(written)}" + (f": {about}" if about else "") for written, about in attributes)
    for method in _methods(node, dotted, known):
        yield f"{'#' * (level + 1)} {code(f'{node.name}.{method.name}')}"
        yield fenced("python", signature(method))
        yield documentation(ast.get_docstring(method) or "")


def _methods(node: ast.ClassDef, dotted: str, known: Collection[str]) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Its own, and those of its bases in Warren that the page doesn't describe."""
    own = [each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = [
        each
        for each in own
        if not each.name.startswith("_") and not any("setter" in ast.unparse(d) for d in each.decorator_list)
    ]
    for base in node.bases:
        name = ast.unparse(base).partition("[")[0]
        try:
            inherited = find(dotted, name)
        except (LookupError, OSError):
            continue  # Python's own, or another package's
        if name not in known and isinstance(inherited.node, ast.ClassDef):
            names = {each.name for each in own}
            found += [each for each in _methods(inherited.node, inherited.dotted, known) if each.name not in names]
    return found


def _head(node: ast.ClassDef) -> str:
    bases = ", ".join(map(ast.unparse, node.bases))
    decorators = [f"@{ast.unparse(each)}" for each in node.decorator_list]
    return "\n".join([*decorators, f"class {node.name}{f'({bases})' if bases else ''}"])


def _attributes(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Annotated names and members of enumerations, as they are written, and what stands below them."""
    for at, each in enumerate(node.body):
        if not isinstance(each, ast.Assign | ast.AnnAssign) or _targets(each)[0].startswith("_"):
            continue
        docstring = _docstring_at(node.body, at + 1)
        yield ast.unparse(each), " ".join(docstring.split())


def _targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [ast.unparse(target) for target in targets]


def _docstring_at(body: list[ast.stmt], at: int) -> str:
    """The text that stands alone at this place."""
    node = body[at] if at < len(body) else None
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return inspect.cleandoc(node.value.value)
    return ""


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Decorators, name, parameters and result, without `self`; of a property name and type."""
    if any(ast.unparse(each) == "property" for each in node.decorator_list) and node.returns:
        return f"{node.name}: {ast.unparse(node.returns)}"
    decorators = [f"@{ast.unparse(each)}\n" for each in node.decorator_list]
    bare = ast.parse(ast.unparse(node)).body[0]
    assert isinstance(bare, ast.FunctionDef | ast.AsyncFunctionDef)
    if bare.args.args and bare.args.args[0].arg in ("self", "cls"):
        del bare.args.args[0]
    front = f"{'async ' if isinstance(node, ast.AsyncFunctionDef) else ''}def {node.name}"
    back = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{front}({ast.unparse(bare.args)}){back}"
    if len(line) > COLUMNS:
        parameters = "".join(f"    {each},\n" for each in _parameters(bare.args))
        line = f"{front}(\n{parameters}){back}"
    return "".join(decorators) + line


def _parameters(arguments: ast.arguments) -> Iterator[str]:
    """Each as it is written, with the `*` before those that are given by name alone."""
    positional = [*arguments.posonlyargs, *arguments.args]
    without = len(positional) - len(arguments.defaults)
    for at, each in enumerate(positional):
        yield ast.unparse(each) + (f" = {ast.unparse(arguments.defaults[at - without])}" if at >= without else "")
    if arguments.vararg:
        yield f"*{ast.unparse(arguments.vararg)}"
    elif arguments.kwonlyargs:
        yield "*"
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield ast.unparse(each) + (f" = {ast.unparse(default)}" if default else "")
    if arguments.kwarg:
        yield f"**{ast.unparse(arguments.kwarg)}"


_INDENTED = re.compile(r"(?:^    .*\n?|^\n(?=    ))+", re.MULTILINE)

_COLUMNS = re.compile(r"(?:^\w[\w()., ]*? {2,}\S.*\n(?:^ {6,}\S.*\n?)*){2,}", re.MULTILINE)


def documentation(docstring: str) -> str:
    """A docstring as Markdown: indented lines are code, lines with two columns a block as they stand."""
    blocks: list[str] = []

    def set_aside(block: str) -> str:
        blocks.append(block)
        return f"\n\x00{len(blocks) - 1}\x00\n"

    text = re.sub(r"\n*Longer than 400 lines because [^\n]*(?:\n[^\n]+)*", "", docstring)
    text = _COLUMNS.sub(lambda found: set_aside(fenced("text", found[0].rstrip())), f"{text.strip()}\n")
    text = _INDENTED.sub(lambda found: set_aside(_code(found[0])), text)
    text = re.sub(r"\n{3,}", "\n\n", text).strip().replace("*args", "\\*args").replace("**fields", "\\*\\*fields")
    return re.sub("\x00(\\d+)\x00", lambda found: blocks[int(found[1])], text)


def _code(indented: str) -> str:
    lines = inspect.cleandoc(f"\n{indented}")
    return fenced("toml" if lines.startswith("[") else "python", lines) if lines.strip() else ""
