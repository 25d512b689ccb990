"""`skb bench simulator`: its suites as rows that come one after the other."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from skb.benching.routing_rows import Row, ended

PLANS = 1_000_000


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: random fault plans in all, processes, and an engine in C to load."""

    plans: int = PLANS
    workers: int = 2
    c_engine: Path | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite: the module that makes its rows, its title, whether it takes minutes."""

    module: str
    title: str
    rows: Callable[[ModuleType, Size], Iterator[Row]] = lambda module, size: module.rows(size)
    long: bool = False


SUITES: Mapping[str, Suite] = {
    "engines": Suite("simulator_engines", "million events per second of processor time"),
    "arms": Suite(
        "simulator_arms",
        "every protocol on the plain and the compiled engine",
        lambda module, _size: module.rows(),
    ),
    "validation": Suite(
        "simulator_validation", "predicted beside measured, no constant fitted per machine"
    ),
    "spaces": Suite(
        "simulator_safety",
        "states of small instances, every order of delivery",
        lambda module, _size: module.space_rows(),
    ),
    "sweep": Suite("simulator_sweep", "runs per second on worker processes"),
    "planted": Suite(
        "simulator_safety",
        "random plans until a planted fault is noticed",
        lambda module, size: module.planted_rows(workers=size.workers),
        long=True,
    ),
    "faults": Suite(
        "simulator_safety",
        "random fault plans, judged by every check",
        lambda module, size: module.fault_rows(size.plans, workers=size.workers),
        long=True,
    ),
}
TITLES = {name: suite.title for name, suite in SUITES.items()}


def rows(name: str, size: Size) -> Iterator[Row]:
    """Yield the rows of a suite; a refusal is a missed target, a fault of the product a row, and
    either ends the suite.
    """
    begin = time.perf_counter()
    done = 0
    try:
        module = importlib.import_module(f"skb.benching.{SUITES[name].module}")
        for row in SUITES[name].rows(module, size):
            yield row
            done += 1
            begin = time.perf_counter()
    except Exception as fault:  # it is told with the row
        yield ended(name, f"row {done + 1}", begin, fault)
