"""What the drawing tests look at: machines of all sizes, and one whose every name is hostile."""

from __future__ import annotations

from functools import cache

from skb.machine import Machine
from skb.relations import Fact
from skb.resources import bundled_machines
from tests.machines import SHARED, grown

HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img/src=x/onerror=alert(1)>",
    "javascript:alert(1)",
    "]]>&amp;<!--",
    "</title><script>alert(1)</script>",
    "\x00\x07\x1b[31m\ufffe\ud800",
)
DEVICES = (
    "x';alert(1)//",
    "`${alert(1)}`",
    "javascript:alert(1)",
    "&lt;b&gt;",
    "a]]b",
    "%3Cscript%3E",
)


def everything() -> list[str]:
    """Return the bundled machines, and the real descriptions where they lie beside the checkout."""
    return [*bundled_machines(), *(str(path) for path in sorted(SHARED.glob("hwloc/*.xml")))]


@cache
def hostile() -> Machine:
    """Return a machine that says something dangerous wherever a description may say something."""
    facts = [Fact("contains", ("package:0", f"device:{name}"), by=HOSTILE[0]) for name in DEVICES]
    facts += [Fact("device_kind", (f"device:{name}", "network"), by=HOSTILE[1]) for name in DEVICES]
    facts += [Fact("info", (f"device:{DEVICES[0]}", text, text), by=text) for text in HOSTILE]
    facts += [
        Fact("core_kind", ("core:0", HOSTILE[0])),
        Fact("disallowed", ("pu:1", HOSTILE[1])),
        Fact("link", ("package:0", "package:1", HOSTILE[4]), by=HOSTILE[4]),
        Fact("link", ("package:1", "package:0", HOSTILE[2]), by=HOSTILE[5]),
    ]
    plain = grown("package:2 numa:1 l3:1 core:2 pu:2").facts
    # unchecked on purpose: drawings do not rely on what the validation of facts refuses
    return Machine(HOSTILE[0], (*plain, *facts), title=HOSTILE[4], notes=HOSTILE, checked=True)
