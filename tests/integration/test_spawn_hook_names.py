"""Names and paths of people, groups and shares in real KubeSpawners: nothing expands them, and nothing breaks out."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.acl import options, share
from tests.support.real_spawns import claims_in, granted, make_share, mounts_in
from tests.support.spawn_fixtures import *  # noqa: F403

HOME = "/home/jovyan"
#: Braces, quotes, shell, HTML, Jinja, Python's format, and what Kubernetes expands.
NASTY = '{username} {0} {{7*7}} {% x %} <b onclick="x">\'&amp; $(HOSTNAME) $$ `id` ;|\\ %s'
GROUP = f"<script>{NASTY}</script>"
SHARES = [
    share("open", "public", mount_path=f"{HOME}/{NASTY}"),
    share("closed", mount_path=f"{HOME}/closed{NASTY}", read={"groups": [f"hub:{GROUP}"]}),
    share("vault", "secret", mount_path=f"{HOME}/vault{NASTY}", read={"groups": [f"hub:{GROUP}"]}),
]
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), min_size=1, max_size=40)
SPECIAL = st.text(st.sampled_from("{}\"'\n<>&$()%\\`;| ax1-_.@"), min_size=1, max_size=30)


@pytest.fixture
def nasty(cluster, namespace, modules):
    modules.ok("share_acl", options(namespace, SHARES, home_path=HOME))
    for spec in SHARES:
        make_share(cluster, namespace, spec["name"])


class Fields(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def test_paths_and_groups_arrive_as_they_are(namespace, nasty, spawns):
    asked = {"secret_shares": ["vault"]}
    answer = spawns.start(namespace, "ann", groups=[GROUP], body=asked, settings={"mount_points": "init"})
    assert "pod" in answer, answer
    pod = answer["pod"]
    paths = [spec["mount_path"] for spec in SHARES]
    assert set(mounts_in(pod)) == {HOME, *paths}
    init = pod["spec"]["initContainers"][0]
    assert {text.replace("$$", "$") for text in init["command"][4:]} == {HOME, *paths}
    (variable,) = [one for one in pod["spec"]["containers"][0]["env"] if one["name"] == "ODH_PERSISTENCY_GRANTED"]
    assert json.loads(variable["value"].replace("$$", "$")) == granted(pod)

    shown = spawns.start(namespace, "ann", groups=[GROUP], form=True)["form"]
    fields = Fields(shown)
    assert [tag for tag, _attributes in fields.tags] == ["fieldset", "legend", "p", "div", "label", "input"]
    assert fields.tags[-1][1]["value"] == "vault"
    assert f"as a member of group hub:{GROUP}" in fields.text


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(user=NAMES | SPECIAL, group=SPECIAL, asked=SPECIAL)
@example(user=NASTY, group=NASTY, asked=NASTY)
@example(user="</p><script>{0}\n", group="{user}", asked="vault")
def test_whatever_people_and_groups_are_called_the_start_is_as_without_us(namespace, nasty, spawns, user, group, asked):
    without = spawns.start(namespace, user, groups=[group], settings=None)
    answer = spawns.start(namespace, user, groups=[group], body={"secret_shares": [asked]})
    assert ("pod" in answer) == ("pod" in without), (answer, without)
    assert spawns.start(namespace, user, groups=[group], form=True) == {"form": ""}
    if "pod" in answer:
        (home,) = claims_in(without["pod"])
        assert claims_in(answer["pod"]) == {home: False, "open": True}
        assert mounts_in(answer["pod"]) == {HOME: False, SHARES[0]["mount_path"]: True}
        assert answer["pod"]["metadata"]["name"] == without["pod"]["metadata"]["name"]
        assert granted(answer["pod"])["shares"] == {"open": "ro"}
