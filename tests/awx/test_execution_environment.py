"""The execution environment has what modules import, and nothing else."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.support.awx import PROJECT, ROOT

PLUGINS = ROOT / "plugins"
REQUIREMENTS = ROOT / "meta" / "ee-requirements.txt"
#: What runs elsewhere, and imports what is there: the hub's process, and the Python of EasyBuild.
ELSEWHERE = {"_hub": {"kubespawner", "tornado", "traitlets"}, "_software": {"easybuild"}}
#: Distributions with another name than their module.
DISTRIBUTIONS = {"yaml": "pyyaml"}
#: ansible-core brings it, so ansible-builder leaves it out.
OF_ANSIBLE = {"pyyaml"}


def imports(path: Path) -> Iterator[str]:
    """Return the top packages that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]


def third_party() -> set[str]:
    found = set()
    for path in PLUGINS.rglob("*.py"):
        there = {name for part in path.parts for name in ELSEWHERE.get(part, ())}
        found |= set(imports(path)) - there
    ours = {*sys.stdlib_module_names, "ansible", "ansible_collections"}
    return {DISTRIBUTIONS.get(name, name) for name in found - ours}


def names(lines: list[str]) -> set[str]:
    """Return the names in requirements, in lower case."""
    return {re.split(r"[\s<>=!~#;\[]", line.strip())[0].lower() for line in lines} - {""}


def test_the_requirements_are_what_the_plugins_import():
    assert names(REQUIREMENTS.read_text().splitlines()) == third_party()


def test_the_environment_of_the_project_is_created_and_has_only_that(tmp_path):
    definition = PROJECT / "execution-environment.yml"
    context = tmp_path / "context"
    words = ["ansible-builder", "create", "-f", str(definition), "-c", str(context)]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    # The collections of the image are those of the project.
    given = yaml.safe_load((PROJECT / "collections" / "requirements.yml").read_text())
    assert yaml.safe_load((context / "_build" / "requirements.yml").read_text()) == given
    for item in given["collections"]:
        link = tmp_path / "ansible_collections" / item["name"].replace(".", "/")
        link.parent.mkdir(parents=True)
        link.symlink_to(ROOT / ".dev" / "collections" / link.relative_to(tmp_path), target_is_directory=True)

    # What the build asks the collections, with what the definition excludes.
    excluded = context / "_build" / "exclude-collections.txt"
    words = ["ansible-builder", "introspect", "--exclude-collection-reqs", str(excluded), str(tmp_path)]
    answer = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
    found = yaml.safe_load(answer.stdout)
    assert names(found["python"]) == third_party() - OF_ANSIBLE
    assert not found.get("system")
    assert all("from collection odh.persistency" in line for line in found["python"])
