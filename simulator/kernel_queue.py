"""The calendar of the compiled engine: what is due, in order of time, ties in order of issue.

Time is cut into buckets, and each is a list in order; one that is over serves again for a later
time (R. Brown, "Calendar queues: a fast O(1) priority queue implementation for the simulation event
set problem", CACM 1988). As what is put in is always the last issued, it goes behind all of the
same time, and no issue number has to be kept.
"""

from simulator.kernel_columns import (
    BUCKET,
    CHAIN,
    CLASS_BIT,
    DUMP,
    ISSUE,
    LINK,
    MASK,
    META,
    NEXT,
    PENDING,
    SHIFT,
    SOURCE_BIT,
    SPENT,
    TIME,
    WHAT_BIT,
    Arrays,
)


def meta_of(what: int, kind: int, source: int, target: int) -> int:
    """Return in one number what a row is: class, kind of message, source and target."""
    return (what << CLASS_BIT) | (kind << WHAT_BIT) | (source << SOURCE_BIT) | target


def fresh(w: Arrays) -> int:
    """Take a free row; where there is none the run is void."""
    row: int = w.mail[CHAIN, LINK]
    if row == DUMP:
        w.ctl[SPENT] = 1
    w.mail[CHAIN, LINK] = w.mail[row, LINK]
    return row


def give_back(w: Arrays, row: int) -> None:
    """Make a row free."""
    w.mail[row, LINK] = w.mail[CHAIN, LINK]
    w.mail[CHAIN, LINK] = row


def push(w: Arrays, time: int, row: int, meta: int) -> None:
    """Put a row in its place, behind all that is due at the same time."""
    hot, heads, ctl = w.hot, w.heads, w.ctl
    ctl[ISSUE] += 1
    ctl[PENDING] += 1
    bucket = time >> ctl[SHIFT]
    if bucket < ctl[BUCKET]:
        ctl[BUCKET] = bucket
    at = bucket & ctl[MASK]
    hot[row, TIME] = time
    hot[row, META] = meta
    last = heads[at, 1]
    if last == 0:
        hot[row, NEXT] = 0
        heads[at, 0] = row
        heads[at, 1] = row
    elif hot[last, TIME] <= time:
        hot[row, NEXT] = 0
        hot[last, NEXT] = row
        heads[at, 1] = row
    else:
        before = 0
        after = heads[at, 0]
        while hot[after, TIME] <= time:
            before = after
            after = hot[after, NEXT]
        hot[row, NEXT] = after
        if before == 0:
            heads[at, 0] = row
        else:
            hot[before, NEXT] = row


def first_due(w: Arrays) -> int:
    """Return the row that is due first, and go to its bucket; there must be one."""
    hot, heads, ctl = w.hot, w.heads, w.ctl
    shift, mask, bucket = ctl[SHIFT], ctl[MASK], ctl[BUCKET]
    empty = 0
    row: int = heads[bucket & mask, 0]
    while row == 0 or (hot[row, TIME] >> shift) != bucket:
        bucket += 1
        empty += 1
        if empty > mask:
            bucket = earliest(w)
        row = heads[bucket & mask, 0]
    ctl[BUCKET] = bucket
    return row


def earliest(w: Arrays) -> int:
    """Return the bucket of the row that is due first, after a round in which none was."""
    hot, heads, ctl = w.hot, w.heads, w.ctl
    found: int = -1
    for at in range(ctl[MASK] + 1):
        row = heads[at, 0]
        if row != 0:
            bucket = hot[row, TIME] >> ctl[SHIFT]
            if found < 0 or bucket < found:
                found = bucket
    return found


def take_out(w: Arrays, row: int) -> None:
    """Take the first row out of its bucket."""
    at = w.ctl[BUCKET] & w.ctl[MASK]
    after = w.hot[row, NEXT]
    w.heads[at, 0] = after
    if after == 0:
        w.heads[at, 1] = 0
    w.ctl[PENDING] -= 1
