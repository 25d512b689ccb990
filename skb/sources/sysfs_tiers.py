"""Tiers of memory: as Linux ranks them, else told apart by kind and by the firmware's figures.

Where Linux has one tier or none, the rule is that of hwloc's `memattrs.c`: nodes of another kind,
or more than a tenth apart in local bandwidth or latency, are another tier; a tier of more than
twice the bandwidth of the ordinary memory is HBM.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key

from skb.sources.hwloc_facts import Collector
from skb.sources.sysfs_tree import FileTree, numbered, read_list

_TIERS = "sys/devices/virtual/memory_tiering"
_APART = 1.1
_HBM_BY = 2
# the order of hwloc's kinds; ordinary memory comes first
_ORDER = ("", "hbm", "dram", "gpu", "special", "pmem", "cxl")


@dataclass(frozen=True, slots=True)
class NodeFigures:
    """What tells a node's tier: bandwidth (MiB/s) and latency (ns) from its PUs; 0 is unknown."""

    number: int
    kind: str
    bandwidth: float = 0
    latency: float = 0


@dataclass(slots=True)
class _Tier:
    kind: str
    nodes: list[NodeFigures]

    @property
    def bandwidth(self) -> float:
        return self.nodes[0].bandwidth + self.nodes[-1].bandwidth if self.known else 0

    @property
    def known(self) -> bool:
        return self.nodes[0].bandwidth > 0


def state_tiers(tree: FileTree, nodes: Sequence[NodeFigures], out: Collector) -> None:
    """State the tier of each node where there are several, 0 being the fastest, and its kind."""
    folders = numbered(tree, _TIERS, "memory_tier")
    sets = [read_list(tree, f"{_TIERS}/memory_tier{number}/nodelist") or 0 for number in folders]
    ranked = [one for one in sets if one]
    guessed = _tiers(nodes)
    kinds = _kinds(guessed)
    for node in nodes:
        if kind := kinds.get(node.number):
            out.claim("memory_kind", f"numa:{node.number}", kind)
        elif node.kind:
            out.say("memory_kind", f"numa:{node.number}", node.kind)
    if len(ranked) > 1:
        for node in nodes:
            found = (tier for tier, members in enumerate(ranked) if members >> node.number & 1)
            if (tier := next(found, None)) is not None:
                out.say("memory_tier", f"numa:{node.number}", tier)
    elif len(guessed) > 1:
        out.notes.append(
            f"Linux ranks no tiers of memory: tiers{', DRAM and HBM' if kinds else ''} "
            "are derived from kinds of memory and the firmware's bandwidths and latencies"
        )
        for tier, members in enumerate(guessed):
            for node in members.nodes:
                out.claim("memory_tier", f"numa:{node.number}", tier)


def _tiers(nodes: Sequence[NodeFigures]) -> list[_Tier]:
    """Group nodes by kind, bandwidth and latency; the tier of most bandwidth comes first."""
    tiers: list[_Tier] = []
    for node in sorted(nodes, key=lambda one: (_ORDER.index(one.kind), -one.bandwidth)):
        last = tiers[-1] if tiers else None
        if last is None or node.kind != last.kind or _apart(node, last.nodes[-1]):
            tiers.append(_Tier(node.kind, [node]))
        else:
            last.nodes.append(node)

    def order(a: _Tier, b: _Tier) -> int:
        if a.known and b.known and a.bandwidth != b.bandwidth:
            return 1 if a.bandwidth < b.bandwidth else -1
        return _ORDER.index(a.kind) - _ORDER.index(b.kind)

    return sorted(tiers, key=cmp_to_key(order))


def _apart(a: NodeFigures, b: NodeFigures) -> bool:
    pairs = ((a.bandwidth, b.bandwidth), (a.latency, b.latency))
    return any(x and y and max(x, y) > _APART * min(x, y) for x, y in pairs)


def _kinds(tiers: Sequence[_Tier]) -> Mapping[int, str]:
    """Tell DRAM from HBM, where there are two candidates and one is more than twice as fast."""
    ordinary = [tier for tier in tiers if not tier.kind]
    special = [tier for tier in tiers if tier.kind == "special"]
    if (len(ordinary), len(special)) not in {(2, 0), (1, 1)}:
        return {}
    slow, fast = sorted((*ordinary, *special), key=lambda tier: tier.nodes[0].bandwidth)
    # the nodes of a tier fall in bandwidth
    if not slow.known or fast.nodes[0].bandwidth <= _HBM_BY * slow.nodes[-1].bandwidth:
        return {}
    return {
        node.number: kind for kind, tier in (("dram", slow), ("hbm", fast)) for node in tier.nodes
    }
