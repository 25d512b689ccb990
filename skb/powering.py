"""What the power question asks of the knowledge base: a stored load, and who uses what is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from skb.errors import RequestError

POWER = "power"
# the newest decisions of a machine that are looked at
MOST_DECISIONS = 2000


class Keeper(Protocol):
    """Where decisions are kept."""

    @property
    def without_store(self) -> str: ...

    def decision(self, wanted: str) -> dict[str, Any]: ...

    def decisions(self, machine: str | None = None, limit: int = 50) -> list[dict[str, Any]]: ...


def filled(
    keeper: Keeper, question: str, machine: str, raw: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return a request with the stored placement that it names as its load written out.

    Raises `NotFoundError` where there is none, `RequestError` where it places no tasks, or those of
    another machine.
    """
    keep = raw.get("keep") if question == POWER else None
    if not isinstance(keep, Mapping) or not isinstance(keep.get("decision"), str):
        return raw
    found = keeper.decision(keep["decision"])
    tasks = found["answer"].get("tasks")
    if found["question"] != "placement" or not tasks:
        raise RequestError(
            f"decision {found['id']} places no tasks",
            place="power request $.keep.decision",
            mend="name a placement that has an answer",
        )
    if found["machine"] != machine:
        raise RequestError(
            f"decision {found['id']} places tasks on {found['machine']}, not on {machine}",
            place="power request $.keep.decision",
            mend=f"ask about {found['machine']}, or write the tasks as keep.placement",
        )
    if keep.get("placement") is not None:
        raise RequestError(
            "the load is said twice",
            place="power request $.keep",
            mend="leave out decision or placement",
        )
    placement = {k: v for k, v in found["request"].items() if k not in ("current", "compare")}
    load = {**{key: keep[key] for key in keep if key != "decision"}, "placement": placement}
    current = {name: {"pus": t["pus"], "numa_node": t["numa_node"]} for name, t in tasks.items()}
    return {"current": current, **raw, "keep": load}


def hits(keeper: Keeper, decision: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the stored decisions about its machine that use what a power decision loses."""
    from skb.questions.power_hits import hits as used
    from skb.questions.power_hits import lost_of

    if decision["question"] != POWER or keeper.without_store:
        return []
    stored = keeper.decisions(decision["machine"], MOST_DECISIONS)
    return used(stored, lost_of(decision), decision["id"])
