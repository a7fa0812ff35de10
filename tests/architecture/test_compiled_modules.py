"""compiled-modules.toml holds each module that messages pass once: to be compiled, or with a reason why not."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Final

from tests import form

ROOT: Final = Path(__file__).resolve().parents[2]

LISTED: Final = tomllib.loads((ROOT / "compiled-modules.toml").read_text("utf-8"))

COMPILED: Final = {f"{room}/{name}" for room, names in LISTED["compiled"].items() for name in names}

ROOMS: Final = ("core", "adapters", "gateway", "plugins", "testing")

INTERPRETED: Final = {f"{room}/{name}" for room, reasons in LISTED["interpreted"].items() for name in reasons}


def classes() -> list[tuple[str, ast.ClassDef]]:
    """All classes of compiled modules, with the module."""
    return [
        (module, node)
        for module in sorted(COMPILED)
        for node in ast.parse((ROOT / f"{module}.py").read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
    ]


def is_open(class_: ast.ClassDef) -> bool:
    """Whether interpreted code may derive from it."""
    return any("allow_interpreted_subclasses=True" in ast.unparse(each) for each in class_.decorator_list)


def methods(class_: ast.ClassDef) -> set[str]:
    return {each.name for each in class_.body if isinstance(each, ast.FunctionDef)}


def bases_of(class_: ast.ClassDef) -> set[str]:
    return {ast.unparse(base).partition("[")[0] for base in class_.bases}


def test_each_is_there_once() -> None:
    rooms = list(LISTED["compiled"])
    there = {f"{room}/{path.stem}" for room in rooms for path in (ROOT / room).glob("*.py")}
    there = {module for module in there if not module.endswith("/__init__")}
    assert there
    assert there == COMPILED | INTERPRETED
    assert set() == COMPILED & INTERPRETED


def test_reasons_are_given() -> None:
    reasons = [reason for room in LISTED["interpreted"].values() for reason in room.values()]
    assert reasons
    assert [reason for reason in reasons if len(reason.split()) < 4] == []


def test_who_derives_from_an_open_class_is_open_or_has_a_constructor() -> None:
    """The compiler would run the inherited constructor twice."""
    found = [(module, class_, bases_of(class_)) for module, class_ in classes()]
    below = {class_.name for _, class_, _ in found if is_open(class_)}
    assert below
    while more := {class_.name for _, class_, bases in found if bases & below} - below:
        below |= more
    wrong = [
        f"{module}: {class_.name}"
        for module, class_, bases in found
        if bases & below and not is_open(class_) and "__init__" not in methods(class_)
    ]
    assert wrong == []


def test_interpreted_classes_derive_from_open_classes_alone() -> None:
    """Python would refuse to make them, at the import of their module, and in the compiled form alone."""
    closed = {
        f"{module}/{class_.name}"
        for module, class_ in classes()
        if not is_open(class_) and not bases_of(class_) & {"NamedTuple", "Protocol", "Enum", "TypedDict"}
    }
    files = {path.relative_to(ROOT).with_suffix("").as_posix(): path for room in ROOMS for path in sources(room)}
    wrong = []
    for module in sorted(files.keys() - COMPILED):
        tree = ast.parse(files[module].read_text("utf-8"))
        imported = {
            each.asname or each.name: f"{node.module}.{each.name}".removeprefix("warren.").replace(".", "/")
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for each in node.names
        }
        for class_ in ast.walk(tree):
            for base in bases_of(class_) if isinstance(class_, ast.ClassDef) else ():
                first, *rest = base.split(".")
                if "/".join([imported.get(first, first), *rest]) in closed:
                    wrong.append(f"{module}: {base}")
    assert closed
    assert wrong == []


def sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def test_what_has_a_length_says_whether_it_is_empty() -> None:
    """The compiler takes an object that may be None for true whenever it is there, unless its class says otherwise."""
    wrong = [
        f"{module}: {class_.name}"
        for module, class_ in classes()
        if "__len__" in methods(class_) and "__bool__" not in methods(class_)
    ]
    assert wrong == []


def test_no_class_is_an_abc() -> None:
    """The compiler gives subclasses of an ABC one memory of isinstance in common, so that it is wrong."""
    wrong = [f"{module}: {class_.name}" for module, class_ in classes() if "ABC" in bases_of(class_)]
    assert wrong == []


def test_fields_are_annotated_with_what_is_there_when_the_program_runs() -> None:
    """The compiler evaluates annotations of named tuples and dataclasses; a name that isn't there ends the process."""
    assert [name for module, class_ in classes() if makes_fields(class_) for name in unknown(module, class_)] == []


