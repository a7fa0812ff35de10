"""Builds Warren: pyproject.toml says what it is, this file compiles its hot modules where that can be done.

The modules that a message passes are compiled by mypyc, from the same files that Python runs; `compiled-modules.toml`
lists them.  Where they can't be compiled, all runs as it is, somewhat slower and with the same results; why is said in
one line, here and by `warren version`.

    WARREN_COMPILE=1     compile, and fail if that can't be done: --no-build-isolation, with mypy installed
    WARREN_COMPILE=auto  compile where there is a C compiler with Python's headers, and go on without where there isn't:
                         what is done where nothing is said
    WARREN_COMPILE=0     don't, and remove what an earlier build left in the tree: for quick turns while sources change
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from setuptools import Distribution, Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import CCompilerError, ExecError, PlatformError

ROOT = Path(__file__).resolve().parent
SOURCES = Path("src/warren")
LIST = "compiled-modules.toml"
GENERATED = Path("build/mypyc")
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
OPTIMISATION = "1"
"""gcc's level.  2 takes half as long again, for a hundredth fewer instructions per message."""

LEFT_OUT = ("-fno-tree-dominator-opts", "-fno-tree-pta", "-fno-tree-fre")
"""Passes of gcc that are an eighth of its time, and find next to nothing in what mypyc makes."""

CFILES_TOGETHER = 16
"""C files that are compiled as one, as each includes 1.7 MB of headers.  More would leave less to do side by side."""

SHIM_HEADER = """\
#include <stddef.h>
typedef struct _object PyObject;
#define PyMODINIT_FUNC __attribute__((visibility("default"))) PyObject *
#define Py_DECREF Py_DecRef
void Py_DecRef(PyObject *);
void PyErr_Clear(void);
PyObject *Py_BuildValue(const char *, ...);
PyObject *PyImport_ImportModuleLevel(const char *, PyObject *, PyObject *, PyObject *, int);
PyObject *PyObject_GetAttrString(PyObject *, const char *);
void *PyCapsule_GetPointer(PyObject *, const char *);
"""
"""What the small libraries beside the sources use of Python's C interface, whose headers take four times as long."""

TABLES = "__native_warren.c"
"""Which of the C files has the library's own module, warren__mypyc."""

WITHOUT_METHODS = ".m_methods = NULL,"
"""In its definition."""

GIVE_BACK = """\
#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#ifdef __linux__
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of one library: if it is this one, the kernel forgets that the process has its code and constants in memory, and maps
   again what is used again.  They are never written to, so they are as they are in the file. */
static int warren_give_back_of(struct dl_phdr_info *library, size_t size, void *given_bytes)
{
    uintptr_t here = (uintptr_t)&warren_give_back_of, page = (uintptr_t)sysconf(_SC_PAGESIZE);
    int is_this = 0;
    for (int i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &library->dlpi_phdr[i];
        uintptr_t begin = library->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && begin <= here && here < begin + part->p_memsz) is_this = 1;
    }
    for (int i = 0; is_this && i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &library->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || (part->p_flags & PF_W)) continue;
        uintptr_t begin = (library->dlpi_addr + part->p_vaddr) & ~(page - 1);
        uintptr_t end = (library->dlpi_addr + part->p_vaddr + part->p_memsz + page - 1) & ~(page - 1);
        if (madvise((void *)begin, end - begin, MADV_DONTNEED) == 0) *(size_t *)given_bytes += end - begin;
    }
    return is_this;
}
#endif

static PyObject *warren_give_back(PyObject *module, PyObject *nothing)
{
    size_t given_bytes = 0;
#ifdef __linux__
    dl_iterate_phdr(warren_give_back_of, &given_bytes);
#ifdef __GLIBC__
    malloc_trim(0);
#endif
#endif
    return PyLong_FromSize_t(given_bytes);
}

static PyMethodDef warren_methods[] = {
    {"give_back", warren_give_back, METH_NOARGS, "Give back pages of this library, which it says, and of free memory."},
    {NULL, NULL, 0, NULL},
};

"""
"""What the library can do besides: see warren.forms.give_back."""

ONCE = re.compile(
    r"""
    ^(
        char\ CPyDef_\w+_____top_level__\(void\)(?=\ \{$)
        | static\ bool\nCPyDef_\w+_(?:trait_vtable_setup\(void\)|coroutine_setup\(PyObject\ \*type\))$
        | (?:static\ )?int\ CPyExec_\w+\(PyObject\ \*module\)$
        | PyObject\ \*CPyInit(?:Only)?_\w+\(void\)$
        | static\ int\ exec_warren__mypyc\(PyObject\ \*module\)$
    )
    """,
    re.MULTILINE | re.VERBOSE,
)
"""The heads of functions that run when a module is imported, and never again."""

