"""Why a decision is as it is, in words for people: reasons, prices, mends, what would flip it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skb.cli.decision_text import (
    SHOWN_ROWS,
    print_alternatives,
    print_assumed,
    print_costs,
    print_headline,
    print_reasons,
)
from skb.cli.output import number, table
from skb.wording import counted, led, listed


def print_why(told: Mapping[str, Any]) -> None:
    """Print why a decision is as it is, what an alternative costs, or what else was asked for."""
    print_headline(dict(told))
    printer = {
        "not": _alternative,
        "reasons": _clashes,
        "mends": _mends,
        "sensitivity": _sensitivity,
    }
    asked = [topic for topic in printer if isinstance(told.get(topic), dict)]
    for topic in asked:
        printer[topic](told[topic])
    if asked:
        return
    print_costs(told["costs"])
    _traffic(told)
    print_reasons(dict(told))
    for warning in told["warnings"]:
        print(f"warning: {warning}")
    print_alternatives(told["alternatives"])
    _elsewhere(told["alternatives"])
    print_assumed(told["assumed"])


def _traffic(told: Mapping[str, Any]) -> None:
    """Print what each pair of tasks pays, the dearest first, and its share of the whole."""
    pairs = [row for row in told["alternatives"] if "traffic" in row]
    pairs.sort(key=lambda row: -row["price"])
    value = told["objective"]["value"] or 0
    rows = [
        [row["traffic"], row["latency_ns"], row["price"], _share(row["price"], value)]
        for row in pairs[:SHOWN_ROWS]
    ]
    if rows:
        unit = pairs[0]["unit"]
        table(["traffic", "latency, ns", f"price, {unit}", "share"], rows)
    if len(pairs) > SHOWN_ROWS:
        rest = sum(row["price"] for row in pairs[SHOWN_ROWS:])
        more = counted(len(pairs) - SHOWN_ROWS, "more pair")
        print(f"… and {more} of together {_share(rest, value)}; --json has all")


def _share(price: float, value: float) -> str:
    return f"{price / value:.1%}" if value else "-"


def _elsewhere(alternatives: Sequence[Mapping[str, Any]]) -> None:
    """Print what each task would cost elsewhere, the cheapest move first."""
    moves = [row for row in alternatives if "task" in row and "costs_more" in row]
    moves.sort(key=lambda row: row["costs_more"])
    rows = [
        [row["task"], led(row["pus"]), row["numa_node"], row["costs_more"]]
        for row in moves[:SHOWN_ROWS]
    ]
    if rows:
        table(["task, moved alone", "to PUs", "NUMA node", f"more, {moves[0]['unit']}"], rows)
    if len(moves) > SHOWN_ROWS:
        print(f"… and {counted(len(moves) - SHOWN_ROWS, 'more task')}; --json has all")


def _alternative(other: Mapping[str, Any]) -> None:
    forced = " ".join(f"{key}={value}" for key, value in other["forced"].items())
    if other["difference"] is None:
        print(f"{forced} is not possible:")
        for reason in other["reasons"]:
            print(f"  - {reason['text']}")
        return
    unit, low, high = other["objective"]["unit"], other["low"], other["high"]
    how = {
        "exact": f"exactly {number(other['difference'])} {unit} more",
        "at most": f"at most {number(high)} {unit} more",
        "at least": f"at least {number(low)} {unit} more",
        "between": f"between {number(low)} and {number(high)} {unit} more",
        "unknown": f"about {number(other['difference'])} {unit} more (nothing is proven)",
    }
    print(f"{forced} would cost {how[other['price']]}")
    if other["price"] in {"at most", "at least", "between"}:
        more = "more" if other["difference"] >= 0 else "less than the decision"
        print(f"the best that was found costs {number(abs(other['difference']))} {unit} {more}")
    if other["better"]:
        print("it is cheaper than the decision, which was not proven optimal: ask again for longer")


def _clashes(told: Mapping[str, Any]) -> None:
    for place, clash in enumerate(told["sets"], 1):
        doubt = "" if clash["exact"] else " (not proven to be minimal)"
        print(f"reason {place}{doubt}, these clash:")
        for reason in clash["reasons"]:
            print(f"  - {reason['text']}")
    print(told["note"])


def _mends(told: Mapping[str, Any]) -> None:
    if not told["mends"]:
        print("no few constraints whose lifting makes it possible were found within the limit")
        return
    fewest = "the fewest that will do" if told["smallest"] else "fewer may do"
    first = counted(len(told["mends"][0]["lift"]), "constraint")
    print(f"it becomes possible without {first}, {fewest}:")
    rows = [
        ["; ".join(one["do"] for one in row["lift"]), row["objective"]["value"], row["bound"]]
        for row in told["mends"]
    ]
    unit = told["mends"][0]["objective"]["unit"]
    table(["mend", f"would then cost, {unit}", "bound"], rows)


def _sensitivity(told: Mapping[str, Any]) -> None:
    rows: list[tuple[float, list[Any]]] = []
    never: list[str] = []
    unproven: list[str] = []
    for one in told["numbers"]:
        flips = [(key, one[key]) for key in ("rises", "falls") if one[key]["flips_at"] is not None]
        for _key, flip in flips:
            sure = "exactly" if flip["exact"] else "or before"
            change = f"{'+' if flip['change'] >= 0 else '-'}{flip['relative']:.1%}"
            ways = [one["name"], one["value"], one["unit"], flip["flips_at"], change, sure]
            rows.append((flip["relative"], [*ways, _moved(flip["then"])]))
        if not flips:
            proven = one["rises"]["exact"] and one["falls"]["exact"]
            (never if proven else unproven).append(one["name"])
    rows.sort(key=lambda row: row[0])
    if rows:
        head = ["number", "is", "unit", "flips at", "change", "proof", "then"]
        table(head, [row for _relative, row in rows])
    if never:
        print(f"none of these flips it between 0 and 10 times its value: {listed(never, 8)}")
    if unproven:
        print(f"no flip is known for {listed(unproven, 8)}")
    if told["left_out"]:
        more = counted(told["left_out"], "more number")
        print(f"{more}, as far as known of less effect; --most shows them")
    if not told["complete"]:
        print("the limit came before all numbers were looked at; --limit gives more time")
    elif not told["numbers"]:
        print("the price reads no latency and no rate, so none flips it")
    assumed = [one["name"] for one in told["numbers"] if one["assumed"]]
    if assumed:
        print(f"worth measuring, because nobody stated it: {listed(assumed, 8)}")


def _moved(moves: Sequence[Mapping[str, Any]]) -> str:
    texts = [f"{row['task']} goes to pu:{led(row['pus'])}" for row in moves]
    return listed(texts, 2)
