"""RPS and XPS of Linux: a script that writes the masks of queues and takes them back.

Linux `Documentation/networking/scaling.rst`; files `queues/rx-N/rps_cpus`, `queues/tx-N/xps_cpus`.
"""

from __future__ import annotations

import shlex

from skb.bindings.keeping import script
from skb.bindings.placement import Written
from skb.bindings.vectors import Vectors
from skb.errors import RequestError

DOES = "Sets which PUs receive for a queue (RPS) and send by it (XPS); undo puts the masks back."
NEEDS = "root."
NOTES = (
    "a mask of zeros turns RPS off: the queues are enough for the cores near the device.",
    "RPS also needs rps_sock_flow_entries for flows to follow their reader (RFS).",
    "a device that sends by one queue has no XPS.",
)


def write(vectors: Vectors) -> Written:
    """Write the script; raise `RequestError` where no network device was decided."""
    files: list[tuple[str, str, str]] = []
    lines: dict[str, tuple[str, ...]] = {}
    checks = []
    for number, (device, row) in enumerate(vectors.networks().items()):
        quoted = shlex.quote(device)
        checks.append(
            f'[ -d "$net"/{quoted}/queues ] || fail "there is no network device "{quoted}'
        )
        for kind, side in (("rps", "rx"), ("xps", "tx")):
            if kind == "xps" and _alone(vectors, device):
                continue
            for queue, mask in row.get(kind, {}).items():
                path = f'"$net"/{quoted}/queues/{side}-{queue}/{kind}_cpus'
                files.append((f"{kind}-{number}-{queue}", path, mask))
                shown = f"/sys/class/net/{quoted}/queues/{side}-{queue}/{kind}_cpus"
                lines[f"{device} {kind} {queue}"] = (f"echo {mask} > {shown}",)
    if not files:
        raise RequestError(
            f"decision {vectors.short} has no network device",
            mend="only queues of network interfaces such as eth0 have RPS and XPS",
        )
    mark = f"skb-{vectors.short}.steering"
    roots = "net=${SYSFS_ROOT:-/sys}/class/net\n"
    text = script(vectors.heading(DOES, NEEDS, NOTES), mark, roots, checks, files)
    return Written(text, lines, "sh FILE undo", NOTES)


def _alone(vectors: Vectors, device: str) -> bool:
    """Tell whether facts state a single queue that sends: the kernel then refuses to read XPS."""
    counts = [
        vectors.machine.number("device_queues", f"device:{device}", way)
        for way in ("tx", "combined")
    ]
    return next((count for count in counts if count is not None), 0) == 1
