"""From flows to an instance: resources, constraints in words, and whole numbers that fit clingo."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, lcm

from skb.bandwidth import Bandwidths
from skb.decision import Reason
from skb.engines.asp import INTEGER_MAX, Atom
from skb.machine import Machine
from skb.questions.buffers_price import PacketCost
from skb.questions.buffers_request import Capacity, Flow

NO_BUFFERS = ("gpu", "special")


@dataclass(frozen=True, slots=True)
class Limit:
    """What a resource gives at most, in bytes or bytes per second, and who says so."""

    id: str
    resource: str
    limit: Fraction


@dataclass(slots=True)
class Instance:
    """Everything about one request: prices, uses, limits, and the words of each constraint.

    `costs[f][n]` is the packet cost of flow f at node n; `uses[f][n]` its exact amounts by resource
    (bytes of memory, bytes per second); `weights[f][n]` the price above the flow's cheapest node in
    units of `unit` ns/s, rounded down, so that a bound in weights bounds the price; `exact` says
    that no weight was rounded; `tightest` is the smallest limit of each resource that can bind;
    `stated` names the resources with a limit; `fine` is an exact common divisor of a resource's
    amounts, `steps` the same or, where 31 bits are too few for it, a coarser one.
    """

    machine: Machine
    flows: tuple[Flow, ...]
    costs: list[dict[int, PacketCost]]
    uses: list[dict[int, dict[str, Fraction]]]
    limits: list[Limit]
    reasons: dict[str, Reason]
    unit: Fraction = Fraction(1)
    exact: bool = True
    weights: list[dict[int, int]] = field(default_factory=list)
    tightest: dict[str, Fraction] = field(default_factory=dict)
    fine: dict[str, Fraction] = field(default_factory=dict)
    steps: dict[str, Fraction] = field(default_factory=dict)
    stated: frozenset[str] = frozenset()
    warnings: list[str] = field(default_factory=list)

    def price(self, flow: int, node: int) -> Fraction:
        """Return what a flow pays at a node, in ns/s."""
        one = self.flows[flow]
        return one.packets_per_s * self.costs[flow][node].at(one.touched) / 1000

    @property
    def cheapest(self) -> Fraction:
        """The sum of every flow's cheapest node, in ns/s: a bound that needs no search."""
        return sum(
            (min(self.price(f, n) for n in row) for f, row in enumerate(self.costs)), Fraction(0)
        )

    @property
    def relaxed(self) -> bool:
        """Whether some amounts do not fit 31 bits, so that the rules see a relaxed instance."""
        return self.steps != self.fine

    def exceeded(self, nodes: Sequence[int]) -> list[Limit]:
        """Return the limits that an assignment breaks, in exact arithmetic."""
        used = self.used(nodes)
        return [one for one in self.limits if used.get(one.resource, Fraction(0)) > one.limit]

    def used(self, nodes: Sequence[int]) -> dict[str, Fraction]:
        """Return what an assignment takes of each resource."""
        sums: dict[str, Fraction] = defaultdict(Fraction)
        for row, node in zip(self.uses, nodes, strict=True):
            for resource, amount in row[node].items():
                sums[resource] += amount
        return sums


def unavailable(machine: Machine, node: int) -> str:
    """Return why a node holds no buffers, or an empty string."""
    name = f"numa:{node}"
    if reason := machine.unusable(name):
        return reason
    if machine.value("memory_size", name) == 0:
        return f"{name} has no memory"
    kind = machine.value("memory_kind", name)
    return f"{name} is {kind} memory" if kind in NO_BUFFERS else ""


def near(machine: Machine, flow: Flow, node: int) -> str:
    """Return where a node is: at the device, at the core, or elsewhere; the device wins a tie."""
    if node in machine.numa_of(flow.device):
        return "device"
    if flow.consumer is not None and node in machine.numa_of_pu[flow.consumer]:
        return "core"
    return "other"


def build(
    machine: Machine,
    flows: tuple[Flow, ...],
    capacities: Sequence[Capacity],
    rates: Bandwidths,
    packets: list[dict[int, PacketCost]],
) -> Instance:
    """Return the instance of a request."""
    ways = _Ways(rates, {one.object for one in capacities})
    uses = [{node: ways.uses(flow, node) for node in machine.numa} for flow in flows]
    limits, reasons = _limits(rates, capacities)
    instance = Instance(machine, flows, packets, uses, limits, reasons)
    instance.stated = frozenset(limit.resource for limit in limits)
    instance.limits = [limit for limit in limits if _can_bind(instance, limit)]
    for limit in instance.limits:
        least = instance.tightest.get(limit.resource, limit.limit)
        instance.tightest[limit.resource] = min(limit.limit, least)
    for resource in instance.tightest:
        _set_steps(instance, resource)
    _weigh(instance)
    return instance


