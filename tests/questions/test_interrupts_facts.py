"""Interrupts of discovered machines: what is read of a Linux tree decides, and is compared."""

from __future__ import annotations

from pathlib import Path

from skb.decision import Limits
from skb.knowledge import machine_of
from skb.machine import Machine
from skb.questions.interrupts import QUESTION
from skb.questions.interrupts_queues import queue_named
from skb.relations import Fact
from skb.sources import sysfs
from tests.machines import grown
from tests.sources.linux import LINK, describe, machine, node, pci

CARD = "pci0000:00/0000:00:02.0"
BASE = f"sys/devices/{CARD}"


def tree(names: dict[int, tuple[str, str]]) -> dict[str, str]:
    """Return a Linux tree of 8 PUs on two nodes with a NIC near the first; names and PUs by irq."""
    files = machine(8) | node(0, "0-3", 1, "10 20") | node(1, "4-7", 1, "20 10")
    files |= pci(CARD, "0x020000")
    files |= {f"{BASE}/local_cpulist": "0-3", f"{BASE}/numa_node": "0"}
    for irq, (name, pus) in names.items():
        files[f"{BASE}/msi_irqs/{irq}"] = "msix"
        files[f"proc/irq/{irq}/effective_affinity_list"] = pus
        files[f"sys/kernel/irq/{irq}/actions"] = name
    for at in range(2):
        files[f"{BASE}/net/eth0/queues/rx-{at}/rps_cpus"] = "f0"
        files[f"{BASE}/net/eth0/queues/tx-{at}/xps_cpus"] = "00"
    files["sys/class/net/eth0"] = f"{LINK}../../devices/{CARD}/net/eth0"
    return files


def found(files: dict[str, str]) -> Machine:
    """Return the machine of a tree."""
    return machine_of(describe(files), "found")


NAMES = {30: ("eth0", "0"), 31: ("eth0-TxRx-0", "6"), 32: ("eth0-TxRx-1", "1")}


def test_interrupts_of_a_discovered_nic_are_decided_without_a_request() -> None:
    """Queues, vectors, affinity and masks come from the files; what is right stays."""
    host = found(tree(NAMES))
    decision = QUESTION.decide(host, {}, Limits())
    assert QUESTION.check(host, decision) == []
    rows = decision.answer["queues"]
    assert [(row["irq"], row["was"]) for row in rows] == [(31, [6]), (32, [1])]
    assert rows[1]["pu"] == 1 and rows[0]["pu"] in {0, 2, 3}
    assert [row["irq"] for row in decision.answer["moves"]] == [31]
    changed = {(row["mask"], row["queue"], row["from"]) for row in decision.answer["changes"]}
    assert ("rps", 0, "4-7") in changed and ("xps", 1, "") in changed


def test_interrupts_whose_names_tell_no_queue_are_counted() -> None:
    """As many vectors as queues are theirs, which is said; a shared name tells its queue."""
    host = found(tree({30: ("eth0-mbx", "0"), 31: ("eth0-0", "6"), 32: ("eth0-1", "1")}))
    decision = QUESTION.decide(host, {}, Limits())
    assert [(row["irq"], row["queue"]) for row in decision.answer["queues"]] == [(31, 0), (32, 1)]
    assert any("in order" in one.fact for one in decision.assumed)
    assert queue_named("nvme0q0, nvme0q1") == (0, "combined")


def test_interrupts_that_debugfs_calls_managed_stay() -> None:
    """What the kernel says of its own vectors is a fact, and the vector is not moved."""
    files = tree(NAMES)
    files["sys/kernel/debug/irq/irqs/31"] = "dstate: 0x37408200\n  IRQD_AFFINITY_MANAGED\n"
    decision = QUESTION.decide(found(files), {}, Limits())
    assert [row["irq"] for row in decision.answer["managed"]] == [31]
    assert decision.answer["queues"][0]["pu"] == 6


