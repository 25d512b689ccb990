"""Judge of `interrupts`: reads machine and request anew and measures every queue by itself.

Latencies of pairs are looked up in `skb.costs`; what a device's distance is made of, who may take a
queue, how full PUs are and whether something better exists (`interrupts_better`) is its own. The
defaults of the request are restated here on purpose: the judge shares nothing with the question.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import isclose

from skb.checkers.interrupts_asked import Asked, Row
from skb.checkers.interrupts_better import Seen, better
from skb.checkers.interrupts_masks import masks
from skb.decision import Decision, Status
from skb.machine import Machine

TOLERANCE = 1e-9
_KEYS = ("device", "queue", "irq", "pu", "latency_ns", "nearest_ns", "load", "level", "was", "way")


def check(machine: Machine, decision: Decision) -> list[str]:
    """Return what is wrong with a decision of `interrupts`, in words."""
    if decision.status is Status.INFEASIBLE:
        return _Judge(machine, decision.request, []).infeasible(decision)
    if decision.status is Status.UNKNOWN:
        return ["an unknown answer holds queues"] if decision.answer else []
    rows = decision.answer.get("queues")
    if not isinstance(rows, list) or any(key not in row for row in rows for key in _KEYS):
        return ["the answer has no queues, or rows without their keys"]
    judge = _Judge(machine, decision.request, rows)
    wrong = judge.identity(rows)
    if wrong:
        return wrong
    for row in rows:
        title = f"queue {row['queue']} of {row['device']}"
        wrong += [f"{title}: {text}" for text in judge.queue(row)]
    if wrong:
        return wrong
    wrong += judge.room(rows, decision.answer) + judge.told(rows, decision)
    wrong += masks(machine, decision)
    if not wrong and decision.status is Status.OPTIMAL:
        wrong += better(judge.seen(rows, decision.answer))
    return wrong


class _Judge(Asked):
    """Judges queues one by one, then all of them."""

    # ------------------------------------------------------------ queues
    def identity(self, rows: Iterable[Row]) -> list[str]:
        """Every device has its queues once, and interrupts are its own."""
        wrong, seen = [], Counter[int]()
        numbers: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            numbers[row["device"]].append(row)
            if row["irq"] is not None:
                seen[row["irq"]] += 1
        wrong += [f"interrupt {irq} stands twice" for irq, count in seen.items() if count > 1]
        if unknown := set(numbers) - set(self.asked):
            return [f"{name} was not asked for" for name in sorted(unknown)]
        if self.request.get("device"):
            wrong += [f"{name} has no queues" for name in sorted(set(self.asked) - set(numbers))]
        for name, mine in numbers.items():
            one = self.asked[name]
            keys = [(row["queue"], row["way"]) for row in mine]
            if len(set(keys)) != len(keys):
                wrong.append(f"a queue of {name} stands twice")
            given = one.get("vectors")
            if given is not None:
                if [row["irq"] for row in mine] != given[: one.get("queues")]:
                    wrong.append(f"{name} has other vectors than the request gives")
                continue
            count = one.get("queues")
            known = {at: str(self.machine.value("interrupt_name", at) or "") for at in seen}
            if count is not None and all(row["irq"] is None for row in mine):
                whole = sorted(row["queue"] for row in mine) == list(range(count))
                wrong += [] if whole else [f"{name} has not the {count} queues of the request"]
            around = {name, *self.machine.ancestors(name)}
            own = {f.args[1] for f in self.machine.facts_of("interrupt") if f.args[0] in around}
            for row in mine:
                if row["irq"] is not None and row["irq"] not in own:
                    wrong.append(f"interrupt {row['irq']} is none of {name}: {known[row['irq']]}")
        return wrong

    def queue(self, row: Row) -> list[str]:
        pu, device = row["pu"], row["device"]
        if not self.machine.has(f"pu:{pu}"):
            return [f"there is no pu:{pu}"]
        wrong, far, mine = [], self.far(device), self.open(device)
        if self.managed(row["irq"]):
            if pu not in (self.now(row["irq"]) or set()):
                wrong.append(f"is managed, but moved to pu:{pu}")
        elif self.required(row) is not None and pu != self.required(row):
            wrong.append(f"must be on pu:{self.required(row)}")
        elif pu not in mine:
            wrong.append(f"pu:{pu} is not admissible")
        near = min((far[at] for at in mine), default=far[pu])
        for what, key, value in (
            ("is reached in", "latency_ns", far[pu] / 1000),
            ("has its nearest PU at", "nearest_ns", near / 1000),
            ("has the load", "load", float(self.load(row))),
        ):
            if not isclose(row[key], value, rel_tol=TOLERANCE):
                wrong.append(f"{what} {value}, not {row[key]}")
        if (row["level"] == "local") != (pu in self.machine.pus_of(device)):
            wrong.append(f"is told to be at level {row['level']}")
        if row["spilled"] != (self.free(row) and far[pu] > near):
            wrong.append("is wrongly told to be spilled, or not to be")
        now = self.now(row["irq"])
        if set(row["was"] or ()) != (now or set()):
            wrong.append(f"was on {sorted(now or ())}, not {row['was']}")
        moves = row["irq"] is not None and not self.managed(row["irq"]) and now != {pu}
        if row["moves"] != moves or row["managed"] != self.managed(row["irq"]):
            wrong.append("is wrongly told to move or to be managed")
        return wrong

    def seen(self, rows: Iterable[Row], answer: Row) -> Seen:
        """Return what the search for something better needs."""
        core = {pu: self.machine.core_of[pu] if self.one else f"pu:{pu}" for pu in self.machine.pus}
        most: dict[str, int] = {}
        used = Counter(row["pu"] for row in rows)
        fill = answer["fill"]
        # a core that is used has the room of its PU that is; another that of its roomiest
        taken = {row["pu"] for row in rows if self.free(row)}
        busy = {core[pu] for pu in taken}
        for pu in self.machine.pus:
            room = self.limit - self.others[pu] - used[pu]
            if pu in taken or core[pu] not in busy:
                most[core[pu]] = max(most.get(core[pu], 0), room)
        if fill is not None:
            held = Counter(core[row["pu"]] for row in rows)
            most = {seat: min(room, fill - held[seat]) for seat, room in most.items()}
        loads: dict[str, Fraction] = defaultdict(Fraction)
        for row in rows:
            loads[self.machine.core_of[row["pu"]]] += self.load(row)
        prices = {}
        for name in {row["device"] for row in rows}:
            far, seats = self.far(name), dict[str, int]()
            for pu in self.offered(name):
                seats[core[pu]] = min(far[pu], seats.get(core[pu], far[pu]))
            prices[name] = seats
        return Seen(
            [(row["device"], core[row["pu"]], self.load(row)) for row in rows if self.free(row)],
            prices,
            most,
            {seat: self.machine.core_of[pu] for pu, seat in core.items()},
            loads,
            bool(answer["proof"]["max_load"]),
        )

    # ------------------------------------------------------------ sums
    def room(self, rows: list[Row], answer: Row) -> list[str]:
        """No PU has more vectors than it holds, no core more queues than the rule lets it take."""
        wrong, free = [], [row for row in rows if self.free(row)]
        used, moved = Counter(row["pu"] for row in rows), {row["pu"] for row in free}
        for pu in moved:
            if used[pu] + self.others[pu] > self.limit:
                wrong.append(f"pu:{pu} holds {self.limit} vectors at most")
        if (self.spill == "share") != (answer["fill"] is None):
            wrong.append("the number of queues for a PU does not fit the rule of spilling")
        elif self.spill != "share":
            least = self.limits.get("fill", 1)
            if answer["fill"] < least or (self.spill == "refuse" and answer["fill"] != least):
                wrong.append(f"a PU takes {answer['fill']} queues, asked were {least}")
            core = self.machine.core_of
            parts = Counter(core[row["pu"]] if self.one else row["pu"] for row in rows)
            for row in free:
                if parts[core[row["pu"]] if self.one else row["pu"]] > answer["fill"]:
                    wrong.append(f"pu:{row['pu']} takes more than {answer['fill']} queues")
            for row in free:
                if row["pu"] not in self.offered(row["device"]):
                    wrong.append(f"{row['device']} spills to pu:{row['pu']} against the rule")
        if self.one:
            pairs = {(row["device"], self.machine.core_of[row["pu"]], row["pu"]) for row in free}
            double = Counter((device, core) for device, core, _pu in pairs)
            wrong += [f"{d} uses two PUs of {c}" for (d, c), count in double.items() if count > 1]
        return wrong

    def told(self, rows: list[Row], decision: Decision) -> list[str]:
        """Sums, loads and lists are those of the queues."""
        answer = decision.answer
        total = sum(self.load(row) * self.far(row["device"])[row["pu"]] for row in rows)
        cores: dict[str, Fraction] = defaultdict(Fraction)
        pus: dict[str, list[float]] = defaultdict(list)
        for row in rows:
            cores[self.machine.core_of[row["pu"]]] += self.load(row)
            pus[str(row["pu"])].append(float(self.load(row)))
        value, most = float(Fraction(total) / 1000), float(max(cores.values(), default=0))
        moves = [row for row in rows if row["moves"]]
        terms = {cost.term: cost.value for cost in decision.costs}
        rates = any(row.get("packets_per_s") is not None for row in self.asked.values())
        unit = "ns/s" if rates else "ns"
        wrong = []
        for what, has, want in (
            ("the objective", decision.objective.value, value),
            ("the term distance", terms.get("distance"), value),
            ("the largest load", answer["max_load"], most),
            ("the term of the largest load", terms.get("largest load of a core"), most),
            ("the term moves", terms.get("moves"), len(moves)),
        ):
            if has is None or not isclose(has, want, rel_tol=TOLERANCE):
                wrong.append(f"{what} is {want}, not {has}")
        if decision.objective.unit != unit:
            wrong.append(f"the unit is {unit}, not {decision.objective.unit}")
        bound = decision.bound
        if bound is None or bound > value * (1 + TOLERANCE):
            wrong.append(f"the bound {bound} lies above the value")
        elif decision.status is Status.OPTIMAL and not isclose(bound, value, rel_tol=TOLERANCE):
            wrong.append("optimal, but the bound is not the value")
        if answer["max_load_bound"] > most * (1 + TOLERANCE):
            wrong.append("the bound of the largest load lies above it")
        if {pu: row["vectors"] for pu, row in answer["load"].items()} != {
            pu: len(loads) for pu, loads in pus.items()
        }:
            wrong.append("the vectors by PU are not those of the queues")
        wrong += self._lists(rows, answer)
        for other in decision.alternatives:
            if not isclose(other["costs_more"], other["value"] - value, abs_tol=1e-6 * (1 + value)):
                wrong.append(f"the alternative {other['name']} costs {other['costs_more']} more")
        return wrong

    def _lists(self, rows: list[Row], answer: Row) -> list[str]:
        """Spill, moves and managed vectors are listed whole; no two queues move for nothing."""
        wrong = []
        for name, flag in (("spill", "spilled"), ("moves", "moves"), ("managed", "managed")):
            want = sorted((row["device"], row["queue"]) for row in rows if row[flag])
            if sorted((row["device"], row["queue"]) for row in answer[name]) != want:
                wrong.append(f"the list {name} is not that of the queues")
        groups: dict[tuple[str, float], list[Row]] = defaultdict(list)
        for row in rows:
            if self.free(row) and row["irq"] is not None:
                groups[row["device"], row["load"]].append(row)
        for (device, _load), mine in groups.items():
            now = Counter(next(iter(row["was"])) for row in mine if len(row["was"] or ()) == 1)
            could = sum(min(count, now[pu]) for pu, count in Counter(r["pu"] for r in mine).items())
            if sum(row["was"] == [row["pu"]] for row in mine) < could:
                wrong.append(f"queues of {device} change places for nothing")
        return wrong

    # ------------------------------------------------------------ no answer
    def infeasible(self, decision: Decision) -> list[str]:
        """Try to seat all queues one by one, making room along chains (a matching)."""
        if decision.answer or not decision.reasons:
            return ["an infeasible answer has reasons and no queues"]
        ids = " ".join(reason.id for reason in decision.reasons)
        if "queues:" not in ids:
            return []
        counts = {}
        for name, one in self.asked.items():
            count = one.get("queues") or len(one.get("vectors") or ())
            if not count:
                return []  # facts state how many: that is judged where there is an answer
            counts[name] = count
        if self.request.get("managed") or self.request.get("require") or not self.one:
            return []
        # whichever PU of a core is taken, it has at least this room
        rooms: Counter[str] = Counter()
        for pu in {pu for name in self.asked for pu in self.offered(name)}:
            core, room = self.machine.core_of[pu], self.limit - self.others[pu]
            rooms[core] = min(rooms.get(core, room), room)
        if self.spill == "refuse":
            fill = self.limits.get("fill", 1)
            rooms = Counter({core: min(room, fill) for core, room in rooms.items()})
        elif self.spill == "other-package":
            return []
        return [] if not _fits(counts, rooms, self._cores()) else ["not infeasible: all have room"]

    def _cores(self) -> dict[str, set[str]]:
        core = self.machine.core_of
        return {name: {core[pu] for pu in self.offered(name)} for name in self.asked}


def _fits(
    counts: Mapping[str, int], rooms: Mapping[str, int], cores: Mapping[str, set[str]]
) -> bool:
    """Tell whether all queues find a core: for every set of devices, by a largest flow."""
    import networkx

    graph = networkx.DiGraph()
    for device, count in counts.items():
        graph.add_edge("source", ("device", device), capacity=count)
        for core in cores[device]:
            graph.add_edge(("device", device), ("core", core), capacity=count)
    for core, room in rooms.items():
        graph.add_edge(("core", core), "sink", capacity=max(0, room))
    value: int = networkx.maximum_flow_value(graph, "source", "sink")
    return value >= sum(counts.values())
