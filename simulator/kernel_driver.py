"""The client of a run inside the compiled engine: the same steps as simulator/driver.py."""

from simulator.kernel_columns import (
    ARRIVE,
    CLIENT,
    CLIENT_AT,
    CLIENTS,
    CLOSES,
    CONFLICT,
    CONTRIBUTES,
    CONTROL,
    COUNT,
    EVERY,
    FINISHED_AT,
    FINISHED_OPS,
    FIRST,
    GLANCE,
    GOING,
    GROUP,
    GROUPS,
    HEALED,
    INITIATOR,
    ITEM,
    KIND_START,
    LATEST,
    LATEST_RESULT,
    LEFT,
    LOAD_ITEMS,
    LOAD_SEED,
    MEMBERS_START,
    MISSING,
    NEXT_OP,
    OP,
    OPERATIONS,
    OUTSTANDING,
    OVERLOADED_STOP,
    PATIENT_PS,
    READS,
    REPORTS,
    RESULT,
    ROOT,
    ROOT_STARTS,
    SEEN,
    SETTLED,
    SETTLING_PS,
    STALLED_STOP,
    STARTED,
    STARTS,
    STOP,
    TIMES,
    TOLD,
    VALUE,
    WATCH,
    WRITE,
    Arrays,
)
from simulator.kernel_node import draw
from simulator.kernel_queue import fresh, meta_of, push
from simulator.load import DRAWS, VALUES
from simulator.load import WINDOW as PLACES


def begin_load(w: Arrays) -> None:
    """Schedule the first operations."""
    ctl = w.ctl
    if ctl[PATIENT_PS] > 0:
        call_at(w, ctl[HEALED] + ctl[PATIENT_PS], WATCH, 0)
    if ctl[CLOSES] == 0:
        call_at(w, w.plan[ctl[TIMES]], ARRIVE, 0)
    else:
        for number in range(ctl[OUTSTANDING]):
            issue(w, 0, client_of(w, number))


def call_at(w: Arrays, time: int, code: int, value: int) -> None:
    """Have something happen from outside of the nodes at a time."""
    row = fresh(w)
    w.mail[row, OP] = code
    w.mail[row, FIRST] = value
    push(w, time, row, meta_of(CONTROL, 0, 0, 0))


def client_of(w: Arrays, number: int) -> int:
    """Return the node that proposes, one client after the other."""
    ctl = w.ctl
    if ctl[CLIENTS] == 0:
        return int(ctl[INITIATOR])
    return int(w.plan[ctl[CLIENT_AT] + number % ctl[CLIENTS]])


def ended(w: Arrays, op: int, time: int, result: int) -> None:
    """Take one report; the last one that is due ends the operation, at the latest of them."""
    ops, ctl = w.ops, w.ctl
    if op < 0 or op >= ctl[OPERATIONS] or ops[op, MISSING] == 0:
        return
    latest = ops[op, LATEST]
    if time > latest or (time == latest and result > ops[op, LATEST_RESULT]):
        ops[op, LATEST] = time
        ops[op, LATEST_RESULT] = result
    ops[op, MISSING] -= 1
    if ops[op, MISSING] > 0:
        return
    latest = ops[op, LATEST]
    ops[op, FINISHED_AT] = latest
    ops[op, RESULT] = ops[op, LATEST_RESULT]
    w.order[ctl[FINISHED_OPS]] = op
    ctl[FINISHED_OPS] += 1
    if ctl[EVERY] > 0 and ctl[FINISHED_OPS] % ctl[EVERY] == 0 and ctl[STOP] == GOING:
        ctl[STOP] = GLANCE
    group = ops[op, GROUP]
    ops[group, LEFT] -= 1
    if ops[group, LEFT] == 0 and ctl[CLOSES] != 0:
        issue(w, latest, ops[group, CLIENT])
    if ctl[PATIENT_PS] > 0 and ctl[FINISHED_OPS] == ctl[OPERATIONS]:
        healed = ctl[HEALED]
        call_at(w, (latest if latest > healed else healed) + ctl[SETTLING_PS], SETTLED, 0)


