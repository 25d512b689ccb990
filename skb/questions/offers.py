"""`offers`: which service serves which client, and where a program with code images runs.

The rules (`rules/offers/`) decide which service suits and which part can run a program. Where each
pair of client and service has a price of its own, the cheapest flow over what the rules admit is
the answer; else clingo minimises. Both prove it. Minimised is the sum of weight times latency over
all clients and their services, plus what each missed wish is worth: both are nanoseconds, so that a
wish says how much farther its client would go for it. Clients do not take PUs from each other;
`placement` does that.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import inf, lcm, nextafter
from typing import Any

from skb.checkers.offers import check as check_answer
from skb.decision import Assumption, Cost, Decision, Limits, Objective, Reason, Status
from skb.engines.asp import Atom, Model, Program, engine_name, minimal_core
from skb.engines.offers_flow import cheapest
from skb.errors import LimitError, RequestError
from skb.machine import Machine
from skb.questions.offers_ground import UNIT, Ground, Offer
from skb.questions.offers_instance import Client, Instance, Spot, reasons_of
from skb.questions.offers_request import OffersRequest
from skb.questions.offers_request import force as forced_request
from skb.questions.question import Question, Raw, read_request
from skb.wording import spans

FILES = ("offers/input.lp", "offers/match.lp", "offers/check.lp")
DECIDE = (*FILES, "offers/decide.lp")
EXPLAIN = (*FILES, "offers/explain.lp")
# other services that are priced by solving the whole request anew
PRICED = 24
# pairs of client and service that may be weighed for these prices
PAIRS = 20_000


def decide(machine: Machine, raw: Raw, limits: Limits) -> Decision:
    """Return the cheapest match with its proof, or the needs that clash.

    Raises `RequestError` for a bad request, `LimitError` where the limit came before a match.
    """
    started = time.monotonic()
    request = read_request(raw, OffersRequest, "offers")
    instance = Instance(machine, request)
    fixed: list[Atom] = [("fixed", (rule,)) for rule in instance.rules]
    program = Program(DECIDE, (*instance.atoms(), *fixed))
    model = Model(program, seed=limits.seed)
    deadline = started + limits.seconds
    found = _Answer(instance, model)
    if found.choose(_left(limits, deadline)):
        decision = found.decision(limits, deadline)
    else:
        decision = _explained(machine, request, _left(limits, deadline))
    decision = replace(decision, request=dict(raw))
    return decision.stamped(
        facts=machine.digest,
        rules=program.digest,
        engine=found.engine,
        seed=limits.seed,
        limit_s=limits.seconds,
        conflicts=limits.conflicts,
        seconds=round(time.monotonic() - started, 6),
    )


def _left(limits: Limits, deadline: float) -> Limits:
    return replace(limits, seconds=max(0.0, deadline - time.monotonic()))


def _explained(machine: Machine, request: OffersRequest, limits: Limits) -> Decision:
    """Return the decision that names a minimal set of needs and facts that clash."""
    whole = True
    try:
        instance = Instance(machine, request, every=True)
    except RequestError:
        # too large with every part: of those in question the reasons may be more than needed
        whole, instance = False, Instance(machine, request)
    named: list[Atom] = [("act", (rule,)) for rule in instance.rules]
    rules: list[Atom] = [("rule", (rule,)) for rule in instance.rules]
    model = Model(Program(EXPLAIN, (*instance.atoms(), *rules)), seed=limits.seed)
    core, exact = minimal_core(model, named, limits)
    # without any core found, all that is known is that not everything holds at once
    exact = exact and whole
    late = not core and not exact
    reasons = reasons_of(instance, [str(args[0]) for _, args in (named if late else core)])
    if not reasons:
        short = len(instance.services) < max(client.takes for client in instance.clients)
        text = f"{machine.name} has {len(instance.services)} services"
        if not short:
            text = f"{machine.name} has no usable part that runs code"
        reasons, exact = (Reason("machine", text, ("machine:0",)),), exact or short
    return Decision(
        question="offers",
        machine=machine.name,
        revision=machine.revision,
        status=Status.INFEASIBLE,
        objective=Objective("latency", None, UNIT),
        answer={},
        reasons=reasons,
        assumed=instance.places.assumed if any(r.id.startswith("latency") for r in reasons) else (),
        warnings=() if exact else ("the reasons are not proven to be minimal",),
    )


class _Answer(Ground):
    """Reads a model: what was chosen, what else there was, and why the rest was refused."""

    def __init__(self, instance: Instance, model: Model) -> None:
        super().__init__(instance, model)
        self.engine = engine_name()
        self.spot: dict[str, int] = {}
        self.used: dict[str, list[str]] = {}
        # of the price, in the unit of the instance; None is the price itself
        self.bound: int | None = None

    def choose(self, limits: Limits) -> bool:
        """Choose places and services; False where there is no match.

        Raises `LimitError` where the limit came before a match.
        """
        if self._separable():
            self.engine += " + network simplex"
            return self._seated()
        outcome = self.model.solve(limits=limits)
        if outcome.satisfiable is None:
            raise LimitError(
                f"no match was found in {limits.seconds:g} s, and none was excluded",
                mend="allow more seconds, or ask for fewer clients",
            )
        self.used = {client.name: [] for client in self.instance.clients}
        for name, args in sorted(outcome.atoms, key=str):
            if name == "use":
                self.used[str(args[0])].append(str(args[1]))
            else:
                self.spot[str(args[0])] = int(str(args[1]))
        if not (outcome.proven and self.instance.exact):
            self.bound = outcome.bound[0] if outcome.bound else 0
        return bool(outcome.satisfiable)

    # ------------------------------------------------------------ choices that are independent
    def _separable(self) -> bool:
        """Tell whether a pair of client and service has a price, whatever else is chosen."""
        return all(
            (client.takes == 1 or not self.forced(client))
            and (client.takes <= 1 or len(self.open(client)) == 1)
            for client in self.instance.clients
        )

    def forced(self, client: Client) -> set[str]:
        """Return the services that a client is to use, whatever else it could."""
        return {s for _, c, s in self.instance.forced if c == client.name}

    def _seated(self) -> bool:
        """Choose by the cheapest flow."""
        found = self.flow("", "")
        if found is None or not all(self.open(client) for client in self.instance.clients):
            return False
        self.used, offers = found
        for each in self.instance.clients:
            own = [offers[each.name, name].spot for name in self.used[each.name]]
            spots = self.instance.spots
            self.spot[each.name] = spots.index(own[0]) if own else self.open(each)[0]
        return True

    def flow(
        self, forced: str, to: str
    ) -> tuple[dict[str, list[str]], dict[tuple[str, str], Offer]] | None:
        """Return the services of each client by the cheapest flow, and the offers it chose from."""
        offers: dict[tuple[str, str], Offer] = {}
        for client in self.instance.clients:
            only = self.forced(client) | ({to} if client.name == forced else set())
            for offer in self.ranking(client):
                if only <= {offer.service.name}:
                    offers[client.name, offer.service.name] = offer
        scale = lcm(*(offer.price_ps.denominator for offer in offers.values()))
        used = cheapest(
            {client.name: client.takes for client in self.instance.clients},
            {service.name: service.capacity for service in self.instance.usable},
            {pair: int(offer.price_ps * scale) for pair, offer in offers.items()},
        )
        return None if used is None else (used, offers)

    # ------------------------------------------------------------ decision
    def decision(self, limits: Limits, deadline: float) -> Decision:
        """Return the decision with its proof, ranking, alternatives and binding constraints."""
        instance = self.instance
        chosen = {c.name: self._chosen(c) for c in instance.clients}
        rankings = {c.name: self.ranking(c) for c in instance.clients}
        price = sum((o.price_ps for offers in chosen.values() for o in offers), Fraction(0))
        way = sum(
            (c.weight * o.latency_ps for c in instance.clients for o in chosen[c.name]), Fraction(0)
        )
        bound = price if self.bound is None else min(self.bound * instance.unit, price)
        value, floor = float(price / 1000), float(bound / 1000)
        if bound < price and floor >= value:
            floor = nextafter(value, -inf)
        return Decision(
            question="offers",
            machine=instance.machine.name,
            revision=instance.machine.revision,
            status=Status.OPTIMAL if bound == price else Status.FEASIBLE,
            objective=Objective("latency", value, UNIT),
            bound=floor,
            answer={"clients": {c.name: self._row(c, chosen, rankings) for c in instance.clients}},
            costs=(
                Cost("latency", float(way / 1000), UNIT),
                Cost("wishes", float((price - way) / 1000), UNIT),
            ),
            reasons=self._binding(chosen, rankings),
            alternatives=self._alternatives(rankings, limits, deadline),
            assumed=(*instance.places.assumed, *self._unlimited()),
        )

    def _chosen(self, client: Client) -> list[Offer]:
        named = {service.name: service for service in self.instance.usable}
        spot = self.spot[client.name]
        offers = [self.offer(client, named[name], spot) for name in self.used[client.name]]
        return sorted(offers, key=lambda offer: (offer.price_ps, offer.service.name))

    def _row(
        self,
        client: Client,
        chosen: Mapping[str, list[Offer]],
        rankings: Mapping[str, list[Offer]],
    ) -> dict[str, Any]:
        spot = self.instance.spots[self.spot[client.name]]
        suited = {offer.service.name for offer in rankings[client.name]}
        others = [s for s in self.instance.services if s.name not in suited]
        return {
            "at": spot.name,
            "alike": _together(spot.parts),
            "isa": self._isa(client, spot),
            "services": [offer.row() for offer in chosen[client.name]],
            "ranking": [offer.row() for offer in rankings[client.name]] if client.takes else [],
            "refused": [
                {"service": s.name, "reasons": [r.text for r in self.refusals(client, s)]}
                for s in others
                if client.takes
            ],
        }

    def _isa(self, client: Client, spot: Spot) -> str | None:
        """Return the instruction set whose image the client takes, or that of its place."""
        images = self.instance.images.get(client.program, ())
        fit = [isa for isa in spot.isas if isa in images] if client.program else list(spot.isas)
        return fit[0] if fit else None

    def _binding(
        self, chosen: Mapping[str, list[Offer]], rankings: Mapping[str, list[Offer]]
    ) -> tuple[Reason, ...]:
        """Return what keeps each client from a cheaper service."""
        found: dict[str, Reason] = {}
        for client in self.instance.clients:
            if not chosen[client.name]:
                continue
            most = chosen[client.name][-1].price_ps
            for offer in rankings[client.name]:
                name = f"capacity:{offer.service.name}"
                mine = offer.service.name in self.used[client.name]
                if offer.price_ps < most and not mine and name in self.instance.rules:
                    found[name] = self.instance.rules[name]
            suited = {offer.service.name for offer in rankings[client.name]}
            for service in self.instance.usable:
                other = self.best(client, service, near=False)
                if service.name in suited or other is None or other.price_ps >= most:
                    continue
                found |= {reason.id: reason for reason in self.refusals(client, service)}
        return tuple(found[name] for name in sorted(found))

    def _alternatives(
        self, rankings: Mapping[str, list[Offer]], limits: Limits, deadline: float
    ) -> tuple[dict[str, Any], ...]:
        """Return what the whole costs at best where a client is to use another service."""
        wanted = [
            (rank, client.name, offer.service.name)
            for client in self.instance.clients
            for rank, offer in enumerate(rankings[client.name])
            if client.takes and offer.service.name not in self.used[client.name]
        ]
        pairs = len(self.instance.clients) * len(self.instance.usable)
        rows: list[dict[str, Any]] = []
        for _, client, service in sorted(wanted)[: min(PRICED, 1 + PAIRS // max(1, pairs))]:
            price = self._forced_price(client, service, _left(limits, deadline))
            if price is not None:
                row = {"name": f"{client} uses {service}", "client": client, "service": service}
                rows.append({**row, "value": float(price / 1000), "unit": UNIT})
        return tuple(sorted(rows, key=lambda row: (row["value"], row["name"])))

    def _forced_price(self, client: str, service: str, limits: Limits) -> Fraction | None:
        """Return the least price with a pair forced, None where it is not possible or proven."""
        if self._separable():
            several = any(c.takes > 1 for c in self.instance.clients if c.name == client)
            found = None if several else self.flow(client, service)
            if found is None:
                return None
            used, offers = found
            pairs = [(name, each) for name, names in used.items() for each in names]
            return sum((offers[pair].price_ps for pair in pairs), Fraction(0))
        fewer = replace(limits, conflicts=max(1, limits.conflicts // PRICED))
        other = self.model.solve([(("use", (client, service)), True)], fewer)
        proven = other.satisfiable and other.proven and self.instance.exact
        return sum(other.cost) * self.instance.unit if proven else None

    def _unlimited(self) -> tuple[Assumption, ...]:
        used = {name for names in self.used.values() for name in names}
        free = [s.name for s in self.instance.usable if s.capacity is None and s.name in used]
        text = f"capacity of {', '.join(free)} = unlimited"
        return (Assumption(text, "nobody stated how many clients"),) if free else ()


def _together(parts: tuple[str, ...]) -> str:
    pus = [int(part.partition(":")[2]) for part in parts if part.startswith("pu:")]
    others = [part for part in parts if not part.startswith("pu:")]
    return ",".join([*([f"pu:{spans(pus)}"] if pus else []), *others])


def force(machine: Machine, raw: Raw, clause: Mapping[str, str]) -> dict[str, Any]:
    """Return the request with an alternative forced: `client=app service=net1`, or `at=pu:5`."""
    forced = forced_request(raw, clause)
    Instance(machine, read_request(forced, OffersRequest, "offers"))
    return forced


EXAMPLE = """\
[[client]]
name = "app"
at = "pu:2"
needs = { protocol = "tcp", speed_gbit = ">= 1" }
wishes = { zero_copy = { is = true, worth_ns = 20 } }

[[offer]]
name = "net0"
at = "pu:0"
properties = { protocol = "tcp", speed_gbit = 10 }
capacity = 1

[[offer]]
name = "net1"
at = "pu:1"
properties = { protocol = "tcp", speed_gbit = 10, zero_copy = true }
"""

QUESTION = Question(
    name="offers",
    summary="which service serves which client, and where a program with code images runs",
    request=OffersRequest,
    decide=decide,
    check=check_answer,
    force=force,
    example=EXAMPLE,
)
