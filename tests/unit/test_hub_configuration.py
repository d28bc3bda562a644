"""What the role `hub` renders: Helm values that the chart accepts, and Python that nothing in an inventory breaks out of."""

from __future__ import annotations

import ast
import sys
import types
from datetime import timezone
from pathlib import Path

import pytest
import yaml
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.chart_permissions import (
    chart_permissions,
    hub_account,
    server_account,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.configuration import (
    chart_version,
    hub_options,
    names_hub_groups,
    shares_by_gid,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.helm_values import (
    FOLDER,
    MOST,
    described,
    helm_entries,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.hub_python import (
    Surroundings,
    TokenSecret,
    hub_python,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.openshift_ranges import (
    gid_errors,
    ranges_of_namespace,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.permissions import Account, hook_permissions
from ansible_collections.odh.persistency.plugins.module_utils._io.files.hub_package import hub_package
from ansible_collections.odh.persistency.plugins.module_utils._io.files.values_file import ValuesFile, merged
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "hub"
SCHEMA = Path("/work/shared/data/z2jh/values.schema.yaml")
PARAMS = {
    "flavor": "z2jh",
    "namespace": "jupyterhub",
    "service_account": None,
    "servers_namespace": None,
    "values_file": "/srv/values.yaml",
    "rbac": "chart",
    "state": "present",
    "release": "jupyterhub",
}
TRAITS = ["manage_groups", "refresh_pre_spawn"]


class Configuration:
    """`c`, as far as rendered configurations use it: sections that are made when they are named."""

    def __init__(self):
        self.sections = {}

    def __getattr__(self, name):
        return self.sections.setdefault(name, Section())


class Section(dict):
    __getattr__ = dict.get
    __setattr__ = dict.__setitem__


def run(text, version=(5, 5, 0, "", "")):
    """Run a rendered configuration with stand-ins for what the hub's image has; return what it configures and `c`."""
    calls = []
    names = ("jupyterhub", "jupyterhub.auth", "kubespawner", "tornado", "tornado.web", "kubernetes")
    modules = {name: types.ModuleType(name) for name in names}
    modules["jupyterhub"].version_info = version
    modules["jupyterhub.auth"].Authenticator = types.SimpleNamespace(class_trait_names=lambda: TRAITS)
    modules["kubespawner"].KubeSpawner = types.SimpleNamespace(class_trait_names=lambda: ["delete_pvc"])
    modules["tornado.web"].HTTPError = Exception
    modules["kubernetes"].config = types.SimpleNamespace(
        ConfigException=LookupError, load_incluster_config=lambda: None
    )
    secret = types.SimpleNamespace(data={"hub.services.odh-persistency.apiToken": "dG9rZW4="})
    api = types.SimpleNamespace(read_namespaced_secret=lambda name, namespace: secret)
    modules["kubernetes"].client = types.SimpleNamespace(CoreV1Api=lambda: api)
    package = types.ModuleType("odh_persistency")
    configuration = types.ModuleType("odh_persistency.hub_configuration")
    configuration.configure = lambda *arguments: calls.append(arguments)
    settings = types.ModuleType("odh_persistency.hub_settings")
    settings.Runtime = lambda **arguments: types.SimpleNamespace(**arguments)
    modules |= {one.__name__: one for one in (package, configuration, settings)}
    before, path = {name: sys.modules.get(name) for name in modules}, list(sys.path)
    given_configuration = Configuration()
    given_configuration.JupyterHub.services = [{"name": "before"}]
    try:
        sys.modules.update(modules)
        exec(compile(text, "snippet", "exec"), {"c": given_configuration})
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
        sys.path[:] = path
    ((config, given_settings, runtime, section),) = calls
    assert config is given_configuration
    assert runtime.clock().tzinfo is timezone.utc
    assert runtime.hub_version == version[:2]
    assert runtime.has_trait("delete_pvc")
    return given_settings, section, given_configuration.sections


def settings_of(**changes):
    errors = []
    options = hub_options({**PARAMS, **changes}, errors)
    assert errors == []
    return options.settings


def errors_of(**changes):
    errors = []
    hub_options({**PARAMS, **changes}, errors)
    return errors


def values_text(settings, manages_groups=False, text=""):
    file = ValuesFile("values.yaml", text or None, text, not text)
    return merged(file, helm_entries(hub_package(), settings, manages_groups), settings, manages_groups)


def test_the_values_have_the_whole_package_and_the_settings():
    software = {"claim": "software", "environment": {"A": "1"}}
    settings = settings_of(home="static", mount_roots=["/data"], api_timeout=7, mount_points="init", software=software)
    values = yaml.safe_load(values_text(settings))
    files = {entry["mountPath"]: entry["stringData"] for entry in values["hub"]["extraFiles"].values()}
    sources = {path.name: path.read_text() for path in (ROOT / "plugins/module_utils/_hub").glob("*.py")}
    assert set(files) == {f"{FOLDER}/odh_persistency/{name}" for name in sources}
    assert all(files[f"{FOLDER}/odh_persistency/{name}"] == text for name, text in sources.items() if text)
    assert all(files.values())
    found, section, _sections = run(values["hub"]["extraConfig"]["zz-odh-persistency"])
    assert section == "KubeSpawner"
    assert found == {
        "namespace": "jupyterhub",
        "home": "static",
        "mount_roots": ["/data"],
        "timeout": 7,
        "mount_points": "init",
        "software": software,
    }


def test_the_hub_imports_every_file_of_the_package():
    """Ansible packs only what is imported into the archive of a module."""
    sources = {path.name for path in (ROOT / "plugins/module_utils/_hub").glob("*.py")}
    reached, waiting = {"__init__.py"}, ["hub_configuration.py"]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        for node in ast.walk(ast.parse((ROOT / "plugins/module_utils/_hub" / name).read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                names = [node.module] if node.module else [alias.name for alias in node.names]
                waiting += [f"{one}.py" for one in names if f"{one}.py" not in reached]
    assert reached == sources


def test_texts_are_blocks_so_that_a_diff_is_readable():
    text = values_text({})
    assert "\n    zz-odh-persistency: |\n      # Written by odh.persistency" in text
    assert "\\n" not in [line for line in text.splitlines() if "stringData" in line]
    assert text == values_text({})
    assert len(text.encode()) < MOST
    shown = described(helm_entries({"a.py": "x = 1\n"}, {}))
    assert "hub.extraFiles.odh-persistency-a: 6 bytes, SHA-256 " in shown
    assert "  from odh_persistency.hub_configuration import configure\n" in shown


def test_the_chart_accepts_the_values():
    if not SCHEMA.exists():
        pytest.skip(f"{SCHEMA} is missing: the chart's schema is not part of this repository")
    jsonschema = pytest.importorskip("jsonschema")
    values = yaml.safe_load(values_text({}, True))
    schema = yaml.safe_load(SCHEMA.read_text())
    chart = yaml.safe_load(SCHEMA.with_name("values.yaml").read_text())
    jsonschema.validate({**chart, "rbac": {"create": False}, "hub": {**chart["hub"], **values["hub"]}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**chart, "hub": {**chart["hub"], "extraFiles": {"x": {"stringData": ""}}}}, schema)


def test_the_service_may_read_servers_and_stop_them_and_nothing_else():
    hub = yaml.safe_load(values_text({}))["hub"]
    assert hub["services"] == {"odh-persistency": {}}
    role = hub["loadRoles"]["odh-persistency"]
    assert role["services"] == ["odh-persistency"]
    assert role["scopes"] == ["list:users", "read:users:groups", "read:servers", "delete:servers"]


def test_groups_are_managed_only_where_the_hub_knows_the_traits():
    text = hub_python({}, Surroundings("/x"), manages_groups=True)
    assert run(text)[2]["Authenticator"] == {"manage_groups": True, "refresh_pre_spawn": True}
    assert "Authenticator" not in run(hub_python({}, Surroundings("/x")))[2]


def test_an_old_hub_has_the_service_as_administrator_with_the_token_of_the_secret():
    text = hub_python({}, Surroundings("/x.zip", "OpenShiftSpawner", TokenSecret("secret", "hubs")))
    _settings, section, sections = run(text, (1, 5, 1, "", ""))
    assert section == "OpenShiftSpawner"
    service = {"name": "odh-persistency", "admin": True, "api_token": "token"}
    assert sections["JupyterHub"]["services"] == [{"name": "before"}, service]
    ast.parse(text, feature_version=(3, 8))


@given(
    st.dictionaries(st.text(max_size=8), st.text(max_size=40) | st.lists(st.text(max_size=20), max_size=3), max_size=4)
)
def test_no_text_breaks_out_of_the_configuration(settings):
    text = hub_python(settings, Surroundings("/x"), manages_groups=True)
    assert run(text)[0] == settings
    ast.parse(text, feature_version=(3, 8))
    entries = helm_entries({}, settings)
    values = yaml.safe_load(merged(ValuesFile("values.yaml", None, "", True), entries, {}, False))
    assert values["hub"]["extraConfig"]["zz-odh-persistency"] == entries["hub", "extraConfig"]["zz-odh-persistency"]


@given(st.text())
def test_a_home_path_arrives_as_it_is_or_is_rejected(path):
    errors = []
    options = hub_options({**PARAMS, "home_path": path}, errors)
    if not errors:
        assert run(hub_python(options.settings, Surroundings("/x")))[0]["home_path"] == path


@pytest.mark.parametrize(
    ("variables", "error"),
    [
        ({"namespace": "A"}, "`hub_namespace` is 'A', not the name of a namespace"),
        ({"servers_namespace": "A"}, "`hub_servers_namespace` is 'A', not the name of a namespace"),
        ({"service_account": "{{ x }}"}, "`hub_service_account` is '{{ x }}', not the name of a service account"),
        ({"values_file": None}, "`hub_values_file` is not set: set the path of the file of Helm values"),
        ({"flavor": "odh"}, "`hub_values_file` is set, but the flavor odh has no Helm values: remove it"),
        ({"policy": "maybe"}, "`hub_policy` is 'maybe', not one of home_only, deny"),
        ({"api_timeout": 0}, "`hub_api_timeout` is 0, not a number of seconds from 1 to 60"),
        (
            {"mount_roots": ["/home"]},
            "the root /home in `hub_mount_roots` is the home /home/jovyan, or above it: choose a root beside the home",
        ),
        ({"software": {"claim": "A b"}}, "`hub_software`: `claim` is 'A b', not the name of a claim"),
    ],
)
def test_wrong_options_are_one_sentence_each(variables, error):
    assert errors_of(**variables) == [error]


def test_open_data_hub_reads_the_access_list_where_its_servers_run():
    assert "namespace" not in settings_of(flavor="odh", values_file=None)
    assert settings_of(flavor="odh", values_file=None, servers_namespace="books")["namespace"] == "books"


def test_a_package_that_is_too_large_is_rejected():
    with pytest.raises(ValueError, match="the files of the hub take 513 KiB, but the limit is 512 KiB"):
        helm_entries({"a.py": "x" * 513 * 1024}, {})


def test_permissions_are_in_the_namespace_of_the_servers():
    found = hook_permissions(Account("jupyterhub-hub", "hubs"), "books", "token")
    placed = [(one["kind"], one["metadata"]["namespace"]) for _resource, one in found]
    assert placed == [("Role", "books"), ("RoleBinding", "books"), ("Role", "hubs"), ("RoleBinding", "hubs")]
    assert all(
        one["subjects"] == [{"kind": "ServiceAccount", "name": "jupyterhub-hub", "namespace": "hubs"}]
        for _resource, one in found
        if "subjects" in one
    )
    (rule,) = found[2][1]["rules"]
    assert rule == {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["token"], "verbs": ["get"]}


def test_the_roles_of_the_chart_follow_its_values():
    def roles(values):
        found = chart_permissions(values, Account("hub", "hubs"), "my")
        return {one["metadata"]["name"]: one for _resource, one in found if one["kind"].endswith("Binding")}

    names = set(roles({}))
    assert names == {
        "odh-persistency-chart-hub",
        "odh-persistency-hook-image-awaiter",
        "odh-persistency-user-scheduler-hubs",
    }
    values = {
        "fullnameOverride": None,
        "scheduling": {"userScheduler": {"enabled": False}},
        "prePuller": {"hook": {"serviceAccount": {"name": "puller"}}},
        "proxy": {"https": {"enabled": True, "hosts": ["hub.example.org"]}},
    }
    found = roles(values)
    subjects = {name: one["subjects"][0]["name"] for name, one in found.items()}
    assert subjects == {
        "odh-persistency-chart-hub": "hub",
        "odh-persistency-hook-image-awaiter": "puller",
        "odh-persistency-autohttps": "my-jupyterhub-autohttps",
    }


def test_the_hub_may_not_delete_claims_and_has_services_only_if_it_uses_them():
    def rules(values):
        ((_resource, role), *_rest) = chart_permissions(values, Account("hub", "hubs"), "my")
        return {name: rule["verbs"] for rule in role["rules"] for name in rule["resources"]}

    assert rules({}) == {
        "pods": ["get", "list", "watch", "create", "delete"],
        "persistentvolumeclaims": ["get", "list", "watch", "create"],
        "events": ["get", "list", "watch", "create"],
    }
    for hub in (
        {"config": {"KubeSpawner": {"services_enabled": True}}},
        {"config": {"Spawner": {"services_enabled": True}}},
        {"config": {"MySpawner": {"services_enabled": True}}},
        {"config": {"JupyterHub": {"internal_ssl": True}}},
        {"extraConfig": {"a": "c.KubeSpawner.services_enabled = True"}},
        {"extraConfig": {"a": "c.JupyterHub.internal_ssl = True"}},
        {"extraConfig": {"a": "c.KubeSpawner.services_enabled = decided()"}},
        {"extraConfig": {"a": "configured(c)"}},
    ):
        with_services = rules({"hub": hub})
        assert with_services["services"] == with_services["secrets"] == ["get", "list", "watch", "create", "delete"]
    for hub in (
        {"config": {"KubeSpawner": {"services_enabled": False}}},
        {"extraConfig": {"a": "c.KubeSpawner.services_enabled = True\nc.KubeSpawner.services_enabled = False"}},
    ):
        assert "services" not in rules({"hub": hub})


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "hub"),
        ({"hub": {"serviceAccount": {"name": "my-hub"}}}, "my-hub"),
        ({"hub": {"serviceAccount": {"create": False}}}, "default"),
        ({"fullnameOverride": None}, "my-jupyterhub-hub"),
        ({"fullnameOverride": "lab"}, "lab-hub"),
    ],
)
def test_the_service_account_of_the_hub_is_that_of_the_values(values, name):
    assert hub_account(values, "my") == name


def test_the_service_account_of_the_servers_is_that_of_the_values():
    assert server_account({}) == "default"
    named = {"singleuser": {"serviceAccountName": "users"}}
    assert server_account(named) == "users"
    assert server_account({**named, "hub": {"config": {"KubeSpawner": {"service_account": "other"}}}}) == "other"


def test_the_access_list_says_whether_the_hub_must_manage_groups():
    def share(group, **more):
        return {"read": {"groups": [group]}, "write": {"groups": []}, **more}

    assert names_hub_groups({"a": share("analysts"), "b": share("hub:analysts")})
    assert not names_hub_groups({"a": share("analysts")})
    assert shares_by_gid({"a": share("x", gid=5), "b": share("x", gid=5), "c": share("x")}) == {5: ["a", "b"]}


def test_the_version_of_the_chart_is_that_of_the_label():
    assert chart_version({"helm.sh/chart": "jupyterhub-4.4.0"}, "jupyterhub/jupyterhub") == "4.4.0"
    assert chart_version({"chart": "jupyterhub-4.4.0-0.dev_git.1"}, "jupyterhub") == "4.4.0-0.dev+git.1"
    assert chart_version({"chart": "other-1"}, "jupyterhub") is None


RANGE = {"openshift.io/sa.scc.supplemental-groups": "1000620000/10000", "openshift.io/sa.scc.uid-range": "5/2"}
RESTRICTED = {"supplementalGroups": {"type": "MustRunAs"}}


def test_openshift_allows_gids_in_the_range_of_the_namespace():
    ranges = ranges_of_namespace(RANGE)
    gids = {1000620000: ["a"], 1000629999: ["b"], 1000630000: ["c"]}
    (error,) = gid_errors(gids, "hubs", ranges, [RESTRICTED])
    assert error.startswith("gid 1000630000 of share c is outside of the range 1000620000/10000 that OpenShift allows")
    assert gid_errors(gids, "hubs", ranges, [RESTRICTED, {"supplementalGroups": {"type": "RunAsAny"}}]) == []
    own = {"supplementalGroups": {"type": "MustRunAs", "ranges": [{"min": 1000630000, "max": 1000630000}]}}
    assert gid_errors(gids, "hubs", ranges, [RESTRICTED, own]) == []


def test_openshift_takes_the_range_of_users_if_there_is_none_of_groups():
    assert ranges_of_namespace({"openshift.io/sa.scc.uid-range": "5/2"})[0][:2] == (5, 6)
    assert [one[:2] for one in ranges_of_namespace({"openshift.io/sa.scc.supplemental-groups": "1-3,7/1"})] == [
        (1, 3),
        (7, 7),
    ]
    assert ranges_of_namespace({}) is None
    assert ranges_of_namespace({"openshift.io/sa.scc.uid-range": f"{'1' * 5000}/2"}) == []


def test_the_role_knows_the_variables_that_it_documents():
    known = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__hub_variables"]
    options = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert known == sorted(options)
    assert all(f"| `{name}` |" in (ROLE / "README.md").read_text() for name in known)
