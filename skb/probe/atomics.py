"""The kernels compiled: atomic loads and stores, the clock, and where compiled code is kept.

The only importer of numba. `primitives` says what each operation means; here is its LLVM form.
The clock is `clock_gettime(CLOCK_MONOTONIC)` of the C library that Python itself runs on, about
20 ns through the vDSO on x86 and Arm: no cycle counter that a kernel may trap, and no calibration.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from skb.errors import SkbError
from skb.probe import kernels, memory_kernels, primitives
from skb.probe.primitives import Function
from skb.resources import cache_folder

_INSTALL = "pip install 'system-knowledge-base[measure]'"
_CLOCK_MONOTONIC = 1


@dataclass(frozen=True, slots=True)
class Kernels:
    """The compiled kernels by name; all of them leave the interpreter's lock alone."""

    spin_until: Function
    clock_cost: Function
    ping: Function
    pong: Function
    send_single: Function
    receive_single: Function
    send_burst: Function
    receive_burst: Function
    produce: Function
    consume: Function
    touch: Function
    fill_cycle: Function
    chase: Function
    stream_read: Function
    stream_write: Function


def require_numba() -> None:
    """Raise `SkbError` with the mend where numba is not installed."""
    if find_spec("numba") is None:
        raise SkbError("measuring needs numba, which is not installed", mend=_INSTALL)


@cache
def compiled() -> Kernels:
    """Compile all kernels for this PU, or load them from the user's cache.

    Raises `SkbError` where numba is not installed or does not load.
    """
    require_numba()
    try:
        import numba
        from numba.core import config
    except ImportError as fault:
        raise SkbError(f"numba does not load: {fault}", mend=_INSTALL) from fault
    _lower(numba)
    words, number = numba.types.int64[::1], numba.types.int64
    folder = config.CACHE_DIR
    keep = folder or _cache_folder(numba.__version__)
    config.CACHE_DIR = keep
    try:
        made = {
            name: numba.njit(number(*_typed(shape, words, number)), nogil=True, cache=bool(keep))(
                getattr(memory_kernels if hasattr(memory_kernels, name) else kernels, name)
            )
            for name, shape in _SHAPES.items()
        }
    finally:
        config.CACHE_DIR = folder
    return Kernels(**made)


# the arguments of each kernel: w an array of words, n a number
_SHAPES = {
    "spin_until": "n",
    "clock_cost": "wn",
    "ping": "wnnnwn",
    "pong": "wnnnn",
    "send_single": "wnnnwn",
    "receive_single": "wnnnwwn",
    "send_burst": "wnwnnwn",
    "receive_burst": "wnwnnwn",
    "produce": "wwnnnnwn",
    "consume": "wwnnnwn",
    "touch": "wnnn",
    "fill_cycle": "wnnnnn",
    "chase": "wnnnw",
    "stream_read": "wnwwnn",
    "stream_write": "wnwwnn",
}


def _typed(shape: str, words: Any, number: Any) -> list[Any]:
    return [words if letter == "w" else number for letter in shape]


def _cache_folder(version: str) -> str:
    """The user's cache folder for exactly these sources; empty where none can be written.

    numba looks at the file of a kernel only, not at what the kernel calls: hence the digest.
    """
    digest = hashlib.sha256(version.encode())
    for module in ("primitives", "kernels", "memory_kernels", "atomics"):
        digest.update(Path(__file__).with_name(f"{module}.py").read_bytes())
    return cache_folder(f"probe-{digest.hexdigest()[:16]}")


@cache
def _lower(numba: Any) -> None:
    """Tell numba the LLVM form of the primitives, and to compile the kernels' own functions."""
    from numba.extending import overload, register_jitable

    load, store, clock = _intrinsics(numba)

    @overload(primitives.load_acquire, strict=False)
    def load_acquire(words: Any, index: Any) -> Any:
        return lambda words, index: load(words, index)

    @overload(primitives.store_release, strict=False)
    def store_release(words: Any, index: Any, value: Any) -> Any:
        return lambda words, index, value: store(words, index, value)

    @overload(primitives.now_ns, strict=False)
    def now_ns() -> Any:
        return lambda: clock()

    for function in (kernels.wait_for, kernels.write_message, memory_kernels.scatter):
        register_jitable(function)


def _intrinsics(numba: Any) -> tuple[Any, Any, Any]:
    from llvmlite import ir
    from numba.core import cgutils
    from numba.extending import intrinsic

    number, index_type = numba.types.int64, numba.types.intp

    def element(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
        return builder.gep(context.make_array(kind)(context, builder, array).data, [index])

    @intrinsic
    def load(_context: Any, words: Any, index: Any) -> Any:
        def lower(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            at = element(context, builder, signature.args[0], given[0], given[1])
            return builder.load_atomic(at, "acquire", 8)

        return number(words, index_type), lower

    @intrinsic
    def store(_context: Any, words: Any, index: Any, value: Any) -> Any:
        def lower(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            at = element(context, builder, signature.args[0], given[0], given[1])
            builder.store_atomic(given[2], at, "release", 8)
            return context.get_dummy_value()

        return numba.types.void(words, index_type, number), lower

    @intrinsic
    def clock(_context: Any) -> Any:
        def lower(context: Any, builder: Any, _signature: Any, _given: Any) -> Any:
            # struct timespec: two long; long has the width of a pointer on Linux
            word, code = context.get_value_type(index_type), ir.IntType(32)
            time = cgutils.alloca_once(builder, ir.ArrayType(word, 2))
            kind = ir.FunctionType(code, [code, time.type])
            read = cgutils.get_or_insert_function(builder.module, kind, "clock_gettime")
            builder.call(read, [ir.Constant(code, _CLOCK_MONOTONIC), time])
            zero, one = ir.Constant(code, 0), ir.Constant(code, 1)
            seconds = builder.load(builder.gep(time, [zero, zero]))
            rest = builder.load(builder.gep(time, [zero, one]))
            wide = ir.IntType(64)
            whole = builder.mul(builder.sext(seconds, wide), ir.Constant(wide, 10**9))
            return builder.add(whole, builder.sext(rest, wide))

        return number(), lower

    return load, store, clock
