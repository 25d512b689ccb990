"""How the compiled engine serves a message: the same steps as simulator/engine.py.

A lowered protocol is called as `dispatch`; the rows of `mail` that it takes from the chain of free
ones are its actions, in order.
"""

from typing import Any

from simulator.kernel_columns import (
    BUSY,
    CHAIN,
    CODE_BIT,
    COUNT,
    CRASH,
    CROSSED,
    DELAY,
    DELAY_PS,
    DELAYED,
    DONE,
    DRAW_SEED,
    DUMP,
    EPOCH,
    FIRST,
    FIRST_SEND,
    FLIGHT,
    FREE,
    FURTHER_SEND,
    HEAD,
    HOP,
    ISSUE,
    KIND_BIT,
    KIND_MASK,
    LAST_END,
    LAST_SEND,
    LATENCY,
    LINK,
    LINK_BUSY,
    LINK_FREE,
    LOSS,
    LOST,
    META_MASK,
    NETWORK,
    NODE_MASK,
    NOW,
    OCCUPANCY,
    OP,
    OWN_TIMER,
    PU,
    RECEIVE,
    RECORD,
    ROWS,
    SAID,
    SEND,
    SENT,
    SLOW,
    SLOW_AT,
    SOURCE_BIT,
    SPENT,
    TIMER,
    TOLD,
    TRACED,
    WAITED,
    WAY,
    WAY_AT,
    WHAT_BIT,
    WORK,
    Arrays,
)
from simulator.kernel_driver import ended
from simulator.kernel_node import draw
from simulator.kernel_queue import fresh, give_back, meta_of, push

MILLION = 1_000_000
DRAWS_FROM = 1 << 62
"""Where the draws about messages begin; those of the load are below."""


def serve(dispatch: Any, w: Arrays, row: int, meta: int, arrival: int, ready: int) -> None:
    """Receive one message at a node from `ready` on and run its handler, unless a crash prevents
    it; the row is free afterwards.
    """
    node, mail, ctl = w.node, w.mail, w.ctl
    me = meta & META_MASK
    source = (meta >> SOURCE_BIT) & META_MASK
    kind = (meta >> WHAT_BIT) & KIND_MASK
    what = meta >> (WHAT_BIT + 15)
    begin = ready if ready < node[me, SLOW] else awake(w, me, ready)
    end = begin
    if what == NETWORK and me < w.world[COUNT] and source < w.world[COUNT]:
        end += w.wires[source, me, RECEIVE]
    crash = node[me, CRASH]
    if begin < crash and end <= crash:
        if what == NETWORK or (what == OWN_TIMER and node[me, FREE] <= arrival):
            node[me, LAST_SEND] = -1
        w.st[me, NOW] = end
        mail[row, HEAD] = (kind << KIND_BIT) | (source + 1)
        first = mail[CHAIN, LINK]
        dispatch(w.st, w.world, mail, me, kind, row)
        last = mail[CHAIN, LINK]
        if last == DUMP:
            ctl[SPENT] = 1
        if first != last:
            end = perform(w, me, end, crash, first, last)
        if ctl[TRACED] != 0:
            at = ctl[ROWS]
            ctl[ROWS] = at + 1
            w.rows[at, 0] = begin
            w.rows[at, 1] = end
            w.rows[at, 2] = node[me, PU]
            w.rows[at, 3] = kind
            w.rows[at, 4] = mail[row, OP]
            w.rows[at, 5] = node[source, PU]
            w.rows[at, 6] = arrival if what == NETWORK else -1
    else:
        begin = crash if crash < begin else begin
        end = crash
    give_back(w, row)
    node[me, FREE] = end
    node[me, BUSY] += end - begin
    if end > ctl[LAST_END]:
        ctl[LAST_END] = end


def awake(w: Arrays, me: int, ready: int) -> int:
    """Return when a node that is slow at times can begin."""
    node, plan = w.node, w.plan
    at = node[me, SLOW_AT]
    while plan[at + 1] <= ready:
        at += 2
    node[me, SLOW_AT] = at
    node[me, SLOW] = plan[at]
    return int(plan[at + 1] if plan[at] <= ready else ready)


def direct(dispatch: Any, w: Arrays, me: int, kind: int, now: int) -> None:
    """Give a node word of its own power, where the protocol wants to know."""
    if kind >= 0:
        row = fresh(w)
        w.mail[row, OP] = 0
        free = w.node[me, FREE]
        serve(dispatch, w, row, meta_of(TOLD, kind, me, me), now, free if free > now else now)


