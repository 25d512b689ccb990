"""What is timed on memory: a chase along a random cycle, and streams of reads and writes.

Plain Python that numba compiles as it stands; integers stay below 63 bits, so both agree.
"""

from __future__ import annotations

from skb.probe.primitives import Words, now_ns

# odd multipliers below 2^31 (from Steele, Lea and Flood 2014, SplitMix, cut to 31 bits): with at
# most 2^30 lines no product passes 61 bits
_FIRST = 0x3F58476D
_SECOND = 0x14D049BB


def scatter(turn: int, bits: int, key: int) -> int:
    """Return the line of a turn: a permutation of 0 .. 2^bits - 1, each step of it invertible."""
    mask = (1 << bits) - 1
    half = (bits + 1) // 2
    line = (turn + key) & mask
    line ^= line >> half
    line = (line * _FIRST) & mask
    line ^= line >> half
    line = (line * _SECOND) & mask
    line ^= line >> half
    return line


def touch(words: Words, first: int, last: int, step: int) -> int:
    """Write every `step`-th word from `first` to before `last`, so that the kernel gives pages."""
    at = first
    while at < last:
        words[at] = 0
        at += step
    return at


def fill_cycle(words: Words, bits: int, stride: int, key: int, first: int, last: int) -> int:
    """Link the turns from `first` to before `last` into a cycle through 2^bits lines.

    The first word of a line holds the index of the first word of the next. Return `last`.
    """
    count = 1 << bits
    line = scatter(first, bits, key)
    for turn in range(first, last):
        following = scatter((turn + 1) & (count - 1), bits, key)
        words[line * stride] = following * stride
        line = following
    return last


def chase(words: Words, start: int, batches: int, batch: int, spent: Words) -> int:
    """Follow the cycle; `spent[b]` is the time of `batch` dependent loads. Return where it ends."""
    at = start
    for b in range(batches):
        begin = now_ns()
        for _ in range(batch):
            at = words[at]
        spent[b] = now_ns() - begin
    return at


def stream_read(
    words: Words, chunk: int, stamps: Words, sums: Words, begin_ns: int, end_ns: int
) -> int:
    """Read chunks of words in turn until a time, a stamp after each; return their number."""
    chunks = len(words) // chunk
    done = 0
    while now_ns() < begin_ns:
        continue
    stamps[0] = now_ns()
    while done < len(stamps) - 1:
        base = (done % chunks) * chunk
        total = 0
        for at in range(base, base + chunk):
            total += words[at]
        sums[0] += total
        done += 1
        stamps[done] = now_ns()
        if stamps[done] >= end_ns:
            break
    return done


def stream_write(
    words: Words, chunk: int, stamps: Words, sums: Words, begin_ns: int, end_ns: int
) -> int:
    """Write chunks of words in turn until a time, a stamp after each; return their number."""
    chunks = len(words) // chunk
    done = 0
    while now_ns() < begin_ns:
        continue
    stamps[0] = now_ns()
    while done < len(stamps) - 1:
        base = (done % chunks) * chunk
        # a word that no memset can write, so that this stays a loop of stores
        value = done + 0x0102030405060708
        for at in range(base, base + chunk):
            words[at] = value
        sums[0] = value
        done += 1
        stamps[done] = now_ns()
        if stamps[done] >= end_ns:
            break
    return done
