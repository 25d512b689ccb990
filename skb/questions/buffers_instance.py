"""From flows to an instance: groups, rings, places, prices, amounts, and constraints in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, lcm

from skb.decision import Reason
from skb.machine import Machine
from skb.questions.buffers_price import PacketCost, Prices
from skb.questions.buffers_request import Asked, Flow, whole
from skb.questions.buffers_rings import Place, Ring, Sites, rings_of, unavailable
from skb.questions.buffers_uses import Amounts, Limit, Ways, limits_of

ZERO = whole(Fraction(0))
# weights and sums of amounts stay below these, so that 64 bits hold all sums
WEIGHT_MAX, AMOUNT_MAX = 2**40, 2**60
_WISH: Mapping[str, int] = {"device": 0, "core": 1, "other": 2}


@dataclass(slots=True)
class Option:
    """A place of a ring, or the PU of a seat, with price in ps/s, uses, and what forbids it;
    `alone` says that no limit is exceeded by it alone.
    """

    price: Fraction
    uses: Amounts
    bars: tuple[str, ...]
    place: Place | None = None
    cost: PacketCost | None = None
    pu: int | None = None
    weight: int = 0
    alone: bool = True


@dataclass(frozen=True, slots=True)
class Piece:
    """A ring of a flow with its places, or the seat of a group with its PUs."""

    flow: int
    ring: Ring | None
    options: list[Option]


@dataclass(frozen=True, slots=True)
class Block:
    """The pieces of a group where one of `pus`, which are alike, consumes (empty: nobody)."""

    pus: tuple[int, ...]
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class Group:
    """Flows whose consumer is chosen as one, and how that may be."""

    flows: tuple[int, ...]
    blocks: list[Block]


Chosen = list[tuple[Block, list[Option]]]


@dataclass(slots=True)
class Instance:
    """Everything about one request.

    `weights` of options are prices above the piece's cheapest in units of `unit` ps/s, rounded down
    where `exact` is false; `base` is the sum of what every answer pays; `steps` what one whole
    amount of each resource stands for, exact where the resource is not in `coarse`; `tightest` the
    smallest limit of each resource that can bind, `limits` those that can; `stated` the resources
    with a limit.
    """

    machine: Machine
    flows: tuple[Flow, ...]
    groups: list[Group]
    all_limits: list[Limit]
    reasons: dict[str, Reason]
    limits: list[Limit] = field(default_factory=list)
    unit: Fraction = Fraction(1)
    exact: bool = True
    base: Fraction = Fraction(0)
    tightest: dict[str, Fraction] = field(default_factory=dict)
    steps: dict[str, Fraction] = field(default_factory=dict)
    coarse: set[str] = field(default_factory=set)
    stated: frozenset[str] = frozenset()
    warnings: list[str] = field(default_factory=list)

    def pieces(self) -> Iterator[Piece]:
        return (p for group in self.groups for block in group.blocks for p in block.pieces)

    def allowed(self, option: Option) -> bool:
        """Return whether no constraint forbids an option and no limit alone."""
        return option.alone and not option.bars

    def used(self, chosen: Chosen) -> dict[str, Fraction]:
        """Return what an answer takes of each resource."""
        sums: dict[str, Fraction] = defaultdict(lambda: ZERO)
        for _, options in chosen:
            for option in options:
                for resource, amount in option.uses.items():
                    sums[resource] += amount
        return sums

    def exceeded(self, chosen: Chosen) -> list[Limit]:
        """Return the limits that an answer breaks, in exact arithmetic."""
        used = self.used(chosen)
        return [one for one in self.limits if used.get(one.resource, ZERO) > one.limit]


def near(machine: Machine, flow: Flow, place: Place, pu: int | None) -> str:
    """Return where a place is: at the device, at the consumer, or elsewhere; the device wins."""
    if place.node is None:
        return "core"
    if place.node in machine.numa_of(flow.device):
        return "device"
    if flow.consumer.gpu:
        return "core" if place.node in machine.numa_of(flow.consumer.gpu) else "other"
    return "core" if pu is not None and place.node in machine.numa_of_pu[pu] else "other"


def build(machine: Machine, asked: Asked, prices: Prices, sites: Sites) -> Instance:
    """Return the instance of a request."""
    return _Builder(machine, asked, prices, sites).build()


class _Builder:
    def __init__(self, machine: Machine, asked: Asked, prices: Prices, sites: Sites) -> None:
        self.machine, self.asked, self.prices, self.sites = machine, asked, prices, sites
        self.ways = Ways(prices.rates, {one.object for one in asked.capacities})
        self.reasons: dict[str, Reason] = {}
        self.unavailable = {n: unavailable(machine, n) for n in machine.numa}
        self._alike: dict[int, tuple[object, ...]] = {}
        self._ranked: dict[tuple[object, ...], list[Place]] = {}

    def build(self) -> Instance:
        for node, why in self.unavailable.items():
            if why:
                name = f"unavailable:numa:{node}"
                self.reasons[name] = Reason(name, why, (f"numa:{node}",))
        flows = self.asked.flows
        shared: dict[str, list[int]] = defaultdict(list)
        for index, flow in enumerate(flows):
            key = f"task {flow.consumer.task}" if flow.consumer.task else f"flow {index}"
            shared[key].append(index)
        groups = [self._group(tuple(members)) for members in shared.values()]
        loads = sorted(
            {
                int(resource.partition("pu:")[2])
                for group in groups
                for block in group.blocks
                for piece in block.pieces
                if piece.ring is None
                for option in piece.options
                for resource in option.uses
            }
        )
        limits, words = limits_of(self.prices.rates, self.asked.capacities, self.sites, loads)
        instance = Instance(self.machine, flows, groups, limits, {**self.reasons, **words})
        instance.stated = frozenset(limit.resource for limit in limits)
        _bind(instance)
        _weigh(instance)
        return instance

    # ------------------------------------------------------------ groups
    def _group(self, members: tuple[int, ...]) -> Group:
        flows = [self.asked.flows[index] for index in members]
        for flow in flows:
            self._wanted(flow)
        consumer = flows[0].consumer
        load = sum((flow.load for flow in flows), ZERO)
        if consumer.task:
            load += Fraction(str(self.asked.tasks[consumer.task].load))
        pus = [pu for pu in consumer.pus if all(pu in flow.consumer.pus for flow in flows)]
        usable = [pu for pu in pus if not self.machine.unusable(f"pu:{pu}")]
        bars: list[str] = []
        if not usable and consumer.pus:
            bars = self._gone(flows, consumer.pus)
            usable = pus or list(consumer.pus[:1])
        classes: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for pu in usable:
            classes[self._class(pu) if len(usable) > 1 else ()].append(pu)
        blocks = [
            self._block(members, tuple(alike), load, consumer.free, bars)
            for alike in (classes.values() if classes else [[]])
        ]
        return Group(members, blocks)

    def _class(self, pu: int) -> tuple[object, ...]:
        """Return what the price of a PU depends on."""
        if pu not in self._alike:
            machine, costs, rates = self.machine, self.prices.costs, self.prices.rates
            self._alike[pu] = (
                machine.package_of.get(pu),
                machine.numa_of_pu[pu],
                tuple((costs.memory_ps(pu, n), rates.memory_mib_s(pu, n)) for n in machine.numa),
            )
        return self._alike[pu]

    def _block(
        self,
        members: Sequence[int],
        pus: tuple[int, ...],
        load: Fraction,
        free: bool,
        bars: Sequence[str],
    ) -> Block:
        pu = pus[0] if pus else None
        pieces = []
        for index in members:
            flow = self.asked.flows[index]
            ends = [flow.device, *([flow.consumer.gpu] if flow.consumer.gpu else [])]
            own = [*bars, *(self._end(flow, end) for end in ends if self.machine.unusable(end))]
            for ring in rings_of(flow):
                pieces.append(self._piece(index, flow, ring, pu, own))
        if pus and (free or load):
            seats = [
                Option(Fraction(0), {f"load pu:{one}": load} if load else {}, (), pu=one)
                for one in pus
            ]
            pieces.append(Piece(members[0], None, seats))
        return Block(pus, pieces)

    def _piece(
        self, index: int, flow: Flow, ring: Ring, pu: int | None, bars: Sequence[str]
    ) -> Piece:
        options = []
        places = self._places(flow, ring, pu)
        for place, uses in zip(places, self.ways.uses(flow, ring, places, pu), strict=True):
            cost = self.prices.of(flow, ring, place, pu)
            price = whole(flow.packets_per_s * cost.at(ring.touched))
            own = (*bars, *self._bars(flow, ring, place, cost))
            options.append(Option(price, uses, own, place, cost))
        return Piece(index, ring, options)

    def _places(self, flow: Flow, ring: Ring, pu: int | None) -> list[Place]:
        """Return the places of a ring, near the device first, then near the consumer."""
        payload = ring.kind == "payload"
        key = (flow.device, flow.consumer.gpu, flow.direct, flow.outgoing, payload, pu)
        if key not in self._ranked:
            found = self.sites.places(flow, ring)
            self._ranked[key] = sorted(found, key=lambda place: self._rank(flow, place, pu))
        return self._ranked[key]

    def _rank(self, flow: Flow, place: Place, pu: int | None) -> tuple[int, bool, int, bool]:
        node = place.node
        wish = _WISH[near(self.machine, flow, place, pu)]
        return (wish, node is not None, -1 if node is None else node, place.cached)

    # ------------------------------------------------------------ constraints
    def _named(self, name: str, text: str, flow: Flow, *items: str) -> str:
        self.reasons[name] = Reason(name, text, (f"flow:{flow.name}", *items))
        return name

    def _wanted(self, flow: Flow) -> None:
        rate = f"{float(flow.packets_per_s):g} packets/s of {flow.packet_bytes} bytes"
        text = f"flow {flow.name} needs a ring of {flow.ring_bytes} bytes for {rate}"
        self._named(f"flow:{flow.name}", text, flow)

    def _gone(self, flows: Sequence[Flow], pus: Sequence[int]) -> list[str]:
        found = []
        for flow in flows:
            why = self.machine.unusable(f"pu:{pus[0]}") or "its flows have no PU in common"
            name = f"end:pu:{pus[0]}:{flow.name}"
            found.append(self._named(name, f"flow {flow.name} ends there: {why}", flow))
        return found[:1]

    def _end(self, flow: Flow, end: str) -> str:
        why = self.machine.unusable(end)
        return self._named(f"end:{end}:{flow.name}", f"flow {flow.name} ends there: {why}", flow)

    def _bars(self, flow: Flow, ring: Ring, place: Place, cost: PacketCost) -> Iterator[str]:
        """Yield the constraints that keep a ring from a place."""
        name, node = flow.name, place.node
        what = f"flow {name}" if ring.kind == "payload" else f"the {ring.kind} of flow {name}"
        wanted = flow.only.get(ring.kind, ())
        if wanted and node not in wanted:
            key = f"at:{name}" if ring.kind == "payload" else f"at:{ring.kind}:{name}"
            yield self._named(key, f"{what} wants numa:{wanted[0]}", flow, f"numa:{wanted[0]}")
        if ring.kind == "payload" and node in flow.never:
            text = f"{what} refuses numa:{node}"
            yield self._named(f"not_at:{node}:{name}", text, flow, f"numa:{node}")
        if node is not None and self.unavailable[node]:
            yield f"unavailable:numa:{node}"
        depth = flow.queue_depth
        if depth and ring.kind == "payload":
            most = Fraction(depth * 10**12, max(1, cost.dma_ps))
            if flow.packets_per_s > most:
                text = (
                    f"{what} asks for {float(flow.packets_per_s):g} blocks/s with {depth} in"
                    " flight, more than their way takes alone"
                )
                yield self._named(f"depth:{name}", text, flow)


# ---------------------------------------------------------------- whole numbers
def _bind(instance: Instance) -> None:
    """Keep the limits that can bind, and set what one whole amount of each resource stands for."""
    most: dict[str, Fraction] = defaultdict(lambda: ZERO)
    amounts: dict[str, set[Fraction]] = defaultdict(set)
    for group in instance.groups:
        whole: dict[str, Fraction] = {}
        for block in group.blocks:
            inside: dict[str, Fraction] = defaultdict(lambda: ZERO)
            for piece in block.pieces:
                top: dict[str, Fraction] = {}
                for option in piece.options:
                    for resource, amount in option.uses.items():
                        if resource in instance.stated:
                            amounts[resource].add(amount)
                            if amount > top.get(resource, 0):
                                top[resource] = amount
                for resource, amount in top.items():
                    inside[resource] += amount
            for resource, amount in inside.items():
                whole[resource] = max(amount, whole.get(resource, amount))
        for resource, amount in whole.items():
            most[resource] += amount
    instance.limits = [
        one for one in instance.all_limits if most.get(one.resource, ZERO) > one.limit
    ]
    for limit in instance.limits:
        least = instance.tightest.get(limit.resource, limit.limit)
        instance.tightest[limit.resource] = min(limit.limit, least)
    tightest = instance.tightest
    for piece in instance.pieces():
        for option in piece.options:
            option.alone = all(
                amount <= tightest[resource]
                for resource, amount in option.uses.items()
                if resource in tightest
            )
    for resource in tightest:
        values = amounts[resource]
        scale = lcm(*(amount.denominator for amount in values))
        step = Fraction(gcd(*(int(amount * scale) for amount in values)) or 1, scale)
        if most[resource] / step > AMOUNT_MAX:
            step = most[resource] / AMOUNT_MAX
            instance.coarse.add(resource)
        instance.steps[resource] = step


def _weigh(instance: Instance) -> None:
    """Set weights and unit: exact where they stay small enough, else rounded down."""
    extra: list[tuple[Option, Fraction]] = []
    for group in instance.groups:
        floors = []
        for block in group.blocks:
            least = [min(option.price for option in piece.options) for piece in block.pieces]
            floors.append(sum(least, ZERO))
        base = min(floors)
        instance.base += base
        for block, floor in zip(group.blocks, floors, strict=True):
            for position, piece in enumerate(block.pieces):
                cheapest = min(option.price for option in piece.options)
                # what a block costs more than the cheapest one is paid by its first piece
                above = (floor - base) if position == 0 else ZERO
                extra += [(one, one.price - cheapest + above) for one in piece.options]
    values = {value for _, value in extra if value}
    if values:
        scale = lcm(*(value.denominator for value in values))
        instance.unit = Fraction(gcd(*(int(value * scale) for value in values)), scale)
    if values and max(values) / instance.unit > WEIGHT_MAX:
        instance.unit, instance.exact = max(values) / WEIGHT_MAX, False
    for option, value in extra:
        option.weight = int(value / instance.unit)
