"""From the chosen options to the answer: rings, prices, flips, and how far a place still holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from skb.decision import Cost, Reason
from skb.questions.buffers_instance import Block, Chosen, Instance, Option, Piece, near
from skb.questions.buffers_price import DESCRIPTORS, TERMS, flips, per_second
from skb.questions.buffers_uses import Limit

UNIT = "ns/s"
PS_PER_NS = 1000


@dataclass(frozen=True, slots=True)
class Picked:
    """One ring of the answer: its flow, its piece and option, and the PU that consumes."""

    flow: int
    piece: Piece
    option: Option
    pu: int | None


def picked(chosen: Chosen) -> Iterator[Picked]:
    """Yield the rings of an answer in the order of the groups."""
    for block, options in chosen:
        pu = _seat(block, options)
        for piece, option in zip(block.pieces, options, strict=True):
            if piece.ring is not None:
                yield Picked(piece.flow, piece, option, pu)


def _seat(block: Block, options: list[Option]) -> int | None:
    seats = [option.pu for option in options if option.pu is not None]
    return seats[0] if seats else (block.pus[0] if block.pus else None)


def total(chosen: Chosen) -> Fraction:
    """Return the price of an answer, in ns/s."""
    return sum((o.price for _, options in chosen for o in options), Fraction(0)) / PS_PER_NS


def _ns(price_ps: Fraction) -> float:
    return price_ps.numerator / (price_ps.denominator * PS_PER_NS)


def flows(instance: Instance, chosen: Chosen) -> dict[str, Any]:
    """Return the rows of the answer, by flow in the order of the request."""
    used = instance.used(chosen)
    rings: dict[int, list[Picked]] = {}
    for one in picked(chosen):
        rings.setdefault(one.flow, []).append(one)
    consumers = _consumers(instance)
    rows = {}
    for index, flow in enumerate(instance.flows):
        payload, *others = rings[index]
        row = _ring(instance, payload)
        row |= {
            "near": near(instance.machine, flow, _place(payload), payload.pu),
            "touched": float(flow.touched),
            "forwarded": flow.forwarded,
            **_corners(instance, payload),
            "holds": _holds(instance, rings[index], used),
        }
        if flow.consumer.free:
            row["consumer_pu"] = payload.pu
            row["consumers"] = consumers[index]
        if others:
            row["total"] = _ns(sum((one.option.price for one in rings[index]), Fraction(0)))
            row["rings"] = {
                one.piece.ring.kind: _ring(instance, one) for one in others if one.piece.ring
            }
        rows[flow.name] = row
    return rows


def _place(one: Picked) -> Any:
    return one.option.place


def _ring(instance: Instance, one: Picked) -> dict[str, Any]:
    """Return where a ring lies, its price, and the price of every place that it may have."""
    ring = one.piece.ring
    own = sorted(
        (option for option in one.piece.options if instance.allowed(option)),
        key=lambda option: option.price,
    )
    return {
        **_at(one.option),
        "bytes": 0 if ring is None else ring.bytes,
        "alternatives": [_at(option) for option in own],
    }


def _at(option: Option) -> dict[str, Any]:
    place = option.place
    return {
        "numa_node": None if place is None else place.node,
        "place": "" if place is None else place.name,
        "value": _ns(option.price),
        "unit": UNIT,
    }


def _corners(instance: Instance, one: Picked) -> dict[str, Any]:
    """Return where the place of an undivided payload flips over the touched fraction."""
    flow = instance.flows[one.flow]
    if flow.split_bytes or one.pu is None:
        return {"crossover": None, "flips": []}
    lines = {
        option.place: option.cost
        for option in one.piece.options
        if option.place is not None and option.cost is not None and instance.allowed(option)
    }
    corners = flips(lines)
    return {
        "crossover": float(corners[0].touched) if corners else None,
        "flips": [
            {
                "touched": float(c.touched),
                "from": c.before.node,
                "to": c.after.node,
                "from_place": c.before.name,
                "to_place": c.after.name,
            }
            for c in corners
        ],
    }


def crosses(instance: Instance, block: Block, piece: Piece) -> bool:
    """Return whether an undivided payload has a crossover."""
    if instance.flows[piece.flow].split_bytes or not block.pus:
        return False
    return bool(
        flips(
            {
                option.place: option.cost
                for option in piece.options
                if option.place and option.cost and instance.allowed(option)
            }
        )
    )


def _holds(instance: Instance, rings: list[Picked], used: Mapping[str, Fraction]) -> dict[str, Any]:
    """Return up to which rate and which ring size the flow's places hold, all else unchanged.

    Beyond, the limit that is named keeps the flow from staying; None: nothing limits it.
    """
    flow = instance.flows[rings[0].flow]
    found: dict[str, Any] = {}
    for key, value, sizes in (
        ("packets_per_s", flow.packets_per_s, False),
        ("ring_bytes", Fraction(flow.ring_bytes), True),
    ):
        own: dict[str, Fraction] = {}
        for one in rings:
            for resource, amount in one.option.uses.items():
                if resource.startswith(("memory ", "cache ")) == sizes:
                    own[resource] = own.get(resource, Fraction(0)) + amount
        best = min(
            (
                (1 + (limit.limit - used[limit.resource]) / own[limit.resource], limit.id)
                for limit in instance.all_limits
                if limit.resource in own
            ),
            default=None,
        )
        found[key] = None if best is None else {"most": float(value * best[0]), "because": best[1]}
    return found


def _consumers(instance: Instance) -> dict[int, list[dict[str, Any]]]:
    """Return, for each flow whose PU is ours to choose, the price of each PU with the best places
    of the flow's own rings there.
    """
    found: dict[int, list[dict[str, Any]]] = {}
    for group in instance.groups:
        for index in group.flows:
            rows = []
            for block in group.blocks:
                own = [p for p in block.pieces if p.ring is not None and p.flow == index]
                fitting = [[o for o in p.options if instance.allowed(o)] for p in own]
                if not all(fitting):
                    continue
                value = sum((min(o.price for o in row) for row in fitting), Fraction(0))
                rows += [(value, pu) for pu in block.pus]
            found[index] = [
                {"pu": pu, "value": _ns(value), "unit": UNIT} for value, pu in sorted(rows)
            ]
    return found


def terms(instance: Instance, chosen: Chosen) -> tuple[Cost, ...]:
    """Return the price by term; descriptors are one where there are any."""
    sums = dict.fromkeys(TERMS, Fraction(0))
    for one in picked(chosen):
        flow, ring, cost = instance.flows[one.flow], one.piece.ring, one.option.cost
        if ring is None or cost is None:
            continue
        for term, value in cost.terms_ps(ring.touched).items():
            name = DESCRIPTORS if ring.kind == DESCRIPTORS else term
            sums[name] = sums.get(name, Fraction(0)) + per_second(flow, value)
    return tuple(Cost(term, float(value), UNIT) for term, value in sums.items())


def binding(instance: Instance, chosen: Chosen) -> tuple[Reason, ...]:
    """Return, for each ring that is not at its cheapest place, or each consumer that is not on one
    of its cheapest PUs, what keeps it away.
    """
    used = instance.used(chosen)
    limits: dict[str, list[Limit]] = {}
    for limit in instance.limits:
        limits.setdefault(limit.resource, []).append(limit)

    def away(option: Option, own: Mapping[str, Fraction]) -> list[str]:
        return [
            *option.bars,
            *(
                limit.id
                for resource, amount in option.uses.items()
                for limit in limits.get(resource, ())
                if used[resource] - own.get(resource, 0) + amount > limit.limit
            ),
        ]

    names: set[str] = set()
    for group, (block, options) in zip(instance.groups, chosen, strict=True):
        for piece, option in zip(block.pieces, options, strict=True):
            for cheaper in piece.options:
                if cheaper.price < option.price:
                    names.update(away(cheaper, option.uses))
        price = sum((option.price for option in options), Fraction(0))
        own = instance.used([(block, options)])
        for other in group.blocks:
            least = [min(one.price for one in piece.options) for piece in other.pieces]
            if other is not block and sum(least, Fraction(0)) < price:
                for piece in other.pieces:
                    kept = [away(option, own) for option in piece.options]
                    if all(kept):
                        names.update(name for row in kept for name in row)
    return tuple(instance.reasons[name] for name in sorted(names))
