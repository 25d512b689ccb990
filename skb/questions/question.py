"""What a question is: a request, a way to decide it, a judge, and a way to force an alternative."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from skb.decision import Decision, Limits, Objective, Status
from skb.errors import CheckError, RequestError
from skb.machine import Machine

Raw = Mapping[str, Any]
# explains a decision (as JSON) on its machine: so many of what there is, within limits
Explain = Callable[[Machine, Raw, int, Limits], dict[str, Any]]
RequestType = TypeVar("RequestType", bound=msgspec.Struct)
# a step of a JSON path, and how people call what may stand there
_VALUE = "[...]"
_STEP = re.compile(r"\.[^.\[]+|\[[^\]]*\]")
_WORDS: dict[type[Any], str] = {
    msgspec.inspect.BoolType: "true or false",
    msgspec.inspect.IntType: "a whole number",
    msgspec.inspect.FloatType: "a number",
    msgspec.inspect.StrType: "text, in quotes",
    msgspec.inspect.ListType: "a list",
    msgspec.inspect.TupleType: "a list",
    msgspec.inspect.DictType: "a table of keys",
}


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the registry.

    `request` is the msgspec type of the request, whose JSON schema the service publishes.
    `decide(machine, raw, limits)` returns a decision and raises `RequestError` for a bad request.
    `check(machine, decision)` is the checker: it returns violations in words, empty where all is
    well. `force(machine, raw, clause)` returns the request with an alternative forced (`task=rx
    pu=5`). `nearby(machine, decision, raw)` returns a quick answer that has what is forced, an
    upper bound, or None. `example` is a request in TOML, or empty where a question needs none.
    `needs_pus` is false where a machine that only describes parts, such as its PCI tree, can be
    asked too.
    """

    name: str
    summary: str
    request: type[msgspec.Struct]
    decide: Callable[[Machine, Raw, Limits], Decision]
    check: Callable[[Machine, Decision], list[str]]
    force: Callable[[Machine, Raw, Mapping[str, str]], dict[str, Any]] | None = None
    nearby: Callable[[Machine, Raw, Raw], Decision | None] | None = None
    example: str = ""
    needs_pus: bool = True

    def approve(self, machine: Machine, decision: Decision) -> None:
        """Raise `CheckError` where the checker refuses an answer."""
        if wrong := self.check(machine, decision):
            raise CheckError(
                f"the {self.name} checker refused our answer: {'; '.join(wrong[:5])}",
                mend="this is a fault of ours; please report it with the request",
            )

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the request."""
        return msgspec.json.schema(self.request)


def unanswered(
    question: str,
    machine: Machine,
    raw: Raw,
    limits: Limits,
    objective: Objective,
    engine: str,
    rules: str = "",
    **more: Any,
) -> Decision:
    """Return a decision without an answer yet; `more` is further provenance."""
    return Decision(
        question=question,
        machine=machine.name,
        revision=machine.revision,
        status=Status.UNKNOWN,
        objective=objective,
        answer={},
        request=dict(raw),
        provenance={
            "facts": machine.digest,
            **({"rules": rules} if rules else {}),
            "engine": engine,
            "seed": limits.seed,
            "limit_s": limits.seconds,
            **more,
        },
    )


def read_request(raw: Raw, wanted: type[RequestType], question: str) -> RequestType:
    """Turn plain values into a request; the error names the place as a JSON path and the mend."""
    try:
        return msgspec.convert(raw, wanted)
    except msgspec.ValidationError as fault:
        text, _, path = str(fault).partition(" - at ")
        path = path.replace("`", "")
        place = f"{question} request {path}".strip()
        raise RequestError(text, place=place, mend=_mend(wanted, path)) from fault


def _mend(wanted: type[msgspec.Struct], path: str) -> str:
    """Return what may stand at a JSON path such as `$.task[0].exclusive`."""
    kinds: list[Any] = [msgspec.inspect.type_info(wanted)]
    for step in _STEP.findall(path):
        inner = [_inside(kind, step) for kind in kinds]
        kinds = [kind for found in inner for kind in found] or kinds
    for kind in kinds:
        if isinstance(kind, msgspec.inspect.StructType):
            return f"keys are: {', '.join(field.encode_name for field in kind.fields)}"
    return f"give {' or '.join(dict.fromkeys(filter(None, map(_word, kinds))))}"


def _word(kind: Any) -> str:
    if isinstance(kind, msgspec.inspect.LiteralType):
        return " or ".join(map(str, kind.values))
    return _WORDS.get(type(kind), "")


def _inside(kind: Any, step: str) -> list[Any]:
    """Return the types of what stands in a table, list or object under a step of a path."""
    inner: Any = None
    if isinstance(kind, msgspec.inspect.StructType):
        inner = next((each.type for each in kind.fields if f".{each.encode_name}" == step), None)
    elif isinstance(kind, msgspec.inspect.ListType) and step != _VALUE:
        inner = kind.item_type
    elif isinstance(kind, msgspec.inspect.DictType) and step == _VALUE:
        inner = kind.value_type
    if isinstance(inner, msgspec.inspect.UnionType):
        return list(inner.types)
    return [] if inner is None else [inner]
