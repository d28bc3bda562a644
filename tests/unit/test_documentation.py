"""The documentation is true: it lists the keys that the modules accept, and explains messages that the code has."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.odh.persistency.plugins.doc_fragments import shares as share_fragment
from ansible_collections.odh.persistency.plugins.doc_fragments import users as user_fragment
from ansible_collections.odh.persistency.plugins.module_utils._core.homes import spec as user_spec
from ansible_collections.odh.persistency.plugins.module_utils._core.metadata import STATES
from ansible_collections.odh.persistency.plugins.module_utils._core.shares import (
    backend_spec,
    grant_spec,
    groups,
    spec,
    spec_parser,
)
from ansible_collections.odh.persistency.plugins.module_utils._hub.acl_format import LEVELS

ROOT = Path(__file__).resolve().parents[2]


def documented(text, option):
    return yaml.safe_load(text)["options"][option]["suboptions"]


def test_every_key_of_a_share_is_documented_and_no_other():
    keys = documented(share_fragment.ModuleDocFragment.DOCUMENTATION, "shares")
    assert set(keys) == set(spec_parser.KNOWN_KEYS)
    assert tuple(keys["level"]["choices"]) == LEVELS
    assert tuple(keys["state"]["choices"]) == STATES
    assert keys["mode"]["default"] == spec.DEFAULT_MODE
    for right in ("read", "write"):
        assert tuple(keys[right]["suboptions"]) == grant_spec.KEYS


def test_every_key_of_a_backend_is_documented_and_no_other():
    keys = documented(share_fragment.ModuleDocFragment.DOCUMENTATION, "shares")["backend"]["suboptions"]
    assert set(keys) == {"type"}.union(*backend_spec.KEYS.values())
    assert tuple(keys["type"]["choices"]) == backend_spec.TYPES


def test_every_key_of_a_user_is_documented_and_no_other():
    keys = documented(user_fragment.ModuleDocFragment.DOCUMENTATION, "users")
    assert set(keys) == set(user_spec.KNOWN_KEYS)
    assert tuple(keys["state"]["choices"]) == STATES


def test_every_key_of_a_group_is_documented_and_no_other():
    assert tuple(documented(share_fragment.ModuleDocFragment.GROUPS, "groups")) == groups.KEYS


# --- Links ----------------------------------------------------------------------------------------------------------------

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("roles/*/README.md")),
]


def anchors(page):
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not link.startswith("https://"):
            path, _hash, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/design.md"])
def test_files_that_are_named_exist(page):
    named = re.findall(r"`(_(?:core|hub|io)/[\w./]*)`", (ROOT / page).read_text(encoding="utf-8"))
    assert named
    assert [path for path in named if not (ROOT / "plugins" / "module_utils" / path).exists()] == []


# --- Messages that the pages explain --------------------------------------------------------------------------------------


def texts_of(tree):
    """Return every text of a syntax tree, with `\\0` for each value that an f-string inserts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


SOURCES = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "plugins").rglob("*.py"))]
TEXTS = {text for source in SOURCES for text in texts_of(ast.parse(source))}


def quoted(page):
    """Yield the messages in a page's table of messages. `...` in them is what the code inserts."""
    table = (ROOT / "docs" / page).read_text(encoding="utf-8").split("\n## Messages\n")[1]
    for line in table.splitlines():
        cell = re.match(r"\| (`+) ?(.+?) ?\1 \|", line)
        if cell:
            yield cell[2]


MESSAGES = [
    message
    for page in ("awx.md", "homes.md", "shares.md", "server_access.md", "software.md")
    for message in quoted(page)
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_that_is_explained_is_a_message_of_the_code(message):
    pattern = re.compile(
        ".*".join(re.escape(words.strip()) for words in message.split("...") if words.strip()), re.DOTALL
    )
    assert any(pattern.search(text) for text in TEXTS), f"no message of the code reads like: {message}"
