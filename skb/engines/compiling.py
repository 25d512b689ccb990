"""The two arms of the search kernels: plain Python, and what numba made of the same source.

Compiling takes seconds, so nobody who waits for an answer does it: a process of its own does, into
the user's cache, and until it is done (or where numba is missing) the plain arm runs. Both take the
same steps; the compiled one takes about 40 times as many in a second. A mark in the cache says
that it has this kernel for this Python, numba and processor, so that loading is quick and sure.
`python -m skb.engines.compiling` is that process; `skb warm` waits for it.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import skb
from skb.engines import placement_kernel as kernel
from skb.engines import placement_packing as packing
from skb.engines import route_hunt, route_kernel, route_rows, route_sets, route_sweep
from skb.errors import SkbError
from skb.resources import cache_folder

UNCOMPILED = "the search ran uncompiled, with fewer steps: `skb warm` compiles it, once"
# seconds that loading numba and the kernel from the cache takes on a slow host
LOADING = 1.0
# seconds for which a process stays with the plain arm once it had to take it, so that a question
# asked again has the same answer
STAYING = 60.0
_INSIDE = (
    kernel.rise,
    kernel.apart,
    kernel.put,
    kernel.take,
    kernel.keep,
    kernel.moved,
    kernel.herded,
    kernel.gathered,
    kernel.carried,
    kernel.exchanged,
    kernel.shift,
    kernel.trade,
    kernel.sound,
    packing.beside,
)


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to run the kernel: its functions, how its arrays are made, and the steps that it does
    between two looks at the clock.
    """

    name: str
    anneal: Callable[[kernel.Problem, kernel.Now, int], int]
    pack: Callable[[kernel.Problem, kernel.Now, Any, Any, bool], int]
    words: Callable[[Sequence[int]], Any]
    reals: Callable[[Sequence[float]], Any]
    stride: int


PLAIN = Arm("plain", kernel.anneal, packing.pack, list, list, 4 * kernel.STRIDE)


Kind = TypeVar("Kind")


