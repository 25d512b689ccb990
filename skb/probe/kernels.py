"""The message protocols that are timed: ping-pong, single messages, bursts, and a channel.

Plain Python that numba compiles as it stands (`atomics.compiled`), so that the reference and the
compiled kernel are one text. Every function runs on one of two pinned threads; its partner runs on
the other. No wait is endless: past `deadline_ns` a kernel leaves and returns what it completed.

A message is one cache line of `MESSAGE_WORDS` words whose last word, the sequence number, is
written last (URPC; Bershad et al. 1991, Baumann et al., SOSP 2009, section 4.6).
"""

from __future__ import annotations

from skb.probe.primitives import Words, load_acquire, now_ns, store_release

MESSAGE_WORDS = 8
LAST = MESSAGE_WORDS - 1
# one line in each page, and none in the same set of a cache: 4096 + 256 bytes apart, so that no
# prefetcher sees a stream and no line is evicted by its neighbours
STRIDE = 544
# a failed wait looks at the clock only now and then, so that polling stays as fast as it can be
SPINS = 4096


def wait_for(words: Words, at: int, value: int, deadline_ns: int) -> bool:
    """Spin until a word has a value; False past the deadline."""
    spins = 0
    while load_acquire(words, at) != value:
        spins += 1
        if spins >= SPINS:
            spins = 0
            if now_ns() >= deadline_ns:
                return False
    return True


def write_message(words: Words, at: int, sequence: int) -> None:
    """Write a message: payload first, sequence number last."""
    for word in range(LAST):
        words[at + word] = sequence + word
    store_release(words, at + LAST, sequence)


def spin_until(end_ns: int) -> int:
    """Keep the PU busy until a time, so that its clock rises; return the number of turns."""
    turns = 0
    while now_ns() < end_ns:
        turns += 1
    return turns


def clock_cost(stamps: Words, batch: int) -> int:
    """Fill `stamps` with the times of `batch` empty measurements each; return their number."""
    for at in range(len(stamps)):
        total = 0
        for _ in range(batch):
            begin = now_ns()
            total += now_ns() - begin
        stamps[at] = total
    return len(stamps)


# ---------------------------------------------------------------- ping-pong
def ping(words: Words, lines: int, batches: int, batch: int, spent: Words, deadline_ns: int) -> int:
    """Bounce a word; `spent[b]` is the time of `batch` round trips. Return completed batches.

    Batches take `lines` pairs of lines in turn: where a line lives in a distributed last-level
    cache changes its latency, and one line alone would measure its place.
    """
    sequence = 0
    for b in range(batches):
        at = (b % lines) * 2 * STRIDE
        begin = now_ns()
        for _ in range(batch):
            sequence += 1
            store_release(words, at, sequence)
            if not wait_for(words, at + STRIDE, sequence, deadline_ns):
                return b
        spent[b] = now_ns() - begin
    return batches


def pong(words: Words, lines: int, batches: int, batch: int, deadline_ns: int) -> int:
    """Answer `ping`."""
    sequence = 0
    for b in range(batches):
        at = (b % lines) * 2 * STRIDE
        for _ in range(batch):
            sequence += 1
            if not wait_for(words, at, sequence, deadline_ns):
                return b
            store_release(words, at + STRIDE, sequence)
    return batches


# ---------------------------------------------------------------- single messages
def send_single(
    words: Words, lines: int, batches: int, batch: int, busy: Words, deadline_ns: int
) -> int:
    """Send messages one at a time; `busy[b]` is the time for which `batch` sends kept the sender.

    The message is taken before the next is sent, so each store finds its line with the receiver.
    A flag behind the message tells the receiver that it is there without touching its line.
    """
    flag, ack = lines * STRIDE, (lines + 1) * STRIDE
    sequence = 0
    for b in range(batches):
        total = 0
        for _ in range(batch):
            sequence += 1
            at = (sequence % lines) * STRIDE
            begin = now_ns()
            write_message(words, at, sequence)
            total += now_ns() - begin
            store_release(words, flag, sequence)
            if not wait_for(words, ack, sequence, deadline_ns):
                return b
        busy[b] = total
    return batches


