"""ethtool: the number of queues, the shares of packets that they get, rules for pinned consumers.

ethtool(8): `-L` sets channels, `-X` the RSS indirection table, `-N` a rule that sends a flow to a
queue.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from typing import Any

from skb.bindings.placement import Written
from skb.bindings.vectors import Vectors
from skb.errors import RequestError

DOES = "Sets the queues of each network device, their share of packets, and rules for flows."
NEEDS = "root, ethtool, and devices whose drivers support it."
NOTES = (
    "a change of the number of queues makes the driver ask for new interrupts: discover the host"
    " again after it, and ask again before --to irq.",
    "undo deletes the rules that were added, and sets the number of queues that was read before;"
    " where the table of shares was set, it sets the driver's default, not what was there.",
)
_FUNCTIONS = """\
fail() {
  printf '%s\\n' "$*" >&2
  exit 1
}
count() {
  "$tool" -l "$1" | awk -v way="$2:" '
    /Current hardware settings/ { now = 1 }
    now && tolower($1) == way { print $2 }'
}
channels() {
  now=$(count "$1" "$2")
  [ -n "$now" ] || fail "$1 states no $2 channels"
  printf '%s %s %s\\n' "$1" "$2" "$now" >> "$state"
  if [ "$now" != "$3" ]; then "$tool" -L "$1" "$2" "$3"; fi
}
table() {
  device=$1
  shift
  printf '%s rss -\\n' "$device" >> "$state"
  "$tool" -X "$device" "$@"
}
ntuple() {
  was=$("$tool" -k "$1" | awk '$1 == "ntuple-filters:" { print $2 }')
  if [ "$was" != on ]; then
    printf '%s ntuple off\\n' "$1" >> "$state"
    "$tool" -K "$1" ntuple on
  fi
}
rule() {
  device=$1
  shift
  told=$("$tool" -N "$device" "$@")
  id=${told##* }
  case $id in
    '' | *[!0-9]*) fail "$device gave its rule no number: $told" ;;
  esac
  printf '%s rule %s\\n' "$device" "$id" >> "$state"
}
undo() {
  # queues that a rule or the table names cannot go, so those are first
  for pass in rule ntuple rss channels; do
    while read -r device what value; do
      case $pass.$what in
      rule.rule)
        "$tool" -N "$device" delete "$value" || echo "$device has no rule $value" >&2 ;;
      ntuple.ntuple)
        "$tool" -K "$device" ntuple "$value" || : ;;
      rss.rss)
        "$tool" -X "$device" default || : ;;
      channels.rule | channels.ntuple | channels.rss) ;;
      channels.*)
        if [ "$(count "$device" "$what")" != "$value" ]; then
          "$tool" -L "$device" "$what" "$value"
        fi ;;
      esac
    done < "$state"
  done
  rm -f "$state"
}
"""
_SHOWN = {
    "channels": "ethtool -L {}",
    "table": "ethtool -X {}",
    "ntuple": "ethtool -K {} ntuple on",
    "rule": "ethtool -N {}",
}
_VERBS = """\
undo)
  [ -f "$state" ] || fail "$state is missing: there is nothing to undo"
  undo ;;
*)
  fail 'say apply or undo' ;;
esac
"""


def write(vectors: Vectors) -> Written:
    """Write a script with the verbs apply and undo; `RequestError` without a network device."""
    lines = {device: _lines(vectors, device, row) for device, row in vectors.networks().items()}
    lines = {device: rows for device, rows in lines.items() if rows}
    if not lines:
        raise RequestError(
            f"decision {vectors.short} has no network device",
            mend="ethtool knows only queues of network devices",
        )
    parts = ["#!/bin/sh\n", vectors.heading(DOES, NEEDS, NOTES)]
    parts.append("# Run: sh FILE apply | undo\nset -eu\ntool=${ETHTOOL:-ethtool}\n")
    parts.append(f"state=${{STATE_DIR:-/run}}/skb-{vectors.short}.ethtool\n")
    parts += [_FUNCTIONS, 'case "${1:-}" in\napply)\n']
    parts.append('  [ ! -e "$state" ] || fail "$state is there: say undo first"\n  : > "$state"\n')
    parts += [f"  {call} {rest}\n" for rows in lines.values() for call, rest in rows]
    parts += ["  ;;\n", _VERBS]
    told = {
        device: tuple(_SHOWN[call].format(rest) for call, rest in rows)
        for device, rows in lines.items()
    }
    return Written("".join(parts), told, "sh FILE undo", NOTES)


def _lines(vectors: Vectors, device: str, row: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the calls of the script's functions, each with its arguments."""
    quoted = shlex.quote(device)
    ways = Counter(vector.way for vector in vectors.rows if vector.device == device)
    if ways["rx"] == ways["tx"] and ways["rx"]:
        # a channel of most devices has an interrupt for each direction
        ways = Counter({"combined": ways["rx"]})
    found = [("channels", f"{quoted} {way} {count}") for way, count in sorted(ways.items())]
    rss = row.get("rss")
    if rss is not None and not rss["keep"] and rss["queues"] > 1:
        share = f"equal {rss['queues']}"
        if not rss["equal"]:
            share = "weight " + " ".join(str(weight) for weight in rss["weights"])
        found.append(("table", f"{quoted} {share}"))
    rules = [one for one in vectors.answer["steer"] if one["device"] == f"device:{device}"]
    if rules:
        found.append(("ntuple", quoted))
    found += [
        (
            "rule",
            f"{quoted} flow-type {one['flow_type']} dst-port {one['dst_port']}"
            f" action {one['queue']}",
        )
        for one in rules
    ]
    return tuple(found)
