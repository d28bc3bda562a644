"""Rules of the layout that no tool checks: what pure code may import, and which files may use the kubernetes client."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.odh.persistency.plugins.module_utils._io.version import USER_AGENT, VERSION

from tests.gates import imports as import_rules

ROOT = Path(__file__).resolve().parents[2]
UTILS = ROOT / "plugins" / "module_utils"
PACKAGE = "ansible_collections.odh.persistency.plugins"

PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
CODE = [path for path in PLUGINS if path.stat().st_size]
MODULES = sorted((ROOT / "plugins" / "modules").glob("[!_]*.py"))
#: Pure code in the package of the phases, which imports nothing outside of it. Others may import it.
PURE_OF_PHASES = UTILS / "_software" / "dependencies.py"
PURE = sorted([*(path for folder in ("_core", "_hub") for path in (UTILS / folder).rglob("*.py")), PURE_OF_PHASES])
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())

#: Modules that do I/O, which belongs in `_io`.
IMPURE_MODULES = {
    "asyncio", "concurrent", "ctypes", "fcntl", "ftplib", "getpass", "glob", "http", "logging", "mmap", "multiprocessing", "os",
    "pathlib", "platform", "pwd", "queue", "random", "secrets", "select", "shutil", "signal", "smtplib", "socket", "socketserver",
    "sqlite3", "ssl", "subprocess", "sys", "syslog", "tempfile", "threading", "time", "urllib.request", "uuid", "warnings",
}  # fmt: skip
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}
CLOCK_CALLS = {"now", "utcnow", "today"}

#: The adapter (see its docstring): nothing else uses the kubernetes package or private names of its collection.
OPENSHIFT = ROOT / "plugins" / "module_utils" / "_io" / "kubernetes" / "openshift_client.py"
ADAPTER = UTILS / "_io" / "kubernetes" / "connection.py"
CONNECTION_OPTIONS = UTILS / "_io" / "options" / "connection.py"
#: A first use of typed APIs costs a second of CPU, the dynamic client a discovery, and get_api_client both.
TYPED_OR_DISCOVERING = re.compile(
    r"(\w+V\d+((alpha|beta)\d+)?\w*|Apis?|CustomObjects|Version)Api|\w*DynamicClient|K8S?Client|K8sService|get_api_client|V1\w+"
)


def ids(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, absolute, as `package.module.name`; relative ones resolved."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = (path.relative_to(ROOT / "plugins").parent).parts
                assert node.level <= len(package), f"{path}:{node.lineno} leaves plugins/"
                inside = package[: len(package) - node.level + 1]
                base = ".".join([PACKAGE, *inside, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def yaml_file(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_version_of_requests_is_the_version_of_the_collection() -> None:
    assert yaml_file(ROOT / "galaxy.yml")["version"] == VERSION
    assert USER_AGENT.endswith(f"/{VERSION}")


def documentation(path: Path) -> dict:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["DOCUMENTATION"]:
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(f"{path} has no DOCUMENTATION")


def test_modules_with_connection_options_and_no_others_are_in_the_action_group() -> None:
    """Otherwise `module_defaults: group/odh.persistency.k8s` would silently skip one."""
    connected = {
        path.stem
        for path in MODULES
        if "kubernetes.core.k8s_auth_options" in documentation(path).get("extends_documentation_fragment", [])
    }
    assert connected
    assert set(yaml_file(ROOT / "meta" / "runtime.yml")["action_groups"]["k8s"]) == connected


@pytest.mark.parametrize("path", MODULES, ids=ids(MODULES))
def test_a_module_documents_what_the_group_and_the_modes_do_for_it(path: Path) -> None:
    fragments = documentation(path)["extends_documentation_fragment"]
    assert "odh.persistency.attributes" in fragments
    assert ("odh.persistency.attributes.k8s" in fragments) == ("kubernetes.core.k8s_auth_options" in fragments)


@pytest.mark.parametrize("path", CODE, ids=ids(CODE))
def test_a_plugin_file_has_its_license_and_annotations_that_are_not_evaluated(path: Path) -> None:
    """The first lets Galaxy take it, the second lets Python 3.9 import it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    head = [line for line in lines[:4] if not line.startswith("#!")][:3]
    assert head[0] == "# Copyright (c) 2026 odh.persistency contributors"
    assert head[1].startswith("# GNU General Public License v3.0+ (see COPYING")
    assert head[2] == "# SPDX-License-Identifier: GPL-3.0-or-later"
    assert "from __future__ import annotations" in lines


