"""Mt-KaHyPar: mapping of the traffic onto the graph of the groups of sites (its Steiner-tree
objective, for graphs the sum of rate times distance).

It runs in a process of its own, since it keeps threads and ends a process on some faults. The parts
are groups of sites, each as heavy as it has sites; what is paid within a group is the same in all.
`python -m skb.benching.kahypar` reads a job as JSON and writes the mappings, one line each.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy

from skb.benching.settling import settled
from skb.benching.sites import Sites

THREADS = 2
MOST_PARTS = 64  # its mapping weighs all Steiner trees of the target
START = 20.0  # seconds for the child to start, and to be ended in


def installed() -> bool:
    return find_spec("mtkahypar") is not None


def mapped(sites: Sites, seconds: float, seed: int) -> tuple[list[int], str] | str:
    """Return the best of many mappings and how many there were, or why there is none."""
    if len(sites.cache_size) > MOST_PARTS:
        return f"more than {MOST_PARTS} groups of cores: its mapping takes minutes there"
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "skb.benching.kahypar"],
        input=json.dumps(_job(sites, seconds, seed)),
        capture_output=True,
        text=True,
        timeout=seconds + START,
        check=False,
    )
    parts = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    if not parts:
        return f"failed after {time.perf_counter() - begin:.1f} s: {_last(done.stderr)}"
    tried = {tuple(one): settled(sites, one) for one in parts}
    places, moved = min(tried.values(), key=lambda found: sites.price(found[0]))
    return places, f"{len(parts)} runs" + f", {moved} tasks moved to fit" * bool(moved)


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else "no word"


def _job(sites: Sites, seconds: float, seed: int) -> dict[str, Any]:
    weights = numpy.bincount(sites.group)
    first = [int(numpy.flatnonzero(sites.group == number)[0]) for number in range(len(weights))]
    second = [int(numpy.flatnonzero(sites.group == number)[-1]) for number in range(len(weights))]
    between = sites.between[numpy.ix_(first, second)]
    inside = min((int(sites.between[a, b]) for a, b in zip(first, second, strict=True) if a != b),
                 default=0)  # fmt: skip
    pairs = [(a, b) for a in range(len(weights)) for b in range(a)]
    count = len(sites.sites)
    edges = [(int(a), int(b)) for a, b in numpy.argwhere(numpy.triu(sites.rates))]
    return {
        "seconds": seconds,
        "seed": seed,
        "tasks": len(sites.tasks),
        # sites without a task are vertices without edges: full parts are then balanced ones
        "nodes": count,
        "edges": edges,
        "rates": [int(sites.rates[a, b]) for a, b in edges],
        "weights": [int(weight) for weight in weights],
        "pairs": pairs,
        "ns": [max(1, (int(between[a, b]) - inside) // 1000) for a, b in pairs],
    }


def _mappings(job: dict[str, Any]) -> Iterator[list[int]]:
    import mtkahypar

    library = mtkahypar.initialize(THREADS)
    presets = (mtkahypar.PresetType.QUALITY, mtkahypar.PresetType.DEFAULT,
               mtkahypar.PresetType.HIGHEST_QUALITY)  # fmt: skip
    end = time.perf_counter() + job["seconds"]
    runs = 0
    while runs == 0 or time.perf_counter() < end:
        context = library.context_from_preset(presets[runs % len(presets)])
        mtkahypar.set_seed(job["seed"] * 1000 + runs)
        context.logging = False
        context.set_mapping_parameters(len(job["weights"]), 0.0)
        context.set_individual_target_block_weights(job["weights"])
        pairs = [tuple(pair) for pair in job["pairs"]]
        graph = library.create_target_graph(
            context, len(job["weights"]), len(pairs), pairs, job["ns"]
        )
        nodes = [1] * job["nodes"]
        edges = [tuple(edge) for edge in job["edges"]]
        source = library.create_graph(context, job["nodes"], len(edges), edges, nodes, job["rates"])
        found = source.map_onto_graph(graph, context)
        runs += 1
        yield [found.block_id(node) for node in range(job["tasks"])]


def main() -> int:
    """Print the mappings of the job on standard input."""
    for parts in _mappings(json.load(sys.stdin)):
        print(json.dumps(parts), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
