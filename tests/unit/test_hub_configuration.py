"""What the role `hub` renders: Helm values that the chart accepts, and Python that nothing in an inventory breaks out of."""

from __future__ import annotations

import ast
import json
import sys
import types
from datetime import timezone
from pathlib import Path

import pytest
import yaml
from ansible_collections.odh.persistency.plugins.filter.differing_objects import differing_objects
from ansible_collections.odh.persistency.plugins.filter.hub_configuration import hub_configuration
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.helm_values import (
    FOLDER,
    MOST,
    configuration_text,
    helm_values,
)
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "hub"
SCHEMA = Path("/work/shared/data/z2jh/values.schema.yaml")
VARIABLES = {"flavor": "z2jh", "namespace": "jupyterhub", "service_account": "hub"}


def snippet(values):
    return values["hub"]["extraConfig"]["zz-odh-persistency"]


def run(text):
    """Run a rendered configuration with stand-ins for what the hub's image has; return what it configures."""
    calls = []
    modules = {name: types.ModuleType(name) for name in ("jupyterhub", "kubespawner", "tornado", "tornado.web")}
    modules["jupyterhub"].version_info = (5, 5, 0, "", "")
    modules["kubespawner"].KubeSpawner = types.SimpleNamespace(class_trait_names=lambda: ["delete_pvc"])
    modules["tornado.web"].HTTPError = Exception
    package = types.ModuleType("odh_persistency")
    configuration = types.ModuleType("odh_persistency.hub_configuration")
    configuration.configure = lambda *arguments: calls.append(arguments)
    settings = types.ModuleType("odh_persistency.hub_settings")
    settings.Runtime = lambda **arguments: types.SimpleNamespace(**arguments)
    modules |= {one.__name__: one for one in (package, configuration, settings)}
    before, path = {name: sys.modules.get(name) for name in modules}, list(sys.path)
    try:
        sys.modules.update(modules)
        exec(compile(text, "snippet", "exec"), {"c": "the configuration"})
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
        sys.path[:] = path
    ((config, given_settings, runtime),) = calls
    assert config == "the configuration"
    assert runtime.clock().tzinfo is timezone.utc
    assert runtime.hub_version == (5, 5)
    assert runtime.has_trait("delete_pvc")
    return given_settings


def test_the_values_have_the_whole_package_and_the_settings():
    result = hub_configuration({**VARIABLES, "home": "static", "mount_roots": ["/data"], "api_timeout": 7})
    assert result["errors"] == []
    values = yaml.safe_load(result["values_text"])
    files = {entry["mountPath"]: entry["stringData"] for entry in values["hub"]["extraFiles"].values()}
    sources = {path.name: path.read_text() for path in (ROOT / "plugins/module_utils/_hub").glob("*.py")}
    assert set(files) == {f"{FOLDER}/odh_persistency/{name}" for name in sources}
    assert all(files[f"{FOLDER}/odh_persistency/{name}"] == text for name, text in sources.items() if text)
    assert all(files.values())
    assert run(snippet(values)) == {"namespace": "jupyterhub", "home": "static", "mount_roots": ["/data"], "timeout": 7}


def test_texts_are_blocks_so_that_a_diff_is_readable():
    text = hub_configuration(VARIABLES)["values_text"]
    assert "\n    zz-odh-persistency: |\n      # Written by odh.persistency" in text
    assert "\\n" not in [line for line in text.splitlines() if "stringData" in line]
    assert text == hub_configuration(VARIABLES)["values_text"]
    assert len(text.encode()) < MOST


def test_the_chart_accepts_the_values():
    if not SCHEMA.exists():
        pytest.skip(f"{SCHEMA} is missing: the chart's schema is not part of this repository")
    jsonschema = pytest.importorskip("jsonschema")
    values = yaml.safe_load(hub_configuration(VARIABLES)["values_text"])
    schema = yaml.safe_load(SCHEMA.read_text())
    chart = yaml.safe_load(SCHEMA.with_name("values.yaml").read_text())
    jsonschema.validate({**chart, "hub": {**chart["hub"], **values["hub"]}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**chart, "hub": {**chart["hub"], "extraFiles": {"x": {"stringData": ""}}}}, schema)


@given(
    st.dictionaries(st.text(max_size=8), st.text(max_size=40) | st.lists(st.text(max_size=20), max_size=3), max_size=4)
)
def test_no_text_breaks_out_of_the_configuration(settings):
    text = configuration_text(settings)
    assert run(text) == settings
    ast.parse(text, feature_version=(3, 8))
    assert yaml.safe_load(yaml.safe_dump({"x": text})) == {"x": text}


@given(st.text())
def test_a_home_path_arrives_as_it_is_or_is_rejected(path):
    result = hub_configuration({**VARIABLES, "home_path": path})
    if result["errors"]:
        assert result["values_text"] == ""
        assert result["permissions"] == []
    else:
        assert run(snippet(yaml.safe_load(result["values_text"])))["home_path"] == path


@pytest.mark.parametrize(
    ("variables", "error"),
    [
        ({"flavor": "z2j"}, "`hub_flavor` is 'z2j' (did you mean `z2jh`?): the flavors are z2jh."),
        ({"namespace": None}, "`hub_namespace` is null, not the name of a namespace."),
        ({"namespace": "A"}, "`hub_namespace` is 'A', not the name of a namespace."),
        ({"service_account": "{{ x }}"}, "`hub_service_account` is '{{ x }}', not the name of a service account."),
        ({"policy": "maybe"}, "`hub_policy` is 'maybe', not one of home_only, deny."),
        ({"api_timeout": 0}, "`hub_api_timeout` is 0, not a number of seconds from 1 to 60."),
        ({"mount_roots": ["/home"]}, "the root /home in `hub_mount_roots` is the home /home/jovyan, or above it."),
    ],
)
def test_wrong_variables_are_one_sentence_each(variables, error):
    assert hub_configuration({**VARIABLES, **variables})["errors"] == [error]


def test_a_package_that_is_too_large_is_rejected():
    with pytest.raises(ValueError, match="the files of the hub take 513 KiB, but the limit is 512 KiB"):
        helm_values({"a.py": "x" * 513 * 1024}, {})


def test_permissions_that_are_as_defined_are_left_alone():
    permissions = hub_configuration(VARIABLES)["permissions"]
    role, binding = json.loads(json.dumps(permissions))
    role["metadata"]["uid"] = "1"
    assert differing_objects(permissions, [{"resources": [role]}, {"resources": [binding]}]) == []
    assert differing_objects(permissions, [{"resources": []}, {}]) == permissions
    role["rules"][0]["verbs"] = ["get", "list"]
    assert differing_objects(permissions, [{"resources": [role, binding]}]) == permissions[:1]


def test_the_role_knows_the_variables_that_it_documents():
    known = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__hub_variables"]
    options = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert known == sorted(options)
    assert all(f"| `{name}` |" in (ROLE / "README.md").read_text() for name in known)
