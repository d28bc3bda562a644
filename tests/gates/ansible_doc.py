"""Fail if ansible-doc shows no, or incomplete, documentation of a module or role."""

import json
import pathlib
import subprocess
import sys

COLLECTION = "odh.persistency"
root = pathlib.Path(__file__).resolve().parents[2]


def ansible_doc(kind: str, names: list[str]) -> dict[str, dict]:
    command = ["ansible-doc", "--json", "--type", kind, *names]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    sys.stderr.write(answer.stderr)
    return json.loads(answer.stdout)


modules = [f"{COLLECTION}.{path.stem}" for path in sorted(root.glob("plugins/modules/[!_]*.py"))]
roles = [f"{COLLECTION}.{path.name}" for path in sorted(root.glob("roles/*/"))]
missing = []

known = ansible_doc("module", modules)
for name in modules:
    parts = known.get(name, {})
    options = (parts.get("doc") or {}).get("options")
    found = {"options": options, "examples": parts.get("examples"), "return": parts.get("return")}
    missing += [f"{name}: no {part}" for part, content in found.items() if not content]

known = ansible_doc("role", roles) if roles else {}
for name in roles:
    entry_points = known.get(name, {}).get("entry_points") or {}
    if "main" not in entry_points:
        missing.append(f"{name}: no entry point main in meta/argument_specs.yml")
    missing += [
        f"{name}, {point}: no {part}"
        for point, spec in entry_points.items()
        for part in ("short_description", "description", "options")
        if not spec.get(part)
    ]

if missing:
    sys.exit("ansible-doc misses:\n" + "\n".join(missing))
print(f"ansible-doc shows {len(modules)} modules and {len(roles)} roles")
