"""The answer of `replicas` for one object: domains, coordinator, protocols, prices and reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skb.decision import Cost, Reason
from skb.machine import Machine
from skb.questions.replicas_compare import granularity
from skb.questions.replicas_messages import (
    Settled,
    consensus_prices,
    mean_update,
    sends_of,
    update_latencies,
    way_of,
)
from skb.questions.replicas_price import COMBINING, LOCK
from skb.questions.replicas_search import Priced
from skb.questions.replicas_wishes import Wanted
from skb.wording import counted, listed, spans

SHOWN = 4
ONE_REPLICA = {LOCK: "shared-lock", COMBINING: "node-replication"}
"""What keeps the updates of a single replica in order, by the simulator's names."""


@dataclass(frozen=True)
class Terms:
    """Where the time of one object goes, in ns/s."""

    reads: float
    updates: float
    messages: float


def domains_of(
    machine: Machine, wanted: Wanted, priced: Priced, settled: Settled
) -> list[dict[str, Any]]:
    """Return the sharing domains in the order of the tree."""
    at, column = priced.case.at, priced.wishes.seats.index(settled.choice.seat)
    left = dict(wanted.room) if wanted.room is not None else None
    rows = []
    for node, way, leader in zip(
        settled.choice.nodes, settled.choice.ways, settled.leaders, strict=True
    ):
        inner, pus = priced.inner[way], at.members(node)
        numa = _memory(machine, at.pus[leader], at.part(node), left)
        if left is not None and numa in left:
            left[numa] -= 1
        row = {
            "part": at.part(node),
            "also": [name for name in at.names[node] if name != at.part(node)],
            "pus": sorted(pus),
            "leader": at.pus[leader],
            "inside": way_of(priced, node, way),
            "numa_node": numa,
            "reads": float(inner.reads[node]),
            "updates": float(inner.updates[node]),
            "messages": float(priced.between.price[node, column]),
            "busy": float(inner.busy[node]),
            "read_ns": _mean_read(priced, way, node),
            "worst_read_ns": float(inner.read_ns[node]),
            "apply_ns": float(inner.update_ns[node]),
        }
        rows.append(row)
    return rows


def _memory(machine: Machine, leader: int, part: str, left: Mapping[int, int] | None) -> int | None:
    """Return the NUMA node of a replica: the nearest to its leader that has room for it."""
    near = [*machine.numa_of_pu[leader], *machine.numa_of(part), *machine.numa]
    usable = [node for node in dict.fromkeys(near) if node in machine.usable_numa]
    if left is not None:
        usable = [node for node in usable if left.get(node, 0) > 0]
    return usable[0] if usable else None


def _mean_read(priced: Priced, way: str, node: int) -> float:
    rate = float(priced.case.by_node(priced.case.reads)[node])
    return float(priced.inner[way].reads[node]) / rate if rate else 0.0


def object_answer(
    machine: Machine, wanted: Wanted, priced: Priced, settled: Settled
) -> dict[str, Any]:
    """Return the answer for one object."""
    at, choice = priced.case.at, settled.choice
    rows = domains_of(machine, wanted, priced, settled)
    rates = float(priced.case.reads.sum())
    latencies = update_latencies(priced, settled)
    return {
        "replicas": len(rows),
        "granularity": granularity(at, choice.nodes),
        "coordinator": at.pus[choice.seat],
        "between": "messages" if len(rows) > 1 else "nothing",
        "value": choice.value,
        "domains": rows,
        "read_ns": {
            "mean": sum(row["reads"] for row in rows) / rates if rates else 0.0,
            "worst": max(row["worst_read_ns"] for row in rows),
        },
        "operations": {
            stream.name: _operation(priced, settled, number, latencies[number])
            for number, stream in enumerate(priced.case.streams)
        },
        "tree": {
            "sends": sends_of(settled.tree),
            "broadcast_ns": settled.tree.broadcast_ns,
            "reduction_ns": settled.tree.reduction_ns,
            "proven": settled.tree.proven,
        },
    }


def _operation(
    priced: Priced, settled: Settled, number: int, row: Sequence[float]
) -> dict[str, Any]:
    stream, nodes = priced.case.streams[number], settled.choice.nodes
    rates = priced.case.by_node(stream.rate)
    worst = max((ns for node, ns in zip(nodes, row, strict=True) if rates[node] > 0), default=0.0)
    told: dict[str, Any] = {
        "consistency": stream.operation.consistency,
        "protocol": stream.protocol if len(nodes) > 1 else ONE_REPLICA[settled.choice.ways[0]],
        "per_s": stream.total,
        "latency_ns": {"mean": mean_update(priced, stream, nodes, row), "worst": worst},
    }
    if stream.operation.consistency == "consensus":
        told["protocols"] = consensus_prices(priced, settled)
    return told


# ---------------------------------------------------------------- price and reasons
def terms_of(answers: Sequence[Mapping[str, Any]]) -> Terms:
    """Return where the time of all objects goes."""
    rows = [row for each in answers for row in each["domains"]]
    reads, updates, messages = (
        sum(float(row[key]) for row in rows) for key in ("reads", "updates", "messages")
    )
    return Terms(reads, updates, messages)


def costs_of(answers: Mapping[str, Mapping[str, Any]]) -> tuple[Cost, ...]:
    """Return the price of each object, term by term."""
    rows = []
    for name, each in answers.items():
        own = terms_of([each])
        for term, value in (
            ("reads", own.reads),
            ("updates in the replicas", own.updates),
            ("messages", own.messages),
        ):
            rows.append(Cost(f"{name}: {term}", value, "ns/s"))
    return tuple(rows)


def reasons_of(name: str, told: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Reason:
    """Say why the object is shared as it is: what the coarser and the finer choice cost more."""
    parts = tuple(row["part"] for row in told["domains"])
    count = told["replicas"]
    text = f"{name}: {counted(count, 'replica')}"
    where = f", one per {told['granularity']}, at {listed(parts, SHOWN)}"
    text += where if count > 1 else f" for PUs {spans(_pus(told))}"
    known = [row for row in rows if row["value"] is not None and not row.get("breaks")]
    for side, word in ((-1, "fewer"), (1, "more")):
        apart = [row for row in known if (row["replicas"] - count) * side > 0]
        if apart:
            best = min(apart, key=lambda row: row["value"])
            more = best["value"] - told["value"]
            text += f"; {word}, one per {best['level']}, cost {_more(more, told['value'])}"
    return Reason(f"domains:{name}", text, (*parts[:SHOWN], f"pu:{told['coordinator']}"))


def _pus(told: Mapping[str, Any]) -> list[int]:
    return [pu for row in told["domains"] for pu in row["pus"]]


def _more(more: float, value: float) -> str:
    return f"{more:.4g} ns/s more ({more / value:.1%})" if value else f"{more:.4g} ns/s more"
