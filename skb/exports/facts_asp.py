"""Facts in clingo syntax: the atoms that `skb ask query` gives, for `clingo facts.lp mine.lp`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from skb.atoms import (
    Row,
    companion,
    companion_rows,
    fit,
    hop_rows,
    link_ends,
    object_rows,
    plain_rows,
)
from skb.machine import Machine
from skb.relations import Relation, relations

MEDIA_TYPE = "text/plain"
SUFFIX = ".lp"
MAX_HOP_ENDS = 256
_HEAD = """\
% {name}: facts that hold, of several sources the strongest; made by `skb export --to asp`.
% Try: clingo facts.lp mine.lp
% Objects and words are strings, whole numbers integers. Fractions and numbers beyond 31 bits are
% strings, and have a companion with whole numbers: _ps picoseconds, _kib KiB, _milli thousandths.
"""


def write(machine: Machine) -> tuple[str, tuple[str, ...]]:
    """Write the facts that hold, block by block with meaning and unit, and `#defined` lines."""
    notes = []
    lines = [_HEAD.format(name=_one_line(machine.name))]
    defined = [f"{name}/{arity}" for name, arity in _signatures()]
    lines += [f"#defined {signature}." for signature in defined]
    lines += ["", "% object(part, kind, index)", *_atoms(object_rows(machine))]
    for relation in relations().values():
        lines += _block(machine, relation)
    if ends := link_ends(machine):
        if len(ends) <= MAX_HOP_ENDS:
            what = "% hops(from, to, hops): links on the shortest path, parts that are off left out"
            lines += ["", what, *_atoms(hop_rows(machine, ends))]
        else:
            notes.append(
                f"hops/3 is left out: {len(ends)} ends of links have {len(ends) ** 2} pairs"
            )
    overruled = len(machine.conflicts())
    if overruled:
        notes.append(f"{overruled} facts that a stronger source overrules are left out")
    return "\n".join(lines) + "\n", tuple(notes)


def _signatures() -> Iterator[tuple[str, int]]:
    yield from (("object", 3), ("hops", 3))
    for relation in relations().values():
        yield relation.name, len(relation.args)
        if companion(relation)[0]:
            yield companion(relation)[0], len(relation.args)


def _block(machine: Machine, relation: Relation) -> list[str]:
    if not machine.facts_of(relation.name):
        return []
    unit = f" [{relation.unit}]" if relation.unit else ""
    lines = ["", f"% {relation.signature}{unit}: {relation.meaning}"]
    lines += _atoms(plain_rows(machine, relation))
    lines += _atoms(companion_rows(machine, relation))
    return lines


def _atoms(rows: Iterable[Row]) -> Iterator[str]:
    for name, *args in rows:
        yield f"{name}({','.join(_term(fit(value)) for value in args)})."


def _term(value: str | int) -> str:
    """Return a term; clingo's strings know three escapes and no line break."""
    if isinstance(value, int):
        return str(value)
    text = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'


def _one_line(text: str) -> str:
    return " ".join(text.split())
