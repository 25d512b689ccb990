"""The compiled engine: the loop over events, faults included, for any lowered protocol.

The reference is simulator/engine.py; both take the same steps in the same order, so that a run has
the same trace on either. All state is in arrays, so the loop may be left between any two events,
for buffers to be emptied or arrays to grow, and entered again.
"""

from typing import Any

from simulator.history import CAME
from simulator.history import LOST as WENT
from simulator.kernel_columns import (
    ARRIVE,
    AWAY,
    BEGUN,
    BEYOND,
    CLASS_BIT,
    CONTROL,
    COUNT,
    CRASH,
    CRASH_AT,
    CROWDED,
    CUT_NOW,
    DOWN,
    DOWN_NOW,
    ENDED,
    ENDED_AT,
    EPOCH,
    EVENTS,
    FAULT,
    FAULTS,
    FIRST,
    FREE,
    FULL,
    GLANCE,
    GOING,
    HOP,
    HORIZON,
    KIND_BOOT,
    KIND_DOWN,
    KIND_RESTART,
    KIND_UP,
    LAST_SEND,
    LIMIT,
    LIMITED,
    LINK,
    LOST,
    META,
    META_MASK,
    NETWORK,
    OFF_NOW,
    ON_NOW,
    OP,
    OWN_TIMER,
    PENDING,
    PENDING_LIMIT,
    PLAN_COLUMNS,
    POLL,
    PU,
    ROOM,
    ROWS,
    ROWS_ROOM,
    SAID,
    SAID_ROOM,
    SETTLED_STOP,
    SIDE,
    SMALL,
    SOURCE_BIT,
    SPENT,
    STAND,
    STOP,
    STOPPED,
    TIME,
    UP_NOW,
    WAITING,
    WAKE,
    WATCH,
    Arrays,
)
from simulator.kernel_driver import arrive_group, begin_load, call_at, watch
from simulator.kernel_polling import clear_boxes, put_in_box, wake
from simulator.kernel_queue import first_due, give_back, take_out
from simulator.kernel_serve import direct, enter, hop, serve


def run(dispatch: Any, w: Arrays) -> int:
    """Go on with a run until it ends or somebody outside has to act, and say which."""
    ctl = w.ctl
    if ctl[BEGUN] == 0:
        ctl[BEGUN] = 1
        begin(dispatch, w)
    while True:
        if ctl[SPENT] != 0 or ctl[SAID] > w.said.shape[0]:
            return SMALL
        if ctl[PENDING] == 0:
            return ENDED
        if ctl[EVENTS] >= ctl[LIMIT]:
            return LIMITED
        waiting = ctl[PENDING] + ctl[WAITING]
        if waiting > ctl[ROOM]:
            return CROWDED if waiting > ctl[PENDING_LIMIT] else AWAY
        if ctl[ROWS] > ctl[ROWS_ROOM] or ctl[SAID] > ctl[SAID_ROOM]:
            return FULL
        row = first_due(w)
        time = w.hot[row, TIME]
        take_out(w, row)
        if time > ctl[HORIZON]:
            return BEYOND
        ctl[EVENTS] += 1
        ctl[ENDED_AT] = time
        handle(dispatch, w, row, w.hot[row, META], time)
        if ctl[STOP] != GOING:
            if ctl[STOP] != GLANCE:
                return STOPPED
            ctl[STOP] = GOING
            return FULL


def begin(dispatch: Any, w: Arrays) -> None:
    """Schedule the faults, tell all members that they are up, and begin the load."""
    for number in range(w.ctl[FAULTS]):
        call_at(w, w.plan[number * PLAN_COLUMNS], FAULT, number)
    for me in range(w.world[COUNT]):
        direct(dispatch, w, me, w.ctl[KIND_BOOT], 0)
    begin_load(w)


def handle(dispatch: Any, w: Arrays, row: int, meta: int, time: int) -> None:
    """Let one event happen."""
    what = meta >> CLASS_BIT
    if what == HOP:
        hop(w, row, meta, time)
    elif what == CONTROL:
        control(dispatch, w, row, time)
    elif what == WAKE:
        wake(dispatch, w, row, meta & META_MASK, time)
    else:
        arrive(dispatch, w, row, meta, time)


def arrive(dispatch: Any, w: Arrays, row: int, meta: int, time: int) -> None:
    """Take in a message, a start or a timer, unless it is lost."""
    node, count = w.node, w.world[COUNT]
    what, me = meta >> CLASS_BIT, meta & META_MASK
    source = (meta >> SOURCE_BIT) & META_MASK
    if node[me, DOWN] != 0 or (what == OWN_TIMER and w.mail[row, LINK] != node[me, EPOCH]):
        give_back(w, row)
    elif what == NETWORK and node[me, SIDE] != node[source, SIDE] and me < count and source < count:
        w.ctl[LOST] += 1
        give_back(w, row)
    elif w.ctl[POLL] == 0 or me >= count:
        free = node[me, FREE]
        serve(dispatch, w, row, meta, time, free if free > time else time)
    else:
        put_in_box(w, row, me, source, time)


def control(dispatch: Any, w: Arrays, row: int, time: int) -> None:
    """Let something happen from outside of the nodes."""
    code, value = w.mail[row, OP], w.mail[row, FIRST]
    give_back(w, row)
    if code == FAULT:
        switch(dispatch, w, value, time)
    elif code == ARRIVE:
        arrive_group(w, time)
    elif code == WATCH:
        watch(w, time)
    else:
        w.ctl[STOP] = SETTLED_STOP


def switch(dispatch: Any, w: Arrays, number: int, now: int) -> None:
    """Take a node down, bring it up again, or move it to a side of a partition."""
    node, ctl, at = w.node, w.ctl, number * PLAN_COLUMNS
    me, state = w.plan[at + 1], w.plan[at + 2]
    if state >= CUT_NOW:
        node[me, SIDE] = w.plan[at + 3]
        return
    if state == OFF_NOW:
        direct(dispatch, w, me, ctl[KIND_DOWN], now)
    if state in (UP_NOW, DOWN_NOW) or (state == ON_NOW and node[me, FREE] < now):
        node[me, FREE] = now
    up = state in (UP_NOW, ON_NOW)
    # a power-down takes effect once what the node had begun before has ended
    when = node[me, FREE] if node[me, FREE] > now else now
    enter(w, when, node[me, PU], 0, CAME if up else WENT, 0)
    node[me, EPOCH] += 1
    node[me, LAST_SEND] = -1
    if up:
        node[me, DOWN] = 0
        node[me, STAND] = 0
    else:
        node[me, DOWN] = 1
        clear_boxes(w, me)
    if state == DOWN_NOW:
        node[me, CRASH_AT] += 1
        node[me, CRASH] = w.plan[node[me, CRASH_AT]]
    elif state == UP_NOW:
        direct(dispatch, w, me, ctl[KIND_RESTART], now)
    elif state == ON_NOW:
        direct(dispatch, w, me, ctl[KIND_UP], now)
