"""Profiles of classic Open Data Hub from an ACL: they never offer more than it grants, and omissions are warnings."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from ansible_collections.odh.persistency.plugins.module_utils._core.access.compile import compile_acl
from ansible_collections.odh.persistency.plugins.module_utils._core.access.jsp_profiles import profiles_of, volume_name
from ansible_collections.odh.persistency.plugins.module_utils._core.access.model import EMPTY, Acl
from ansible_collections.odh.persistency.plugins.module_utils._core.access.published_profiles import as_json
from ansible_collections.odh.persistency.plugins.module_utils._hub.access import SharesPart, grants_of
from ansible_collections.odh.persistency.plugins.module_utils._hub.acl_format import place_error
from hypothesis import given
from hypothesis import strategies as st

from tests.support.acl_worlds import NAMESPACE, PEOPLE, STRANGER, TODAY, share, worlds

HOME = "/home"


def rendered(shares, groups=None, **more):
    return profiles_of(compile_acl(shares, groups or {}, NAMESPACE), TODAY, HOME, **more)


def read_yaml(text):
    # The loader in C where there is one: the other takes milliseconds for each text.
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def volumes_for(data, person):
    """The volumes of a person's server, by the rules of jupyterhub-singleuser-profiles 0.7.1 for profiles without images."""
    found = []
    for profile in data["profiles"]:
        users = profile.get("users")
        if not users or "*" in users or person in users:
            found += profile["volumes"]
    return found


def modes_for(data, person):
    """What a person gets of each claim. No volume and no path occurs twice, because the pod would be rejected."""
    volumes = volumes_for(data, person)
    for key in ("name", "mountPath"):
        assert len({volume[key] for volume in volumes}) == len(volumes)
    claims = [volume["persistentVolumeClaim"] for volume in volumes]
    return {claim["claimName"]: "ro" if claim["readOnly"] else "rw" for claim in claims}


@given(worlds())
def test_profiles_offer_what_the_acl_grants_with_omissions(world):
    acl = compile_acl(*world, NAMESPACE)
    text, left_out = profiles_of(acl, TODAY, HOME)
    data = read_yaml(text)
    part = SharesPart(acl.shares)
    for person in [*PEOPLE, STRANGER]:
        granted = {name: grant.mode for name, grant in grants_of(part, acl.people.get(person), (), TODAY).items()}
        expected = {
            name: "ro" if acl.by_name[name]["level"] == "public" else mode
            for name, mode in granted.items()
            if acl.by_name[name]["level"] != "secret"
        }
        assert modes_for(data, person) == expected
        for name, mode in granted.items():
            if expected.get(name) != mode:
                assert any(name in sentence for sentence in left_out)


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4, unique=True))
def test_names_come_out_of_yaml_as_they_went_in(names):
    people = {name: {"read": ["lab"]} for name in names}
    text, left_out = profiles_of(Acl(compile_acl([share("lab")], {}, NAMESPACE).shares, people), TODAY, HOME)
    kept = sorted(set(names) - {"*"})
    profiles = yaml.safe_load(text)["profiles"]
    assert profiles == json.loads(as_json(text))["profiles"]
    assert [profile["users"] for profile in profiles] == ([kept] if kept else [])
    assert bool(left_out) == ("*" in names)


def test_the_form():
    text, left_out = rendered([share("lab", read=["@staff", "bob"], write=["ann"])], {"staff": ["ann", "cyd"]})
    assert (
        text
        == """\
{
 "profiles": [
  {
   "name": "odh.persistency/lab/ro",
   "users": [
    "bob",
    "cyd"
   ],
   "volumes": [
    {
     "name": "odh-share-lab",
     "persistentVolumeClaim": {
      "claimName": "lab",
      "readOnly": true
     },
     "mountPath": "/home/lab"
    }
   ]
  },
  {
   "name": "odh.persistency/lab/rw",
   "users": [
    "ann"
   ],
   "volumes": [
    {
     "name": "odh-share-lab",
     "persistentVolumeClaim": {
      "claimName": "lab",
      "readOnly": false
     },
     "mountPath": "/home/lab"
    }
   ]
  }
 ]
}
"""
    )
    assert left_out == []


def test_without_shares_the_list_is_empty():
    # A ConfigMap without the key, or with an empty one, fails every spawn or is logged as missing.
    assert yaml.safe_load(profiles_of(EMPTY, TODAY, HOME)[0]) == {"profiles": []}


@pytest.mark.parametrize(
    ("entry", "sentences"),
    [
        (
            share("lab", "secret", read=["ann"]),
            ["lab is omitted: it is secret, and profiles have no way to ask for it"],
        ),
        (share("lab", "public", until="2026-11-23"), ["lab is omitted: it expired after 2026-11-23"]),
        (share("lab"), ["lab is omitted: it names nobody whom profiles could name"]),
        (
            share("lab", write=["@hub:staff", "@hub:x"]),
            [
                "hub:staff and hub:x are omitted from lab: only the hub knows the members",
                "lab is omitted: it names nobody whom profiles could name",
            ],
        ),
        (
            share("lab", read=["*"]),
            [
                "the person '*' is omitted from lab: in profiles that means everybody",
                "lab is omitted: it names nobody whom profiles could name",
            ],
        ),
        (
            share("lab", "public", mount_path="/data/lab"),
            ["lab is omitted: its mount path " + place_error("/data/lab", HOME, ())],
        ),
    ],
)
def test_shares_that_nobody_gets_are_warnings(entry, sentences):
    text, left_out = rendered([entry])
    assert yaml.safe_load(text) == {"profiles": []}
    assert left_out == sentences


def test_partial_omissions_are_warnings():
    entry = share("lab", "public", write=["ann", "@hub:staff"], gid=5000, until="2026-12-31", mount_path="/data/lab")
    text, left_out = rendered([entry], roots=["/data"])
    assert modes_for(read_yaml(text), "ann") == modes_for(read_yaml(text), STRANGER) == {"lab": "ro"}
    assert left_out == [
        "hub:staff is omitted from lab: only the hub knows the members",
        "gid 5000 of lab is omitted: profiles cannot set groups of a server",
        "the end of lab on 2026-12-31 is omitted: profiles do not expire, so publish them again afterwards",
        "write access to lab is omitted for ann: everyone reads it, and profiles allow no exceptions, so it is ro for all",
    ]


@pytest.mark.parametrize("name", ["lab", "a.b", "a-b", "x" * 53, "x" * 54, "x" * 253, "1"])
def test_volumes_have_names_that_pods_may_have(name):
    label = volume_name(name)
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", label)
    # What jupyterhub-singleuser-profiles makes of it.
    assert re.sub(r"[^a-zA-Z0-9\.]", "-", label).lower() == label


def test_volumes_of_two_shares_have_two_names():
    names = ["a.b", "a-b", "a.b.", "x" * 54, "x" * 55]
    assert len({volume_name(name) for name in names}) == len(names)


def test_profiles_too_large_for_a_configmap_are_rejected():
    people = [f"user{number:05d}@example.org" for number in range(10_000)]
    shares = [share(f"share{number}", read=["@all"]) for number in range(4)]
    with pytest.raises(ValueError, match=r"take 1\d\d\d KiB.*format: acl"):
        rendered(shares, {"all": people})
    assert rendered(shares[:2], {"all": people})[1] == []
