"""A decision in words for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skb.cli.output import number, table
from skb.errors import RequestError
from skb.wording import spans

if TYPE_CHECKING:
    from skb.machine import Machine

_STATUS = {
    "optimal": "optimal, proven",
    "feasible": "best found, not proven optimal",
    "infeasible": "infeasible",
    "unknown": "no answer within the limit",
}
SHOWN_ROWS = 40


def in_cycles(answer: dict[str, Any], machine: Machine) -> dict[str, Any]:
    """Return a decision with nanoseconds turned into cycles of the machine's clock."""
    clock = machine.number("clock_mhz", "machine:0")
    if clock is None:
        raise RequestError(
            f"{machine.name} states no clock", mend="skb assert M 'clock_mhz(machine:0, 2000)'"
        )

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            held = {key: turned(inner) for key, inner in value.items()}
            if value.get("unit") == "ns":
                held["unit"] = "cycles"
                if value.get("value") is not None:
                    held["value"] = value["value"] * clock / 1000
            return held
        return [turned(inner) for inner in value] if isinstance(value, list) else value

    keys = ("objective", "costs", "alternatives")
    found = {**answer, **{key: turned(answer[key]) for key in keys}}
    if answer["objective"]["unit"] == "ns":
        if answer["bound"] is not None:
            found["bound"] = answer["bound"] * clock / 1000
        arrivals = answer["answer"].get("arrivals")
        if arrivals:
            times = {pu: at * clock / 1000 for pu, at in arrivals.items()}
            found["answer"] = {**answer["answer"], "arrivals": times}
    return found


def print_decision(answer: dict[str, Any]) -> None:
    """Print status, price, answer, reasons and assumptions."""
    _headline(answer)
    printer = {
        "placement": _placement,
        "route": _route,
        "buffers": _buffers,
        "schedule": _schedule,
        "query": _query,
        "offers": _offers,
    }[answer["question"]]
    if answer["status"] in {"optimal", "feasible"}:
        printer(answer["answer"])
    _costs(answer["costs"])
    _reasons(answer)
    for warning in answer["warnings"]:
        print(f"warning: {warning}")
    _alternatives(answer["alternatives"])
    _assumed(answer["assumed"])
    print(f"decision {answer['id']}; `skb why {answer['id'][:8]}` says more")


def _headline(answer: dict[str, Any]) -> None:
    objective = answer["objective"]
    print(
        f"{answer['question']} on {answer['machine']} (revision {answer['revision']}): "
        f"{_STATUS[answer['status']]}"
    )
    if objective["value"] is not None:
        text = f"{objective['name']} {number(objective['value'])} {objective['unit']}".rstrip()
        if answer["bound"] is not None:
            text += f", bound {number(answer['bound'])}, gap {answer['gap']:.2%}"
        print(text)


def _placement(answer: dict[str, Any]) -> None:
    rows = [[name, spans(t["pus"]), t["numa_node"]] for name, t in answer["tasks"].items()]
    table(["task", "PUs", "NUMA node"], rows)


def _route(answer: dict[str, Any]) -> None:
    arrivals = answer.get("arrivals", {})
    rows = [[send["from"], send["to"], arrivals.get(str(send["from"]))] for send in answer["sends"]]
    print(f"root {answer['root']}; critical path {answer.get('critical_path', [])}")
    table(["from", "to, in send order", "has it at"], rows[:SHOWN_ROWS])
    if len(rows) > SHOWN_ROWS:
        print(f"… and {len(rows) - SHOWN_ROWS} more senders; --json has all")


def _buffers(answer: dict[str, Any]) -> None:
    rows = [
        [name, flow["numa_node"], flow["near"], flow.get("touched"), flow.get("crossover")]
        for name, flow in answer["flows"].items()
    ]
    table(["flow", "NUMA node", "near", "touched", "flips at touched"], rows)


def _offers(answer: dict[str, Any]) -> None:
    rows = []
    for name, client in answer["clients"].items():
        for used in client["services"] or [{}]:
            missed = ", ".join(used.get("missed", []))
            way = [used.get("service"), used.get("at"), used.get("latency_ns"), missed]
            rows.append([name, client["at"], client["isa"], *way])
    head = ["client", "runs at", "ISA", "service", "at", "ns", "wishes missed"]
    table(head, rows[:SHOWN_ROWS])
    if len(rows) > SHOWN_ROWS:
        print(f"… and {len(rows) - SHOWN_ROWS} more rows; --json has all")
    refused = [
        f"  - {entry['service']} for {name}: {'; '.join(entry['reasons'])}"
        for name, client in answer["clients"].items()
        for entry in client["refused"]
    ]
    if refused:
        print("refused:")
        print("\n".join(refused[:SHOWN_ROWS]))
    if len(refused) > SHOWN_ROWS:
        print(f"… and {len(refused) - SHOWN_ROWS} more refusals; --json has all")


