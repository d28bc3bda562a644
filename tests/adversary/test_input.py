"""Odd input of inventories, files and hubs: rejected in one sentence, or written so that its reader can read it."""

from __future__ import annotations

from datetime import date, datetime, timezone
from typing import Any

import pytest
import yaml
from ansible_collections.odh.persistency.plugins.module_utils._core.access.compile import compile_acl
from ansible_collections.odh.persistency.plugins.module_utils._core.access.jsp_config_map import acl_of
from ansible_collections.odh.persistency.plugins.module_utils._core.access.jsp_profiles import profiles_of
from ansible_collections.odh.persistency.plugins.module_utils._core.hub_activity import (
    UNKNOWN,
    HubUser,
    HubUsers,
    use_since,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec import undefined_groups
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec_parser import parse_shares

HOME = "/opt/app-root/src"


def share_errors(**keys: Any) -> str:
    """Return the errors of one share with these keys, a line each."""
    return "\n".join(parse_shares([{"name": "data", "level": "private", **keys}], "shares", HOME)[1])


# -- singleuser-profiles ---------------------------------------------------------------------------------------------


def read_as_pyyaml_5_0(text: str) -> Any:
    """Parse as a PyYAML that reads no character above U+FFFF: these and surrogates must not be in the text."""
    assert text.isascii()
    return yaml.load(text, Loader=yaml.SafeLoader)


@pytest.mark.parametrize("name", ["ann😀", "𝒜nn", "josé", "王小明", "a\\U0001f600", 'a"b\\', "\ufeffz", "z\x85"])
def test_profiles_with_any_name_are_readable_for_old_hubs(name: str) -> None:
    shares, errors = parse_shares([{"name": "data", "level": "private", "write": {"users": ["ann"]}}], "shares", HOME)
    assert not errors
    acl = compile_acl(shares, {}, "hub")
    acl = type(acl)(acl.shares, {name: acl.people["ann"]})
    text, _omitted = profiles_of(acl, date(2026, 3, 1), HOME)
    [profile] = read_as_pyyaml_5_0(text)["profiles"]
    assert profile["users"] == [name]
    assert list(acl_of(text).people) == [name]


# -- folders of a node, and templates ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *("/var/lib/rancher", "/var/lib/rancher/k3s/server", "/var/lib/kubelet", "/var/lib/etcd", "/etc/kubernetes"),
        *(
            "/var/lib/containers/storage",
            "/sysroot",
            "/sysroot/ostree/deploy",
            "/ostree",
            "/run",
            "/var/run",
            "/var/run/crio",
        ),
        *(
            "/var/lib/origin",
            "/var/lib/cni",
            "/var/lib/containerd",
            "/var/roothome",
            "/var/usrlocal/bin",
            "/var/lib/crio",
        ),
        *(
            "/var/lib",
            "/var",
            "/",
            "/opt",
            "/var/lib/rancher/",
            "/srv/../etc",
            "//etc",
            "/var/lib/ovn-ic/etc",
            "/var/lock",
        ),
        *("/var/lib/k0s", "/var/snap/microk8s/common", "/opt/cni/bin"),
    ],
)
def test_folders_of_the_node_are_no_shares(path: str) -> None:
    assert "`backend.path`" in share_errors(backend={"type": "host_path", "path": path})


@pytest.mark.parametrize(
    "path", ["/srv/shares", "/mnt/data/x", "/var/lib/shares", "/opt/shares", "/home/shares", "/export"]
)
def test_other_folders_can_be_shares(path: str) -> None:
    assert not share_errors(backend={"type": "host_path", "path": path})


@pytest.mark.parametrize(
    "backend",
    [
        {"driver": "nfs.csi.k8s.io", "attributes": {"server": "n", "share": "/x", "subDir": "${pvc.metadata.name}"}},
        {"driver": "nfs.csi.k8s.io", "attributes": {"server": "n", "share": "/x/${pv.metadata.name}"}},
        {"driver": "nfs.csi.k8s.io", "attributes": {"server": "n", "SHARE": "/x/${pvc.metadata.namespace}"}},
        {
            "driver": "smb.csi.k8s.io",
            "volume_handle": "h",
            "attributes": {"source": "//s/x", "subDir": "${pvc.metadata.name}"},
        },
        {"driver": "x.example.org", "volume_handle": "${pv.metadata.name}"},
        {"driver": "x.example.org", "volume_handles": {"hub": "${pv.metadata.name}"}},
        {"type": "nfs", "server": "n", "path": "/x/${pvc.metadata.name}"},
    ],
)
def test_templates_of_provisioners_are_rejected_in_static_volumes(backend: dict[str, Any]) -> None:
    assert "has a template" in share_errors(backend={"type": "csi", **backend})


# -- groups, and users that a hub no longer knows ----------------------------------------------------------------------


def test_an_undefined_group_shows_which_are_defined_and_hints_at_quotes() -> None:
    entry = {"name": "data", "level": "private", "read": {"groups": ["0117", "true", "ops"]}}
    shares, errors = parse_shares([entry], "shares", HOME)
    assert not errors
    number, word, boolean = undefined_groups(shares, {"79": (), "analysts": ()})
    for sentence in (number, word, boolean):
        assert "they define '79' and 'analysts'" in sentence
    assert 'write its name in quotes in both places ("0117")' in number
    assert "quotes" not in word
    assert "booleans" in boolean
    assert "they define none" in undefined_groups(shares, {})[0]


def test_a_hub_that_does_not_know_a_user_proves_nothing() -> None:
    renamed = HubUsers({"ann-smith": HubUser("ann-smith"), "bob": HubUser("bob")})
    use = use_since(renamed, "ann", "", datetime(2026, 3, 1, tzinfo=timezone.utc))
    assert use.state == UNKNOWN
    assert "another name there" in use.reason
