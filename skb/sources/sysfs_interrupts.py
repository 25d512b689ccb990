"""Where interrupts go and what drivers call them, which PUs serve queues, and APIC IDs.

Files: Linux `Documentation/core-api/irq/irq-affinity.rst`, `ABI/testing/sysfs-kernel-irq`,
`ABI/testing/sysfs-class-net-queues`, `networking/scaling.rst`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from skb.sources import bitmap
from skb.sources.hwloc_facts import Collector
from skb.sources.sysfs_cpus import Nest
from skb.sources.sysfs_tree import FileTree, numbered, read_list, read_words

# the drivers of one machine ask for a few thousand at most
_INTERRUPT_LIMIT = 16_384
_QUEUE_LIMIT = 4096


def state_interrupts(tree: FileTree, numbers: Iterable[int], nest: Nest, out: Collector) -> None:
    """State the PUs that get each interrupt, and its name; PUs that are no objects are left out.

    The kernel may deliver to fewer PUs than the affinity allows, and says to which; only where it
    does not, the affinity itself is taken, and not where it is every PU.
    """
    for irq in list(numbers)[:_INTERRUPT_LIMIT]:
        base = f"proc/irq/{irq}"
        pus = read_list(tree, f"{base}/effective_affinity_list")
        if not pus:
            pus = read_list(tree, f"{base}/smp_affinity_list")
            if pus is None:
                pus = read_words(tree, f"{base}/smp_affinity")
            pus = 0 if pus is None or nest.root.cpuset & ~pus == 0 else pus
        for number in bitmap.members(pus & nest.root.cpuset):
            out.say("interrupt_pu", irq, f"pu:{number}")
        if name := tree.read(f"sys/kernel/irq/{irq}/actions"):
            out.say("interrupt_name", irq, name[:200])
        if _managed(tree, irq):
            out.say("interrupt_managed", irq)


def _managed(tree: FileTree, irq: int) -> bool:
    """Tell whether the kernel places an interrupt itself.

    Where it does, nobody may write the affinity (`register_irq_proc` in `kernel/irq/proc.c`); in a
    copy in which nobody may write anything, that tells nothing. debugfs says it in words.
    """
    if "IRQD_AFFINITY_MANAGED" in (tree.read(f"sys/kernel/debug/irq/irqs/{irq}") or ""):
        return True
    sealed = tree.sealed(f"proc/irq/{irq}/smp_affinity_list")
    return sealed and not tree.sealed("proc/irq/default_smp_affinity")


def state_queues(tree: FileTree, device: str, path: str, out: Collector) -> None:
    """State the PUs that receive for each queue of a network device, and those that send by it."""
    for side, word in (("rx", "rps"), ("tx", "xps")):
        for queue in numbered(tree, f"{path}/queues", f"{side}-")[:_QUEUE_LIMIT]:
            pus = read_words(tree, f"{path}/queues/{side}-{queue}/{word}_cpus")
            if pus is not None and pus >= 0:
                out.say("queue_pus", device, word, queue, bitmap.to_list(pus))


def state_apic_ids(cpuinfo: Mapping[int, Mapping[str, str]], nest: Nest, out: Collector) -> None:
    """State the APIC ID of every PU, as `/proc/cpuinfo` of an x86 has it."""
    for number in bitmap.members(nest.root.cpuset):
        text = cpuinfo.get(number, {}).get("apicid", "")
        if text.isascii() and text.isdigit() and len(text) < 11:
            out.say("apic_id", f"pu:{number}", int(text))
