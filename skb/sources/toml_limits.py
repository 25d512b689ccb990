"""The only place that parses TOML which somebody sends, with limits that hold before it is read.

Python's parser takes microseconds for each value, and for a key of a thousand dotted parts more
memory than there is. So what a text will cost is counted before it is parsed.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from skb.errors import DescriptionError, TooLargeError

SECONDS_LIMIT = 4.3
TABLES_LIMIT = 400_000
KEY_PARTS_LIMIT = 32
# what tomllib of Python 3.11 took on a 2.5 GHz server, in microseconds for each character or mark
_PER_CHARACTER, _PER_DOT = 0.08, 5.0
_PER_MARK = {b",": 1.4, b"=": 3.0, b"[": 0.5, b"\n[": 9.0}
_PART = rb"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rb"(?<![\w-])(?:%s[ \t]*+\.[ \t]*+){%d}%s" % (_PART, KEY_PARTS_LIMIT, _PART))
_DOT = re.compile(rb"\.[ \t]*+[A-Za-z_\"'-]")
_MEND = "mend the TOML"


def parse(data: bytes, place: str) -> dict[str, Any]:
    """Parse TOML.

    Raises `TooLargeError` where parsing would take longer than the limit, and `DescriptionError`
    where the text is no TOML.
    """
    _refuse_costly(data, place)
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise DescriptionError(str(fault), place=place, mend=_MEND) from fault
    except ValueError as fault:
        # Python reads no whole number of more than 4,300 digits, and no 13th month
        what = "a number has thousands of digits" if "digits" in str(fault) else str(fault)
        raise DescriptionError(what, place=place, mend=_MEND) from fault


def _refuse_costly(data: bytes, place: str) -> None:
    cost_us = len(data) * _PER_CHARACTER
    cost_us += sum(data.count(mark) * cost for mark, cost in _PER_MARK.items())
    if cost_us < SECONDS_LIMIT * 1e6:
        cost_us += sum(_PER_DOT for _ in _DOT.finditer(data))
    if cost_us > SECONDS_LIMIT * 1e6 or data.count(b"[") > TABLES_LIMIT:
        raise TooLargeError(
            f"the TOML holds too much to be read within {SECONDS_LIMIT:g} s",
            place=place,
            mend=f"describe one machine per file, with at most {TABLES_LIMIT // 2:,} facts",
        )
    if found := _LONG_KEY.search(data):
        line = data.count(b"\n", 0, found.start()) + 1
        raise DescriptionError(
            f"a key has more than {KEY_PARTS_LIMIT} dotted parts",
            place=f"{place}:{line}",
            mend="the native format has three at most",
        )
