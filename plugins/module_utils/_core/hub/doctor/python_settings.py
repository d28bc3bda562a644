# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of a hub in Python text, read as data: the text is parsed, and never run.

Only simple assignments of literals have a value, such as `c.KubeSpawner.delete_pvc = False`. What depends on a condition, a
call or another name is `COMPUTED`, because only the hub knows it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Optional

#: The value of a setting that is not a literal.
COMPUTED = object()
#: The value of a hook that this collection's package sets.
OUR_HOOK = object()
#: Any trait of a section, or any section.
ANY = "*"

PACKAGE_MODULE = "odh_persistency.hub_configuration"
#: What `configure` of this collection sets (`_hub/hub_configuration.py`).
OUR_HOOKS = ("pre_spawn_hook", "modify_pod_hook", "options_form", "auth_state_hook")
OUR_TRAITS = {"delete_pvc": False, "remember_pvc_name": False}

SET, APPEND, EXTEND = "set", "append", "extend"
_READERS = frozenset({"get", "copy", "items", "keys", "values", "to_dict"})
_RUNNERS = frozenset({"exec", "eval", "load_subconfig", "execfile", "run_path", "run_module"})
_SETTERS = frozenset({"setattr", "set_config_if_not_none"})


class Assignment(NamedTuple):
    """A value that is assigned to `c.SECTION.TRAIT`, or appended to it. `ANY` stands for all sections or traits."""

    section: str
    trait: str
    value: Any
    place: str
    how: str = SET


class HookCall(NamedTuple):
    """The call that sets the spawn hook: the text of its settings (None if it is not a literal), and the section."""

    settings: Optional[str]
    section: str
    place: str


class PythonSettings(NamedTuple):
    """What a text assigns, in order, the spawner classes that it defines, and its calls of the spawn hook."""

    assignments: tuple[Assignment, ...] = ()
    spawners: tuple[str, ...] = ()
    hooks: tuple[HookCall, ...] = ()


def python_settings(sources: Iterable[tuple[str, str]]) -> PythonSettings:
    """Return the settings in texts that run one after the other and share their names, as pairs of a title and a text.

    The titles are what places are called, such as `extraConfig 10-a`.
    """
    reader = _Reader()
    for title, text in sources:
        reader.title = title
        try:
            reader.block(ast.parse(text).body, conditional=False)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            reader.assignments.append(Assignment(ANY, ANY, COMPUTED, f"{title} (not valid Python)"))
    return PythonSettings(tuple(reader.assignments), tuple(reader.spawners), tuple(reader.hooks))


