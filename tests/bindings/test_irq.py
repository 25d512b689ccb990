"""Bindings of interrupts, run by sh in copies of /proc and /sys: applied, refused, taken back."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from skb.bindings import Binding, bind
from skb.decision import Limits
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.interrupts import decide
from skb.relations import Fact
from tests.machines import grown

NIC = """
[[device]]
name = "eth0"
kind = "network"
at = "package:0"
[[device]]
name = "disk"
kind = "storage"
at = "package:0"
"""
# bytes that no program would write again like this
BEFORE = {30: b"0-7\n", 31: b"3\n", 32: b"0,2,4\n", 33: b"  5"}
MASKS = {"rx-0/rps_cpus": b"00\n", "tx-0/xps_cpus": b"ff", "tx-1/xps_cpus": b"0f\n\n"}


def _fact(predicate: str, *args: Any) -> Fact:
    return Fact(predicate, args, "discovered")


@pytest.fixture
def machine() -> Machine:
    """A package of four cores with a NIC whose four vectors are named."""
    rows = [_fact("interrupt", "device:eth0", irq) for irq in BEFORE]
    rows += [_fact("interrupt_name", irq, f"eth0-TxRx-{irq - 30}") for irq in BEFORE]
    rows += [_fact("interrupt_pu", irq, "pu:0") for irq in BEFORE]
    rows.append(_fact("device_queues", "device:eth0", "combined", 4))
    return grown("package:1 numa:1 core:4 pu:2", *rows, extra=NIC)


def bound(machine: Machine, to: str, **request: Any) -> Binding:
    """Decide and bind."""
    return bind(machine, decide(machine, request, Limits()).to_json(), to)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A folder with /proc/irq, /sys/kernel/irq, and the queues of eth0."""
    for irq, content in BEFORE.items():
        _file(tmp_path / f"proc/irq/{irq}/smp_affinity_list", content)
        _file(tmp_path / f"sys/kernel/irq/{irq}/actions", f"eth0-TxRx-{irq - 30}\n".encode())
    for name, content in MASKS.items():
        _file(tmp_path / "sys/class/net/eth0/queues" / name, content)
    (tmp_path / "run").mkdir()
    return tmp_path


def _file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def state(host: Path) -> dict[str, bytes]:
    """Return what every file of the copies says."""
    return {
        str(path.relative_to(host)): path.read_bytes()
        for part in ("proc", "sys", "run")
        for path in sorted((host / part).rglob("*"))
        if path.is_file()
    }


