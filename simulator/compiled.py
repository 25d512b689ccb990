"""The compiled engine: the kernel and lowered protocols as machine code, kept in a folder.

LLVM makes the code, through llvmlite, which comes with numba; numba itself is not loaded. The
kernel is compiled once; it calls a protocol through the address of its `dispatch`, so that each
protocol is compiled on its own. llvmlite is loaded here and nowhere else, and only when it is
wanted. What is in the folder belongs to this very kernel, Python, llvmlite and processor: give a
folder of another name (`fingerprint`) to another one.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.metadata
import platform
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator import (
    history,
    kernel,
    kernel_columns,
    kernel_driver,
    kernel_node,
    kernel_polling,
    kernel_queue,
    kernel_serve,
    load,
)
from simulator.errors import SimulatorError
from simulator.lowering import Lowered, lowered
from simulator.protocols.protocol import Protocol

if TYPE_CHECKING:
    from simulator.machine_functions import Unit

MODULES = (kernel_node, kernel_queue, kernel_serve, kernel_polling, kernel_driver, kernel)
APART = frozenset(
    {
        "arrive_group", "begin", "begin_load", "clear_boxes", "control", "direct", "drop",
        "earliest", "ended", "issue", "awake", "last_node", "next_box", "put_in_box",
        "set_wake", "start", "switch", "tell", "wake", "watch",
    }
)  # fmt: skip
"""Functions of the kernel that are not put in the place of their calls: they run rarely."""
WRITERS = ("machine_code.py", "machine_functions.py", "machine_values.py", "compiled.py")
SUM_BYTES = 32


class NotCompiledError(SimulatorError):
    """llvmlite is missing, or does not load."""


@cache
def fingerprint() -> str:
    """Return a name for this kernel, Python, llvmlite and processor; empty without llvmlite."""
    try:
        version = importlib.metadata.version("llvmlite")
    except importlib.metadata.PackageNotFoundError:
        return ""
    found = hashlib.sha256(f"{version} {sys.version} {platform.machine()}".encode())
    files = [Path(str(module.__file__)) for module in (*MODULES, kernel_columns, history, load)]
    for file in (*files, *(Path(__file__).with_name(name) for name in WRITERS)):
        found.update(file.read_bytes())
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").split("\n\n")[0].splitlines()
        kept = [line for line in lines if line.startswith(("model name", "flags", "Features"))]
    except OSError:
        kept = [platform.processor()]
    found.update("\n".join(kept).encode())
    return found.hexdigest()[:16]


def marked(protocol: type[Protocol], folder: str) -> bool:
    """Whether a folder has a protocol and the kernel compiled."""
    names = ("kernel", lowered(protocol).name)
    return bool(folder) and all(_file(folder, name).exists() for name in names)


def compiled(protocol: type[Protocol], folder: str) -> tuple[Any, Any]:
    """Return the kernel and the entry of a protocol, from the folder where that has them.

    Without a folder both are compiled anew in each process. Raises `NotCompiledError`, and
    `LoweringError` for a protocol that is not within the notation.
    """
    low = lowered(protocol)
    try:
        return compiled_loop(folder), _dispatch(low, folder)
    except ImportError as fault:
        raise NotCompiledError(f"llvmlite does not load: {fault}") from fault


@cache
def compiled_loop(folder: str) -> Any:
    """Return the compiled loop over events; raises `ImportError` where llvmlite does not load."""
    from simulator.machine_functions import PLACES, Unit, source_of

    def unit() -> Unit:
        made = Unit(APART)
        text = Path(str(kernel.__file__)).read_text(encoding="utf-8")
        made.entry(source_of(text, vars(kernel)), "run")
        return made

    address = _loaded("kernel", "run", folder, unit)
    enter = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)(address)
    Table = ctypes.c_int64 * (PLACES * len(kernel_columns.Arrays._fields))

    def run(dispatch: int, arrays: kernel_columns.Arrays) -> int:
        words: list[int] = []
        for array in arrays:
            words += (array.ctypes.data, *array.shape, 0, 0)[:PLACES]
        table = Table(*words)
        return int(enter(dispatch, ctypes.addressof(table)))

    return run


@cache
def _dispatch(low: Lowered, folder: str) -> int:
    """Return the address of the compiled entry of a protocol."""
    from simulator.machine_functions import Unit, source_of

    def unit() -> Unit:
        names: dict[str, Any] = {}
        exec(low.text, names)
        made = Unit(None)
        made.entry(source_of(low.text, names), "dispatch")
        if folder:
            _keep(Path(folder) / f"{low.name}.py", low.text.encode())
        return made

    return _loaded(low.name, "dispatch", folder, unit)


def _file(folder: str, name: str) -> Path:
    return Path(folder) / f"{name}.{fingerprint()}.code"


def _loaded(name: str, entry: str, folder: str, unit: Any) -> int:
    """Return the address of an entry, from the folder where that has it whole."""
    from simulator.machine_code import address_of, code_of
    from simulator.machine_functions import PREFIX

    try:
        kept = _file(folder, name).read_bytes() if folder else b""
    except OSError:
        kept = b""
    code = kept[SUM_BYTES:]
    if not code or hashlib.sha256(code).digest() != kept[:SUM_BYTES]:
        code = code_of(unit().module)
        if folder:
            _keep(_file(folder, name), hashlib.sha256(code).digest() + code)
    return address_of(code, PREFIX + entry)


def _keep(path: Path, content: bytes) -> None:
    """Write a file, if that can be; another process may do the same."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as fresh:
            fresh.write(content)
        Path(fresh.name).replace(path)
    except OSError:  # a full disk loses the copy, not the run
        return
