"""Which physical addresses host bridges forward, and what else lies there, from `/proc/iomem`.

Lines are `begin-end : who`, indented by two for what lies inside. Who may not read addresses sees
zeros. I/O ports are left out: nothing there says which of them old devices take.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from skb.arguments import INTEGER_LIMIT
from skb.sources.hwloc_facts import Collector
from skb.sources.sysfs_tree import FileTree

_LINE = re.compile(r"( *)([0-9a-f]{4,16})-([0-9a-f]{4,16}) : (.{1,200})")
_BUS = re.compile(r"PCI Bus ([0-9a-f]{4,8}:[0-9a-f]{2})")
_FUNCTION = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_REFUSED = re.compile(r"[\x00-\x1f\x7f]")
MOST_LINES = 20_000


def state_windows(tree: FileTree, hosts: Mapping[str, str], out: Collector) -> None:
    """State the windows of host bridges, by domain and bus, and what is taken inside them."""
    inside = False
    hidden = False
    begun: set[int] = set()
    for line in (tree.read("proc/iomem") or "").splitlines()[:MOST_LINES]:
        found = _LINE.fullmatch(line)
        if not found:
            continue
        depth, who = len(found[1]) // 2, found[4]
        low, high = int(found[2], 16), int(found[3], 16)
        if low == high == 0:
            hidden = True
            continue
        if high < low or high >= INTEGER_LIMIT:
            continue
        bus = _BUS.fullmatch(who)
        if depth == 0:
            host = hosts.get(bus[1]) if bus else None
            inside = host is not None
            if host is not None and low not in begun:
                begun.add(low)
                out.say("pci_window", host, "memory", low, high - low + 1)
        elif depth == 1 and inside and not bus and not _FUNCTION.fullmatch(who):
            what = _REFUSED.sub("", who)
            out.say("reserved_range", "machine:0", low, high - low + 1, what)
    if hidden and hosts:
        out.notes.append(
            "/proc/iomem hides its addresses from who is not root: windows of host bridges are"
            " not known"
        )
