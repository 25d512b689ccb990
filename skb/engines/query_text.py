"""First guard of a user's rules: their text, before any parser sees it.

clingo resolves `#include` inside its parser, so the syntax tree is too late. What is refused here
is refused anywhere in the text, also in comments and strings: false positives are accepted.
"""

from __future__ import annotations

import re

from skb.errors import RulesError

TEXT_BYTES = 64 * 1024
DIRECTIVES = frozenset(
    (
        *("show", "minimize", "minimise", "maximize", "maximise", "sum", "sum+", "count"),
        *("min", "max", "true", "false", "const", "defined", "inf", "sup", "infimum", "supremum"),
    )
)
INTEGER_MAX = 2**31 - 1
_HASH = re.compile(r"#([A-Za-z_]*\+?)")
_AT = re.compile(r"@(?![0-9])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
_NUMBER = re.compile(r"(?<![A-Za-z_0-9'])(?:0x[0-9a-fA-F]+|[0-9]+)")
_WORD = re.compile(r"_*[a-z][A-Za-z0-9_']*")


def vet_text(text: str) -> None:
    """Raise `RulesError` with the line for text that no parser may see."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as fault:
        raise RulesError("the rules are not valid Unicode", mend="send UTF-8") from fault
    if size > TEXT_BYTES:
        raise RulesError(
            f"the rules have {size} bytes, the limit is {TEXT_BYTES}", mend="ask a smaller question"
        )
    if found := _CONTROL.search(text):
        raise _refused(text, found.start(), f"the character {found.group()!r} is not allowed", "")
    for found in _HASH.finditer(text):
        if found.group(1) not in DIRECTIVES:
            known = ", ".join(f"#{word}" for word in sorted(DIRECTIVES))
            word = found.group() if found.group(1) else "#"
            raise _refused(text, found.start(), f"{word} is not allowed", f"allowed are {known}")
    if found := _AT.search(text):
        raise _refused(
            text,
            found.start(),
            "@ is not allowed: queries call no functions",
            "write a priority as a number directly after the @",
        )
    blank = _STRING.sub(lambda string: " " * len(string.group()), text)
    for found in _NUMBER.finditer(blank):
        if int(found.group(), 0 if "x" in found.group() else 10) > INTEGER_MAX:
            raise _refused(
                text, found.start(), f"{found.group()} is beyond 31 bits", "use a larger unit"
            )


def words(text: str) -> frozenset[str]:
    """Return everything in the text that could be the name of a predicate."""
    return frozenset(_WORD.findall(text))


def needed_rules(prelude: str, wanted: frozenset[str]) -> tuple[str, frozenset[str]]:
    """Return the lines of the prelude that the wanted names need, and all names then needed.

    A line of the prelude holds one rule, its head first.
    """
    rules = [line for line in prelude.splitlines() if line and line[0] not in "%#"]
    heads = {line: line.partition("(")[0] for line in rules}
    names, kept = set(wanted), set[str]()
    while more := [line for line in rules if heads[line] in names and line not in kept]:
        kept.update(more)
        names.update(*(words(line) for line in more))
    return "\n".join(line for line in rules if line in kept), frozenset(names)


def _refused(text: str, position: int, message: str, mend: str) -> RulesError:
    line = text.count("\n", 0, position) + 1
    return RulesError(message, place=f"rules line {line}", mend=mend or "remove it")
