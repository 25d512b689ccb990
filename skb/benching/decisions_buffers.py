"""The series of `skb bench decisions` about buffers: random flows, priced by hops of a grid.

Each series stands twice: as the bare choice that the engine sees, timed warm, and as a machine with
a request, decided and judged as a user's would be. Of the bare choice an independent bound or value
comes from CP-SAT where it is installed.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from typing import Any

from skb.benching.routing_rows import Check, Row, Timed, row_of, timed
from skb.checkers.buffers import check
from skb.decision import Decision, Limits, Objective, Status
from skb.engines.buffers_choice import choice
from skb.engines.buffers_solve import quick, solve
from skb.machine import Machine
from skb.questions.buffers import decide
from skb.sources import read

UNIT = "cost"
NEAR, MANY_S, PROVEN_S = 5e-4, 0.05, 0.2
# flows, nodes
PROVEN, MANY = (64, 8), (2048, 16)
PROVEN_SEEDS, RUNS = 3, 9
# hidden in a machine: share of the rings' bytes and of the rates that the nodes give
ROOM, RATE = 1.3, 1.3
_RATES, _RINGS = (1, 2, 4, 8, 16), (1, 2, 4, 8)
Options = list[list[tuple[int, dict[int, int]]]]


def hops(nodes: int, first: int, second: int) -> int:
    """Return the hops between two nodes of a grid four wide."""
    wide = min(4, nodes)
    return abs(first // wide - second // wide) + abs(first % wide - second % wide)


def bare(flows: int, nodes: int, seed: int) -> tuple[Options, list[int]]:
    """Return options (price, uses) of each flow and the limits: all memories, caches at NICs."""
    draw = random.Random(seed + flows)
    ports = (0, nodes - 1)
    options: Options = []
    rates, rings = 0, 0
    for _ in range(flows):
        port, core = draw.choice(ports), draw.randrange(nodes)
        rate, ring = draw.choice(_RATES), draw.choice(_RINGS)
        rates, rings = rates + rate, rings + ring
        row = []
        for node in range(nodes):
            way = _far(nodes, port, node) + 2 * _far(nodes, node, core)
            row.append((rate * (80 + way) // 10, {node: 2 * rate}))
            if node == port:
                row.append((rate * (20 + way) // 10, {nodes + node: ring}))
        options.append(row)
    memory = int(1.3 * 2 * rates * 0.8 / nodes) + 16
    cache = [int(rings * 0.3 / len(ports)) if node in ports else 0 for node in range(nodes)]
    return options, [memory] * nodes + cache


def _far(nodes: int, first: int, second: int) -> int:
    return 0 if first == second else 60 + 50 * hops(nodes, first, second)


def machine(nodes: int) -> Machine:
    """Return a grid of packages with one node each, a NIC at its first and last."""
    wide = min(4, nodes)
    tree = f"package:{nodes} numa:1 core:4 pu:1"
    lines = [f'[machine]\nname = "grid-{nodes}"\n[structure]\ntree = "{tree}"']
    for node in range(nodes):
        right, below = node + 1, node + wide
        for other in [right] * (right % wide != 0) + [below]:
            if other < nodes:
                lines.append(
                    f'[[link]]\nfrom = "package:{node}"\nto = "package:{other}"\nkind = "x"'
                )
    for number, node in enumerate((0, nodes - 1)):
        lines.append(f'[[device]]\nname = "eth{number}"\nkind = "network"\nat = "package:{node}"')
    text = "\n".join(lines).encode()
    return Machine(f"grid-{nodes}", read(text, "grid.toml").facts)


def request(flows: int, nodes: int, seed: int) -> dict[str, Any]:
    """Return random flows on `machine(nodes)` that contend for memory, bandwidth and cache."""
    draw = random.Random(seed + flows)
    rows: list[dict[str, Any]] = [
        {
            "name": f"f{number}",
            "device": f"eth{draw.randrange(2)}",
            "consumer": draw.randrange(4 * nodes),
            "touched": draw.choice((0, 0.05, 0.25, 0.5, 1)),
            "forward": draw.random() < 0.5,
            "packet_bytes": draw.choice((64, 256, 1500)),
            "packets_per_s": 1000 * draw.choice(_RATES),
            "ring_bytes": 65536 * draw.choice(_RINGS),
        }
        for number in range(flows)
    ]
    rings = sum(row["ring_bytes"] for row in rows)
    rate = sum(row["packets_per_s"] * row["packet_bytes"] for row in rows)
    limits: list[dict[str, Any]] = [
        {
            "object": f"numa:{node}",
            "bytes": int(ROOM * rings / nodes),
            "mib_s": round(2 * RATE * rate / nodes / 2**20, 3),
        }
        for node in range(nodes)
    ]
    for node in (0, nodes - 1):
        limits[node]["cache_bytes"] = int(0.3 * rings / nodes)
    return {"flow": rows, "capacity": limits}


# ------------------------------------------------------------ rows
def rows(limit: float) -> Iterator[Row]:
    """Yield the rows; `limit` is what a decision may take in seconds."""
    for seed in range(PROVEN_SEEDS):
        yield _engine(*PROVEN, seed, limit, PROVEN_S)
    yield _engine(*MANY, 0, limit, MANY_S)
    yield _asked(*PROVEN, limit)
    yield _asked(*MANY, limit)


def _engine(flows: int, nodes: int, seed: int, limit: float, within: float) -> Row:
    """Decide a bare choice; the best of some warm runs counts, other work only adds time."""
    options, limits = bare(flows, nodes, seed)
    proof = (flows, nodes) == PROVEN
    problem = choice([[[row]] for row in options], limits)
    runs = []
    for _ in range(RUNS):
        begin, spent = time.perf_counter(), time.process_time()
        found = solve(problem, time.monotonic() + limit) if proof else quick(problem)
        runs.append((time.perf_counter() - begin, time.process_time() - spent, found))
    took, cpu, solved = min(runs, key=lambda run: run[0])
    status = Status.OPTIMAL if solved.proven else Status.FEASIBLE
    decision = Decision(
        question="buffers",
        machine=f"grid-{nodes}",
        revision=0,
        status=status if solved.value is not None else Status.UNKNOWN,
        objective=Objective("cost", solved.value, UNIT),
        bound=float(solved.bound),
        answer={},
        costs=(),
        reasons=(),
        assumed=(),
        provenance={},
        request={},
        warnings=(),
    )
    checks = [_good(decision, proof=proof), _within(took, within)]
    title = f"engine, {flows} flows on {nodes} nodes, seed {seed}"
    faults = _faults(options, limits, solved.picked, solved.value)
    beside = ""
    if proof and (other := _independent(options, limits, limit)) is not None:
        value, least = other
        beside = f"CP-SAT {value:,g}{' (optimal)' if value == least else ''}"
        faults += _differs(solved.value, solved.bound, value, least)
    return row_of(
        "buffers", title, UNIT, Timed(decision, took, cpu), checks, beside=beside, faults=faults
    )


def _good(found: Decision, *, proof: bool) -> Check:
    if proof:
        return "proven", "" if found.status is Status.OPTIMAL else "not proven"
    near = found.gap is not None and found.gap <= NEAR
    return f"gap <= {NEAR:.2%}", "" if near else f"the gap is {found.gap}"


def _within(took: float, within: float) -> Check:
    return f"in {within:g} s", "" if took <= within else f"took {took:.3f} s"


def _faults(
    options: Options, limits: list[int], picked: list[int] | None, value: int | None
) -> list[str]:
    """Add up prices and uses of a bare answer once more."""
    if picked is None:
        return ["no answer"]
    used: dict[int, int] = {}
    total, first = 0, 0
    for row, option in zip(options, picked, strict=True):
        if not first <= option < first + len(row):
            return ["an option belongs to another flow"]
        price, uses = row[option - first]
        total += price
        for resource, amount in uses.items():
            used[resource] = used.get(resource, 0) + amount
        first += len(row)
    wrong = [f"resource {r} is exceeded" for r, amount in used.items() if amount > limits[r]]
    return wrong + ([] if total == value else [f"the price is {total}, not {value}"])


def _differs(value: float | None, bound: float, theirs: float, least: float) -> list[str]:
    """Compare value and bound with those of another program: no value is below a bound."""
    wrong = []
    if theirs < bound:
        wrong.append(f"CP-SAT finds {theirs:,g}, below the bound {bound:,g}")
    if value is not None and value < least:
        wrong.append(f"the value {value:,g} is below CP-SAT's bound {least:,g}")
    return wrong


def _independent(options: Options, limits: list[int], seconds: float) -> tuple[float, float] | None:
    """Return value and bound of CP-SAT, None where it is not installed or finds nothing."""
    try:
        from ortools.sat.python import cp_model
    except ImportError:
        return None
    model = cp_model.CpModel()
    uses: dict[int, list[Any]] = {}
    cost = []
    for row in options:
        picks = [model.new_bool_var("") for _ in row]
        model.add_exactly_one(picks)
        for pick, (price, amounts) in zip(picks, row, strict=True):
            cost.append(price * pick)
            for resource, amount in amounts.items():
                uses.setdefault(resource, []).append(amount * pick)
    for resource, terms in uses.items():
        model.add(sum(terms) <= limits[resource])
    model.minimize(sum(cost))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = 1
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    # prices are whole numbers
    return solver.objective_value, math.ceil(solver.best_objective_bound - 1e-6)


def _asked(flows: int, nodes: int, limit: float) -> Row:
    """Decide a request on a machine, and judge it."""
    host, asked = machine(nodes), request(flows, nodes, 0)
    best = timed(lambda: decide(host, asked, Limits(seconds=limit)))
    found = best.found
    checks = [_good(found, proof=False)]
    title = f"{flows} flows on {nodes} nodes"
    return row_of("buffers", title, found.objective.unit, best, checks, faults=check(host, found))
