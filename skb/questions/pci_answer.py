"""The answer of pci: addresses, windows of bridges, what binds, and the classic orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skb.decision import Cost, Reason
from skb.engines.pci_classic import classic
from skb.engines.pci_packing import Outcome
from skb.questions.pci_instance import IO, Group, Instance, amount, powers, window_words
from skb.wording import counted, listed

SHOWN = 6


def answer_of(asked: Instance, found: Sequence[Outcome]) -> dict[str, Any]:
    """Return registers, windows, room and what is taken of each window of a host bridge."""
    registers: list[dict[str, Any]] = []
    windows: list[dict[str, Any]] = []
    rooms: list[dict[str, Any]] = []
    roots: list[dict[str, Any]] = []
    for group, outcome in zip(asked.groups, found, strict=True):
        assert outcome.laid is not None, "every group has its layout"
        laid = outcome.laid
        for register in asked.asked(group):
            base = laid.bars[register.name]
            registers.append(
                {
                    "pci": register.pci,
                    "bar": register.index,
                    "space": register.space,
                    "base": base,
                    "size": register.size,
                    "was": register.base,
                    "pinned": (register.pci, register.index) in asked.pins,
                }
            )
        # outer windows come before what they hold, also where the addresses are the same
        deep = {name: at for at, name in enumerate(asked.tree.below(group.host))}
        places = sorted(
            laid.windows.items(),
            key=lambda item: (item[1][0], -item[1][1], deep[item[0].rpartition(" ")[0]]),
        )
        for name, (low, high) in places:
            bridge, _, space = name.rpartition(" ")
            windows.append({"bridge": bridge, "space": space, "base": low, "size": high - low})
        for room in asked.rooms:
            for at, size in enumerate(powers(room.size)):
                place = laid.bars.get(f"{room.bridge} room {room.space} {at}")
                if place is not None and (room.space == IO) == (group.domain == IO):
                    row = {"bridge": room.bridge, "space": room.space, "base": place, "size": size}
                    rooms.append(row)
        roots += _roots(asked, group, outcome, [*registers, *rooms])
    return {
        "registers": registers,
        "windows": windows,
        "room": rooms,
        "roots": roots,
        "moved": sum(row["was"] is not None and row["was"] != row["base"] for row in registers),
    }


def _roots(
    asked: Instance, group: Group, outcome: Outcome, rows: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return for each window of a host bridge what is taken, and what of it nothing uses."""
    told = []
    own = {group.host, *asked.tree.below(group.host)}
    for at, root in enumerate(group.roots):
        held = sum(
            row["size"]
            for row in rows
            if (row.get("pci") or row["bridge"]) in own
            and root.base <= row["base"] < root.end
            and (row["space"] == IO) == (group.domain == IO)
        )
        used = outcome.used.get(at, 0)
        told.append(
            {
                "bridge": group.host,
                "spaces": sorted(root.spaces),
                "base": root.base,
                "size": root.end - root.base,
                "used": used,
                "held": held,
                "padding": used - held,
            }
        )
    return told


def costs_of(answer: dict[str, Any]) -> tuple[Cost, ...]:
    """Return what is taken, what of it is empty, and how many registers move."""
    taken = sum(row["used"] for row in answer["roots"])
    return (
        Cost("address space taken", taken, "bytes"),
        Cost("registers and room", sum(row["held"] for row in answer["roots"]), "bytes"),
        Cost("padding", sum(row["padding"] for row in answer["roots"]), "bytes"),
        Cost("registers that move", answer["moved"], "registers"),
    )


def because(
    asked: Instance,
    answer: dict[str, Any],
    found: Sequence[Outcome],
    pins: dict[tuple[str, int], int],
) -> tuple[Reason, ...]:
    """Say what the end of each window rests on."""
    reasons = []
    for group, outcome in zip(asked.groups, found, strict=True):
        for at, root in enumerate(group.roots):
            used = outcome.used.get(at, 0)
            rows = [
                row
                for row in answer["registers"]
                if root.base <= row["base"] < root.end
                and (row["space"] == IO) == (group.domain == IO)
            ]
            if not used or not rows:
                continue
            last = max(rows, key=lambda row: (row["base"] + row["size"], row["size"]))
            text = (
                f"{window_words(root)}: {amount(used)} of {amount(root.end - root.base)} are"
                f" taken; last is {last['pci']} bar {last['bar']} ({amount(last['size'])}) at"
                f" {last['base']:#x}"
            )
            reasons.append(Reason(f"end:{root.name}:{root.base:#x}", text, (last["pci"],)))
        held = sum(
            row["size"]
            for row in (*answer["registers"], *answer["room"])
            if (row["space"] == IO) == (group.domain == IO)
            and any(root.base <= row["base"] < root.end for root in group.roots)
        )
        reasons.append(_bound(group, outcome, held))
    stay = [f"{pci} bar {index} at {base:#x}" for (pci, index), base in pins.items()]
    if stay:
        reasons.append(Reason("pins", f"these stay where they are: {listed(stay, SHOWN)}"))
    return tuple(reasons)


def _bound(group: Group, outcome: Outcome, held: int) -> Reason:
    """Say why less cannot be taken."""
    least = f"below {group.host} at least {amount(outcome.bound)} of {group.domain} are taken"
    if outcome.bound == held:
        text = f"{least}: the sum of all registers and room"
    elif outcome.bound - held < outcome.bound and outcome.proven:
        text = (
            f"{least}: registers and room are {amount(held)}, the rest are whole windows,"
            " alignment, pins and taken addresses; no layout takes less"
        )
    else:
        text = f"{least}: registers and room are {amount(held)}, and windows are whole"
    return Reason(f"bound:{group.host}:{group.domain}", text, (group.host,))


def alternatives(asked: Instance, found: Sequence[Outcome]) -> tuple[dict[str, Any], ...]:
    """Return what the classic greedy orders would take, and what of that they break."""
    totals: dict[str, int] = {}
    breaks: dict[str, list[str]] = {}
    for group in asked.groups:
        problem = asked.problem(group, {}, [])
        taken = [(each.low, each.high) for each in asked.taken if each.domain == group.domain]
        for order, used in classic(problem, taken).items():
            totals[order] = totals.get(order, 0) + sum(used.values())
            for at, size in used.items():
                root = problem.roots[at]
                over = root.base + size - root.end
                if over > 0:
                    text = f"ends {amount(over)} behind {window_words(root)}"
                    breaks.setdefault(order, []).append(text)
    rows = []
    for order, value in totals.items():
        row: dict[str, Any] = {"name": order, "value": value, "unit": "bytes"}
        if order in breaks:
            row["breaks"] = "; ".join(breaks[order])
        elif asked.pins:
            row["note"] = f"moves {counted(len(asked.pins), 'pin')}"
        rows.append(row)
    return tuple(rows)
