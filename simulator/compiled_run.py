"""A run on the lowered protocol and the kernel, compiled or not, from a setting to what is left."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from simulator import kernel_columns as c
from simulator.compiled_arrays import Sizes, arrays_of, enlarged, fields_of, first_sizes
from simulator.driver import STALLED
from simulator.engine import EVENT_LIMIT, FINISHED, HORIZON, MOST_PENDING, OVERLOADED, Row
from simulator.errors import SimulatorError
from simulator.history import Entry, Proposal
from simulator.links import LinkUse
from simulator.playing import Played, Progress, Setting

ENDED = {c.ENDED: FINISHED, c.LIMITED: EVENT_LIMIT, c.BEYOND: HORIZON, c.CROWDED: OVERLOADED}
STOPPED = {
    c.SETTLED_STOP: FINISHED, c.STALLED_STOP: STALLED, c.OVERLOADED_STOP: OVERLOADED,
}  # fmt: skip
MOST_ROWS = 4 * MOST_PENDING

Run = Callable[[Any, c.Arrays], int]


class _Drained:
    """What the kernel has left in its buffers so far."""

    def __init__(self, setting: Setting, progress: Progress | None) -> None:
        self.setting, self.progress = setting, progress
        self.sha = hashlib.sha256()
        self.rows: list[Row] = []
        self.came: list[int] = []
        self.said: list[int] = []
        self.told = 0

    def take(self, w: c.Arrays) -> None:
        """Empty the buffers, and tell how far the run is."""
        ctl = w.ctl
        fresh = w.rows[: int(ctl[c.ROWS])]
        if len(fresh):
            self.sha.update(fresh[:, : c.ROW_COLUMNS].astype("<i8").tobytes())
            if self.setting.keep_rows:
                self.rows += map(tuple, fresh[:, : c.ROW_COLUMNS].tolist())
                self.came += fresh[:, c.ROW_COLUMNS].tolist()
        self.said += w.said[: int(ctl[c.SAID])].ravel().tolist()
        ctl[c.ROWS] = ctl[c.SAID] = 0
        if self.progress is not None:
            finished, every = int(ctl[c.FINISHED_OPS]), int(ctl[c.EVERY])
            for count in range(self.told + 1, finished + 1):
                if count % every == 0:
                    self.progress(count, self.setting.load.operations)
            self.told = finished


def play(
    setting: Setting,
    run: Run,
    dispatch: Any,
    progress: Progress | None = None,
    shown: Callable[[c.Arrays], c.Arrays] = lambda arrays: arrays,
) -> Played:
    """Run a setting on the kernel and a lowered protocol.

    `shown` may give the kernel other arrays than those of numpy. The state of the nodes is that at
    the end. Raises `SimulatorError` where a handler looks outside of a field.
    """
    sizes = first_sizes(len(setting.nodes))
    traced = setting.digest or setting.keep_rows
    while True:
        w = shown(arrays_of(setting, sizes, traced=traced))
        if progress is None:
            w.ctl[c.EVERY] = 0
        drained = _Drained(setting, progress)
        why = run(dispatch, w)
        while why in (c.FULL, c.AWAY):
            drained.take(w)
            if why == c.AWAY:
                sizes = Sizes(4 * sizes.rows, sizes.reserve)
                w = enlarged(w, sizes)
            why = run(dispatch, w)
        if why != c.SMALL:
            break
        # one handler has said more than there were rows for: begin anew with more of them
        sizes = Sizes(4 * sizes.rows, 4 * sizes.reserve)
        if sizes.reserve > MOST_ROWS:
            raise SimulatorError(f"a handler of {setting.protocol.__name__} never stops sending")
    drained.take(w)
    if w.mail[c.CHAIN, c.HEAD]:
        raise SimulatorError(f"{setting.protocol.__name__} looks outside of a field")
    ended = STOPPED[int(w.ctl[c.STOP])] if why == c.STOPPED else ENDED[why]
    for me, node in enumerate(setting.nodes):
        if setting.protocol.lock_field:
            name = setting.protocol.lock_field
            setattr(node, name, fields_of(setting.protocol, w, me)[name])
    return _played(setting, w, ended, drained)


def _played(setting: Setting, w: c.Arrays, ended: str, drained: _Drained) -> Played:
    """Put what a run leaves behind together."""
    ctl = w.ctl
    links = setting.links
    uses: tuple[LinkUse, ...] = ()
    if links is not None:
        rows = w.link[:, c.CROSSED : c.WAITED + 1].tolist()
        uses = tuple(LinkUse(name, *row) for name, row in zip(links.names, rows, strict=False))
    entries: tuple[Entry, ...] = tuple(zip(*[iter(drained.said)] * 5, strict=True))
    begun = w.ops[: int(ctl[c.NEXT_OP])].tolist()
    return Played(
        engine="compiled",
        ended=ended,
        proposals={
            op: Proposal(
                operation=op,
                initiator=setting.members[row[c.CLIENT]],
                item=row[c.ITEM],
                value=row[c.VALUE],
                start_ps=row[c.STARTED],
                write=row[c.WRITE],
            )
            for op, row in enumerate(begun)
        },
        finished={
            op: (begun[op][c.FINISHED_AT], begun[op][c.RESULT])
            for op in w.order[: int(ctl[c.FINISHED_OPS])].tolist()
        },
        entries=entries,
        events=int(ctl[c.EVENTS]),
        now_ps=int(ctl[c.LAST_END]),
        ended_ps=int(ctl[c.ENDED_AT]),
        busy_ps=w.node[:, c.BUSY].tolist(),
        lost=int(ctl[c.LOST]),
        delayed=int(ctl[c.DELAYED]),
        links=uses,
        digest=drained.sha.hexdigest() if setting.digest else "",
        rows=tuple(drained.rows),
        came_ps=tuple(drained.came),
    )