class Loading(Generic[Kind]):
    """What this process has loaded of a kind of arm, and the process that compiles for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.arm: Kind | None = None
        self.failed = False
        self.refused: float | None = None
        self.child: subprocess.Popen[bytes] | None = None


class _Loaded(Loading[Arm]):
    """The arm of placements."""


_loaded = _Loaded()


def loaded() -> Arm:
    """Return the arm that needs no loading now."""
    return _loaded.arm or PLAIN


def fastest(deadline: float) -> Arm:
    """Return the compiled arm where it can be had in time, else the plain one.

    Where it is not compiled yet a process begins to compile it, which ends with this one; what
    that makes is for later.
    """
    return had(_loaded, PLAIN, _compiled, deadline)


def had(loading: Loading[Kind], plain: Kind, compiled: Callable[[], Kind], deadline: float) -> Kind:
    """Return the compiled arm of a kind where it can be had in time, else the plain one."""
    with loading.lock:
        if loading.arm is not None:
            return loading.arm
        if loading.failed or time.monotonic() + LOADING > deadline:
            return plain
        if loading.refused is not None and time.monotonic() < loading.refused + STAYING:
            return plain
        if not _marked():
            _begin()
            loading.refused = time.monotonic()
            return plain
        try:
            loading.arm = compiled()
        except Exception:  # whatever is wrong with numba here, the plain arm works
            loading.failed = True
            return plain
        return loading.arm


def compile_now() -> tuple[float, str]:
    """Compile all kernels, or load them; return how many seconds that took, and the folder.

    Raises `SkbError` where numba is missing or does not load.
    """
    started = time.monotonic()
    if not usable():
        raise SkbError(
            "numba is not installed, or switched off by NUMBA_DISABLE_JIT",
            mend="pip install numba, or go on without: the search is slower, not wrong",
        )
    try:
        with _loaded.lock:
            _loaded.arm = _compiled()
        # what imports this module
        from skb.engines.route_arms import compile_routes

        compile_routes()
    except ImportError as fault:
        raise SkbError(f"numba does not load: {fault}", mend="pip install -U numba") from fault
    folder = _folder()
    if folder:
        _mark(folder).touch()
    return time.monotonic() - started, folder


def usable() -> bool:
    """Whether numba is installed and not switched off."""
    return _version() != "" and os.environ.get("NUMBA_DISABLE_JIT", "0") in {"", "0"}


@cache
def _version() -> str:
    try:
        return importlib.metadata.version("numba")
    except importlib.metadata.PackageNotFoundError:
        return ""


@cache
def _digest() -> str:
    """Return a name for these kernels, Python, numba and processor.

    numba itself looks at the file's date and at the processor; all of both is in here.
    """
    found = hashlib.sha256(f"{_version()} {sys.version} {platform.machine()}".encode())
    for key in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_OPT"):
        found.update(f"{key}={os.environ.get(key, '')} ".encode())
    sources = (kernel, packing, route_hunt, route_kernel, route_rows, route_sets, route_sweep)
    makers = (__file__, str(Path(__file__).with_name("route_arms.py")))
    for path in map(Path, (*(str(module.__file__) for module in sources), *makers)):
        found.update(path.read_bytes())
        found.update(str(path.stat().st_mtime_ns).encode())
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").split("\n\n")[0].splitlines()
        kept = [line for line in lines if line.startswith(("model name", "flags", "Features"))]
    except OSError:
        kept = [platform.processor()]
    found.update("\n".join(kept).encode())
    return found.hexdigest()[:16]


@cache
def _folder() -> str:
    """Return the folder for compiled code; empty where none can be written."""
    # numba looks at the file of what it calls alone, not at those of the functions inside
    return cache_folder(f"search-{_digest()}", os.environ.get("NUMBA_CACHE_DIR"))


def _mark(folder: str) -> Path:
    return Path(folder) / f"compiled-{_digest()}"


def _marked() -> bool:
    """Whether the cache has this kernel."""
    if not usable():
        return False
    folder = _folder()
    return bool(folder) and _mark(folder).exists() and any(Path(folder).rglob("*.nbc"))


def _begin() -> None:
    """Let a process compile, unless one does already or it could not keep what it made."""
    if _loaded.child is not None or not usable() or not _folder() or not sys.executable:
        return
    _loaded.child = spawned("skb.engines.compiling")
    _loaded.failed = _loaded.child is None


def spawned(module: str, *arguments: str) -> subprocess.Popen[bytes] | None:
    """Start a module as a process that ends with this one; return None where that fails."""
    # of the parent's modules, none from the folder that it happens to be in
    roots = [
        *(str(Path(place).parent.resolve()) for place in skb.__path__),
        *filter(None, sys.path),
    ]
    try:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(roots)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None
    atexit.register(_end, child, os.getpid())
    return child


def _end(child: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() != owner:
        return
    if child.poll() is None:
        child.kill()
    child.wait()


@cache
def _compiled() -> Arm:
    """Return the arm of numba, from its cache where that has it.

    Raises `ImportError` where numba does not load.
    """
    import numpy as np

    anneal, pack = jitted(_INSIDE, (kernel.anneal, packing.pack))
    arm = Arm(
        name="compiled",
        anneal=anneal,
        pack=pack,
        words=lambda numbers: np.array(numbers, dtype=np.int64),
        reals=lambda numbers: np.array(numbers, dtype=np.float64),
        stride=64 * kernel.STRIDE,
    )
    problem, now = smallest(arm)
    arm.pack(problem, now, arm.words([0]), arm.words([0]), False)
    arm.anneal(problem, now, 1)
    return arm


def jitted(
    inside: Sequence[Callable[..., Any]],
    entries: Sequence[Callable[..., Any]],
    **options: bool,
) -> list[Any]:
    """Return what numba makes of functions and of those that they call, kept in the cache.

    The options are those of numba for the functions that are called. Raises `ImportError` where
    numba does not load.
    """
    import numba
    from numba.core import config
    from numba.extending import register_jitable

    for function in inside:
        (register_jitable(**options) if options else register_jitable)(function)
    before = config.CACHE_DIR
    keep = _folder()
    config.CACHE_DIR = keep or before
    try:
        # the kernels make no arrays; counting who holds which would take most of their time
        make = numba.njit(nogil=True, cache=bool(keep), _nrt=False)
        return [make(function) for function in entries]
    finally:
        config.CACHE_DIR = before


def smallest(arm: Arm) -> tuple[kernel.Problem, kernel.Now]:
    """Return a problem of one item and one class in the arrays of an arm."""
    one, none, zero = arm.words([1]), arm.words([]), arm.words([0])
    ends = arm.words([0, 0])
    problem = kernel.Problem(
        units=one, cache=zero, cost=zero, begin=ends, peer=none, rate=none, side=none,
        apart_begin=ends, apart=none, table=none, distance=zero, room=one, cache_of=zero,
        objects=none, bundle_begin=arm.words([0, 1]), bundle=zero, alike_begin=arm.words([0, 1]),
        odds=arm.reals([0.0] * kernel.SHARES), span=1,
    )  # fmt: skip
    words = arm.words
    now = kernel.Now(
        at=words([-1]), found=words([-1]), free=words([1]), cache=words([0]), inside=words([0]),
        held=words([0]), spot=words([0]), image=words([0]), herd=words([0]), marked=words([0]),
        control=words([0] * 4), heat=arm.reals([0.0, 1.0]),
    )  # fmt: skip
    return problem, now


if __name__ == "__main__":
    os.nice(5)
    compile_now()
