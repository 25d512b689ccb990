"""Who waits for an answer never compiles: a process of its own does, and ends with its owner."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from math import inf
from pathlib import Path

import pytest

from skb.engines import compiling
from skb.engines.compiling import PLAIN, fastest

SMALL = """
import sys
from skb.decision import Limits
from skb.questions.placement import decide
from tests.questions.placement_machines import machine
tasks = [{"name": f"t{i}"} for i in range(6)]
talk = [{"from": f"t{i}", "to": "t0", "messages_per_s": i} for i in range(1, 6)]
decide(machine(2, 4, 1), {"task": tasks, "traffic": talk}, Limits())
print("numba" in sys.modules)
"""
LARGE = """
from math import inf
from skb.engines import compiling
print(compiling.fastest(inf).name, compiling._loaded.child.pid, compiling.fastest(inf).name)
"""


def run(code: str, cache: Path) -> str:
    own = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    own.pop("NUMBA_CACHE_DIR", None)
    call = [sys.executable, "-c", code]
    return subprocess.run(call, capture_output=True, text=True, check=True, env=own).stdout.strip()


def test_small_requests_do_not_load_numba(tmp_path: Path) -> None:
    """Half a second of import is more than such an answer takes."""
    assert run(SMALL, tmp_path) == "False"


def test_a_first_large_request_searches_in_python_while_another_process_compiles(
    tmp_path: Path,
) -> None:
    """The answer does not wait, a second one is found alike, and no process is left behind."""
    pytest.importorskip("numba", reason="numba is not installed")
    first, pid, second = run(LARGE, tmp_path).split()
    assert (first, second) == ("plain", "plain")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_a_short_limit_is_not_spent_on_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    """With less time than loading takes, the plain arm runs."""
    monkeypatch.setattr(compiling, "_loaded", compiling._Loaded())
    assert fastest(time.monotonic() + 0.1) is PLAIN
    assert compiling._loaded.child is None


def test_numba_that_does_not_load_leaves_the_plain_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken or unsupported numba costs speed, not answers, and is tried once."""

    def broken() -> compiling.Arm:
        raise SystemError("initialization of _internal failed")

    monkeypatch.setattr(compiling, "_loaded", compiling._Loaded())
    monkeypatch.setattr(compiling, "_marked", lambda: True)
    monkeypatch.setattr(compiling, "_compiled", broken)
    assert fastest(inf) is PLAIN
    monkeypatch.setattr(compiling, "_compiled", lambda: 1 / 0)
    assert fastest(inf) is PLAIN


def test_another_process_compiles_what_this_one_has_not_what_lies_around(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A module in the folder where the user is does not run, and skb is found from anywhere."""
    began: list[tuple[list[str], dict[str, str]]] = []

    def begin(command: list[str], *, env: dict[str, str], **_rest: object) -> None:
        began.append((command, env))
        raise OSError("not in a test")

    monkeypatch.setattr(compiling, "_loaded", compiling._Loaded())
    monkeypatch.setattr(compiling, "usable", lambda: True)
    monkeypatch.setattr(compiling, "_folder", lambda: str(tmp_path))
    monkeypatch.setattr(subprocess, "Popen", begin)
    assert fastest(inf) is PLAIN
    [(command, env)] = began
    (tmp_path / "hashlib.py").write_text("raise SystemExit(9)")
    monkeypatch.undo()
    code = [*command[:-2], "-c", "import hashlib, skb; print(skb.__path__[0])"]
    done = subprocess.run(code, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert Path(done.stdout.strip()) == Path(compiling.__file__).parent.parent


def test_caches_of_other_kernels_are_apart_wherever_they_are(tmp_path: Path) -> None:
    """Also in a folder that the user names: numba itself would take what it knows by one file."""
    code = "from skb.engines import compiling as c; print(c._folder()); print(c._digest())"
    own = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    call = [sys.executable, "-c", code]
    done = subprocess.run(call, capture_output=True, text=True, check=True, env=own)
    folder, digest = done.stdout.split()
    assert Path(folder) == tmp_path / f"search-{digest}"
