"""Odd input of inventories, files and hubs: rejected in one sentence, or written so that its reader can read it."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.odh.persistency.plugins.module_utils._core.access.compile import compile_acl
from ansible_collections.odh.persistency.plugins.module_utils._core.access.jsp_profiles import profiles_of
from ansible_collections.odh.persistency.plugins.module_utils._core.access.published_profiles import acl_of
from ansible_collections.odh.persistency.plugins.module_utils._core.homes.census import Person, census
from ansible_collections.odh.persistency.plugins.module_utils._core.homes.spec import parse_users
from ansible_collections.odh.persistency.plugins.module_utils._core.hub_activity import (
    UNKNOWN,
    HubUser,
    HubUsers,
    use_since,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.inventory import (
    list_text_error,
    names_of,
    number_error,
    overridden,
    override_errors,
    role_errors,
    typed_errors,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.claims import Claim, claim_from
from ansible_collections.odh.persistency.plugins.module_utils._core.kubespawner.naming import Template
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import (
    Change,
    Failure,
    Plan,
    Unreconcilable,
    failure_message,
    unready_message,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.quantity import (
    QuantityError,
    parse_size,
    size_or_none,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.report.access import AccessReport, ReportContext
from ansible_collections.odh.persistency.plugins.module_utils._core.report.access_query import AccessQuery, answer
from ansible_collections.odh.persistency.plugins.module_utils._core.report.access_text import answer_text
from ansible_collections.odh.persistency.plugins.module_utils._core.report.census import census_text
from ansible_collections.odh.persistency.plugins.module_utils._core.report.homes import home_row
from ansible_collections.odh.persistency.plugins.module_utils._core.report.homes import table as home_table
from ansible_collections.odh.persistency.plugins.module_utils._core.report.tables import Column, matrix_csv, printable
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.groups import parse_groups
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec import undefined_groups
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec_parser import parse_shares
from ansible_collections.odh.persistency.plugins.module_utils._core.validation import quoted, user_name_error
from ansible_collections.odh.persistency.plugins.module_utils._core.visible import (
    is_visible,
    logins_without_scheme,
    options_without_credentials,
    without_credentials,
)
from ansible_collections.odh.persistency.plugins.module_utils._io.files.data_files import FileError
from ansible_collections.odh.persistency.plugins.module_utils._io.files.share_files import (
    load_groups_file,
    load_shares_file,
)
from ansible_collections.odh.persistency.plugins.module_utils._io.files.user_files import load_users_file
from ansible_collections.odh.persistency.plugins.module_utils._io.module import PlanRejected

from tests.support.modules import Running

HOME = "/opt/app-root/src"
TEMPLATE = Template.parse("safe", None, namespace="hub")


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
        *("/home/core/.ssh", "/home", "/var/home/core", "/var/home", "/var/lib/rook/mon-a", "/var/lib/longhorn"),
        *("/var/lib/microshift", "/var/lib/microshift-backups", "/opt/rke2/bin", "/var/opt/cni/bin", "/var/opt"),
        *(
            "/var/lib/selinux",
            "/var/lib/private/x",
            "/var/lib/iscsi",
            "/var/lib/nfs",
            "/nix",
        ),
        *("/var/opt/rke2", "/var/usrlocal/bin"),
        *("/var/openebs/local", "/var/lib/ceph", "/var/lib/rpm", "/var/lib/sss/db", "/var/lib/snapd"),
    ],
)
def test_folders_of_the_node_are_no_shares(path: str) -> None:
    assert "`backend.path`" in share_errors(backend={"type": "host_path", "path": path})


@pytest.mark.parametrize(
    "path",
    [
        "/srv/shares",
        "/mnt/data/x",
        "/var/lib/shares",
        "/opt/shares",
        "/home/shares",
        "/var/home/core2",
        "/export",
        "/var/mnt/x",
        "/var/srv/x",
    ],
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
        {"type": "nfs", "server": "n", "path": "/x/${.PVC.namespace}"},
        {"type": "nfs", "server": "n", "path": "/x", "mount_options": ["subdir=${pvc.metadata.name}"]},
        {"type": "host_path", "path": "/srv/x/${namespace}"},
        {"driver": "efs.csi.aws.com", "volume_handle": "fs-1:/${.PVC.name}"},
        {"driver": "x.example.org", "volume_handle": "h", "attributes": {"a": "{{ .PVC.Namespace }}"}},
        {"driver": "x.example.org", "volume_handle": "h", "attributes": {"${pvc.metadata.name}": "a"}},
        {"driver": "x.example.org", "volume_handle": "h", "fs_type": "${pvc.metadata.name}"},
        {"driver": "x.example.org", "volume_handle": "h", "mount_options": ["{{.PVC.Name}}"]},
        {
            "driver": "x.example.org",
            "volume_handle": "h",
            "node_stage_secret": {"name": "${pvc.name}", "namespace": "x"},
        },
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


def test_a_user_of_the_hub_who_was_deleted_and_made_anew_proves_nothing() -> None:
    retired_at = datetime(2026, 3, 1, tzinfo=timezone.utc)
    for made, words in (
        (retired_at, "created at 2026-03-01T00:00:00Z"),
        (retired_at + timedelta(days=9), "created at 2026-03-10T00:00:00Z"),
    ):
        for server in ("", "lab", None):
            hub = HubUsers({"ann": HubUser("ann", servers=("",), created=made), "zoe": HubUser("zoe")})
            use = use_since(hub, "ann", server, retired_at)
            assert use.state == UNKNOWN
            assert words in use.reason


# -- texts that look like lists ----------------------------------------------------------------------------------------

TEXTS = ['["ann","ben"]', "['ann', 'ben']", "[ann, ben]", "- ann\n- ben", "ann\nben", '{"name": "ann"}', "{{ users }}"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_that_looks_like_a_list_is_none(text: str) -> None:
    """Ansible splits a text at its commas where an option is a list."""
    found = list_text_error(text.split(","), "users")
    assert found is not None
    assert found.startswith("users must be a list, not the text ")


@pytest.mark.parametrize("text", TEXTS)
def test_an_item_that_looks_like_a_list_is_no_name(text: str) -> None:
    for part in {text, *(text.split(",") if '"' in text or "'" in text else ())}:
        assert user_name_error("name", part), part
        assert parse_users([part], "users")[1], part
        assert parse_users([{"name": "x", "server": part}], "users")[1], part
        assert parse_groups({"g": [part]}, "groups")[1], part
        assert parse_groups({part: ["ann"]}, "groups")[1] or "," in text, part
        for right in ("read", "write"):
            assert share_errors(**{right: {"users": [part]}}), part
    assert share_errors(directories=[text])
    assert share_errors(namespaces=[text])
    assert share_errors(namespaces=text)
    assert share_errors(read={"groups": text})


@pytest.mark.parametrize(
    "name", ["ann", "-x-", "corp\\ann", "o'brien", 'the "cat" x', "a[1]b", "ann (bob)", "[x] ann", "a, b", "--"]
)
def test_other_odd_names_stay_names(name: str) -> None:
    assert user_name_error("name", name) is None
    assert not parse_users([name], "users")[1]
    assert list_text_error(["ann", name], "users") is None


@pytest.mark.parametrize("module", ["user_pvc", "share_pvc", "share_acl", "share_access_info", "share_directory"])
def test_every_list_option_of_a_module_rejects_such_texts(module: str) -> None:
    options = {
        "user_pvc": ("users", "retired", "absent", "access_modes"),
        "share_pvc": ("shares", "retired", "absent", "namespaces", "mount_roots"),
        "share_acl": ("shares", "declassify", "allow_source_change"),
        "share_access_info": ("for_users", "for_groups", "for_shares", "requested"),
        "share_directory": ("shares", "elsewhere"),
    }[module]
    required = {"share_directory": {"path": "/nowhere"}, "share_pvc": {}}.get(module, {"namespace": "hub"})
    for text in ('["ann","ben"]', "- ann\n- ben"):
        result = Running(module, {**required, **dict.fromkeys(options, text)}, dict(os.environ), False, False).wait()
        assert result.failed
        for option in options:
            assert f"{option} must be a list, not the text " in result.msg, (option, result.msg)


# -- keys that are no text, and numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- {name: data, level: private, on: x}", "the boolean `true`"),
        ("- {name: data, level: private, labels: {010: x}}", "the number 8 as a key: put it in quotes"),
        ("- {name: data, level: private, annotations: {on: x}}", "the boolean `true` as a key: put it in quotes"),
        ("- {name: data, level: private, backend: {type: nfs, server: s, path: /x, 1: x}}", "the number 1"),
        ("- {name: data, level: private, read: {users: [ann], off: x}}", "the boolean `false`"),
        ("- {name: data, level: private, read: {groups: [0117]}}", "the number 79 instead of a name: put it in quotes"),
        ("- {name: data, level: private, labels: {a: 010}}", "the number 8 under 'a', not text: put it in quotes"),
        ("- {name: data, level: private, namespaces: [0117]}", "the number 79, which is not a namespace"),
        ("- {name: data, level: private, ~: x}", "nothing (null)"),
        ("- {name: data, level: private, 2026-03-01: x}", "the date 2026-03-01"),
    ],
)
def test_a_key_that_is_no_text_is_rejected(text: str, words: str) -> None:
    errors = parse_shares(yaml.safe_load(text), "shares", HOME)[1]
    assert words in "\n".join(errors)
    assert "quotes" in "\n".join(errors) or "namespace" in words


def test_groups_overrides_and_users_have_text_as_keys() -> None:
    assert "the number 79: put it in quotes" in parse_groups(yaml.safe_load("{0117: [ann]}"), "groups")[1][0]
    assert "quotes" in parse_groups(yaml.safe_load("[{name: g, users: [], on: x}]"), "groups")[1][0]
    [error] = override_errors(["8", "data"], yaml.safe_load("{010: {size: 1Gi}}"), "overrides", "`shares`")
    assert "the number 8 is not the name of a share: put it in quotes" in error
    assert overridden([{"name": "8"}], {8: {"size": "1Gi"}}) == [{"name": "8"}]
    assert "keys are text" in parse_users(yaml.safe_load("[{name: ann, on: x}]"), "users")[1][0]
    assert "as a key" in parse_users(yaml.safe_load("[{name: ann, labels: {010: x}}]"), "users")[1][0]


@pytest.mark.parametrize("keys", [{"gid": "0100"}, {"owner": "007"}, {"size": "010Gi"}, {"size": "0100"}])
def test_what_looks_octal_is_rejected(keys: dict[str, str]) -> None:
    assert "looks octal" in share_errors(**keys)


@pytest.mark.parametrize("module", ["user_pvc", "share_pvc", "share_acl", "share_preflight"])
def test_integer_options_read_a_number_as_it_is_written(module: str) -> None:
    """Ansible reads the text "010" as 10, `yes` as 1, and has no sentence for thousands of digits."""
    options = {
        "user_pvc": ("wait_timeout", "wait_sleep"),
        "share_pvc": ("wait_timeout", "wait_sleep"),
        "share_acl": ("max_withdrawals",),
        "share_preflight": ("max_withdrawals",),
    }[module]
    required = {"share_pvc": {"shares": []}}.get(module, {"namespace": "hub"})
    for value, words in (
        ("010", "looks octal"),
        (" -0100", "looks octal"),
        (True, "the boolean `true`: write a whole number"),
        ("9" * 9000, "(9000 characters): write a whole number"),
        (float("inf"), "the number inf: write a whole number"),
        ("1e999999", "'1e999999': write a whole number"),
    ):
        result = Running(module, {**required, **dict.fromkeys(options, value)}, dict(os.environ), False, False).wait()
        assert result.failed
        for option in options:
            assert f"{option} is " in result.msg, (option, result.msg)
        assert result.msg.count(words) == len(options), result.msg
        assert len(result.msg) < 1000


HUGE: Any = int("9" * 4000) ** 3


@pytest.mark.parametrize(
    "value",
    [
        *(float("inf"), float("-inf"), float("nan"), 1.5, 1e30, 10**20, False, [1], {"a": 1}),
        *("inf", ".inf", "nan", "1e3", "1e999999", "1_000", "0_10", "0x40", "0o100", "0b1", "\uff11\uff10", "\uff10"),
        *("10.0", " 10", "10\n", "", "+", "--1", "00", "-010", "9" * 21, "\u0661"),
    ],
)
def test_what_is_no_plain_integer_is_rejected(value: Any) -> None:
    error = number_error(value, "wait_timeout")
    assert error is not None
    assert error.startswith("wait_timeout is ")
    assert len(error) < 300


@pytest.mark.parametrize("value", [None, 0, 10, -3, 10.0, 1e3, "0", "10", "+10", "-3", "9" * 20])
def test_a_plain_integer_is_accepted(value: Any) -> None:
    assert number_error(value, "wait_timeout") is None


@pytest.mark.parametrize(
    "value",
    [HUGE, -HUGE, "9" * 9000, "9" * 9000 + "Gi", "0." + "9" * 9000 + "Gi"],
    ids=["integer", "negative", "digits", "size", "fraction"],
)
def test_numbers_of_thousands_of_digits(value: Any) -> None:
    for key in ("gid", "owner", "size", "until", "mode", "level", "mount_path", "state", "directories", "namespaces"):
        errors = share_errors(**{key: value})
        assert errors, key
        assert len(errors) < 1000, key
    for key in ("labels", "annotations"):
        assert share_errors(**{key: {"a": HUGE}, "size": "1Gi"})
    for item in (value, {"name": value}, {"name": "x", "size": value}, {"name": "x", value: "x"}):
        errors = parse_users([item], "users")[1]
        if item is value and isinstance(value, str):
            continue  # a long name, which is rejected with the name of its claim
        if isinstance(item, dict) and isinstance(item["name"], str) and "size" in item and isinstance(value, str):
            with pytest.raises(QuantityError):
                parse_size(value)
            continue
        assert errors or isinstance(value, str)
    assert size_or_none("9" * 9000) is None
    assert parse_shares([{"name": HUGE}, HUGE, {HUGE: 1}], "shares", HOME)[1]
    assert parse_groups({HUGE: [HUGE]}, "groups")[1]
    assert override_errors(names_of([{"name": HUGE}, HUGE]), {HUGE: {}}, "overrides", "`shares`")
    for entry in (
        {"name": "x", "state": value},
        {"name": value, "state": "present"},
        {"name": [value], "state": [HUGE]},
    ):
        [error] = role_errors([], "shares", [], [], {"shares_retired": [entry]})
        assert "remove `state` from the entry" in error
        assert len(error) < 1000
    assert number_error(value, "wait_timeout") is not None
    values = {"shares_list": [{"name": [value]}], "shares_overrides": {}, "shares_retired": [{"name": {"a": value}}]}
    assert not role_errors([], "shares", [], [], values)  # the parser of the entries rejects them


@pytest.mark.parametrize("extension", ["json", "yml"])
@pytest.mark.parametrize("load", [load_users_file, load_shares_file, load_groups_file])
@pytest.mark.parametrize(
    "content",
    [
        "[" * 1500 + "]" * 1500,
        '[{"name": "data", "directories": ' + "[" * 1500 + "]" * 1500 + "}]",
        "[" * 100_000,
        '{"a":' * 1500 + "1" + "}" * 1500,
        "[" + "9" * 9000 + "]",
        '[{"name": "data", "gid": ' + "9" * 9000 + "}]",
        "[0x" + "f" * 9000 + "]",
    ],
    ids=["lists", "directories", "open", "mappings", "number", "gid", "hexadecimal"],
)
def test_files_nested_too_deeply_or_with_huge_numbers(tmp_path: Path, extension: str, load: Any, content: str) -> None:
    path = tmp_path / f"x.{extension}"
    path.write_text(content)
    parsers = {
        load_users_file: lambda found: parse_users(found, "x")[1],
        load_shares_file: lambda found: parse_shares(found, "x", HOME)[1],
        load_groups_file: lambda found: parse_groups(found, "x")[1],
    }
    try:
        errors = parsers[load](load(str(path)))
    except FileError as error:
        errors = [str(error)]
    assert errors
    assert all(len(error) < 1000 and "Traceback" not in error for error in errors)


def test_a_path_of_1500_levels_and_a_list_of_1500_levels() -> None:
    deep: Any = "x"
    for _level in range(1500):
        deep = [deep]
    assert "a list instead of a path" in share_errors(directories=deep)
    assert share_errors(read={"users": deep}, labels=deep, until=deep, gid=deep, namespaces=deep, backend=deep)


# -- what reaches terminals and spreadsheets ---------------------------------------------------------------------------

EVIL = [
    *("a\x1b[2Jb", "a\nchanged: [hub]", "a\u202eb", "a\u2066b", "a\u200bb", "a\x07b", "a\x9bb", "a\u2028b"),
    *("a\ufe0fb", "a\u3164b"),
]


def claim(user: str) -> Claim:
    """Return a home of a user as the cluster may have it."""
    annotations = {"hub.jupyter.org/username": user}
    return claim_from(
        {"metadata": {"name": "claim-x", "annotations": annotations, "creationTimestamp": "2026-01-01T00:00:00Z"}}
    )


def is_safe(text: str) -> bool:
    return all(is_visible(line) for line in text.split("\n"))


@pytest.mark.parametrize("name", EVIL)
def test_names_are_visible_in_messages_diffs_and_reports(name: str) -> None:
    change = Change("create", "home", "hub", "claim-a", f"{name} has no home", owner=name, before=name, after=name)
    failure = Failure(change, f"{name} failed", api=f"of {name}")
    plan = Plan(
        (change, replace(change, operations=(1,)), replace(change, effect=True)),
        (Unreconcilable("home", "hub", "claim-a", name),),
        (name,),
    )
    texts = [
        change.as_result()["reason"],
        failure.as_result()["reason"],
        failure.as_result()["api"],
        plan.unreconcilable[0].as_result()["reason"],
        *plan.warnings(),
        str(PlanRejected([name])),
        failure_message([failure], 1, "home"),
        unready_message([failure]),
        quoted(name),
        printable(name),
        *plan.diff()["before"].splitlines(),
        *plan.diff()["after"].splitlines(),
        home_table([home_row(claim(name), None, datetime(2026, 3, 1, tzinfo=timezone.utc))]),
        census_text(census([Person("zoe", ""), Person(name, "")], [claim(name), claim("ben\u202e")], TEMPLATE)),
    ]
    for text in texts:
        assert is_safe(text), text
        assert name not in text
        assert "changed: [" not in [line[:10] for line in text.split("\n")]
    assert change.as_result()["owner"] == name  # data for programs
    assert len(plan.diff()["after"].splitlines()) == 2


@pytest.mark.parametrize("name", EVIL)
def test_names_are_visible_in_reports_on_access(name: str) -> None:
    shares, _errors = parse_shares([{"name": "data", "level": "private", "read": {"groups": ["g"]}}], "shares", HOME)
    acl = compile_acl(shares, {"g": ("ann",)}, "hub")
    acl = type(acl)(acl.shares, {name: acl.people["ann"]})
    for query in (
        AccessQuery(),
        AccessQuery(users=(name,)),
        AccessQuery(groups=(name,)),
        AccessQuery(shares=("data", name)),
    ):
        found = answer(AccessReport(acl, ReportContext(date(2026, 3, 1), HOME)), query)
        text = answer_text(found, query, "head", [f"{name} gains ro"])
        assert is_safe(text), text
        assert not any(line.startswith("changed") for line in text.split("\n"))
        assert all(map(is_visible, found.warnings))


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", "\uff1d1"])
def test_a_cell_of_csv_is_no_formula(name: str) -> None:
    text = matrix_csv([Column(name, "private")], [(name, ["ro"]), ("ann", ["-"])])
    header, first, last = csv.reader(io.StringIO(text, newline=""))
    for cell in (header[1], first[0]):
        assert cell[0] == "'"
        assert is_visible(cell)
    assert last == ["ann", "-"]


# -- credentials in URLs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://ann:s3cr3t@hub.example.org/x",
            "https://s3cr3t@hub.example.org",
            "http://:s3cr3t@hub.example.org:80",
        ),
        *(
            "https://ann:s3cr3t@1@hub.example.org",
            "https://ann:s3/cr3t#s3cr3t@hub.example.org",
            "https://a:s3cr3t@[::1]:6443",
        ),
        *(
            "https://hub.example.org/?token=s3cr3t",
            "https://hub.example.org/x?a=b&access_token=s3cr3t&c=d",
            "https://h/#key=s3cr3t",
        ),
        *("socks5://ann:s3cr3t@hub.example.org:1080", "https://h/?X-Amz-Signature=s3cr3t", "https://h?api_key=s3cr3t"),
        *("https://ann:123/s3cr3t@h/", "https://ann:80/s3cr3t@h", "//ann:s3cr3t@host/x", "https://h/?pass=s3cr3t"),
        *("https://h/?bearer=s3cr3t", "https://h/?access=s3cr3t", "https://ann:80?s3cr3t@h"),
    ],
)
def test_credentials_in_urls_are_masked(url: str) -> None:
    for text in (url, f"The hub at {url} failed ('{url}'): run again", f"x {url}."):
        masked = without_credentials(text)
        assert "s3cr3t" not in masked
        assert "***" in masked
    assert "s3cr3t" not in str(
        options_without_credentials({"hub": {"url": url}, "host": url, "shares": [{"a": [url]}]})
    )


def test_a_login_without_a_scheme_is_masked_too() -> None:
    options = {"host": "ann:s3cr3t@api:6443", "proxy": "ann:s3cr3t@proxy", "kubeconfig": {"server": "ann:s3cr3t@api"}}
    assert "s3cr3t" not in str(options_without_credentials(options))
    assert logins_without_scheme(options.values()) == ["ann:s3cr3t@", "ann:s3cr3t@"]


@pytest.mark.parametrize(
    "text",
    [
        "https://hub.example.org:8443/users/ann@example.org",
        "https://10.0.0.1:6443/users/ann@example.org",
        "https://hub:8443/users/ann@example.org",
        "https://hub:8443/x mail to ann@example.org",
        "the share //server/share, mount //nas/x for ann@example.org",
        "https://[::1]:6443/api?limit=500",
        "openshift:ann@example.org",
    ],
)
def test_what_is_no_credential_stays(text: str) -> None:
    assert without_credentials(text) == text


@pytest.mark.parametrize(
    "options",
    [
        {"host": "https://ann:s3cr3t@127.0.0.1:1", "api_key": "x"},
        {"host": "https://ann:s3cr3t@127.0.0.1:1", "username": "a", "password": "b", "validate_certs": False},
        {"host": "https://127.0.0.1:1", "api_key": "x", "proxy": "http://ann:s3cr3t@127.0.0.1:2"},
        {"host": "https://127.0.0.1:1", "api_key": "x", "proxy": "ann:s3cr3t@127.0.0.1:2"},
        {"users_from": "hub", "hub": {"url": "https://ann:s3cr3t@127.0.0.1:1", "token": "x"}},
        {"users_from": "hub", "hub": {"url": "http://127.0.0.1:1/?token=s3cr3t", "token": "x"}},
        {"users_from": "hub", "hub": {"url": "ann:s3cr3t@127.0.0.1:1", "token": "x"}},
        {"host": "https://ann:s3cr3t@127.0.0.1:1", "state": "no such state"},
        {"host": "https://ann:s3cr3t@127.0.0.1:1", "no_such_option": 1},
    ],
    ids=range(9),
)
def test_no_output_of_a_module_has_credentials_of_urls(options: dict[str, Any]) -> None:
    environment = {**os.environ, "https_proxy": "http://bob:s3cr3t@127.0.0.1:3", "no_proxy": ""}
    result = Running("user_pvc", {"namespace": "hub", "users": ["ann"], **options}, environment, False, False).wait()
    assert result.failed
    assert "s3cr3t" not in json.dumps(result.output)
    assert "invocation" in result.output


# -- what JSON would change on the way to a module ---------------------------------------------------------------------

PLAY = """
- hosts: localhost
  gather_facts: false
  vars:
    huge: 0xHUGE
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    given: {namespace: hub, acl_from: input, shares: [{name: data, level: public}]}
  tasks:
    - name: Keys and numbers
      odh.persistency.share_access_info:
        namespace: hub
        acl_from: input
        groups: {0117: [ann], on: [ben]}
        overrides: {010: {size: 1Gi}}
        shares: [{name: data, level: private, labels: {010: x}, annotations: {~: x}, gid: "{{ huge }}", off: x}]
      ignore_errors: true
    - name: Text as keys
      odh.persistency.share_access_info: "{{ given | combine({'groups': {'0117': ['ann'], 'on': ['ben']}}) }}"