NOTE = "interpreted.txt"
"""The reason why nothing is compiled, in the package: pip shows nothing of what a build says (src/warren/forms.py)."""

DEFAULT = "auto"
"""Of WARREN_COMPILE."""

started = time.time()
reason = ""
wanted = os.environ.get("WARREN_COMPILE") or DEFAULT


class CannotCompile(Exception):
    """Why the modules run as they are."""


def listed() -> list[str]:
    """The files of all modules that are compiled, from the root of the tree."""
    with (ROOT / LIST).open("rb") as file:
        rooms = tomllib.load(file)["compiled"]
    return [str(SOURCES / room / f"{name}.py") for room, names in rooms.items() for name in names]


def extensions() -> list[Extension]:
    """What mypyc makes of them.  Raises CannotCompile."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if sys.implementation.name != "cpython":
        raise CannotCompile(f"{sys.implementation.name} was no CPython")
    if os.name != "nt" and shutil.which(compiler) is None:
        raise CannotCompile(f"there was no C compiler (looked for {compiler})")
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        raise CannotCompile("Python's C headers were missing (Debian: python3-dev)")
    try:
        from mypyc.build import mypycify
    except ImportError:
        raise CannotCompile("mypyc was missing (pip install mypy)") from None
    arguments = ["--config-file", str(ROOT / "pyproject.toml"), "--follow-imports=silent", *listed()]
    try:
        built: list[Extension] = mypycify(
            arguments,
            multi_file=True,
            opt_level=OPTIMISATION,
            debug_level="0",
            target_dir=str(GENERATED),
            group_name="warren",
        )
    except (SystemExit, Exception) as problem:
        raise CannotCompile(f"mypyc stopped: {problem}") from None
    return built


def go_on_without(why: str, distribution: Distribution | None = None) -> None:
    """Build without compiled modules, unless they were asked for."""
    global reason
    reason = why
    if wanted == "1":
        sys.exit(f"WARREN_COMPILE=1: {why}")
    print(f"Warren's modules are not compiled, and run somewhat slower: {why}", file=sys.stderr)
    if distribution is not None:
        distribution.ext_modules = []
    remove_compiled()


class BuildPython(build_py):
    """Leaves a note in the package if it isn't compiled."""

    def run(self) -> None:
        super().run()
        leave_note(SOURCES if self.editable_mode else Path(self.build_lib, "warren"))


def leave_note(package: Path) -> None:
    """Say in the package why it isn't compiled; nothing if it is, or needn't be."""
    note = package / NOTE
    if reason and package.is_dir():
        note.write_text(f"{reason} when it was installed\n", encoding="utf-8")
    else:
        note.unlink(missing_ok=True)


class ParallelBuild(build_ext):
    """Compiles C files side by side: there are those of the modules, and one for each by which Python finds it."""

    def run(self) -> None:
        if self.inplace:
            remove_compiled()  # what isn't on the list any more would be found, and fail
        try:
            super().run()
        except (CCompilerError, ExecError, PlatformError) as problem:
            self.extensions = []
            go_on_without(str(problem).partition("\n")[0], self.distribution)
            leave_note(SOURCES if self.inplace else Path(self.build_lib, "warren"))

    def build_extensions(self) -> None:
        if self.compiler.compiler_type == "unix":
            for extension in self.extensions:
                ease(extension)
        compile_some = self.compiler.compile
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:

            def compile_side_by_side(sources: list[str], *arguments: object, **options: object) -> list[str]:
                one_each = pool.map(lambda source: compile_some([source], *arguments, **options), sources)
                return [name for names in one_each for name in names]

            self.compiler.compile = compile_side_by_side
            large = [each for each in self.extensions if len(each.sources) > 1]
            for extension in large:
                self.build_extension(extension)
            self.compiler.compile = compile_some
            list(pool.map(self.build_extension, [each for each in self.extensions if each not in large]))

    def copy_extensions_to_source(self) -> None:
        """A source that changes during the build is newer than what was made of it: see src/warren/forms.py."""
        super().copy_extensions_to_source()
        for file in (ROOT / "src").glob(f"*{SUFFIX}"):
            os.utime(file, (started, started))


