"""Interrupts of Linux: a script that writes `/proc/irq/N/smp_affinity_list` and takes it back.

Linux `Documentation/core-api/irq/irq-affinity.rst`. Numbers of interrupts change when a driver is
loaded anew, so the script compares what each is called, and where nobody called it anything, that
it is one of its device, before it writes the first.
"""

from __future__ import annotations

import shlex

from skb.bindings.keeping import script
from skb.bindings.placement import Written
from skb.bindings.vectors import Vector, Vectors
from skb.wording import listed

DOES = "Sends each interrupt to its PU; undo puts back what each file said before, byte for byte."
NEEDS = "root, and irqbalance stopped or told to leave these alone (--to irqbalance)."

_ROOTS = "proc=${PROC_ROOT:-/proc}\nsys=${SYSFS_ROOT:-/sys}\n"
_NAMED = """\
named() {
  [ -e "$proc/irq/$1/smp_affinity_list" ] || fail "there is no interrupt $1"
  if [ -n "$2" ] && [ -r "$sys/kernel/irq/$1/actions" ]; then
    read -r called < "$sys/kernel/irq/$1/actions" || :
    [ "$called" = "$2" ] || fail "interrupt $1 is called $called, not $2: discover and ask again"
    return 0
  fi
  if [ -n "$2" ] && [ -d "$proc/irq/$1/$2" ]; then return 0; fi
  for at in "$sys/class/net/$3/device" "$sys/class/infiniband/$3/device" \\
    "$sys/class/block/$3/device/device" "$sys/bus/pci/devices/$4"; do
    if [ -e "$at/msi_irqs/$1" ]; then return 0; fi
    if [ -r "$at/irq" ] && [ "$(cat "$at/irq")" = "$1" ]; then return 0; fi
  done
  fail "interrupt $1 is none of $3: discover and ask again"
}
"""


def write(vectors: Vectors) -> Written:
    """Write the script; raise `RequestError` where no number of an interrupt is known."""
    rows = vectors.written
    notes = _notes(vectors)
    checks = [f"named {row.irq} {_quoted(row)}" for row in rows]
    files = [
        (f"irq-{row.irq}", f'"$proc/irq/{row.irq}/smp_affinity_list"', str(row.pu)) for row in rows
    ]
    mark = f"skb-{vectors.short}.irq"
    text = script(vectors.heading(DOES, NEEDS, notes), mark, _ROOTS, checks, files, _NAMED)
    lines = {row.words: (f"echo {row.pu} > /proc/irq/{row.irq}/smp_affinity_list",) for row in rows}
    return Written(text, lines, "sh FILE undo", notes)


def _quoted(row: Vector) -> str:
    return " ".join(shlex.quote(part) for part in (row.title, row.device, row.pci))


def _notes(vectors: Vectors) -> tuple[str, ...]:
    found = []
    managed = [str(row.irq) for row in vectors.rows if row.managed]
    if managed:
        found.append(f"the kernel manages {listed(managed, 20)}: they are not written.")
    unknown = [row.words for row in vectors.rows if row.irq is None]
    if unknown:
        found.append(f"no interrupt is known of {listed(unknown, 8)}: not written.")
    found.append("the files are kept in STATE_DIR (/run), and what is kept there is put back.")
    return tuple(found)
