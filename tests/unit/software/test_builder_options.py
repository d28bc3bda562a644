"""Options of a run in Jobs that are wrong, all in one message."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.software.builder import (
    image_settings,
    job_settings,
    unused_error,
)

VALID = {
    "prefix": "/opt/apps",
    "builder_namespace": "software",
    "builder_claim": "apps",
    "builder_image": "image:1",
    "builder_resources": {},
    "builder_service_account": None,
    "builder_uid": None,
    "builder_gid": None,
    "builder_node_selector": {},
    "builder_tolerations": [],
    "builder_pull_secrets": [],
    "builder_start_timeout": 600,
}


def errors_of(**params: Any) -> list[str]:
    errors: list[str] = []
    job_settings({**VALID, **params}, errors)
    return errors


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({}, None),
        ({"builder_claim": None, "builder_image": ""}, "`job` also needs"),
        ({"path": "/srv/apps"}, "path: Jobs do not use this host"),
        ({"build_user": "easybuild"}, "build_user: Jobs do not use this host"),
        ({"builder_namespace": "Software"}, "cannot be the name of a namespace"),
        ({"builder_claim": "a/../b"}, "builder_claim"),
        ({"builder_uid": 0}, "builder_uid: 0 is too small"),
        ({"builder_gid": -1}, "builder_gid"),
        ({"builder_start_timeout": 0}, "builder_start_timeout"),
        ({"builder_resources": {"request": {"cpu": 1}}}, "is unknown: use `requests` and `limits`"),
        ({"builder_resources": {"limits": {"memory": "1 GB"}}}, "limits.memory"),
    ],
)
def test_what_is_wrong_with_the_options(params, error):
    found = errors_of(**params)
    assert [error in text for text in found] == ([True] if error else [])


def test_numbers_of_yaml_become_quantities():
    settings = job_settings({**VALID, "builder_resources": {"limits": {"cpu": 2}}}, [])
    assert settings.resources == {"limits": {"cpu": "2"}}


def test_options_of_jobs_without_jobs():
    assert "only with `builder: job`" in str(unused_error({"builder_claim": "apps"}))
    assert unused_error({"builder_claim": None}) is None


def image_errors_of(**params: Any) -> list[str]:
    errors: list[str] = []
    image_settings({**VALID, "builder_image": None, "server_images": ["image:1"], **params}, errors)
    return errors


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({}, None),
        ({"path": "/srv/apps", "build_user": "easybuild"}, None),  # this host builds
        ({"builder_namespace": None}, "server_images: Jobs check them, also with `builder: local`, and need"),
        ({"builder_claim": None}, "or set only `server_python`"),
        ({"server_images": [""]}, "server_images: "),
        ({"server_images": ["image:1", "image 2"]}, "is not an image"),
        ({"server_python": "bin/python"}, "server_python: "),
        ({"server_python": "/opt/conda/bin/python"}, None),
    ],
)
def test_images_of_servers_with_builds_on_this_host(params, error):
    found = image_errors_of(**params)
    assert [error in text for text in found] == ([True] if error else [])


def test_the_claim_of_the_images_is_used_with_builds_on_this_host():
    claim = {"builder_namespace": "jupyterhub", "builder_claim": "apps", "builder_image": None}
    assert unused_error({**claim, "server_images": ["image:1"]}) is None
    assert unused_error({**claim, "server_images": []}) is not None
    assert "builder_image" in str(unused_error({**claim, "builder_image": "x", "server_images": ["image:1"]}))
