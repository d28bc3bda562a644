"""Check a run of galaxy-importer, which exits with 0 even without the documentation of a module and with errors in its log.

Usage: python tests/gates/importer_result.py LOG RESULT CHECKOUT
"""

import json
import pathlib
import re
import sys

log, result, checkout = map(pathlib.Path, sys.argv[1:])
faults = [line for line in log.read_text().splitlines() if re.match(r"(ERROR|WARNING|CRITICAL)\b", line)]
if not result.exists():
    sys.exit("\n".join([*faults, "galaxy-importer left no result"]))

contents = json.loads(result.read_text())["docs_blob"]["contents"]
found = {(content["content_type"], content["content_name"]): content for content in contents}
modules = sorted(path.stem for path in checkout.glob("plugins/modules/[!_]*.py"))
roles = sorted(path.name for path in checkout.glob("roles/*/"))
for name in modules:
    docs = found.get(("module", name), {}).get("doc_strings") or {}
    faults += [f"module {name}: no {part}" for part in ("doc", "examples", "return") if not docs.get(part)]
    if docs.get("doc") and not docs["doc"].get("options"):
        faults.append(f"module {name}: no options in its documentation")
faults += [f"role {name}: no README" for name in roles if not found.get(("role", name), {}).get("readme_html")]
if faults:
    sys.exit("\n".join(faults))
print(f"{len(modules)} modules and {len(roles)} roles with their documentation, no warning")
