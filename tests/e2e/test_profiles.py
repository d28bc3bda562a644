"""Profiles that put claims into a pod which its user must not mount: the spawn hook has the last word."""

from __future__ import annotations

import json

import pytest

from tests.e2e.rig import HOME

USER = "gabor.nagy@students.example.org"
SHARE = "shared-data-private"


@pytest.mark.parametrize("profile", ["volumes", "extra-config"])
def test_a_home_of_somebody_else_and_a_share_that_is_not_granted_are_removed(site, hub, shell, profile):
    """`volumes` adds them in addition to the home, `extra-config` replaces all volumes, for an init container too."""
    victim = site.home_of(site.victim)["metadata"]["name"]
    (site.folder_of(victim) / "private").write_text("text of the victim\n")
    hub.launch(USER, profile=profile)
    pod = json.dumps(site.pod_of(USER)["spec"])
    assert victim not in pod
    assert f'"{SHARE}"' not in pod
    assert "stolen" not in shell(USER, "ls /mnt")[1]
    assert site.granted(USER)["shares"] == {"shared-data-public": "ro", "shared-notebooks": "ro"}
    assert shell(USER, f"cat {HOME}/shared-data-public/* >/dev/null; ls -d {HOME}/shared-notebooks")[0] == 0
    # What the profile may do stays.
    assert shell(USER, "echo $FROM_PROFILE") == (0, "yes\n")
    assert f"claim {victim} removed from the pod of '{USER}'" in hub.log()
