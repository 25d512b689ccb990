"""The grammar of Prolog text for lark, and what builds terms out of it while it is read.

Prolog's own syntax (ISO 13211-1, section 6) with ECLiPSe's radix numbers and structures. What does
not matter for facts is wide: operators have no precedence, and a rule's body is any row of tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from lark import Lark, Token, Transformer

from skb.sources.barrelfish_terms import (
    DEPTH_LIMIT,
    TOKEN_LIMIT,
    Clauses,
    Compound,
    Refused,
    Term,
    Text,
    Variable,
)
from skb.sources.lark_parser import one_pass

_SYMBOLS = r"[+\-*\/\\^<>=~:.?@#&$]"
_NUMBER = (
    r"0'(?:\\[\s\S]|''|[^\\\n])|\d++'[0-9a-zA-Z]++|0x[0-9a-fA-F]++|0o[0-7]++|0b[01]++"
    r"|\d++\.\d++(?:[eE][+\-]?\d++)?|\d++(?:[eE][+\-]?\d++)?"
)
# repetitions are possessive (`++`), so that no text takes more than one pass
GRAMMAR = rf"""
start: (fact | rule | directive)*
fact: expression END
rule: expression NECK anything END
directive: NECK anything END
expression: operand (operator operand)*
operator: SYMBOL | WORD
?operand: primary | SYMBOL operand -> prefixed
?primary: (ATOM | QUOTED) "(" _arguments ")" -> compound
        | (ATOM | QUOTED) "{{" [_arguments] "}}" -> structure
        | (ATOM | WORD | QUOTED) -> atom
        | NUMBER -> number
        | STRING -> text
        | VARIABLE -> variable
        | "(" _arguments ")" -> group
        | "[" [_arguments] "]" -> sequence
        | "[" _arguments "|" expression "]" -> open_sequence
_arguments: expression ("," expression)*
anything: (ATOM | QUOTED | NUMBER | STRING | VARIABLE | SYMBOL | WORD | NECK | CUT
          | "," | "|" | "(" | ")" | "[" | "]" | "{{" | "}}")*

END.10: /\.(?!{_SYMBOLS}|\d)/
NECK.9: /(?::-|\?-|-->)(?!{_SYMBOLS})/
COMMENT.8: /%[^\n]*+|\/\*[\s\S]*?\*\//
NUMBER.7: /{_NUMBER}/
WORD.6: /(?:is|mod|rem|div|xor)(?!\w)/
VARIABLE.5: /[A-Z_]\w*+/
QUOTED.4: /'(?:[^'\\]|\\[\s\S]|'')*+'/
STRING.4: /"(?:[^"\\]|\\[\s\S]|"")*+"/
ATOM.3: /[^\W\d_]\w*+/
CUT.2: /[;!]/
SYMBOL.1: /{_SYMBOLS}++/
WS: /\s++/
%ignore WS
%ignore COMMENT
"""
_NUMBER_LIMIT = 80
_OPENING = frozenset({"LPAR", "LSQB", "LBRACE"})
_CLOSING = frozenset({"RPAR", "RSQB", "RBRACE"})
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_ESCAPED = re.compile(r"\\(x[0-9a-fA-F]{1,6}\\?|[0-7]{1,7}\\|\n|[\s\S])|''|\"\"")


class Limits:
    """Counts tokens and open brackets before anything is kept; lark hands each token through."""

    always_accept = ()

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """Yield the tokens of one text; raise `Refused` at the first excess."""
        brackets = 0
        for count, token in enumerate(stream):
            kind = token.type
            if kind in _OPENING:
                brackets += 1
                if brackets > DEPTH_LIMIT:
                    raise _refused(
                        token, f"brackets are nested deeper than {DEPTH_LIMIT}", large=True
                    )
            elif kind in _CLOSING:
                brackets -= 1
            elif kind == "END":
                brackets = 0
            if count > TOKEN_LIMIT:
                raise _refused(token, f"more than {TOKEN_LIMIT} words and signs", large=True)
            yield token


@cache
def parser() -> Lark:
    """Return the parser, made once."""
    return one_pass(GRAMMAR, _Builder(), Limits())


def _refused(token: Any, what: str, large: bool = False) -> Refused:
    return Refused(what, token.line or 1, token.column or 1, large)


def _plain(token: Token) -> str:
    """The name that an atom's token stands for."""
    return _unquoted(token) if token[:1] == "'" else str(token)


