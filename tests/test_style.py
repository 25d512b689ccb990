"""Style as a test: layers, types, formatting, sizes and names, each with a readable message."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("skb", "simulator", "api", "tests")
BANNED = {"utils", "helpers", "common", "misc", "base", "manager"}
MODULE_LINES = 420
# a body that is long because it is a table of options or of parts, not because it does much
LONG_BODY = 60


def modules() -> Iterator[Path]:
    """Yield every Python file of ours."""
    for folder in SOURCES:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize(
    "command",
    [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy", "--no-error-summary")],
    ids=["ruff", "format", "mypy"],
)
def test_style_tools_find_nothing(command: tuple[str, ...]) -> None:
    """ruff and strict mypy have nothing to say, tests included."""
    assert _run(*command) == ""


def test_style_layers_are_kept() -> None:
    """Each floor imports only floors below; only the named rooms know a solver, SQL, HTTP."""
    linter = str(Path(sys.executable).with_name("lint-imports"))
    done = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_style_modules_fit_a_screenful_of_screens() -> None:
    """A module is at most about 400 lines, so that one can live in it."""
    long = {
        str(path.relative_to(ROOT)): count
        for path in modules()
        if (count := len(path.read_text().splitlines())) > MODULE_LINES
    }
    assert long == {}


def test_style_functions_do_one_thing() -> None:
    """A function body rarely passes 40 lines, and never 60 without its docstring."""
    long = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body and (body[-1].end_lineno or 0) - body[0].lineno >= LONG_BODY:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert long == []


def test_style_everything_public_says_what_it_is() -> None:
    """Modules and public classes have a docstring; no module has a name that says nothing."""
    mute = []
    for path in modules():
        tree = ast.parse(path.read_text())
        if tree.body and not ast.get_docstring(tree):
            mute.append(str(path.relative_to(ROOT)))
        mute += [
            f"{path.relative_to(ROOT)}: {node.name}"
            for node in tree.body
            if isinstance(node, ast.ClassDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ]
        assert path.stem not in BANNED, path
    assert mute == []


def test_style_rules_have_headers_and_no_scripts() -> None:
    """Every rule file begins with its purpose; none has a script or includes from elsewhere."""
    for path in sorted((ROOT / "rules").rglob("*.lp")):
        text = path.read_text()
        assert text.startswith("%"), f"{path.name} does not say what it is for"
        assert "#script" not in text
        for included in re.findall(r'#include\s+"([^"]+)"', text):
            assert (path.parent / included).exists(), f"{path.name} includes {included}"


def test_style_nothing_is_left_undone() -> None:
    """No stub hides behind a name."""
    mark = re.compile("|".join(("NotImplemented" + "Error", "TO" + "DO", "FIX" + "ME")))
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in [*modules(), *sorted((ROOT / "rules").rglob("*.lp"))]
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if mark.search(line)
    ]
    assert found == []
