"""Our keys in a file of Helm values that has others: they stay, conflicts are rejected, and going back restores the file."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.helm_values import helm_entries
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.marked_lines import stripped
from ansible_collections.odh.persistency.plugins.module_utils._io.files.values_file import (
    merged,
    read_values,
    values_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

ENTRIES = helm_entries({"a.py": "x = 1\n", "__init__.py": ""}, {"namespace": "hubs"})
REPLACE = {**ENTRIES, ("rbac",): {"create": False}}


@pytest.fixture
def write(tmp_path):
    """`write(text)`: a file with this text, read."""

    def made(text):
        path = tmp_path / "values.yaml"
        path.write_bytes(text.encode())
        return read_values(str(path))

    return made


def with_ours(file, entries=ENTRIES, hub_settings=None, manages_groups=False):
    return merged(file, entries, hub_settings or {}, manages_groups)


FILES = [
    "",
    "# only a comment\n",
    "---\n# a comment\n",
    "# head\nhub:\n  # about the image\n  image: {tag: x}   # here\nsingleuser:\n  image: {name: y}\n",
    "hub:\n    extraConfig:\n        mine: |\n            c.A.b = 1\n\n        # the end\n    services: {}\nproxy: {}\n",
    "hub:\n  extraConfig: {}  # nothing yet\n  extraFiles:\n  services: null\n  loadRoles: ~\n",
    "hub: {}\n",
    "hub:\n",
    "proxy:\n  secretToken: x",
    "hub:\r\n  extraConfig:\r\n    a: x\r\n",
    "---\nproxy:\n- x\nhub:\n  config:\n    A: {b: 1}\n...\n",
    "a: |\n  # odh.persistency is mentioned\nhub:\n  extraEnv: {}\n",
    "null\n",  # helm get values, for a release without any
    "# none\n{}  # yet\n",
    "---\n{}\n...\n",
]


@pytest.mark.parametrize("text", FILES)
def test_keys_of_others_stay_and_going_back_restores_every_byte(write, text):
    file = write(text)
    assert file.base == text
    found = with_ours(file, REPLACE)
    data = yaml.safe_load(found)
    for path, keys in REPLACE.items():
        place = data
        for key in path:
            place = place[key]
        assert {key: place[key] for key in keys} == keys
    for key, value in values_of(file).items():
        assert key == "hub" or data[key] == value
    kept = [line for line in text.splitlines() if line.strip() and "{}" not in line and "null" not in line]
    assert [line for line in kept if line not in found.splitlines() and line not in ("hub:", "  loadRoles: ~")] == [
        line for line in kept if line == "  extraFiles:"
    ]
    again = write(found)
    assert again.base == text
    assert again.restored == text
    assert with_ours(again, REPLACE) == found


def test_a_file_that_did_not_exist_is_deleted_again(tmp_path):
    path = tmp_path / "values.yaml"
    file = read_values(str(path))
    assert (file.text, file.restored) == (None, None)
    path.write_text(with_ours(file))
    assert path.read_text().startswith("hub:  # odh.persistency: added\n")
    again = read_values(str(path))
    assert again.restored is None
    path.write_text(path.read_text() + "proxy: {}\n")
    assert read_values(str(path)).restored == "proxy: {}\n"


def test_a_new_version_replaces_what_the_old_one_added(write):
    old = with_ours(write("hub:\n  a: 1\n"), helm_entries({"old.py": "x = 1\n"}, {}))
    assert with_ours(write(old)) == with_ours(write("hub:\n  a: 1\n"))


def test_keys_that_others_put_below_ours_stay(write):
    text = with_ours(write("proxy: {}\n"))
    text = text.replace("hub:  # odh.persistency: added\n", "hub:  # odh.persistency: added\n  image: {tag: x}\n")
    assert write(text).base == "hub:\n  image: {tag: x}\nproxy: {}\n"


def test_an_empty_document_does_not_come_back_when_others_have_added_keys(write):
    text = with_ours(write("null\n"))
    for added in (text + "proxy: {}\n", "proxy: {}\n" + text):
        assert write(added).base == "proxy: {}\n"
    within = text.replace("hub:  # odh.persistency: added\n", "hub:  # odh.persistency: added\n  image: {tag: x}\n")
    assert write(within).base == "hub:\n  image: {tag: x}\n"


@pytest.mark.parametrize("theirs", ["culler: {}", "other: null", "other:", "other: [a]", "1: x", "<<: {a: b}"])
def test_keys_of_others_between_our_comments_are_rejected_whatever_their_value(write, theirs):
    text = with_ours(write("proxy: {}\n"))
    text = text.replace("    odh-persistency: {}\n", f"    odh-persistency: {{}}\n    {theirs}\n")
    with pytest.raises(
        ValueError, match=rf"`hub.services.{theirs.partition(':')[0]}` in line \d+ is between the comments"
    ):
        write(text)


def test_a_key_that_we_added_and_that_has_lost_its_content_is_removed(write):
    assert write("hub:  # odh.persistency: added\nproxy: {}\n").base == "proxy: {}\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("- a\n", "is no YAML mapping, as Helm values are, but a list: correct it, or correct `hub_values_file`"),
        ("text\n", "is no YAML mapping, as Helm values are, but a text"),
        ("a: [\n", "is not valid YAML (line 2: "),
        ("a: !!bool x\n", "is not valid YAML: correct it"),
        ("a: !!int ''\n", "is not valid YAML: correct it"),
        ("a: 1\n---\nb: 1\n", "is not valid YAML (line 2: "),
        ("hub: {}\nproxy: {}\nhub:\n  a: 1\n", "`hub` is in line 1 and again in line 3: merge both into one"),
        ("hub:\n  config:\n    A: {b: 1}\n    A: {}\n", "`hub.config.A` is in line 3 and again in line 4: merge both"),
        ("# odh.persistency: begin\n", "'# odh.persistency: begin' in line 1 has no '# odh.persistency: end'"),
        ("a: 1\n# odh.persistency: end\n", "'# odh.persistency: end' in line 2 has no '# odh.persistency: begin'"),
        (
            "hub:\n  # odh.persistency: begin\n  image: x\n  # odh.persistency: end\n",
            "`hub.image` in line 3 is between the comments of this role, and does not belong to it: move it",
        ),
    ],
)
def test_files_that_are_no_values_are_rejected(write, text, error):
    with pytest.raises(ValueError, match=r"values\.yaml") as raised:
        write(text)
    assert error in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_is_no_file_of_values(tmp_path):
    with pytest.raises(
        ValueError, match=r"is a folder: set `hub_values_file` to a file of Helm values in it\Z"
    ) as raised:
        read_values(str(tmp_path))
    assert str(raised.value).startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "hub:\n  extraConfig:\n    zzz: |\n      x = 1\n      c.KubeSpawner.modify_pod_hook = f\n",
            "`hub.extraConfig.zzz` sets modify_pod_hook in line 5, after the spawn hook, which must be last",
        ),
        (
            "hub:\n  config:\n    KubeSpawner:\n      modify_pod_hook: my.hook\n",
            "`hub.config.KubeSpawner.modify_pod_hook` in line 4 is 'my.hook', and a hook is a Python function",
        ),
        (
            "hub:\n  config:\n    Spawner:\n      pre_spawn_hook: my.hook\n",
            "`hub.config.Spawner.pre_spawn_hook` in line 4 is 'my.hook'",
        ),
        (
            "singleuser:\n  profileList:\n    - display_name: a\n      kubespawner_override:\n        modify_pod_hook: null\n",
            "`singleuser.profileList[0].kubespawner_override.modify_pod_hook`, below line 2, replaces a hook, and a hook is a",
        ),
        (
            "hub:\n  config:\n    KubeSpawner:\n      profile_list:\n        - profile_options:\n            a:\n"
            "              choices:\n                b:\n                  kubespawner_override: {pre_spawn_hook: x}\n",
            "`hub.config.KubeSpawner.profile_list[0].profile_options.a.choices.b.kubespawner_override.pre_spawn_hook`, below",
        ),
        (
            "hub:\n  config:\n    Spawner:\n      group_overrides:\n        x: {spawner_override: {modify_pod_hook: x}}\n",
            "`hub.config.Spawner.group_overrides.x.spawner_override.modify_pod_hook`, below line 4, replaces a hook",
        ),
        (
            "singleuser:\n  storage:\n    homeMountPath: /home/x\n",
            "`singleuser.storage.homeMountPath` in line 3 is '/home/x', but `hub_home_path` is /home/jovyan",
        ),
        (
            "singleuser:\n  storage:\n    type: static\n",
            "`singleuser.storage.type` in line 3 is static, but `hub_home` is claim: set `hub_home: static`",
        ),
        (
            "hub:\n  services:\n    odh-persistency:\n      admin: true\n",
            "`hub.services.odh-persistency` in line 3 is not between the comments of this role: remove it",
        ),
        (
            "rbac:\n  create: true\n",
            "`rbac.create` in line 2 is true, and `hub_rbac: replace` needs false: remove it, or set `hub_rbac: chart`",
        ),
        (
            "hub:\n  config:\n    Authenticator: {manage_groups: false}\n",
            "`hub.config.Authenticator.manage_groups` in line 3 is false, but the access list names groups of the hub",
        ),
        (
            'common: &c {zzz: "c.KubeSpawner.modify_pod_hook = f"}\nhub:\n  extraConfig:\n    <<: *c\n    a: x\n',
            "`hub.extraConfig.zzz` sets modify_pod_hook in line 3, after the spawn hook, which must be last",
        ),
        (
            "k: &k |\n  c.KubeSpawner.modify_pod_hook = f\nhub:\n  extraConfig:\n    zzz: *k\n",
            "`hub.extraConfig.zzz` sets modify_pod_hook in line 2",
        ),
        (
            "k: &k {modify_pod_hook: my.hook}\nhub:\n  config:\n    KubeSpawner: *k\n",
            "`hub.config.KubeSpawner.modify_pod_hook` in line 4 is 'my.hook'",
        ),
        (
            "k: &k {manage_groups: false}\nhub:\n  config:\n    Authenticator:\n      <<: *k\n      a: 1\n",
            "`hub.config.Authenticator.manage_groups` in line 4 is false",
        ),
        (
            "s: &s {type: static}\nsingleuser:\n  storage: *s\n",
            "`singleuser.storage.type` in line 3 is static, but `hub_home` is claim",
        ),
        (
            "c: &c\n  odh-persistency: {admin: true}\nhub:\n  services:\n    <<: *c\n    x: {}\n",
            "`hub.services.odh-persistency` in line 4 is not between the comments of this role",
        ),
        (
            "hub:\n  extraConfig:\n    zzz: |\n      s = '#'; c.KubeSpawner.modify_pod_hook = f\n",
            "`hub.extraConfig.zzz` sets modify_pod_hook in line 4",
        ),
        (
            "hub:\n  extraConfig:\n    zzz: |\n      x = 1\n      c.KubeSpawner.delete_pvc = True\n",
            "`hub.extraConfig.zzz` sets KubeSpawner.delete_pvc in line 5, after the configuration of this role: give it a name",
        ),
        (
            "hub:\n  extraConfig:\n    a: k = c.KubeSpawner\n    zzz: k.delete_pvc = f()\n",
            "`hub.extraConfig.zzz` sets KubeSpawner.delete_pvc in line 4",
        ),
        ("hub:\n  extraConfig:\n    zzz: c.JupyterHub.spawner_class = My\n", "sets JupyterHub.spawner_class in line 3"),
        (
            "hub:\n  extraConfig:\n    zzz: c.Authenticator.manage_groups = False\n",
            "sets Authenticator.manage_groups in",
        ),
        (
            "hub:\n  extraConfig:\n    a: c.Authenticator.auth_refresh_age = 0\n",
            "`hub.extraConfig.a` sets Authenticator.auth_refresh_age to 0 in line 3, which disables the refresh of groups",
        ),
        (
            "hub:\n  config:\n    MyAuthenticator:\n      auth_refresh_age: 0\n",
            "`hub.config.MyAuthenticator.auth_refresh_age` in line 4 is 0, which disables the refresh of groups at each start",
        ),
        (
            "hub:\n  extraFiles:\n    mine:\n      mountPath: /usr/local/etc/jupyterhub//jupyterhub_config.py\n",
            "`hub.extraFiles.mine` in line 3 replaces the chart's configuration, which runs that of this role: mount it",
        ),
        (
            "hub:\n  extraVolumeMounts:\n    - {name: x, mountPath: /usr/local/etc/jupyterhub/}\n",
            "`hub.extraVolumeMounts` in line 2 replaces the chart's configuration",
        ),
        ("{\n}\n", "the value in line 1 is no mapping with keys on lines of their own: write it as one"),
        ("# x\n--- null\n", "the value in line 2 is no mapping with keys on lines of their own: write it as one"),
        ("hub: {image: x}\n", "`hub` in line 1 is no mapping with keys on lines of their own: write it as one"),
        ("hub:\n  extraConfig: text\n", "`hub.extraConfig` in line 2 is no mapping with keys on lines of their own"),
        ("x: &x {a: {}}\nhub:\n  extraConfig: *x\n", "`hub.extraConfig` in line 3 is no mapping with keys on lines"),
        ("x: &x\n  services: {a: {}}\nhub:\n  <<: *x\n  b: 1\n", "has a form that nothing can be added to"),
    ],
)
def test_conflicts_are_rejected_with_their_line(write, text, error):
    with pytest.raises(ValueError, match=r"values\.yaml") as raised:
        with_ours(write(text), REPLACE, manages_groups=True)
    assert error in str(raised.value)


def test_hooks_that_can_be_chained_are_no_conflict(write):
    text = (
        "hub:\n  extraConfig:\n    first: |\n      c.KubeSpawner.modify_pod_hook = f\n"
        "    zzz: |\n      # modify_pod_hook is ours\n      c.JupyterHub.my_modify_pod_hooks = 1\n"
        "      c.KubeSpawner.delete_pvc = False\n      c.Authenticator.auth_refresh_age = 60\n"
        "    a: c.JupyterHub.spawner_class = My\n  extraVolumeMounts:\n    - {name: x, mountPath: /srv/x}\n"
        "rbac:\n  create: false\nsingleuser:\n  storage:\n    homeMountPath: /home/jovyan\n    type: dynamic\n"
    )
    found = yaml.safe_load(with_ours(write(text), REPLACE, manages_groups=True))
    assert found["rbac"] == {"create": False}
    assert set(found["hub"]["extraConfig"]) == {"a", "first", "zzz", "zz-odh-persistency"}


NAMES = st.sampled_from(
    ["hub", "extraFiles", "extraConfig", "services", "loadRoles", "rbac", "singleuser", "x y", "{{ a }}"]
)
LEAVES = st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=30) | st.just("a\n\n  b\n") | st.just({})
TREES = st.recursive(
    st.dictionaries(NAMES, LEAVES, max_size=3),
    lambda below: st.dictionaries(NAMES, LEAVES | below | st.lists(below, max_size=2), max_size=4),
    max_leaves=12,
)


@settings(max_examples=150)
@given(tree=TREES, flow=st.sampled_from([False, None]), indent=st.integers(2, 4))
def test_any_file_is_restored_or_rejected(tmp_path_factory, tree, flow, indent):
    path = tmp_path_factory.mktemp("values") / "values.yaml"
    text = yaml.safe_dump(tree, default_flow_style=flow, indent=indent, allow_unicode=True)
    path.write_bytes(text.encode())
    try:
        file = read_values(str(path))
        found = with_ours(file)
    except ValueError:
        return
    assert stripped(found).text == text
    path.write_bytes(found.encode())
    assert with_ours(read_values(str(path))) == found
    data = yaml.safe_load(found)
    assert all(data[key] == value for key, value in tree.items() if key != "hub")
