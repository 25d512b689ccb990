"""Matrices, memory attributes and kinds of cores as elements of hwloc XML v2."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from skb.exports.bits import hwloc_set
from skb.exports.hwloc_plan import TYPES, Plan
from skb.machine import Machine, index_of, kind_of, object_order
from skb.relations import Value

# bits of hwloc_distances_kind_e
_FROM_OS, _FROM_USER, _HETEROGENEOUS = 1, 2, 16
_MEANINGS = {"latency": 4, "bandwidth": 8, "hops": 32}
_UNKNOWN = 2**64 - 1
_ROW = 10
_ATTRIBUTES = {
    ("memory_bandwidth", "access"): ("Bandwidth", 5),
    ("memory_latency", "access"): ("Latency", 6),
    ("memory_bandwidth", "read"): ("ReadBandwidth", 5),
    ("memory_bandwidth", "write"): ("WriteBandwidth", 5),
    ("memory_latency", "read"): ("ReadLatency", 6),
    ("memory_latency", "write"): ("WriteLatency", 6),
}
_BY_OS = frozenset({"pu", "numa"})
# words of kinds in the order of their efficiency, by which hwloc ranks them
_RANKS = (("efficiency", "performance"), ("efficiency", "middle", "performance"))


# ------------------------------------------------------------------ matrices
def add_matrices(top: Any, machine: Machine, plan: Plan) -> None:
    """Add the SLIT, then the named matrices; a value that nobody stated is hwloc's unknown."""
    cells: dict[str, dict[tuple[str, str], Value]] = defaultdict(dict)
    for fact in machine.facts_of("numa_distance"):
        cells["NUMALatency"][str(fact.args[0]), str(fact.args[1])] = fact.args[2]
    if cells:
        _add_matrix(
            top,
            "NUMALatency",
            _FROM_OS | _MEANINGS["latency"],
            dict(cells.pop("NUMALatency")),
            plan,
        )
    for fact in machine.facts_of("object_distance"):
        cells[str(fact.args[0])][str(fact.args[1]), str(fact.args[2])] = fact.args[3]
    for name, rows in cells.items():
        _add_matrix(top, name, _FROM_USER | _meaning(machine, name), rows, plan)


def _meaning(machine: Machine, matrix: str) -> int:
    stated = machine.value("matrix_meaning", matrix)
    if stated == "hops" and matrix.startswith("XGMIHops"):
        # what hwloc 2 itself writes for them
        return _MEANINGS["latency"]
    return _MEANINGS.get(str(stated), 0)


def _add_matrix(
    top: Any, name: str, kind: int, cells: dict[tuple[str, str], Value], plan: Plan
) -> None:
    from lxml import etree

    parts = sorted({part for pair in cells for part in pair}, key=object_order)
    if missing := [part for part in parts if part not in plan.gp_index]:
        plan.notes.append(f"the matrix {name} is left out: {missing[0]} is no object of hwloc's")
        return
    if any(float(value) < 0 or float(value) != int(value) for value in cells.values()):
        plan.notes.append(f"the matrix {name} is left out: hwloc's values are whole and positive")
        return
    types = {TYPES[kind_of(part)] for part in parts}
    same = len(types) == 1
    by_os = same and kind_of(parts[0]) in _BY_OS
    attributes = {"type": types.pop()} if same else {}
    attributes |= {"nbobjs": str(len(parts)), "kind": str(kind | (0 if same else _HETEROGENEOUS))}
    attributes |= {"name": name}
    if same:
        attributes["indexing"] = "os" if by_os else "gp"
    element = etree.SubElement(top, "distances2" if same else "distances2hetero", attributes)
    names = [_number(part, by_os, same, plan) for part in parts]
    values = [str(int(cells.get((a, b), _UNKNOWN))) for a in parts for b in parts]
    _add_words(element, "indexes", names)
    _add_words(element, "u64values", values)


def _number(part: str, by_os: bool, same: bool, plan: Plan) -> str:
    if by_os:
        return str(index_of(part))
    number = str(plan.gp_index[part])
    return number if same else f"{TYPES[kind_of(part)]}:{number}"


def _add_words(element: Any, tag: str, words: list[str]) -> None:
    """Add words in rows of ten; `length` counts the characters, the last blank too."""
    from lxml import etree

    for at in range(0, len(words), _ROW):
        text = "".join(f"{word} " for word in words[at : at + _ROW])
        etree.SubElement(element, tag, length=str(len(text))).text = text


