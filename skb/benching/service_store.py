"""The store's part of `skb bench service`: facts per second, and what `kill -9` leaves behind."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from skb.benching.postgres_server import missing, server
from skb.benching.routing_rows import Row
from skb.relations import Fact
from skb.store import Store

SUITE = "store"
PUS = 32
SQLITE_PER_S, POSTGRES_PER_S = 100_000, 30_000
_LONGEST_S = 0.03
# what is acknowledged is told on a line; both facts of a write are there, or none
_WRITER = """
import sys
from skb.relations import Fact
from skb.store import Store
store = Store(sys.argv[1])
for count in range(100_000):
    store.write(sys.argv[2], [Fact("service", (f"{letter}{count}", "pu:0")) for letter in "st"])
    print(count, flush=True)
"""


@dataclass(frozen=True, slots=True)
class Killed:
    """What so many rounds of `kill -9` did: writes that were acknowledged, lost, or torn."""

    rounds: int
    acknowledged: int
    lost: int
    torn: int


def parts(pus: int = PUS) -> list[Fact]:
    """Return the structure of a machine of so many PUs."""
    facts = [Fact("contains", ("machine:0", "package:0"))]
    for at in range(pus):
        facts.append(Fact("contains", ("package:0", f"core:{at}")))
        facts.append(Fact("contains", (f"core:{at}", f"pu:{at}")))
    return facts


def latencies(machines: int, base_ns: float, pus: int = PUS) -> list[tuple[str, Fact]]:
    """Return rows for `Store.bulk`: a latency for each pair of PUs of each machine."""
    return [
        (f"m{number}", Fact("latency", (f"pu:{a}", f"pu:{b}", base_ns + a), "measured"))
        for number in range(machines)
        for a in range(pus)
        for b in range(pus)
        if a != b
    ]


def rates(url: str, machines: int) -> tuple[float, float]:
    """Return the facts per second of a bulk write of new facts, and of one that replaces them."""
    found = []
    with closing(Store(url)) as store:
        for number in range(machines):
            store.load(f"m{number}", "", parts())
        for base_ns in (10.0, 20.0):
            rows = latencies(machines, base_ns)
            begin = time.perf_counter()
            store.bulk(rows)
            found.append(len(rows) / (time.perf_counter() - begin))
    return found[0], found[1]


def kill(url: str, rounds: int, seed: int = 0) -> Killed:
    """Kill a writer at a random moment of its writes, so many times; look at what is there."""
    moments = random.Random(seed)
    acknowledged = lost = torn = 0
    with closing(Store(url)) as store:
        for number in range(rounds):
            name = f"killed{number}"
            store.load(name, "", parts(1))
            told = _write_and_die(url, name, moments.uniform(0, _LONGEST_S))
            found = [str(fact.args[0]) for fact in store.machine(name).all("service")]
            first, second = ({int(n[1:]) for n in found if n[0] == letter} for letter in "st")
            acknowledged += len(told)
            lost += len(told - first)
            torn += len(first ^ second)
    return Killed(rounds, acknowledged, lost, torn)


def _write_and_die(url: str, name: str, seconds: float) -> set[int]:
    """Return the numbers of the writes that were acknowledged."""
    command = (sys.executable, "-c", _WRITER, url, name)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    # a line without its end was never read by anybody
    return {int(line) for line in lines if line.endswith("\n")}


def rows(machines: int = 200, rounds: int = 250) -> Iterator[Row]:
    """Yield the rows for SQLite, and for PostgreSQL where a server can be started.

    Facts per second, the larger the better; 200 machines are 198,400 facts.
    """
    with tempfile.TemporaryDirectory(prefix="skb-bench-") as folder:
        path = Path(folder)
        yield from _rows_of("sqlite", f"sqlite:///{path / 'bulk'}", machines, SQLITE_PER_S, True)
        yield _killed("sqlite", f"sqlite:///{path / 'killed'}", rounds)
    if why := missing():
        yield Row(SUITE, "postgresql", "facts/s", None, None, None, "skipped", 0.0, note=why)
        return
    with server(durable=True) as running:
        yield from _rows_of("postgresql", running.database(), machines, POSTGRES_PER_S, False)
        yield _killed("postgresql", running.database(), rounds)


def _rows_of(
    database: str, url: str, machines: int, target: int, fresh_counts: bool
) -> Iterator[Row]:
    """Yield the two rates; SQLite's target is of new facts, that of PostgreSQL of upserts."""
    begin = time.perf_counter()
    found = rates(url, machines)
    seconds = time.perf_counter() - begin
    for what, rate, counts in zip(
        ("bulk, new", "bulk, upsert"), found, (fresh_counts, not fresh_counts), strict=True
    ):
        wanted = f"at least {target}" if counts else ""
        misses = (f"{rate:.0f} facts/s",) if counts and rate < target else ()
        case = f"{database} {what}"
        yield Row(
            *(SUITE, case, "facts/s", rate, None, None, "measured", seconds),
            target=wanted,
            misses=misses,
        )


def _killed(database: str, url: str, rounds: int) -> Row:
    begin = time.perf_counter()
    found = kill(url, rounds)
    wrong = found.lost + found.torn
    faults = (f"{found.lost} writes lost, {found.torn} torn",) if wrong else ()
    return Row(
        *(SUITE, f"{database} kill -9", "writes lost or torn", float(wrong), None, None),
        *("measured", time.perf_counter() - begin),
        target="none",
        faults=faults,
        note=f"{found.rounds} rounds, {found.acknowledged} writes acknowledged",
    )
