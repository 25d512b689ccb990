"""Why a placement is impossible: a minimal set of the user's rules that clash.

Counting proposes (`placement_suspects`), the rules judge: a suspicion is grounded alone, which is
small, and each of its members is proven to be needed. Where counting sees nothing the whole
request is grounded, and the clash that clingo finds in it is made minimal on its own.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import cached_property

import msgspec
from msgspec import structs

from skb.decision import Decision, Limits, Objective, Reason, Status
from skb.engines.asp import Program
from skb.engines.placement_clash import Explainer, Trial, Verdict
from skb.engines.placement_proof import Child
from skb.engines.placement_search import search
from skb.machine import Machine
from skb.questions.placement_answer import board_of
from skb.questions.placement_ground import Ground
from skb.questions.placement_instance import Instance
from skb.questions.placement_places import partition
from skb.questions.placement_program import Encoder
from skb.questions.placement_request import Request, check, expand, resolved
from skb.questions.placement_suspects import Suspects
from skb.questions.question import Raw, read_request

# atoms above which clingo runs in a process that can be killed: about 0.5 s of grounding
LARGEST_INSIDE = 4_000
# seconds kept for the way back from the other process
RETURN = 0.1
# candidates that the search for an admissible placement may weigh, for each task
WORK_PER_TASK = 300
# suspicions that the rules may refute before the whole request is grounded
ATTEMPTS = 3
# share of the time in which counting makes a clash smaller
COUNTING = 0.3


def kept(instance: Instance, rules: Collection[str]) -> Instance:
    """Return the instance of some rules alone: of the tasks that they name, without traffic."""
    keep = set(rules)
    tasks = {n.task for n in instance.narrowings if n.id in keep}
    tasks |= {demand.task for demand in instance.demands if demand.id in keep}
    tasks |= {task for task, (rule, _kind) in instance.wanted_memory.items() if rule in keep}
    tasks |= {task for task, (rule, _node) in instance.kept_memory.items() if rule in keep}
    tasks |= {task for group in instance.groups if group.id in keep for task in group.tasks}
    tasks |= {task for task in range(len(instance.tasks)) if instance.need_id(task) in keep}
    order = sorted(tasks)
    number = {task: index for index, task in enumerate(order)}
    part = copy.copy(instance)
    for cached in ("amounts", "_scarce", "_wishes"):
        part.__dict__.pop(cached, None)
    part.__dict__["traffic"] = ()
    part.tasks = tuple(instance.tasks[task] for task in order)
    part.rules = {rule: words for rule, words in instance.rules.items() if rule in keep}
    part.narrowings = [replace(n, task=number[n.task]) for n in instance.narrowings if n.id in keep]
    part.demands = [replace(d, task=number[d.task]) for d in instance.demands if d.id in keep]
    part.wanted_memory = {
        number[task]: wanted for task, wanted in instance.wanted_memory.items() if wanted[0] in keep
    }
    part.kept_memory = {
        number[task]: memory for task, memory in instance.kept_memory.items() if memory[0] in keep
    }
    part.groups = [
        replace(group, tasks=tuple(number[task] for task in group.tasks))
        for group in instance.groups
        if group.id in keep
    ]
    return part


def explaining(instance: Instance) -> Program:
    """Return the program whose rules can be lifted, over as few places as the rules allow."""
    return Encoder(instance, partition(instance, coarse=True, priced=False)).explain()


def interchangeable(instance: Instance) -> dict[str, str]:
    """Return for each rule of a task a name that it shares with the same rule of equal tasks.

    Tasks that a rule about several of them names, or one about the task as it is now, are unlike
    all others.
    """
    own: dict[str, list[str]] = {wanted.name: [] for wanted in instance.tasks}
    apart: set[str] = set()
    for rule in instance.rules.values():
        names = [item.removeprefix("task:") for item in rule.items if item.startswith("task:")]
        if len(names) == 1 and rule.id.startswith("task["):
            own[names[0]].append(rule.id)
        else:
            apart.update(names)
    found: dict[str, str] = {}
    for wanted in instance.tasks:
        keys = sorted(rule.rpartition(".")[2] for rule in own[wanted.name])
        plain = (structs.replace(wanted.task, name=""), wanted.device, keys)
        kind = msgspec.json.encode(plain).decode()
        if wanted.name not in apart:
            found |= {rule: f"{rule.rpartition('.')[2]} {kind}" for rule in own[wanted.name]}
    return found


class Judge:
    """Says of sets of one request's rules whether they can be kept, and else which clash."""

    def __init__(self, instance: Instance, limits: Limits, deadline: float) -> None:
        self.instance = instance
        self.limits = limits
        self.deadline = deadline

    @cached_property
    def suspects(self) -> Suspects:
        return Suspects(self.instance)

    def counted(self, rules: Iterable[str]) -> Verdict | None:
        """Return a minimal clash that counting finds among the rules and clingo confirms."""
        suspects = self.suspects
        active = sum(suspects.bit[rule] for rule in rules)
        for _attempt in range(ATTEMPTS):
            fewest = suspects.smallest(active, interchangeable(self.instance), self._counting())
            if not fewest:
                return None
            suspected = suspects.rules(fewest)
            verdict = self._alone(suspected)
            if verdict.possible is False:
                return verdict
            # unproven or wrong: look for another one, without the rule that was stated last
            active &= ~suspects.bit[suspected[-1]]
        return None

    def judge(self, rules: Collection[str], *, clash: bool = False) -> Verdict:
        """Return whether the rules can all be kept; `clash` says that they are known not to be."""
        if found := self.counted(rules):
            return found
        if not clash and self._seated(rules):
            return Verdict(True)
        verdict = self._whole(tuple(rules))
        if verdict.possible is None and clash:
            return Verdict(False)
        if verdict.possible is not False or not verdict.rules:
            return verdict
        again = self._alone(verdict.rules)
        return again if again.possible is False else verdict

    def _alone(self, rules: Sequence[str]) -> Verdict:
        part = kept(self.instance, rules)
        program = explaining(part)
        chosen, alike = tuple(rules), interchangeable(part)
        if len(program.atoms) <= LARGEST_INSIDE:
            explainer = Explainer(program, chosen, self.limits)
            return explainer.minimal(chosen, self.deadline, alike)
        return self._child(Trial(program, chosen, self.limits, self.deadline - RETURN, alike))

    def _child(self, trial: Trial) -> Verdict:
        with Child(trial) as child:
            found: Verdict | None = child.result(self.deadline)
        return found or Verdict(None)

    def _counting(self) -> float:
        """Return when counting must be done: the proof needs time too."""
        now = time.monotonic()
        return now + max(0.0, self.deadline - now) * COUNTING

    def _seated(self, rules: Collection[str]) -> bool:
        """Whether a first search finds a placement that keeps the rules."""
        part = kept(self.instance, rules)
        work = WORK_PER_TASK * len(part.tasks)
        board = board_of(part)
        return search(board, self.limits.seed, work, None, self.deadline, 1) is not None

    def _whole(self, rules: tuple[str, ...]) -> Verdict:
        if self._explainer is not None:
            return self._explainer.first(rules, self.deadline)
        part = kept(self.instance, rules)
        program = explaining(part)
        return self._child(Trial(program, rules, self.limits, self.deadline - RETURN))

    @cached_property
    def _explainer(self) -> Explainer | None:
        """The program of all rules, grounded once; None where that may take too long to wait."""
        program = Encoder(
            self.instance, partition(self.instance, coarse=True, priced=False)
        ).explain()
        small = len(program.atoms) <= LARGEST_INSIDE
        return Explainer(program, tuple(self.instance.rules), self.limits) if small else None


