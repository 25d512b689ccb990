"""The request of `offers`: clients with needs and wishes, services with properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import isfinite
from typing import Any

import msgspec

from skb.errors import RequestError

Scalar = bool | int | float | str
COMPARED = (">=", "<=", ">", "<")
MOST = 1000


class WishRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A property that a client would like, and what it is worth."""

    is_: Scalar | list[Scalar] = msgspec.field(name="is")
    worth_ns: float


class ClientRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Who needs services: where it runs, or which program it is.

    `weight` multiplies the latency to its services; `services` is how many it takes (1 with
    needs, else 0).
    """

    name: str
    at: str | int | None = None
    needs: dict[str, Scalar | list[Scalar]] = {}
    wishes: dict[str, WishRequest] = {}
    program: str | None = None
    max_latency_ns: float | None = None
    weight: float = 1.0
    services: int | None = None


class OfferRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A service that the facts do not state, or more about one that they do."""

    name: str
    at: str | int | None = None
    properties: dict[str, Scalar] = {}
    capacity: int | None = None


class ForcedRequest(msgspec.Struct, forbid_unknown_fields=True):
    """An alternative that `skb why --not` forces."""

    client: str
    service: str | None = None
    at: str | int | None = None


class OffersRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Clients and services; without clients, those of the facts `need`.

    `images` gives more instruction sets for programs than the facts `image` state.
    """

    client: list[ClientRequest] = []
    offer: list[OfferRequest] = []
    images: dict[str, list[str]] = {}
    forced: list[ForcedRequest] = []


@dataclass(frozen=True, slots=True)
class Condition:
    """What a value must satisfy: equal to one of several (`op` is `is`), or a comparison."""

    op: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        if self.op != "is":
            return f"{self.op} {self.values[0]}"
        one = self.values[0] if len(self.values) == 1 else f"one of {', '.join(self.values)}"
        return f"= {one}" if len(self.values) == 1 else one

    def holds(self, value: str) -> bool:
        """Tell whether a value satisfies it; numbers are compared as numbers, however written."""
        if self.op == "is":
            return any(_equal(value, wanted) for wanted in self.values)
        have, wanted = number(value), number(self.values[0])
        if have is None or wanted is None:
            return False
        return {
            ">=": have >= wanted,
            "<=": have <= wanted,
            ">": have > wanted,
            "<": have < wanted,
        }[self.op]


def _equal(one: str, other: str) -> bool:
    first, second = number(one), number(other)
    return one == other if first is None or second is None else first == second


def number(text: str) -> Decimal | None:
    """Return a finite number that a text is, or None."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def written(value: Scalar) -> str:
    """Return a value of a property as the facts write it: `true`, `10`, `2.5`, or the text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value).strip()


def condition(wanted: Scalar | list[Scalar], place: str) -> Condition:
    """Read `"tcp"`, `10`, `">= 10"`, `["tcp", "rdma"]` or `"in [tcp, rdma]"`.

    Raises `RequestError` where a comparison names no number, or a list is empty.
    """
    if isinstance(wanted, list):
        values = tuple(dict.fromkeys(written(each) for each in wanted))
    else:
        text = written(wanted)
        op = next((op for op in COMPARED if text.startswith(op)), "")
        if op:
            bound = text.removeprefix(op).strip()
            if number(bound) is None:
                raise RequestError(
                    f"{text!r} compares with no number", place=place, mend='write ">= 10"'
                )
            return Condition(op, (bound,))
        if text.startswith("in [") and text.endswith("]"):
            parts = (part.strip() for part in text[4:-1].split(","))
            values = tuple(dict.fromkeys(part for part in parts if part))
        else:
            values = (text,)
    if not values or not all(values):
        raise RequestError("names no value", place=place, mend='write "tcp" or ["tcp", "rdma"]')
    return Condition("is", values)


def amount(value: float, place: str) -> Fraction:
    """Return a number of the request exactly; raise `RequestError` below 0 or above 1e12."""
    if not isfinite(value) or not 0 <= value <= 1e12:
        raise RequestError(f"{value} is no amount", place=place, mend="give 0 to 1e12")
    return Fraction(str(value)).limit_denominator(10**6)


def count(value: int, least: int, place: str) -> int:
    if not least <= value <= MOST:
        raise RequestError(f"{value} is out of range", place=place, mend=f"give {least} to {MOST}")
    return value


def force(raw: Mapping[str, Any], clause: Mapping[str, str]) -> dict[str, Any]:
    """Return the request with an alternative forced: `client=app service=net1`, or `at=pu:5`."""
    if "client" not in clause or len(clause) != 2 or not {"service", "at"} & set(clause):
        raise RequestError(
            "the alternative names no client and service",
            place="not",
            mend="write client=app service=net1, or client=app at=pu:5",
        )
    earlier = raw.get("forced", [])
    forced = list(earlier) if isinstance(earlier, list) else []
    return {**raw, "forced": [*forced, dict(clause)]}
