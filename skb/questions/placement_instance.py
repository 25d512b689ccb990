"""The placement question on one machine: the user's rules with their words, and what everything
costs.

Prices are whole numbers: picoseconds times messages per second times `scale`, the common
denominator of all rates. A task is counted from its first PU: its messages, its wishes to be near,
its memory accesses where it asks for memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm

from skb.decision import Assumption
from skb.machine import ROOT, Machine
from skb.questions.placement_amounts import Amounts, Demand
from skb.questions.placement_ground import Ground
from skb.questions.placement_load import assumed_idle, busy_rules
from skb.questions.placement_request import Request, Wanted, exact, listed, wishes
from skb.wording import counted


@dataclass(frozen=True, slots=True)
class Rule:
    """A constraint of the user: its identifier in the request, its words, and what it is about."""

    id: str
    text: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """A rule that keeps a task to some PUs.

    `kind` says how the rules see it: confine and start (into `pus`), avoid (out of `barred`), isa
    and kind (by the word in `value`). `pus` is what remains of the usable PUs in each case.
    """

    id: str
    task: int
    kind: str
    pus: frozenset[int]
    value: str = ""
    barred: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Group:
    """Tasks that share one object of a level (together) or none (apart)."""

    id: str
    kind: str
    level: str
    tasks: tuple[int, ...]


class Instance:
    """What a request means on a machine; see the module's docstring."""

    def __init__(
        self,
        machine: Machine,
        request: Request,
        tasks: tuple[Wanted, ...],
        ground: Ground | None = None,
    ) -> None:
        self.machine = machine
        self.request = request
        self.tasks = tasks
        self.ground = ground or Ground(machine)
        self.costs = self.ground.costs
        self.latency = self.ground.latency
        self.memory_costs = self.ground.memory_costs
        self.supplies = self.ground.supplies
        self.pus = self.ground.pus
        self.loads = {} if request.busy_above is None else self.ground.loads
        self._usable = self.ground.usable
        self._position = {wanted.name: index for index, wanted in enumerate(tasks)}
        self.rules: dict[str, Rule] = {}
        self.narrowings: list[Narrowing] = []
        self.demands: list[Demand] = []
        self.wanted_memory: dict[int, tuple[str, str]] = {}
        self.kept_memory: dict[int, tuple[str, int]] = {}
        self.groups: list[Group] = []
        for index in range(len(tasks)):
            self._need_rule(index)
            self._place_rules(index)
            self._memory_rules(index)
        self._common_rules()

    # ------------------------------------------------------------ words
    def assumed(self, remote: bool) -> tuple[Assumption, ...]:
        """Return the defaults that a placement rests on; `remote` says that latencies chose a node.

        Latencies count where something is priced by them, sizes and kinds where a task asks.
        """
        tasks = range(len(self.tasks))
        found = {
            *self.assumed_by(self.rules),
            *assumed_idle(self.pus, self.request, self.loads),
        }
        wishing = any(weight for wanted in self.tasks for _o, weight in wishes(wanted.task))
        wide = any(self.whole(task) or self.count(task) > 1 for task in tasks)
        if wishing or wide or any(a != b for a, b, _rate in self.traffic):
            found.update(self.costs.assumed)
        if remote or any(self.remembers(task) for task in tasks):
            found.update(self.memory_costs.assumed)
        return tuple(sorted(found, key=lambda a: (a.fact, a.because)))

    def assumed_by(self, rules: Iterable[str]) -> tuple[Assumption, ...]:
        """Return the sizes, kinds and bandwidths that nobody stated and that these rules go by."""
        keys = {rule.rpartition(".")[2] for rule in rules}
        found = {
            Assumption(fact, why)
            for key in keys
            for fact, why in self.supplies.assumed.get(key, {}).items()
        }
        return tuple(sorted(found, key=lambda a: (a.fact, a.because)))

    def rule_id(self, task: int, key: str) -> str:
        wanted = self.tasks[task]
        return f"{wanted.place}({wanted.name}).{key}" if wanted.device else f"{wanted.place}.{key}"

    def _rule(self, rule: str, text: str, *items: str) -> str:
        self.rules[rule] = Rule(rule, text, items)
        return rule

    def _task_rule(self, task: int, key: str, text: str, *items: str) -> str:
        name = self.tasks[task].name
        return self._rule(self.rule_id(task, key), f"task {name} {text}", f"task:{name}", *items)

    # ------------------------------------------------------------ needs
    def whole(self, task: int) -> bool:
        return self.tasks[task].task.cores is not None

    def count(self, task: int) -> int:
        wanted = self.tasks[task].task
        return wanted.cores or wanted.pus or 1

    def need_id(self, task: int) -> str:
        return self.rule_id(task, "cores" if self.whole(task) else "pus")

    def _need_rule(self, task: int) -> None:
        wanted, count = self.tasks[task].task, self.count(task)
        many = "" if count == 1 else "s"
        cores = len(self.complete)
        if self.whole(task):
            exclusive = "exclusive " if wanted.exclusive else ""
            has = counted(cores, "usable core")
            text = f"needs {count} {exclusive}core{many}; the machine has {has}"
        elif wanted.exclusive:
            has = counted(cores, "usable core")
            text = f"needs {count} PU{many} on exclusive cores; the machine has {has}"
        elif wanted.load < 1:
            text = (
                f"needs {wanted.load:g} of {count} PU{many}; "
                f"the machine has {counted(len(self.pus), 'usable PU')}"
            )
        else:
            text = f"needs {count} PU{many}; the machine has {counted(len(self.pus), 'usable PU')}"
        self._task_rule(task, "cores" if self.whole(task) else "pus", text, ROOT)

    @property
    def core_pus(self) -> dict[str, tuple[int, ...]]:
        """All PUs of each core, also those that cannot be used."""
        return self.ground.core_pus

    @property
    def complete(self) -> frozenset[str]:
        """The cores all of whose PUs can be used."""
        return self.ground.complete

    # ------------------------------------------------------------ where
    def _narrow(
        self, rule: str, task: int, kind: str, pus: frozenset[int], value: str = ""
    ) -> None:
        barred = self._usable - pus if kind == "avoid" else frozenset()
        part = self.ground.part(pus)
        self.narrowings.append(Narrowing(rule, task, kind, part, value, barred))

    def _place_rules(self, task: int) -> None:
        wanted = self.tasks[task].task
        for key, names in (
            ("at", listed(wanted.at)),
            ("per", listed(self.tasks[task].device or None)),
        ):
            if names:
                pus = self.ground.local(names)
                text = f"must run at {' or '.join(names)} ({self.ground.size(pus)})"
                self._narrow(self._task_rule(task, key, text, *names), task, "confine", pus)
        if wanted.not_at:
            names = listed(wanted.not_at)
            pus = self.ground.others(self.ground.local(names))
            text = f"must not run at {' or '.join(names)} (leaves {self.ground.size(pus)})"
            self._narrow(self._task_rule(task, "not_at", text, *names), task, "avoid", pus)
        for key, word in (("isa", wanted.isa), ("kind", wanted.kind)):
            if word is not None:
                pus = self.ground.worded(key, word)
                have = self.ground.words[key]
                text = (
                    f"needs {'isa' if key == 'isa' else 'core kind'} {word}; the machine has {have}"
                )
                if pus:
                    text += f" ({self.ground.size(pus)} of {word})"
                self._narrow(self._task_rule(task, key, text), task, key, pus, word)

    @property
    def isa(self) -> dict[int, str]:
        return self.ground.isa

    @property
    def core_kind(self) -> dict[int, str]:
        return self.ground.core_kind

    # ------------------------------------------------------------ memory
    def _memory_rules(self, task: int) -> None:
        wanted = self.tasks[task].task
        nodes = self.machine.usable_numa
        if wanted.memory_mib:
            sizes = [size for node in nodes if (size := self.supplies.memory(node)) is not None]
            most = _in(2**20, max(sizes, default=0))
            text = (
                f"needs {wanted.memory_mib:.10g} MiB of memory; the machine has "
                f"{counted(len(nodes), 'usable node')} of at most {most} MiB, "
                f"{_in(2**20, sum(sizes))} MiB in all"
            )
            rule = self._task_rule(task, "memory_mib", text)
            self._demand(rule, task, "memory", wanted.memory_mib, 2**20)
        if wanted.memory_kind:
            have = ", ".join(sorted({self.supplies.memory_kind(node) for node in nodes}))
            text = f"needs {wanted.memory_kind} memory; the machine has {have or 'none'}"
            self.wanted_memory[task] = (
                self._task_rule(task, "memory_kind", text),
                wanted.memory_kind,
            )
        if wanted.bandwidth_mbps:
            best = max((self.supplies.bandwidth(node) for node in nodes), default=0)
            text = (
                f"needs {wanted.bandwidth_mbps:.10g} MB/s of memory; "
                f"a node has at most {_in(10**6, best)} MB/s"
            )
            rule = self._task_rule(task, "bandwidth_mbps", text)
            self._demand(rule, task, "bandwidth", wanted.bandwidth_mbps, 10**6)
        if wanted.cache_mib:
            best = self.supplies.largest_cache
            text = (
                f"needs {wanted.cache_mib:.10g} MiB of cache; a last-level cache has at most "
                f"{_in(2**20, best)} MiB"
            )
            rule = self._task_rule(task, "cache_mib", text)
            self._demand(rule, task, "cache", wanted.cache_mib, 2**20)

    def _demand(self, rule: str, task: int, resource: str, amount: float, unit: int) -> None:
        self.demands.append(Demand(rule, task, resource, Fraction(str(amount)) * unit))

    @cached_property
    def amounts(self) -> Amounts:
        return Amounts(self.demands, self.supplies)

    def stores(self, task: int) -> bool:
        """Whether a task chooses its memory node; the others get the nearest usable one."""
        wanted = self.tasks[task].task
        return bool(wanted.memory_mib or wanted.memory_kind or wanted.bandwidth_mbps)

    def remembers(self, task: int) -> bool:
        """Whether a task asks for memory, so that its accesses are priced."""
        wanted = self.tasks[task].task
        return bool(wanted.memory_mib or wanted.memory_kind)

    def chooses(self, task: int) -> bool:
        """Whether the choice is a real one: where every node has room for all tasks, the nearest
        will do.
        """
        return self.stores(task) and self._scarce

    @cached_property
    def _scarce(self) -> bool:
        wanting = (*self.wanted_memory, *self.kept_memory)
        if not self.machine.usable_numa or not all(map(self.nodes, wanting)):
            return True
        return any(
            self.amounts.total[resource] > units
            for resource in ("memory", "bandwidth")
            for units in self.amounts.nodes(resource).values()
        )

    def nodes(self, task: int) -> tuple[int, ...]:
        """Return the usable memory nodes of the kind that a task wants, or the one it keeps."""
        kind = self.wanted_memory.get(task, ("", ""))[1]
        usable = self.machine.usable_numa
        if task in self.kept_memory:
            usable = tuple(node for node in usable if node == self.kept_memory[task][1])
        return tuple(node for node in usable if not kind or self.supplies.memory_kind(node) == kind)

    def node_near(self, task: int, pu: int) -> int | None:
        """Return the nearest memory node of the task's kind, the lowest of equals."""
        if task not in self.wanted_memory and task not in self.kept_memory:
            return self.supplies.nearest[pu]
        nodes = self.nodes(task)
        return min(nodes, key=lambda node: (self.supplies.memory_ps(pu, node), node), default=None)

    # ------------------------------------------------------------ rules about several tasks
    def _common_rules(self) -> None:
        request = self.request
        if request.allowed is not None:
            pus = frozenset(request.allowed)
            rule = self._rule(
                "allowed", f"only some PUs are allowed ({self.ground.size(pus)})", ROOT
            )
            for task in range(len(self.tasks)):
                self._narrow(rule, task, "confine", pus)
        self.bar_busy()
        for kind, groupings in (("together", request.together), ("apart", request.apart)):
            for index, grouping in enumerate(groupings):
                members = tuple(self._position[name] for name in grouping.tasks)
                count = len(set(self.objects(grouping.within).values()))
                share = "share one" if kind == "together" else "share no"
                text = (
                    f"tasks {', '.join(grouping.tasks)} must {share} {grouping.within}; "
                    f"the machine has {counted(count, f'usable {grouping.within}')}"
                )
                items = tuple(f"task:{name}" for name in grouping.tasks)
                rule = self._rule(f"{kind}[{index}]", text, *items)
                self.groups.append(Group(rule, kind, grouping.within, members))
        self._keep_rules()
        for index, forced in enumerate(request.forced):
            rule = f"forced[{index}]"
            task = self._position[forced.task]
            pus = self.machine.pus_of(forced.at)
            text = f"task {forced.task} is forced to start at {forced.at} ({self.ground.size(pus)})"
            self._rule(rule, text, f"task:{forced.task}", forced.at)
            self._narrow(rule, task, "start", pus)

    def bar_busy(self) -> None:
        """Keep all tasks away from what the request or facts call busy."""
        for busy in busy_rules(self.machine, self.request, self.loads):
            rest = self.ground.others(busy.pus)
            text = f"{busy.text} (leaves {self.ground.size(rest)})"
            rule = self._rule(busy.key, text, *busy.items)
            for task in range(len(self.tasks)):
                self._narrow(rule, task, "confine", rest)

    def _keep_rules(self) -> None:
        now = self.request.current
        if now is None:
            return
        for name in now.keep:
            task, seat = self._position[name], now.placement[name]
            pus = frozenset(seat.pus)
            text = f"task {name} stays on pu:{','.join(map(str, seat.pus))}"
            if self.stores(task) and seat.numa_node is not None:
                text += f" and at numa:{seat.numa_node}"
            rule = self._rule(f"current.keep({name})", text, f"task:{name}")
            self._narrow(rule, task, "confine", pus)
            if len(seat.pus) > 1:
                self._narrow(rule, task, "start", frozenset(seat.pus[:1]))
            if self.stores(task) and seat.numa_node is not None:
                self.kept_memory[task] = (rule, seat.numa_node)

    def objects(self, level: str) -> dict[int, str]:
        """Return the object of a level around each usable PU; a PU without one counts by its
        core.
        """
        return self.ground.objects(level)

    # ------------------------------------------------------------ prices
    @cached_property
    def scale(self) -> int:
        """The common denominator of all rates and weights, and of a migration's picoseconds."""
        numbers = [exact(traffic.messages_per_s) for traffic in self.request.traffic]
        numbers += [exact(weight) for wanted in self.tasks for _o, weight in wishes(wanted.task)]
        if self.request.current is not None:
            numbers.append(exact(self.request.current.migration_cost) * 1000)
        return lcm(1, *(number.denominator for number in numbers))

    def whole_number(self, number: float | Fraction) -> int:
        return int(exact(float(number)) * self.scale)

    @cached_property
    def traffic(self) -> tuple[tuple[int, int, int], ...]:
        """Pairs of tasks with the rate in the scale; equal pairs are added up."""
        found: dict[tuple[int, int], int] = {}
        for row in self.request.traffic:
            pair = (self._position[row.from_], self._position[row.to])
            found[pair] = found.get(pair, 0) + self.whole_number(row.messages_per_s)
        return tuple((a, b, rate) for (a, b), rate in sorted(found.items()) if rate)

    def toll(self, task: int, pu: int) -> int:
        """Return what a task's wishes to be near cost with this first PU."""
        return sum(weight * self.latency.near_ps(pu, at) for at, weight in self._wishes[task])

    @cached_property
    def _wishes(self) -> tuple[tuple[tuple[str, int], ...], ...]:
        """The objects that each task wishes to be near, with weights in the scale."""
        rows = (wishes(wanted.task) for wanted in self.tasks)
        return tuple(tuple((at, self.whole_number(w)) for at, w in row) for row in rows)

    def current(self, task: int) -> frozenset[int] | None:
        now = self.request.current
        if now is None or self.tasks[task].name not in now.placement:
            return None
        return frozenset(now.placement[self.tasks[task].name].pus)

    @cached_property
    def moving(self) -> int:
        now = self.request.current
        return 0 if now is None else int(exact(now.migration_cost) * 1000 * self.scale)

    def ns(self, price: int | float) -> float:
        """Turn a price back into ns/s; the nearest float to the exact quotient."""
        return float(Fraction(price) / (1000 * self.scale))


def _in(unit: int, amount: Fraction | int) -> str:
    return f"{float(Fraction(amount) / unit):.10g}"
