"""The grammar of Graphviz's DOT for lark, and what builds statements out of it while it is read.

The language is that of https://graphviz.org/doc/info/lang.html; HTML-like labels hold tags at most
one deep. `pydot` reads DOT as well, a hundred times slower, which is too slow to be safe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from lark import Lark, Token, Transformer

from skb.sources.dot_statements import Chain, Defaults, Excess, Graph, Group, Place
from skb.sources.lark_parser import one_pass

TOKEN_LIMIT = 200_000
DEPTH_LIMIT = 20
# repetitions are possessive (`++`), so that no text takes more than one pass
GRAMMAR = r"""
start: STRICT? (GRAPH | DIGRAPH) word? body
body: "{" (statement ";"?)* "}"
?statement: defaults | setting | chain
defaults: (GRAPH | NODE | EDGE) attributes+
setting: word "=" word
chain: end (LINE end)* attributes*
?end: place | group
place: word (":" word)*
group: (SUBGRAPH word?)? body
attributes: "[" (pair (";" | ",")?)* "]"
pair: word ("=" word)?
word: NAME | NUMBER | HTML | STRING ("+" STRING)*

STRICT.9: /strict(?!\w)/i
DIGRAPH.9: /digraph(?!\w)/i
SUBGRAPH.9: /subgraph(?!\w)/i
GRAPH.9: /graph(?!\w)/i
NODE.9: /node(?!\w)/i
EDGE.9: /edge(?!\w)/i
COMMENT.8: /\/\/[^\n]*+|\/\*[\s\S]*?\*\/|(?<![^\n])\#[^\n]*+/
LINE.7: /->|--/
NUMBER.6: /-?(?:\.\d++|\d++(?:\.\d*+)?)(?!\w)/
NAME.5: /[^\W\d]\w*+/
STRING.4: /"(?:[^"\\]|\\[\s\S])*+"/
HTML.3: /<(?:[^<>]|<[^<>]*+>)*+>/
WS: /\s++/
%ignore WS
%ignore COMMENT
"""
_ESCAPED = re.compile(r"\\(\n|[\s\S])")


class _Limits:
    """Counts tokens and open braces before anything is kept."""

    always_accept = ()

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        depth = 0
        for count, token in enumerate(stream):
            depth += (token.type == "LBRACE") - (token.type == "RBRACE")
            if depth > DEPTH_LIMIT:
                what = f"braces are nested deeper than {DEPTH_LIMIT}"
                raise Excess(what, token.line or 1)
            if count > TOKEN_LIMIT:
                raise Excess(f"more than {TOKEN_LIMIT} words and signs", token.line or 1)
            yield token


@cache
def parser() -> Lark:
    """Return the parser, made once."""
    return one_pass(GRAMMAR, _Builder(), _Limits())


class _Word(str):
    """A name with the line on which it stands."""

    __slots__ = ("line",)
    line: int


class _Builder(Transformer[Any, Graph]):
    """Builds statements as lark reads them; lark calls each method with the parts of its rule."""

    def word(self, parts: list[Token]) -> _Word:
        found = _Word("".join(map(_plain, parts)))
        found.line = parts[0].line or 1
        return found

    def pair(self, parts: list[_Word]) -> tuple[str, str]:
        return str(parts[0]), str(parts[1]) if len(parts) > 1 else "true"

    def attributes(self, parts: list[tuple[str, str]]) -> dict[str, str]:
        return dict(parts)

    def place(self, parts: list[_Word]) -> Place:
        return Place(str(parts[0]), parts[0].line)

    def chain(self, parts: list[Any]) -> Chain:
        ends = tuple(part for part in parts if isinstance(part, Place | Group))
        attributes: dict[str, str] = {}
        for part in parts:
            if isinstance(part, dict):
                attributes |= part
        return Chain(ends, attributes)

    def setting(self, _parts: list[Any]) -> Defaults:
        return Defaults("graph", {})

    def defaults(self, parts: list[Any]) -> Defaults:
        attributes: dict[str, str] = {}
        for part in parts[1:]:
            attributes |= part
        return Defaults(str(parts[0]).lower(), attributes)

    def body(self, parts: list[Any]) -> Group:
        return Group(tuple(parts))

    def group(self, parts: list[Any]) -> Group:
        found: Group = parts[-1]
        return found

    def start(self, parts: list[Any]) -> Graph:
        words = [str(part) for part in parts[:-1] if isinstance(part, _Word)]
        kinds = {part.type for part in parts[:-1] if isinstance(part, Token)}
        name = words[0] if words else ""
        return Graph(name, "DIGRAPH" in kinds, "STRICT" in kinds, parts[-1])


def _plain(token: Token) -> str:
    """Return what a token stands for: of a quoted one what is inside, with its quotes freed."""
    if token.type != "STRING":
        return str(token)
    return _ESCAPED.sub(lambda m: {"\n": "", '"': '"', "\\": "\\"}.get(m[1], m[0]), token[1:-1])