def _unquoted(token: Token) -> str:
    inside = token[1:-1]
    if "\\" not in inside and token[0] not in inside:
        return inside

    def meant(match: re.Match[str]) -> str:
        # two marks stand for one where they are the marks around it
        other = match[1] is None and match[0][0] != token[0]
        return match[0] if other else _unescape(match)

    return _ESCAPED.sub(meant, inside)


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code is None:
        return match[0][0]
    if code[0] == "x" and len(code) > 1:
        number = int(code[1:].rstrip("\\"), 16)
        return chr(number) if number <= 0x10FFFF else "\ufffd"
    if code[-1] == "\\" and len(code) > 1:
        number = int(code[:-1], 8)
        return chr(number) if number <= 0x10FFFF else "\ufffd"
    return "" if code == "\n" else _ESCAPES.get(code, code)


def _number(token: Token) -> int | float:
    if len(token) > _NUMBER_LIMIT:
        raise _refused(token, f"a number has more than {_NUMBER_LIMIT} digits", large=True)
    if token[:2] in {"0x", "0o", "0b"}:
        return int(token, 0)
    base, quote, digits = token.partition("'")
    if quote and base == "0":
        return ord((_ESCAPED.sub(_unescape, digits) or "\n")[0])
    try:
        if quote:
            return int(digits, int(base))
        return int(token) if token.isdigit() else float(token)
    except ValueError as fault:
        raise _refused(token, f"{str(token)[:40]} is no number") from fault


def _term(functor: str, args: Sequence[Term], token: Any) -> Compound:
    depth = 1 + max((one.depth for one in args if isinstance(one, Compound)), default=0)
    if depth > DEPTH_LIMIT:
        raise _refused(token, f"terms are nested deeper than {DEPTH_LIMIT}", large=True)
    return Compound(functor, tuple(args), token.line or 0, depth)


class _Line:
    """Stands for a token where only brackets were read."""

    line, column = 0, 1


class _Builder(Transformer[Any, Clauses]):
    """Builds terms as lark reads them; lark calls each method with the parts of its rule."""

    def start(self, parts: list[Any]) -> Clauses:
        facts = tuple(part for part in parts if isinstance(part, tuple))
        rules = tuple(part for part in parts if isinstance(part, int) and part > 0)
        directives = tuple(-part for part in parts if isinstance(part, int) and part < 0)
        return Clauses(facts, rules, directives)

    def fact(self, parts: list[Any]) -> tuple[Term, int]:
        term, end = parts
        return term, getattr(term, "line", 0) or end.line

    def rule(self, parts: list[Any]) -> int:
        return int(parts[-1].line)

    def directive(self, parts: list[Any]) -> int:
        return -int(parts[0].line)

    def anything(self, parts: list[Any]) -> None:
        return None

    def operator(self, parts: list[Any]) -> str:
        return str(parts[0])

    def expression(self, parts: list[Any]) -> Term:
        return parts[0] if len(parts) == 1 else _term("", parts, _Line)

    def prefixed(self, parts: list[Any]) -> Term:
        sign, term = parts
        if sign in {"-", "+"} and isinstance(term, int | float):
            return -term if sign == "-" else term
        return _term("", (str(sign), term), sign)

    def compound(self, parts: list[Any]) -> Term:
        return _term(_plain(parts[0]), parts[1:], parts[0])

    def structure(self, parts: list[Any]) -> Term:
        return _term(_plain(parts[0]) + "{}", parts[1:], parts[0])

    def atom(self, parts: list[Any]) -> Term:
        return _plain(parts[0])

    def number(self, parts: list[Any]) -> Term:
        return _number(parts[0])

    def text(self, parts: list[Any]) -> Term:
        return Text(_unquoted(parts[0]))

    def variable(self, parts: list[Any]) -> Term:
        return Variable(str(parts[0]))

    def group(self, parts: list[Any]) -> Term:
        return parts[0] if len(parts) == 1 else _term(",", parts, _Line)

    def sequence(self, parts: list[Any]) -> Term:
        return _term("[]", parts, _Line)

    def open_sequence(self, parts: list[Any]) -> Term:
        return _term("[|]", parts, _Line)
