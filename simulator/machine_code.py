"""Machine code for this processor from a module of LLVM, and its loading into this process."""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import binding as llvm
from llvmlite import ir

LEVEL = 2
_engines: list[Any] = []


@cache
def _machine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=LEVEL,
        reloc="default",
        codemodel="jitdefault",
        jit=True,
    )


def code_of(module: ir.Module) -> bytes:
    """Return the machine code of a module."""
    machine = _machine()
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    _improve(parsed, machine)
    return bytes(machine.emit_object(parsed))


def _improve(parsed: Any, machine: Any) -> None:
    """Let LLVM optimize a module; loops are short here, so nothing is unrolled or vectorized."""
    if hasattr(llvm, "create_pass_builder"):
        options = llvm.create_pipeline_tuning_options(speed_level=LEVEL)
        options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
        passes = llvm.create_pass_builder(machine, options)
        passes.getModulePassManager().run(parsed, passes)
        return
    builder = llvm.create_pass_manager_builder()  # llvmlite before 0.44
    builder.opt_level = LEVEL
    builder.disable_unroll_loops = True
    builder.inlining_threshold = 225
    manager = llvm.create_module_pass_manager()
    machine.add_analysis_passes(manager)
    builder.populate(manager)
    manager.run(parsed)


def address_of(code: bytes, name: str) -> int:
    """Load machine code and return the address of a function; it stays for good."""
    machine = _machine()
    empty = llvm.parse_assembly(str(ir.Module("loaded")))
    engine = llvm.create_mcjit_compiler(empty, machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return int(engine.get_function_address(name))
