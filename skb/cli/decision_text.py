"""A decision in words for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from skb.cli.interrupts_text import print_interrupts
from skb.cli.output import number, table
from skb.cli.pci_text import print_pci
from skb.cli.replicas_text import print_replicas
from skb.errors import RequestError
from skb.wording import counted, led, listed, spans

if TYPE_CHECKING:
    from skb.machine import Machine

_STATUS = {
    "optimal": "optimal, proven",
    "feasible": "best found, not proven optimal",
    "infeasible": "infeasible",
    "unknown": "no answer within the limit",
}
SHOWN_ROWS = 40
MOST_COLUMNS = 12
_CYCLES = {"ns": "cycles", "ns/s": "cycles/s"}
# what is in the unit that stands beside it
_PRICES = ("value", "price", "costs_more")


def clock_of(machine: Machine) -> float:
    """Return the clock in MHz by which nanoseconds become cycles; `RequestError` without one."""
    clock = machine.number("clock_mhz", "machine:0")
    if clock is None:
        mend = f"skb assert {machine.name} 'clock_mhz(machine:0, 2000)'"
        raise RequestError(f"{machine.name} states no clock", place="--unit", mend=mend)
    return clock


def in_cycles(answer: dict[str, Any], clock: float) -> dict[str, Any]:
    """Return a decision with nanoseconds turned into cycles of a clock in MHz."""

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            held = {key: turned(inner) for key, inner in value.items()}
            if value.get("unit") in _CYCLES:
                held["unit"] = _CYCLES[value["unit"]]
                for key in _PRICES:
                    if value.get(key) is not None:
                        held[key] = value[key] * clock / 1000
            return held
        return [turned(inner) for inner in value] if isinstance(value, list | tuple) else value

    keys = ("objective", "costs", "alternatives")
    found = {**answer, **{key: turned(answer[key]) for key in keys}}
    if answer["objective"]["unit"] in _CYCLES:
        if answer["bound"] is not None:
            found["bound"] = answer["bound"] * clock / 1000
        times = {
            key: {name: at * clock / 1000 for name, at in answer["answer"][key].items()}
            for key in ("arrivals", "phases")
            if answer["answer"].get(key)
        }
        found["answer"] = {**answer["answer"], **times}
    return found


def print_decision(answer: dict[str, Any], clock: float = 0.0) -> None:
    """Print status, price, answer, reasons and assumptions, in cycles of a clock in MHz if any."""
    print_headline(answer)
    printers: Mapping[str, Callable[[dict[str, Any]], None]] = {
        "placement": _placement,
        "route": partial(_route, clock=clock),
        "buffers": _buffers,
        "schedule": _schedule,
        "query": _query,
        "offers": _offers,
        "links": _links,
        "interrupts": print_interrupts,
        "pci": print_pci,
        "power": _power,
        "replicas": print_replicas,
    }
    if answer["status"] in {"optimal", "feasible"}:
        printers[answer["question"]](answer["answer"])
    print_costs(answer["costs"])
    print_reasons(answer)
    for warning in answer["warnings"]:
        print(f"warning: {warning}")
    print_alternatives(answer["alternatives"], clock)
    print_assumed(answer["assumed"])
    print(f"decision {answer['id']}; `skb why {answer['id'][:8]}` says more")


def print_headline(answer: dict[str, Any]) -> None:
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
    rows = [[name, led(t["pus"]), t["numa_node"]] for name, t in answer["tasks"].items()]
    table(["task", "PUs", "NUMA node"], rows)


def _time(clock: float) -> tuple[float, str]:
    """Return what a nanosecond counts as, and the unit: cycles of a clock in MHz, if any."""
    return (clock / 1000, "cycles") if clock else (1.0, "ns")


def _route(answer: dict[str, Any], clock: float) -> None:
    arrivals = answer.get("arrivals", {})
    rows = [[send["from"], send["to"], arrivals.get(str(send["from"]))] for send in answer["sends"]]
    print(f"root {answer['root']}; critical path {answer.get('critical_path', [])}")
    table(["from", "to, in send order", "has it at"], rows[:SHOWN_ROWS])
    if len(rows) > SHOWN_ROWS:
        print(f"… and {len(rows) - SHOWN_ROWS} more senders; --json has all")
    if "reduction_sends" in answer:
        rows = [[send["from"], send["to"]] for send in answer["reduction_sends"]]
        table(["gathers", "from"], rows[:SHOWN_ROWS])
    if "frontier" in answer:
        _frontier(answer["frontier"], clock)
    elif "occupancy_ps" in answer:
        per_ns, unit = _time(clock)
        busy = number(answer["occupancy_ps"] / 1000 * per_ns)
        print(f"each operation keeps pu:{answer['busiest']} busy longest, for {busy} {unit}")
    if answer.get("link_load"):
        most = answer["link_load"][0]
        ends = f"from {most['from']} to {most['to']}"
        print(f"no link is crossed by more messages than the one {ends}: {most['messages']}")


def _frontier(points: list[dict[str, Any]], clock: float) -> None:
    per_ns, unit = _time(clock)
    keys = ("occupancy_ps", "completion_ps", "completion_bound_ps")
    rows = []
    for point in points:
        times = [point[key] / 1000 * per_ns for key in keys]
        rows.append([*times, point["root"], "yes" if point["proven"] else "no"])
    head = (f"{name}, {unit}" for name in ("busiest PU", "ends at", "not before"))
    table([*head, "root", "proven"], rows)


def _buffers(answer: dict[str, Any]) -> None:
    flows = answer["flows"]
    # what most requests do not ask for has a column only where they do
    wide = any(str(flow["place"]) != f"numa:{flow['numa_node']}" for flow in flows.values())
    seated = any("consumer_pu" in flow for flow in flows.values())
    rows = []
    for name, flow in flows.items():
        row = [name, flow["numa_node"]]
        row += [flow["place"]] * wide + [flow.get("consumer_pu")] * seated
        rows.append([*row, flow["near"], flow.get("touched"), flow.get("crossover")])
    head = ["flow", "NUMA node", *["place"] * wide, *["consumer PU"] * seated]
    table([*head, "near", "touched", "flips at touched"], rows[:SHOWN_ROWS])
    if len(rows) > SHOWN_ROWS:
        print(f"… and {len(rows) - SHOWN_ROWS} more flows; --json has all")
    rings = [
        [name, kind, ring["place"], ring["bytes"], ring["value"]]
        for name, flow in flows.items()
        for kind, ring in flow.get("rings", {}).items()
    ]
    if rings:
        table(["flow", "ring", "place", "bytes", "ns/s"], rings[:SHOWN_ROWS])
    held = [
        [name, hold["packets_per_s"], hold["ring_bytes"]]
        for name, flow in flows.items()
        for hold in [flow.get("holds", {})]
        if any(hold.values())
    ]
    if held:
        rows = [[name, _hold(rate), _hold(ring)] for name, rate, ring in held]
        table(["flow", "holds to packets/s", "holds to ring bytes"], rows[:SHOWN_ROWS])


def _hold(limit: dict[str, Any] | None) -> str:
    return "" if limit is None else f"{number(limit['most'])} ({limit['because']})"


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


def _links(answer: dict[str, Any]) -> None:
    nodes, table_ = answer["nodes"], answer["next_hop"]
    channels = answer["virtual_channels"]
    print(
        f"{channels} virtual channel{'s' * (channels > 1)}, free of deadlock;"
        f" at most {answer['hops']['max']} hops; to each destination, from each node over:"
    )
    kinds = {name.partition(":")[0] for name in nodes}
    short = {name: name.partition(":")[2] if len(kinds) == 1 else name for name in nodes}
    if len(nodes) > MOST_COLUMNS:
        rows = [[a, b, load] for a, row in answer["load"].items() for b, load in row.items()]
        rows.sort(key=lambda row: -row[2])
        table(["from", "to", "carries"], rows[:SHOWN_ROWS])
        print("the fullest links; the table is in --json")
    else:
        head = ["to", "channel", *(short[name] for name in nodes)]
        rows = [
            [d, answer["channel"][d], *(short.get(table_[s].get(d, ""), "·") for s in nodes)]
            for d in nodes
        ]
        table(head, rows)
    depths = {size for row in answer["queue_depth"].values() for size in row.values()}
    text = number(min(depths)) + (f" to {number(max(depths))}" if len(depths) > 1 else "")
    print("queue depth for each channel of a link:")
    print(f"  {text} bytes so that it never waits for credits: bandwidth x round trip")
    if "backlog" in answer:
        _backlog(answer["backlog"])
    if "failures" in answer:
        _failures(answer["failures"])


def _backlog(told: dict[str, Any]) -> None:
    busy = f"the fullest link is busy {number(100 * told['rate'])} % of the time"
    for name, when in (("burst", "all send at once"), ("steady", busy)):
        run = told[name]
        where = f": {' -> '.join(run['where'][0])}" if run["where"] else ""
        packets = f"{counted(run['most'], 'packet')} of {number(told['packet_bytes'])} bytes"
        print(f"  {packets} for the worst backlog where {when}{where}")


def _power(answer: dict[str, Any]) -> None:
    from skb.cli.power_text import print_power

    print_power(answer)


def _failures(rows: list[dict[str, Any]]) -> None:
    shown = []
    for row in rows[:SHOWN_ROWS]:
        lost = f"cuts off {listed(row['cut_off'], 4)}" if "cut_off" in row else row["status"]
        hops = row.get("hops", {}).get("max")
        own = [row.get("virtual_channels"), row.get("max_load"), row.get("bound"), hops]
        shown.append([" - ".join(row["link"]), lost, *own, row.get("changed")])
    head = ["without", "table", "channels", "largest load", "bound", "most hops", "entries changed"]
    table(head, shown)
    if len(rows) > SHOWN_ROWS:
        print(f"… and {len(rows) - SHOWN_ROWS} more links; --json has all")


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


def print_costs(costs: list[dict[str, Any]]) -> None:
    if costs:
        shown = costs[:SHOWN_ROWS]
        table(["cost", "value", "unit"], [[c["term"], c["value"], c["unit"]] for c in shown])


def print_reasons(answer: dict[str, Any]) -> None:
    if answer["reasons"]:
        print("these clash:" if answer["status"] == "infeasible" else "because:")
        for reason in answer["reasons"][:SHOWN_ROWS]:
            print(f"  - {reason['text']}")
    if len(answer["reasons"]) > SHOWN_ROWS:
        print(f"… and {len(answer['reasons']) - SHOWN_ROWS} more; --json has all")


def print_alternatives(alternatives: list[dict[str, Any]], clock: float = 0.0) -> None:
    rows = [a for a in alternatives if "name" in a and "value" in a]
    if not rows:
        return
    why = [_first(a.get("breaks") or a.get("lacks") or a.get("note")) for a in rows]
    head = ["alternative", "value", "unit"]
    cells = [[a["name"], a["value"], a["unit"]] for a in rows]
    if all("occupancy_ns" in a for a in rows):
        per_ns, unit = _time(clock)
        head = ["alternative", "root", "value", "unit", f"ends at, {unit}", f"busiest PU, {unit}"]
        both = [[a[key] * per_ns for key in ("completion_ns", "occupancy_ns")] for a in rows]
        own = [[a["name"], a["root"], a["value"], a["unit"]] for a in rows]
        cells = [[*left, *right] for left, right in zip(own, both, strict=True)]
    if any(why):
        table(
            [*head, "remark"],
            [[*cell, text] for cell, text in zip(cells, why, strict=True)],
        )
    else:
        table(head, cells)


def _first(remark: str | None) -> str | None:
    """Return the first of several reasons, and how many more --json has."""
    first, *more = (remark or "").split("; ")
    return f"{first}; and {len(more)} more" if more else remark


def print_assumed(assumed: list[dict[str, Any]]) -> None:
    if assumed:
        print("assumed, because nobody stated or measured it:")
        for entry in assumed:
            print(f"  - {entry['fact']} ({entry['because']})")
