"""irqbalance: what it leaves alone, as its environment file; irqbalance(1)."""

from __future__ import annotations

from skb.bindings.placement import Written
from skb.bindings.vectors import Vectors
from skb.wording import spans

DOES = "Tells irqbalance to leave decided interrupts alone, and which PUs get nothing else."
NEEDS = "irqbalance 1.8 or newer; the file is /etc/default/irqbalance or /etc/sysconfig/irqbalance."


def write(vectors: Vectors) -> Written:
    """Write the environment file; raise `RequestError` where no interrupt is known."""
    rows = vectors.written
    spare = set(vectors.answer["spare"])
    closed = set(vectors.answer["closed"])
    usable = set(vectors.machine.usable_pus)
    banned = sorted(usable - spare if spare else closed & usable)
    why = "every PU but the spare ones" if spare else "excluded and isolated PUs"
    notes = [
        "the service must pass IRQBALANCE_ARGS to irqbalance, as those of Debian and Fedora do.",
        f"banned are {why}." if banned else "no PU is banned: name spare ones in the request.",
    ]
    lines = [f"IRQBALANCE_BANNED_CPULIST={spans(banned)}"] if banned else []
    bans = " ".join(f"--banirq={row.irq}" for row in rows)
    lines.append(f'IRQBALANCE_ARGS="{bans}"')
    text = vectors.heading(DOES, NEEDS, notes) + "".join(f"{line}\n" for line in lines)
    told = {row.words: (f"--banirq={row.irq}",) for row in rows}
    return Written(text, told, "", tuple(notes))