class _Ways:
    """Which resources a flow uses at a node, and how much."""

    def __init__(self, rates: Bandwidths, limited: set[str]) -> None:
        self._rates = rates
        self._limited = limited

    def uses(self, flow: Flow, node: int) -> dict[str, Fraction]:
        whole = flow.packets_per_s * flow.packet_bytes
        read, again = whole * flow.touched, whole * flow.forwarded
        into, out = (whole, again) if flow.direction == "rx" else (again, whole)
        name = f"numa:{node}"
        load: dict[str, Fraction] = defaultdict(Fraction)
        load[f"bandwidth {name}"] += whole + read + again
        for at in self.shared_by(flow.device):
            load[f"in {at}"] += into
            load[f"out {at}"] += out
        self._links(load, flow.device, name, into)
        self._links(load, name, flow.device, out)
        if flow.consumer is not None:
            ends = (name, f"pu:{flow.consumer}")
            self._links(load, *(ends if flow.direction == "rx" else ends[::-1]), read)
        amounts = {resource: value for resource, value in load.items() if value}
        return {f"memory {name}": Fraction(flow.ring_bytes), **amounts}

    def shared_by(self, device: str) -> list[str]:
        """Return the PCI links above a device that state a speed, and what the user limits."""
        machine = self._rates.machine
        chain = (device, *machine.ancestors(device))
        return [at for at in chain if at in self._limited or machine.number("pci_link_speed", at)]

    def _links(self, load: dict[str, Fraction], first: str, second: str, rate: Fraction) -> None:
        for a, b in self._rates.route(first, second):
            load[f"link {a} {b}"] += rate


def _limits(
    rates: Bandwidths, capacities: Sequence[Capacity]
) -> tuple[list[Limit], dict[str, Reason]]:
    machine = rates.machine
    limits: list[Limit] = []
    reasons: dict[str, Reason] = {}

    def add(name: str, text: str, items: tuple[str, ...], limit: Fraction, *resources: str) -> None:
        reasons[name] = Reason(name, text, items)
        limits.extend(Limit(name, resource, limit) for resource in resources)

    for number, one in enumerate(capacities):
        shared = [f"{way} {one.object}" for way in ("in", "out")]
        wanted = [f"{one.of} {one.object}"] if one.object.startswith("numa:") else shared
        add(f"capacity:{number}", one.text, (one.object,), one.limit, *wanted)
    for fact in machine.facts_of("memory_size"):
        name, size = str(fact.args[0]), Fraction(str(fact.args[1]))
        add(f"memory:{name}", f"{name} has {size} bytes", (name,), size, f"memory {name}")
    for node in machine.numa:
        rate = rates.stated_node_mib_s(node)
        if rate is not None:
            name, text = f"numa:{node}", f"the memory of numa:{node} gives {rate:g} MiB/s"
            add(f"bandwidth:{name}", text, (name,), Fraction(rate) * 2**20, f"bandwidth {name}")
    for fact in machine.facts_of("link_bandwidth"):
        a, b, most = str(fact.args[0]), str(fact.args[1]), Fraction(str(fact.args[2]))
        text = f"the link from {a} to {b} carries {float(most):g} MiB/s"
        add(f"link:{a}>{b}", text, (a, b), most * 2**20, f"link {a} {b}")
    for fact in machine.facts_of("pci_link_speed"):
        at, speed = str(fact.args[0]), Fraction(str(fact.args[1]))
        if speed:
            text = f"the PCI link of {at} carries {float(speed):g} GB/s in each direction"
            add(f"pci:{at}", text, (at,), speed * 10**9, f"in {at}", f"out {at}")
    return limits, reasons


def _can_bind(instance: Instance, limit: Limit) -> bool:
    most = sum(
        (max(amounts.get(limit.resource, Fraction(0)) for amounts in row.values()))
        for row in instance.uses
    )
    return most > limit.limit


def _weigh(instance: Instance) -> None:
    """Set weights and unit: exact where 31 bits allow it, else rounded down."""
    extra = []
    for f, row in enumerate(instance.costs):
        prices = {n: instance.price(f, n) for n in row}
        least = min(prices.values())
        extra.append({n: price - least for n, price in prices.items()})
    values = [value for row in extra for value in row.values() if value]
    if values:
        scale = 1
        for value in values:
            scale = scale * value.denominator // gcd(scale, value.denominator)
        instance.unit = Fraction(gcd(*(int(value * scale) for value in values)), scale)
    if values and max(values) / instance.unit > INTEGER_MAX:
        instance.unit, instance.exact = max(values) / INTEGER_MAX, False
    instance.weights = [{n: int(v / instance.unit) for n, v in row.items()} for row in extra]


