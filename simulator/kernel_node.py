"""What lowered handlers call: the actions, the place of an operation, and draws.

These functions are compiled together with the handlers; uncompiled they do the same. `mail` is the
matrix of messages, `m` and `row` are rows of it (simulator/kernel_columns.py).
"""

from typing import Any

from simulator.draws import splitmix64
from simulator.kernel_columns import (
    CHAIN,
    CHILDREN,
    CHILDREN_END,
    CODE_BIT,
    COUNT,
    DONE,
    DRAFT,
    DRAWS,
    FIRST,
    HEAD,
    KIND_BIT,
    KIND_MASK,
    LINK,
    NODE_MASK,
    OP,
    RECORD,
    SEED,
    SEEDED,
    SEND,
    TIMER,
    TRANSFER,
    WINDOW,
    WINDOW_MASK,
    WORK,
)


def taken(mail: Any, head: int, op: int) -> int:
    """Take the next free row for an action and return it."""
    row: int = mail[CHAIN, LINK]
    mail[CHAIN, LINK] = mail[row, LINK]
    mail[row, HEAD] = head
    mail[row, OP] = op
    return row


def send(mail: Any, peer: int, kind: int, op: int, a: int, b: int, c: int, d: int, e: int) -> None:
    """Send one message."""
    row = taken(mail, (SEND << CODE_BIT) | (kind << KIND_BIT) | (peer + 1), op)
    mail[row, FIRST] = a
    mail[row, FIRST + 1] = b
    mail[row, FIRST + 2] = c
    mail[row, FIRST + 3] = d
    mail[row, FIRST + 4] = e


def draft(mail: Any, kind: int, op: int, a: int, b: int, c: int, d: int, e: int) -> int:
    """Write a message that is only given to another method, from nobody; return its row."""
    row = taken(mail, (DRAFT << CODE_BIT) | (kind << KIND_BIT), op)
    mail[row, FIRST] = a
    mail[row, FIRST + 1] = b
    mail[row, FIRST + 2] = c
    mail[row, FIRST + 3] = d
    mail[row, FIRST + 4] = e
    return row


def forward(mail: Any, peer: int, m: int) -> None:
    """Send a message on as it came."""
    head = mail[m, HEAD] & (KIND_MASK << KIND_BIT)
    row = taken(mail, (SEND << CODE_BIT) | head | (peer + 1), mail[m, OP])
    for k in range(FIRST, FIRST + 5):
        mail[row, k] = mail[m, k]


def multicast(
    st: Any, world: Any, mail: Any, me: int, kind: int, op: int,
    a: int, b: int, c: int, d: int, e: int,
) -> None:  # fmt: skip
    """Send the same message to every child, in the order of the tree."""
    for at in range(st[me, CHILDREN], st[me, CHILDREN_END]):
        send(mail, world[at], kind, op, a, b, c, d, e)


def multicast_on(st: Any, world: Any, mail: Any, me: int, m: int) -> None:
    """Send a message on to every child as it came."""
    for at in range(st[me, CHILDREN], st[me, CHILDREN_END]):
        forward(mail, world[at], m)


def timer(
    mail: Any, delay_ps: int, me: int, kind: int, op: int,
    a: int, b: int, c: int, d: int, e: int,
) -> None:  # fmt: skip
    """Send a message to itself after a delay."""
    taken(mail, TIMER << CODE_BIT, delay_ps)
    send(mail, me, kind, op, a, b, c, d, e)


def timer_on(mail: Any, delay_ps: int, me: int, m: int) -> None:
    """Send a message to itself after a delay as it came."""
    taken(mail, TIMER << CODE_BIT, delay_ps)
    forward(mail, me, m)


def work(mail: Any, busy_ps: int) -> None:
    """Be busy with something else than messages."""
    if busy_ps != 0:
        taken(mail, WORK << CODE_BIT, busy_ps)


def record(mail: Any, op: int, event: int, value: int) -> None:
    """Say what was done or decided."""
    row = taken(mail, RECORD << CODE_BIT, op)
    mail[row, FIRST] = event
    mail[row, FIRST + 1] = value


def done(mail: Any, op: int, result: int) -> None:
    """Say that an operation has ended for this node."""
    row = taken(mail, DONE << CODE_BIT, op)
    mail[row, FIRST] = result


def source_of(mail: Any, m: int) -> int:
    """Return the node that sent a message."""
    source: int = (mail[m, HEAD] & NODE_MASK) - 1
    return source


def slot(world: Any, op: int) -> int:
    """Return where the PerOperation fields keep an operation."""
    if world[WINDOW_MASK] >= 0:
        return int(op & world[WINDOW_MASK])
    return int(op % world[WINDOW])


def within(mail: Any, index: int, size: int) -> int:
    """Return where in a field an index points, from the end if it is negative.

    One that points outside is marked, so that the run ends as one of a broken protocol.
    """
    if index < 0:
        index += size
    if index < 0 or index >= size:
        mail[CHAIN, HEAD] = 1
        return 0
    return index


def transfer_ps(world: Any, mail: Any, owner: int, asker: int) -> int:
    """Return the picoseconds that a cache line takes to a member from its last owner."""
    count = world[COUNT]
    at = within(mail, owner, count) * count + within(mail, asker, count)
    return int(world[world[TRANSFER] + at])


def draw(mixed: int, number: int, bound: int) -> int:
    """Return draw `number` of a seed that was mixed once, from 0 to `bound` - 1 (draws.py)."""
    return splitmix64(mixed ^ number) % bound


def random(st: Any, world: Any, me: int, bound: int) -> int:
    """Return a number from 0 to `bound` - 1, another one at each call."""
    if st[me, SEEDED] == 0:
        return 0
    st[me, DRAWS] += 1
    return draw(world[SEED], (st[me, DRAWS] << 16) + me, bound)