"""


def test_keys_that_are_no_text_do_not_reach_a_module(tmp_path: Path) -> None:
    play = tmp_path / "play.yml"
    play.write_text(PLAY.replace("HUGE", "f" * 9000))
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "COLUMNS": "1000"}
    words = ["ansible-playbook", "-i", "localhost,", "-c", "local", "-vvv", str(play)]
    played = subprocess.run(
        words, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120, check=False
    )
    output = played.stdout + played.stderr
    assert played.returncode == 0, output
    assert "Traceback" not in output
    for sentence in (
        "groups has the number 79 as a key, but keys are text: put it in quotes",
        "groups has the boolean `true` as a key, but keys are text: put it in quotes",
        "overrides has the number 8 as a key, but keys are text: put it in quotes",
        "shares[0].labels has the number 8 as a key, but keys are text: put it in quotes",
        "shares[0].annotations has nothing (null) as a key, but keys are text: write it in quotes",
        "shares[0] has the boolean `false` as a key, but keys are text: put it in quotes",
        "shares[0].gid is a number of thousands of digits",
    ):
        assert sentence in output, sentence
    assert "ignored=1" in output


@pytest.mark.parametrize("name", EVIL)
def test_names_are_visible_in_errors_of_variables(name: str) -> None:
    entries = [{"name": name, "state": "absent"}]
    values = {
        "shares_list": [{"name": name}],
        "shares_retired": entries,
        "shares_overrides": {name: {"name": "x"}, "y": {}},
    }
    errors = role_errors(["shares_\u202ex"], "shares", ["shares_list"], [], values)
    errors += typed_errors({"shares": [{name: {1: "x"}}]})
    assert len(errors) >= 5
    for error in errors:
        assert is_safe(error), error
        assert name not in error


def test_options_that_json_would_change_or_refuse() -> None:
    deep: Any = "x"
    for _level in range(1500):
        deep = [deep]
    assert "100 levels" in "\n".join(typed_errors({"shares": deep, "users": [{"a": deep}]}))
    assert not typed_errors({"shares": [{"labels": {"a": 1}}], "users": ["ann"] * 3, "hub": {"url": "x"}, "wait": True})
