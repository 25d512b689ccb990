"""The shell of scripts that write files of the kernel and put back what was there.

What a file said before is copied, not understood, and copied back: byte for byte what was read.
Nothing is written before every file was checked and kept; one write that is refused takes all back.
"""

from __future__ import annotations

from collections.abc import Sequence

_FUNCTIONS = """\
fail() {
  printf '%s\\n' "$*" >&2
  exit 1
}
keep() {
  [ -f "$2" ] || fail "$2 is missing: nothing was written"
  cat "$2" > "$new/$1" || fail "$2 cannot be read: nothing was written"
}
put() {
  # marked first: what is cut off between the two is put back, too
  : > "$state/$1.put"
  if printf '%s\\n' "$3" > "$2"; then return 0; fi
  rm -f "$state/$1.put"
  refused "$2"
}
back() {
  if [ ! -f "$state/$1" ]; then return 0; fi
  # what was never written needs no way back
  if [ ! -e "$state/$1.put" ] || cat "$state/$1" > "$2"; then
    rm -f "$state/$1" "$state/$1.put"
  else
    left="$left $2"
  fi
}
refused() {
  printf '%s\\n' "$1 refuses to be written: all is put back" >&2
  left=
  restore
  done_
  exit 1
}
done_() {
  [ -z "$left" ] || fail "not put back:$left (kept in $state)"
  rmdir "$state" || fail "$state holds more than was kept"
}
begin() {
  if [ -e "$state" ]; then
    fail "$state is there: this was applied before; say undo first"
  fi
  check
  new=$state.new
  rm -rf "$new"
  mkdir -p "$new"
}
"""
_VERBS = """\
case "${1:-}" in
check)
  check ;;
apply)
  begin
  save
  mv "$new" "$state"
  write ;;
undo)
  [ -d "$state" ] || fail "$state is missing: there is nothing to undo"
  check
  left=
  restore
  done_ ;;
*)
  fail 'say check, apply or undo' ;;
esac
"""


def script(
    heading: str,
    mark: str,
    roots: str,
    checks: Sequence[str],
    files: Sequence[tuple[str, str, str]],
    functions: str = "",
) -> str:
    """Return a script with the verbs check, apply and undo.

    `files` are a short name, a path in double quotes for the shell, and what is written to it;
    `checks` lines that `fail` where the host is not as the decision thought.
    """
    parts = ["#!/bin/sh\n", heading, "# Run: sh FILE check | apply | undo\nset -eu\n", roots]
    parts += [f"state=${{STATE_DIR:-/run}}/{mark}\n", _FUNCTIONS, functions]
    for name, lines in (
        ("check", checks),
        ("save", [f"keep {key} {path}" for key, path, _text in files]),
        ("write", [f"put {key} {path} '{text}'" for key, path, text in files]),
        ("restore", [f"back {key} {path}" for key, path, _text in files]),
    ):
        parts.append(f"{name}() {{\n" + "".join(f"  {line}\n" for line in lines or [":"]) + "}\n")
    return "".join([*parts, _VERBS])
