"""Each target's syntax, which task gets which device, and what is refused."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from lxml import etree

from skb.bindings import TARGETS, bind
from skb.bindings.writing import label, slug
from skb.errors import RequestError
from tests.bindings.placements import HOSTILE, asked, seated, with_devices
from tests.machines import bundled
from tests.questions.placement_machines import machine

SMT = machine(2, 2, 2)
# home PU 5 first; the memory of `rx` is asked for, that of `tx` is only the nearest
DECISION = seated({"rx": ([5, 1], 0), "tx": ([2], 1)}, rx={"pus": 2, "memory_mib": 512})


def lines(target: str, decision: dict[str, Any] = DECISION) -> list[str]:
    """Return the lines that are no comments."""
    text = bind(SMT, decision, target).text
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_taskset_starts_and_moves() -> None:
    """A task has a line that starts it and one that moves all threads of a process."""
    assert lines("taskset") == [
        "taskset -c 1,5 COMMAND",
        "taskset -a -cp 1,5 PID",
        "taskset -c 2 COMMAND",
        "taskset -a -cp 2 PID",
    ]
    assert bind(SMT, DECISION, "taskset").undo == "taskset -a -cp 0-7 PID"


def test_numactl_binds_memory_that_was_asked_for_and_prefers_the_rest() -> None:
    """Only a task that asked for memory may fail for want of it."""
    assert lines("numactl") == [
        "numactl --physcpubind=1,5 --membind=0 -- COMMAND",
        "numactl --physcpubind=2 --preferred=1 -- COMMAND",
    ]
    bare = seated({"rx": ([1], None)})
    assert lines("numactl", bare) == ["numactl --physcpubind=1 -- COMMAND"]


def test_rankfile_is_physical_and_in_the_order_of_the_request() -> None:
    """Ranks count from 0 as the tasks stand in the request; slots are OS indexes of PUs."""
    assert lines("rankfile") == ["rank 0=localhost slot=1,5", "rank 1=localhost slot=2"]
    text = bind(SMT, DECISION, "rankfile").text
    assert "mpirun -np 2 --mca rmaps_rank_file_physical 1 --rankfile FILE COMMAND" in text
    many = asked(bundled("ex235a"), task=[{"name": "rank", "per": "gpu"}])
    shuffled = {**many, "answer": {"tasks": dict(sorted(many["answer"]["tasks"].items())[::-1])}}
    found = bind(bundled("ex235a"), shuffled, "rankfile").text
    slots = re.findall(r"^rank \d=localhost slot=(\d+)$", found, re.MULTILINE)
    assert [int(slot) // 8 for slot in slots] == [6, 7, 2, 3, 0, 1, 4, 5]


def test_slurm_masks_are_hexadecimal_over_os_indexes() -> None:
    """Bit n of a mask is PU n; memory is preferred where not every task asked for it."""
    [line] = lines("slurm")
    words = shlex.split(line)
    assert words[:2] == ["srun", "--ntasks=2"] and words[-1] == "COMMAND"
    assert f"--cpu-bind=mask_cpu:{hex(2**1 + 2**5)},{hex(2**2)}" in words
    assert "--mem-bind=prefer,map_mem:0,1" in words and "--overcommit" not in words
    all_ask = seated({"a": ([0], 0), "b": ([0], 1)}, a={"memory_mib": 1}, b={"memory_kind": "dram"})
    assert "--mem-bind=map_mem:0,1 --overcommit" in lines("slurm", all_ask)[0]
    text = bind(SMT, DECISION, "slurm").text
    head = text[: text.index("srun")].splitlines()
    assert {"#SBATCH --nodes=1", "#SBATCH --exclusive", "#SBATCH --ntasks=2"} <= set(head)


def test_systemd_drop_ins_reset_what_other_files_set() -> None:
    """Lists of several drop-ins are merged, so each is emptied first; memory binds if asked for."""
    text = bind(SMT, DECISION, "systemd").text
    for settings in (
        "CPUAffinity=\nCPUAffinity=1,5\nNUMAPolicy=bind\nNUMAMask=\nNUMAMask=0\n"
        "AllowedCPUs=\nAllowedCPUs=1,5\nAllowedMemoryNodes=\nAllowedMemoryNodes=0\n",
        "CPUAffinity=\nCPUAffinity=2\nNUMAPolicy=preferred\nNUMAMask=\nNUMAMask=1\n"
        "AllowedCPUs=\nAllowedCPUs=2\n",
    ):
        assert f"<<'END'\n[Service]\n{settings}END\n" in text
    assert "systemd-run -p CPUAffinity=2 -p NUMAPolicy=preferred -p NUMAMask=1 COMMAND" in text
    assert "systemd-run --scope -p AllowedCPUs=1,5 -p AllowedMemoryNodes=0 COMMAND" in text


def test_systemd_takes_a_unit_by_its_name() -> None:
    """A task called like a service is that service; others cannot hit one by chance."""
    named = seated({"nginx@1.service": ([0], 0), "sshd": ([1], 0), "../x.service": ([2], 0)})
    found = set(re.findall(r"drop_in (\S+) <<", bind(SMT, named, "systemd").text))
    assert found == {
        "nginx@1.service",
        "skb-sshd.service",
        f"skb-{slug('../x.service')}.service",
    }


def test_kubelet_reserves_what_the_placement_leaves() -> None:
    """Pods get the placement's PUs because all others are reserved; the rest is said plainly."""
    made = bind(SMT, DECISION, "kubelet")
    assert 'reservedSystemCPUs: "0,3-4,6-7"' in made.text
    assert "cpuManagerPolicy: static" in made.text and "full-pcpus-only" not in made.text
    assert made.tasks == {
        "rx": ('cpu: "2"', "memory: 512Mi"),
        "tx": ('cpu: "1"', "memory: MEMORY"),
    }
    assert any("no pod can be told which PU" in note for note in made.notes)
    whole = seated({"rx": ([0, 4], 0)})
    assert 'full-pcpus-only: "true"' in bind(SMT, whole, "kubelet").text
    across = seated({"rx": ([0, 2], 0)})
    assert "topologyManagerPolicy: best-effort" in bind(SMT, across, "kubelet").text
    half = seated({"rx": ([0, 4], 0)}, rx={"load": 0.5})
    assert bind(SMT, half, "kubelet").tasks["rx"][0] == 'cpu: "999m"'


