"""Mutations of bytes: most keep the shape of a text and break one thing in it, some break all."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

# an amplified input stays small enough for a hundred thousand of them
SIZE_LIMIT_BYTES = 262_144
EXTREMES = (
    *b"0 -1 1 2 10 255 256 4095 65535 65536 2147483647 2147483648 4294967295 4294967296".split(),
    *b"9223372036854775807 9223372036854775808 18446744073709551615 18446744073709551616".split(),
    *b"1e308 1e400 -1e308 1e-320 nan inf -inf NaN 0x0 0xffffffff 0xffffffffffffffffffff".split(),
    *b"-0 00 0.5 1_000 1,5 0b1 0o7 +1".split(),
    *(b"9" * 400, b"9" * 5000, "٣".encode(), "²".encode()),
)
ODDITIES = (
    *(b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\r", b"\r\n", b"\x1a"),
    *("é", "　", "\u202e", "\u2028", "😀", "ß", "İ"),
    *(b"%s%n", b"../../", b"&amp;", b"&x;", b"&#0;", b"&#xD800;", b"]]>", b"<![CDATA[", b"-->"),
    *(b"\\", b'"', b"'", b"#", b"=", b"[", b"]", b"{", b"}", b"(", b")", b"|", b":", b",", b";"),
)
_NUMBER = re.compile(rb"-?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?)")
_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_VALUE = re.compile(rb'"[^"\n]*"')
_TAG = re.compile(rb"<[^<>]+>")
Mutation = Callable[[bytes, Random, Sequence[bytes], Sequence[bytes]], bytes]


def mutate(data: bytes, draw: Random, samples: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """Return an input with one to six things changed, or now and then one of random bytes."""
    if draw.random() < 0.01:
        return draw.randbytes(draw.randrange(200))
    for _ in range(draw.choice((1, 1, 1, 1, 2, 2, 3, 6))):
        data = draw.choice(_MUTATIONS)(data, draw, samples, tokens)[:SIZE_LIMIT_BYTES]
    return data


def _span(data: bytes, draw: Random) -> tuple[int, int]:
    """A place in the data, mostly a short one."""
    start = draw.randrange(len(data) + 1)
    size = draw.choice((1, 2, 4, 16, 64, 512))
    return start, min(len(data), start + draw.randrange(size + 1))


def _put(data: bytes, start: int, end: int, piece: bytes | str) -> bytes:
    return data[:start] + (piece.encode() if isinstance(piece, str) else piece) + data[end:]


def _flip(data: bytes, draw: Random, *_: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = draw.randrange(len(data))
    return _put(data, at, at + 1, bytes([data[at] ^ 1 << draw.randrange(8)]))


def _insert_oddity(data: bytes, draw: Random, *_: Sequence[bytes]) -> bytes:
    start, end = _span(data, draw)
    return _put(data, start, draw.choice((start, end)), draw.choice(ODDITIES))


def _insert_token(
    data: bytes, draw: Random, _samples: Sequence[bytes], tokens: Sequence[bytes]
) -> bytes:
    start, end = _span(data, draw)
    return _put(data, start, draw.choice((start, end)), draw.choice(tokens))


def _delete(data: bytes, draw: Random, *_: Sequence[bytes]) -> bytes:
    return _put(data, *_span(data, draw), b"")


def _truncate(data: bytes, draw: Random, *_: Sequence[bytes]) -> bytes:
    cut = draw.randrange(len(data) + 1)
    return data[:cut] if draw.random() < 0.7 else data[cut:]


def _repeat(data: bytes, draw: Random, *_: Sequence[bytes]) -> bytes:
    start, end = _span(data, draw)
    times = draw.choice((2, 2, 3, 10, 100, 1000))
    return _put(data, start, end, data[start:end] * times)


def _splice(data: bytes, draw: Random, samples: Sequence[bytes], _tokens: Sequence[bytes]) -> bytes:
    other = draw.choice(samples)
    start, end = _span(other, draw)
    at, until = _span(data, draw)
    if draw.random() < 0.2:
        return data[:at] + other[start:]
    return _put(data, at, until, other[start:end])


def _lines(data: bytes, draw: Random, *_: Sequence[bytes]) -> bytes:
    """Delete, double, move or join lines."""
    lines = data.splitlines(keepends=True)
    if len(lines) < 2:
        return data
    at, to = draw.randrange(len(lines)), draw.randrange(len(lines))
    way = draw.randrange(5)
    if way == 0:
        del lines[at : at + draw.choice((1, 1, 2, 8))]
    elif way == 1:
        lines[to:to] = lines[at : at + draw.choice((1, 1, 2, 8))] * draw.choice((1, 1, 1, 50))
    elif way == 2:
        lines[at], lines[to] = lines[to], lines[at]
    elif way == 3:
        lines[at] = lines[at].rstrip(b"\r\n")
    else:
        draw.shuffle(lines)
    return b"".join(lines)


def _replace_one(
    pattern: re.Pattern[bytes], data: bytes, draw: Random, piece: Callable[[bytes], bytes]
) -> bytes:
    """Replace one match near a random place, or every one that is equal to it."""
    start = draw.randrange(len(data) + 1)
    match = pattern.search(data, start) or pattern.search(data)
    if match is None:
        return data
    new = piece(match[0])
    if draw.random() < 0.1:
        return data.replace(match[0], new, 100)
    return _put(data, *match.span(), new)


def _number(data: bytes, draw: Random, *_: Sequence[bytes]) -> bytes:
    def other(old: bytes) -> bytes:
        if draw.random() < 0.4 and old.isdigit() and len(old) < 30:
            return str(max(0, int(old) + draw.choice((-1, 1, 2, 16, 1000)))).encode()
        return draw.choice(EXTREMES)

    return _replace_one(_NUMBER, data, draw, other)


def _exchange(pattern: re.Pattern[bytes]) -> Mutation:
    """Put what matches elsewhere, or a token, in the place of one match."""

    def mutation(data: bytes, draw: Random, _: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
        def other(old: bytes) -> bytes:
            found = pattern.search(data, draw.randrange(len(data) + 1))
            if found is None or draw.random() < 0.3:
                token = draw.choice(tokens)
                return b'"' + token + b'"' if old.startswith(b'"') else token
            return found[0]

        return _replace_one(pattern, data, draw, other)

    return mutation


def _nest(data: bytes, draw: Random, *_: Sequence[bytes]) -> bytes:
    """Nest an opening bracket or tag many times, closed or not."""
    depth = draw.choice((2, 10, 70, 300, 5000))
    tag = _TAG.search(data, draw.randrange(len(data) + 1))
    at = tag.start() if tag else _span(data, draw)[0]
    opening, closing = draw.choice(((b"[", b"]"), (b"(", b")"), (b"{", b"}")))
    if tag and not tag[0].startswith((b"</", b"<!", b"<?")):
        opening = tag[0].replace(b"/>", b">")
        closing = b"</" + (_WORD.search(opening) or [b"a"])[0] + b">"
    depth = min(depth, SIZE_LIMIT_BYTES // (len(opening) + 1))
    return _put(data, at, at, opening * depth + closing * draw.choice((0, depth)))


_MUTATIONS: tuple[Mutation, ...] = (
    *(_number, _number, _number, _exchange(_VALUE), _exchange(_VALUE), _exchange(_WORD)),
    *(_exchange(_TAG), _lines, _lines, _lines, _splice, _delete, _insert_token, _insert_token),
    *(_insert_oddity, _flip, _flip, _truncate, _repeat, _nest),
)
