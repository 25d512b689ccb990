"""What a simulation may say: its keys, faults and numbers, each read and refused by its name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args, get_type_hints

import msgspec

from skb.costs import to_ps
from skb.errors import RequestError

if TYPE_CHECKING:
    from simulator import Fault

DECIDED = "decided"
NS_PER_S = 1e9
MOST_NS = 1e12
"""A thousand seconds: the longest time that a simulation may name."""

LAST_PS = 1 << 61
"""When the last operation of an open load may arrive: the engines count in 64 bits."""

SEEDS = 1 << 62
MOST_OPERATIONS = 2_000_000
"""Each takes about 3 kB while its run is checked."""

# what a protocol is told by its route, not by the user
_OWN = frozenset({"hold_ps"})
_SWEPT = frozenset({"vary", "seeds"})


class FaultRow(msgspec.Struct, forbid_unknown_fields=True):
    """What befalls a PU, in nanoseconds from the begin of the run.

    `state` is down, up, off, on, slow (for `value_ns`), cut (to `side`) or joined.
    """

    time_ns: float
    pu: int
    state: str
    value_ns: float | None = None
    side: int | None = None

    def fault(self) -> Fault:
        """Return the row for the simulator; raises `RequestError` where it says too much."""
        from simulator import Fault

        given = {"value_ns": self.value_ns, "side": self.side}
        wanted = {"slow": "value_ns", "cut": "side"}.get(self.state)
        for name, value in given.items():
            if (value is not None) != (name == wanted):
                words = "needs" if value is None else "has no use for"
                raise RequestError(
                    f"the {self.state} of pu:{self.pu} {words} {name}",
                    place="simulation $.faults",
                    mend="slow goes with value_ns, cut with side (from 1), other states with none",
                )
        value = to_ps(self.value_ns) if self.value_ns is not None else self.side or 0
        return Fault(to_ps(self.time_ns), self.pu, self.state, value)  # type: ignore[arg-type]


class Options(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What `skb simulate` and `POST /v1/simulations` take beside the machine.

    `trees` is that of the route question; `overlap` lets participants of a two-phase commit vote as
    soon as they are ready, where the promise of a decision lets each phase wait for the one before.
    An open load has `interval_ns` or `rate_per_s`. `parameters` are the protocol's own; a time may
    be given in nanoseconds (`defer_ns` for `defer_ps`). With `links` messages wait for the links
    between packages; docs/simulator.md says what the others are. `engine` makes no difference to
    the result: "compiled" waits for a compiler where `skb warm` has not run.
    """

    protocol: str = "two-phase-commit"
    route: str = DECIDED
    trees: Literal["one", "per-phase"] | None = None
    overlap: bool = False
    operations: int = 1
    seed: int = 0
    model: str | None = None
    root: int | None = None
    members: list[int] | None = None
    outstanding: int = 1
    interval_ns: float | None = None
    conflict_per_mille: int = 0
    work_ns: float = 0.0
    timeout_ns: float = 0.0
    rate_per_s: float | None = None
    arrivals: Literal["even", "poisson"] = "even"
    burst: int = 1
    clients: list[int] | None = None
    reads_per_mille: int = 0
    items: int | None = None
    parameters: dict[str, float] = {}
    sharing: Literal["numa", "l3", "package"] = "numa"
    stores: Literal["stated", "polled", "posted"] = "stated"
    links: bool = False
    poll_ns: float = 0.0
    channels: Literal["all", "tree"] = "all"
    loss_per_million: int = 0
    delay_per_million: int = 0
    delay_ns: float = 0.0
    faults: list[FaultRow] = []
    limit_s: float = 10.0
    engine: Literal["auto", "plain", "compiled"] = "auto"


def read_options(raw: Mapping[str, Any]) -> Options:
    """Turn plain values into options; raises `RequestError` naming place and mend."""
    try:
        options = msgspec.convert(raw, Options)
    except msgspec.ValidationError as fault:
        text, _, path = str(fault).partition(" - at ")
        place = path.strip("`")
        raise RequestError(
            text, place=f"simulation {place}".strip(), mend=_mend(raw, place)
        ) from fault
    for name, value in _floats(options):
        if not math.isfinite(value):
            raise RequestError(f"{name} is {value}", place=f"simulation $.{name}")
        time = name.endswith(("_ns", "limit_s"))
        if time and not 0 <= value <= (MOST_NS if name.endswith("_ns") else NS_PER_S):
            wrong = "negative" if value < 0 else "too long"
            most = f"{MOST_NS:g} ns" if name.endswith("_ns") else f"{NS_PER_S:g} s"
            raise RequestError(
                f"{name} is {value:g}, which is {wrong}",
                place=f"simulation $.{name}",
                mend=f"write a time from 0 to {most}",
            )
    if not -SEEDS <= options.seed <= SEEDS:
        raise RequestError(
            f"seed {options.seed} is too large", place="simulation $.seed", mend="write 62 bits"
        )
    if options.operations > MOST_OPERATIONS:
        raise RequestError(
            f"{options.operations} operations are too many",
            place="simulation $.operations",
            mend=f"at most {MOST_OPERATIONS}; `skb sweep` runs more, under many seeds",
        )
    _require_uses(options)
    return options