def receive_single(
    words: Words,
    lines: int,
    batches: int,
    batch: int,
    busy: Words,
    sums: Words,
    deadline_ns: int,
) -> int:
    """Take the messages of `send_single`; `busy[b]` is the time that taking `batch` of them took.

    The clock runs from the moment that the message is known to be complete in the sender's cache
    until its payload is read: the transfer of the line is in it. `sums[0]` adds up payloads.
    """
    flag, ack = lines * STRIDE, (lines + 1) * STRIDE
    sequence = 0
    check = 0
    for b in range(batches):
        total = 0
        for _ in range(batch):
            sequence += 1
            at = (sequence % lines) * STRIDE
            if not wait_for(words, flag, sequence, deadline_ns):
                return b
            begin = now_ns()
            if not wait_for(words, at + LAST, sequence, deadline_ns):
                return b
            check += words[at] + words[at + LAST - 1]
            total += now_ns() - begin
            store_release(words, ack, sequence)
        busy[b] = total
        sums[0] = check
    return batches


# ---------------------------------------------------------------- bursts
def send_burst(
    words: Words,
    lines: int,
    sizes: Words,
    batches: int,
    batch: int,
    spent: Words,
    deadline_ns: int,
) -> int:
    """Send bursts of `sizes[0]` and `sizes[1]` messages, batch about; `spent[b]` is their time.

    A burst ends when the receiver has seen the flag behind it, which a release store shows only
    after all messages; what two sizes differ in is what the further messages took.
    """
    flag, ack, ready = lines * STRIDE, (lines + 1) * STRIDE, (lines + 2) * STRIDE
    burst = 0
    for b in range(batches):
        size = sizes[b % 2]
        total = 0
        for _ in range(batch):
            burst += 1
            if not wait_for(words, ready, burst, deadline_ns):
                return b
            begin = now_ns()
            for message in range(size):
                write_message(words, message * STRIDE, burst)
            store_release(words, flag, burst)
            if not wait_for(words, ack, burst, deadline_ns):
                return b
            total += now_ns() - begin
        spent[b] = total
    return batches


def receive_burst(
    words: Words,
    lines: int,
    sizes: Words,
    batches: int,
    batch: int,
    sums: Words,
    deadline_ns: int,
) -> int:
    """Answer the flag of `send_burst` at once, then read all lines, so that all are shared again.

    `sums[0]` adds up the first payload words of the messages that came.
    """
    flag, ack, ready = lines * STRIDE, (lines + 1) * STRIDE, (lines + 2) * STRIDE
    burst = 0
    check = 0
    for b in range(batches):
        for _ in range(batch):
            burst += 1
            store_release(words, ready, burst)
            if not wait_for(words, flag, burst, deadline_ns):
                return b
            store_release(words, ack, burst)
            size = sizes[b % 2]
            for message in range(lines):
                last = load_acquire(words, message * STRIDE + LAST)
                if message < size and last == burst:
                    check += words[message * STRIDE]
        sums[0] = check
    return batches


# ---------------------------------------------------------------- channel
def produce(
    ring: Words,
    ack: Words,
    slots: int,
    stride: int,
    batches: int,
    batch: int,
    spent: Words,
    deadline_ns: int,
) -> int:
    """Send a stream through a ring of `slots` lines; `spent[b]` is the time of `batch` messages.

    `slots` is a power of two; the receiver's acknowledgement opens the window anew.
    """
    sequence = 0
    seen = 0
    for b in range(batches):
        begin = now_ns()
        for _ in range(batch):
            sequence += 1
            spins = 0
            while sequence - seen > slots:
                seen = load_acquire(ack, 0)
                spins += 1
                if spins >= SPINS:
                    spins = 0
                    if now_ns() >= deadline_ns:
                        return b
            write_message(ring, ((sequence - 1) & (slots - 1)) * stride, sequence)
        spent[b] = now_ns() - begin
    return batches


def consume(
    ring: Words,
    ack: Words,
    slots: int,
    stride: int,
    messages: int,
    sums: Words,
    deadline_ns: int,
) -> int:
    """Take the stream of `produce` in order, acknowledging half a ring at a time.

    Return the number of messages taken; `sums[0]` adds up payloads.
    """
    check = 0
    half = slots // 2
    for sequence in range(1, messages + 1):
        at = ((sequence - 1) & (slots - 1)) * stride
        if not wait_for(ring, at + LAST, sequence, deadline_ns):
            return sequence - 1
        check += ring[at] + ring[at + LAST - 1]
        sums[0] = check
        if sequence % half == 0:
            store_release(ack, 0, sequence)
    return messages