def test_interrupts_that_go_nowhere_are_left_out() -> None:
    """A managed vector whose PUs are all off has no PU; the others are decided, and it is said."""
    files = tree(NAMES)
    files["sys/kernel/debug/irq/irqs/31"] = "IRQD_AFFINITY_MANAGED\n"
    files["proc/irq/31/effective_affinity_list"] = ""
    decision = QUESTION.decide(found(files), {}, Limits())
    assert [row["irq"] for row in decision.answer["queues"]] == [32]
    assert any("31" in text and "left out" in text for text in decision.warnings)


def test_interrupts_that_nobody_may_write_are_managed(tmp_path: Path) -> None:
    """On a live system the mode of the file tells, where other files may be written."""
    names = {30: ("nvme0q0", "0"), 31: ("nvme0q1", "4")}
    for path, text in tree(names).items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith(LINK):
            file.symlink_to(text.removeprefix(LINK))
        else:
            file.write_text(text)
    for irq in names:
        (tmp_path / f"proc/irq/{irq}/smp_affinity_list").write_text("0-7\n")
    (tmp_path / "proc/irq/default_smp_affinity").write_text("ff\n")
    sealed = tmp_path / "proc/irq/31/smp_affinity_list"
    sealed.chmod(0o444)
    facts = sysfs.discover(tmp_path).facts
    assert [fact.args for fact in facts if fact.predicate == "interrupt_managed"] == [(31,)]
    (tmp_path / "proc/irq/default_smp_affinity").chmod(0o444)
    again = sysfs.discover(tmp_path).facts
    assert not [fact for fact in again if fact.predicate == "interrupt_managed"]


def test_apic_ids_of_cpuinfo_are_facts() -> None:
    """Linux says the APIC ID of each PU of an x86; multicast groups then assume nothing."""
    files = tree(NAMES)
    rows = [f"processor\t: {pu}\napicid\t\t: {pu * 4}\n" for pu in range(8)]
    files["proc/cpuinfo"] = "\n".join(rows)
    host = found(files)
    asked = {"ipi_groups": [list(range(8))]}
    decision = QUESTION.decide(host, asked, Limits())
    assert QUESTION.check(host, decision) == []
    clusters = decision.answer["ipi_groups"][0]["clusters"]
    assert [cluster["pus"] for cluster in clusters] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert not any("APIC" in one.fact for one in decision.assumed)


def test_interrupts_do_not_crowd_on_the_luckiest_pair() -> None:
    """Measured latencies differ by noise: queues are spread over the whole of the nearest cache."""
    pairs = [(a, b, 100.0 + 0.1 * ((a * 7 + b * 3) % 5)) for a in (0, 1) for b in range(2, 6)]
    noise = [Fact("latency", (f"pu:{a}", f"pu:{b}", value), "measured") for a, b, value in pairs]
    extra = '[[device]]\nname = "eth0"\nkind = "network"\nat = "package:0"\n'
    host = grown("package:3 numa:1 l3:1 core:2 pu:1", *noise, extra=extra)
    asked = {"device": [{"name": "eth0", "queues": 2}], "exclude": ["package:0"]}
    decision = QUESTION.decide(host, asked, Limits())
    assert QUESTION.check(host, decision) == []
    pus = [row["pu"] for row in decision.answer["queues"]]
    assert pus in ([2, 3], [4, 5]) and decision.answer["max_load"] == 1


def test_interrupts_of_disks_with_one_controller_are_decided_once() -> None:
    """Two namespaces share the vectors of their controller; the second one is told, not doubled."""
    extra = ""
    facts = [Fact("interrupt", ("pci:0000:01:00.0", irq), "discovered") for irq in (50, 51, 52)]
    for name in ("nvme0n1", "nvme0n2"):
        extra += f'[[device]]\nname = "{name}"\nkind = "storage"\nat = "package:0"\n'
        extra += 'pci = "0000:01:00.0"\n'
        args = (f"device:{name}", "combined", 2)
        facts.append(Fact("device_queues", args, "discovered"))
    host = grown("package:1 numa:1 core:4 pu:1", *facts, extra=extra)
    decision = QUESTION.decide(host, {}, Limits())
    assert QUESTION.check(host, decision) == []
    assert [row["irq"] for row in decision.answer["queues"]] == [51, 52]
    assert any("nvme0n2 has the interrupts of" in text for text in decision.warnings)
