"""Where things stand in the arrays of the compiled engine: columns, codes and sizes, all integers.

A run is eleven arrays of 64-bit integers and a state matrix; every function of the kernel takes
those that it needs. What a handler sees is `st`, `world` and `mail`; the rest is the engine's.
"""

from typing import Any, NamedTuple

# `mail`: a row is a message under way, or an action that a handler has said. Row 0 is the head of
# the chain of free rows, row 1 its end; a handler takes rows from the chain, so that its actions
# are the rows between where the chain began before and where it begins after.
LINK, HEAD, OP, FIRST = 0, 1, 2, 3
MAIL_COLUMNS = 8
CHAIN, DUMP = 0, 1
# `mail[row, HEAD]`: node + 1 in 32 bits, kind of message in 15, code of the action above
KIND_BIT, CODE_BIT = 32, 47
NODE_MASK = (1 << KIND_BIT) - 1
KIND_MASK = (1 << (CODE_BIT - KIND_BIT)) - 1
DRAFT, SEND, TIMER, WORK, RECORD, DONE = range(6)

# `st`: one row per node, what it is first, then its fields
NOW, PARENT, NCHILDREN, CHILDREN, CHILDREN_END, DOMAIN, LEADER, NEIGHBOURS, NEIGHBOURS_END = range(
    9
)
SEEDED, DRAWS = 9, 10
FIRST_FIELD = 11

# `world`: what all nodes have in common, then where each field with many numbers begins, then the
# children and neighbours of all nodes, then the transfer table
WINDOW, WINDOW_MASK, ITEMS, ENTRIES, COUNT, DOMAINS = range(6)
ROOT, REPORTER, ROUND_PS, SEED, TRANSFER = range(6, 11)
FIRST_BASE = 11

# `hot`: when a row of `mail` is due, what comes after it, what it is, and which link it enters next
TIME, NEXT, META, WAY = range(4)
# `hot[row, META]`: target node, source node and kind of message, 20, 20 and 15 bits, class above
SOURCE_BIT, WHAT_BIT, CLASS_BIT = 20, 40, 55
META_MASK = (1 << SOURCE_BIT) - 1
NETWORK, OWN_TIMER, TOLD, HOP, WAKE, CONTROL = range(6)
# controls: what happens from outside of the nodes
FAULT, ARRIVE, WATCH, SETTLED = range(4)

# `node`: the engine's view of a node, and its queues where it polls
FREE, LAST_SEND, DOWN, EPOCH, CRASH, BUSY, SLOW, PU = range(8)
CRASH_AT, SLOW_AT, SIDE, STAND, CHANNELS, WAKE_ISSUE, WAKE_TIME, BOXES = range(8, 16)
NODE_COLUMNS = 16

# `wires`: by sending and receiving member
FIRST_SEND, FURTHER_SEND, FLIGHT, RECEIVE, WAY_AT = range(5)
WIRE_COLUMNS = 5

# `link`: what a link takes, and what has crossed it
OCCUPANCY, LATENCY, LINK_FREE, CROSSED, LINK_BUSY, WAITED = range(6)
LINK_COLUMNS = 8

# `ops`: the operations of the load
ITEM, VALUE, WRITE, STARTED, CLIENT, MISSING = range(6)
LATEST, LATEST_RESULT, FINISHED_AT, RESULT, GROUP, LEFT = range(6, 12)
OP_COLUMNS = 12

# `ctl`: counters and settings of a run
(
    ISSUE, EVENTS, ENDED_AT, LAST_END, PENDING, WAITING, BUCKET, STOP, NEXT_OP, GROUPS,
    FINISHED_OPS, SEEN, ROWS, SAID, SENT, LOST, DELAYED, BEGUN, SPENT,
) = range(19)  # fmt: skip
(
    SHIFT, MASK, LIMIT, HORIZON, PENDING_LIMIT, ROOM, ROWS_ROOM, SAID_ROOM, TRACED, OPERATIONS,
    STARTS, REPORTS, CLOSES, OUTSTANDING, LOAD_SEED, CONFLICT, READS, LOAD_ITEMS, CLIENTS,
    CLIENT_AT, INITIATOR, CONTRIBUTES, HEALED, PATIENT_PS, SETTLING_PS, EVERY, FAULTS, POLL, LOSS,
    DELAY, DELAY_PS, DRAW_SEED, KIND_START, KIND_BOOT, KIND_RESTART, KIND_DOWN, KIND_UP, TIMES,
) = range(19, 57)  # fmt: skip
CTL_COLUMNS = 64
ROOT_STARTS, MEMBERS_START, ONE_STARTS = range(3)

# a row of the fault plan, from the begin of `plan`: time, node, state, value
PLAN_COLUMNS = 4
DOWN_NOW, UP_NOW, OFF_NOW, ON_NOW, CUT_NOW, JOINED_NOW = range(6)

# `rows`: the six numbers of a row of the trace, and when its message had come
ROW_COLUMNS = 6

# why the kernel came back
ENDED, LIMITED, BEYOND, STOPPED, CROWDED, FULL, SMALL, AWAY = range(8)
# `ctl[STOP]`: why a run is to stop, or that it is to come back for a moment
GLANCE, GOING, SETTLED_STOP, STALLED_STOP, OVERLOADED_STOP = range(-1, 4)

NEVER = 1 << 62


class Arrays(NamedTuple):
    """The arrays of a run; `plan` holds faults, crashes, slow windows, clients and arrivals."""

    st: Any
    world: Any
    mail: Any
    hot: Any
    heads: Any
    node: Any
    wires: Any
    ways: Any
    link: Any
    boxes: Any
    channel: Any
    ops: Any
    order: Any
    plan: Any
    ctl: Any
    rows: Any
    said: Any
