"""The tests of pages can fail: a walk notices what doesn't happen as the page has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.walk import PageError, Part, steps
from tests.docs.walker import matches, walk


def page(directory: Path, text: str) -> Path:
    path = directory / "page.md"
    path.write_text(text)
    return path


def test_lines_are_compared() -> None:
    assert matches(["a  b", "2026-01-02 03:04:05.678 [info] x"], ["a b", "2026-03-01 08:15:00 [info] x"])
    assert matches(["a", "b", "c"], ["...", "c"])
    assert matches(["a", "port 5672 is open"], ["a", "port ... is open"])
    assert not matches(["a", "b"], ["a"])
    assert not matches(["a"], ["a", "b"])
    assert not matches(["a+b"], ["a.b"])


def test_commands_and_what_they_print(tmp_path: Path) -> None:
    (step,) = steps(page(tmp_path, "```console\n$ a \\\n    b\n1\n2\n$ c\n^C\n3\n```\n"))
    assert step.parts == (Part("a b", ("1", "2")), Part("c", ()), Part("^C", ("3",)))


def test_frames_that_are_typed(tmp_path: Path) -> None:
    typed = "$ telnet x\nhi\nCONNECT\n\nCONNECTED\nSEND\na:b\n\nx\n\ny\n.\nQUIT\nBye\n"
    (step,) = steps(page(tmp_path, f"<!-- terminal: t, stomp -->\n```console\n{typed}```\n"))
    assert step.parts == (
        Part("telnet x", ("hi",)),
        Part("CONNECT\n", ("CONNECTED",)),
        Part("SEND\na:b\n\nx\n\ny\n.", ()),
        Part("QUIT", ("Bye",)),
    )


@pytest.mark.parametrize(
    "text",
    [
        "```python\nx = 1\n```\n",
        "<!-- not run: -->\n```python\nx = 1\n```\n",
        "<!-- file: a.py -->\n```python\nx = 1\n```\n",
        "<!-- something: else -->\n```console\n$ true\n```\n",
    ],
)
def test_a_block_that_nobody_runs(tmp_path: Path, text: str) -> None:
    with pytest.raises(PageError):
        steps(page(tmp_path, text))


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ echo 1\n2\n```\n",
        "```console\n$ echo 1\n```\n",
        "```console\n$ false\n```\n",
        "<!-- fails -->\n```console\n$ true\n```\n",
        "<!-- terminal: t, goes on -->\n```console\n$ echo 1\n2\n```\n",
        "<!-- terminal: t -->\n```console\n1\n```\n",
        "<!-- terminal: t, goes on -->\n```console\n$ cat\n```\n\n<!-- terminal: t -->\n```console\n$ true\n```\n",
    ],
)
def test_what_a_page_says_wrongly(tmp_path: Path, text: str) -> None:
    with walk(page(tmp_path, text), tmp_path) as walked, pytest.raises(AssertionError, match=r"page.md, line \d+"):
        walked.run()


def test_a_page_that_is_right(tmp_path: Path) -> None:
    text = """Save `a.txt`:

<!-- file: a.txt -->
```text
port 5672
```

```console
$ cat a.txt
port 5672
$ echo $HOME
/home/you
```

<!-- terminal: other, goes on -->
```console
$ cat a.txt -
port 5672
```

<!-- terminal: other -->
```console
^C
```

<!-- types: secret -->
```console
$ read -p "Password: "; echo; echo $REPLY
Password:
secret
```

<!-- not run: it would take years -->
```console
$ sleep 99999999
```
"""
    with walk(page(tmp_path, text), tmp_path) as walked:
        walked.run()
        assert (walked.home / "a.txt").read_text() == f"port {walked.ports[5672]}\n"
