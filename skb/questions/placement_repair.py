"""Repair of a placement after parts went away or facts changed, with the fewest moves.

First a safe answer: each task that cannot stay gets the cheapest seat that is free, one after the
other. Then the best of all placements that move these tasks alone, with proof. Each is the answer
to a request of its own: all other tasks are kept where they are (`current.keep`), so that *optimal*
means optimal among the placements that move no others. Where these tasks alone cannot be seated,
the fewest others move as well.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from skb.decision import Decision, Limits, Reason, Status
from skb.engines.placement_board import Seat
from skb.engines.placement_guests import Guest, inserted, price_of
from skb.engines.placement_rescue import Rescue, rescued
from skb.machine import Machine
from skb.questions.placement_load import why_busy
from skb.questions.placement_request import exact
from skb.questions.placement_resident import Resident
from skb.questions.placement_seated import decided, kept_request
from skb.questions.placement_stranded import crowding
from skb.questions.placement_widening import fewest_moves, making_room

# so many tasks are seated together with proof; more of them in parts of this size
TOGETHER, PART = 15, 10
# nodes of the search: for each limit of conflicts the same decision
NODES_PER_CONFLICT = 2
PASSES = 3
SAFE, BEST = "insertion", "branch and bound over classes of PUs"


@dataclass(frozen=True, slots=True)
class Mended:
    """Where the tasks that move go; `proven` says that none who move them alone do better.

    `added` is what the moved tasks cost in their new places, `least` what they cost at least, both
    in the scale of the event.
    """

    seats: Mapping[str, Seat]
    added: int
    least: int
    proven: bool
    engine: str
    seconds: float
    others: tuple[str, ...] = ()

    @property
    def moves(self) -> dict[str, dict[str, Any]]:
        """PUs and memory node of each task that moves."""
        return {name: seat.placed() for name, seat in self.seats.items()}


class Repair:
    """A placement that waits for events; made before them, so that the answer is quick.

    `off` and `on` tell of parts without power, `busy` and `idle` of overloaded ones, `onto` of
    another snapshot; each gives an `Event`.
    """

    def __init__(self, machine: Machine, decision: Mapping[str, Any]) -> None:
        self.resident = Resident.of(machine, decision)
        current = decision["request"].get("current") or {}
        self.migration_cost = float(current.get("migration_cost", 0.0))
        self.event: Event | None = None
        grid = self.resident.grid
        for outwards in (True, False):
            grid.table(outwards, False)

    def off(self, *parts: str) -> Event:
        """Switch parts off."""
        begun = self._begin()
        return self._event(self.resident.off(*parts), begun)

    def on(self, *parts: str) -> Event:
        """Switch on what `off` switched off."""
        begun = self._begin()
        return self._event(self.resident.on(*parts), begun)

    def busy(self, *parts: str) -> Event:
        """Leave parts to other work."""
        begun = self._begin()
        return self._event(self.resident.busy(*parts), begun)

    def idle(self, *parts: str) -> Event:
        """Use parts again that were busy."""
        begun = self._begin()
        return self._event(self.resident.idle(*parts), begun)

    def onto(self, machine: Machine) -> Event:
        """Take another snapshot of the machine; raises `RequestError` where a part that the
        request names is not there any more.
        """
        begun = self._begin()
        return self._event(self.resident.onto(machine), begun)

    def _begin(self) -> float:
        """Let who has not moved since the last event sit where it sat; return the time."""
        if self.event is not None:
            self.event.undo()
        return time.monotonic()

    def _event(self, evicted: Sequence[str], begun: float) -> Event:
        # facts that changed before may leave too little for who has not moved since
        more = crowding(self.resident.seating, evicted)
        self.event = Event(self, (*evicted, *more), begun)
        return self.event


class Event:
    """What happened to a placement: who has to move, and where to."""

    def __init__(self, repair: Repair, evicted: Sequence[str], begun: float) -> None:
        self.repair = repair
        self.resident = repair.resident
        self.begun = begun
        self.evicted = tuple(evicted)
        self.before = {**self.resident.seating.seats, **self.resident.lost}
        self.lost = dict(self.resident.lost)
        self.resident.lost.clear()
        self.scale = self.resident.needs.scale
        self.others: tuple[str, ...] = ()
        self.fewest = True
        self.nothing = False  # proven that those who cannot stay find no room
        self.hint: Mapping[str, Any] = {}
        self.guests = [self._guest(name) for name in self.evicted]
        for name in self.evicted:
            if name not in self.lost:
                self.resident.stand(name)

    def _guest(self, name: str) -> Guest:
        resident = self.resident
        need = resident.need(name)
        if self.repair.migration_cost and name not in self.lost:
            moving = int(exact(self.repair.migration_cost) * 1000 * resident.needs.scale)
            seat = self.before[name]
            need = replace(need, current=frozenset(seat.pus), moving=moving)
        return Guest(name, need, resident.rows.peers(name, resident.needs.scale))

    def widen(self, limits: Limits) -> Decision | None:
        """Let the fewest others move too, where those that cannot stay find no room.

        Returns the decision that names the clashing rules where nothing helps, else None.
        """
        resident = self.resident
        names = making_room(resident, self.guests)
        if not names:
            request = self._request(())
            above = self._most()
            found, moved, fewest = fewest_moves(resident.machine, request, above, limits)
            if found.status is Status.INFEASIBLE:
                return replace(found, request=request)
            self.fewest = fewest
            names = tuple(name for name in moved if name not in self.evicted)
            self.hint = found.answer["tasks"]
        else:
            self.fewest = self.nothing and len(names) == 1
        self.others = names
        more = [self._guest(name) for name in names]
        for name in names:
            resident.stand(name)
        self.guests += more
        return None

    def _most(self) -> float:
        """Return a price in ns/s that no placement reaches without moves."""
        resident, seating = self.resident, self.resident.seating
        far = max(int(seating.grid.table(out, False).max(initial=0)) for out in (True, False))
        most = 0
        for name in resident.told:
            most += sum(rate * far for _o, rate, _out in resident.rows.peers(name, seating.unit))
        pus = tuple(seating.grid.class_of)
        memory = max((seating.grid.memory(pu, n) for pu in pus for n in self._nodes()), default=0)
        for need in (*seating.needs.values(), *(guest.need for guest in self.guests)):
            if need.toll is not None:
                most += max(map(need.toll, pus), default=0)
            most += seating.unit * (far * len(pus) * (need.count > 1 or need.whole) + memory)
        return float(most / (1000 * seating.unit)) + 1.0

    def _nodes(self) -> tuple[int, ...]:
        return self.resident.ground.machine.usable_numa

    def because(self) -> tuple[Reason, ...]:
        """Say of each task that moves why it cannot stay."""
        found = []
        for name in (*self.evicted, *self.others):
            text = f"task {name} has to move: {self._why(name)}"
            found.append(Reason(f"moves({name})", text, (f"task:{name}",)))
        return tuple(found)

    def _why(self, name: str) -> str:
        resident, seat = self.resident, self.before[name]
        machine, off = resident.ground.machine, resident.parts_off
        for pu in seat.pus:
            if pu not in machine.core_of:
                return f"it runs on PU {pu}, which the machine no longer has"
            around = (f"pu:{pu}", *machine.ancestors(f"pu:{pu}"))
            part = next((at for at in around if at in off), None)
            why = f"{part} is powered off" if part else machine.unusable(f"pu:{pu}")
            why = why or self._load(name, pu)
            if why:
                return f"it runs on PU {pu}, and {why}"
        if name in self.others:
            return "only so is there room for those that cannot stay"
        if seat.node is not None and not machine.has(f"numa:{seat.node}"):
            return f"its memory is at numa:{seat.node}, which the machine no longer has"
        if seat.node is not None and (why := machine.unusable(f"numa:{seat.node}")):
            return f"its memory is at numa:{seat.node}, and {why}"
        return "its place no longer has what it needs"

    def _load(self, name: str, pu: int) -> str:
        instance = self.resident.told[name].instance
        return why_busy(instance.machine, instance.request, instance.loads, pu)

    # ------------------------------------------------------------ stages
    def _rescale(self) -> None:
        """Make the guests anew where a question in between made the scale of prices finer."""
        if self.scale != self.resident.needs.scale:
            self.scale = self.resident.needs.scale
            self.guests = [self._guest(guest.name) for guest in self.guests]

    def safe(self) -> Mended | None:
        """Return a placement at once; None where insertion finds none that moves no others."""
        self._rescale()
        seats = inserted(self.resident.seating, self.guests)
        if seats is None:
            return None
        return self.mended(seats)

    def mended(self, seats: Mapping[str, Seat]) -> Mended:
        """Return a stage for seats that were found otherwise."""
        added = price_of(self.resident.seating, self.guests, seats)
        return Mended(seats, added, 0, not seats, SAFE, self._seconds(), self.others)

    def best(self, limits: Limits, start: Mended | None = None) -> Mended | None:
        """Return the best placement that moves these tasks alone; None where none is found."""
        self._rescale()
        seating, guests = self.resident.seating, self.guests
        most = max(1, round(limits.conflicts * NODES_PER_CONFLICT))
        deadline = time.monotonic() + limits.seconds
        seats = start.seats if start is not None else None
        if len(guests) > TOGETHER and seats is not None:
            found = self._in_parts(seats, most, deadline)
        else:
            found = rescued(seating, guests, seats, most, deadline)
        if found.seats is None:
            self.nothing = found.complete
            return None
        return Mended(
            found.seats,
            found.price,
            found.bound,
            found.complete,
            BEST,
            self._seconds(),
            self.others,
        )

    def _in_parts(self, start: Mapping[str, Seat], most: int, deadline: float) -> Rescue:
        """Improve a placement part by part; the bound is that of all together."""
        seating = self.resident.seating
        whole = rescued(seating, self.guests, None, 0, deadline)
        by_name = {guest.name: guest for guest in self.guests}
        seats = dict(start)
        for guest in self.guests:
            seating.sit(guest.name, guest.need, seats[guest.name])
        spent = 0
        for _ in range(PASSES):
            before = dict(seats)
            for names in self._parts():
                for name in names:
                    seating.stand(name)
                part = [by_name[name] for name in names]
                left = max(1, (most - spent) // len(self.guests))
                found = rescued(seating, part, {n: seats[n] for n in names}, left, deadline)
                spent += found.nodes
                seats.update(found.seats or {})
                for name in names:
                    seating.sit(name, by_name[name].need, seats[name])
            if seats == before or spent >= most or time.monotonic() >= deadline:
                break
        for name in by_name:
            seating.stand(name)
        price = price_of(seating, self.guests, seats)
        return Rescue(seats, price, min(whole.bound, price), price <= whole.bound, spent)

    def _parts(self) -> Iterable[list[str]]:
        """Yield for each guest those that it talks to, near and far, so that parts overlap."""
        names = {guest.name: guest for guest in self.guests}
        done: set[str] = set()
        for name in names:
            if name in done:
                continue
            part, todo = [name], [name]
            while todo and len(part) < PART:
                talk = sorted(names[todo.pop(0)].peers, key=lambda peer: -peer[1])
                fresh = [o for o, _r, _out in talk if o in names and o not in part]
                fresh = list(dict.fromkeys(fresh))[: PART - len(part)]
                part += fresh
                todo += fresh
            done.update(part[: 1 + PART // 2])
            yield part

    def _seconds(self) -> float:
        return time.monotonic() - self.begun

    # ------------------------------------------------------------ the whole shape
    def adopt(self, mended: Mended) -> None:
        """Let the tasks sit where a stage says; the event is over."""
        for guest in self.guests:
            self.resident.seat(guest.name, mended.seats[guest.name])
        self.guests = []

    def undo(self) -> None:
        """Let the tasks sit where they sat, to be asked about another event."""
        for guest in self.guests:
            if guest.name in self.lost:
                self.resident.lost[guest.name] = self.lost[guest.name]
            else:
                self.resident.seat(guest.name, self.before[guest.name])
        self.guests = []

    def decision(self, mended: Mended) -> Decision:
        """Return a stage as a whole decision: that of the request which keeps all others."""
        resident, seating = self.resident, self.resident.seating
        moved = {guest.name for guest in self.guests}
        request = self._request([name for name in resident.told if name not in moved])
        for guest in self.guests:
            seating.sit(guest.name, guest.need, mended.seats[guest.name])
        slack = 0 if mended.proven else mended.added - mended.least
        reasons = (*self.because(), *self.sense(mended.proven))
        found = decided(resident.whole(), request, slack, mended.engine, reasons, self._warnings())
        for guest in self.guests:
            seating.stand(guest.name)
        return found

    def _request(self, keep: Collection[str]) -> dict[str, Any]:
        known = self.resident.ground.machine.core_of
        before = {
            name: seat.placed()
            for name, seat in self.before.items()
            if all(pu in known for pu in seat.pus)
        }
        return kept_request(self.resident.rows, before, keep, self.repair.migration_cost)

    def sense(self, proven: bool) -> tuple[Reason, ...]:
        """Say in what sense the answer is the best, or its bound a bound."""
        stay = len(self.resident.told) - len(self.guests)
        if not self.guests or not stay:
            return ()
        word = "optimal" if proven else "the bound holds"
        text = f"{word} while the other {stay} tasks stay where they are"
        return (Reason("current.keep", text, ("machine:0",)),)

    def _warnings(self) -> tuple[str, ...]:
        if self.others and not self.fewest:
            return ("fewer moves may do: that these are the fewest is not proven",)
        return ()