# ------------------------------------------------------------------ memory attributes
def add_memory_attributes(top: Any, machine: Machine, plan: Plan) -> None:
    """Add bandwidth, latency and further attributes by target and initiator."""
    from lxml import etree

    attributes: dict[tuple[str, int], list[tuple[str, str, Value]]] = defaultdict(list)
    for (predicate, access), word in _ATTRIBUTES.items():
        for fact in machine.facts_of(predicate):
            if fact.args[2] == access:
                row = (str(fact.args[1]), str(fact.args[0]), fact.args[3])
                attributes[word].append(row)
    for fact in machine.facts_of("memory_attribute"):
        name, target, initiator = (str(one) for one in fact.args[:3])
        alone = target == initiator
        row = (target, "" if alone else initiator, fact.args[3])
        attributes[name, 1 if alone else 5].append(row)
    for (name, flags), rows in attributes.items():
        element = etree.SubElement(top, "memattr", name=name, flags=str(flags))
        for target, initiator, value in rows:
            _add_value(element, target, initiator, value, plan)


def _add_value(element: Any, target: str, initiator: str, value: Value, plan: Plan) -> None:
    from lxml import etree

    if missing := [part for part in (target, initiator) if part and part not in plan.gp_index]:
        plan.notes.append(f"{element.get('name')}: {missing[0]} is no object of hwloc's; left out")
        return
    whole = round(float(value))
    if whole != float(value):
        plan.notes.append(f"{element.get('name')}: hwloc's values are whole; others were rounded")
    attributes = {
        "target_obj_type": TYPES[kind_of(target)],
        "target_obj_gp_index": str(plan.gp_index[target]),
        "value": str(whole),
    }
    if initiator and plan.outermost.get(plan.cpusets.get(initiator, 0)) == initiator:
        attributes["initiator_cpuset"] = hwloc_set(plan.cpusets[initiator])
    elif initiator:
        attributes["initiator_obj_type"] = TYPES[kind_of(initiator)]
        attributes["initiator_obj_gp_index"] = str(plan.gp_index[initiator])
    etree.SubElement(element, "memattr_value", attributes)


# ------------------------------------------------------------------ kinds of cores
def add_core_kinds(top: Any, machine: Machine, plan: Plan) -> None:
    """Add a `cpukind` for all PUs of one kind, capacity and clock.

    The word of a kind goes into CoreType where each kind has its own; the words that hwloc itself
    finds in the infos of a kind are those of the cores.
    """
    from lxml import etree

    groups: dict[tuple[str, ...], int] = defaultdict(int)
    for pu in machine.of_kind("pu"):
        if key := tuple(_facts_of_kind(machine, pu)):
            groups[tuple(word for pair in key for word in pair)] |= plan.cpusets[pu]
    _note_kinds(machine, plan)
    kinds = [dict(zip(words[::2], words[1::2], strict=True)) for words in groups]
    names = [kind.get("CoreType", "") for kind in kinds]
    unique = all(names) and len(set(names)) == len(names)
    rank = next((words for words in _RANKS if set(words) == set(names)), ())
    for words, kind in zip(groups, kinds, strict=True):
        element = etree.SubElement(top, "cpukind", cpuset=hwloc_set(groups[words]))
        efficiency = kind.pop("ForcedEfficiency", "")
        if not unique and rank and not efficiency:
            # several capacities of one word: equal ranks say which belong together
            efficiency = str(rank.index(kind["CoreType"]))
        if efficiency:
            element.set("forced_efficiency", efficiency)
        if not unique:
            kind.pop("CoreType", None)
        for name, value in kind.items():
            etree.SubElement(element, "info", name=name, value=value)
    if any(names) and not unique and not rank:
        plan.notes.append("kinds of cores with one word and several capacities are named anew")


def _facts_of_kind(machine: Machine, pu: str) -> Iterator[tuple[str, str]]:
    """Yield what hwloc says about the kind of a PU: its own facts, else those of its core."""
    around = [pu, *(name for name in machine.ancestors(pu) if kind_of(name) == "core")]
    for predicate, word in (
        ("core_kind", "CoreType"),
        ("relative_capacity", "LinuxCapacity"),
        ("clock_mhz", "FrequencyBaseMHz"),
    ):
        value = next((v for at in around if (v := machine.value(predicate, at)) is not None), None)
        if value is not None and (isinstance(value, str) or float(value).is_integer()):
            yield word, value if isinstance(value, str) else str(int(value))
    for at in around:
        forced = machine.value("info", at, "ForcedEfficiency")
        if forced is not None:
            yield "ForcedEfficiency", str(forced)
            return


def _note_kinds(machine: Machine, plan: Plan) -> None:
    """Note clocks and capacities that hwloc cannot hold: of other parts, or with fractions."""
    for predicate in ("relative_capacity", "clock_mhz"):
        facts = machine.facts_of(predicate)
        other = [fact for fact in facts if kind_of(str(fact.args[0])) not in {"core", "pu"}]
        broken = [fact for fact in facts if float(fact.args[1]) != int(fact.args[1])]
        for fact in (*other, *broken):
            plan.notes.append(f"hwloc has no words for {fact.text}, left out")
