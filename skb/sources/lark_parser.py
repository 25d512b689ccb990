"""How the grammars of this folder are read: by lark, in one pass, building while reading."""

from __future__ import annotations

from typing import Any, cast

from lark import Lark, Transformer


def one_pass(grammar: str, builder: Transformer[Any, Any], limits: object) -> Lark:
    """Return a parser of an LALR(1) grammar; `limits` sees every token before it is kept."""
    return Lark(
        grammar,
        parser="lalr",
        lexer="basic",
        transformer=builder,
        postlex=cast(Any, limits),
        maybe_placeholders=False,
    )
