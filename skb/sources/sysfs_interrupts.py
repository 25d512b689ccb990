"""Where interrupts go and what drivers call them, from `/proc/irq` and `/sys/kernel/irq`.

Files: Linux `Documentation/core-api/irq/irq-affinity.rst`, `ABI/testing/sysfs-kernel-irq`.
"""

from __future__ import annotations

from collections.abc import Iterable

from skb.sources import bitmap
from skb.sources.hwloc_facts import Collector
from skb.sources.sysfs_cpus import Nest
from skb.sources.sysfs_tree import FileTree, read_list, read_words

# the drivers of one machine ask for a few thousand at most
_INTERRUPT_LIMIT = 16_384


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