def test_kubelet_refuses_a_placement_that_leaves_it_no_pu() -> None:
    """The static policy needs a PU for the kubelet itself."""
    with pytest.raises(RequestError, match="takes every PU"):
        bind(SMT, seated({"all": (list(range(8)), 0)}), "kubelet")


def test_libvirt_pins_each_vcpu() -> None:
    """vCPU 0 is on the home PU; memory is strict where it was asked for."""
    top = etree.fromstring(bind(SMT, DECISION, "libvirt").text)
    rx, tx = top.findall("domain")
    pins = [(pin.get("vcpu"), pin.get("cpuset")) for pin in rx.findall("cputune/vcpupin")]
    assert pins == [("0", "5"), ("1", "1")]
    assert rx.findtext("vcpu") == "2" and rx.find("vcpu").get("cpuset") == "1,5"
    memories = [dict(one.find("numatune/memory").attrib) for one in (rx, tx)]
    assert memories == [
        {"mode": "strict", "nodeset": "0"},
        {"mode": "preferred", "nodeset": "1"},
    ]
    alone = etree.fromstring(bind(SMT, seated({"rx": ([0], None)}), "libvirt").text)
    assert alone.tag == "domain" and alone.find("numatune") is None


def test_env_gives_threads_and_devices() -> None:
    """Threads are in the order of the answer; GPUs count by PCI address among their maker's."""
    node = with_devices()
    decision = seated(
        {
            "a": ([5, 1], 0),
            "b": ([2], 1),
            "c": ([0], 0),
            "d": ([3], 1),
            "e": ([4], 0),
            "f": ([4], 0),
        },
        a={"at": "gpu0"},
        b={"at": ["device:gpu1"]},
        c={"at": "gpu2"},
        d={"at": "ib0"},
        e={"at": ["eth0", "ib0"]},
        f={"at": "pci:0000:c1:00.0"},
    )
    found = bind(node, decision, "env").tasks
    assert found["a"] == (
        "OMP_NUM_THREADS=2",
        "OMP_PLACES={5},{1}",
        "OMP_PROC_BIND=close",
        "GOMP_CPU_AFFINITY=5 1",
        "KMP_AFFINITY=granularity=fine,explicit,proclist=[5,1]",
        "CUDA_DEVICE_ORDER=PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES=1",
    )
    assert found["f"][5:] == found["a"][5:], "a PCI function stands for its device"
    assert found["b"][-1] == "CUDA_VISIBLE_DEVICES=0"
    assert found["c"][5:] == ("ROCR_VISIBLE_DEVICES=0",)
    assert found["d"][5:] == (
        "NCCL_IB_HCA==mlx5_0",
        "NCCL_SOCKET_IFNAME==ib0",
        "UCX_NET_DEVICES=mlx5_0:1",
    )
    assert len(found["e"]) == 5, "several devices under at are alternatives"