def run(host: Path, text: str, verb: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a script with the copies in place of the system's folders."""
    (host / "script.sh").write_text(text)
    environment = {
        "PATH": os.environ["PATH"],
        "PROC_ROOT": str(host / "proc"),
        "SYSFS_ROOT": str(host / "sys"),
        "STATE_DIR": str(host / "run"),
    }
    return subprocess.run(
        ["sh", str(host / "script.sh"), verb],
        capture_output=True,
        text=True,
        env={**environment, **more.pop("env", {})},
        timeout=20,
        check=False,
        **more,
    )


def test_irq_script_applies_and_restores_byte_for_byte(machine: Machine, host: Path) -> None:
    """Each vector gets its PU; undo leaves every file as it was, whatever stood there."""
    made = bound(machine, "irq")
    before = state(host)
    done = run(host, made.text, "apply")
    assert done.returncode == 0, done.stderr
    written = {irq: (host / f"proc/irq/{irq}/smp_affinity_list").read_text() for irq in BEFORE}
    assert sorted(written.values()) == ["0\n", "2\n", "4\n", "6\n"]
    done = run(host, made.text, "undo")
    assert done.returncode == 0, done.stderr
    assert state(host) == before


def test_irq_script_refuses_before_it_writes(machine: Machine, host: Path) -> None:
    """An interrupt with another name, or none, stops the script; nothing was written."""
    made = bound(machine, "irq")
    (host / "sys/kernel/irq/33/actions").write_text("nvme0q1\n")
    before = state(host)
    done = run(host, made.text, "apply")
    assert done.returncode == 1 and "is called nvme0q1, not eth0-TxRx-3" in done.stderr
    assert state(host) == before
    shutil.rmtree(host / "proc/irq/33")
    done = run(host, made.text, "apply")
    assert done.returncode == 1 and "no interrupt 33" in done.stderr


def test_irq_script_of_nameless_vectors_asks_the_device(machine: Machine, host: Path) -> None:
    """Without names an interrupt must be one of the device's function."""
    request = {"device": [{"name": "eth0", "vectors": [30, 31]}]}
    facts = [fact for fact in machine.facts if fact.predicate != "interrupt_name"]
    made = bound(Machine("nameless", facts), "irq", **request)
    assert "is none of eth0" in run(host, made.text, "apply").stderr
    for irq in (30, 31):
        _file(host / f"sys/class/net/eth0/device/msi_irqs/{irq}", b"msi\n")
    assert run(host, made.text, "apply").returncode == 0


def test_irq_script_is_applied_once(machine: Machine, host: Path) -> None:
    """A second apply would forget what was there first, so it is refused; undo needs an apply."""
    made = bound(machine, "irq")
    before = state(host)
    assert "nothing to undo" in run(host, made.text, "undo").stderr
    assert run(host, made.text, "apply").returncode == 0
    again = run(host, made.text, "apply")
    assert again.returncode == 1 and "say undo first" in again.stderr
    assert run(host, made.text, "undo").returncode == 0
    assert state(host) == before


def test_irq_script_takes_all_back_where_a_write_is_refused(machine: Machine, host: Path) -> None:
    """A vector that refuses writes ends with everything as it was, and is named."""
    made = bound(machine, "irq")
    user: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        # root may write what it may not: another user has to, in a folder that is open to it
        if os.getuid() == 0:
            user = {"user": 65534, "group": 65534, "extra_groups": []}
        host = Path(shutil.copytree(host, Path(name) / "host"))
        for path in [Path(name), host, *host.rglob("*")]:
            path.chmod(0o777)
        (host / "proc/irq/32/smp_affinity_list").chmod(0o444)
        before = state(host)
        done = run(host, made.text, "apply", **user)
        assert done.returncode == 1
        assert "irq/32/smp_affinity_list refuses to be written" in done.stderr
        assert state(host) == before


def test_irq_script_leaves_managed_vectors_alone(machine: Machine, host: Path) -> None:
    """A managed vector is not written, and the notes say so."""
    made = bound(machine, "irq", managed=[31])
    assert run(host, made.text, "apply").returncode == 0
    assert (host / "proc/irq/31/smp_affinity_list").read_bytes() == BEFORE[31]
    assert any("31" in note for note in made.notes)


def test_irq_script_quotes_names(machine: Machine, host: Path) -> None:
    """What a driver calls its interrupt is never run."""
    trap = f"x'$(touch {host}/trap)`"
    facts = [
        _fact("interrupt_name", 30, f"{trap}-rx-0") if fact.args[0] == 30 else fact
        for fact in machine.facts
        if fact.predicate == "interrupt_name"
    ]
    rest = [fact for fact in machine.facts if fact.predicate != "interrupt_name"]
    request = {"device": [{"name": "eth0", "vectors": [30]}]}
    made = bound(Machine("trap", [*rest, *facts]), "irq", **request)
    (host / "sys/kernel/irq/30/actions").write_text(f"{trap}-rx-0\n")
    assert run(host, made.text, "apply").returncode == 0
    assert not (host / "trap").exists()


def test_irq_binding_needs_numbers(machine: Machine) -> None:
    """Queues without interrupts cannot be written; the mend says what to do."""
    request = {"device": [{"name": "disk", "queues": 2}]}
    with pytest.raises(RequestError, match="no interrupt that may be written"):
        bound(machine, "irq", **request)
    with pytest.raises(RequestError, match="infeasible"):
        bound(machine, "irq", spill="refuse", exclude=[0, 1, 2, 3], limits={"fill": 1})


def test_steering_script_applies_and_restores_byte_for_byte(machine: Machine, host: Path) -> None:
    """Masks of RPS and XPS are written and put back."""
    request = {"device": [{"name": "eth0", "queues": 1}]}
    made = bound(machine, "steering", **request)
    before = state(host)
    done = run(host, made.text, "apply")
    assert done.returncode == 0, done.stderr
    queues = host / "sys/class/net/eth0/queues"
    assert (queues / "rx-0/rps_cpus").read_text() == "55\n"
    assert (queues / "tx-0/xps_cpus").read_text() == "ff\n"
    assert run(host, made.text, "undo").returncode == 0
    assert state(host) == before
    shutil.rmtree(queues / "tx-0")
    done = run(host, made.text, "apply")
    assert done.returncode == 1 and "is missing: nothing was written" in done.stderr


def test_steering_leaves_out_what_the_kernel_does_not_read(host: Path) -> None:
    """A device with one queue that sends has no XPS, and one of verbs has no queues at all."""
    one = _fact("device_queues", "device:eth0", "tx", 1)
    verbs = _fact("device_kind", "device:disk", "openfabrics")
    machine = grown("package:1 numa:1 core:4 pu:2", one, verbs, extra=NIC)
    request = {"device": [{"name": "eth0", "queues": 1}, {"name": "disk", "queues": 2}]}
    made = bound(machine, "steering", **request)
    (host / "sys/class/net/eth0/queues/tx-0/xps_cpus").unlink()
    before = state(host)
    done = run(host, made.text, "apply")
    assert done.returncode == 0, done.stderr
    assert (host / "sys/class/net/eth0/queues/rx-0/rps_cpus").read_text() == "55\n"
    assert run(host, made.text, "undo").returncode == 0
    assert state(host) == before
    with pytest.raises(RequestError, match="no network device"):
        bound(machine, "steering", device=request["device"][1:])


FAKE = """\
#!/bin/sh
echo "$*" >> "$LOG"
case $1 in
-l) printf 'Channel parameters for %s:\\nPre-set maximums:\\nCombined:\\t8\\n' "$2"
  printf 'Current hardware settings:\\nRX:\\t0\\nCombined:\\t%s\\n' "$(cat "$LOG.count")" ;;
-L) echo "$4" > "$LOG.count" ;;
-N) if [ "$3" != delete ]; then echo 'Added rule with ID 1023'; fi ;;
esac
"""


def test_ethtool_script_sets_and_restores(machine: Machine, host: Path) -> None:
    """Channels, weights and rules are set; undo restores channels and deletes the rules."""
    steer = [{"device": "eth0", "dst_port": 80, "consumer": 2}]
    request = {"device": [{"name": "eth0", "queues": 6}], "steer": steer}
    made = bound(machine, "ethtool", **request)
    (host / "ethtool").write_text(FAKE)
    (host / "ethtool").chmod(0o755)
    (host / "log.count").write_text("3\n")
    env = {"ETHTOOL": str(host / "ethtool"), "LOG": str(host / "log")}
    done = run(host, made.text, "apply", env=env)
    assert done.returncode == 0, done.stderr
    told = (host / "log").read_text().splitlines()
    assert "-L eth0 combined 4" in told or "-L eth0 combined 6" in told
    assert any(line.startswith("-X eth0 ") for line in told)
    assert any(line.startswith("-N eth0 flow-type tcp4 dst-port 80 action ") for line in told)
    done = run(host, made.text, "undo", env=env)
    assert done.returncode == 0, done.stderr
    told = (host / "log").read_text().splitlines()
    rest = told[told.index("-N eth0 delete 1023") :]
    # a device refuses fewer queues than its rules and its table name
    order = ["-N eth0 delete 1023", "-K eth0 ntuple off", "-X eth0 default", "-L eth0 combined 3"]
    assert [line for line in rest if line in order] == order
    assert (host / "log.count").read_text() == "3\n"
    assert list((host / "run").iterdir()) == []


def test_ethtool_undo_keeps_a_table_that_apply_left_alone(machine: Machine, host: Path) -> None:
    """Where loads are stated the table in force stays, and undo does not set another."""
    request = {"device": [{"name": "eth0", "queues": 2, "load": [1, 3]}]}
    made = bound(machine, "ethtool", **request)
    (host / "ethtool").write_text(FAKE)
    (host / "ethtool").chmod(0o755)
    (host / "log.count").write_text("3\n")
    env = {"ETHTOOL": str(host / "ethtool"), "LOG": str(host / "log")}
    for verb in ("apply", "undo"):
        assert run(host, made.text, verb, env=env).returncode == 0
    assert "-X" not in (host / "log").read_text()
    assert (host / "log.count").read_text() == "3\n"


def test_irqbalance_file_bans_interrupts_and_pus(machine: Machine, host: Path) -> None:
    """sh reads the file; decided interrupts are banned, and all PUs but the spare ones."""
    made = bound(machine, "irqbalance", spare=[0, 1], managed=[31])
    show = '\nprintf "%s|%s" "$IRQBALANCE_BANNED_CPULIST" "$IRQBALANCE_ARGS"\n'
    done = run(host, made.text + show, "")
    assert done.stdout == "2-7|--banirq=30 --banirq=32 --banirq=33"
    excluded = bound(machine, "irqbalance", exclude=[6, 7])
    assert "IRQBALANCE_BANNED_CPULIST=6-7\n" in excluded.text
