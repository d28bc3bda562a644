"""The plan for the objects of a hub: nothing of others is overwritten, and going back restores what was there."""

from __future__ import annotations

import base64
import io
import json
import zipfile

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.hub import odh
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.objects import (
    plan_config_map,
    plan_no_permission,
    plan_permission,
    plan_token,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.permissions import Account, hook_permissions
from hypothesis import given
from hypothesis import strategies as st

ROLE, BINDING = hook_permissions(Account("hub", "hubs"), "hubs")
PACKAGE = {"__init__.py": "", "access.py": "x = 'é'\n"}
PYTHON = odh.odh_python({"policy": "deny"}, "hubs", False)


def observed(definition, **changes):
    found = json.loads(json.dumps(definition[1]))
    found["metadata"] |= {"uid": "1", "resourceVersion": "7"}
    return {**found, **changes}


def config_map(data, binary=None, labels=None):
    metadata = {"name": odh.CONFIG_MAP, "uid": "1", "resourceVersion": "7", "labels": labels or {}}
    return {"metadata": metadata, "data": data, "binaryData": binary or {}}


def desired(found):
    return odh.ConfigMapContent.of(found).with_ours(PYTHON, PACKAGE)


def patched(found, change):
    """The ConfigMap after the merge patch of a change."""
    (operation,) = change.operations
    result = {where: dict(found.get(where) or {}) for where in ("data", "binaryData")}
    for where, keys in result.items():
        keys.update(operation.body.get(where, {}))
        result[where] = {key: value for key, value in keys.items() if value is not None}
    return {**found, **result}


def test_permissions_are_created_kept_and_corrected():
    assert plan_permission(ROLE, None).action == "create"
    assert plan_permission(ROLE, observed(ROLE)).action == "keep"
    change = plan_permission(ROLE, observed(ROLE, rules=ROLE[1]["rules"][:1]))
    assert change.action == "update"
    assert "get list persistentvolumeclaims" in change.after
    assert change.operations[0].body["rules"] == ROLE[1]["rules"]
    other = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "other"}
    change = plan_permission(BINDING, observed(BINDING, roleRef=other))
    assert [operation.verb for operation in change.operations] == ["delete", "create"]


def test_permissions_of_others_are_neither_changed_nor_deleted():
    foreign = observed(ROLE)
    foreign["metadata"]["labels"] = {}
    change = plan_permission(ROLE, foreign)
    assert (change.action, change.operations) == ("refuse", ())
    assert "Role odh-persistency-hub does not belong to this collection: rename or delete it" in change.reason
    assert plan_no_permission(ROLE, foreign, "x").action == "keep"
    assert plan_no_permission(ROLE, observed(ROLE), "x").action == "delete"
    assert plan_no_permission(ROLE, None, "x").action == "keep"


def test_the_zip_is_importable_and_always_the_same(tmp_path):
    content = odh.package_zip(PACKAGE)
    assert content == odh.package_zip(dict(reversed(PACKAGE.items())))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["odh_persistency/__init__.py", "odh_persistency/access.py"]
        assert archive.read("odh_persistency/access.py").decode() == PACKAGE["access.py"]


@pytest.mark.parametrize(
    "data", [{}, {"jupyterhub_config.py": ""}, {"jupyterhub_config.py": "c.A.b = 1", "gpu_mode": ""}, {"x": "y"}]
)
def test_keys_of_others_stay_and_going_back_restores_them(data):
    found = config_map(data, {"logo": "AAAA"})
    change = plan_config_map("hubs", found, desired(found))
    assert change.action == "update"
    now = patched(found, change)
    assert {key: value for key, value in now["data"].items() if key != "jupyterhub_config.py"} == {
        key: value for key, value in data.items() if key != "jupyterhub_config.py"
    }
    assert now["data"]["jupyterhub_config.py"].startswith(data.get("jupyterhub_config.py", ""))
    assert set(now["binaryData"]) == {"logo", "odh_persistency.zip"}
    compile(now["data"]["jupyterhub_config.py"], "x", "exec")
    assert plan_config_map("hubs", now, desired(now)).action == "keep"
    back = plan_config_map("hubs", now, None)
    assert patched(now, back) == found
    assert plan_config_map("hubs", found, None).action == "keep"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60))
def test_any_text_of_others_is_restored_or_rejected(text):
    found = config_map({"jupyterhub_config.py": text})
    try:
        content = desired(found)
    except ValueError:
        return
    now = patched(found, plan_config_map("hubs", found, content))
    assert patched(now, plan_config_map("hubs", now, None))["data"] == found["data"]


def test_the_spawn_hook_stays_last_when_others_add_to_the_text():
    found = config_map({"jupyterhub_config.py": "a = 1\n"})
    now = patched(found, plan_config_map("hubs", found, desired(found)))
    now["data"]["jupyterhub_config.py"] += "b = 2\n"
    text = patched(now, plan_config_map("hubs", now, desired(now)))["data"]["jupyterhub_config.py"]
    assert text.startswith("a = 1\nb = 2\n# odh.persistency: begin\n")
    assert text.endswith("# odh.persistency: end\n")


def test_a_config_map_that_did_not_exist_is_deleted_again():
    change = plan_config_map("hubs", None, desired(None))
    (operation,) = change.operations
    found = {**operation.body, "metadata": {**operation.body["metadata"], "uid": "1", "resourceVersion": "7"}}
    assert plan_config_map("hubs", found, None).action == "delete"
    found["data"]["mine"] = "x"
    change = plan_config_map("hubs", found, None)
    assert (change.action, patched(found, change)["data"]) == ("update", {"mine": "x"})


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (
            {"jupyterhub_config.py": "a = 1\nif"},
            "jupyterhub_config.py in ConfigMap jupyterhub-cfg is not valid Python (line 2",
        ),
        ({"jupyterhub_config.py": "# odh.persistency: begin\n"}, "in line 1 has no '# odh.persistency: end'"),
        ({"x": "y" * 600 * 1024}, "KiB, but the limit is 512 KiB: remove keys from it"),
    ],
)
def test_texts_that_nothing_can_be_added_to_are_rejected(data, error):
    with pytest.raises(ValueError, match="ConfigMap jupyterhub-cfg") as raised:
        desired(config_map(data))
    assert error in str(raised.value)


def test_a_token_is_made_once_and_never_shown():
    change = plan_token("hubs", None, "very-secret")
    assert "very-secret" not in repr([change.as_result(), change.before, change.after])
    body = change.operations[0].body
    assert base64.b64decode(body["data"]["hub.services.odh-persistency.apiToken"]) == b"very-secret"
    found = {**body, "metadata": {**body["metadata"], "uid": "1", "resourceVersion": "7"}}
    assert plan_token("hubs", found, "other").action == "keep"
    assert plan_token("hubs", found, None).action == "delete"
    assert plan_token("hubs", {**found, "data": {}}, "other").action == "update"
    found["metadata"]["labels"] = {}
    assert plan_token("hubs", found, "other").action == "refuse"
    assert plan_token("hubs", found, None).action == "keep"
