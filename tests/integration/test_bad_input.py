"""Invalid input is rejected before the first write, with all errors at once, in one sentence each."""

from __future__ import annotations

import pytest

LONG = "x" * 300


@pytest.fixture
def refusal(cluster, namespace, modules, audit):
    def refused(**options):
        options = {"namespace": namespace, "users": ["ann"], **options}
        options = {key: value for key, value in options.items() if value is not None}
        with audit(user_agent="odh.persistency/") as log:
            result = modules.run("user_pvc", options)
        assert result.failed
        assert not result.output.get("changed")
        assert not log.writes, log
        assert cluster.claims(namespace) == {}
        return result.output["msg"]

    return refused


def test_everything_at_once(refusal, cluster, namespace, modules):
    users = [
        "",
        "ann",
        "ann",
        12,
        None,
        True,
        " bob",
        {"name": "c", "sise": "1Gi"},
        {"name": "d", "size": "10GB"},
        {"name": "e", "labels": {"team": "not a label"}},
        {"name": "f", "annotations": {"bad key": "x"}},
        {"name": "g", "claim": "Not_A_Name"},
        {"name": "h", "storage_class": "Not A Class"},
        {"server": "gpu"},
        {"name": "i", "state": "gone"},
    ]
    message = refusal(users=users)
    for part in (
        "users[0]: the name is empty",
        "users[2]: 'ann' is listed already at users[1]",
        "users[3]: the number 12",
        "users[4]: nothing (null)",
        "users[5]: the boolean `true`",
        "users[6]: the name ' bob' begins or ends with white space",
        "users[7]: the key 'sise' is unknown (did you mean `size`?)",
        "users[8] (d): size '10GB' has a unit that Kubernetes does not know: write 10Gi",
        "users[9] (e): label team: 'not a label'",
        "users[10] (f): annotation 'bad key'",
        "users[11] (g): claim 'Not_A_Name'",
        "users[12] (h): storage_class 'Not A Class'",
        "users[13]: `name` is missing",
        "users[14]: `state` is 'gone'",
    ):
        assert part in message
    assert message.startswith("Nothing was changed, for 14 reasons:")


@pytest.mark.parametrize("size", ["10GB", "-1Gi", "0", "1.5.Gi", "10gi", "10", "ten"])
def test_sizes(refusal, size):
    assert f"size: '{size}'" in refusal(size=size)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"naming": "escape", "users": [LONG]}, "253"),
        ({"naming": "odh", "users": [LONG, "ann"]}, "users[0]"),
        ({"name_template": "claim-{usrname}"}, "did you mean `username`?"),
        ({"name_template": "claim-{userid}"}, "only the hub knows"),
        ({"name_template": "claim"}, "names no user"),
        ({"name_template": "claim-{username"}, "is malformed"),
        ({"name_template": "claim-{username.__class__}"}, "reads an attribute"),
        ({"access_modes": ["ReadWriteOne"]}, "did you mean `ReadWriteOnce`?"),
        ({"access_modes": []}, "access_modes is empty"),
        ({"access_modes": ["ReadWriteOncePod", "ReadWriteMany"]}, "allows no other mode beside ReadWriteOncePod"),
        ({"storage_class": "Not A Class"}, "storage_class"),
        ({"retention": "30"}, "such as 30d"),
        ({"namespace": "Not_A_Namespace"}, "is not a valid namespace name"),
        ({"users": "ann bob", "users_file": "/nowhere/users.json"}, "/nowhere/users.json does not exist"),
        ({"users_from": "hub"}, "needs `hub`"),
        ({"users": None}, "one of the following is required: users, users_file, users_from, retired, absent"),
        (
            {"users_from": "hub", "hub": {"url": "hub.example.org", "token": "not-a-real-token"}},
            "is not a URL: write it like https://hub.example.org",
        ),
    ],
)
def test_options(refusal, options, says):
    assert says in refusal(**options)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("u.json", b'["caf\xe9"]', "is not in UTF-8"),
        ("u.json", b"", "is empty"),
        ("u.json", b'{"people": []}', "without the key `users`"),
        ("u.json", b'"ann"', "a text, not a list of users"),
        ("u.json", b"[", "JSON"),
        ("u.yml", b"users: ann", "list"),
        ("u.yml", b"- [", "YAML"),
        ("u.csv", b"nmae\nann\n", "did you mean `name`?"),
        ("u.csv", b"name,size\nann\n", "line 2"),
        ("u.txt", b"ann", "extension"),
    ],
)
def test_files(refusal, tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    message = refusal(users=None, users_file=str(tmp_path / name))
    assert says in message
    assert name in message


def test_a_file_and_a_default_that_are_wrong_hide_nothing_else(refusal):
    users = [{"name": "ann", "labels": {"team": "b c"}}]
    message = refusal(users=users, users_file="/nowhere/users.json", size="10GB", retention="soon")
    for part in ("label team", "/nowhere/users.json", "size: '10GB'", "retention: 'soon'"):
        assert part in message
    assert message.startswith("Nothing was changed, for 4 reasons:")


def test_a_user_in_the_list_and_in_the_file(refusal, tmp_path):
    (tmp_path / "u.yml").write_text("- ann\n")
    message = refusal(users_file=str(tmp_path / "u.yml"))
    assert "ann is in users[0] and in u.yml" in message