def refuted(instance: Instance, limits: Limits, deadline: float) -> Decision | None:
    """Return the decision that names a clash which counting finds; None where it finds none."""
    if not instance.pus:
        return None
    found = Judge(instance, limits, deadline).counted(instance.rules)
    return impossible(instance, found) if found else None


def explained(instance: Instance, limits: Limits, deadline: float) -> Decision:
    """Return the decision that names a minimal clash of a request that is proven impossible."""
    verdict = Judge(instance, limits, deadline).judge(tuple(instance.rules), clash=True)
    return impossible(instance, verdict)


def reasons_of(instance: Instance, rules: Iterable[str]) -> tuple[Reason, ...]:
    """Return rules in the user's words; the machine itself where no rule is to blame."""
    chosen = set(rules)
    found = tuple(
        Reason(rule.id, rule.text, rule.items)
        for rule in instance.rules.values()
        if rule.id in chosen
    )
    text = f"{instance.machine.name} has {len(instance.pus)} usable PUs"
    return found or (Reason("machine", text, ("machine:0",)),)


def impossible(instance: Instance, verdict: Verdict) -> Decision:
    """Return the decision of a request whose rules clash."""
    reasons = reasons_of(instance, verdict.rules)
    exact = verdict.exact or not instance.pus
    return Decision(
        question="placement",
        machine=instance.machine.name,
        revision=instance.machine.revision,
        status=Status.INFEASIBLE,
        assumed=instance.assumed_by(reason.id for reason in reasons),
        objective=Objective("communication", None, "ns/s"),
        answer={},
        reasons=reasons,
        warnings=() if exact else ("the reasons are not proven to be minimal",),
    )


def instance_of(machine: Machine, raw: Raw, ground: Ground | None = None) -> Instance:
    """Return what a request means on a machine, whose tables `ground` may have already.

    Raises `RequestError` where it is malformed.
    """
    request = resolved(machine, read_request(raw, Request, "placement"))
    tasks = expand(machine, request)
    check(machine, request, tasks)
    return Instance(machine, request, tasks, ground)