def test_env_gives_each_rank_its_gpu() -> None:
    """`per` assigns the devices in the order of their names."""
    node = bundled("ex235a")
    made = bind(node, asked(node, task=[{"name": "rank", "per": "gpu"}]), "env")
    assert [made.tasks[f"rank{n}"][-1] for n in range(8)] == [
        f"ROCR_VISIBLE_DEVICES={n}" for n in range(8)
    ]
    assert any("PCI address" in note for note in made.notes)


@pytest.mark.parametrize("target", TARGETS)
def test_binding_says_what_it_does_and_needs(target: str) -> None:
    """Every target has both sentences, tells every task, and is plain JSON."""
    made = bind(SMT, DECISION, target)
    assert made.does.endswith(".") and made.needs and set(made.tasks) == {"rx", "tx"}
    assert "0123456" in made.text and made.to_json()["target"] == target
    if target in {"systemd", "cpuset"}:
        assert made.undo == "sh FILE undo"


@pytest.mark.parametrize("target", TARGETS)
def test_binding_keeps_hostile_names_apart_from_commands(target: str) -> None:
    """No name ends a comment or reaches a command; each keeps a stable name of its own."""
    decision = seated({name: ([0], 0) for name in HOSTILE})
    made = bind(SMT, decision, target)
    assert made == bind(SMT, decision, target)
    if target in {"env", "cpuset"}:
        return  # these take the names as arguments; the scripts are run in test_running
    code = [line for line in made.text.splitlines() if line and line[0] != "#"]
    if target == "libvirt":
        titles = [one.text for one in etree.fromstring(made.text).iter("title")]
        assert "-->]]><x>&" in titles and "two lines" in titles
        return
    assert not [line for line in code if "rm -rf ~" in line or "`id`" in line or ".." in line]
    allowed = r"[A-Za-z0-9 _.,:;=/\-<>'\"\[\]{}$()*?|&!+]*"
    assert all(re.fullmatch(allowed, line) for line in code)


def test_names_are_stable_and_distinct() -> None:
    """Plain names stay; others get a digest, so that two never meet in one file."""
    assert slug("rx-1.a") == "rx-1.a" and label("rx-1") == "rx-1"
    for function, form in (
        (slug, r"[A-Za-z0-9_][\w.-]{0,79}"),
        (label, r"[a-z0-9][a-z0-9-]{0,59}"),
    ):
        found = [function(name) for name in HOSTILE]
        assert len(set(found)) == len(HOSTILE) and found == [function(n) for n in HOSTILE]
        assert all(re.fullmatch(form, name, re.ASCII) for name in found)


def test_binding_refuses_two_tasks_of_one_name_in_files() -> None:
    """A name that was made to meet another's slug is refused, not overwritten."""
    decision = seated({"a b": ([0], 0), slug("a b"): ([1], 0)})
    with pytest.raises(RequestError, match="two tasks"):
        bind(SMT, decision, "cpuset")


@pytest.mark.parametrize(
    ("change", "target", "message"),
    [
        ({}, "irq", "cannot bind to 'irq'"),
        ({}, "numctl", "cannot bind"),
        ({"question": "route"}, "taskset", "answers route"),
        ({"status": "infeasible", "answer": {}}, "taskset", "is infeasible"),
    ],
)
def test_binding_refuses_what_cannot_be_bound(
    change: dict[str, Any], target: str, message: str
) -> None:
    """Unknown targets, other questions and decisions without an answer get one clear error."""
    with pytest.raises(RequestError) as refused:
        bind(SMT, {**DECISION, **change}, target)
    assert message in refused.value.message and refused.value.mend


def test_binding_refuses_a_name_that_no_command_can_take() -> None:
    """A NUL cannot be passed to any program."""
    with pytest.raises(RequestError, match="no command can take"):
        bind(SMT, seated({"a\0b": ([0], 0)}), "taskset")
