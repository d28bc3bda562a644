"""Texts of the collection: no f-string without its `f`, so no message shows the code of a placeholder."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
#: `{name}`, `{name.part}`, `{name[0]}`, `{name(...)}`, with a conversion or a format.
PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)((?:\.\w+|\[[^\]{}]*\]|\([^{}]*\))*)(?:![rsa])?(?::[^{}\s]*)?\}")
#: Fields of templates that users write.
TEMPLATE_FIELDS = {"user_server", "username", "servername", "userid", "hubnamespace"}


def literal_placeholders(source: str) -> Iterator[str]:
    """Yield the placeholders that a text shows as they are: of a name in the module, or with an attribute, index or call."""
    tree = ast.parse(source)
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    docs |= {
        id(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("DOCUMENTATION", "EXAMPLES", "RETURN")
    }
    # Templates that the module fills in with str.format().
    formatted = {
        node.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "format" and isinstance(node.value, ast.Name)
    }
    docs |= {
        id(inner)
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id in formatted
        for inner in ast.walk(node.value)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in docs:
            continue
        for found in PLACEHOLDER.finditer(node.value):
            name, rest = found.groups()
            if name not in TEMPLATE_FIELDS and (rest or name in bound):
                yield f"line {node.lineno}: {found.group()}"


@pytest.mark.parametrize("path", sorted(PLUGINS.rglob("*.py")), ids=lambda path: path.relative_to(PLUGINS).as_posix())
def test_no_text_shows_a_placeholder(path: Path) -> None:
    assert not list(literal_placeholders(path.read_text(encoding="utf-8")))


def test_the_check_finds_missing_prefixes() -> None:
    source = 'def say(form):\n    size = 1\n    return f"a {size}" "b {form.key} {size} {{size}}" f"{{form.key}} {{type: nfs}}"\n'
    assert [found.split(": ")[1] for found in literal_placeholders(source)] == [
        "{form.key}",
        "{size}",
        "{size}",
        "{form.key}",
    ]
