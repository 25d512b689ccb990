"""Members that look into their channels in turn, inside the compiled engine (engine.py).

Each member has one queue per channel and one for the cache lines; what waits there is no event, but
the visit that will find the first of it is one.
"""

from typing import Any

from simulator.kernel_columns import (
    BOXES,
    CHANNELS,
    COUNT,
    FREE,
    ISSUE,
    META,
    NEXT,
    OP,
    POLL,
    STAND,
    TIME,
    WAITING,
    WAKE,
    WAKE_ISSUE,
    WAKE_TIME,
    Arrays,
)
from simulator.kernel_queue import fresh, give_back, meta_of, push
from simulator.kernel_serve import serve


def box_of(w: Arrays, me: int, source: int) -> int:
    """Return the queue for what comes from a node; the last one is that of the cache lines."""
    if source >= w.world[COUNT]:
        return int(w.node[me, CHANNELS])
    if w.channel.shape[0] == 1:
        return source
    return int(w.channel[me, source])


def noticed(w: Arrays, me: int, box: int, arrival: int) -> int:
    """Return when a member notices what came into a queue, if it does nothing else before."""
    node, poll = w.node, w.ctl[POLL]
    free, count = node[me, FREE], node[me, CHANNELS]
    if box == count:
        return int(free if free > arrival else arrival)
    first = free + ((box - node[me, STAND]) % count) * poll
    if first >= arrival:
        return int(first)
    rounds = (arrival - first + count * poll - 1) // (count * poll)
    return int(first + rounds * count * poll)


def put_in_box(w: Arrays, row: int, me: int, source: int, now: int) -> None:
    """Let a message wait until its channel is looked into."""
    hot, boxes, node = w.hot, w.boxes, w.node
    box = box_of(w, me, source)
    at = node[me, BOXES] + box
    hot[row, NEXT] = 0
    w.ctl[WAITING] += 1
    if boxes[at, 1] != 0:
        hot[boxes[at, 1], NEXT] = row
        boxes[at, 1] = row
        return
    boxes[at, 0] = row
    boxes[at, 1] = row
    due = noticed(w, me, box, now)
    if node[me, WAKE_ISSUE] == 0 or due < node[me, WAKE_TIME]:
        set_wake(w, me, due)


def set_wake(w: Arrays, me: int, due: int) -> None:
    """Schedule the visit that finds something."""
    row = fresh(w)
    push(w, due, row, meta_of(WAKE, 0, me, me))
    w.mail[row, OP] = w.ctl[ISSUE]
    w.node[me, WAKE_ISSUE] = w.ctl[ISSUE]
    w.node[me, WAKE_TIME] = due


def next_box(w: Arrays, me: int) -> int:
    """Return the queue that is found next, that of the cache lines first in a tie; -1 for none."""
    node, boxes, hot = w.node, w.boxes, w.hot
    base, count = node[me, BOXES], node[me, CHANNELS]
    found, least = -1, 0
    for step in range(count + 1):
        box = count - step
        row = boxes[base + box, 0]
        if row != 0:
            due = noticed(w, me, box, hot[row, TIME])
            if found < 0 or due < least:
                found, least = box, due
    return int(found)


def wake(dispatch: Any, w: Arrays, row: int, me: int, now: int) -> None:
    """Look into a channel, serve what is there, and schedule the next visit that finds something.

    A visit that was scheduled before a better one came, or before the node fell, is nothing.
    """
    node, boxes, hot = w.node, w.boxes, w.hot
    current = w.mail[row, OP] == node[me, WAKE_ISSUE]
    give_back(w, row)
    if not current:
        return
    node[me, WAKE_ISSUE] = 0
    box = next_box(w, me)
    at, count, poll = node[me, BOXES] + box, node[me, CHANNELS], w.ctl[POLL]
    letter = boxes[at, 0]
    boxes[at, 0] = hot[letter, NEXT]
    if boxes[at, 0] == 0:
        boxes[at, 1] = 0
    w.ctl[WAITING] -= 1
    if box < count:
        node[me, STAND] = (box + 1) % count
    else:
        visits = (now - node[me, FREE] + poll - 1) // poll
        node[me, STAND] = (node[me, STAND] + visits) % count
    serve(dispatch, w, letter, hot[letter, META], hot[letter, TIME], now)
    box = next_box(w, me)
    if box >= 0:
        set_wake(w, me, noticed(w, me, box, hot[boxes[node[me, BOXES] + box, 0], TIME]))


def clear_boxes(w: Arrays, me: int) -> None:
    """Lose all that waits at a node that goes down."""
    node, boxes, hot = w.node, w.boxes, w.hot
    if w.ctl[POLL] == 0 or me >= w.world[COUNT]:
        return
    node[me, WAKE_ISSUE] = 0
    for at in range(node[me, BOXES], node[me, BOXES] + node[me, CHANNELS] + 1):
        row = boxes[at, 0]
        while row != 0:
            after = hot[row, NEXT]
            give_back(w, row)
            w.ctl[WAITING] -= 1
            row = after
        boxes[at, 0] = 0
        boxes[at, 1] = 0
