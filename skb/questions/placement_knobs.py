"""The numbers that a placement rests on, each with a way to ask what if it were another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from skb.machine import Machine
from skb.questions.placement_instance import Instance
from skb.questions.placement_request import wishes
from skb.questions.question import Raw
from skb.relations import Fact, Source, Value, relations

# relations whose last argument is a time that prices are made of
TIMES = (
    "latency_within",
    "latency_hops",
    "latency",
    "message_cost",
    "message_cost_within",
    "message_cost_hops",
    "memory_latency",
    "cache_latency",
)
_ASSUMED = re.compile(r"(?P<predicate>\w+)\((?P<args>[^)]*)\) = (?P<value>[\d.]+) ns")
_APART = re.compile(
    r"latency between packages(?: (?P<hops>\d+) hops apart)? = (?P<value>[\d.]+) ns"
)

World = tuple[Machine, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Knob:
    """A number that prices depend on: `turned(value)` is the machine and the request with another.

    `because` says why it was assumed, and is empty where somebody stated it.
    """

    name: str
    kind: str
    value: float
    unit: str
    turned: Callable[[float], World]
    because: str = ""


def knobs(machine: Machine, decision: Raw, instance: Instance) -> Iterator[Knob]:
    """Yield the latencies of the machine, stated or assumed, then the rates of the request."""
    raw = dict(decision["request"])
    pairs = _pairs(decision, instance)
    for predicate in TIMES:
        for fact in machine.facts_of(predicate):
            ends = tuple(map(str, fact.args[:2]))
            if predicate in {"latency", "message_cost"} and ends not in pairs:
                continue
            assumed = "a default" if fact.source == Source.DEFAULT.value else ""
            yield _fact(machine, raw, predicate, fact.args[:-1], float(str(fact.args[-1])), assumed)
    for entry in decision["assumed"]:
        if (known := _assumed(entry["fact"])) is not None:
            predicate, args, value = known
            yield _fact(machine, raw, predicate, args, value, entry["because"])
    yield from _rates(machine, raw, instance)


def _assumed(text: str) -> tuple[str, tuple[Value, ...], float] | None:
    """Return the fact that would state what was assumed; None where it is no fact of its own."""
    if apart := _APART.fullmatch(text):
        value = float(apart["value"])
        if apart["hops"]:
            return "latency_hops", (int(apart["hops"]),), value
        return "latency_within", ("machine",), value
    found = _ASSUMED.fullmatch(text)
    if found is None or found["predicate"] not in TIMES:
        return None
    args = _values(found["predicate"], found["args"])
    return None if args is None else (found["predicate"], args, float(found["value"]))


def _pairs(decision: Raw, instance: Instance) -> set[tuple[str, str]]:
    """Return the pairs of PUs that messages of the decision and of its alternatives use."""
    seats = {name: [row["pus"][0]] for name, row in decision["answer"]["tasks"].items()}
    for row in decision["alternatives"]:
        if "task" in row and "pus" in row:
            seats[row["task"]].append(row["pus"][0])
    names = [wanted.name for wanted in instance.tasks]
    return {
        (f"pu:{a}", f"pu:{b}")
        for first, second, _rate in instance.traffic
        for a in seats[names[first]]
        for b in seats[names[second]]
    }


def _values(predicate: str, text: str) -> tuple[Value, ...] | None:
    """Return the key arguments of an assumed fact; None where it is no fact but a rule of thumb."""
    words = [word.strip() for word in text.split(",")]
    wanted = relations()[predicate].args[:-1]
    if len(words) != len(wanted):
        return None
    values: list[Value] = []
    for word, argument in zip(words, wanted, strict=True):
        if argument.type == "int" and not word.isdigit():
            return None
        values.append(int(word) if argument.type == "int" else word)
    return tuple(values)


def _fact(
    machine: Machine,
    raw: dict[str, Any],
    predicate: str,
    args: tuple[Value, ...],
    value: float,
    because: str,
) -> Knob:
    def turned(other: float) -> World:
        new = Fact(predicate, (*args, other))
        facts = [fact for fact in machine.facts if fact.key != new.key]
        return Machine(machine.name, (*facts, new), revision=machine.revision), raw

    name = f"{predicate}({', '.join(map(str, args))})"
    return Knob(name, "fact", value, "ns", turned, because)


def _rates(machine: Machine, raw: dict[str, Any], instance: Instance) -> Iterator[Knob]:
    def knob(name: str, value: float, unit: str, put: Callable[[Any, float], None]) -> Knob:
        def turned(other: float) -> World:
            request = deepcopy(raw)
            put(request, other)
            return machine, request

        return Knob(name, "request", value, unit, turned)

    for index, row in enumerate(raw.get("traffic", [])):
        name = f"traffic {row['from']} -> {row['to']}"

        def rate(request: Any, other: float, index: int = index) -> None:
            request["traffic"][index]["messages_per_s"] = other

        yield knob(name, float(row["messages_per_s"]), "messages/s", rate)
    for index, task in enumerate(instance.request.task):
        weights: Mapping[str, float] = dict(wishes(task))
        for name, weight in weights.items():

            def near(
                request: Any,
                other: float,
                index: int = index,
                name: str = name,
                weights: Mapping[str, float] = weights,
            ) -> None:
                request["task"][index]["near"] = {**weights, name: other}

            yield knob(f"near {name} of task {task.name}", weight, "messages/s", near)
    if raw.get("current"):

        def moving(request: Any, other: float) -> None:
            request["current"]["migration_cost"] = other

        cost = float(raw["current"].get("migration_cost", 0.0))
        yield knob("current.migration_cost", cost, "ns/s", moving)
