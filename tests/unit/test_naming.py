"""Names of homes: measured names, valid and rejected templates, collisions. tests/oracle compares with the real KubeSpawner."""

from __future__ import annotations

import time

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.kubespawner import naming
from ansible_collections.odh.persistency.plugins.module_utils._core.kubespawner.naming import NamingError, Template

# As the real KubeSpawner 7.1 and 6.2 gave them, and as the API server accepted them.
TABLE = [
    ("alice", "claim-alice", "claim-alice"),
    ("alice-smith", "claim-alice-smith", "claim-alice-2dsmith"),
    ("alice.smith", "claim-alice-smith---63425827", "claim-alice-2esmith"),
    ("alice_smith", "claim-alice-smith---a073a3b2", "claim-alice-5fsmith"),
    ("alice-2esmith", "claim-alice-2esmith", "claim-alice-2d2esmith"),
    ("Alice", "claim-alice---3bc51062", "claim--41lice"),
    ("alice@example.com", "claim-alice-example-com---ff8d9819", "claim-alice-40example-2ecom"),
    (
        "ALICE@EXAMPLE.COM",
        "claim-alice-example-com---f2bc147f",
        "claim--41-4c-49-43-45-40-45-58-41-4d-50-4c-45-2e-43-4f-4d",
    ),
    ("CORP\\alice", "claim-corp-alice---83da4d2f", "claim--43-4f-52-50-5calice"),
    ("al--ice", "claim-al-ice---5256b85f", "claim-al-2d-2dice"),
    ("-alice", "claim-alice---69940822", "claim--2dalice"),
    ("alice-", "claim-alice---e2c101bb", "claim-alice-2d"),
    ("1alice", "claim-x-1alice---6c6413ac", "claim-1alice"),
    ("josé", "claim-jos---d994e1d0", "claim-jos-c3-a9"),
    ("王小明", "claim-x---acf979cc", "claim--e7-8e-8b-e5-b0-8f-e6-98-8e"),
    ("a b", "claim-a-b---c8687a08", "claim-a-20b"),
    ("user{0}", "claim-user-0---c27a0355", "claim-user-7b0-7d"),
    ("x" * 46, "claim-" + "x" * 46, "claim-" + "x" * 46),
    ("x" * 47, "claim-xxxxxxxxxxxxxxxxx--x---cfcbdd85", "claim-" + "x" * 47),
    ("x" * 64, "claim-xxxxxxxxxxxxxxxxx--x---e68039bf", "claim-" + "x" * 64),
    (
        "very.long.user.name+tag@department.subdomain.university.example.org",
        "claim-very-long-user-na--x---b778b5a8",
        "claim-very-2elong-2euser-2ename-2btag-40department-2esubdomain-2euniversity-2eexample-2eorg",
    ),
    ("Bob", "claim-bob---cd9fb1e1", "claim--42ob"),
    ("~x", "claim-x---52fa2173", "claim--7ex"),
    # A byte below 0x10 is one digit, as escapism writes it.
    ("a\tb", "claim-a-b---894891f8", "claim-a-9b"),
]


@pytest.mark.parametrize(("user", "safe", "escape"), TABLE)
def test_table(user: str, safe: str, escape: str) -> None:
    assert Template.parse("safe").claim_name(user) == safe
    assert Template.parse("escape").claim_name(user) == escape
    odh = escape.replace("claim-", "jupyterhub-nb-", 1) + "-pvc"
    assert Template.parse("odh").claim_name(user) == odh
    assert naming.scheme_names(user) == {"safe": safe, "escape": escape, "odh": odh}


@pytest.mark.parametrize(
    ("scheme", "user", "server", "name"),
    [
        ("safe", "alice", "lab 1", "claim-alice--lab-1---56b19bc6"),
        ("escape", "alice", "lab 1", "claim-alice--lab-201"),
        ("safe", "alice", "lab", "claim-alice--lab"),
        ("escape", "alice", "lab", "claim-alice--lab"),
        ("odh", "alice", "lab", "jupyterhub-nb-alice-pvc"),
    ],
)
def test_named_servers(scheme: str, user: str, server: str, name: str) -> None:
    assert Template.parse(scheme).claim_name(user, server) == name


@pytest.mark.parametrize(
    ("scheme", "text", "has_server"),
    [
        ("safe", None, True),
        ("escape", None, True),
        ("odh", None, False),
        ("escape", "claim-{username}{servername}", True),
        ("escape", "claim-{username}", False),
        ("safe", "claim-{escaped_user_server}", True),
        ("safe", "claim-{safe_username}-x", False),
        ("escape", "claim-{legacy_escape_username}-{unescaped_servername}", True),
    ],
)
def test_has_server(scheme: str, text: str | None, has_server: bool) -> None:
    template = Template.parse(scheme, text)
    assert template.has_server is has_server
    assert template.home("alice", "lab") == ("alice", "lab" if has_server else "")
    assert (template.claim_name("alice", "lab") == template.claim_name("alice")) is not has_server


