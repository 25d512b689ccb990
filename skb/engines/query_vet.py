"""Second guard of a user's rules: an allow-list over the syntax tree. Runs in the killable
child.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from clingo import SymbolType
from clingo.ast import AST, ASTSequence, ASTType, parse_string

from skb.errors import RulesError

STATEMENTS = 2000
VARIABLES = 12
INTERVAL_END = 100_000
ALLOWED = frozenset(
    (
        *(ASTType.Program, ASTType.Rule, ASTType.ShowSignature, ASTType.ShowTerm),
        *(ASTType.Minimize, ASTType.Defined, ASTType.Definition, ASTType.Literal),
        *(ASTType.SymbolicAtom, ASTType.BooleanConstant, ASTType.Comparison, ASTType.Guard),
        *(ASTType.Function, ASTType.SymbolicTerm, ASTType.Variable, ASTType.BinaryOperation),
        *(ASTType.UnaryOperation, ASTType.Interval, ASTType.Pool, ASTType.Aggregate),
        *(ASTType.ConditionalLiteral, ASTType.BodyAggregate, ASTType.BodyAggregateElement),
        *(ASTType.HeadAggregate, ASTType.HeadAggregateElement, ASTType.Disjunction),
    )
)
Signature = tuple[str, int]
_PLACE = re.compile(r"<string>:(\d+):(\d+)[^ ]*: ")


def parse(text: str, known: frozenset[Signature]) -> tuple[list[AST], list[Signature]]:
    """Return the statements of vetted rules and the predicates that they define.

    `known` are the predicates of the knowledge base, which no head may have. Raises `RulesError`
    with the line, and clingo's own words where the rules do not parse.
    """
    messages: list[str] = []
    statements: list[AST] = []
    try:
        parse_string(text, statements.append, logger=lambda _code, said: messages.append(said))
    except RuntimeError as fault:
        raise refused_by_clingo(messages or [str(fault)]) from fault
    statements = [one for one in statements if one.ast_type != ASTType.Comment]
    if len(statements) > STATEMENTS:
        raise RulesError(f"more than {STATEMENTS} statements", mend="ask a smaller question")
    heads: dict[Signature, None] = {}
    for statement in statements:
        _vet_statement(statement)
        for name, arity in _heads(statement):
            if (name.lstrip("-"), arity) in known:
                raise _refused(
                    statement,
                    f"{name.lstrip('-')}/{arity} belongs to the knowledge base and is not yours",
                    "give your own predicate another name",
                )
            heads[name, arity] = None
    return statements, list(heads)


def refused_by_clingo(messages: Iterable[str]) -> RulesError:
    """Turn clingo's messages into one error that names the first place."""
    said = [message.strip() for message in messages]
    place = next((match for text in said if (match := _PLACE.search(text))), None)
    return RulesError(
        "; ".join(in_lines(text) for text in said)[:2000],
        place=f"rules line {place.group(1)}, column {place.group(2)}" if place else "rules",
        mend="mend the rule there; every statement ends with a full stop",
    )


def in_lines(message: str) -> str:
    """Return a message of clingo in one line, with places as line and column."""
    return " ".join(_PLACE.sub(r"line \1, column \2: ", message).split())


def optimises(statements: Iterable[AST]) -> bool:
    return any(statement.ast_type == ASTType.Minimize for statement in statements)


def _vet_statement(statement: AST) -> None:
    variables: set[str] = set()
    for node in _nodes(statement):
        if node.ast_type not in ALLOWED:
            raise _refused(statement, f"{node.ast_type.name} is not allowed", "remove it")
        if node.ast_type == ASTType.Variable and node.name != "_":
            variables.add(node.name)
        if node.ast_type == ASTType.Function and node.external:
            raise _refused(statement, "queries call no functions", "remove the @")
        if node.ast_type == ASTType.Interval:
            _vet_interval(statement, node)
    if len(variables) > VARIABLES:
        raise _refused(
            statement, f"more than {VARIABLES} variables in one rule", "split it into smaller rules"
        )


def _vet_interval(statement: AST, interval: AST) -> None:
    for end in (interval.left, interval.right):
        if end.ast_type != ASTType.SymbolicTerm or end.symbol.type != SymbolType.Number:
            continue
        if abs(end.symbol.number) > INTERVAL_END:
            raise _refused(
                statement,
                f"an interval up to {end.symbol.number}",
                f"intervals end at {INTERVAL_END}",
            )


def _nodes(top: AST) -> Iterator[AST]:
    """Yield a node and all below it, without recursion: rules may be nested deeply."""
    stack = [top]
    while stack:
        node = stack.pop()
        yield node
        for key in node.child_keys:
            child = getattr(node, key)
            if isinstance(child, AST):
                stack.append(child)
            elif isinstance(child, ASTSequence):
                stack.extend(part for part in child if isinstance(part, AST))


def _heads(statement: AST) -> Iterator[Signature]:
    literals = _head_literals(statement.head) if statement.ast_type == ASTType.Rule else ()
    for literal in literals:
        if literal.ast_type == ASTType.Literal and literal.atom.ast_type == ASTType.SymbolicAtom:
            yield from _signatures(literal.atom.symbol)


def _head_literals(head: AST) -> Iterator[AST]:
    if head.ast_type in (ASTType.Aggregate, ASTType.Disjunction):
        yield from (element.literal for element in head.elements)
    elif head.ast_type == ASTType.HeadAggregate:
        yield from (element.condition.literal for element in head.elements)
    else:
        yield head


def _signatures(symbol: AST) -> Iterator[Signature]:
    """Yield name and arity of an atom, `-` before a negated one; a pool has several."""
    stack = [(symbol, "")]
    while stack:
        node, sign = stack.pop()
        if node.ast_type == ASTType.Pool:
            stack.extend((argument, sign) for argument in node.arguments)
        elif node.ast_type == ASTType.UnaryOperation:
            stack.append((node.argument, "" if sign else "-"))
        elif node.ast_type == ASTType.Function:
            yield sign + node.name, len(node.arguments)
        elif node.ast_type == ASTType.SymbolicTerm:
            yield sign + str(node.symbol), 0


def _refused(statement: AST, message: str, mend: str) -> RulesError:
    begin = statement.location.begin
    return RulesError(message, place=f"rules line {begin.line}, column {begin.column}", mend=mend)
