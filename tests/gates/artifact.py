"""Compare a built artifact with the checkout: it must contain everything that ships and nothing else.

Usage: python tests/gates/artifact.py ARTIFACT <FILES, the checkout's files, each terminated by a NUL.
A new top-level folder or file must be added below or to galaxy.yml's build_ignore.
"""

import sys
import tarfile

SHIPPED_FOLDERS = {"changelogs", "docs", "examples", "meta", "playbooks", "plugins", "roles"}
SHIPPED_FILES = {"CHANGELOG.md", "CHANGELOG.rst", "CONTRIBUTING.md", "COPYING", "README.md"}
MADE_BY_THE_BUILD = {"MANIFEST.json", "FILES.json"}
MUST_HAVE = ("README.md", "COPYING", "docs/", "meta/runtime.yml", "playbooks/site.yml", "plugins/modules/", "roles/")
#: In a shipped folder, but only for `make demo`.
NOT_SHIPPED = ("examples/awx/", "examples/demo/")


def ships(name: str) -> bool:
    top, slash, _rest = name.partition("/")
    return (top in SHIPPED_FOLDERS if slash else name in SHIPPED_FILES) and not name.startswith(NOT_SHIPPED)


checkout = set(filter(None, sys.stdin.read().split("\0")))
with tarfile.open(sys.argv[1]) as archive:
    links = [member.name for member in archive if member.issym() or member.islnk()]
    artifact = {member.name for member in archive if not member.isdir()}

expected = {name for name in checkout if ships(name)} | MADE_BY_THE_BUILD
errors = [f"{name} is in the artifact; name it in galaxy.yml's build_ignore" for name in sorted(artifact - expected)]
errors += [f"{name} is not in the artifact" for name in sorted(expected - artifact)]
errors += [f"{name} is a link, which Galaxy servers may refuse" for name in sorted(links)]
errors += [f"nothing under {start}" for start in MUST_HAVE if not any(name.startswith(start) for name in artifact)]
if errors:
    sys.exit("\n".join(errors))
print(f"{len(artifact)} files in the artifact, as expected")
