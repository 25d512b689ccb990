"""Bindings that are run on this host, and their effect read back; skipped where a tool is missing.

The host's own state is left as it was: drop-ins are written to a folder of the test, and a cpuset
is made only where cgroup v2 has the controller, and taken back.
"""

from __future__ import annotations

import ctypes.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from skb.bindings import bind
from tests.bindings.placements import HOSTILE, seated
from tests.questions.placement_machines import machine

SMALL = machine(2, 2, 2)
PU = max(os.sched_getaffinity(0))
SHOW = "import json, os; print(json.dumps(sorted(os.sched_getaffinity(0))))"


def tool(name: str) -> str:
    """Return the path of a program, or skip."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(
    *command: str, check: bool = True, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command with more environment variables; return what it printed."""
    environment = {**os.environ, **(env or {})}
    return subprocess.run(
        command, capture_output=True, text=True, check=check, env=environment, timeout=20
    )


def here(tmp_path: Path, target: str, *names: str, **more: object) -> str:
    """Write the script of a target for tasks that all sit on one PU of this host."""
    decision = seated({name: ([PU], 0) for name in names}, **more)
    path = tmp_path / f"{target}.sh"
    path.write_text(bind(machine(1, PU + 1, 1), decision, target).text)
    return str(path)


def test_taskset_line_starts_on_the_pu(tmp_path: Path) -> None:
    """The line, with a real command, runs on that PU alone; the other one moves a process."""
    tool("taskset")
    path = Path(here(tmp_path, "taskset", "rx"))
    start, move = [line for line in path.read_text().splitlines() if line[:1] == "t"]
    show = f"{sys.executable} -c '{SHOW}'"
    assert json.loads(run("sh", "-c", start.replace("COMMAND", show)).stdout) == [PU]
    sleeper = subprocess.Popen(["sleep", "20"])
    try:
        run("sh", "-c", move.replace("PID", str(sleeper.pid)))
        assert os.sched_getaffinity(sleeper.pid) == {PU}
    finally:
        sleeper.kill()
        sleeper.wait()


def test_numactl_line_starts_on_the_pu_and_node(tmp_path: Path) -> None:
    """numactl takes the line and reports the policy."""
    tool("numactl")
    text = Path(here(tmp_path, "numactl", "rx", rx={"memory_mib": 1})).read_text()
    line = next(line for line in text.splitlines() if line.startswith("numactl"))
    shown = run("sh", "-c", line.replace("-- COMMAND", "-- numactl --show")).stdout
    assert "policy: bind" in shown and f"physcpubind: {PU}" in shown


def test_env_script_sets_the_variables_of_any_name(tmp_path: Path) -> None:
    """The script knows each task by its exact name, hostile ones too, and runs nothing else."""
    path = here(tmp_path, "env", "rx", *HOSTILE)
    for name in ("rx", *HOSTILE):
        shown = run("sh", path, name, "sh", "-c", 'echo "$OMP_PLACES $OMP_PROC_BIND"').stdout
        assert shown == f"{{{PU}}} close\n"
    refused = run("sh", path, "ry", "true", check=False)
    assert refused.returncode == 2 and "no task" in refused.stderr
    assert run("sh", path, "rx", "printf", "%s|", "a b", "*").stdout == "a b|*|"


def test_env_is_read_by_openmp(tmp_path: Path) -> None:
    """libgomp parses the places and the policy as they are meant."""
    if ctypes.util.find_library("gomp") is None:
        pytest.skip("libgomp is not installed")
    load = "import ctypes; ctypes.CDLL('libgomp.so.1')"
    path = here(tmp_path, "env", "rx")
    shown = run(
        "sh", path, "rx", sys.executable, "-c", load, env={"OMP_DISPLAY_ENV": "TRUE"}
    ).stderr
    assert f"OMP_PLACES = '{{{PU}}}'" in shown and "OMP_PROC_BIND = 'CLOSE'" in shown
    assert "Invalid" not in shown


def test_systemd_script_writes_drop_ins_and_takes_them_back(tmp_path: Path) -> None:
    """apply makes what systemd accepts without a warning; undo leaves nothing of ours."""
    path, units = here(tmp_path, "systemd", "rx", *HOSTILE), tmp_path / "units"
    units.mkdir()
    (units / "skb-rx.service").write_text("[Service]\nExecStart=/bin/true\n")
    others = units / "skb-rx.service.d" / "10-other.conf"
    others.parent.mkdir()
    others.write_text("[Service]\nCPUAffinity=0\n")
    run("sh", path, "apply", env={"SYSTEMD_UNITS": str(units)})
    drop_ins = sorted(units.glob("*.d/50-skb-placement.conf"))
    assert len(drop_ins) == 1 + len(HOSTILE)
    assert all(f"CPUAffinity={PU}\n" in one.read_text() for one in drop_ins)
    if shutil.which("systemd-analyze"):
        seen = run(
            "systemd-analyze",
            "verify",
            "--recursive-errors=no",
            str(units / "skb-rx.service"),
            check=False,
            env={"SYSTEMD_UNIT_PATH": f"{units}:"},
        )
        assert "50-skb-placement" not in seen.stderr and "Unknown" not in seen.stderr
    run("sh", path, "undo", env={"SYSTEMD_UNITS": str(units)})
    assert not list(units.rglob("50-skb-placement.conf"))
    assert others.exists() and len(list(units.glob("*.d"))) == 1


