"""Our names against those of the real KubeSpawner."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.kubespawner import naming
from hypothesis import event, example, given

from tests.oracle import strategies
from tests.oracle.real_kubespawner import RealKubeSpawner

Get = Callable[[str], RealKubeSpawner]

# Each scheme of ours, the versions that can follow it, and their name for it. Classic ODH is `escape`.
FOLLOWERS = {"safe": ("7.1", "7.0"), "escape": ("7.1", "7.0", "6.2"), "odh": ("7.1", "7.0", "6.2")}
SLUG_SCHEME = {"safe": "safe", "escape": "escape", "odh": "escape"}
PAIRS = [(version, scheme) for scheme, versions in FOLLOWERS.items() for version in versions]

# The rule for the name of a claim once more, written otherwise than in the code under test.
LABEL = re.compile(r"[a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9]")

NAMESPACES = {"namespace": "homes", "hub_namespace": "hub"}


def is_claim_name(name: str) -> bool:
    return len(name) <= 253 and all(LABEL.fullmatch(part) for part in name.split("."))


def real_template(version: str, scheme: str) -> str | None:
    # Its own default where there is one, so that a default of ours that is not the real one shows.
    return "jupyterhub-nb-{username}-pvc" if scheme == "odh" else None


def check(template: naming.Template, user: str, server: str, answer: dict[str, Any]) -> None:
    """One of ours against one answer of a real one: equal, or both no name."""
    if "error" in answer:
        with pytest.raises(naming.NamingError):
            template.render(user, server)
        with pytest.raises(naming.NamingError):
            template.claim_name(user, server)
        return
    assert template.render(user, server) == answer["pvc_name"]
    if is_claim_name(answer["pvc_name"]):
        assert template.claim_name(user, server) == answer["pvc_name"]
    else:
        with pytest.raises(naming.NamingError):
            template.claim_name(user, server)


@pytest.mark.parametrize(("version", "scheme"), PAIRS)
def test_every_name_of_the_table(kubespawner: Get, version: str, scheme: str) -> None:
    template = naming.Template.parse(scheme)
    for user in strategies.TABLE:
        for server in ("", "lab", "lab 1", "Ω", "x" * 60, *strategies.TABLE[:8]):
            answer = kubespawner(version).ask(
                user, server, scheme=SLUG_SCHEME[scheme], template=real_template(version, scheme)
            )
            assert "error" not in answer
            check(template, user, server, answer)


@pytest.mark.parametrize(("version", "scheme"), PAIRS)
@given(user=strategies.users, server=strategies.servers)
@example(user="1" + "a" * 34 + "-b" + "c" * 20, server="")
@example(user="1" + "a" * 14 + "-b" + "c" * 40, server="lab")
@example(user="\ud800", server="")
@example(user="alice", server="\ud800")
def test_any_name(kubespawner: Get, version: str, scheme: str, user: str, server: str) -> None:
    answer = kubespawner(version).ask(user, server, scheme=SLUG_SCHEME[scheme], template=real_template(version, scheme))
    check(naming.Template.parse(scheme), user, server, answer)


def test_defaults_are_those_of_the_real_ones(kubespawner: Get) -> None:
    """What the two versions call their default makes the same names under `escape`, and stays distinct under `safe`."""
    for user, server in (("a.b", ""), ("a.b", "c.d"), ("a", "b--c")):
        six = kubespawner("6.2").ask(user, server)["pvc_name"]
        assert kubespawner("7.1").ask(user, server, scheme="escape")["pvc_name"] == six
        assert naming.Template.parse("escape").render(user, server) == six
        assert naming.Template.parse("escape", "claim-{user_server}").render(user, server) == six


def ask_all(kubespawner: Get, scheme: str, template: str, user: str, server: str) -> dict[str, dict[str, Any]]:
    return {
        version: kubespawner(version).ask(
            user, server, scheme=SLUG_SCHEME[scheme], template=template, namespace="homes", hub_namespace="hub"
        )
        for version in FOLLOWERS[scheme]
    }


@pytest.mark.parametrize("scheme", ["safe", "escape"])
@pytest.mark.parametrize("template", strategies.TEMPLATES)
def test_known_templates_are_taken(scheme: str, template: str) -> None:
    if scheme == "safe" and "legacy" in template:
        with pytest.raises(naming.NamingError, match="KubeSpawner 6"):
            naming.Template.parse(scheme, template, **NAMESPACES)
    else:
        assert naming.Template.parse(scheme, template, **NAMESPACES).text == template


@pytest.mark.parametrize("scheme", ["safe", "escape"])
def test_every_field_in_the_middle(kubespawner: Get, scheme: str) -> None:
    """Each field where nothing is stripped from it, for versions that have it."""
    taken = set()
    for field in strategies.FIELDS:
        text = f"{{username}}.a-{{{field}}}-z"
        try:
            template = naming.Template.parse(scheme, text, **NAMESPACES)
        except naming.NamingError:
            continue
        taken.add(field)
        for user in strategies.TABLE:
            for server in ("", "lab", "lab 1", "x" * 40):
                answers = ask_all(kubespawner, scheme, text, user, server)
                real = [answer for answer in answers.values() if "KeyError" not in answer.get("error", "")]
                assert real
                for answer in real:
                    check(template, user, server, answer)
    left_out = set(strategies.FIELDS) - taken
    assert left_out == {"userid", "pvc_name", "pod_name"} | ({"legacy_escape_username"} if scheme == "safe" else set())


@pytest.mark.parametrize("scheme", ["safe", "escape"])
@given(template=strategies.templates, user=strategies.users, server=strategies.servers)
@example(template="claim-{username}-", user="alice", server="")
@example(template="claim-{username}-{{servername}}", user="alice", server="lab")
@example(template="claim-{username:05}", user="bob", server="")
@example(template="claim-{escaped_user_server}-{legacy_escape_username}", user="alice", server="")
@example(template="claim-{hubnamespace}", user="alice", server="")
def test_any_template(kubespawner: Get, scheme: str, template: str, user: str, server: str) -> None:
    """Taken: as every version that takes it. Refused: no version makes a valid name, or one of the reasons below."""
    answers = ask_all(kubespawner, scheme, template, user, server)
    names = {answer["pvc_name"] for answer in answers.values() if "error" not in answer}
    # Where versions differ, they differ in what they take and not in what they make of it.
    # (`{username.upper}` has an address in memory in it.)
    assert len({re.sub("0x[0-9a-f]+", "", name) for name in names}) <= 1
    try:
        ours = naming.Template.parse(scheme, template, **NAMESPACES)
    except naming.NamingError:
        event("refused")
        assert not any(map(is_claim_name, names)) or rejected_on_purpose(template)
        return
    event("taken, and a name" if names else "taken, and no name")
    answer = next((answer for answer in answers.values() if "error" not in answer), {"error": "everywhere"})
    check(ours, user, server, answer)
    if names and not ours.has_server:
        assert names == {ours.render(user, "other")}


def rejected_on_purpose(template: str) -> bool:
    """What KubeSpawner makes a valid name of, and we do not take: it is documented with Template.parse and here."""
    return bool(
        re.search(r"\{(userid|pod_name|pvc_name)\b", template)  # only the hub knows
        or "user" not in re.sub(r"\{\{|\}\}", "", template)  # one claim for all
        or re.search(r":\{", template)  # a format out of a name
        or re.search(r":0", template)  # means another thing before Python 3.10
        or re.search(r":\.0", template)  # a field of which nothing is shown
    )


@pytest.mark.parametrize(
    ("hub_namespace", "expected"),
    [("hub", "claim-hub-alice"), ("default", "claim-user-alice"), ("user", "claim-user-alice")],
)
def test_hub_namespace(kubespawner: Get, hub_namespace: str, expected: str) -> None:
    template = "claim-{hubnamespace}-{username}"
    for version in ("7.1", "6.2"):
        answer = kubespawner(version).ask("alice", scheme="escape", template=template, hub_namespace=hub_namespace)
        assert answer["pvc_name"] == expected
    assert naming.Template.parse("escape", template, hub_namespace=hub_namespace).claim_name("alice") == expected


def test_only_hub_knows(kubespawner: Get) -> None:
    """Templates that are rejected as unknown, or give no name, also fail in the real KubeSpawner."""
    seven = kubespawner("7.1")
    assert seven.ask("alice", template="claim-{userid}-{username}")["pvc_name"] == "claim-1-alice"
    assert seven.ask("alice", template="claim-{pvc_name}")["pvc_name"] == "claim-pvc_name_unavailable!"
    # The way out that the refusal of {pod_name} names.
    for user in strategies.TABLE:
        for scheme in ("safe", "escape"):
            named = seven.ask(user, "lab 1", scheme=scheme, template="a-{pod_name}-b")["pvc_name"]
            assert named == naming.Template.parse(scheme, "a-jupyter-{user_server}-b").render(user, "lab 1")


@pytest.mark.parametrize(("old", "new"), [("stop.ped", "stop-2eped"), ("alice-smith", "alice-2dsmith")])
def test_takeover(kubespawner: Get, old: str, new: str) -> None:
    """The home that KubeSpawner 6 made for one person is what KubeSpawner 7 mounts for another."""
    name = kubespawner("6.2").ask(old)["pvc_name"]
    assert kubespawner("7.1").ask(new)["pvc_name"] == name
    homes = [(old, ""), ("bystander", ""), (new, "")]
    across = naming.collisions_across(homes, [naming.Template.parse("escape"), naming.Template.parse("safe")])
    assert across == {name: [(old, ""), (new, "")]}
    for scheme in naming.SCHEMES:
        assert naming.collisions(homes, naming.Template.parse(scheme)) == {}
    assert naming.scheme_of(name, old) == ["escape"]
    assert naming.scheme_of(name, new) == ["safe"]


def test_z2jh_3_collides_under_its_own_template(kubespawner: Get) -> None:
    text = "claim-{username}{servername}"
    homes = [("alice", "bob"), ("alicebob", ""), ("alice", "")]
    names = [kubespawner("6.2").ask(user, server, template=text)["pvc_name"] for user, server in homes]
    assert names == ["claim-alicebob", "claim-alicebob", "claim-alice"]
    template = naming.Template.parse("escape", text)
    assert naming.collisions(homes, template) == {"claim-alicebob": [("alice", "bob"), ("alicebob", "")]}
