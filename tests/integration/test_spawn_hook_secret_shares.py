"""Secret shares are requested at each start: in the options form of the real KubeSpawner, or in the API's user options."""

from __future__ import annotations

import json

import pytest

from tests.support.acl import INDEX
from tests.support.real_spawns import claims_in, granted
from tests.support.spawn_fixtures import *  # noqa: F403

FIELD = "odh-persistency-secret-share"
BOX = f'<input class="form-check-input" type="checkbox" name="{FIELD}" value="payroll"> payroll'
PROFILES = [
    {"display_name": "Small", "slug": "small", "kubespawner_override": {"environment": {"SIZE": "small"}}},
    {"display_name": "Large", "slug": "large", "kubespawner_override": {"environment": {"SIZE": "large"}}},
]
ASKED = {FIELD: ["payroll"]}


def form(spawns, namespace, user, **request):
    answer = spawns.start(namespace, user, form=True, **request)
    assert "form" in answer, answer
    return answer["form"]


def has_secret(answer):
    return "payroll" in claims_in(answer["pod"])


def variables(answer):
    return {one["name"]: one.get("value") for one in answer["pod"]["spec"]["containers"][0]["env"]}


def test_only_members_see_a_form(namespace, published, spawns):
    shown = form(spawns, namespace, "ann")
    assert BOX + " (read only, named directly)" in shown
    assert "read and write, named directly" in form(spawns, namespace, "ben")
    assert form(spawns, namespace, "dan") == ""
    answer = spawns.start(namespace, "dan", fields=ASKED)
    assert "payroll" not in json.dumps(granted(answer["pod"])), answer


def test_the_profiles_of_the_hub_are_in_the_same_form_and_are_applied(namespace, published, spawns):
    config = {"profile_list": PROFILES}
    alone = form(spawns, namespace, "ann", config=config, settings=None)
    shown = form(spawns, namespace, "ann", config=config)
    assert "Large" in alone
    assert shown.startswith(alone)
    assert BOX in shown
    assert form(spawns, namespace, "dan", config=config) == alone
    answer = spawns.start(namespace, "ann", config=config, fields={"profile": ["large"], **ASKED})
    assert variables(answer)["SIZE"] == "large"
    assert has_secret(answer)
    assert answer["user_options"] == {"profile": "large"}
    assert "dynamic" in form(spawns, namespace, "ann", hooks={"profile_list": "dynamic_profiles"})


@pytest.mark.parametrize("configured", ["sync_form", "async_form", "<p>the form of ann</p>"])
def test_a_configured_form_stays(namespace, published, spawns, configured):
    shown = form(spawns, namespace, "ann", hooks={"options_form": configured})
    assert shown.startswith("<p>the form of ann</p>")
    assert BOX in shown


def test_a_configured_reader_of_the_form_gets_its_own_fields_only(namespace, published, spawns):
    owner = None if spawns.version == "1.1" else "ann"  # JupyterHub 1.5 passes no spawner, and none does for a link
    linked = f"/hub/spawn?size=1&{FIELD}=payroll"
    for name, more in (("options_of_site", {}), ("options_of_site_with_spawner", {"for": owner})):
        hooks = {"options_from_form": name}
        answer = spawns.start(namespace, "ann", hooks=hooks, fields={"size": ["1"], **ASKED})
        assert answer["user_options"] == {"size": "1", **more}
        assert has_secret(answer)
        answer = spawns.start(namespace, "ann", hooks=hooks, method="GET", uri=linked)
        assert answer["user_options"] == {"size": "1", **(more and {"for": None})}
        assert not has_secret(answer)


def test_a_link_never_mounts_a_secret_share(namespace, published, spawns):
    for query in (f"{FIELD}=payroll", "secret_shares=payroll", 'secret_shares=["payroll"]'):
        linked = f"/hub/spawn?profile=small&{query}"
        config = {"profile_list": PROFILES}
        assert not has_secret(spawns.start(namespace, "ann", config=config, method="GET", uri=linked))
        # The form keeps the query of the page in its own address.
        posted = spawns.start(namespace, "ann", config=config, uri=linked, fields={"profile": ["small"]})
        assert not has_secret(posted)


def test_remembered_options_never_mount_a_secret_share(namespace, published, spawns):
    remembered = {"secret_shares": ["payroll"], FIELD: ["payroll"]}
    assert not has_secret(spawns.start(namespace, "ann", user_options=remembered))
    assert not has_secret(spawns.start(namespace, "ann", user_options=remembered, body=None))
    assert not has_secret(spawns.start(namespace, "ann", user_options=remembered, body={}))
    assert has_secret(spawns.start(namespace, "ann", user_options={}, body={"secret_shares": ["payroll"]}))


def test_who_starts_a_server_for_somebody_gets_the_shares_of_its_owner(namespace, published, spawns):
    for request in ({"fields": ASKED}, {"body": {"secret_shares": ["payroll"]}}):
        assert has_secret(spawns.start(namespace, "ann", sender="admin", **request))
        assert not has_secret(spawns.start(namespace, "dan", sender="ann", **request))
    assert BOX in form(spawns, namespace, "ann", sender="admin", method="GET", uri="/hub/spawn/ann")


def test_each_mount_is_an_event_with_a_time_and_a_line_in_the_log_of_the_hub(cluster, namespace, published, spawns):
    answer = spawns.start(namespace, "ben", fields=ASKED, sender="admin")
    (event,) = [one for one in cluster.list("events", namespace) if one["reason"] == "SecretShareMounted"]
    assert event["message"] == "Mounts the secret share payroll (read and write)"
    assert event["eventTime"]
    assert event["involvedObject"]["name"] == answer["pod"]["metadata"]["name"]
    lines = [line.partition(" mounted ")[2] for line in spawns.log().splitlines() if "secret share mounted" in line]
    digest = cluster.get("configmaps", INDEX, namespace)["metadata"]["annotations"]["odh.persistency/digest"]
    assert json.loads(lines[-1]) == {
        "acl": digest,
        "mode": "rw",
        "requester": "admin",
        "server": "",
        "share": "payroll",
        "user": "ben",
    }


def test_all_other_shares_are_read_only_beside_a_secret_one(namespace, published, spawns):
    answer = spawns.start(namespace, "ben", fields=ASKED)
    assert granted(answer["pod"])["shares"] == {"payroll": "rw", "public-data": "ro"}
    assert claims_in(answer["pod"])["public-data"] is True


def test_without_an_acl_the_form_shows_the_rest_and_a_notice(namespace, spawns):
    shown = form(spawns, namespace, "ann", config={"profile_list": PROFILES})
    assert "Large" in shown
    assert "Secret shares cannot be requested now" in shown
    assert form(spawns, namespace, "ann") == ""