@pytest.mark.parametrize("path", PURE, ids=ids(PURE))
def test_pure_code_imports_pure_code_and_harmless_parts_of_the_standard_library(path: Path) -> None:
    for name in imports(path):
        if name.startswith(f"{PACKAGE}."):
            parts = [
                f"{PACKAGE}.module_utils.{part}." for part in ("_core", "_hub", f"_software.{PURE_OF_PHASES.stem}")
            ]
            assert name.startswith(tuple(parts)), f"imports {name}, which is not pure"
            continue
        top = name.partition(".")[0]
        assert top in sys.stdlib_module_names, f"imports {name}, which is not in the standard library"
        prefixes = {".".join(name.split(".")[:length]) for length in range(1, name.count(".") + 2)}
        assert not prefixes & IMPURE_MODULES, f"imports {name}: what reaches outside belongs in _io/"


def test_imports_have_no_cycle_and_few_layers() -> None:
    assert import_rules.violations() == []


def test_the_check_of_imports_finds_cycles_and_deep_packages(tmp_path: Path) -> None:
    for number in range(import_rules.MAX_LAYERS + 1):
        (tmp_path / f"m{number}.py").write_text(f"from . import m{number + 1}\n", encoding="utf-8")
    (tmp_path / f"m{import_rules.MAX_LAYERS + 1}.py").write_text("", encoding="utf-8")
    (line,) = import_rules.violations(tmp_path)
    assert f"has {import_rules.MAX_LAYERS + 1} layers" in line
    (tmp_path / "m3.py").write_text("def f():\n    from .m1 import x\n", encoding="utf-8")
    assert import_rules.violations(tmp_path) == ["import cycle: m1.py -> m2.py -> m3.py -> m1.py"]


@pytest.mark.parametrize(("package", "other"), [("homes", "shares"), ("shares", "homes")])
def test_homes_and_shares_do_not_import_each_other(package: str, other: str) -> None:
    for path in sorted((UTILS / "_core" / package).rglob("*.py")):
        found = [name for name in imports(path) if name.startswith(f"{PACKAGE}.module_utils._core.{other}.")]
        assert not found, f"{path.name} imports {found}: what both need belongs in _core/kubernetes"


