"""The native description: reads back to exactly the same facts, provenance included.

Facts of one origin (source, `by`, `when`) share a key of `[machine.sources]`; a fact with samples
or a spread becomes a table instead of a row.
"""

from __future__ import annotations

from typing import Any

from skb.machine import Machine
from skb.relations import Fact

MEDIA_TYPE = "application/toml"
SUFFIX = ".toml"


def write(machine: Machine) -> tuple[str, tuple[str, ...]]:
    """Write every fact, the overruled ones too, and what the reader of the description noted."""
    import tomli_w

    origins: dict[tuple[str, str, str], str] = {}
    facts: dict[str, dict[str, list[Any]]] = {}
    for fact in machine.facts:
        key = _key(fact, origins)
        facts.setdefault(key, {}).setdefault(fact.predicate, []).append(_row(fact))
    head: dict[str, Any] = {"name": machine.name, "title": machine.title}
    if machine.notes:
        head["notes"] = list(machine.notes)
    sources = {
        key: {"kind": source, "text": by, **({"when": when} if when else {})}
        for (source, by, when), key in origins.items()
        if key != source
    }
    if sources:
        head["sources"] = sources
    return tomli_w.dumps({"machine": head, "facts": facts}), ()


def _key(fact: Fact, origins: dict[tuple[str, str, str], str]) -> str:
    """Return the key of a fact's origin: the source word alone where nothing else is known."""
    origin = (fact.source, fact.by, fact.when)
    if origin not in origins:
        number = sum(source == fact.source for source, _by, _when in origins) + 1
        bare = not fact.by and not fact.when
        origins[origin] = fact.source if bare else f"{fact.source}-{number}"
    return origins[origin]


def _row(fact: Fact) -> Any:
    if fact.samples is None and fact.spread is None:
        return list(fact.args)
    row: dict[str, Any] = {"args": list(fact.args)}
    if fact.samples is not None:
        row["samples"] = fact.samples
    if fact.spread is not None:
        row["spread"] = fact.spread
    return row
