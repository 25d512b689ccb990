"""A placement that stays in memory: tasks come and go, parts go off and on, and each question
where one more task goes is answered as things stand, with proof, in a fraction of a millisecond.

The answer is the optimum while all others stay: that of the request which keeps them
(`current.keep`). What a task may use is said by the instance of its own small request, hence by the
rules of the placement question.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm
from typing import Any

import msgspec
from msgspec.structs import replace as structs_replace

from skb.decision import Decision, Reason
from skb.dependence import hypothetical
from skb.engines.placement_board import Seat
from skb.engines.placement_seating import Need, Seating
from skb.errors import NotFoundError, RequestError
from skb.machine import Machine
from skb.questions.placement_ground import Ground
from skb.questions.placement_instance import Instance
from skb.questions.placement_needs import Needs, Told, grid_of, told_on, with_busy
from skb.questions.placement_request import (
    Request,
    check,
    check_busy,
    exact,
    expand,
    known_level,
    positive,
    resolved,
    wishes,
)
from skb.questions.placement_rows import BARS, Row, Rows, Talk, scaled, talk_of
from skb.questions.placement_seated import Whole, decided, kept_request, refused
from skb.questions.placement_stranded import stranded
from skb.questions.question import read_request
from skb.usability import stops_only_pus

Many = Sequence[Row]
# answers that are given again while nothing changes
MOST_KNOWN = 4096
ENGINE = "enumeration of classes of PUs"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one task goes: its PUs, the first one first, its memory node, and what that adds.

    `pus` is empty where nothing is free that the task may use; `reasons` then names the rules that
    leave nothing. The price, in ns/s, is proven to be the least, all others staying.
    """

    task: str
    pus: tuple[int, ...]
    numa_node: int | None
    price: float | None
    reasons: tuple[Reason, ...] = ()
    proven: bool = True


