"""Relative names of files in variables: one inventory works on the command line and in AWX."""

from __future__ import annotations

import importlib
import os
import pkgutil

import pytest
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict
from ansible_collections.odh.persistency.plugins.module_utils._io import modules
from ansible_collections.odh.persistency.plugins.plugin_utils import file_names
from ansible_collections.odh.persistency.plugins.plugin_utils.file_names import folders, resolve

COLLECTION = "/collections/ansible_collections/odh/persistency/playbooks"


@pytest.fixture
def places(tmp_path):
    """Return the folders of an inventory, a playbook in the collection, and a project."""
    for name in ("inventory", "collection", "project"):
        (tmp_path / name).mkdir()
    return [str(tmp_path / name) for name in ("inventory", "collection", "project")]


def create(*parts: str) -> str:
    path = "/".join(parts)
    with open(path, "w", encoding="utf-8") as file:
        file.write("[]")
    return path


#: Those of the host on which a tree is, and of a path in the tree or in a container.
NOT_FILES_OF_THE_OPERATOR = {
    "build_path",
    "easybuild",
    "lmod_cmd",
    "path",
    "prefix",
    "progress_file",
    "server_python",
    "source",
}


def test_every_option_for_a_path_is_looked_up_or_is_a_path_of_another_host():
    looked_up = {*file_names._READ, *file_names._LISTS, *file_names._WRITTEN}
    found = set()
    for info in pkgutil.iter_modules(modules.__path__):
        spec = getattr(importlib.import_module(f"{modules.__name__}.{info.name}"), "argument_spec", dict)()
        for name, option in spec.items():
            if "path" in (option.get("type"), option.get("elements")):
                found.add(name)
            assert name == "hub" or "path" not in [sub.get("type") for sub in option.get("options", {}).values()], name
    assert found - looked_up == NOT_FILES_OF_THE_OPERATOR
    assert looked_up <= found | {
        *("kubeconfig", "client_cert", "client_key", "ca_cert", "ssl_ca_cert", "cert_file", "key_file")
    }


@pytest.mark.parametrize(
    "option",
    [
        *("users_file", "shares_file", "groups_file", "stack_file", "kubeconfig", "values_file", "report_file"),
        *("ca_cert", "ssl_ca_cert", "client_cert", "cert_file", "client_key", "key_file"),
    ],
)
@pytest.mark.parametrize("place", [0, 2])
def test_a_relative_name_is_the_file_beside_the_inventory_or_in_the_project(places, option, place):
    path = create(places[place], "x.yml")
    assert resolve({option: "x.yml", "size": "1Gi"}, places) == ({option: path}, [])


@pytest.mark.parametrize("name", ["/srv/users.csv", "~/users.csv", "$HOME/users.csv", "", None])
def test_other_names_stay(places, name):
    assert resolve({"users_file": name, "namespace": "hub"}, places) == ({}, [])


def test_folders_and_the_certificate_of_a_hub_are_looked_up_too(places):
    folder = f"{places[2]}/easyconfigs"
    os.mkdir(folder)
    path = create(places[0], "hub.pem")
    hub = {"url": "https://hub.example", "ca_cert": "hub.pem"}
    options = {
        "robot_paths": ["easyconfigs", "/srv"],
        "hub": hub,
        "source_paths": ["/srv"],
        "kubeconfig": {"kind": "Config"},
    }
    paths = {"robot_paths": [folder, "/srv"], "hub": {**hub, "ca_cert": path}}
    assert resolve(options, places) == (paths, [])
    errors = resolve({"hub": {"ca_cert": "x.pem"}, "source_paths": ["sources"]}, places)[1]
    assert [error.partition(" is not in ")[0] for error in errors] == [
        "the file sources of `source_paths`",
        "the file x.pem of `hub.ca_cert`",
    ]


def test_no_file_is_an_error_that_names_all_folders(places):
    paths, (error,) = resolve({"users_file": "users.csv"}, places)
    assert not paths
    assert f"the file users.csv of `users_file` is not in {', '.join(places)}: " in error
    assert "into the project" in error


def test_two_files_are_an_error_because_either_could_be_meant(places):
    one, other = create(places[0], "users.csv"), create(places[2], "users.csv")
    paths, (error,) = resolve({"users_file": "users.csv"}, places)
    assert not paths
    assert f"there are {one} and {other}: remove one of them, or set the whole path" in error


def test_a_link_to_the_same_file_is_one_file(places, tmp_path):
    path = create(places[2], "users.csv")
    (tmp_path / "inventory" / "users.csv").symlink_to(path)
    assert resolve({"users_file": "users.csv"}, places) == ({"users_file": f"{places[0]}/users.csv"}, [])


@pytest.mark.parametrize("option", ["values_file", "report_file", "report_folder"])
def test_a_file_that_is_written_and_does_not_exist_is_created_in_the_project(places, option):
    assert resolve({option: "values.yaml"}, places) == ({option: f"{places[2]}/values.yaml"}, [])
    path = create(places[0], "values.yaml")
    assert resolve({option: "values.yaml"}, places) == ({option: path}, [])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("odh.persistency.site",), []),
        (("sub/site.yml", "/other/drift.yml"), ["PROJECT/sub", "/other"]),
        ("all", []),
        (None, []),
    ],
)
def test_folders(tmp_path, monkeypatch, arguments, expected):
    """A playbook that imports one of ours has its own folder only on the command line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(args=arguments))
    project = str(tmp_path)
    expected = [folder.replace("PROJECT", project) for folder in expected]
    variables = {"inventory_dir": "/runner/inventory", "playbook_dir": COLLECTION}
    places = folders(variables)
    assert set(places) == {"/runner/inventory", COLLECTION, *expected, project}
    assert places[:2] == ["/runner/inventory", COLLECTION]
    assert set(folders({"inventory_dir": None})) == {*expected, project}
