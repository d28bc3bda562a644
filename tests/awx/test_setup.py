"""The playbook awx: the real modules of awx.awx against the API of AWX as it is kept in memory (tests/support/awx_api.py)."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import awx_api
from tests.support.playbooks import Played

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "awx"
VARIABLES = EXAMPLE / "vars" / "awx.yml"
SECRETS = {
    "AWX_TOKEN": awx_api.TOKEN,
    "CLUSTER_CA": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "READ_TOKEN": "secret-to-read",
    "WRITE_TOKEN": "secret-to-write",
}
SSH_KEY = "key of the file server"
HUB = {
    "awx_hub_url": "https://hub.example.org",
    "awx_hub_token": "secret-of-the-hub",
    "awx_job_credentials": [SSH_KEY],
}


@pytest.fixture(scope="module")
def api() -> Iterator[awx_api.Awx]:
    with awx_api.running() as found:
        found.playbooks = tuple(path.name for path in EXAMPLE.glob("*.yml"))
        machine = found.create("credential_types", {"name": "Machine", "kind": "ssh", "managed": True})
        found.create("credentials", {"name": SSH_KEY, "credential_type": machine["id"]})
        yield found


def play(api: awx_api.Awx, *flags: str, environment: Mapping[str, str] | None = None, **extra: Any) -> Played:
    """Run the playbook with the variables of the example. `api.requests` has the requests of this run."""
    connection = {"controller_host": api.address, "controller_oauthtoken": awx_api.TOKEN}
    words = ["ansible-playbook", "odh.persistency.awx", "-e", f"@{VARIABLES}", *flags]
    words += ["-e", json.dumps({"awx_connection": connection, **extra})]
    settings = {
        **os.environ,
        **SECRETS,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "True",
        "COLUMNS": "1000",
        "no_proxy": "127.0.0.1",
    }
    api.requests.clear()
    answer = subprocess.run(
        words, capture_output=True, text=True, env={**settings, **(environment or {})}, cwd="/", timeout=600
    )
    return Played(answer.returncode, answer.stdout + answer.stderr)


@pytest.fixture(scope="module")
def first(api: awx_api.Awx) -> Played:
    """The first run, of which the other tests need what it created."""
    played = play(api, "-v", **HUB)
    assert played.code == 0, played.output
    return played


def test_the_first_run_creates_everything(api, first):
    organization = api.one("organizations", "Hubs")
    assert api.names("organizations", organization, "galaxy_credentials") == ["Ansible Galaxy"]
    project = api.one("projects", "hub project")
    assert project["scm_update_on_launch"]
    source = api.one("inventory_sources", "hub inventory source")
    assert (source["source"], source["source_project"]) == ("scm", project["id"])
    assert source["overwrite"]
    assert source["overwrite_vars"]
    assert source["update_on_launch"]
    assert (EXAMPLE / source["source_path"]).is_file()
    for account in ("read", "write"):
        inputs = api.one("credentials", f"hub {account}")["inputs"]
        assert inputs["verify_ssl"]
        assert inputs["ssl_ca_cert"] == SECRETS["CLUSTER_CA"]
        assert inputs["bearer_token"] == f"secret-to-{account}"


def test_the_job_templates_run_the_playbooks_of_the_example(api, first):
    accounts = {"drift": "read", "site": "write", "reports": "read"}
    for name, account in accounts.items():
        template = api.one("job_templates", f"hub {name}")
        assert template["playbook"] == f"{name}.yml"
        assert (template["job_type"], template["allow_simultaneous"]) == ("run", False)
        assert template["ask_variables_on_launch"]
        credentials = [SSH_KEY, f"hub {account}", "hub token of the hub"]
        assert sorted(api.names("job_templates", template, "credentials")) == sorted(credentials)
        notified = [] if name == "reports" else ["hub failures"]
        assert api.names("job_templates", template, "notification_templates_error") == notified


def test_the_token_of_the_hub_reaches_jobs_by_their_environment(api, first):
    kind = api.one("credential_types", "Token of a JupyterHub (odh.persistency)")
    assert kind["injectors"] == {"env": {"ODH_PERSISTENCY_HUB_TOKEN": "{{ token }}"}}
    assert api.one("credentials", "hub token of the hub")["inputs"] == {"token": "secret-of-the-hub"}
    hub = {"url": HUB["awx_hub_url"], "token": "{{ lookup('ansible.builtin.env', 'ODH_PERSISTENCY_HUB_TOKEN') }}"}
    for name in ("drift", "site", "reports"):
        variables = json.loads(api.one("job_templates", f"hub {name}")["extra_vars"])
        assert variables == {"homes_hub": hub, "server_access_hub": hub}


def test_the_workflow_asks_after_a_red_check_and_then_reconciles(api, first):
    kind = "workflow_job_template_nodes"
    drift, approval, site = (api.one(kind, name) for name in ("drift", "approval", "site"))
    assert api.names(kind, drift, "failure_nodes") == ["approval"]
    assert api.names(kind, approval, "success_nodes") == ["site"]
    assert [api.names(kind, node, "success_nodes") for node in (drift, site)] == [[], []]
    starts = {
        node["identifier"]: api.find("unified_job_templates", node["unified_job_template"]) for node in (drift, site)
    }
    assert {name: found["name"] for name, found in starts.items()} == {"drift": "hub drift", "site": "hub site"}
    assert api.find("unified_job_templates", approval["unified_job_template"])["type"] == "workflow_approval_template"
    workflow = api.one("workflow_job_templates", "hub drift, approval, site")
    for event in ("error", "approvals"):
        assert api.names("workflow_job_templates", workflow, f"notification_templates_{event}") == ["hub failures"]


def test_the_schedules(api, first):
    found = {row["name"]: row for row in api.rows["schedules"].values()}
    assert {name: row["enabled"] for name, row in found.items()} == {
        "hub drift": True,
        "hub site": True,
        "hub drift, approval, site": False,
    }
    for name, row in found.items():
        assert api.find("unified_job_templates", row["unified_job_template"])["name"] == name
    assert "FREQ=HOURLY" in found["hub drift"]["rrule"]
    assert "FREQ=DAILY" in found["hub site"]["rrule"]


def test_no_secret_is_in_the_output(first):
    assert [text for text in (*SECRETS.values(), *HUB.values()) if "secret" in text and text in first.output] == []


def test_a_second_run_sends_no_write_whatever_other_organizations_have(api, first):
    other = api.create("organizations", {"name": "Others"})
    namesakes = [
        (kind, api.create(kind, {**api.one(kind, name), "organization": other["id"]})["id"])
        for kind, name in (
            ("inventories", "hub inventory"),
            ("projects", "hub project"),
            ("credentials", "hub read"),
            ("notification_templates", "hub failures"),
            ("workflow_job_templates", "hub drift, approval, site"),
        )
    ]
    second = play(api, **HUB)
    for kind, number in namesakes:
        del api.rows[kind][number]
    assert second.code == 0, second.output
    assert api.writes == []
    assert second.recap["changed"] == 0, second.output


def test_a_branch_and_instance_groups_that_are_removed_from_the_variables_are_removed_in_awx(api, first):
    more = {"awx_project_branch": "main", "awx_instance_groups": ["default"]}
    assert play(api, **HUB, **more).code == 0
    template = api.one("job_templates", "hub drift")
    assert api.one("projects", "hub project")["scm_branch"] == "main"
    assert api.names("job_templates", template, "instance_groups") == ["default"]
    played = play(api, **HUB)
    assert played.code == 0, played.output
    assert api.one("projects", "hub project")["scm_branch"] == ""
    assert api.names("job_templates", template, "instance_groups") == []


def test_check_mode_shows_an_edit_and_secrets_that_are_sent_again(api, first):
    preview = play(api, "--check", **HUB, awx_nightly="workflow", awx_update_secrets=True)
    assert preview.code == 0, preview.output
    assert api.writes == []
    tasks = re.findall(r"TASK \[odh.persistency.awx : (.*)\] \*+((?:\n.+)+)", preview.output)
    assert [name for name, result in tasks if "changed: " in result] == [
        "Credentials of the cluster",
        "Credential of the hub",
        "Notification",
        "Schedules",
    ]
    assert re.findall(r"changed: \[localhost\] => \(item=(.*)\)", preview.output) == [
        "read",
        "write",
        "hub site",
        "hub drift, approval, site",
    ]


def test_a_run_after_the_repository_could_not_be_reached_updates_the_project():
    """AWX does not try again by itself, as a run on a real one showed."""
    with awx_api.running() as empty:
        empty.unreachable = "https://git.example.org/hubs/persistency.git"
        failed = play(empty)
        assert failed.code == 2
        assert "Project update failed" in failed.output
        empty.unreachable = ""
        repaired = play(empty)
        assert repaired.code == 0, repaired.output
        number = empty.one("projects", "hub project")["id"]
        assert [path for _, path, _ in empty.writes if "update" in path] == [f"/api/v2/projects/{number}/update/"]
        assert len(empty.rows["job_templates"]) == 3


def test_check_mode_before_the_first_run_says_that_it_shows_nothing():
    with awx_api.running() as empty:
        preview = play(empty, "--check")
        assert preview.code == 0, preview.output
        assert empty.writes == []
        assert "does not exist yet. Check mode shows nothing of what refers to objects" in preview.output


def test_errors_in_variables_are_rejected_before_the_first_request(api):
    wrong = {"awx_cluster_ca": "ca.crt", "awx_drift_rule": "hourly", "awx_hub_url": "https://hub.example.org"}
    rejected = play(api, **wrong)
    assert rejected.code == 2
    assert "awx_cluster_ca contains no certificate in PEM format" in rejected.output
    assert "awx_drift_rule is not a variable of the role awx (did you mean `awx_drift_rrule`?)" in rejected.output
    assert "awx_hub_url is set, and awx_hub_token is not" in rejected.output
    assert api.requests == []


def test_a_missing_collection_is_named_before_anything_is_done(api, tmp_path):
    collections = tmp_path / "ansible_collections"
    (collections / "odh").mkdir(parents=True)
    (collections / "odh" / "persistency").symlink_to(ROOT)
    rejected = play(api, environment={"ANSIBLE_COLLECTIONS_PATH": str(tmp_path), "PYTHONPATH": str(ROOT)})
    assert rejected.code == 2
    assert "The collection awx.awx, which sets up AWX, is not installed: run" in rejected.output
    assert api.requests == []


def test_the_variables_of_awx_in_a_job_are_no_errors(api):
    """The playbook may run in AWX itself. It is rejected for another reason, so that the test is short."""
    rejected = play(api, awx_job_id=1, awx_user_name="ann", awx_name="")
    assert "awx_name is empty: set a name" in rejected.output
    assert "awx_job_id" not in rejected.output
    assert api.requests == []
