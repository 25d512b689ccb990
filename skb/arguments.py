"""Arguments of facts: what one place of a predicate may hold.

`Argument.check` looks at one value and finds the words for what is wrong; `column_check` looks at
all values of one argument at once and only tells whether they are plainly right.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Value = str | int | float

KINDS = (
    "machine",
    "package",
    "die",
    "group",
    "numa",
    "memcache",
    "l5",
    "l4",
    "l3",
    "l3i",
    "l2",
    "l2i",
    "l1d",
    "l1i",
    "core",
    "pu",
    "bridge",
    "pci",
    "device",
    "misc",
)
_OBJECT = re.compile(rf"({'|'.join(KINDS)}):([^\s,()\"'<>&]{{1,200}})")
# most names: a kind with a number, which every kind may have
_PLAIN = re.compile(r"[a-z0-9]+:[0-9]{1,200}")
_NUMBERED = frozenset(KINDS) - {"pci", "device", "misc"}
INTEGER_LIMIT = 2**63
TEXT_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a relation: its name, type and unit, and what it is limited to."""

    name: str
    type: str
    unit: str = ""
    kinds: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None

    def check(self, value: Value) -> str:
        """Return what is wrong with a value, or an empty string."""
        if self.type in {"int", "number"}:
            return self._check_number(value)
        if not isinstance(value, str):
            return f"{_short(value)} is not {self.type}"
        if self.type == "object":
            return self._check_object(value)
        if self.type == "word" and value not in self.values:
            return f"{_short(value)} is not one of {', '.join(self.values)}"
        if len(value) > TEXT_LIMIT:
            return f"the text is longer than {TEXT_LIMIT} characters"
        return "" if _is_unicode(value) else f"{_short(value)} holds half a character"

    def _check_number(self, value: Value) -> str:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{_short(value)} is not a number" + (f" of {self.unit}" if self.unit else "")
        if self.type == "int" and not isinstance(value, int):
            return f"{_short(value)} is not a whole number"
        # in this order: a whole number of 400 digits has no float to ask about
        if not abs(value) < INTEGER_LIMIT:
            return f"{_short(value)} is beyond 63 bits"
        if self.min is not None and value < self.min:
            return f"{value} is below {self.min:g} {self.unit}".rstrip()
        if self.max is not None and value > self.max:
            return f"{value} is above {self.max:g} {self.unit}".rstrip()
        return ""

    def _check_object(self, value: str) -> str:
        match = _OBJECT.fullmatch(value)
        if match is None:
            return f"{_short(value)} is not an object such as pu:0, numa:1 or device:eth0"
        kind, index = match.groups()
        if kind in _NUMBERED and not (index.isascii() and index.isdigit()):
            return f"{_short(value)}: the index of a {kind} is a number"
        if self.kinds and kind not in self.kinds:
            return f"{_short(value)} is not a {' or '.join(self.kinds)}"
        return "" if _is_unicode(value) else f"{_short(value)} holds half a character"


def _is_unicode(text: str) -> bool:
    """Tell whether a text can be stored: a lone surrogate, as in odd file names, cannot."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _short(value: Value) -> str:
    """Write a value in an error: who sent a million digits does not want them back."""
    if isinstance(value, int) and value.bit_length() > 400:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, str) and len(value) > 200:
        return f"{value[:80]!r}… ({len(value)} characters)"
    return repr(value)


def column_check(argument: Argument) -> Callable[[list[Any]], bool]:
    """Return a check of all values of an argument; False where a value may be wrong."""
    if argument.type in {"int", "number"}:
        return _numbers_check(argument)
    words = frozenset(argument.values)

    def right(values: list[Any]) -> bool:
        if set(map(type, values)) != {str}:
            return False
        if argument.type == "object":
            return _are_objects(set(values), argument)
        if argument.type == "word":
            return words.issuperset(values)
        return max(map(len, values)) <= TEXT_LIMIT and all(map(_is_unicode, set(values)))

    return right


def _are_objects(names: set[str], argument: Argument) -> bool:
    if all(map(_PLAIN.fullmatch, names)):
        kinds = {name.partition(":")[0] for name in names}
        return kinds.issubset(argument.kinds or KINDS)
    return not any(map(argument.check, names))


def _numbers_check(argument: Argument) -> Callable[[list[Any]], bool]:
    types = {int} if argument.type == "int" else {int, float}
    low = -math.inf if argument.min is None else argument.min
    high = math.inf if argument.max is None else argument.max

    def right(values: list[Any]) -> bool:
        if not types.issuperset(map(type, values)):
            return False
        least, most = min(values), max(values)
        if not (least > -INTEGER_LIMIT and low <= least and most <= high and most < INTEGER_LIMIT):
            return False
        # a NaN compares with nothing, so that only this finds it
        return not any(map(math.isnan, values))

    return right
