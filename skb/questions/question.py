"""What a question is: a request, a way to decide it, a judge, and a way to force an alternative."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from skb.decision import Decision, Limits
from skb.errors import RequestError
from skb.machine import Machine

Raw = Mapping[str, Any]
RequestType = TypeVar("RequestType", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the registry.

    `request` is the msgspec type of the request, whose JSON schema the service publishes.
    `decide(machine, raw, limits)` returns a decision and raises `RequestError` for a bad request.
    `check(machine, decision)` is the checker: it returns violations in words, empty where all is
    well. `force(machine, raw, clause)` returns the request with an alternative forced (`task=rx
    pu=5`). `example` is a request in TOML, or empty where a question needs none. `needs_pus` is
    false where a machine that only describes parts, such as its PCI tree, can be asked too.
    """

    name: str
    summary: str
    request: type[msgspec.Struct]
    decide: Callable[[Machine, Raw, Limits], Decision]
    check: Callable[[Machine, Decision], list[str]]
    force: Callable[[Machine, Raw, Mapping[str, str]], dict[str, Any]] | None = None
    example: str = ""
    needs_pus: bool = True

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the request."""
        return msgspec.json.schema(self.request)


def read_request(raw: Raw, wanted: type[RequestType], question: str) -> RequestType:
    """Turn plain values into a request; the error names the place as a JSON path and the mend."""
    try:
        return msgspec.convert(raw, wanted)
    except msgspec.ValidationError as fault:
        text, _, path = str(fault).partition(" - at ")
        known = ", ".join(field.encode_name for field in msgspec.structs.fields(wanted))
        raise RequestError(
            text, place=f"{question} request {path.strip('`')}".strip(), mend=f"keys are: {known}"
        ) from fault