@pytest.mark.parametrize(
    ("text", "user", "server", "name"),
    [
        ("claim-{username}{servername}", "alice", "bob", "claim-alicebob"),
        ("claim-{username}--{servername}", "alice", "", "claim-alice"),
        # The hyphens are stripped from the end alone.
        ("claim-{escaped_user_server}-data", "alice", "", "claim-alice---data"),
        ("claim-{username[0]}-{username}", "alice", "", "claim-a-alice"),
        ("claim-{username:.3}", "alice", "", "claim-ali"),
        ("claim-{username:x<8}", "alice", "", "claim-alicexxx"),
        ("claim-{username!s}", "alice", "", "claim-alice"),
        ("home.{username}", "a.b", "", "home.a-2eb"),
        ("claim-{legacy_escape_username}", "A.b", "", "claim-a-b"),
        ("claim-{unescaped_username}", "a.b", "", "claim-a.b"),
    ],
)
def test_templates(text: str, user: str, server: str, name: str) -> None:
    assert Template.parse("escape", text).claim_name(user, server) == name


def test_namespaces() -> None:
    text = "claim-{namespace}-{hubnamespace}-{username}"
    assert Template.parse("safe", text, namespace="homes", hub_namespace="hub").claim_name("al") == "claim-homes-hub-al"
    # KubeSpawner's exception.
    assert Template.parse("safe", text, namespace="n", hub_namespace="default").claim_name("al") == "claim-n-user-al"


@pytest.mark.parametrize(
    ("scheme", "text", "words"),
    [
        ("saef", None, ["saef", "did you mean `safe`"]),
        ("safe", "claim-{usrname}", ["{usrname}", "unknown field", "did you mean `username`", "user_server"]),
        ("safe", "claim-{userid}", ["{userid}", "only the hub knows", "use {username}"]),
        ("safe", "claim-{pvc_name}", ["{pvc_name}", "the very name", "write {user_server}"]),
        ("safe", "claim-{pod_name}", ["{pod_name}", "pod_name_template", "jupyter-{user_server}"]),
        ("safe", "{namespace}-{username}", ["{namespace}", "not known", "write that namespace instead"]),
        ("escape", "{hubnamespace}-{username}", ["{hubnamespace}", "not known", "write that namespace instead"]),
        ("safe", "{legacy_escape_username}", ["{legacy_escape_username}", "KubeSpawner 6", "naming: escape"]),
        ("escape", "{legacy_escape_username}-{user_server}", ["mixes", "only KubeSpawner 6", "only 7", "one version"]),
        ("safe", "{username.__class__}", ["attribute", "{username.__class__}", "write {username}"]),
        ("safe", "{username[a]}", ["index [a]", "write {username}"]),
        ("safe", "{username[-1]}", ["index [-1]", "write {username}"]),
        ("safe", "claim-{username", ["malformed", "expected '}'", "write fields as {username}"]),
        ("safe", "claim-username}", ["malformed", "Single '}'", "write fields as {username}"]),
        ("safe", "claim-{}", ["without a name", "write {username}"]),
        ("safe", "claim-{0}", ["{0}", "without a name", "write {username}"]),
        ("safe", "claim-{{username}}", ["has '{' in its text", "remove it"]),
        ("safe", "Claim_{username}", ["has 'C' and '_' in its text", "lower-case", "remove it"]),
        ("safe", "claim-{username}-", ["ends in '-'", "KubeSpawner keeps", "remove it from the end"]),
        ("safe", "claim-{username}.", ["ends in '.'", "remove it from the end"]),
        ("safe", "-{username}", ["begins with '-'"]),
        ("safe", "a..b{username}", ["'..'", "write one of the two"]),
        ("safe", "{username!r}", ["{username!r}", "write {username}"]),
        ("safe", "{username:d}", ["format 'd'", "write {username:.20}"]),
        ("safe", "{username:05}", ["format '05'", "write {username:.20}"]),
        ("safe", "{username:.0}", ["format '.0'", "write {username:.20}"]),
        ("safe", "{username:{servername}}", ["from another field", "write the format out"]),
        ("safe", "claim-{servername}", ["names no user", "put {user_server}"]),
        ("safe", "home", ["names no user", "share one claim"]),
        ("safe", "", ["names no user"]),
        ("safe", 7, ["7", "is not a string", "quoted"]),
    ],
)
def test_rejected_templates(scheme: str, text: str | None, words: list[str]) -> None:
    with pytest.raises(NamingError) as refusal:
        Template.parse(scheme, text)
    message = str(refusal.value)
    assert "\n" not in message
    assert not message.endswith(".")
    for word in words:
        assert word in message
    if isinstance(text, str):
        assert repr(text) in message


