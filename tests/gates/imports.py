"""Check the imports inside plugins/module_utils: no cycle, and at most six layers in any package.

The layers of a package are the length of the longest chain of imports between its own files. Prints each violation and
exits with 1 if there is any. Runs without installed packages: python3 tests/gates/imports.py
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from pathlib import Path

UTILS = Path(__file__).resolve().parents[2] / "plugins" / "module_utils"
MAX_LAYERS = 6

Graph = Mapping[Path, frozenset[Path]]


def _imported(path: Path, root: Path) -> frozenset[Path]:
    """Return the files below `root` that a file imports relatively, for types alone included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        for candidate in [base, *(base / alias.name for alias in node.names)]:
            for target in (candidate.with_suffix(".py"), candidate / "__init__.py"):
                if target.is_file() and target != path and root in target.parents and target.stat().st_size:
                    found.add(target)
    return frozenset(found)


def graph_of(root: Path = UTILS) -> Graph:
    """Return what each file below a folder imports of the others."""
    return {path: _imported(path, root) for path in sorted(root.rglob("*.py"))}


def cycles(graph: Graph) -> list[list[Path]]:
    """Return one import cycle for each group of files that import each other, the first file repeated at its end."""
    found: list[list[Path]] = []
    done: set[Path] = set()

    def visit(path: Path, trail: list[Path]) -> None:
        if path in trail:
            found.append([*trail[trail.index(path) :], path])
        elif path not in done:
            for target in sorted(graph[path]):
                visit(target, [*trail, path])
            done.add(path)

    for path in graph:
        visit(path, [])
    return found


def layers(graph: Graph) -> dict[Path, list[Path]]:
    """Return the longest chain of imports inside each package, importers first. The graph must have no cycle."""
    longest: dict[Path, list[Path]] = {}

    def chain(path: Path) -> list[Path]:
        if path not in longest:
            inside = [chain(target) for target in sorted(graph[path]) if target.parent == path.parent]
            longest[path] = [path, *max(inside, key=len, default=[])]
        return longest[path]

    deepest: dict[Path, list[Path]] = {}
    for path in graph:
        deepest[path.parent] = max(deepest.get(path.parent, []), chain(path), key=len)
    return deepest


def violations(root: Path = UTILS) -> list[str]:
    """Return a line for each cycle, or, if there is none, for each package with too many layers."""
    graph = graph_of(root)

    def arrows(chain: list[Path]) -> str:
        return " -> ".join(str(path.relative_to(root)) for path in chain)

    found = [f"import cycle: {arrows(chain)}" for chain in cycles(graph)]
    if found:
        return found
    return [
        f"{package.relative_to(root)} has {len(chain)} layers of imports, at most {MAX_LAYERS} are allowed: {arrows(chain)}"
        for package, chain in layers(graph).items()
        if len(chain) > MAX_LAYERS
    ]


if __name__ == "__main__":
    lines = violations()
    print("\n".join(lines))
    sys.exit(1 if lines else 0)