def _schedule(answer: dict[str, Any]) -> None:
    rows = []
    for which, slot in enumerate(answer["slots"], 1):
        for name, gang in slot.items():
            own = answer["applications"][name]
            packages = own["packages"]
            rows.append([which, name, own["threads"], spans(gang["pus"]), packages, own["value"]])
    table(["slot", "application", "threads", "PUs", "packages", "waits, ns/s"], rows[:SHOWN_ROWS])
    if len(rows) > SHOWN_ROWS:
        print(f"… and {len(rows) - SHOWN_ROWS} more gangs; --json has all")


def _query(answer: dict[str, Any]) -> None:
    if "rows" in answer:
        _named(answer)
        return
    for count, model in enumerate(answer["models"], 1):
        cost = f" cost {model['cost']}" if model.get("cost") else ""
        print(f"answer set {count}{cost}")
        for atom in model["atoms"]:
            print(f"  {atom['predicate']}({', '.join(str(a) for a in atom['args'])})")


def _named(answer: dict[str, Any]) -> None:
    given = " ".join(f"{key}={value}" for key, value in answer["with"].items())
    print(f"{answer['named']} {given}".rstrip())
    rows = [[row[column] for column in answer["columns"]] for row in answer["rows"]]
    if answer["columns"][1:] == ["pu"]:
        rows = _together(rows)
    if rows:
        table(answer["columns"], rows[:SHOWN_ROWS])
    if len(rows) > SHOWN_ROWS:
        print(f"… and {len(rows) - SHOWN_ROWS} more rows; --json has all")


def _together(rows: list[list[Any]]) -> list[list[Any]]:
    """Return one row for each part with all its PUs, such as `pu:0-7,64-71`."""
    found: dict[Any, list[int]] = {}
    for part, pu in rows:
        found.setdefault(part, []).append(int(pu.removeprefix("pu:")))
    return [[part, f"pu:{spans(pus)}"] for part, pus in found.items()]


def _costs(costs: list[dict[str, Any]]) -> None:
    if costs:
        shown = costs[:SHOWN_ROWS]
        table(["cost", "value", "unit"], [[c["term"], c["value"], c["unit"]] for c in shown])


def _reasons(answer: dict[str, Any]) -> None:
    if answer["reasons"]:
        print("these clash:" if answer["status"] == "infeasible" else "because:")
        for reason in answer["reasons"]:
            print(f"  - {reason['text']}")


def _alternatives(alternatives: list[dict[str, Any]]) -> None:
    rows = [a for a in alternatives if "name" in a and "value" in a]
    if not rows:
        return
    why = [_first(a.get("breaks") or a.get("lacks") or a.get("note")) for a in rows]
    cells = [[a["name"], a["value"], a["unit"]] for a in rows]
    if any(why):
        table(
            ["alternative", "value", "unit", "remark"],
            [[*cell, text] for cell, text in zip(cells, why, strict=True)],
        )
    else:
        table(["alternative", "value", "unit"], cells)


def _first(remark: str | None) -> str | None:
    """Return the first of several reasons, and how many more --json has."""
    first, *more = (remark or "").split("; ")
    return f"{first}; and {len(more)} more" if more else remark


def _assumed(assumed: list[dict[str, Any]]) -> None:
    if assumed:
        print("assumed, because nobody stated or measured it:")
        for entry in assumed:
            print(f"  - {entry['fact']} ({entry['because']})")


def print_why(told: dict[str, Any]) -> None:
    """Print why a decision is as it is, or what an alternative costs."""
    _headline(told)
    if "not" not in told:
        _costs(told["costs"])
        _reasons(told)
        _alternatives(told["alternatives"])
        _assumed(told["assumed"])
        return
    other = told["not"]
    forced = " ".join(f"{key}={value}" for key, value in other["forced"].items())
    if other["difference"] is None:
        print(f"{forced} is not possible:")
        for reason in other["reasons"]:
            print(f"  - {reason['text']}")
        return
    sure = "exactly" if other["exact"] else "about (one of the two answers is not proven optimal)"
    unit = other["objective"]["unit"]
    print(f"{forced} would cost {sure} {number(other['difference'])} {unit} more")
