"""The command `skb`: its sub-commands, and how a fault becomes one line and an exit code.

Exit codes: 0 answered, 1 internal fault or a simulated protocol that broke a promise, 2 bad input,
3 infeasible, 4 no answer within the limit.
"""

from __future__ import annotations

import io
import sys
import time
from copy import copy
from pathlib import Path

import typer

from skb import __version__
from skb.cli import (
    asking,
    benching,
    binding,
    comparing,
    exporting,
    importing,
    inferring,
    knowing,
    measuring,
    querying,
    repairing,
    serving,
    simulating,
    sweeping,
    touring,
    warming,
)
from skb.errors import SkbError

app = typer.Typer(
    name="skb",
    help="Where things go on a computer: facts, and decisions with proof, price and reason.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _module in (
    touring,
    importing,
    knowing,
    comparing,
    measuring,
    inferring,
    exporting,
    asking,
    binding,
    repairing,
    querying,
    simulating,
    sweeping,
    serving,
    benching,
    warming,
):
    _module.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"skb {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and leave."
    ),
) -> None:
    """Where things go on a computer: facts, and decisions with proof, price and reason."""


def _wanted(arguments: list[str] | None) -> typer.Typer:
    """Return the app with the one command that is called, since making all takes longer."""
    words = sys.argv[1:] if arguments is None else arguments
    word = "".join(words[:1])
    called = [command for command in app.registered_commands if command.name == word]
    groups = [group for group in app.registered_groups if group.name == word]
    if not called and not groups:
        return app
    small = copy(app)
    small.registered_commands, small.registered_groups = called, groups
    return small


def _begun(arguments: list[str] | None) -> float:
    """Return the monotonic time at which the command began.

    A process of its own has run for about its processor time and the time that it waited for a
    processor, which is long on a busy host; a caller in Python begins now.
    """
    if arguments is not None:
        return time.monotonic()
    return time.monotonic() - time.process_time() - _waited()


def _waited() -> float:
    """Return the seconds that the process waited for a processor, 0 where the system does not say.

    Source: the kernel's Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat, in ns.
    """
    try:
        return int(Path("/proc/self/schedstat").read_bytes().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    if arguments is None and isinstance(sys.stdout, io.TextIOWrapper):
        # a name that the terminal's encoding lacks must not end a command
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        begun = _begun(arguments)
        code = _wanted(arguments)(args=arguments, prog_name="skb", standalone_mode=False, obj=begun)
    except typer.Exit as leave:
        return leave.exit_code
    except typer.Abort:
        print("skb: interrupted", file=sys.stderr)
        return 130
    except SkbError as fault:
        print(f"skb: error: {fault}", file=sys.stderr)
        return fault.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as fault:
        return _other(fault)
    return code if isinstance(code, int) else 0


def _other(fault: Exception) -> int:
    """Answer a usage error of the command line with 2, anything else with 1 and a traceback."""
    show = getattr(fault, "show", None)
    if show is not None and hasattr(fault, "exit_code"):
        show()
        return int(fault.exit_code)
    if type(fault).__module__.startswith("simulator"):
        print(f"skb: error: {fault}", file=sys.stderr)
        return 2
    import traceback

    traceback.print_exc()
    print("skb: internal fault; please report the lines above", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