def ease(extension: Extension) -> None:
    """Arrange what mypyc made so that a compiler like gcc has less to do, without a change to what comes of it."""
    extension.extra_compile_args = [*extension.extra_compile_args, "-w", "-fvisibility=hidden", *taken_of(LEFT_OUT)]
    if len(extension.sources) == 1:
        shim = Path(extension.sources[0])
        text = shim.read_text("utf-8").replace("#include <Python.h>\n", SHIM_HEADER)
        extension.sources = [written(shim.with_name(f"short_{shim.name}"), text)]
        return
    modules = [each for each in extension.sources if Path(each).name.startswith("__native_warren___")]
    modules.sort(key=os.path.getsize)
    batches = -(-len(modules) // CFILES_TOGETHER)
    runtime = [each for each in extension.sources if not Path(each).name.startswith("__native_warren")]
    tables = [each for each in extension.sources if each not in modules and each not in runtime]
    text = Path(GENERATED, TABLES).read_text("utf-8")
    if text.count(WITHOUT_METHODS) == 1:
        written(GENERATED / TABLES, text.replace(WITHOUT_METHODS, ".m_methods = warren_methods,"))
    # What takes longest comes first, so that no processor waits for another's at the end.
    parts = [together(f"together_{number}.c", modules[number::batches]) for number in range(batches)]
    extension.sources = [
        *parts,
        together("together_tables.c", tables, GIVE_BACK),
        together("together_runtime.c", runtime),
    ]


def together(name: str, files: list[str], before: str = "") -> str:
    """A C file that consists of these.  before: what comes first.

    What runs once, when a module is imported, is left as it is: to optimise it takes gcc a fourteenth of its time.  It
    lies apart, with the rest of what an import alone needs: among the functions that messages pass it would bring most
    of those into memory, of protocols too that nobody speaks, as files are read in pages.
    """
    texts = [Path(each).read_text("utf-8") for each in files]
    once = [found for text in texts for found in ONCE.findall(text)]
    lines = [before, "#include <stdbool.h>\n", "typedef struct _object PyObject;\n"]
    for each in once:
        attributes = ['section("warren_once")'] if sys.platform == "linux" else []  # macOS names sections otherwise
        if "____top_level__" in each:
            attributes.append('optimize("O0")')
        lines.append(f"{each} __attribute__(({', '.join(attributes)}));\n")
    lines += [f'#include "{Path(each).name}"\n' for each in files]
    return written(GENERATED / name, "".join(lines))


@cache
def taken_of(flags: tuple[str, ...]) -> tuple[str, ...]:
    """These flags if the C compiler knows them, or none: clang knows fewer than gcc."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    tried = subprocess.run([*compiler, *flags, "-fsyntax-only", "-x", "c", os.devnull], capture_output=True)
    return flags if tried.returncode == 0 else ()


def written(file: Path, text: str) -> str:
    """The name of this C file, which stays as it is if it has this text already."""
    if not file.exists() or file.read_text("utf-8") != text:
        file.write_text(text, encoding="utf-8")
    return str(file)


class Wheel(bdist_wheel):
    """Builds first, since only then it is known whether the wheel is for one platform or for all."""

    def run(self) -> None:
        self.run_command("build")
        self.skip_build = True
        self.root_is_pure = not self.distribution.has_ext_modules()
        self.plat_name_supplied = self.plat_name_supplied and not self.root_is_pure
        super().run()


def remove_compiled() -> None:
    """What an earlier build for this Python left in the tree would be imported instead of the sources."""
    for folder in [ROOT / "src", *(ROOT / name for name in ("core", "adapters", "gateway", "plugins"))]:
        for file in folder.rglob(f"*{SUFFIX}"):
            file.unlink()


def compiled() -> list[Extension]:
    """The extensions to build: none where they are not wanted, or can't be built."""
    if not building():
        return []
    if wanted == "0":
        remove_compiled()
        return []
    try:
        return extensions()
    except CannotCompile as problem:
        go_on_without(str(problem))
        return []


def building() -> bool:
    """False for what only asks about the package or packs its sources, where compiling would be minutes for nothing."""
    return not {"egg_info", "dist_info", "sdist", "--version"}.intersection(sys.argv[1:])


if __name__ == "__main__":
    setup(
        ext_modules=compiled(),
        cmdclass={"build_ext": ParallelBuild, "build_py": BuildPython, "bdist_wheel": Wheel},
    )