def test_what_runs_in_the_hub_imports_only_the_standard_library() -> None:
    for path in sorted((UTILS / "_hub").rglob("*.py")):
        for name in imports(path):
            assert name.startswith(f"{PACKAGE}.module_utils._hub.") or name.partition(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize("path", PLUGINS, ids=ids(PLUGINS))
def test_functions_have_at_most_five_parameters(path: Path) -> None:
    """What belongs together is one object."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            names = [argument.arg for argument in arguments if argument.arg not in ("self", "cls")]
            assert len(names) <= 5, f"line {node.lineno}: {node.name}({', '.join(names)})"


@pytest.mark.parametrize("path", PURE, ids=ids(PURE))
def test_pure_code_has_no_input_output_or_clock(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in IMPURE_CALLS, f"line {node.lineno} calls {node.func.id}()"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in CLOCK_CALLS, f"line {node.lineno} reads the clock: the time is passed in"


@pytest.mark.parametrize("path", PLUGINS, ids=ids(PLUGINS))
def test_only_the_adapter_knows_kubernetes_and_nobody_its_typed_or_discovering_clients(path: Path) -> None:
    if path == OPENSHIFT:
        return  # OpenShift's own resources are read with its own client, and only there.
    foreign = [
        name for name in imports(path) if re.match(r"(kubernetes|openshift|ansible_collections\.kubernetes)\b", name)
    ]
    if path == CONNECTION_OPTIONS:
        # The names and types of the options only, which import nothing of the client.
        assert foreign == ["ansible_collections.kubernetes.core.plugins.module_utils.args_common.AUTH_ARG_SPEC"]
        return
    assert not foreign or path == ADAPTER, f"imports {foreign}; only {ADAPTER.relative_to(ROOT)} does"
    used = {part for name in imports(path) for part in name.split(".")}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            used.add(node.attr)
        elif isinstance(node, ast.Name):
            used.add(node.id)
    assert not {name for name in used if TYPED_OR_DISCOVERING.fullmatch(name)}
    assert not [
        name
        for name in foreign
        if re.match(r"(kubernetes\.dynamic|kubernetes\.client\.(api|models)|openshift)\b", name)
    ]


@pytest.mark.parametrize("path", CODE, ids=ids(CODE))
def test_plugins_import_each_other_in_one_way(path: Path) -> None:
    """module_utils relatively, modules absolutely, as Ansible's import machinery and ansible-test want it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if UTILS in path.parents:
                assert not (node.module or "").startswith(PACKAGE), f"line {node.lineno}: import it relatively"
            else:
                assert not node.level, f"line {node.lineno}: import it as {PACKAGE}..."


@pytest.mark.parametrize("path", PURE, ids=ids(PURE))
def test_pure_code_can_be_imported_by_itself(path: Path) -> None:
    relative = path.relative_to(ROOT / "plugins").with_suffix("")
    name = ".".join([PACKAGE, *(part for part in relative.parts if part != "__init__")])
    assert importlib.import_module(name).__doc__ or not path.stat().st_size, "has no docstring"


def tasks_in(items: list[dict] | None) -> Iterator[dict]:
    for item in items or []:
        yield item
        for key in ("block", "rescue", "always"):
            yield from tasks_in(item.get(key))


def test_tasks_that_connect_pass_the_cluster_that_the_inventory_expects() -> None:
    """Where tags choose among the tasks, as in the role software, each does. Elsewhere the first one is enough."""
    names = {f"odh.persistency.{name}" for name in yaml_file(ROOT / "meta" / "runtime.yml")["action_groups"]["k8s"]}
    missing = []
    for path in sorted((ROOT / "roles").glob("*/tasks/*.yml")):
        connecting = [(task, name) for task in tasks_in(yaml_file(path)) for name in names & task.keys()]
        for task, name in connecting if path.parts[-3] == "software" else connecting[:1]:
            if "persistency_cluster" not in str(task[name].get("cluster")):
                missing.append(f"{path.relative_to(ROOT)}: {task['name']}")
    assert missing == []


@pytest.mark.parametrize("role", ROLES, ids=ids(ROLES))
def test_the_defaults_of_a_role_are_those_that_it_documents(role: Path) -> None:
    defaults = yaml_file(role / "defaults" / "main.yml")
    points = yaml_file(role / "meta" / "argument_specs.yml")["argument_specs"]
    documented = {
        name: option["default"]
        for spec in points.values()
        for name, option in spec["options"].items()
        if "default" in option
    }
    assert {name: defaults.get(name) for name in documented} == documented
    known = {name for spec in points.values() for name in spec["options"]}
    assert set(defaults) <= known
    assert all(name.startswith(f"{role.name}_") for name in known)


def test_example_rights_of_two_hubs_in_one_namespace_have_different_names():
    """What is repeated in further namespaces has the hub's namespace in its name."""
    for file in ("share_pvc", "software", "hub_health_info", "drift"):
        text = (ROOT / "examples" / "rbac" / f"{file}.yml").read_text(encoding="utf-8")
        first = [one["metadata"]["name"] for one in yaml.safe_load_all(text.replace("jupyterhub", "one")) if one]
        kinds = [one["kind"] for one in yaml.safe_load_all(text) if one]
        named = {name for kind, name in zip(kinds, first) if "Role" in kind}
        shared = {name for name in named if "one" not in name.split("-")}
        # That of the account itself, in the namespace of the hub.
        assert shared <= {"odh-persistency-drift"}, file
