"""Judge of what stands around the queues: steering masks, RSS weights, interrupt multicast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from skb.decision import Decision
from skb.machine import Machine

CLUSTER = 16
# drivers have tables of 128 entries at the least, and ethtool refuses weights of a larger sum
TABLE = 128
Row = Mapping[str, Any]


def masks(machine: Machine, decision: Decision) -> list[str]:
    """Return what is wrong with steering and multicast of a decision."""
    wrong = []
    answer = decision.answer
    width = max(machine.pus, default=0) + 1
    usable = {pu for pu in machine.pus if not machine.unusable(f"pu:{pu}")}
    for name, row in answer["steering"].items():
        queues = [one for one in answer["queues"] if one["device"] == name]
        for kind, side in (("rps", "tx"), ("xps", "rx")):
            written = row.get(kind)
            if written is None:
                continue
            numbers = {str(one["queue"]) for one in queues if one["way"] != side}
            if set(written) != numbers:
                wrong.append(f"{kind} of {name} is not that of its queues")
                continue
            sets = {number: decoded(text, width) for number, text in written.items()}
            if any(found is None for found in sets.values()):
                wrong.append(f"a mask of {name} is not as Linux writes it: {written}")
                continue
            every = Counter(pu for found in sets.values() for pu in found or ())
            if any(count > 1 for count in every.values()):
                wrong.append(f"{kind} of {name} gives a PU to two queues")
            if kind == "xps" and set(every) != usable:
                wrong.append(f"xps of {name} leaves out PUs, or has some that cannot be used")
            if kind == "rps" and set(every) - usable:
                wrong.append(f"rps of {name} has PUs that cannot be used")
        if "rss" in row:
            wrong += _weights(name, row["rss"], queues)
    return wrong + _groups(machine, decision, usable)


def decoded(text: str, width: int) -> set[int] | None:
    """Return the PUs of a mask of so many bits, None where it is not written as Linux does."""
    words = text.split(",")
    if len(words) != -(-width // 32) or any(len(word) != 8 for word in words[1:]):
        return None
    if len(words[0]) != -(-(width - 32 * (len(words) - 1)) // 4):
        return None
    bits = int("".join(words), 16)
    return {at for at in range(bits.bit_length()) if bits >> at & 1}


def _weights(name: str, rss: Row, queues: list[Row]) -> list[str]:
    """Each PU gets the same share of packets, as far as a table of 128 entries can tell."""
    receiving = sorted((one for one in queues if one["way"] != "tx"), key=lambda one: one["queue"])
    if rss["queues"] != len({one["queue"] for one in receiving}):
        return [f"rss of {name} has {rss['queues']} queues"]
    if rss["equal"] or rss["keep"]:
        return []
    if len(rss["weights"]) != len(receiving):
        return [f"rss of {name} has {len(rss['weights'])} weights"]
    if min(rss["weights"]) < 1 or sum(rss["weights"]) > max(TABLE, len(receiving)):
        return [f"rss of {name} has weights that a table does not hold"]
    share: Counter[int] = Counter()
    for one, weight in zip(receiving, rss["weights"], strict=True):
        share[one["pu"]] += weight
    spread = max(share.values()) - min(share.values())
    most = max(Counter(one["pu"] for one in receiving).values())
    return [f"rss of {name} gives PUs uneven shares"] if spread > most else []


def _groups(machine: Machine, decision: Decision, usable: set[int]) -> list[str]:
    """Every usable PU of a group is in one cluster of sixteen, with a bit of its own."""
    wrong = []
    groups = decision.answer["ipi_groups"]
    if len(groups) != len(decision.request.get("ipi_groups", [])):
        wrong.append("the groups of the request are not answered")
    for group in groups:
        inside = [pu for cluster in group["clusters"] for pu in cluster["pus"]]
        if sorted(inside) != group["pus"] or not set(inside) <= usable:
            wrong.append(f"clusters hold {sorted(inside)}, not {group['pus']}")
        if group["writes"] != len(group["clusters"]):
            wrong.append(f"{len(group['clusters'])} clusters take {group['writes']} writes")
        for cluster in group["clusters"]:
            bits = int(cluster["mask"], 16)
            if bits.bit_count() != len(cluster["pus"]) or bits >> CLUSTER:
                wrong.append(f"the mask {cluster['mask']} is not that of {cluster['pus']}")
            for pu in cluster["pus"]:
                stated = machine.value("apic_id", f"pu:{pu}")
                if isinstance(stated, int) and stated // CLUSTER != cluster["cluster"]:
                    wrong.append(f"pu:{pu} is in cluster {stated // CLUSTER}")
    return wrong
