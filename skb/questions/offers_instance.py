"""One request of `offers` over one machine: clients, services, spots, rules in words, and atoms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from skb.decision import Reason
from skb.engines.asp import INTEGER_MAX, Atom
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.offers_places import Places
from skb.questions.offers_request import (
    ClientRequest,
    Condition,
    OffersRequest,
    amount,
    condition,
    count,
    written,
)

LARGEST = 400_000
CAPACITY = "capacity"


@dataclass(frozen=True, slots=True)
class Service:
    """A service, the part where it runs, what it offers, and how many clients it takes."""

    name: str
    at: str
    properties: Mapping[str, str]
    capacity: int | None
    unusable: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A rule's name, the property, its condition, and the price of missing it in picoseconds."""

    id: str
    prop: str
    condition: Condition
    worth_ps: Fraction


@dataclass(frozen=True, slots=True)
class Client:
    """A client; `at` is its part or empty, `weight` multiplies latencies, `takes` are services."""

    name: str
    at: str
    needs: Mapping[str, Condition]
    wishes: tuple[Wish, ...]
    program: str
    limit_ps: Fraction | None
    weight: Fraction
    takes: int


@dataclass(frozen=True, slots=True)
class Spot:
    """Parts that run code and are alike for this request; the first stands for all."""

    parts: tuple[str, ...]
    isas: tuple[str, ...]
    latency_ps: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.parts[0]