def perform(w: Arrays, me: int, now: int, crash: int, row: int, last: int) -> int:
    """Perform the actions of a handler in order; return when the node is done or crashes."""
    mail, node, count = w.mail, w.node, w.world[COUNT]
    while row != last:
        head = mail[row, HEAD]
        after = mail[row, LINK]
        code = head >> CODE_BIT
        if code == SEND:
            peer = (head & NODE_MASK) - 1
            if peer < 0 or peer >= node.shape[0]:
                peer = last_node(w, peer)
            if peer < count and me < count:
                column = FURTHER_SEND if now == node[me, LAST_SEND] else FIRST_SEND
                now += w.wires[me, peer, column]
            if now > crash:
                drop(w, row, last)
                return crash
            node[me, LAST_SEND] = now
            leave(w, row, now, me, peer, (head >> KIND_BIT) & KIND_MASK)
        elif code == RECORD:
            note(w, now, node[me, PU], row)
            give_back(w, row)
        elif code == TIMER:
            letter = after
            after = mail[letter, LINK]
            mail[letter, LINK] = node[me, EPOCH]
            own = meta_of(OWN_TIMER, (mail[letter, HEAD] >> KIND_BIT) & KIND_MASK, me, me)
            push(w, now + mail[row, OP], letter, own)
            give_back(w, row)
        elif code == DONE:
            ended(w, mail[row, OP], now, mail[row, FIRST])
            give_back(w, row)
        elif code == WORK:
            now += mail[row, OP]
            if now > crash:
                drop(w, row, last)
                return crash
            give_back(w, row)
        else:
            give_back(w, row)
        row = after
    return now


def last_node(w: Arrays, peer: int) -> int:
    """Return the node of a negative number, counted from the last one as in Python."""
    count = w.node.shape[0]
    if peer >= -count and peer < 0:
        return int(peer + count)
    w.mail[CHAIN, HEAD] = 1
    return 0


def drop(w: Arrays, row: int, last: int) -> None:
    """Make free what a handler has said and does not come to."""
    while row != last:
        after = w.mail[row, LINK]
        give_back(w, row)
        row = after


def note(w: Arrays, now: int, pu: int, row: int) -> None:
    """Enter into the record what a handler has said."""
    enter(w, now, pu, w.mail[row, OP], w.mail[row, FIRST], w.mail[row, FIRST + 1])


def enter(w: Arrays, now: int, pu: int, op: int, event: int, value: int) -> None:
    """Enter a row into the record."""
    said, at = w.said, w.ctl[SAID]
    if at < said.shape[0]:
        said[at, 0] = now
        said[at, 1] = pu
        said[at, 2] = op
        said[at, 3] = event
        said[at, 4] = value
    w.ctl[SAID] = at + 1


def leave(w: Arrays, row: int, now: int, me: int, peer: int, kind: int) -> None:
    """Put a message on its way: to its first link, or where it has none to its receiver."""
    ctl = w.ctl
    if me == peer or me >= w.world[COUNT] or peer >= w.world[COUNT]:
        push(w, now, row, meta_of(NETWORK, kind, me, peer))
        return
    ctl[SENT] += 1
    number = DRAWS_FROM + 4 * (ctl[ISSUE] + 1)
    if ctl[LOSS] > 0 and draw(ctl[DRAW_SEED], number, MILLION) < ctl[LOSS]:
        ctl[ISSUE] += 1
        ctl[LOST] += 1
        give_back(w, row)
        return
    if ctl[DELAY] > 0 and draw(ctl[DRAW_SEED], number + 1, MILLION) < ctl[DELAY]:
        now += 1 + draw(ctl[DRAW_SEED], number + 2, ctl[DELAY_PS])
        ctl[DELAYED] += 1
    way = w.wires[me, peer, WAY_AT]
    if w.ways[way] < 0:
        push(w, now + w.wires[me, peer, FLIGHT], row, meta_of(NETWORK, kind, me, peer))
    else:
        w.hot[row, WAY] = way
        push(w, now, row, meta_of(HOP, kind, me, peer))


def hop(w: Arrays, row: int, meta: int, now: int) -> None:
    """Let a message cross a link once all before it have."""
    link, ways, at = w.link, w.ways, w.hot[row, WAY]
    over = ways[at]
    free = link[over, LINK_FREE]
    begin = free if free > now else now
    link[over, LINK_FREE] = begin + link[over, OCCUPANCY]
    link[over, CROSSED] += 1
    link[over, LINK_BUSY] += link[over, OCCUPANCY]
    link[over, WAITED] += begin - now
    there = begin + link[over, LATENCY]
    if ways[at + 1] < 0:
        source, peer = (meta >> SOURCE_BIT) & META_MASK, meta & META_MASK
        there += w.wires[source, peer, FLIGHT]
        kind = (meta >> WHAT_BIT) & KIND_MASK
        push(w, there, row, meta_of(NETWORK, kind, source, peer))
    else:
        w.hot[row, WAY] = at + 1
        push(w, there, row, meta)