def atoms(instance: Instance, *, up: bool = False) -> list[Atom]:
    """Return the atoms of `rules/buffers/define.lp`; reasons are completed and pruned.

    Amounts beyond 31 bits are rounded down, with `up` rounded up.
    """
    found: list[Atom] = [("node", (node,)) for node in instance.machine.numa]
    reasons = instance.reasons
    for node in instance.machine.numa:
        if why := unavailable(instance.machine, node):
            name = f"unavailable:numa:{node}"
            reasons[name] = Reason(name, why, (f"numa:{node}",))
            found.append(("unavailable", (name, node)))
    for index, flow in enumerate(instance.flows):
        found += _flow_atoms(instance, index, flow)
    found += _capacity_atoms(instance, up=up)
    used = {args[0] for name, args in found if name in _NAMED}
    for name in [name for name in reasons if name not in used]:
        del reasons[name]
    return found + [("constraint", (name,)) for name in sorted(reasons)]


_NAMED = frozenset({"wanted", "only", "never", "unavailable", "unreachable", "capacity"})


def _flow_atoms(instance: Instance, index: int, flow: Flow) -> list[Atom]:
    machine, reasons, item = instance.machine, instance.reasons, f"flow:{flow.name}"
    found: list[Atom] = []

    def named(predicate: str, name: str, text: str, *rest: str | int) -> None:
        reasons[name] = Reason(name, text, (item, *(f"numa:{n}" for n in rest if n != flow.name)))
        found.append((predicate, (name, *rest)))

    rate = f"{float(flow.packets_per_s):g} packets/s of {flow.packet_bytes} bytes"
    text = f"flow {flow.name} needs a ring of {flow.ring_bytes} bytes for {rate}"
    named("wanted", item, text, flow.name)
    for node in flow.only:
        named("only", f"at:{flow.name}", f"flow {flow.name} wants numa:{node}", flow.name, node)
    for node in flow.never:
        name = f"not_at:{node}:{flow.name}"
        named("never", name, f"flow {flow.name} refuses numa:{node}", flow.name, node)
    ends = [flow.device] if flow.consumer is None else [flow.device, f"pu:{flow.consumer}"]
    for end in ends:
        if why := machine.unusable(end):
            named(
                "unreachable",
                f"end:{end}:{flow.name}",
                f"flow {flow.name} ends there: {why}",
                flow.name,
            )
    order = sorted(instance.weights[index], key=lambda n: (_WISH[near(machine, flow, n)], n))
    for rank, node in enumerate(order):
        found.append(("price", (flow.name, node, instance.weights[index][node])))
        found.append(("rank", (flow.name, node, rank)))
    return found


_WISH: Mapping[str, int] = {"device": 0, "core": 1, "other": 2}


Amounts = list[dict[int, dict[str, int]]]


def scaled(
    instance: Instance, steps: Mapping[str, Fraction], *, up: bool = False
) -> tuple[Amounts, dict[str, int]]:
    """Return uses and limits of the resources that can bind, in whole multiples of the steps.

    Uses are rounded down, so whatever fits truly fits here: uses are whole, so rounding a limit
    down refuses nothing more. With `up`, uses are rounded up: whatever fits here fits truly.
    """
    uses: Amounts = [{n: {} for n in row} for row in instance.uses]
    limits = {}
    for resource in sorted(instance.tightest):
        step = steps[resource]
        limits[resource] = instance.tightest[resource] // step
        for row, out in zip(instance.uses, uses, strict=True):
            for node, amounts in row.items():
                amount = amounts.get(resource, Fraction(0))
                if whole := -(-amount // step) if up else amount // step:
                    out[node][resource] = whole
    return uses, limits


def _set_steps(instance: Instance, resource: str) -> None:
    """Set what one whole amount of a resource stands for: exactly, and so that it fits 31 bits.

    The greatest common divisor of all amounts changes nothing; where 31 bits are too few for it,
    the step is coarser, and what is decided with it is a relaxed instance.
    """
    rows = [[row.get(resource, Fraction(0)) for row in at.values()] for at in instance.uses]
    scale = lcm(*(amount.denominator for row in rows for amount in row))
    whole = gcd(*(int(amount * scale) for row in rows for amount in row)) or 1
    instance.fine[resource] = instance.steps[resource] = Fraction(whole, scale)
    total = sum((max(row) for row in rows), Fraction(0))
    if total / instance.fine[resource] > INTEGER_MAX // 2:
        instance.steps[resource] = total / (INTEGER_MAX // 2)
        instance.warnings.append(
            f"amounts of {resource} are too fine for 31 bits: bound and refusal come from a"
            " relaxed instance, the answer itself was checked with the exact amounts"
        )


def _capacity_atoms(instance: Instance, *, up: bool) -> list[Atom]:
    uses, _ = scaled(instance, instance.steps, up=up)
    found: list[Atom] = [
        ("uses", (flow.name, node, resource, amount))
        for flow, row in zip(instance.flows, uses, strict=True)
        for node, amounts in row.items()
        for resource, amount in amounts.items()
    ]
    for limit in instance.limits:
        value = limit.limit // instance.steps[limit.resource]
        found.append(("capacity", (limit.id, limit.resource, value)))
    return found
