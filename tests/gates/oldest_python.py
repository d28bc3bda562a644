"""Compile plugins/ and import _core/ and _hub/ with the oldest Python that plugins support, if the machine has it.

Usage: python3.9 tests/gates/oldest_python.py COLLECTIONS, the folder that holds ansible_collections/. Writes nothing.
"""

import importlib
import pathlib
import sys

sys.dont_write_bytecode = True
collections = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(collections))
plugins = collections / "ansible_collections" / "odh" / "persistency" / "plugins"

for path in sorted(plugins.rglob("*.py")):
    compile(path.read_bytes(), str(path), "exec", dont_inherit=True)

pure = sorted(path for folder in ("_core", "_hub") for path in (plugins / "module_utils" / folder).rglob("*.py"))
assert pure, f"nothing in {plugins}/module_utils/_core"
for path in pure:
    importlib.import_module(".".join(path.relative_to(collections).with_suffix("").parts))
print(f"Python {sys.version.split()[0]} compiles {plugins} and imports {len(pure)} files of _core/ and _hub/")