class Resident:
    """The tasks on one machine; see the module's docstring.

    `ask` says where a task would go, `arrive` puts it there, `leave` takes it away; `off` and `on`
    tell of parts without power. Raises `RequestError` where a request is malformed or names what
    the machine does not have.
    """

    def __init__(self, machine: Machine) -> None:
        self.base = machine
        self.parts_off: dict[str, None] = {}
        self.rows = Rows()
        self.told: dict[str, Told] = {}
        self._stand_on(machine, 1)

    def _stand_on(self, machine: Machine, scale: int, ground: Ground | None = None) -> None:
        self._machine: Machine | None = machine
        self.ground = ground or Ground(machine)
        self.grid = grid_of(self.ground)
        self.needs = Needs(self.ground, self.grid, scale)
        self.seating = Seating(self.grid, scale)
        self._known: dict[bytes, Place] = {}
        # seats on PUs that the snapshot does not even describe
        self.lost: dict[str, Seat] = {}

    @classmethod
    def of(cls, machine: Machine, decision: Mapping[str, Any]) -> Resident:
        """Return the tasks of a placement that was decided for this machine, where they are."""
        found = cls(machine)
        request = resolved(machine, read_request(decision["request"], Request, "placement"))
        request = structs_replace(request, current=None, compare=False)
        tasks = expand(machine, request)
        check(machine, request, tasks)
        instance = Instance(machine, request, tasks, found.ground)
        found._scaled(instance.scale)
        found.rows = Rows.of(decision["request"])
        found.told = {w.name: Told(w.name, instance, i) for i, w in enumerate(tasks)}
        for name in found.told:
            place = decision["answer"]["tasks"][name]
            seat = Seat(place["pus"][0], tuple(sorted(place["pus"])), place["numa_node"])
            found.seating.sit(name, found.need(name), seat)
        return found

    @property
    def machine(self) -> Machine:
        """The snapshot as it is now, with the parts that are off."""
        if self._machine is None:
            self._machine = self.base
            for part in self.parts_off:
                self._machine = hypothetical(self._machine, part, "off")
        return self._machine

    # ------------------------------------------------------------ what happens
    def ask(self, task: Row, traffic: Many = (), together: Many = (), apart: Many = ()) -> Place:
        """Return where a task goes that is not here yet; rows are as in the request."""
        key = msgspec.json.encode((task, traffic, together, apart))
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            found = self._known[key] = self._asked(*self._heard(task, traffic, together, apart))
        return found

    def arrive(self, task: Row, traffic: Many = (), together: Many = (), apart: Many = ()) -> Place:
        """Put a task where `ask` says; nothing changes where it has no place."""
        told, talk, groups = self._heard(task, traffic, together, apart)
        place = self._asked(told, talk, groups)
        if place.pus:
            seat = Seat(place.pus[0], tuple(sorted(place.pus)), place.numa_node)
            self.seating.sit(told.name, self.needs.of(told, groups), seat)
            self.told[told.name] = told
            self.rows.tasks[told.name] = task
            self.rows.add(traffic, {"together": together, "apart": apart})
            self._renew({name for _kind, row in groups for name in row["tasks"]})
        return place

    def leave(self, name: str) -> None:
        """Take a task away, with its traffic and its part in groups."""
        if name not in self.told:
            raise NotFoundError(f"there is no task {name!r}", mend="it may have left already")
        if name not in self.seating.seats and name not in self.lost:
            text = f"task {name} has no seat: it is about to move"
            raise RequestError(text, mend="adopt what was found for it, or undo the event, first")
        mates = {mate for _kind, row in self.rows.groups_of(name) for mate in row["tasks"]}
        self.rows.remove(name)
        if self.lost.pop(name, None) is None:
            self.seating.stand(name)
        del self.told[name]
        self._renew(mates - {name})

    def _renew(self, names: Collection[str]) -> None:
        """Make the needs of tasks anew whose groups have changed; forget earlier answers."""
        for name in names:
            if name in self.seating.seats:
                self.seating.sit(name, self.need(name), self.seating.stand(name))
        self._known.clear()

    def off(self, *parts: str) -> tuple[str, ...]:
        """Switch parts off; return the tasks that cannot stay, which sit there until moved."""
        return self._switch(parts, True)

    def on(self, *parts: str) -> tuple[str, ...]:
        """Switch on what `off` switched off; return the tasks that still cannot stay."""
        return self._switch(parts, False)

    def _switch(self, parts: Sequence[str], off: bool) -> tuple[str, ...]:
        for part in parts:
            self.base.require(part)
            if off:
                self.parts_off[part] = None
            else:
                self.parts_off.pop(part, None)
        self._machine = None
        if all(map(stops_only_pus, (*parts, *self.parts_off))) and self.ground.machine is self.base:
            lost = frozenset().union(*(self.base.pus_of(part) for part in self.parts_off))
            self.seating.switch(self.seating.off - lost, False)
            self.seating.switch(lost, True)
            self._known.clear()
        else:
            self.stand_on(self.machine)
        return self.stranded()

    def onto(self, machine: Machine) -> tuple[str, ...]:
        """Take another snapshot; return the tasks that cannot stay.

        Raises `RequestError` where a request names what the snapshot does not have.
        """
        found = self.stand_on(machine)
        self.base = machine
        self.parts_off.clear()
        return found

    def busy(self, *parts: str) -> tuple[str, ...]:
        """Keep away from busy parts, which stay on; return the tasks that cannot stay."""
        check_busy(self.ground.machine, parts)
        return self._busy((*self.rows.busy, *parts))

    def idle(self, *parts: str) -> tuple[str, ...]:
        """Use parts again that were `busy`; return the tasks that still cannot stay."""
        return self._busy([part for part in self.rows.busy if part not in parts])

    def _busy(self, parts: Sequence[str]) -> tuple[str, ...]:
        self.rows.busy = parts
        self.needs.forget()
        self.told = with_busy(self.told, self.rows.busy)
        self._renew(self.told)
        return self.stranded()

    def stand_on(self, machine: Machine) -> tuple[str, ...]:
        """Begin anew on another snapshot; return the tasks that cannot stay.

        They keep their seats until they are moved.
        """
        ground = Ground(machine)
        told = told_on(self.told, ground)
        seats, scale = {**self.seating.seats, **self.lost}, self.needs.scale
        self._stand_on(machine, scale, ground)
        self.told = told
        for name, seat in seats.items():
            need = self.need(name)
            if not all(pu in machine.core_of for pu in seat.pus):
                self.lost[name] = seat
                continue
            if not need.nodes:
                seat = replace(seat, node=self.grid.nearest.get(seat.first, seat.node))
            self.seating.sit(name, need, seat)
        return self.stranded()

    def need(self, name: str) -> Need:
        """Return what a task needs that is here."""
        return self.needs.of(self.told[name], self.rows.groups_of(name))

    def seat(self, name: str, seat: Seat) -> None:
        """Let a task that is here and has no seat sit; forget earlier answers."""
        self.seating.sit(name, self.need(name), seat)
        self._known.clear()

    def stand(self, name: str) -> None:
        """Let a task that is here give up its seat; forget earlier answers."""
        self.seating.stand(name)
        self._known.clear()

    def stranded(self) -> tuple[str, ...]:
        """Return the tasks that sit where they cannot be, see `placement_stranded`."""
        return (*self.lost, *stranded(self.seating))

    # ------------------------------------------------------------ one task
    def _heard(
        self, task: Row, traffic: Many, together: Many, apart: Many
    ) -> tuple[Told, list[Talk], list[tuple[str, Row]]]:
        """Read what is said of a task that is not here yet."""
        rest = self.rows.rest
        raw = {"task": [task], **{key: rest[key] for key in BARS if key in rest}}
        machine = self.ground.machine
        request = resolved(machine, read_request(raw, Request, "placement"))
        tasks = expand(machine, request)
        if len(tasks) != 1:
            raise RequestError("`per` makes several tasks", place="task.per", mend="ask for each")
        name = tasks[0].name
        if name in self.told:
            raise RequestError(f"task {name} is here", place="task.name", mend="let it leave first")
        groups = [("together", row) for row in together] + [("apart", row) for row in apart]
        self._check(name, traffic, groups)
        instance = Instance(machine, request, tasks, self.ground)
        talk = talk_of(name, traffic)
        rates = [rate for _other, rate, _out in talk]
        rates += [exact(weight) for _at, weight in wishes(tasks[0].task)]
        self._scaled(lcm(self.needs.scale, *(rate.denominator for rate in rates)))
        return Told(name, instance, 0), talk, groups

    def _check(self, name: str, traffic: Many, groups: Sequence[tuple[str, Row]]) -> None:
        """Raise `RequestError` where rows name nobody who is here, or nothing of the task."""
        raw = {"task": [{"name": name}], "traffic": traffic}
        for kind, row in groups:
            raw[kind] = [*raw.get(kind, ()), row]
        request = read_request(raw, Request, "placement")
        ends: list[tuple[str, tuple[str, ...]]] = []
        for i, talk in enumerate(request.traffic):
            positive(talk.messages_per_s, f"traffic[{i}].messages_per_s")
            ends.append((f"traffic[{i}]", (talk.from_, talk.to)))
        for kind, groupings in (("together", request.together), ("apart", request.apart)):
            ends += [(f"{kind}[{i}].tasks", tuple(g.tasks)) for i, g in enumerate(groupings)]
            for i, grouping in enumerate(groupings):
                known_level(self.ground.machine, grouping.within, f"{kind}[{i}].within")
        for place, names in ends:
            if name not in names:
                raise RequestError(f"it does not name {name}", place=place, mend="leave it out")
            for other in names:
                if other != name and other not in self.told:
                    raise RequestError(f"there is no task {other!r}", place=place)

    def _scaled(self, scale: int) -> None:
        """Let all prices be whole numbers in a finer scale."""
        if scale == self.needs.scale:
            return
        self.needs.scale = self.seating.unit = scale
        for name in self.seating.seats:
            self.seating.needs[name] = self.need(name)

    def _asked(self, told: Told, talk: Sequence[Talk], groups: Sequence[tuple[str, Row]]) -> Place:
        peers = scaled(talk, self.needs.scale)
        found = self.seating.best(told.name, self.needs.of(told, groups), peers)
        if found is None:
            reasons = self._refusal(told, talk, groups)
            return Place(told.name, (), None, None, reasons)
        price, seat = found
        ns = float(Fraction(price) / (1000 * self.needs.scale))
        return Place(told.name, tuple(seat.listed), seat.node, ns)

    # ------------------------------------------------------------ why not
    def _refusal(
        self, told: Told, talk: Sequence[Talk], groups: Sequence[tuple[str, Row]]
    ) -> tuple[Reason, ...]:
        """Return a minimal set of a task's own rules that leave it nothing, as things stand."""
        own = told.instance.need_id(told.index)
        names = [rule for rule in told.instance.rules if rule != own]
        names += [f"{kind} {row['within']}" for kind, row in groups]
        lifted: set[str] = set()
        for rule in dict.fromkeys(names):
            if not self._fits(told, groups, {*lifted, rule}, self.seating):
                lifted.add(rule)
        rules = [told.instance.rules[rule] for rule in told.instance.rules if rule not in lifted]
        found = [Reason(rule.id, rule.text, rule.items) for rule in rules]
        for kind, row in groups:
            if f"{kind} {row['within']}" not in lifted:
                share = "share one" if kind == "together" else "share no"
                text = f"tasks {', '.join(row['tasks'])} must {share} {row['within']}"
                found.append(Reason(kind, text, tuple(f"task:{name}" for name in row["tasks"])))
        alone = Seating(self.grid, self.needs.scale)
        alone.switch(self.seating.off, True)
        if self.seating.seats and self._fits(told, (), lifted, alone):
            text = f"the other {len(self.seating.seats)} tasks stay where they are"
            found.append(Reason("current.keep", text, (f"task:{told.name}",)))
        return tuple(found)

    def _fits(
        self,
        told: Told,
        groups: Sequence[tuple[str, Row]],
        without: Collection[str],
        seating: Seating,
    ) -> bool:
        return seating.fits(told.name, self.needs.of(told, groups, without))

    # ------------------------------------------------------------ the whole shape
    def request(
        self, task: Row, traffic: Many = (), together: Many = (), apart: Many = ()
    ) -> dict[str, Any]:
        """Return the request whose optimum `ask` gives: all others are kept."""
        before = {name: seat.placed() for name, seat in self.seating.seats.items()}
        found = kept_request(self.rows, before, tuple(self.told))
        found["task"].append(dict(task))
        for kind, rows in (("traffic", traffic), ("together", together), ("apart", apart)):
            if rows:
                found[kind] = [*found.get(kind, ()), *map(dict, rows)]
        return found

    def decision(
        self, task: Row, traffic: Many = (), together: Many = (), apart: Many = ()
    ) -> Decision:
        """Return the answer of `ask` as a whole decision, to be checked, kept and explained."""
        request = self.request(task, traffic, together, apart)
        place = self.arrive(task, traffic, together, apart)
        if not place.pus:
            return refused(self.machine, request, place.reasons, ENGINE)
        try:
            return decided(self.whole(), request, 0, ENGINE)
        finally:
            self.leave(place.task)

    def whole(self) -> Whole:
        """Return everything that a decision says."""
        return Whole(
            self.machine, self.ground, self.rows, self.told, self.seating, self.needs.scale
        )
