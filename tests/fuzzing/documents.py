"""Mutations of what a text means: elements and attributes of XML, keys and values of TOML.

The text stays well-formed, so that what is broken lies deeper.
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any

import tomli_w
from lxml import etree

from tests.fuzzing.mutations import EXTREMES, mutate

_TIMES = (1, 1, 1, 2, 3, 6)
# copies of copies grow past every limit, and a large input is no better than a small one
_COPIES_LIMIT = 300


def mutated_xml(sample: bytes, draw: Random, tokens: Sequence[bytes]) -> bytes:
    """Return an XML document with a few elements or attributes changed, moved or repeated."""
    root = etree.fromstring(sample)
    for _ in range(draw.choice(_TIMES)):
        elements = [element for element in root.iter() if isinstance(element.tag, str)]
        _change_element(draw.choice(elements), draw.choice(elements), draw, tokens)
    return bytes(etree.tostring(root, encoding="utf-8", xml_declaration=draw.random() < 0.5))


def _change_element(element: Any, other: Any, draw: Random, tokens: Sequence[bytes]) -> None:
    names = list(element.attrib)
    way = draw.randrange(10)
    parent = element.getparent()
    if way < 4 and names:
        name = draw.choice(names)
        element.set(name, _text(element.get(name), draw, tokens, list(other.attrib.values())))
    elif way == 4 and names:
        del element.attrib[draw.choice(names)]
    elif way == 5:
        element.text = _text(element.text or "", draw, tokens, [])
    elif way == 6 and parent is not None:
        parent.remove(element)
    elif way == 7:
        times = draw.choice((1, 1, 2, 20))
        if times * sum(1 for _ in element.iter()) < _COPIES_LIMIT:
            other.extend([deepcopy(element) for _ in range(times)])
    elif way == 8 and parent is not None and other not in element.iter():
        other.append(element)
    elif way == 9:
        element.attrib.update(other.attrib)


def _text(old: str, draw: Random, tokens: Sequence[bytes], others: list[str]) -> str:
    """Another text: the same with something changed, a token, a number, or one from nearby."""
    way = draw.randrange(4)
    if way == 0 and others:
        return draw.choice(others)
    if way == 1:
        new = draw.choice(EXTREMES)
    elif way == 2:
        new = draw.choice(tokens)
    else:
        new = mutate(old.encode(errors="replace"), draw, tokens, tokens)[:5000]
    # what XML and TOML can hold at all
    return "".join(char for char in new.decode(errors="replace") if char >= " " and char < "\ufffe")


def mutated_toml(sample: bytes, draw: Random, tokens: Sequence[bytes]) -> bytes:
    """Return a TOML document with a few values or keys changed."""
    document = tomllib.loads(sample.decode())
    for _ in range(draw.choice(_TIMES)):
        places = list(_places(document))
        if not places:
            break
        container, key = draw.choice(places)
        _change_value(container, key, draw, tokens, places)
    return tomli_w.dumps(document).encode(errors="replace")


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place below a value that holds a value: its container and its key."""
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    found = [(value, key) for key in keys]
    for key in keys:
        found += _places(value[key])
    return found


def _change_value(
    container: Any, key: Any, draw: Random, tokens: Sequence[bytes], places: list[tuple[Any, Any]]
) -> None:
    other, other_key = draw.choice(places)
    makers: tuple[Callable[[], Any], ...] = (
        lambda: _text(str(container[key]), draw, tokens, []),
        lambda: draw.choice((0, -1, 1, 2, 7, 64, 10**6, 2**31, 2**63 - 1, 2**63, 10**30)),
        lambda: draw.choice((0.0, -0.5, 1e308, float("nan"), float("inf"), 1e-320, 2.5)),
        lambda: draw.choice((True, [], {}, "", [[]], datetime.date(2026, 1, 1))),
        lambda: deepcopy(other[other_key]),
        lambda: deepcopy(other[other_key]),
    )
    way = draw.randrange(8)
    if way < len(makers):
        container[key] = draw.choice(makers)()
    elif way == 6:
        del container[key]
    elif isinstance(container, list):
        container[key:key] = [deepcopy(container[key])] * draw.choice((1, 1, 2, 30))
    else:
        container[_text(str(key), draw, tokens, [])] = deepcopy(container[key])
