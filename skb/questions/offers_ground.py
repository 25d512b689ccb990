"""What the rules of `offers` say of each client, service and spot, read from the ground program."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from skb.decision import Reason
from skb.engines.asp import Model
from skb.questions.offers_instance import Client, Instance, Service, Spot

UNIT = "ns"


@dataclass(frozen=True, slots=True)
class Offer:
    """A service for a client at the best spot for the two: price in picoseconds, wishes missed."""

    service: Service
    spot: Spot
    latency_ps: int
    price_ps: Fraction
    missed: tuple[str, ...]

    def row(self) -> dict[str, Any]:
        return {
            "service": self.service.name,
            "at": self.service.at,
            "from": self.spot.name,
            "latency_ns": self.latency_ps / 1000,
            "missed": list(self.missed),
            "value": float(self.price_ps / 1000),
            "unit": UNIT,
        }


class Ground:
    """Who is refused, barred or too far, and what each pair costs."""

    def __init__(self, instance: Instance, model: Model) -> None:
        self.instance = instance
        self.model = model
        self.refused = self._pairs("refused", 3)
        self.missed = self._pairs("missed", 3)
        self.barred = {(str(c), int(str(p))) for _, c, p in model.atoms("barred", 3)}
        self.far = {(str(c), int(str(p)), str(s)) for _, c, p, s in model.atoms("far", 4)}
        self._place = {service.name: n for n, service in enumerate(instance.usable)}
        self._open: dict[str, list[int]] = {}
        self._ranked: dict[str, list[Offer]] = {}

    def _pairs(self, predicate: str, arity: int) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {}
        for rule, client, service in sorted(self.model.atoms(predicate, arity), key=str):
            found.setdefault((str(client), str(service)), []).append(str(rule))
        return found

    def open(self, client: Client) -> list[int]:
        """Return the spots where a client may run."""
        if client.name not in self._open:
            spots = range(len(self.instance.spots))
            self._open[client.name] = [s for s in spots if (client.name, s) not in self.barred]
        return self._open[client.name]

    # ------------------------------------------------------------ offers
    def offer(self, client: Client, service: Service, spot: int) -> Offer:
        """Return what a service costs a client at a spot."""
        at = self.instance.spots[spot]
        latency = at.latency_ps[self._place[service.name]]
        missed = self.missed.get((client.name, service.name), [])
        wishes = [wish for wish in client.wishes if wish.id in missed]
        price = client.weight * latency + sum(wish.worth_ps for wish in wishes)
        return Offer(service, at, latency, Fraction(price), tuple(w.prop for w in wishes))

    def best(self, client: Client, service: Service, *, near: bool = True) -> Offer | None:
        """Return a service at the best spot, within the client's latency limit if `near`."""
        far = self.far if near else ()
        spots = [s for s in self.open(client) if (client.name, s, service.name) not in far]
        offers = [self.offer(client, service, spot) for spot in spots]
        return min(offers, key=lambda offer: offer.price_ps, default=None)

    def ranking(self, client: Client) -> list[Offer]:
        """Return the services that suit a client, the cheapest first, whoever else takes them."""
        if client.name not in self._ranked:
            suited = [s for s in self.instance.usable if (client.name, s.name) not in self.refused]
            offers = [offer for s in suited if (offer := self.best(client, s))]
            offers.sort(key=lambda offer: (offer.price_ps, offer.service.name))
            self._ranked[client.name] = offers
        return self._ranked[client.name]

    def refusals(self, client: Client, service: Service) -> list[Reason]:
        """Return the rules that keep a service from a client, each with what the service states."""
        rules = self.instance.rules
        found = []
        for name in self.refused.get((client.name, service.name), []):
            text = rules[name].text
            if name.startswith("need:"):
                prop = name.removeprefix(f"need:{client.name}:")
                value = service.properties.get(prop)
                has = f"states no {prop}" if value is None else f"offers {value}"
                text = f"{text}; {service.name} {has}"
            found.append(Reason(f"{name}:{service.name}", text, (f"service:{service.name}",)))
        if not found and (far := self.best(client, service, near=False)):
            text = f"{rules[f'latency:{client.name}'].text}; {service.name} is at "
            text += f"{far.latency_ps / 1000:g} ns"
            name = f"latency:{client.name}:{service.name}"
            found.append(Reason(name, text, (f"service:{service.name}",)))
        return found