@pytest.mark.parametrize(
    ("scheme", "text", "user", "server", "words"),
    [
        ("escape", None, "x" * 300, "", ["306 characters", "253", "naming: safe", "`claim`"]),
        ("odh", None, "ж" * 60, "", ["characters long", "'" + "ж" * 60 + "'"]),
        ("safe", "{unescaped_username}", "Alice", "", ["user 'Alice'", "lower-case", "`claim`"]),
        ("safe", "a-{unescaped_username}", "b\n", "", ["'b\\n'", "lower-case"]),
        ("escape", "{username}", "Alice", "", ["'-41lice'", "at its ends"]),
        ("escape", "{username}-{servername[2]}", "alice", "ab", ["server 'ab' of user 'alice'", "out of range"]),
        ("safe", None, "a\ud800", "", ["UTF-8", "correct it"]),
        ("safe", "{username}", "alice", "\ud800", ["UTF-8", "server '\\ud800' of user 'alice'"]),
        ("safe", None, "", "", ["empty name"]),
        ("safe", None, 7, "", ["user 7 is not a string", "quotes"]),
        ("safe", None, "alice", True, ["server True", "is not a string"]),
    ],
)
def test_rejected_names(scheme: str, text: str | None, user: str, server: str, words: list[str]) -> None:
    with pytest.raises(NamingError) as refusal:
        Template.parse(scheme, text).claim_name(user, server)
    message = str(refusal.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_length_of_a_claim_name() -> None:
    template = Template.parse("escape")
    assert len(template.claim_name("x" * 247)) == 253
    with pytest.raises(NamingError, match="254 characters"):
        template.claim_name("x" * 248)
    assert naming.scheme_names("x" * 248).keys() == {"safe"}


@pytest.mark.parametrize("name", ["a", "a.b", "a--b", "1", "a.1-2", "x" * 253])
def test_claim_names(name: str) -> None:
    assert naming.claim_name_error(name) is None


@pytest.mark.parametrize(
    "name", ["", "A", "-a", "a-", "a.", ".a", "a..b", "a.-b", "a-.b", "a_b", "a\n", "é", "x" * 254]
)
def test_rejected_claim_names(name: str) -> None:
    fault = naming.claim_name_error(name)
    assert fault is not None
    assert fault.startswith("is ")


def test_scheme_of() -> None:
    assert naming.scheme_of("claim-alice", "alice") == ["safe", "escape"]
    assert naming.scheme_of("claim-stop-2eped", "stop.ped") == ["escape"]
    assert naming.scheme_of("claim-stop-2eped", "stop-2eped") == ["safe"]
    assert naming.scheme_of("jupyterhub-nb-alice-pvc", "alice", "lab") == ["odh"]
    assert naming.scheme_of("claim-alice", "alice", "lab") == []
    assert naming.scheme_of("claim-alice", "bob") == []


def test_collisions() -> None:
    homes = [("alice", "bob"), ("carol", ""), ("alicebob", ""), ("alice", "bob"), ("Ж" * 300, "")]
    z2jh = Template.parse("escape", "claim-{username}{servername}")
    assert naming.collisions(homes, z2jh) == {"claim-alicebob": [("alice", "bob"), ("alicebob", "")]}
    assert naming.collisions(homes, Template.parse("escape")) == {}
    # One person's two homes meet too, but the servers of a template without servers are one home.
    short = Template.parse("escape", "claim-{username}-{servername:.1}")
    servers = [("alice", "lab"), ("alice", "lecture"), ("alice", "")]
    assert naming.collisions(servers, short) == {"claim-alice-l": [("alice", "lab"), ("alice", "lecture")]}
    assert naming.collisions(servers, Template.parse("odh")) == {}
    users = iter([("Alice", ""), ("alice", "")])
    lossy = Template.parse("escape", "claim-{legacy_escape_username}")
    assert naming.collisions(users, lossy) == {"claim-alice": [("Alice", ""), ("alice", "")]}


def test_takeover_across_schemes() -> None:
    homes = [("stop.ped", ""), ("alice", ""), ("stop-2eped", "")]
    both = [Template.parse("escape"), Template.parse("safe")]
    assert naming.collisions_across(homes, both) == {"claim-stop-2eped": [("stop.ped", ""), ("stop-2eped", "")]}
    # Nobody meets themselves: alice has one name under both.
    assert naming.collisions_across(homes[:2], both) == {}


@pytest.mark.parametrize("scheme", naming.SCHEMES)
def test_ten_thousand_names_take_no_time(scheme: str) -> None:
    """A task over 10,000 homes may spend a third of a second on names (CPU time, the best of three)."""
    template = Template.parse(scheme)
    users = [f"first.last.{number}@students.example.org" for number in range(10_000)]
    best = 1e9
    for _ in range(3):
        start = time.process_time()
        assert len({template.claim_name(user) for user in users}) == 10_000
        best = min(best, time.process_time() - start)
    assert best < 0.3