def test_dataclasses_have_fields_of_imported_classes_alone() -> None:
    """The compiler takes a dataclass's field for its class, even in quotes: one that isn't loaded ends the process."""
    wrong = []
    for module, class_ in classes():
        if is_dataclass(class_):
            known = absent(ast.parse((ROOT / f"{module}.py").read_text("utf-8")))
            wrong += [f"{module}: {class_.name}: {name}" for name in fields_that_are(known, class_)]
    assert wrong == []


def fields_that_are(names: set[str], class_: ast.ClassDef) -> list[str]:
    """Those of the names that a field is annotated with as such, in quotes or without: not as a part, nor or None."""
    found = []
    for field in class_.body:
        if not isinstance(field, ast.AnnAssign):
            continue
        annotation = field.annotation
        if isinstance(annotation, ast.Constant):
            quoted = ast.parse(str(annotation.value), mode="eval")
            annotation = quoted.body if isinstance(quoted, ast.Expression) else annotation
        while isinstance(annotation, ast.Subscript | ast.Attribute):
            annotation = annotation.value
        if isinstance(annotation, ast.Name) and annotation.id in names:
            found.append(annotation.id)
    return found


def makes_fields(class_: ast.ClassDef) -> bool:
    return "NamedTuple" in bases_of(class_) or is_dataclass(class_)


def is_dataclass(class_: ast.ClassDef) -> bool:
    return any("dataclass" in ast.unparse(each) for each in class_.decorator_list)


def absent(tree: ast.Module) -> set[str]:
    """What is imported for type checkers alone."""
    checking = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [each for node in checking for each in ast.walk(node) if isinstance(each, ast.Import | ast.ImportFrom)]
    return {alias.asname or alias.name for each in imports for alias in each.names}


def unknown(module: str, class_: ast.ClassDef) -> list[str]:
    """What fields are annotated with, without quotes, that is imported for type checkers alone."""
    tree = ast.parse((ROOT / f"{module}.py").read_text("utf-8"))
    fields = [node.annotation for node in class_.body if isinstance(node, ast.AnnAssign)]
    names = {each.id for field in fields for each in ast.walk(field) if isinstance(each, ast.Name)}
    return [f"{module}: {class_.name}: {name}" for name in sorted(names & absent(tree))]


def test_two_kinds_of_errors_have_two_names() -> None:
    """The compiler takes a name for the type of what it held first in a function."""
    wrong = []
    for module in sorted(COMPILED):
        for function in ast.walk(ast.parse((ROOT / f"{module}.py").read_text("utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            kinds: dict[str, set[str]] = {}
            for handler in ast.walk(function):
                if isinstance(handler, ast.ExceptHandler) and handler.name and handler.type:
                    kinds.setdefault(handler.name, set()).add(ast.unparse(handler.type))
            wrong += [f"{module}.{function.name}: {name}" for name, types in kinds.items() if len(types) > 1]
    assert wrong == []


def test_nothing_is_yielded_while_an_error_is_handled() -> None:
    """A compiled generator leaves that error behind as the one that is handled; each later one would lead to it."""
    wrong = []
    for module in sorted(COMPILED):
        for node in ast.walk(ast.parse((ROOT / f"{module}.py").read_text("utf-8"))):
            handled: list[ast.AST] = [node] if isinstance(node, ast.ExceptHandler) else []
            if isinstance(node, ast.Try):
                handled += node.finalbody
            inside = [each for part in handled for each in ast.walk(part)]
            wrong += [f"{module}:{each.lineno}" for each in inside if isinstance(each, ast.Yield | ast.YieldFrom)]
    assert wrong == []


def test_what_tests_run_once_is_there_and_has_a_reason() -> None:
    assert [name for name in (*form.ONCE, *form.REAL_PEERS) if not (form.TESTS / name).exists()] == []
    assert [file for file in form.EVEN_SO if not (form.TESTS / file).is_file()] == []
    reasons = [*form.ONCE.values(), *form.REAL_PEERS.values(), *form.EVEN_SO.values()]
    assert [reason for reason in reasons if len(reason.split()) < 4] == []


def runs_once_as_told(file: Path) -> bool:
    return form.runs_once(file) and file.relative_to(form.TESTS).parts[0] not in form.REAL_PEERS


def test_what_tests_run_once_imports_nothing_that_is_compiled() -> None:
    compiled = {f"warren.{module.replace('/', '.')}" for module in COMPILED}
    wrong = []
    for file in sorted(file for file in form.TESTS.rglob("*.py") if runs_once_as_told(file)):
        name = file.relative_to(form.TESTS).as_posix()
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            imported: list[str] = []
            if isinstance(node, ast.ImportFrom) and node.module:
                imported = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
            elif isinstance(node, ast.Import):
                imported = [each.name for each in node.names]
            if name not in form.EVEN_SO:
                wrong += [f"{name}: {each}" for each in imported if each in compiled]
    assert wrong == []