class _Reader:
    def __init__(self) -> None:
        self.title = ""
        self.assignments: list[Assignment] = []
        self.spawners: list[str] = []
        self.hooks: list[HookCall] = []
        self._configs = {"c"}
        self._sections: dict[str, str] = {}
        self._configure = ""
        #: The values of loop variables.
        self._texts: dict[str, str] = {}

    def block(self, statements: list[ast.stmt], conditional: bool) -> None:
        for statement in statements:
            self._statement(statement, conditional)

    def _statement(self, node: ast.stmt, conditional: bool) -> None:
        if isinstance(node, ast.ImportFrom):
            self._note_import(node)
        elif isinstance(node, ast.Assign):
            self._assign(node.targets, node.value, conditional)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self._assign([node.target], node.value, conditional)
        elif isinstance(node, ast.AugAssign):
            self._augment(node, conditional)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                self._assign([target], None, conditional)
        elif isinstance(node, ast.Expr):
            self._expression(node.value, conditional)
        elif isinstance(node, ast.ClassDef):
            self._class(node)
        else:
            self._compound(node, conditional)

    def _compound(self, node: ast.stmt, conditional: bool) -> None:
        """Read a statement with blocks. Only those of `with` always run, once."""
        if isinstance(node, ast.For) and self._loop(node, conditional):
            return
        inner = conditional or not (isinstance(node, (ast.With, ast.AsyncWith)) or _asks_for_trait(node))
        for name, value in ast.iter_fields(node):
            if name in ("body", "orelse", "finalbody") and isinstance(value, list):
                self.block(value, inner)
            elif name == "handlers":
                for handler in value:
                    self.block(handler.body, conditional=True)
            elif name == "cases":
                for case in value:
                    self.block(case.body, conditional=True)
            elif name in ("iter", "test", "value", "items", "exc", "decorator_list", "subject"):
                for one in value if isinstance(value, list) else [value]:
                    if isinstance(one, ast.AST):
                        self._uses(one)

    def _loop(self, node: ast.For, conditional: bool) -> bool:
        """Read a loop over a list of texts, once for each. Return whether it was one."""
        values = _literal(node.iter)
        if not isinstance(node.target, ast.Name) or node.orelse or not isinstance(values, (tuple, list)):
            return False
        if not values or not all(isinstance(value, str) for value in values):
            return False
        for value in values:
            self._texts[node.target.id] = value
            self.block(node.body, conditional)
        return True

    def _class(self, node: ast.ClassDef) -> None:
        if any("Spawner" in ast.dump(base) for base in node.bases):
            self.spawners.append(node.name)
            for statement in node.body:
                for target in getattr(statement, "targets", [getattr(statement, "target", None)]):
                    if isinstance(target, ast.Name):
                        self._add(node.name, target.id, COMPUTED, statement)
        else:
            self._compound(node, conditional=True)

    def _note_import(self, node: ast.ImportFrom) -> None:
        if node.module == PACKAGE_MODULE:
            for alias in node.names:
                if alias.name == "configure":
                    self._configure = alias.asname or alias.name

    def _assign(self, targets: list[ast.expr], value: Optional[ast.expr], conditional: bool) -> None:
        """Read an assignment, or a deletion if there is no value."""
        for target in targets:
            if isinstance(target, (ast.Tuple, ast.List)):
                self._assign(list(target.elts), ast.Constant(Ellipsis), conditional=True)
                continue
            if isinstance(target, ast.Name) and value is not None:
                if self._is_config(value):
                    self._configs.add(target.id)
                    return
                section = self._section(value)
                if section is not None and not conditional:
                    self._sections[target.id] = section
                    return
                self._sections.pop(target.id, None)
            found = self._trait(target)
            if found is not None:
                self._add(*found, COMPUTED if conditional or value is None else _literal(value), target)
                continue
            section = self._section(target)
            if section is not None:
                self._section_set(section, value, conditional, target)
        if value is not None:
            self._uses(value)

    def _section_set(self, section: str, value: Optional[ast.expr], conditional: bool, node: ast.AST) -> None:
        """Read `c.SECTION = {...}` or `c.SECTION.update({...})`."""
        found = COMPUTED if conditional or value is None else _literal(value)
        if isinstance(found, dict):
            for trait, one in found.items():
                self._add(section, str(trait), one, node)
        elif isinstance(value, ast.Dict) and all(isinstance(key, ast.Constant) for key in value.keys):
            for key, one in zip(value.keys, value.values):
                self._add(section, str(getattr(key, "value", "")), COMPUTED if conditional else _literal(one), node)
        else:
            self._add(section, ANY, COMPUTED, node)

    def _augment(self, node: ast.AugAssign, conditional: bool) -> None:
        found = self._trait(node.target)
        if found is not None:
            value = COMPUTED if conditional else _literal(node.value)
            how = EXTEND if isinstance(node.op, ast.Add) else SET
            self._add(*found, value if how == EXTEND else COMPUTED, node, how)
        self._uses(node.value)

    def _expression(self, node: ast.expr, conditional: bool) -> None:
        """Read an expression statement: a call that sets something, or any other."""
        if not isinstance(node, ast.Call):
            self._uses(node)
            return
        if isinstance(node.func, ast.Name) and node.func.id == self._configure and self._configure:
            self._hook(node, conditional)
        elif isinstance(node.func, ast.Name) and node.func.id in _SETTERS and len(node.args) >= 3:
            self._setter(node, conditional)
        elif not self._method(node, conditional):
            self._uses(node)

    def _hook(self, node: ast.Call, conditional: bool) -> None:
        section = "KubeSpawner"
        for keyword in node.keywords:
            if keyword.arg == "section":
                section = str(_text(keyword.value) or ANY)
        if len(node.args) > 3:
            section = str(_text(node.args[3]) or ANY)
        self.hooks.append(HookCall(_json_text(node.args[1]) if len(node.args) > 1 else None, section, self._at(node)))
        for trait in OUR_HOOKS:
            self._add(section, trait, COMPUTED if conditional else OUR_HOOK, node)
        for trait, value in OUR_TRAITS.items():
            self._add(section, trait, COMPUTED if conditional else value, node)

    def _setter(self, node: ast.Call, conditional: bool) -> None:
        """Read `setattr(c.SECTION, "trait", value)`, and the chart's function that takes the value from the Helm values."""
        section, trait = self._section(node.args[0]), self._named(node.args[1])
        if section is None:
            self._uses(node)
            return
        is_plain = isinstance(node.func, ast.Name) and node.func.id == "setattr" and not conditional
        self._add(section, trait or ANY, _literal(node.args[2]) if is_plain and trait else COMPUTED, node)

    def _method(self, node: ast.Call, conditional: bool) -> bool:
        """Read `c.SECTION.TRAIT.append(...)` and `c.SECTION.update(...)`. Return whether it was one of these."""
        if not isinstance(node.func, ast.Attribute):
            return False
        name, base = node.func.attr, node.func.value
        found = self._trait(base)
        if found is not None:
            how = {"append": APPEND, "extend": EXTEND}.get(name)
            value = COMPUTED if conditional or how is None or len(node.args) != 1 else _literal(node.args[0])
            if name not in _READERS:
                self._add(*found, value, node, how or SET)
            return True
        section = self._section(base)
        if section is not None and name == "update":
            for argument in node.args:
                self._section_set(section, argument, conditional, node)
            for keyword in node.keywords:
                value = COMPUTED if conditional else _literal(keyword.value)
                self._add(section, keyword.arg or ANY, value if keyword.arg else COMPUTED, node)
            return True
        return False

    def _uses(self, node: ast.AST) -> None:
        """Note what hands the configuration to code that may set anything."""
        for one, parent in _with_parents(node):
            if isinstance(one, ast.Call) and _name_of(one.func) in _RUNNERS:
                self._add(ANY, ANY, COMPUTED, one)
            elif isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr not in _READERS:
                self._called(one.func)
            elif self._section(one) is not None and not isinstance(parent, (ast.Attribute, ast.Subscript)):
                self._add(self._section(one) or ANY, ANY, COMPUTED, one)
            elif self._section(one) is not None:
                continue
            elif self._is_config(one) and not self._is_read(parent):
                self._add(ANY, ANY, COMPUTED, one)

    def _called(self, method: ast.Attribute) -> None:
        """Note a method of a section or a trait that may change it."""
        section, trait = self._section(method.value), self._trait(method.value)
        if section is not None:
            self._add(section, ANY, COMPUTED, method)
        elif trait is not None:
            self._add(*trait, COMPUTED, method)

    def _is_read(self, parent: Optional[ast.AST]) -> bool:
        """Return whether the configuration is the base of a section, or of a method that only reads."""
        if isinstance(parent, ast.Attribute):
            return parent.attr[:1].isupper() or parent.attr in _READERS
        return isinstance(parent, ast.Subscript) and self._named(parent.slice) is not None

    def _is_config(self, node: Optional[ast.AST]) -> bool:
        return _is_get_config(node) or (isinstance(node, ast.Name) and node.id in self._configs)

    def _section(self, node: Optional[ast.AST]) -> Optional[str]:
        """Return the section that an expression is, such as `c.KubeSpawner`, `c["KubeSpawner"]` or a name for one."""
        if isinstance(node, ast.Name):
            return self._sections.get(node.id)
        if isinstance(node, ast.Attribute) and self._is_config(node.value) and node.attr[:1].isupper():
            return node.attr
        if isinstance(node, ast.Subscript) and self._is_config(node.value):
            return self._named(node.slice) or ANY
        return None

    def _named(self, node: ast.AST) -> Optional[str]:
        """Return a literal text, also of a loop variable."""
        return self._texts.get(node.id) if isinstance(node, ast.Name) else _text(node)

    def _trait(self, node: Optional[ast.AST]) -> Optional[tuple[str, str]]:
        """Return the section and the trait that an expression is, such as `c.KubeSpawner.delete_pvc`."""
        if not isinstance(node, (ast.Attribute, ast.Subscript)):
            return None
        section = self._section(node.value)
        if section is None:
            return None
        return section, node.attr if isinstance(node, ast.Attribute) else self._named(node.slice) or ANY

    def _add(self, section: str, trait: str, value: Any, node: ast.AST, how: str = SET) -> None:
        self.assignments.append(Assignment(section, trait, value, self._at(node), how))

    def _at(self, node: ast.AST) -> str:
        return f"{self.title}, line {getattr(node, 'lineno', 1)}"


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return COMPUTED


def _asks_for_trait(node: ast.AST) -> bool:
    """Return whether a statement asks if a class has a trait: what it sets has no effect otherwise."""
    test = getattr(node, "test", None)
    if not isinstance(node, ast.If) or node.orelse or not isinstance(test, ast.Compare):
        return False
    asked = test.comparators[0]
    return (
        isinstance(test.ops[0], ast.In) and isinstance(asked, ast.Call) and _name_of(asked.func) == "class_trait_names"
    )


def _text(node: ast.AST) -> Optional[str]:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _json_text(node: ast.expr) -> Optional[str]:
    """Return the text in `json.loads("...")`, None if it is something else."""
    return _text(node.args[0]) if isinstance(node, ast.Call) and len(node.args) == 1 else None


def _name_of(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_get_config(node: Optional[ast.AST]) -> bool:
    return isinstance(node, ast.Call) and _name_of(node.func) == "get_config" and not node.args


def _with_parents(node: ast.AST, parent: Optional[ast.AST] = None) -> Iterator[tuple[ast.AST, Optional[ast.AST]]]:
    yield node, parent
    for child in ast.iter_child_nodes(node):
        yield from _with_parents(child, node)