def watch(w: Arrays, now: int) -> None:
    """Stop a protocol whose timers never end where nothing has ended for too long."""
    ctl = w.ctl
    if ctl[FINISHED_OPS] == ctl[SEEN]:
        ctl[STOP] = STALLED_STOP
        return
    ctl[SEEN] = ctl[FINISHED_OPS]
    call_at(w, now + ctl[PATIENT_PS], WATCH, 0)


def arrive_group(w: Arrays, now: int) -> None:
    """Issue one group of an open load and schedule the next arrival."""
    ctl = w.ctl
    issue(w, now, client_of(w, ctl[NEXT_OP]))
    ctl[GROUPS] += 1
    if ctl[NEXT_OP] < ctl[OPERATIONS]:
        call_at(w, w.plan[ctl[TIMES] + ctl[GROUPS]], ARRIVE, 0)


def issue(w: Arrays, now: int, client: int) -> None:
    """Begin the next group at a time, if there is one and its places are free."""
    ops, ctl = w.ops, w.ctl
    first = ctl[NEXT_OP]
    if first >= ctl[OPERATIONS]:
        return
    last = first
    possible = first + 1 < ctl[OPERATIONS] and w.world[COUNT] > 1
    if possible and draw(ctl[LOAD_SEED], DRAWS * first, 1000) < ctl[CONFLICT]:
        last = first + 1
    for old in range(first - PLACES, last - PLACES + 1):
        if old >= 0 and ops[old, FINISHED_AT] < 0:
            ctl[STOP] = OVERLOADED_STOP
            return
    ctl[NEXT_OP] = last + 1
    ops[first, LEFT] = last + 1 - first
    item = first % PLACES
    if ctl[LOAD_ITEMS] > 0:
        item = draw(ctl[LOAD_SEED], DRAWS * first + 3, ctl[LOAD_ITEMS])
    for op in range(first, last + 1):
        ops[op, GROUP] = first
        ops[op, MISSING] = ctl[REPORTS]
        ops[op, ITEM] = item
        ops[op, STARTED] = now
        ops[op, CLIENT] = client
        if op > first:
            other = draw(ctl[LOAD_SEED], DRAWS * op + 2, w.world[COUNT] - 1)
            ops[op, CLIENT] = other + 1 if other >= client else other
        ops[op, WRITE] = 1 if draw(ctl[LOAD_SEED], DRAWS * op + 4, 1000) >= ctl[READS] else 0
        start(w, now, op)


def start(w: Arrays, now: int, op: int) -> None:
    """Tell those who begin an operation, and learn what a correct run shows for it."""
    ops, ctl = w.ops, w.ctl
    drawn = draw(ctl[LOAD_SEED], DRAWS * op + 1, VALUES)
    ops[op, VALUE] = drawn
    if ctl[CONTRIBUTES] != 0:
        ops[op, VALUE] = 0
        for member in range(w.world[COUNT]):
            ops[op, VALUE] += (drawn + 7 * member) % VALUES
    if ctl[STARTS] == MEMBERS_START:
        for member in range(w.world[COUNT]):
            tell(w, now, member, op, (drawn + 7 * member) % VALUES)
    elif ctl[STARTS] == ROOT_STARTS:
        tell(w, now, w.world[ROOT], op, ops[op, VALUE])
    else:
        tell(w, now, ops[op, CLIENT], op, ops[op, VALUE])


def tell(w: Arrays, now: int, member: int, op: int, value: int) -> None:
    """Give a member the start of an operation."""
    row = fresh(w)
    mail = w.mail
    mail[row, OP] = op
    mail[row, FIRST] = w.ops[op, ITEM]
    mail[row, FIRST + 1] = value
    mail[row, FIRST + 2] = w.ops[op, WRITE]
    push(w, now, row, meta_of(TOLD, w.ctl[KIND_START], member, member))
