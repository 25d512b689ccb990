"""Judge of `power`: walks the machine anew, adds up what is lost and saved, and takes every step.

Shares no code with engine or question. A saving that is called optimal is tried with each further
part; a refusal has to name the user's own wishes, and is counted where counting can tell.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

from skb.checkers.power_far import Far
from skb.checkers.power_reach import LINK, Floor, kind
from skb.checkers.power_steps import check_moves, check_order, check_resume, needed
from skb.decision import Decision, Status
from skb.machine import Machine
from skb.relations import Fact

TOLERANCE = 1e-6
# single points of failure of which each is walked anew
MOST_POINTS = 40
MIB = 2**20


def check(machine: Machine, decision: Decision) -> list[str]:
    """Return what is wrong with a decision of `power`, in words."""
    judge = _Judge(machine, decision)
    if decision.status is Status.INFEASIBLE:
        return judge.refusal()
    if decision.status is Status.UNKNOWN:
        return ["an unknown answer says what goes"] if decision.answer else []
    wrong = judge.shape()
    if wrong:
        return wrong
    wrong = judge.lost() + judge.points() + judge.wishes() + judge.value()
    answer, floor = decision.answer, judge.floor
    wrong += check_order(floor, judge.off, answer["order"])
    wrong += check_resume(floor, judge.off, judge.request.get("resume", []), answer["resume"])
    if not wrong and "evacuation" in answer:
        wrong += check_moves(judge.after, floor, judge.off, judge.request, answer["evacuation"])
    return wrong


class _Judge:
    def __init__(self, machine: Machine, decision: Decision) -> None:
        self.machine = machine
        self.decision = decision
        self.answer: Mapping[str, Any] = decision.answer
        self.request = decision.request
        self.floor = Floor(machine)
        self.before, _home = self.floor.there(())
        self.off = [str(name) for name in self.answer.get("off", [])]
        self.after, self.home = self.floor.there(self.off)
        self._walked: dict[tuple[frozenset[str], str], set[str]] = {}
        self.keep: Mapping[str, Any] = self.request.get("keep") or {}

    def named(self, name: str) -> str:
        """Return a part by its name, a device also by its bare name."""
        return name if name in self.floor.parts else f"device:{name}"

    def shape(self) -> list[str]:
        keys = ("off", "lost", "unreachable", "order", "single_points", "resume")
        wrong = [f"the answer has no {key}" for key in keys if key not in self.answer]
        known = self.floor.parts
        links = {f"{LINK}{x}-{y}" for a, b in self.floor.links for x, y in ((a, b), (b, a))}
        wrong += [f"{name} is no part" for name in self.off if name not in known | links]
        return wrong

    # ------------------------------------------------------------ what is lost
    def lost(self) -> list[str]:
        gone = self.before - self.after
        rows = {row["part"]: row for row in self.answer["unreachable"]}
        parts = {name for name in rows if not name.startswith("service:")}
        wrong = [f"{name} is lost, and not told" for name in sorted(gone - parts)[:3]]
        wrong += [f"{name} is told as lost, and is there" for name in sorted(parts - gone)[:3]]
        services = {
            f"service:{f.args[0]}" for f in self.machine.facts_of("service") if f.args[1] in gone
        }
        if services != set(rows) - parts:
            wrong.append("other services are lost than those told")
        told = self.answer["lost"]
        pus = sum(kind(name) == "pu" for name in gone)
        memory = sum(
            int(str(f.args[-1])) for f in self.machine.facts_of("memory_size") if f.args[0] in gone
        )
        devices = sum(kind(name) == "device" for name in gone)
        counts = (told["parts"], told["pus"], told["devices"], told["services"])
        if counts != (len(gone), pus, devices, len(services)):
            wrong.append(f"lost are {len(gone)} parts, {pus} PUs, {devices} devices")
        if abs(told["memory_mib"] - memory / MIB) > 0.01:
            wrong.append(f"{memory / MIB:g} MiB are lost, not {told['memory_mib']}")
        for name in sorted(parts & gone):
            wrong += self._why(rows[name])
            if len(wrong) > 3:
                break
        return wrong

    def _why(self, row: Mapping[str, Any]) -> list[str]:
        """Judge one row: the dominator takes the part, all of `because` do, ways are ways."""
        name, causes = row["part"], list(row["because"])
        if not causes:
            return [f"nothing is told that takes {name}"]
        if self._takes([], name):
            return []  # another side of the interconnect has the most PUs now
        wrong = []
        single = row["dominator"]
        if single is not None and not self._takes([single], name):
            wrong.append(f"{single} alone does not take {name}")
        if not self._takes(causes, name):
            wrong.append(f"{' and '.join(causes)} do not take {name}")
        wrong += [
            f"{cause} goes with nothing that is off"
            for cause in causes
            if not set(self.floor.chain(cause) if cause in self.floor.parts else [cause])
            & set(self.off)
        ]
        if len(causes) > 1:
            fewer = [cause for cause in causes if self._takes(_but(causes, cause), name)]
            wrong += [f"{cause} is not needed to take {name}" for cause in fewer]
        for way in row["ways"]:
            wrong += self._way(way, name, causes)
        return wrong

    def _takes(self, parts: Collection[str], name: str) -> bool:
        if len(parts) == 1 and self.floor.stops(next(iter(parts)), name):
            return True
        key = (frozenset(parts), self.home)
        if key not in self._walked:
            self._walked[key] = self.floor.there(parts, self.home)[0]
        return name not in self._walked[key]

    def _way(self, way: list[str], name: str, causes: Collection[str]) -> list[str]:
        if not way or way[-1] != name or way[0] != "machine:0":
            return [f"a way to {name} does not lead from the machine to it"]
        parts = [at for at in way if at in self.floor.parts]
        for a, b in pairwise(parts):
            if self.floor.parent.get(b) != a and (a, b) not in self.floor.links:
                return [f"the way to {name} has no step from {a} to {b}"]
        if not set(way) & set(causes):
            return [f"a way to {name} does not lead over what takes it"]
        return []

    def points(self) -> list[str]:
        """Judge the table of single points: each row by its first part, and that none is missed."""
        wrong = []
        rows = self.answer["single_points"]
        for row in rows[:MOST_POINTS]:
            for name in row["parts"][:1]:
                left, _home = self.floor.there([name])
                gone = self.before - left - {name}
                pus = sum(kind(at) == "pu" for at in gone)
                if (len(gone), pus) != (row["lost"], row["pus"]):
                    wrong.append(f"with {name} go {len(gone)} parts, not {row['lost']}")
        named = {name for row in rows for name in row["parts"]}
        inner = {self.floor.parent[name] for name in self.before if name in self.floor.parent}
        for name in sorted((inner & self.before) - named - {"machine:0"})[:MOST_POINTS]:
            if self.before - self.floor.there([name])[0] - {name}:
                wrong.append(f"{name} takes others along, and is not told")
        return wrong

    # ------------------------------------------------------------ what the user wants
    def wishes(self) -> list[str]:
        wanted = [
            name if name.startswith(LINK) else self.named(name)
            for name in self.request.get("off", [])
        ]
        have = {frozenset(name.removeprefix(LINK).split("-")) for name in self.off}
        wrong = [
            f"{name} should go"
            for name in wanted
            if name not in self.off and frozenset(name.removeprefix(LINK).split("-")) not in have
        ]
        for name in map(self.named, self.request.get("never", [])):
            if name not in self.after:
                wrong.append(f"{name} should stay on and reachable")
        if "saving" in self.answer and "kept" not in self.answer:
            wrong.append("it is not said what the load runs on")
        if "kept" in self.answer:
            wrong += self.kept(self.answer["kept"], self.after)
        return wrong

    def kept(self, told: Mapping[str, Any], there: Collection[str]) -> list[str]:
        """Judge whether the load runs on what it is said to run on, with these parts there."""
        pus, nodes = list(told["pus"]), list(told["numa"])
        used = [f"pu:{pu}" for pu in pus] + [f"numa:{n}" for n in nodes]
        devices = [self.named(name) for name in self.keep.get("devices", [])]
        wrong = [
            f"the load needs {name}, which is lost" for name in used + devices if name not in there
        ]
        wrong += [
            f"pu:{pu} is not allowed" for pu in pus if self.machine.fact("disallowed", f"pu:{pu}")
        ]
        if self.keep.get("placement") is not None:
            return wrong + self._tasks(told)
        if len(set(pus)) < int(self.keep.get("pus") or 0):
            wrong.append(f"the load has {len(set(pus))} PUs, not {self.keep['pus']}")
        size = self._sum("memory_size", nodes) / MIB
        if size + TOLERANCE < float(self.keep.get("memory_mib") or 0):
            wrong.append(f"the load has {size:g} MiB")
        if (
            self.keep.get("bandwidth_mib_s")
            and self._bandwidth(nodes) + 1 < self.keep["bandwidth_mib_s"]
        ):
            wrong.append("the memory of the load is too slow")
        return wrong + self._near(pus, devices)

    def _sum(self, predicate: str, nodes: Collection[int]) -> float:
        names = {f"numa:{n}" for n in nodes}
        return sum(
            float(str(f.args[-1])) for f in self.machine.facts_of(predicate) if f.args[0] in names
        )

    def _bandwidth(self, nodes: Collection[int]) -> float:
        from skb.costs import defaults

        least = float(defaults()["memory"]["local_bandwidth_mib_s"])
        total = 0.0
        for n in nodes:
            stated = [
                float(str(f.args[-1]))
                for f in self.machine.facts_of("memory_bandwidth")
                if f.args[1] == f"numa:{n}" and float(str(f.args[-1])) > 0
            ]
            total += max(stated, default=least)
        return total

    def supposed(self) -> Machine:
        """Return the machine without what goes, so that messages travel other ways."""
        broken = self.floor.broken(self.off)
        lost = {name for name in self.off if name in self.floor.parts}
        facts = [
            f
            for f in self.machine.facts
            if not (f.predicate == "power" and f.args[0] in lost)
            and not (f.predicate == "link" and frozenset(map(str, f.args[:2])) in broken)
        ]
        facts += [Fact("power", (name, "off"), by="judge") for name in sorted(lost)]
        return Machine(self.machine.name, facts)

    def _near(self, pus: Collection[int], devices: Collection[str]) -> list[str]:
        most = self.keep.get("max_latency_ns")
        if most is None:
            return []
        far, limit = Far(self.supposed()), round(most * 1000)
        wrong = [
            f"pu:{a} is {far.ps(a, b) / 1000:g} ns from pu:{b}"
            for a, b in far.pairs(pus)
            if far.ps(a, b) > limit
        ]
        for device in devices:
            local = self._local(device)
            for pu in pus:
                if pu in local or any(far.ps(pu, q) <= limit for q in local):
                    continue
                wrong.append(f"pu:{pu} is too far from {device}")
        return wrong[:3]

    def _local(self, device: str) -> set[int]:
        """Return the PUs local to a device: where it hangs, and at its other hosts."""
        hosts = [a for a, b in self.floor.links if b == device and a in self.after]
        chain = self.floor.chain(device)
        anchor = next(
            at for at in chain if kind(at) not in {"bridge", "pci", "device", "memcache", "numa"}
        )
        tree = self.floor.there([name for name in self.off if not name.startswith(LINK)])[0]
        local = set(self.machine.pus_of(anchor)) if anchor in tree or not hosts else set()
        for host in hosts:
            if kind(host) not in {"bridge", "pci", "device"}:
                local |= self.machine.pus_of(host)
        return local

    def _tasks(self, told: Mapping[str, Any]) -> list[str]:
        wrong = []
        alone: dict[int, str] = {}
        rows = needed(self.machine, self.keep["placement"]["task"])
        for name, place in told.get("tasks", {}).items():
            need = rows.get(name, {})
            if len(set(place["pus"])) < int(need.get("pus") or 1):
                wrong.append(f"task {name} has too few PUs")
            for pu in place["pus"]:
                if f"pu:{pu}" not in self.after:
                    wrong.append(f"task {name} runs on pu:{pu}, which is lost")
                if pu in alone and (
                    need.get("exclusive") or rows.get(alone[pu], {}).get("exclusive")
                ):
                    wrong.append(f"tasks {name} and {alone[pu]} share pu:{pu}")
                alone[pu] = name
        missing = sorted(set(rows) - set(told.get("tasks", {})))
        return wrong + [f"task {name} does not run" for name in missing]

    # ------------------------------------------------------------ value
    def value(self) -> list[str]:
        decision, saving = self.decision, self.answer.get("saving")
        value, bound = decision.objective.value, decision.bound
        if value is None or bound is None:
            return ["the answer has no value or no bound"]
        if (decision.status is Status.OPTIMAL) != (value == bound):
            return ["value and bound differ, or the status is wrong"]
        if saving is None:
            gone = len(self.before - self.after)
            return [] if value == gone else [f"{gone} parts are lost, not {value:g}"]
        parts = [n for n in self.before if kind(n) == saving["kind"]]
        watts, unit = self._watts(parts)
        wrong = [] if unit == saving["unit"] else [f"the unit is {unit}"]
        wrong += [f"{n} is said to go, and is there" for n in saving["parts"] if n in self.after]
        saved = sum(watts[n] for n in saving["parts"])
        if abs(saved - saving["amount"]) > TOLERANCE * max(1.0, saved):
            wrong.append(f"{saved:g} {unit} are saved, not {saving['amount']:g}")
        target = self._target()
        left = sum(watts.values()) - (saved if target is None else min(saved, target))
        if abs(left - value) > TOLERANCE * max(1.0, left):
            wrong.append(f"{left:g} {unit} stay on, not {value:g}")
        if decision.status is Status.OPTIMAL and not wrong and (target is None or saved < target):
            wrong += self._more([n for n in parts if n in self.after and watts[n] > 0])
        return wrong

    def _target(self) -> float | None:
        save = self.request.get("save") or {}
        return save.get("parts") if save.get("parts") is not None else save.get("watts")

    def _watts(self, parts: Collection[str]) -> tuple[dict[str, float], str]:
        if (self.request.get("save") or {}).get("parts") is not None:
            return dict.fromkeys(parts, 1.0), "parts"
        said = self.request.get("watts") or {}
        found: dict[str, float] = {}
        for name in parts:
            bare = name.removeprefix("device:")
            stated = next((said[key] for key in (name, bare, kind(name)) if key in said), None)
            draw = {
                str(f.args[2]): float(str(f.args[3]))
                for f in self.machine.facts_of("power_draw")
                if f.args[:2] == (name, "idle")
            }
            drawn = draw.get("total", sum(draw[d] for d in ("package", "dram") if d in draw))
            if stated is not None or drawn or draw.keys() & {"total", "package", "dram"}:
                found[name] = round(float(drawn if stated is None else stated) * 1000) / 1000
        if not found:
            return dict.fromkeys(parts, 1.0), "parts"
        return {name: found.get(name, 0.0) for name in parts}, "W"

    def _more(self, parts: Collection[str]) -> list[str]:
        """Try each further part: whether the same load would run without it, where it runs now."""
        kept = self.answer.get("kept")
        if kept is None:
            return []
        never = {self.named(name) for name in self.request.get("never", [])}
        used = {f"pu:{pu}" for pu in kept["pus"]} | {f"numa:{n}" for n in kept["numa"]}
        used |= {self.named(name) for name in self.keep.get("devices", [])} | never
        if self.keep.get("max_latency_ns") is not None and self.floor.links:
            return []  # without the part messages may travel longer ways
        if self.keep.get("placement") is not None:
            return []  # memory may not suffice elsewhere, which the search has found
        found = []
        for name in parts[:MOST_POINTS] if isinstance(parts, list) else parts:
            left, _home = self.floor.there([*self.off, name])
            if used <= left:
                found.append(f"{name} could go, too")
        return found

    # ------------------------------------------------------------ a refusal
    def refusal(self) -> list[str]:
        """Judge that only the user's own wishes are named, and count where counting can tell."""
        reasons = {reason.id: reason for reason in self.decision.reasons}
        if not reasons:
            return ["it is not said what clashes"]
        own = {f"off:{name}" for name in self.request.get("off", [])}
        own |= {f"off:{name}" for name in (self.answer.get("off") or [])}
        own |= {f"never:{name}" for name in self.request.get("never", [])}
        own |= {f"keep.{key}" for key in self.keep}
        own |= {f"keep.devices:{name}" for name in self.keep.get("devices", [])} | {"save"}
        if "evacuation" in self.answer or self.request.get("current"):
            return []  # rules of tasks are those of the placement question
        strange = sorted(set(reasons) - own)
        if strange:
            return [f"{strange[0]} is no wish of the request"]
        if set(reasons) & {"save", "keep.placement", "keep.max_latency_ns"}:
            return []
        off = [name[4:] for name in reasons if name.startswith("off:")]
        there, _home = self.floor.there([n if n.startswith(LINK) else self.named(n) for n in off])
        stays = [name[6:] for name in reasons if name.startswith("never:")]
        stays += [name[13:] for name in reasons if name.startswith("keep.devices:")]
        fact = self.machine.fact
        usable = [n for n in there if fact("disallowed", n) is None]
        pus = sum(kind(n) == "pu" for n in usable)
        nodes = [int(n[5:]) for n in usable if kind(n) == "numa"]
        clash = any(self.named(name) not in there for name in stays)
        clash = clash or ("keep.pus" in reasons and pus < int(self.keep["pus"]))
        room = self._sum("memory_size", nodes) / MIB
        clash = clash or ("keep.memory_mib" in reasons and room < self.keep["memory_mib"])
        rate = self._bandwidth(nodes)
        clash = clash or ("keep.bandwidth_mib_s" in reasons and rate < self.keep["bandwidth_mib_s"])
        return [] if clash else ["the wishes that are named do not clash"]


def _but(names: list[str], name: str) -> list[str]:
    return [other for other in names if other != name]
