"""The suite `validation` of `skb bench simulator`: predictions beside what was measured.

Every prediction is simulated from pair tables and machine facts, with one model for all machines
(`simulator_validation_model.py`) and no constant fitted to any of them; what a statement needs
beside is said in its module and its row. docs/validation.md tells the reasoning, and what was
chosen with the measurements in sight. A prediction outside of its limits is missed and stays so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from skb.benching import simulator_validation_interrupts as interrupts
from skb.benching import simulator_validation_messages as messages
from skb.benching import simulator_validation_sharing as sharing
from skb.benching import simulator_validation_shootdown as shootdown
from skb.benching.routing_rows import Row
from skb.benching.simulator_validation_model import ORDER, RULES, Rules, Statement

SOURCES: tuple[Callable[[Rules], Iterator[Statement]], ...] = (
    messages.statements,
    shootdown.statements,
    interrupts.statements,
    sharing.statements,
)

TRIED = {
    "none (postal)": Rules("postal", polled=False, waiting=False),
    "1": Rules(polled=False, waiting=False),
    "1 and 2": Rules(waiting=False),
    "1 and 3": Rules(polled=False),
    "1, 2 and 3": RULES,
}
"""Sets of rules that `ablation` compares."""


def statements(rules: Rules = RULES) -> Iterator[Statement]:
    """Yield all statements, in order of their modules."""
    for source in SOURCES:
        yield from source(rules)


def rows(size: object = None) -> Iterator[Row]:
    """Yield a row for each statement; how much is measured does not depend on `size`."""
    begin = time.perf_counter()
    for statement in statements():
        yield statement.row(round(time.perf_counter() - begin, 4))
        begin = time.perf_counter()


def markdown(rows: Iterable[Row]) -> str:
    """Return rows as the table of docs/validation.md."""
    lines = [
        "| statement | unit | predicted | measured | off by | may lie | |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        off = "" if row.gap is None else f"{row.gap:+.0%}"
        verdict = "" if row.met else "**missed**"
        told = (row.case, row.unit, _told(row.value), _told(row.bound), off, row.target, verdict)
        lines.append(f"| {' | '.join(told)} |")
    return "\n".join(lines)


def ablation() -> str:
    """Return as a table what each rule buys and costs: statements met, and how far they are off."""
    groups = {
        "V12, V13": shootdown.raw, "V15, V16": messages.broadcasting, "V17": messages.agreement,
    }  # fmt: skip
    lines = [f"| rules | {' | '.join(groups)} |", "|---|---|---|---|"]
    for name, rules in TRIED.items():
        cells = [_summary(list(source(rules))) for source in groups.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _summary(statements: Sequence[Statement]) -> str:
    met = sum(statement.met for statement in statements)
    # an order and a bound are met or not, but no prediction is off from them
    judged = [s for s in statements if s.unit != ORDER and s.measured not in (s.least, s.most, 1.0)]
    off = sum(abs(statement.deviation) for statement in judged) / len(judged)
    return f"{met} of {len(statements)} met, {off:.1%} off"


def _told(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
