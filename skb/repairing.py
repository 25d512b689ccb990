"""A placement mended after parts went away or facts changed: found, checked and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from skb.machine import Machine

if TYPE_CHECKING:
    from skb.decision import Decision, Limits
    from skb.questions.placement_repaired import Repaired


class Keeper(Protocol):
    """What a repair asks of the knowledge base."""

    def decision(self, wanted: str) -> dict[str, Any]: ...

    def machine(self, ref: str, as_of: int | None = None, paths: bool = True) -> Machine: ...

    def machine_of_decision(self, decision: Mapping[str, Any], paths: bool = True) -> Machine: ...

    def keep(self, decision: Decision) -> None: ...


def repair(
    keeper: Keeper,
    wanted: str,
    off: Sequence[str] = (),
    limits: Limits | None = None,
    paths: bool = True,
    busy: Sequence[str] = (),
) -> Repaired:
    """Mend a decided placement: as facts are now or, where parts are named, as if those were off.

    The parts of `busy` are left to other work, like those that the request calls busy. The answer
    to the facts is kept, that to parts supposed off is not. Raises `NotFoundError` where the
    decision, its facts or a part is not known, and what `mended` raises.
    """
    decision = keeper.decision(wanted)
    before = keeper.machine_of_decision(decision, paths)
    ref = decision["provenance"].get("machine_ref") or decision["machine"]
    found = mended(
        before, decision, None if off else keeper.machine(ref, paths=paths), off, limits, busy
    )
    if not off:
        found.keep(keeper, ref)
    return found


def mended(
    before: Machine,
    decision: Mapping[str, Any],
    now: Machine | None = None,
    off: Sequence[str] = (),
    limits: Limits | None = None,
    busy: Sequence[str] = (),
) -> Repaired:
    """Return the repair of a decision; both of its answers have passed the checker.

    Raises `RequestError` where the decision places no tasks, `LimitError` where nothing was found
    in time, `CheckError` where our own answer is wrong.
    """
    from skb.questions.placement import QUESTION
    from skb.questions.placement_repaired import repaired

    found = repaired(before, decision, now, off, limits, busy)
    for one in (found.safe, found.best):
        if one is not None:
            QUESTION.approve(found.machine, one)
    return found