def test_systemd_run_line_starts_on_the_pu(tmp_path: Path) -> None:
    """Where a manager runs, the transient unit has the affinity."""
    tool("systemd-run")
    if not Path("/run/systemd/system").is_dir() or os.geteuid() != 0:
        pytest.skip("no systemd manager that this test may use")
    text = Path(here(tmp_path, "systemd", "rx")).read_text()
    line = next(line[4:] for line in text.splitlines() if line.startswith("#   systemd-run -p"))
    command = line.replace("systemd-run", "systemd-run --wait --pipe --collect", 1)
    shown = run("sh", "-c", command.replace("COMMAND", f"{sys.executable} -c '{SHOW}'")).stdout
    assert json.loads(shown) == [PU]


def _cgroup_tree(tmp_path: Path, controllers: str) -> dict[str, str]:
    """Make a folder with the files of a cgroup v2 root; return the variables that point at it.

    A real `rmdir` removes a group with its files, a folder's does not: that program is replaced.
    """
    root, programs = tmp_path / "cgroup", tmp_path / "bin"
    root.mkdir()
    programs.mkdir()
    for name, text in (("controllers", controllers), ("subtree_control", "cpu"), ("procs", "")):
        (root / f"cgroup.{name}").write_text(f"{text}\n" if text else "")
    rmdir = programs / "rmdir"
    rmdir.write_text('#!/bin/sh\nexec rm -r "$@"\n')
    rmdir.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    return {"CGROUP_ROOT": str(root), "STATE_DIR": str(tmp_path), "PATH": path}


def test_cpuset_script_writes_what_the_kernel_reads(tmp_path: Path) -> None:
    """apply, run and undo over a folder that stands for the cgroup tree."""
    tree = _cgroup_tree(tmp_path, "cpu cpuset memory")
    root = Path(tree["CGROUP_ROOT"])
    decision = seated(
        {"rx; true": ([5, 1], 0), "tx": ([2], 1)},
        **{"rx; true": {"memory_mib": 1, "exclusive": True}},
    )
    script = tmp_path / "cpuset.sh"
    script.write_text(bind(SMALL, decision, "cpuset").text)
    run("sh", str(script), "apply", env=tree)
    rx, tx = sorted(root.glob("skb-01234567-*"))
    assert (rx / "cpuset.cpus").read_text() == "1,5\n"
    assert (rx / "cpuset.mems").read_text() == "0\n"
    assert (rx / "cpuset.cpus.partition").read_text() == "root\n"
    assert (tx / "cpuset.cpus").read_text() == "2\n" and not (tx / "cpuset.mems").exists()
    assert (root / "cgroup.subtree_control").read_text() == "+cpuset\n"
    shown = run("sh", str(script), "run", "rx; true", "sh", "-c", "echo $$", env=tree).stdout
    assert (rx / "cgroup.procs").read_text() == shown
    run("sh", str(script), "move", "tx", "4242", env=tree)
    assert (tx / "cgroup.procs").read_text() == "4242\n"
    assert run("sh", str(script), "move", "true", "1", check=False, env=tree).returncode == 1
    for group in (rx, tx):  # a real root takes the process from its group
        (group / "cgroup.procs").write_text("")
    run("sh", str(script), "undo", env=tree)
    assert not list(root.glob("skb-*"))
    assert (root / "cgroup.subtree_control").read_text() == "-cpuset\n"


def test_cpuset_script_refuses_a_tree_without_the_controller(tmp_path: Path) -> None:
    """Nothing is made where the controller is missing; the message says what to do."""
    tree = _cgroup_tree(tmp_path, "cpu memory")
    refused = run("sh", here(tmp_path, "cpuset", "rx"), check=False, env=tree)
    assert refused.returncode == 1 and "no cpuset controller" in refused.stderr
    assert not list(Path(tree["CGROUP_ROOT"]).glob("skb-*"))


def test_cpuset_holds_a_process_on_this_host(tmp_path: Path) -> None:
    """With root and cgroup v2: a process in the group runs on its PU; undo removes the group."""
    controllers = Path("/sys/fs/cgroup/cgroup.controllers")
    if not controllers.exists() or "cpuset" not in controllers.read_text().split():
        pytest.skip("cgroup v2 has no cpuset controller here")
    if os.geteuid() != 0 or not os.access(controllers.parent / "cgroup.procs", os.W_OK):
        pytest.skip("the cgroup tree cannot be written")
    path = here(tmp_path, "cpuset", "rx; true")
    try:
        run("sh", path, "apply", env={"STATE_DIR": str(tmp_path)})
        shown = run("sh", path, "run", "rx; true", sys.executable, "-c", SHOW).stdout
        assert json.loads(shown) == [PU]
    finally:
        run("sh", path, "undo", env={"STATE_DIR": str(tmp_path)})
    assert not list(controllers.parent.glob("skb-01234567-*"))
