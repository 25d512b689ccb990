"""When a simulation takes the compiled engine, and when that is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simulator import engines
from simulator.errors import SimulatorError
from simulator.scenario import run
from skb.engines import compiling_simulator
from skb.engines.compiling_simulator import compile_now, folder_for
from skb.errors import SkbError
from tests.simulator.worlds import scenario

LONG = scenario("reduction", operations=100_000)


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give the module an empty folder, and a process that has nothing at hand."""
    pytest.importorskip("llvmlite", reason="llvmlite is not installed")
    monkeypatch.setattr(compiling_simulator, "folder", lambda: str(tmp_path))
    monkeypatch.setattr(engines, "_players", {})
    return tmp_path


def kept(folder: Path) -> list[str]:
    """Return the names of what a folder has compiled."""
    return sorted(path.name.split("_")[0].split(".")[0] for path in folder.glob("*.code"))


def test_short_run_neither_compiles_nor_loads(empty: Path) -> None:
    """It is over before that."""
    assert folder_for(replace(LONG, operations=10)) == ""
    assert folder_for(replace(LONG, engine="plain")) == ""
    assert kept(empty) == []


def test_run_of_a_second_takes_what_is_there_and_does_not_compile(empty: Path) -> None:
    """It stays with the plain engine until something has been compiled for another one."""
    case = replace(LONG, operations=engines.WORTH // len(LONG.tree.members) + 1)
    assert run(case, None, folder_for(case)).engine == "plain"
    assert kept(empty) == []
    compile_now(["reduction"])
    assert kept(empty) == ["Reduction", "kernel"]
    assert run(case, None, folder_for(case)).engine == "compiled"


def test_very_long_run_waits_for_the_compiler(empty: Path) -> None:
    """That takes a second, the run on the plain engine many."""
    assert folder_for(LONG) == str(empty)
    assert kept(empty) == ["Reduction", "kernel"]


def test_damaged_code_is_made_anew(empty: Path) -> None:
    """Nothing is loaded that is not what was kept."""
    compile_now(["reduction"])
    for path in empty.glob("Reduction*.code"):
        good = path.read_bytes()
        path.write_bytes(good[:-9] + b"damaged..")
        from simulator.compiled import _loaded  # what a fresh process does

        calls: list[str] = []

        def unit(calls: list[str] = calls) -> object:
            calls.append("made")
            raise SimulatorError("made anew")

        name = path.name.split(".")[0]
        with pytest.raises(SimulatorError, match="made anew"):
            _loaded(name, "dispatch", str(empty), unit)
        path.write_bytes(good)
        assert _loaded(name, "dispatch", str(empty), unit) > 0
        assert calls == ["made"]


def test_nothing_is_compiled_that_cannot_be_kept(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run takes the plain engine; to warm it is a clear error."""
    monkeypatch.setattr(compiling_simulator, "folder", lambda: "")
    assert folder_for(LONG) == ""
    assert kept(empty) == []
    with pytest.raises(SkbError, match="plain engine"):
        compile_now()
