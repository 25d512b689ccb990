"""`skb warm` compiles ahead, keeps what it made, and says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.protocols import PROTOCOLS
from tests.cli.test_main import run


def test_warm_compiles_once_and_says_where_it_keeps_that(tmp_path: Path) -> None:
    """A fresh cache gets the search kernel; afterwards a search loads it instead of compiling."""
    pytest.importorskip("numba", reason="numba is not installed")
    own = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    own.pop("NUMBA_CACHE_DIR", None)
    own["NUMBA_OPT"] = "0"  # quick to compile
    code = (
        "from skb.engines import compiling as c, route_arms; import math;"
        "route_arms.compile_routes = lambda: None;"  # they take five times as long, and are alike
        "print(c.fastest(math.inf).name if c._marked() else 'no mark');"
        "c.compile_now(); print(c.fastest(math.inf).name);"
        "print(c._compiled().anneal.stats.cache_hits)"
    )

    def words() -> list[str]:
        call = [sys.executable, "-c", code]
        return subprocess.run(
            call, capture_output=True, text=True, check=True, env=own
        ).stdout.split("\n")

    assert words()[:3] == ["no mark", "compiled", "Counter()"]
    assert list(tmp_path.rglob("*.nbc"))
    again = words()
    assert again[:2] == ["compiled", "compiled"]
    assert again[2] != "Counter()"


def test_warm_says_how_long_each_part_took(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row for each set of kernels, with seconds, and the folder."""
    pytest.importorskip("numba", reason="numba is not installed")
    few = {"reduction": PROTOCOLS["reduction"]}
    monkeypatch.setattr("simulator.protocols.PROTOCOLS", few)
    code, out, err = run(capsys, "warm", "--json")
    assert code == 0, err
    rows = json.loads(out)
    assert [row["kernels"] for row in rows] == ["search", "measurements", "simulator"]
    assert all(row["seconds"] >= 0 for row in rows)
    assert run(capsys, "warm")[1].startswith("search")


def test_warm_without_numba_says_what_is_lost(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search goes on in plain Python; to warm it is a clear error."""
    monkeypatch.setattr("skb.engines.compiling._version", lambda: "")
    code, out, err = run(capsys, "warm")
    assert (code, out) == (2, "")
    assert "pip install numba" in err and "slower, not wrong" in err


def test_warm_works_where_no_cache_can_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only home loses the cache, not the command."""
    pytest.importorskip("numba", reason="numba is not installed")
    monkeypatch.setattr("skb.engines.compiling._folder", lambda: "")
    monkeypatch.setattr("skb.engines.compiling_simulator.folder", lambda: "")
    code, out, err = run(capsys, "warm")
    assert code == 0, err
    assert "nothing compiled can be kept" in out
    assert "no cache folder can be written" in out