class Instance:
    """What the rules read; `every` takes all parts that run code, not only those in question."""

    def __init__(self, machine: Machine, request: OffersRequest, *, every: bool = False) -> None:
        self.machine = machine
        self.request = request
        self.places = Places(machine)
        self.rules: dict[str, Reason] = {}
        self.narrow: dict[str, tuple[str, frozenset[str]]] = {}
        self.services = tuple(self._services())
        self.clients = tuple(self._clients())
        asked = sum(len(client.needs) + len(client.wishes) for client in self.clients)
        if asked * len(self.services) > LARGEST // 4:
            raise RequestError(
                f"{asked} needs and wishes of {len(self.services)} services are too many",
                mend="ask for fewer clients at a time",
            )
        self.images = self._images()
        self.forced: list[tuple[str, str, str]] = []
        for index, forced in enumerate(request.forced):
            self._force(index, forced.client, forced.service, forced.at)
        self.spots = self._spots(every)
        self.unit = self._unit()

    def _rule(self, name: str, text: str, *items: str) -> str:
        self.rules.setdefault(name, Reason(name, text, items))
        return name

    # ------------------------------------------------------------ services
    def _services(self) -> Iterable[Service]:
        where = {str(f.args[0]): str(f.args[1]) for f in self.machine.facts_of("service")}
        stated: dict[str, dict[str, str]] = defaultdict(dict)
        for fact in self.machine.facts_of("offer"):
            stated[str(fact.args[0])][str(fact.args[1])] = str(fact.args[2])
        limits: dict[str, int] = {}
        asked: set[str] = set()
        for index, offer in enumerate(self.request.offer):
            place = f"offers request $.offer[{index}]"
            if not offer.name or offer.name in asked:
                raise RequestError("a service has no name of its own", place=place, mend="name it")
            asked.add(offer.name)
            if offer.at is not None:
                where[offer.name] = self.places.name(offer.at, where, f"{place}.at")
            elif offer.name not in where:
                raise RequestError(
                    f"nobody states where {offer.name} runs", place=place, mend='add at = "pu:3"'
                )
            stated[offer.name] |= {key: written(value) for key, value in offer.properties.items()}
            if offer.capacity is not None:
                limits[offer.name] = count(offer.capacity, 0, f"{place}.capacity")
        for name in sorted(where):
            yield self._service(name, where[name], stated[name], limits.get(name))

    def _service(
        self, name: str, at: str, properties: Mapping[str, str], limit: int | None
    ) -> Service:
        if limit is None and CAPACITY in properties:
            text = properties[CAPACITY]
            if not (text.isascii() and text.isdigit() and len(text) < 10):
                raise RequestError(
                    f"the capacity of {name} is {text!r}, which is no number of clients",
                    place=f"offer({name}, {CAPACITY}, …)",
                    mend="state a whole number",
                )
            limit = int(text)
        why = self.places.why_unusable(at)
        if limit is not None:
            clients = "client" if limit == 1 else "clients"
            text = f"service {name} takes at most {limit} {clients}"
            self._rule(f"capacity:{name}", text, f"service:{name}")
        if why:
            self._rule(f"unusable:{name}", f"service {name} runs at {at}: {why}", at)
        return Service(name, at, properties, limit, why)

    # ------------------------------------------------------------ clients
    def _clients(self) -> Iterable[Client]:
        needs: dict[str, dict[str, str]] = defaultdict(dict)
        for fact in self.machine.facts_of("need"):
            needs[str(fact.args[0])][str(fact.args[1])] = str(fact.args[2])
        asked = self.request.client or [ClientRequest(name) for name in sorted(needs)]
        if not asked:
            raise RequestError(
                "there are no clients", place="offers request", mend="add [[client]], or facts need"
            )
        seen: set[str] = set()
        for index, client in enumerate(asked):
            place = f"offers request $.client[{index}]"
            if not client.name or client.name in seen:
                raise RequestError("a client has no name of its own", place=place, mend="name it")
            seen.add(client.name)
            yield self._client(client, {**needs.get(client.name, {}), **client.needs}, place)

    def _client(self, asked: ClientRequest, needs: Mapping[str, object], place: str) -> Client:
        name, where = asked.name, {service.name: service.at for service in self.services}
        at = where.get(name, "") if asked.at is None else ""
        if asked.at is not None:
            at = self.places.name(asked.at, where, f"{place}.at")
        if asked.program == "":
            raise RequestError(f"the program of {name} has no name", place=place, mend="name it")
        if not at and asked.program is None:
            raise RequestError(
                f"nobody states where {name} runs", place=place, mend='add at = "pu:3", or program'
            )
        takes = asked.services
        if takes is None:
            takes = 1 if needs or asked.wishes or asked.max_latency_ns is not None else 0
        if takes == 0 and asked.program is None:
            raise RequestError(
                f"client {name} needs nothing", place=place, mend='add needs = { protocol = "tcp" }'
            )
        limit = asked.max_latency_ns
        client = Client(
            name=name,
            at=at,
            needs={key: condition(needs[key], f"{place}.needs") for key in sorted(needs)},  # type: ignore[arg-type]
            wishes=tuple(
                Wish(
                    f"wish:{name}:{prop}",
                    prop,
                    condition(wish.is_, f"{place}.wishes"),
                    amount(wish.worth_ns, f"{place}.wishes") * 1000,
                )
                for prop, wish in sorted(asked.wishes.items())
            ),
            program=asked.program or "",
            limit_ps=None if limit is None else amount(limit, f"{place}.max_latency_ns") * 1000,
            weight=amount(asked.weight, f"{place}.weight"),
            takes=count(takes, 0, f"{place}.services"),
        )
        self._client_rules(client)
        return client

    def _client_rules(self, client: Client) -> None:
        name = client.name
        if client.at:
            why = self.places.why_unusable(client.at)
            text = f"client {name} runs at {client.at}" + (f": {why}" if why else "")
            rule = self._rule(f"at:{name}", text, client.at)
            self.narrow[rule] = (name, frozenset(self.places.inside(client.at)))
        for prop, wanted in client.needs.items():
            text = f"client {name} needs {prop} {wanted}"
            self._rule(f"need:{name}:{prop}", text, f"client:{name}")
        if client.limit_ps is not None:
            text = f"client {name} needs its services within {float(client.limit_ps / 1000):g} ns"
            self._rule(f"latency:{name}", text, f"client:{name}")

    def _images(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, set[str]] = defaultdict(set)
        for fact in self.machine.facts_of("image"):
            found[str(fact.args[0])].add(str(fact.args[1]))
        for program, isas in self.request.images.items():
            found[program] |= set(isas)
        for client in self.clients:
            if client.program:
                have = ", ".join(sorted(found.get(client.program, ()))) or "no instruction set"
                text = f"client {client.name} runs {client.program}, which has images for {have}"
                self._rule(f"image:{client.name}", text, f"client:{client.name}")
        return {program: tuple(sorted(isas)) for program, isas in found.items()}

    def _force(self, index: int, client: str, service: str | None, at: str | int | None) -> None:
        place = f"offers request $.forced[{index}]"
        if client not in {each.name for each in self.clients}:
            known = ", ".join(each.name for each in self.clients[:20])
            raise RequestError(f"no client {client!r}", place=place, mend=f"clients are: {known}")
        where = {each.name: each.at for each in self.services}
        if service is not None:
            if service not in where:
                known = ", ".join([*where][:20]) or "none"
                raise RequestError(
                    f"no service {service!r}", place=place, mend=f"services are: {known}"
                )
            name = f"forced:{client}:{service}"
            self._rule(name, f"client {client} is to use {service}", f"client:{client}")
            self.forced.append((name, client, service))
        if at is not None:
            part = self.places.name(at, where, place)
            name = self._rule(f"forced-at:{client}:{part}", f"client {client} is to run at {part}")
            self.narrow[name] = (client, frozenset(self.places.inside(part)))

    # ------------------------------------------------------------ spots
    def _spots(self, every: bool) -> tuple[Spot, ...]:
        wanted = self._wanted(every)
        usable = [service for service in self.services if not service.unusable]
        if (len(wanted) + 1) * len(self.clients) * max(1, len(self.services)) > 50 * LARGEST:
            raise RequestError("that is too much for one request", mend="ask for fewer clients")
        alike: dict[tuple[object, ...], list[str]] = defaultdict(list)
        for part in wanted:
            latency = tuple(self.places.ps(part, service.at) for service in usable)
            inside = tuple(part in parts for _, parts in self.narrow.values())
            alike[self.places.isas(part), latency, inside].append(part)
        spots = tuple(Spot(tuple(parts), key[0], key[1]) for key, parts in alike.items())  # type: ignore[arg-type]
        if len(spots) * len(self.clients) * max(1, len(usable)) > LARGEST:
            raise RequestError(
                f"{len(spots)} places for {len(self.clients)} clients and {len(usable)} services "
                "are too many to prove anything",
                mend="say where clients run (at), or ask for fewer at a time",
            )
        return spots

    def _wanted(self, every: bool) -> tuple[str, ...]:
        named = [part for _, parts in self.narrow.values() for part in parts]
        if every or not all(client.at for client in self.clients):
            named = [*self.places.every(), *named]
        order = {part: index for index, part in enumerate(self.places.every())}
        unique = dict.fromkeys(named)
        return tuple(sorted(unique, key=lambda part: (order.get(part, len(order)), part)))

    # ------------------------------------------------------------ prices
    @property
    def usable(self) -> tuple[Service, ...]:
        return tuple(service for service in self.services if not service.unusable)

    def price_ps(self, client: Client, spot: Spot, service: str) -> Fraction:
        """Return what a service costs a client at a spot, without its wishes."""
        names = [each.name for each in self.usable]
        return client.weight * spot.latency_ps[names.index(service)]

    def _unit(self) -> Fraction:
        """Return the largest unit of all prices, or a coarser one where they would not fit."""
        far = max((ps for spot in self.spots for ps in spot.latency_ps), default=0)
        worth = [wish.worth_ps for client in self.clients for wish in client.wishes]
        weights = [client.weight for client in self.clients]
        scale = lcm(*(value.denominator for value in (*worth, *weights)))
        latencies = gcd(*(ps for spot in self.spots for ps in spot.latency_ps))
        parts = [int(value * scale) for value in worth]
        parts += [int(weight * scale) * latencies for weight in weights]
        unit = Fraction(gcd(*parts) or 1, scale)
        most = sum(
            client.takes * (client.weight * far + sum(wish.worth_ps for wish in client.wishes))
            for client in self.clients
        )
        return max(unit, Fraction(most) / (INTEGER_MAX // 2))

    @property
    def exact(self) -> bool:
        """Tell whether every price is a whole multiple of the unit."""
        prices = [w.worth_ps for c in self.clients for w in c.wishes]
        prices += [c.weight * ps for c in self.clients for s in self.spots for ps in s.latency_ps]
        return all((price / self.unit).denominator == 1 for price in prices)

    # ------------------------------------------------------------ atoms
    def atoms(self) -> tuple[Atom, ...]:
        """Return the instance for `rules/offers`, without `rule` and `fixed`."""
        return (
            *self._service_atoms(),
            *self._client_atoms(),
            *self._spot_atoms(),
            *(("forced", row) for row in self.forced),
            *(("image", (g, isa)) for g, isas in self.images.items() for isa in isas),
        )

    def _service_atoms(self) -> Iterable[Atom]:
        for service in self.services:
            yield "service", (service.name,)
            if service.unusable:
                yield "unusable", (f"unusable:{service.name}", service.name)
            if service.capacity is not None:
                yield "capacity", (f"capacity:{service.name}", service.name, service.capacity)
            for prop, value in service.properties.items():
                yield "offers", (service.name, prop, value)

    def _client_atoms(self) -> Iterable[Atom]:
        numbers: dict[Condition, int] = {}
        asked: dict[tuple[str, Condition], None] = {}
        weights = self._weights()
        for client in self.clients:
            name = client.name
            yield "client", (name,)
            yield "takes", (name, client.takes)
            yield "weight", (name, weights[client.weight])
            for prop, wanted in client.needs.items():
                seen = numbers.setdefault(wanted, len(numbers))
                asked[prop, wanted] = None
                yield "needs", (f"need:{name}:{prop}", name, prop, seen)
            for wish in client.wishes:
                seen = numbers.setdefault(wish.condition, len(numbers))
                asked[wish.prop, wish.condition] = None
                yield "wishes", (wish.id, name, wish.prop, seen)
                yield "worth", (wish.id, int(wish.worth_ps / self.unit))
            if client.program:
                yield "wants", (f"image:{name}", name, client.program)
        for prop, wanted in asked:
            stated = {s.properties[prop] for s in self.services if prop in s.properties}
            yield from (("holds", (numbers[wanted], v)) for v in sorted(stated) if wanted.holds(v))

    def _weights(self) -> Mapping[Fraction, int]:
        return {w: n for n, w in enumerate(sorted({client.weight for client in self.clients}))}

    def _spot_atoms(self) -> Iterable[Atom]:
        steps = sorted({ps for spot in self.spots for ps in spot.latency_ps})
        ranks = {ps: rank for rank, ps in enumerate(steps, 1)}
        for client in self.clients:
            if client.limit_ps is not None:
                reached = sum(1 for ps in steps if ps <= client.limit_ps)
                yield "limit", (f"latency:{client.name}", client.name, reached)
        for rule, (client_name, _) in self.narrow.items():
            yield "within", (rule, client_name)
        for index, spot in enumerate(self.spots):
            yield "spot", (index,)
            yield from (("runs", (index, isa)) for isa in spot.isas)
            for rule, (_, parts) in self.narrow.items():
                if spot.name in parts:
                    yield "inside", (rule, index)
            for service, ps in zip(self.usable, spot.latency_ps, strict=True):
                yield "rank", (index, service.name, ranks[ps])
                for weight, number in self._weights().items():
                    yield "price", (number, index, service.name, int(weight * ps / self.unit))


def reasons_of(instance: Instance, names: Sequence[str]) -> tuple[Reason, ...]:
    """Return the named rules in words, in the order in which the request states them."""
    return tuple(reason for name, reason in instance.rules.items() if name in names)
