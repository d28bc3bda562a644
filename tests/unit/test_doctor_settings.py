"""The settings of a hub, read from Helm values and Python text without running anything."""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.doctor.chart import (
    chart_settings,
    merged,
    package_files,
    server_labels,
    service_account,
    version_numbers,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.doctor.classic_odh import (
    odh_package,
    odh_settings,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.doctor.python_settings import (
    COMPUTED,
    OUR_HOOK,
    OUR_HOOKS,
    OUR_TRAITS,
    python_settings,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.doctor.settings import UNSET, settings_of
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.helm_values import helm_entries
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.hub_python import GROUP_TRAITS
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.odh import ConfigMapContent, odh_python
from ansible_collections.odh.persistency.plugins.module_utils._hub.hub_configuration import configure
from ansible_collections.odh.persistency.plugins.module_utils._hub.hub_settings import Runtime
from ansible_collections.odh.persistency.plugins.module_utils._io.files.hub_package import hub_package
from hypothesis import given
from hypothesis import strategies as st

HOOK = """
from odh_persistency.hub_configuration import configure
configure(c, json.loads('{"home": "claim"}'), Runtime())
"""


def value(text, trait="delete_pvc", section="KubeSpawner"):
    return settings_of(python_settings([("x", text)])).lookup([section, "Spawner"], trait).value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", UNSET),
        ("c.KubeSpawner.delete_pvc = False", False),
        ("c.KubeSpawner.delete_pvc: bool = True", True),
        ("c['KubeSpawner'].delete_pvc = False", False),
        ("c.KubeSpawner['delete_pvc'] = False", False),
        ("c.Spawner.delete_pvc = True\nc.KubeSpawner.delete_pvc = False", False),
        ("c.KubeSpawner.delete_pvc = False\nc.Spawner.delete_pvc = True", False),
        ("c.KubeSpawner.delete_pvc = False\nc.KubeSpawner.delete_pvc = True", True),
        ("c.KubeSpawner.update({'delete_pvc': False})", False),
        ("c.KubeSpawner.update(delete_pvc=False)", False),
        ("c.KubeSpawner.update({'delete_pvc': False, 'cmd': f()})", False),
        ("c.KubeSpawner = {'delete_pvc': False}", False),
        ("setattr(c.KubeSpawner, 'delete_pvc', False)", False),
        ("c = get_config()\nspawner = c.KubeSpawner\nspawner.delete_pvc = False", False),
        ("config = get_config()\nconfig.KubeSpawner.delete_pvc = False", False),
        ("get_config().KubeSpawner.delete_pvc = False", False),
        ("other = c\nother.KubeSpawner.delete_pvc = False", False),
        ("with x:\n    c.KubeSpawner.delete_pvc = False", False),
        ("for t in ('a', 'delete_pvc'):\n    c.KubeSpawner[t] = False", False),
        (
            "for t in ['delete_pvc']:\n    if t in K.class_trait_names():\n        setattr(c.KubeSpawner, t, False)",
            False,
        ),
        ("c.JupyterHub.base_url = c.JupyterHub.get('base_url')", UNSET),
        ("c.KubeSpawner.volumes.append({})", UNSET),
        ("print(c.KubeSpawner.delete_pvc)", UNSET),
        (HOOK, False),
        # What only the hub knows.
        ("c.KubeSpawner.delete_pvc = f()", COMPUTED),
        ("c.KubeSpawner.delete_pvc = not True", COMPUTED),
        ("if x:\n    c.KubeSpawner.delete_pvc = False", COMPUTED),
        ("if t in K.class_trait_names():\n    pass\nelse:\n    c.KubeSpawner.delete_pvc = False", COMPUTED),
        ("try:\n    pass\nexcept E:\n    c.KubeSpawner.delete_pvc = True", COMPUTED),
        ("def f():\n    c.KubeSpawner.delete_pvc = True", COMPUTED),
        ("while x:\n    c.KubeSpawner.delete_pvc = False", COMPUTED),
        ("for x in y:\n    c.KubeSpawner.delete_pvc = False", COMPUTED),
        ("for s in (c.KubeSpawner, c.Spawner):\n    s.delete_pvc = False", COMPUTED),
        ("del c.KubeSpawner.delete_pvc", COMPUTED),
        ("c.KubeSpawner.delete_pvc = False\nc.KubeSpawner.delete_pvc |= True", COMPUTED),
        ("c.KubeSpawner.delete_pvc, x = False, 1", COMPUTED),
        ("c.KubeSpawner = f()", COMPUTED),
        ("c.KubeSpawner.update(f())", COMPUTED),
        ("c.KubeSpawner.update(**f())", COMPUTED),
        ("c[name].delete_pvc = False", COMPUTED),
        ("setattr(c.KubeSpawner, name, False)", COMPUTED),
        ("set_config_if_not_none(c.KubeSpawner, 'delete_pvc', 'custom.x')", COMPUTED),
        ("c.KubeSpawner.setdefault('delete_pvc', False)", COMPUTED),
        ("x = [c.KubeSpawner.pop('delete_pvc')]", COMPUTED),
        ("x = g(get_config())", COMPUTED),
        # It may have set the section that wins.
        ("f(c)\nc.Spawner.delete_pvc = False", COMPUTED),
        ("f(c)", COMPUTED),
        ("f(c.KubeSpawner)", COMPUTED),
        ("x = g(1, [c])", COMPUTED),
        ("c.merge({})", COMPUTED),
        ("exec(open('x').read())", COMPUTED),
        ("load_subconfig('x.py')", COMPUTED),
        ("c.KubeSpawner.delete_pvc = False\nf(c)", COMPUTED),
        ("c.KubeSpawner.delete_pvc =", COMPUTED),
        ("x" * 5000 + " = " + "(" * 500, COMPUTED),
        ("\0", COMPUTED),
    ],
)
def test_a_simple_assignment_has_a_value_and_everything_else_is_computed(text, expected):
    found = value(text)
    assert found is expected or found == expected


def test_what_another_trait_is_set_to_does_not_matter():
    assert value("c.KubeSpawner.cmd = f()\nc.KubeSpawner.delete_pvc = False") is False
    assert value("c.JupyterHub.spawner_class = f(c.JupyterHub)\nc.KubeSpawner.delete_pvc = False") is False
    assert value("f(c)\nc.KubeSpawner.delete_pvc = False") is False


def test_a_spawner_class_of_the_configuration_wins():
    text = "class Mine(KubeSpawner):\n    cmd = 1\nc.KubeSpawner.delete_pvc = False\nc.Mine.delete_pvc = True"
    settings = settings_of(python_settings([("x", text)]))
    assert settings.spawners == ("Mine", "KubeSpawner", "Spawner")
    assert settings.spawner("delete_pvc").value is True
    assert settings.spawner("cmd").value is COMPUTED


def test_the_call_of_the_spawn_hook_sets_hooks_and_traits_in_its_section():
    settings = settings_of(python_settings([("x", HOOK.replace("Runtime()", "Runtime(), 'OpenShiftSpawner'"))]))
    (hook,) = settings.hooks
    assert hook.section == "OpenShiftSpawner"
    assert hook.settings == '{"home": "claim"}'
    assert settings.lookup(["OpenShiftSpawner"], "modify_pod_hook").value is OUR_HOOK
    assert settings.lookup(["OpenShiftSpawner"], "remember_pvc_name").value is False
    assert settings.lookup(["KubeSpawner"], "modify_pod_hook").value is UNSET
    # A function of the same name is another one.
    assert not python_settings([("x", "from mine import configure\nconfigure(c, {}, 1)")]).hooks


def test_places_name_the_source_and_the_line():
    settings = settings_of(python_settings([("extraConfig 10-a", "\n\nc.KubeSpawner.delete_pvc = False")]))
    assert settings.spawner("delete_pvc").place == "extraConfig 10-a, line 3"


def test_items_of_a_list():
    def items(text):
        return settings_of(python_settings([("x", text)])).items("JupyterHub", "load_roles")

    roles = "c.JupyterHub.load_roles"
    assert items(f"{roles} = [1]\n{roles}.append(2)\n{roles}.extend([3])\n{roles} += [4]") == ([1, 2, 3, 4], "")
    assert items(f"{roles} = f()") == ([], "x, line 1")
    assert items(f"{roles} = [1]\n{roles}.append(f())") == ([1], "x, line 2")
    assert items(f"{roles}.append(f())\n{roles} = [1]") == ([1], "")
    assert items(f"if x:\n    {roles} += [1]") == ([], "x, line 2")
    assert items(f"{roles} = [1]\nf(c)") == ([1], "x, line 2")
    assert items(f"{roles} = [1]\n{roles}.insert(0, 2)")[1] == "x, line 2"


@given(st.text(max_size=60))
def test_any_text_is_read_without_an_error(text):
    python_settings([("x", text)])


def test_texts_share_their_names():
    texts = [("a", "spawner = c.KubeSpawner"), ("b", "x ="), ("c", "spawner.delete_pvc = True")]
    settings = settings_of(python_settings(texts))
    assert settings.spawner("delete_pvc") == (True, "c, line 1")
    assert settings.spawner("cmd") == (COMPUTED, "b (not valid Python)")


@given(st.lists(st.sampled_from(["False", "True", "f()"]), min_size=1, max_size=6))
def test_the_last_assignment_wins(values):
    text = "\n".join(f"c.KubeSpawner.delete_pvc = {one}" for one in values)
    assert value(text) is {"False": False, "True": True, "f()": COMPUTED}[values[-1]]


# -- the chart's values ----------------------------------------------------------------------------------------------------


def test_sources_of_the_chart_run_in_its_order():
    folder = "/usr/local/etc/jupyterhub/jupyterhub_config.d"
    values = {
        "hub": {
            "config": {"KubeSpawner": {"delete_pvc": True, "cmd": 1}, "JupyterHub": None},
            "extraConfig": {"b": "c.KubeSpawner.delete_pvc = 4", "a": "c.KubeSpawner.delete_pvc = 3"},
            "extraFiles": {
                "x": {
                    "mountPath": f"{folder}/1.py",
                    "stringData": "c.KubeSpawner.delete_pvc = 2\nc.KubeSpawner.args = 1",
                },
                "y": {"mountPath": "/elsewhere/2.py", "stringData": "c.KubeSpawner.delete_pvc = 9"},
                "z": {
                    "mountPath": f"{folder}/0.py",
                    "binaryData": base64.b64encode(b"c.KubeSpawner.args = 0").decode(),
                },
            },
            "consecutiveFailureLimit": 7,
        },
        "singleuser": {"fsGid": 100},
    }
    settings = chart_settings(values)
    assert settings.spawner("delete_pvc") == (4, "extraConfig b, line 1")
    assert settings.spawner("args").value == 1
    assert settings.spawner("cmd") == (1, "the value hub.config.KubeSpawner.cmd")
    assert settings.spawner("fs_gid").value == 100
    assert settings.spawner("consecutive_failure_limit").value == 7


@pytest.mark.parametrize(
    "hub",
    [
        {"args": ["jupyterhub"]},
        {"command": ["x"]},
        {"extraVolumeMounts": [{"mountPath": "/usr/local/etc/jupyterhub/jupyterhub_config.d"}]},
        {"extraVolumeMounts": [{"mountPath": "/usr/local/etc/jupyterhub/./jupyterhub_config.d/"}]},
        {"extraFiles": {"a": {"mountPath": "/usr/local/etc/jupyterhub/jupyterhub_config.d/a.py", "binaryData": "%"}}},
        {"extraFiles": {"a": {"mountPath": "/usr/local/etc/jupyterhub//jupyterhub_config.d/a.py", "binaryData": "%"}}},
    ],
)
def test_sources_that_cannot_be_read_make_values_unknown(hub):
    assert chart_settings({"hub": hub}).spawner("delete_pvc").value is COMPUTED
    assert chart_settings({"hub": {**hub, "extraConfig": {"a": HOOK}}}).spawner("delete_pvc").value is False


def test_a_file_over_the_configuration_makes_everything_unknown():
    files = {"a": {"mountPath": "/usr/local/etc/jupyterhub/jupyterhub_config.py", "stringData": "x = 1"}}
    for other in ({"extraFiles": files}, {"extraVolumeMounts": [{"mountPath": "/usr/local/etc/jupyterhub"}]}):
        hub = {**other, "extraConfig": {"a": HOOK}}
        assert chart_settings({"hub": hub}).spawner("delete_pvc").value is COMPUTED


@pytest.mark.parametrize(
    "values", [{}, {"hub": None}, {"hub": []}, {"hub": {"config": 1, "extraFiles": 2, "loadRoles": 3}}]
)
def test_values_of_other_types_are_ignored(values):
    settings = chart_settings(values)
    assert settings.spawner("delete_pvc").value is UNSET
    assert package_files(values) == {}
    assert service_account(values, "hub") == "hub"
    assert server_labels(values)["component"] == "singleuser-server"


def test_values_of_an_existing_secret_are_merged():
    assert merged({"a": {"b": 1, "c": 2}, "d": 1}, {"a": {"b": 3}, "d": {}}) == {"a": {"b": 3, "c": 2}, "d": {}}


def test_service_accounts_of_the_chart():
    assert service_account({"hub": {"serviceAccount": {"create": False}}}, "hub") == "default"
    assert service_account({"hub": {"serviceAccount": {"name": "mine"}}}, "hub") == "mine"
    assert service_account({"hub": {"serviceAccount": {"create": True}}}, "a-hub") == "a-hub"


def test_labels_of_servers():
    values = {
        "Release": {"Name": "r"},
        "Chart": {"Name": "jupyterhub"},
        "singleuser": {"extraLabels": {"a": "b", "u": "{username}"}},
    }
    labels = server_labels(values)
    assert labels["release"] == "r"
    assert labels["a"] == "b"
    assert "u" not in labels


def test_versions():
    assert version_numbers("5.5.0") == (5, 5)
    assert version_numbers("v6.1.0.dev") == (6, 1)
    assert version_numbers("latest") == ()


def test_what_the_role_renders_is_recognised():
    values: dict = {}
    for path, keys in helm_entries(hub_package(), {"namespace": "jupyterhub"}, manages_groups=True).items():
        values.setdefault(path[0], {})[path[1]] = keys
    settings = chart_settings(values)
    assert settings.spawner("modify_pod_hook").value is OUR_HOOK
    assert settings.spawner("delete_pvc").value is False
    folder = Path(__file__).resolve().parents[2] / "plugins/module_utils/_hub"
    assert set(package_files(values)) == {path.name for path in folder.glob("*.py")}
    for trait in GROUP_TRAITS:
        assert settings.lookup(["Authenticator"], trait).value is True
    roles, doubt = settings.items("JupyterHub", "load_roles")
    assert [role["name"] for role in roles] == ["odh-persistency"]
    assert not doubt


def test_what_the_role_renders_for_classic_open_data_hub_is_recognised():
    package = hub_package()
    content = ConfigMapContent({"jupyterhub_config.py": "c.JupyterHub.x = 1"}, {}).with_ours(
        odh_python({"namespace": "n"}, "n", manages_groups=True), package
    )
    config_map = {"data": content.data, "binaryData": content.binary_data}
    settings = odh_settings(config_map)
    assert settings.spawners[0] == "OpenShiftSpawner"
    assert settings.spawner("modify_pod_hook").value is OUR_HOOK
    assert [hook.settings for hook in settings.hooks] == ['{"namespace": "n"}']
    assert settings.lookup(["Authenticator"], "manage_groups").value is True
    assert odh_package(config_map) == package


# -- classic Open Data Hub -------------------------------------------------------------------------------------------------


def archive(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as written:
        for name, text in files.items():
            written.writestr(name, text)
    return base64.b64encode(buffer.getvalue()).decode()


def test_what_the_image_sets_is_unknown():
    settings = odh_settings({"data": {"jupyterhub_config.py": "c.OpenShiftSpawner.delete_pvc = False"}})
    assert settings.spawner("delete_pvc").value is False
    found = settings.spawner("enable_user_namespaces")
    assert found.value is COMPUTED
    assert "image" in found.place
    assert odh_settings({}).spawner("delete_pvc").value is COMPUTED


def test_the_section_of_classic_open_data_hub_wins():
    text = "c.OpenShiftSpawner.delete_pvc = True\nc.KubeSpawner.delete_pvc = False"
    assert odh_settings({"data": {"jupyterhub_config.py": text}}).spawner("delete_pvc").value is True


def test_the_package_is_read_from_the_archive():
    content = archive({"odh_persistency/access.py": "x", "odh_persistency/__init__.py": "", "other/a.py": "y"})
    assert odh_package({"binaryData": {"a.zip": content, "b": "bm8gemlw"}}) == {"access.py": "x", "__init__.py": ""}
    assert odh_package({"binaryData": {"a.zip": "%"}}) == {}
    assert odh_package({}) == {}


def test_an_archive_that_is_too_large_is_not_unpacked():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("odh_persistency/a.py", "x" * (9 * 1024 * 1024))
    assert odh_package({"binaryData": {"a.zip": base64.b64encode(buffer.getvalue()).decode()}}) == {}


def test_the_traits_are_those_that_the_package_sets():
    class Section(dict):
        def __setattr__(self, name, value):
            self[name] = value

    class Configuration(dict):
        def __missing__(self, name):
            self[name] = Section()
            return self[name]

    config = Configuration()
    runtime = Runtime(Exception, lambda: None, lambda value: value, (5, 5), lambda trait: True)
    configure(config, {}, runtime)
    section = config["KubeSpawner"]
    assert set(section) == {*OUR_HOOKS, *OUR_TRAITS}
    assert {trait: section[trait] for trait in OUR_TRAITS} == OUR_TRAITS
