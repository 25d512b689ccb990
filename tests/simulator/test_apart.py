"""What the simulator may not know: the rest of the house, clocks, global randomness."""

import ast
from pathlib import Path

import simulator

FORBIDDEN = {"skb", "api", "time", "datetime", "random", "secrets", "uuid", "os", "threading"}


def test_simulator_imports_no_clock_no_chance_and_no_other_floor() -> None:
    """Every import of every file is looked at."""
    files = sorted(Path(simulator.__file__).parent.rglob("*.py"))
    assert len(files) > 15
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] not in FORBIDDEN, f"{file.name} imports {name}"
