"""How many facts a second go into the knowledge base and come out again.

    python -m tests.bench.ingest [--pus 450] [--rounds 3] [--db FOLDER]

The facts are those of a machine of `--pus` PUs with a measured latency for each ordered pair of
them: 202,050 for 450. Ends with 1 where the facts that come out are not those that went in.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from skb.knowledge import KnowledgeBase
from skb.machine import Machine
from skb.relations import Fact, by_predicate, check_set, in_order, joined, validate
from skb.sources.description import Description
from skb.store import Store
from tests.bench.timing import best
from tests.machines import grown


def large_set(pus: int, seed: int = 0) -> tuple[list[Fact], list[Fact]]:
    """Return the facts of a machine's parts, and a latency in nanoseconds per pair of its PUs."""
    if pus % 10:
        raise SystemExit("--pus is a multiple of 10")
    parts = list(grown(f"package:5 numa:1 l3:1 core:{pus // 10} pu:2").facts)
    draw = random.Random(seed)
    pairs = [
        Fact("latency", (f"pu:{a}", f"pu:{b}", draw.randrange(400, 4000) / 10), "measured", "bench")
        for a in range(pus)
        for b in range(pus)
        if a != b
    ]
    draw.shuffle(pairs)
    return parts, pairs


def measure(pus: int, rounds: int, folder: Path) -> bool:
    """Print the figures; return whether what came out is what went in."""
    parts, pairs = large_set(pus)
    facts = [*parts, *pairs]
    ordered = check_set(facts)
    print(f"{len(facts):,} facts, best of {rounds}\n{'step':44} {'s':>8} {'facts/s':>12}")

    def row(step: str, work: Callable[[], object], count: int = len(facts)) -> object:
        seconds, result = best(work, rounds)
        print(f"{step:44} {seconds:8.3f} {count / seconds:12,.0f}", flush=True)
        return result

    fresh = iter(range(10**6))

    def url() -> str:
        return f"sqlite:///{folder / f'{next(fresh)}.sqlite3'}"

    row("make a Fact", lambda: [Fact(f.predicate, f.args, f.source, f.by) for f in facts])
    row("validate one by one (what finds the words)", lambda: list(map(validate, facts)))
    row("check_set: validate and order, shuffled", lambda: check_set(facts))
    row("check_set: validate and order, ordered", lambda: check_set(list(ordered)))
    groups = by_predicate(facts)
    row("canonical order alone", lambda: joined({p: in_order(rows) for p, rows in groups.items()}))
    row("Machine", lambda: Machine("m", facts))
    row("Machine with digest and summary", lambda: Machine("m", facts).summary())
    row("Store.load", lambda: Store(url()).load("m", "", facts))

    def write() -> Machine:
        store = Store(url())
        store.load("m", "", parts)
        half = len(pairs) // 2
        store.write("m", pairs[:half])
        return store.write("m", pairs[half:])

    written = row("Store.write, in two batches", write, len(pairs))
    described = Description("m", "bench", tuple(facts))
    row("KnowledgeBase.load (the whole way)", lambda: KnowledgeBase(url()).load("m", described))
    address = url()
    Store(address).load("m", "", facts)
    read = row("Store.machine, read back", lambda: Store(address).machine("m"))
    assert isinstance(written, Machine)
    assert isinstance(read, Machine)
    return read.facts == ordered == written.facts


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pus", type=int, default=450)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--db", type=Path, help="folder for the databases; a temporary one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.db) as folder:
        return 0 if measure(given.pus, given.rounds, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
