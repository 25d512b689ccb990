"""Small random machines for the power question, and its answers by trying every set of parts.

What is there with parts off is asked of a machine that states it as facts; latencies too.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping
from itertools import combinations
from typing import Any

from skb.costs import Costs
from skb.machine import Machine
from skb.relations import Fact

MIB = 2**20


def machine_of(seed: int) -> Machine:
    """Return two to five packages with cores, memory, devices, some in groups, and some links."""
    rng = random.Random(seed)
    facts: list[Fact] = []
    packages = rng.randint(2, 5)
    grouped = rng.random() < 0.3
    pu = 0
    for package in range(packages):
        around = "machine:0"
        if grouped:
            around = f"group:{package // 2}"
            if package % 2 == 0:
                facts.append(Fact("contains", ("machine:0", around)))
        facts.append(Fact("contains", (around, f"package:{package}")))
        for _ in range(rng.randint(1, 2)):
            facts.append(Fact("contains", (f"package:{package}", f"core:{pu}")))
            facts.append(Fact("contains", (f"core:{pu}", f"pu:{pu}")))
            pu += 1
        facts.append(Fact("contains", (f"package:{package}", f"numa:{package}")))
        size = rng.choice((1, 1, 2, 4)) * 1024 * MIB
        facts.append(Fact("memory_size", (f"numa:{package}", size)))
        if rng.random() < 0.6:
            facts.append(Fact("contains", (f"package:{package}", f"bridge:{package}")))
            facts.append(Fact("contains", (f"bridge:{package}", f"device:d{package}")))
    if rng.random() < 0.7:
        facts += [
            Fact("link", (f"package:{x}", f"package:{y}", "wire"))
            for a, b in combinations(range(packages), 2)
            if rng.random() < 0.6
            for x, y in ((a, b), (b, a))
        ]
        facts += [Fact("latency_hops", (hops, 100.0 * hops)) for hops in (1, 2, 3)]
    facts.append(Fact("latency_within", ("package", 40.0)))
    facts.append(Fact("latency_within", ("machine", 150.0)))
    if rng.random() < 0.2:
        facts.append(
            Fact("power", (f"package:{rng.randrange(packages)}", rng.choice(("off", "sleep"))))
        )
    return Machine(f"random-{seed}", facts)


def without(machine: Machine, off: Collection[str]) -> Machine:
    """Return the machine that states that parts are off."""
    kept = [f for f in machine.facts if f.predicate != "power" or f.args[0] not in off]
    return Machine(machine.name, [*kept, *(Fact("power", (name, "off")) for name in off)])


def runs(machine: Machine, keep: Mapping[str, Any], never: Collection[str]) -> bool:
    """Tell whether a load runs on a machine, by trying every choice of PUs."""
    if any(machine.unusable(name) for name in (*never, *keep.get("devices", ()))):
        return False
    sizes = {str(f.args[0]): int(str(f.args[1])) for f in machine.facts_of("memory_size")}
    memory = sum(sizes[f"numa:{n}"] for n in machine.usable_numa)
    if memory < keep.get("memory_mib", 0) * MIB:
        return False
    most = keep.get("max_latency_ns")
    costs = Costs(machine)

    def near(a: int, b: int) -> bool:
        return most is None or costs.latency_ps(a, b) <= most * 1000

    def close(pu: int, device: str) -> bool:
        local = machine.pus_of(device)
        return pu in local or any(near(pu, other) for other in local)

    good = [pu for pu in machine.usable_pus if all(close(pu, d) for d in keep.get("devices", ()))]
    return any(
        all(near(a, b) and near(b, a) for a, b in combinations(pus, 2))
        for pus in combinations(good, keep.get("pus", 0))
    )


def subsets(parts: Collection[str]) -> Iterator[tuple[str, ...]]:
    """Yield every set of parts."""
    for size in range(len(parts) + 1):
        yield from combinations(sorted(parts), size)


def largest(machine: Machine, request: Mapping[str, Any]) -> float | None:
    """Return the most that can be saved, None where the load does not even run with all on."""
    kind, keep = request["save"]["kind"], request["keep"]
    on = [name for name in machine.of_kind(kind) if not machine.unusable(name)]
    watts = request.get("watts", {})
    best = None
    for off in subsets(on):
        other = without(machine, off)
        if runs(other, keep, request.get("never", ())):
            saved = sum(watts.get(name, 1.0) for name in off)
            best = saved if best is None else max(best, saved)
    return best


def request_of(machine: Machine, seed: int) -> dict[str, Any]:
    """Return a random load, a kind of part to save, and parts that stay on."""
    rng = random.Random(seed)
    keep: dict[str, Any] = {"pus": rng.randint(0, 4)}
    if rng.random() < 0.5:
        keep["memory_mib"] = rng.choice((512, 1024, 3000, 5000))
    if rng.random() < 0.6:
        keep["max_latency_ns"] = rng.choice((30, 40, 100, 150, 200, 300))
    devices = machine.of_kind("device")
    if devices and rng.random() < 0.4:
        keep["devices"] = [rng.choice(devices)]
    kinds = ["package", "core", "numa", "device", "group"]
    there = [k for k in kinds if any(not machine.unusable(n) for n in machine.of_kind(k))]
    raw: dict[str, Any] = {"keep": keep, "save": {"kind": rng.choice(there)}}
    if rng.random() < 0.3:
        raw["never"] = [rng.choice(machine.objects[1:])]
    if rng.random() < 0.3:
        raw["watts"] = {n: float(rng.randint(1, 9)) for n in machine.of_kind(raw["save"]["kind"])}
    return raw