def _mend(raw: Mapping[str, Any], place: str) -> str:
    """Say what could stand there instead."""
    hints = get_type_hints(Options)
    choices = [each for part in get_args(hints.get(place[2:], Any)) for each in get_args(part)]
    choices = choices or list(get_args(hints.get(place[2:], Any)))
    words = [each for each in choices if isinstance(each, str)]
    if words:
        return f"write {' or '.join(words)}"
    if place.startswith("$.faults"):
        return "a fault has time_ns, pu, state, and value_ns or side where its state needs one"
    if not place and _SWEPT & raw.keys():
        return "vary and seeds are of a sweep: `skb sweep` takes the file"
    return f"keys are: {', '.join(Options.__struct_fields__)}"


def _floats(options: Options) -> Iterator[tuple[str, float]]:
    """Yield what may be no number at all, each with its name."""
    for name in Options.__struct_fields__:
        value = getattr(options, name)
        if isinstance(value, float):
            yield name, value
    for name, value in options.parameters.items():
        yield f"parameters.{name}", value
    for at, row in enumerate(options.faults):
        yield f"faults[{at}].time_ns", row.time_ns
        if row.value_ns is not None:
            yield f"faults[{at}].value_ns", row.value_ns


def _require_uses(options: Options) -> None:
    """Refuse what would be passed over in silence."""
    wrong = {
        "members": options.members is not None and not options.members,
        "channels": options.channels != "all" and not options.poll_ns,
        "delay_ns": bool(options.delay_ns) and not options.delay_per_million,
        "delay_per_million": bool(options.delay_per_million) and not options.delay_ns,
    }
    words = {
        "members": ("nobody takes part", "name at least one PU, or leave members out"),
        "channels": ("nobody polls channels", "add poll_ns: what a look into a channel takes"),
        "delay_ns": ("no message is delayed", "add delay_per_million: how many are"),
        "delay_per_million": ("no delay is given", "add delay_ns: the longest delay"),
    }
    for name, (text, mend) in words.items():
        if wrong[name]:
            raise RequestError(text, place=f"simulation $.{name}", mend=mend)


def interval_ps(options: Options) -> int | None:
    """Return the picoseconds between bursts of an open load; raises `RequestError`."""
    place = "simulation $.rate_per_s"
    if options.rate_per_s is None:
        if options.interval_ns is None:
            return None
        return _arriving(options, options.interval_ns, "simulation $.interval_ns")
    if options.interval_ns is not None:
        raise RequestError("interval_ns and rate_per_s say the same", place=place)
    if not options.rate_per_s > 0:
        raise RequestError(f"a rate of {options.rate_per_s:g} per second", place=place)
    return _arriving(options, options.burst * NS_PER_S / options.rate_per_s, place)


def _arriving(options: Options, interval_ns: float, place: str) -> int:
    """Return an interval in picoseconds, so short that the last operation arrives in time."""
    count = options.operations / max(1, options.burst)
    if count * interval_ns * 1000 > LAST_PS:
        days = count * interval_ns / NS_PER_S / 86400
        raise RequestError(
            f"the last operation would arrive after {days:.3g} days",
            place=place,
            mend="fewer operations, or more of them per second",
        )
    return max(1, to_ps(interval_ns))


def parameters_ps(options: Options) -> dict[str, int]:
    """Return the numbers for the protocol, times in picoseconds; raises `RequestError`."""
    from simulator.protocols import require_protocol
    from simulator.protocols.protocol import parameters_of

    known = [name for name in parameters_of(require_protocol(options.protocol)) if name not in _OWN]
    told = ", ".join(f"{name[:-3]}_ns" if name.endswith("_ps") else name for name in known)
    found: dict[str, int] = {}
    for name, value in options.parameters.items():
        exact, number = name, value
        if name.endswith("_ns"):
            exact, number = f"{name[:-3]}_ps", to_ps(value)
        wrong = ""
        if exact not in known:
            wrong = f"{options.protocol} has no use for {name}"
        elif exact in found or getattr(options, f"{exact[:-3]}_ns", False):
            wrong = f"{name} is given twice"
        elif number != int(number):
            wrong = f"{name} is {value:g}, which is no whole number"
        if wrong:
            mend = f"its parameters are {told}" if told else "it has no parameters"
            raise RequestError(wrong, place="simulation $.parameters", mend=mend)
        found[exact] = int(number)
    return found
