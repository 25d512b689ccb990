"""cgroup v2 cpusets: a group for each task; the kernel's admin-guide/cgroup-v2, "Cpuset".

The groups are children of the root, since only there can a group be a partition of its own without
its parents being partitions.
"""

from __future__ import annotations

import shlex

from skb.bindings.placement import Placement, Seat, Written
from skb.bindings.writing import comment, distinct, heading, place, slug

DOES = "Makes a cgroup for each task that holds its processes on its PUs and its memory."
NEEDS = "root, and cgroup v2 with the cpuset controller."

_FUNCTIONS = """\
fail() {
  printf '%s\\n' "$*" >&2
  exit 1
}
make() {
  mkdir -p "$root/$1"
  printf '%s\\n' "$2" > "$root/$1/cpuset.cpus"
  if [ -n "$3" ]; then printf '%s\\n' "$3" > "$root/$1/cpuset.mems"; fi
}
alone() {
  state=
  if printf 'root\\n' > "$root/$1/cpuset.cpus.partition"; then
    read -r state < "$root/$1/cpuset.cpus.partition" || :
  fi
  if [ "$state" != root ]; then
    printf 'member\\n' > "$root/$1/cpuset.cpus.partition" || :
    printf '%s\\n' "$1 is no partition of its own: $state; others may run on its PUs" >&2
  fi
}
drop() {
  if [ ! -d "$root/$1" ]; then return 0; fi
  printf 'member\\n' > "$root/$1/cpuset.cpus.partition" || :
  while read -r process < "$root/$1/cgroup.procs"; do
    printf '%s\\n' "$process" > "$root/cgroup.procs" || break
  done
  rmdir "$root/$1"
}
begin() {
  if [ ! -r "$root/cgroup.controllers" ]; then
    fail "$root is no cgroup v2 tree; set CGROUP_ROOT, or use --to systemd or taskset"
  fi
  if ! grep -qw cpuset "$root/cgroup.controllers"; then
    fail "$root has no cpuset controller; cgroup v1 may hold it"
  fi
  if ! grep -qw cpuset "$root/cgroup.subtree_control"; then
    printf '+cpuset\\n' > "$root/cgroup.subtree_control"
    : > "$mark"
  fi
}
finish() {
  if [ -e "$mark" ]; then
    printf -- '-cpuset\\n' > "$root/cgroup.subtree_control" || :
    rm -f "$mark"
  fi
}
"""
_VERBS = """\
run)
  choose "${2:-}"
  shift 2
  printf '%s\\n' "$$" > "$group/cgroup.procs"
  exec "$@" ;;
move)
  choose "${2:-}"
  printf '%s\\n' "${3:?a process}" > "$group/cgroup.procs" ;;
"""
_END = """\
  finish ;;
*)
  fail 'say apply, run TASK COMMAND, move TASK PID, or undo' ;;
esac
"""


def write(placement: Placement) -> Written:
    """Write a script with four verbs: apply, run TASK COMMAND, move TASK PID, undo."""
    groups = distinct(f"skb-{placement.short}-{slug(seat.name)}" for seat in placement.seats)
    both = list(zip(placement.seats, groups, strict=True))
    notes = _notes(placement)
    parts = ["#!/bin/sh\n", heading(placement, DOES, NEEDS, notes)]
    parts += [comment(f"{place(seat)}; {group}") for seat, group in both]
    parts.append("# Run: sh FILE apply | run TASK COMMAND... | move TASK PID | undo\nset -eu\n")
    parts.append("root=${CGROUP_ROOT:-/sys/fs/cgroup}\n")
    parts.append(f"mark=${{STATE_DIR:-/run}}/skb-{placement.short}.cpuset\n")
    parts += [_FUNCTIONS, _find(both), 'case "${1:-apply}" in\napply)\n  begin\n']
    parts += [f"  make {group} {seat.cpu_list} {_nodes(seat)}\n" for seat, group in both]
    parts += [f"  alone {group}\n" for seat, group in both if _alone(placement, seat)]
    parts += ["  ;;\n", _VERBS, "undo)\n", *(f"  drop {group}\n" for group in groups), _END]
    tasks = {
        seat.name: (group, f"cpuset.cpus={seat.cpu_list}", *_mems(seat)) for seat, group in both
    }
    return Written("".join(parts), tasks, "sh FILE undo", notes)


def _find(both: list[tuple[Seat, str]]) -> str:
    """Return the function that knows the group of a task's name, quoted as the shell needs it."""
    rows = [f"  {shlex.quote(seat.name)}) group=$root/{group} ;;\n" for seat, group in both]
    return (
        'choose() {\n  case "$1" in\n'
        + "".join(rows)
        + '  *) fail "no task of this placement is called $1" ;;\n  esac\n}\n'
    )


def _alone(placement: Placement, seat: Seat) -> bool:
    others = {pu for other in placement.seats if other is not seat for pu in other.pus}
    return seat.exclusive and not others & set(seat.pus)


def _nodes(seat: Seat) -> str:
    return str(seat.numa) if seat.strict else "''"


def _mems(seat: Seat) -> tuple[str, ...]:
    return (f"cpuset.mems={seat.numa}",) if seat.strict else ()


def _notes(placement: Placement) -> tuple[str, ...]:
    found = ["undo moves the processes of the groups to the root group and removes the groups."]
    if any(not seat.strict for seat in placement.seats):
        found.append(
            "cpuset.mems knows no preference: a task that asked for no memory keeps all nodes, "
            "and gets its pages from the nearest."
        )
    if any(_alone(placement, seat) for seat in placement.seats):
        found.append(
            "Exclusive tasks become partitions: nothing else of this host runs on their PUs; "
            "other threads of their cores stay open to it."
        )
    return tuple(found)
