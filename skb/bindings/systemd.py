"""systemd: drop-ins for services, and systemd-run; systemd.exec(5), systemd.resource-control(5)."""

from __future__ import annotations

import re

from skb.bindings.placement import Placement, Seat, Written
from skb.bindings.writing import comment, distinct, heading, place, slug

DOES = "Gives each task's service its PUs and NUMA node from its next start on."
NEEDS = "root (for your own units: systemctl --user, SYSTEMD_UNITS=~/.config/systemd/user)."
DROP_IN = "50-skb-placement.conf"
_UNIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,150}\.service")

_BEGIN = """\
# Run: sh FILE apply, or sh FILE undo
set -eu
units=${SYSTEMD_UNITS:-/etc/systemd/system}
manager() {
  case "$units" in
  /etc/systemd/system) systemctl daemon-reload ;;
  */.config/systemd/user) systemctl --user daemon-reload ;;
  esac
}
drop_in() {
  mkdir -p "$units/$1.d"
  cat > "$units/$1.d/50-skb-placement.conf"
}
take_back() {
  rm -f "$units/$1.d/50-skb-placement.conf"
  if [ -d "$units/$1.d" ]; then rmdir "$units/$1.d" 2>/dev/null || :; fi
}
case "${1:-apply}" in
"""
_END = """\
  manager ;;
*)
  echo 'say apply or undo' >&2
  exit 2 ;;
esac
"""


def write(placement: Placement) -> Written:
    """Write a script that makes one drop-in for each task and takes it back."""
    units = distinct(unit(seat.name) for seat in placement.seats)
    notes = (
        "A task called like a unit (nginx.service) is that unit; any other is skb-TASK.service, "
        "which systemd-run --unit=skb-TASK.service COMMAND starts.",
        "A service that runs must be restarted, both after apply and after undo.",
        "AllowedCPUs and AllowedMemoryNodes need cgroup v2; elsewhere they are skipped.",
    )
    parts = ["#!/bin/sh\n", heading(placement, DOES, NEEDS, notes)]
    tasks = {}
    for seat, name in zip(placement.seats, units, strict=True):
        tasks[seat.name] = tuple(_settings(seat))
        parts += ["#\n", comment(f"{place(seat)}; {name}, or without one:")]
        parts += [f"#   {line}\n" for line in _run(seat)]
    parts += [_BEGIN, "apply)\n"]
    for seat, name in zip(placement.seats, units, strict=True):
        body = "\n".join(["[Service]", *_settings(seat)])
        parts.append(f"  drop_in {name} <<'END'\n{body}\nEND\n")
    parts += ["  manager ;;\nundo)\n", *(f"  take_back {name}\n" for name in units), _END]
    return Written("".join(parts), tasks, "sh FILE undo", notes)


def unit(name: str) -> str:
    """Return the service that stands for a task."""
    return name if _UNIT.fullmatch(name) else f"skb-{slug(name)}.service"


def _settings(seat: Seat) -> list[str]:
    """Return the lines of a drop-in; empty ones first, since lists of several files are merged."""
    found = ["CPUAffinity=", f"CPUAffinity={seat.cpu_list}"]
    if seat.numa is not None:
        found += [f"NUMAPolicy={_policy(seat)}", "NUMAMask=", f"NUMAMask={seat.numa}"]
    found += ["AllowedCPUs=", f"AllowedCPUs={seat.cpu_list}"]
    if seat.strict:
        found += ["AllowedMemoryNodes=", f"AllowedMemoryNodes={seat.numa}"]
    return found


def _run(seat: Seat) -> list[str]:
    """Return the lines that start a command as a service and as a scope of the caller."""
    service = [f"CPUAffinity={seat.cpu_list}"]
    scope = [f"AllowedCPUs={seat.cpu_list}"]
    if seat.numa is not None:
        service += [f"NUMAPolicy={_policy(seat)}", f"NUMAMask={seat.numa}"]
    if seat.strict:
        scope.append(f"AllowedMemoryNodes={seat.numa}")
    return [
        " ".join(["systemd-run", *(f"-p {each}" for each in service), "COMMAND"]),
        " ".join(["systemd-run --scope", *(f"-p {each}" for each in scope), "COMMAND"]),
    ]


def _policy(seat: Seat) -> str:
    return "bind" if seat.strict else "preferred"
