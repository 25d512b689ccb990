"""Scotch's static mapping (`gmap`): the traffic as source graph, the groups of sites as weighted
target with a decomposition by distance.

Formats: SCOTCH user's guide, "Graph files" and "Target files" (decomposition-defined, `deco 0`).
Mappings are made until the time is over, from other random seeds with the strategies for quality
and for balance; the cheapest counts.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy

from skb.benching.settling import settled
from skb.benching.sites import Integers, Sites

PROGRAMS = ("scotch_gmap", "gmap")
# default, enforce balance, and a little more room
OPTIONS = (("-cq", "-b0.01"), ("-cb",), ("-cqb", "-b0.01"), ("-cq", "-b0.1"), ("-cs", "-b0.05"))
LARGEST = 1 << 30  # Scotch's weights are 32 bits wide


def program() -> str | None:
    """Return the path of the mapper, None where it is not installed."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


def mapped(sites: Sites, seconds: float, seed: int) -> tuple[list[int], str]:
    """Return the best of many mappings, and how many there were."""
    path = program()
    assert path is not None
    end = time.perf_counter() + seconds
    best: list[int] | None = None
    price = runs = moved = 0
    with tempfile.TemporaryDirectory(prefix="skb-bench-") as folder:
        at = Path(folder)
        (at / "source.grf").write_text(source_graph(sites))
        targets = ["groups", "sites"]
        (at / "groups.tgt").write_text(target(sites, sites.group))
        (at / "sites.tgt").write_text(target(sites, numpy.arange(len(sites.sites))))
        while best is None or time.perf_counter() < end:
            kind = targets[runs % 2]
            options = OPTIONS[runs // 2 % len(OPTIONS)]
            # the first round with Scotch's own fixed seed
            again = ("-Cr",) if runs >= 2 * len(OPTIONS) else ()
            left = max(1.0, end - time.perf_counter())
            parts = _run([path, *options, *again], at, kind, len(sites.tasks), left)
            runs += 1
            if parts is None:
                continue
            groups = parts if kind == "groups" else [int(sites.group[site]) for site in parts]
            places, odd = settled(sites, groups)
            value = sites.price(places)
            if best is None or value < price:
                best, price, moved = places, value, odd
    return best, f"{runs} runs" + f", {moved} tasks moved to fit" * bool(moved)


def _run(command: list[str], at: Path, kind: str, tasks: int, seconds: float) -> list[int] | None:
    files = [str(at / "source.grf"), str(at / f"{kind}.tgt"), str(at / "out.map")]
    try:
        done = subprocess.run(
            [*command, *files], capture_output=True, timeout=seconds, check=False, cwd=at
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        raise OSError(f"{command[0]} failed: {done.stderr.decode(errors='replace').strip()[:200]}")
    rows = [line.split() for line in (at / "out.map").read_text().splitlines()[1:]]
    found = {int(row[0]): int(row[1]) for row in rows}
    return [found[task] for task in range(tasks)]


def source_graph(sites: Sites) -> str:
    """Return the traffic as a Scotch graph; sites without a task become vertices without edges, so
    that a balanced mapping gives each site one vertex.
    """
    tasks, count = len(sites.tasks), len(sites.sites)
    scale = 1 + int(sites.rates.max()) * tasks // LARGEST
    rows = []
    arcs = 0
    for task in range(count):
        near = numpy.flatnonzero(sites.rates[task]) if task < tasks else ()
        arcs += len(near)
        edges = [f"{max(1, int(sites.rates[task, other]) // scale)} {other}" for other in near]
        rows.append(" ".join(["1", str(len(near)), *edges]))
    return "\n".join(["0", f"{count} {arcs}", "0 011", *rows, ""])


def target(sites: Sites, part: Integers) -> str:
    """Return the parts of the machine as a Scotch target: a binary tree of domains in which nearer
    parts stay together longer, weights, and the distances of all pairs.
    """
    weights = numpy.bincount(part)
    first = [int(numpy.flatnonzero(part == number)[0]) for number in range(len(weights))]
    second = [int(numpy.flatnonzero(part == number)[-1]) for number in range(len(weights))]
    between = sites.between[numpy.ix_(first, second)]
    inside = [int(sites.between[a, b]) for a, b in zip(first, second, strict=True) if a != b]
    # what is paid within a part is paid wherever the part is
    steps = numpy.maximum(1, (between - min(inside, default=0)) // 1000)
    numpy.fill_diagonal(steps, 0)
    domain: dict[int, int] = {}
    _halve(list(range(len(weights))), between, 1, domain)
    rows = [f"{number} {weights[number]} {domain[number]}" for number in range(len(weights))]
    table = [" ".join(str(int(steps[a, b])) for b in range(a)) for a in range(1, len(weights))]
    head = ["deco 0", f"{len(weights)} {max(domain.values())}"]
    return "\n".join([*head, *rows, *table, ""])


def _halve(parts: list[int], between: Integers, number: int, domain: dict[int, int]) -> None:
    """Number the domains as a heap: children of `n` are `2n` and `2n + 1`."""
    if len(parts) == 1:
        domain[parts[0]] = number
        return
    near = _nearest_half(parts, between)
    _halve(near, between, 2 * number, domain)
    _halve([part for part in parts if part not in near], between, 2 * number + 1, domain)


def _nearest_half(parts: list[int], between: Integers) -> list[int]:
    """Return the part at the edge with those nearest to it, about half of all; parts that are
    equally far from it are taken in their order.
    """
    table = between[numpy.ix_(parts, parts)]
    edge = parts[int(table.sum(axis=1).argmax())]
    order = sorted(parts, key=lambda part: (part != edge, int(between[edge, part]), part))
    return order[: (len(parts) + 1) // 2]
