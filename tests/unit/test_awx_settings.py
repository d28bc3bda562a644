"""The variables of the role awx: what is rejected before anything is sent to AWX."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.odh.persistency.plugins.module_utils._core.awx_settings import (
    NOTIFICATION_SETTINGS,
    setting_errors,
    setting_warnings,
)

ROLE = Path(__file__).resolve().parents[2] / "roles" / "awx"
RRULE = "DTSTART;TZID=Etc/UTC:20260101T001700 RRULE:FREQ=HOURLY;INTERVAL=1"
GOOD = {
    "awx_cluster_ca": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "awx_cluster_host": "https://api.example.org:6443",
    "awx_drift_rrule": RRULE,
    "awx_execution_environment": "",
    "awx_hub_token": "",
    "awx_hub_url": "",
    "awx_image": "registry.example.org/ee:1",
    "awx_inventory_file": "inventory/hosts.yml",
    "awx_name": "hub",
    "awx_notification_configuration": {},
    "awx_notification_type": "",
    "awx_organization": "Hubs",
    "awx_project_url": "git@git.example.org:hubs/persistency.git",
    "awx_read_token": "read",
    "awx_site_rrule": RRULE,
    "awx_write_token": "write",
}
WEBHOOK = {"url": "https://chat.example.org", "headers": {}}


def errors(**settings):
    return setting_errors({**GOOD, **settings})


def role_file(name):
    return yaml.load((ROLE / name).read_text().replace("!unsafe ", ""), yaml.SafeLoader)


def test_good_settings():
    assert errors() == []
    assert errors(awx_hub_url="https://hub.example.org", awx_hub_token="t") == []
    assert errors(awx_hub_token="t") == []
    assert errors(awx_project_url="ssh://git@git.example.org/hubs/persistency.git") == []
    assert errors(awx_site_rrule=f"{RRULE};COUNT=999;BYDAY=MO,TU RRULE:FREQ=MONTHLY;INTERVAL=2;BYMONTH=1,2") == []
    assert errors(awx_image="", awx_execution_environment="ours") == []
    assert errors(awx_notification_type="webhook", awx_notification_configuration=WEBHOOK) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("awx_name", " ", "awx_name is empty"),
        ("awx_name", "a++b", "awx_name contains `++`"),
        ("awx_organization", "12", "awx_organization is a number, which awx.awx takes for an ID"),
        ("awx_project_url", "https://bot:secret@git.example.org/a.git", "awx_project_url contains a password"),
        ("awx_project_url", "https://ghp_SECRET@github.com/x.git", "awx_project_url contains a password or a token"),
        ("awx_project_url", "", "awx_project_url is empty: set it"),
        ("awx_inventory_file", "", "awx_inventory_file is empty: set it"),
        ("awx_read_token", "", "awx_read_token is empty: set it"),
        ("awx_write_token", "", "awx_write_token is empty: set it"),
        ("awx_cluster_host", "https://u:pw@api.example.org", "awx_cluster_host contains a login"),
        ("awx_inventory_file", "/runner/project/hosts.yml", "awx_inventory_file is an absolute path"),
        ("awx_cluster_host", "http://api.example.org", "awx_cluster_host does not begin with https://"),
        ("awx_cluster_ca", "/etc/ca.crt", "awx_cluster_ca contains no certificate in PEM format"),
        ("awx_image", "", "awx_image and awx_execution_environment are not set"),
        ("awx_execution_environment", "ours", "awx_image and awx_execution_environment are both set"),
        ("awx_hub_url", "https://hub.example.org", "awx_hub_url is set, and awx_hub_token is not"),
        ("awx_notification_type", "slack", "awx_notification_type is set, and awx_notification_configuration is not"),
        ("awx_notification_configuration", WEBHOOK, "awx_notification_configuration is set, and awx_notification_type"),
        ("awx_read_token", "abc\n", "awx_read_token contains spaces or line breaks"),
        ("awx_write_token", "ZXlKaGJHY2k", "awx_write_token is encoded with base64"),
        ("awx_drift_rrule", "every hour", "awx_drift_rrule needs one DTSTART and an RRULE"),
        (
            "awx_drift_rrule",
            "DTSTART:20260101T000000 RRULE:FREQ=HOURLY;INTERVAL=1",
            "has a DTSTART without a time zone",
        ),
        ("awx_site_rrule", "DTSTART:20260101T000000Z RRULE:FREQ=DAILY", "awx_site_rrule has no INTERVAL in FREQ=DAILY"),
        ("awx_site_rrule", RRULE.replace("HOURLY", "SECONDLY"), "awx_site_rrule has FREQ=SECONDLY"),
        (
            "awx_site_rrule",
            RRULE.replace("HOURLY", "NEVER"),
            "has FREQ=NEVER in FREQ=NEVER;INTERVAL=1: use one of MINUTELY,",
        ),
        ("awx_site_rrule", RRULE.replace("FREQ=HOURLY;", ""), "has FREQ= in INTERVAL=1: use one of MINUTELY,"),
        ("awx_site_rrule", f"{RRULE};BYDAY=1MO", "has a number in BYDAY=1MO"),
        ("awx_site_rrule", f"{RRULE};BYYEARDAY=100", "has BYYEARDAY in FREQ=HOURLY;INTERVAL=1;BYYEARDAY=100"),
        ("awx_site_rrule", f"{RRULE};BYWEEKNO=20", "has BYWEEKNO in"),
        ("awx_site_rrule", f"{RRULE};COUNT=1000", "has COUNT=1000 in"),
        ("awx_site_rrule", f"{RRULE};COUNT=5;UNTIL=20270101T000000Z", "has COUNT and UNTIL in"),
        ("awx_site_rrule", RRULE.replace("INTERVAL=1", "INTERVAL=0"), "has INTERVAL=0 in"),
        ("awx_site_rrule", RRULE.replace("20260101", "20261399"), "is no date and time: 20261399T001700"),
        ("awx_site_rrule", f"{RRULE} EXDATE:20260301T000000Z", "has dates (EXDATE or RDATE)"),
    ],
)
def test_wrong_settings(name, value, message):
    found = errors(**{name: value})
    assert len(found) == 1
    assert message in found[0]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://u:pw@hub.example.org", "awx_hub_url contains a login, which everybody who sees the job would see"),
        ("hub.example.org", "awx_hub_url does not begin with https:// or http://"),
    ],
)
def test_wrong_urls_of_a_hub(url, message):
    (found,) = errors(awx_hub_url=url, awx_hub_token="t")
    assert message in found
    assert "pw" not in found


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"url": "https://chat.example.org"}, "has no headers, which the type webhook requires: add it"),
        ({"url": "https://chat.example.org", "header": {}}, "requires (did you mean `header`?): add it"),
        ({"url": 1, "headers": {}}, "url must be text"),
        ({"url": "https://chat.example.org", "headers": []}, "headers must be a dictionary"),
    ],
)
def test_settings_of_a_notification(configuration, message):
    (found,) = errors(awx_notification_type="webhook", awx_notification_configuration=configuration)
    assert message in found


def test_an_empty_list_of_receivers():
    configuration = {"token": "t", "channels": []}
    (found,) = errors(awx_notification_type="slack", awx_notification_configuration=configuration)
    assert found == "awx_notification_configuration: channels is empty: name at least one"


def test_no_message_contains_a_secret():
    secrets = {name: f"very secret {name}" for name in ("awx_read_token", "awx_write_token", "awx_hub_token")}
    urls = dict.fromkeys(("awx_project_url", "awx_cluster_host", "awx_hub_url"), "https://bot:hunter2@git.example.org")
    text = " ".join(errors(**secrets, **urls))
    assert "very secret" not in text
    assert "hunter2" not in text


def jwt(**claims):
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{payload}.c2lnbmF0dXJl"


def test_a_token_that_expires_is_a_warning():
    (warning,) = setting_warnings({**GOOD, "awx_read_token": jwt(exp=1800000000), "awx_write_token": jwt(sub="a")})
    assert warning.startswith("awx_read_token expires on 2027-01-15 08:00 UTC: ")


@pytest.mark.parametrize("token", ["eyJ.e.e", jwt(exp="soon"), jwt(exp=1e300), "eyJhbGciOiJub25lIn0.W10.c2ln"])
def test_tokens_that_cannot_be_decoded_are_not_judged(token):
    assert setting_warnings({**GOOD, "awx_read_token": token}) == []


def test_the_variables_of_the_role_are_those_that_it_documents():
    documented = role_file("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    internal = role_file("vars/main.yml")
    assert set(internal["__awx_variables"]) == set(documented)
    assert set(internal["__awx_settings"]) == set(GOOD)
    assert not set(internal["__awx_job_variables"]) & set(documented)
    assert set(documented["awx_notification_type"]["choices"]) == set(NOTIFICATION_SETTINGS)
    readme = (ROLE / "README.md").read_text()
    assert [name for name in documented if f"| `{name}` |" not in readme] == []


def test_all_objects_that_a_schedule_or_a_workflow_could_confuse_have_different_names():
    tasks = (ROLE / "tasks" / "setup.yml").read_text()
    internal = role_file("vars/main.yml")
    names = ["{{ awx_name }} project", "{{ awx_name }} inventory source", internal["__awx_workflow_name"]]
    assert all(f'"{name}"' in tasks for name in names[:2])
    names += [f"{{{{ awx_name }}}} {template['name']}" for template in internal["__awx_templates"]]
    names += [node["approval_node"]["name"] for node in internal["__awx_nodes"] if "approval_node" in node]
    assert len(names) == len(set(names)) == 7
