"""What `skb simulate` writes beside its table: a trace for Perfetto, drawings, progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skb.cli.output import save, say
from skb.errors import RequestError

if TYPE_CHECKING:
    from simulator import Result, Scenario

VIEWS = ("timeline", "space-time", "latency", "load")
LOADS, LOADED = (1, 2, 4, 8, 16, 32), 10
PS_PER_NS = 1000
Step = Callable[[str], None]


def read_window(text: str) -> tuple[int, int]:
    """Read `1000-5000`, in nanoseconds, as picoseconds; either end may be missing."""
    first, dash, last = text.partition("-")
    try:
        begin = round(float(first or 0) * PS_PER_NS)
        end = round(float(last) * PS_PER_NS) if last else sys.maxsize
        if not dash or not 0 <= begin < end:
            raise ValueError
    except (ValueError, OverflowError) as fault:
        raise RequestError(
            f"cannot read {text!r} as nanoseconds", place="--trace-window", mend="write 1000-5000"
        ) from fault
    return begin, end


@dataclass(frozen=True, slots=True)
class Ran:
    """A run: what was run, its result, and that as it is told."""

    scenario: Scenario
    result: Result
    told: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """What is wanted beside the table: JSON in its place, a drawing, a trace.

    Raises `RequestError` for a view that there is not, or that has no meaning.
    """

    json: bool
    draw: Path | None
    view: str | None
    trace: Path | None
    window: str | None

    def __post_init__(self) -> None:
        """Refuse what cannot be shown, before anything is run."""
        if self.view is not None and self.view not in VIEWS:
            raise _refused(f"there is no view {self.view!r}", "--view", f"{', '.join(VIEWS)}")
        if self.view is not None and self.draw is None:
            raise _refused("a view of nothing", "--view", "say where: --draw FILE.svg")
        if self.window is not None:
            read_window(self.window)
            if not self.needs_rows:
                mend = "add --trace FILE.json or --draw FILE.svg"
                raise _refused("a window of nothing", "--trace-window", mend)

    @property
    def needs_rows(self) -> bool:
        """Whether a run has to keep the rows of its trace."""
        drawn = self.draw is not None and self.view not in ("latency", "load")
        return self.trace is not None or drawn

    def require_many(self, question: str, views: Sequence[str] = ()) -> None:
        """Refuse a trace, or a view that is not among these, of what is about many runs."""
        if self.trace is not None:
            raise _refused(f"{question} are many runs", "--trace", "leave it out")
        if self.view is not None and self.view not in views:
            mend = " or ".join(views) or "leave it out"
            raise _refused(f"{question} have no {self.view}", "--view", mend)

    def write_trace(self, ran: Ran) -> None:
        """Write the trace of a run for Perfetto and say how much of it; raises `SkbError`."""
        from simulator.protocols import require_protocol
        from simulator.trace import kind_names, write_chrome_trace
        from skb.errors import SkbError

        if self.trace is None:
            return
        scenario, rows = ran.scenario, ran.result.trace
        names = kind_names(require_protocol(scenario.protocol))
        window = None if self.window is None else read_window(self.window)
        try:
            with self.trace.open("w", encoding="utf-8") as out:
                count = write_chrome_trace(
                    out,
                    rows,
                    names,
                    scenario.domains,
                    scenario.costs,
                    ran.result.came_ps,
                    window,
                )
        except OSError as fault:
            raise SkbError(
                f"cannot be written: {fault.strerror}",
                place=str(self.trace),
                mend="give another --trace FILE",
            ) from fault
        part = f"{count} rows" if count == len(rows) else f"{count} of {len(rows)} rows"
        say(f"{self.trace}: {part}; open it in ui.perfetto.dev")

    def draw_run(self, ran: Ran) -> None:
        """Draw one run: where its time went, its messages, its latencies, or more load."""
        from simulator.flights import flights
        from simulator.protocols import require_protocol
        from simulator.trace import kind_names
        from skb.draw.simulation_space_time import space_time_svg
        from skb.draw.simulation_timeline import timeline_svg

        if self.draw is None or self.view in ("latency", "load"):
            self.draw_routes([ran])
            return
        scenario, result = ran.scenario, ran.result
        first, last = (0, sys.maxsize) if self.window is None else read_window(self.window)
        if self.window is None and result.ended == "finished" and result.worked_ps:
            # timers run on behind the operations, and would be most of the drawing
            last = result.worked_ps
            say(f"{self.draw}: up to the end of the last operation; --trace-window has the rest")
        inside = [at for at, row in enumerate(result.trace) if row[1] >= first and row[0] <= last]
        rows = [result.trace[at] for at in inside]
        names = kind_names(require_protocol(scenario.protocol))
        title = f"{scenario.protocol} over the {scenario.route_name} route of {scenario.machine}"
        if self.view == "space-time":
            came = [result.came_ps[at] for at in inside] if result.came_ps else []
            messages = flights(rows, scenario.costs, came)
            text = space_time_svg(title, rows, messages, names, scenario.domains)
        else:
            text = timeline_svg(title, rows, names, scenario.domains)
        self._save(text)

    def draw_routes(self, runs: Sequence[Ran]) -> None:
        """Draw runs that differ in their routes: latencies, or what more load makes of them."""
        from skb.draw.simulation_latency import latency_svg
        from skb.draw.simulation_load import load_svg

        if self.draw is None:
            return
        first = runs[0].scenario
        title = f"{first.protocol} on {first.machine}"
        if self.view == "load":
            lines = {ran.scenario.route_name: _loads(ran.scenario) for ran in runs}
            words = "operations under way at once"
            self._save(load_svg(title, f"seed {first.seed}", words, "outstanding", lines))
        else:
            latencies = {ran.scenario.route_name: ran.result.latency_ps for ran in runs}
            self._save(latency_svg(title, _about(first), latencies))

    def _save(self, text: str) -> None:
        assert self.draw is not None
        save(text, self.draw, "--draw")
        say(f"{self.draw}: drawn")


def _refused(text: str, place: str, mend: str) -> RequestError:
    return RequestError(text, place=place, mend=mend)


def _loads(scenario: Scenario) -> list[dict[str, Any]]:
    """Run a scenario with more and more operations under way at once."""
    from skb.simulation import ran

    rows = []
    for load in LOADS:
        count = max(scenario.operations, LOADED * load)
        heavier = replace(
            scenario,
            outstanding=load,
            operations=count,
            interval_ps=None,
            arrivals="even",
            burst=1,
            trace=False,
        )
        found: Any = ran(heavier).to_json()
        rows.append(
            {
                "outstanding": load,
                "throughput_per_s": found["throughput_per_s"],
                "mean_ns": found["latency"]["mean"],
                "p99_ns": found["latency"]["p99"],
            }
        )
    return rows


def _about(scenario: Scenario) -> str:
    count = scenario.operations
    words = f"{count} operations" if count > 1 else "one operation"
    if scenario.interval_ps is None:
        return f"{words}, {scenario.outstanding} under way at once"
    return f"{words}, one every {scenario.interval_ps / PS_PER_NS:g} ns"


class Progress:
    """A bar on stderr where it is a terminal, nothing elsewhere."""

    def __enter__(self) -> Progress:
        self._bar: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as Bar

            self._bar = Bar(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("operations", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def counted(self) -> Callable[[int, int], None] | None:
        """What takes how many there are done, of how many; None where nothing is shown."""
        return None if self._bar is None else self._count

    def step(self, words: str) -> None:
        """Say what is being done."""
        if self._bar is not None:
            self._bar.update(self._task, description=words)

    def _count(self, done: int, all_: int) -> None:
        self._bar.update(self._task, completed=done, total=all_)
