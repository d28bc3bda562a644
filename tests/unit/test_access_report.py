"""The answers of `share_access_info`: every cell follows the access rules, and people by share is the inverse of shares
by person.
"""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.access.model import EMPTY, Acl
from ansible_collections.odh.persistency.plugins.module_utils._core.report.access import AccessReport, ReportContext
from ansible_collections.odh.persistency.plugins.module_utils._core.report.access_query import (
    MOST_PEOPLE,
    AccessQuery,
    answer,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.report.access_text import answer_text
from ansible_collections.odh.persistency.plugins.module_utils._hub import access, acl_format
from hypothesis import given
from hypothesis import strategies as st

HOME = "/home/u"
TODAY = date(2026, 11, 24)
SHARES = ("s-one", "s-two", "s-three", "s-four")
GROUPS = ("a", "b", "openshift:a", "/x/a")
HUB_GROUPS = ("hub:a", "hub:c")
# People and groups of one name, names that only folding or trimming would make one, and a share's.
PEOPLE = ("ann", "Ann", "ann ", "a", "s-one")


def share(level: str = "private", **more: Any) -> dict[str, Any]:
    """A share as it is stored; `read` and `write` are lists of groups."""
    read, write = sorted(more.pop("read", ())), sorted(more.pop("write", ()))
    return {
        "level": level,
        "read": {"everyone": level == "public", "groups": read},
        "write": {"groups": write},
        **more,
    }


def acl_of(shares: dict[str, dict[str, Any]], people: dict[str, dict[str, list[str]]]) -> Acl:
    filled = {name: {"claim": name, "mount_path": f"{HOME}/{name}", **one} for name, one in shares.items()}
    return Acl({"schema": 1, "shares": filled}, people)


def _some(words: tuple[str, ...], bits: int) -> list[str]:
    """The words whose bits are set."""
    return sorted(word for number, word in enumerate(words) if bits >> number & 1)


# Numbers of which bits are taken: hypothesis draws one in the time that it takes for a word, and there are many to draw.
_SHARE = st.none() | st.tuples(*(st.integers(0, most) for most in (2, 63, 63, 4, 3)))
_RECORD = st.none() | st.tuples(*(st.integers(0, most) for most in (15, 15, 15)))
_HUB_RECORD = st.integers(0, 15)
_UNTIL = (None, None, "2026-11-23", "2026-11-24", "2027-01-01")
_ROOTS = (HOME, HOME, "/data", "/elsewhere")


@st.composite
def contexts(draw: st.DrawFn) -> ReportContext:
    drawn = zip((*PEOPLE, "zoe"), draw(st.tuples(*[_HUB_RECORD] * (len(PEOPLE) + 1))), strict=True)
    known = {person: _some(("a", "c", "d"), bits) for person, bits in drawn if bits}
    return ReportContext(TODAY, HOME, ("/data",) if draw(st.booleans()) else (), known)


@st.composite
def acls(draw: st.DrawFn) -> Acl:
    shares = {}
    for name, drawn in zip(SHARES, draw(st.tuples(*[_SHARE] * len(SHARES))), strict=True):
        if drawn is not None:
            level, read, write, until, root = drawn
            groups = (*GROUPS, *HUB_GROUPS)
            more: dict[str, Any] = {"read": _some(groups, read), "write": _some(groups, write)}
            if _UNTIL[until]:
                more["until"] = _UNTIL[until]
            shares[name] = share(acl_format.LEVELS[level], mount_path=f"{_ROOTS[root]}/{name}", **more)
    people = {}
    for person, bits in zip(PEOPLE, draw(st.tuples(*[_RECORD] * len(PEOPLE))), strict=True):
        if bits is not None:
            record = dict(zip(("groups", "read", "write"), map(_some, (GROUPS, SHARES, SHARES), bits), strict=True))
            people[person] = {key: names for key, names in record.items() if names}
    return acl_of(shares, people)


def asking() -> st.SearchStrategy[tuple[str, ...]]:
    return st.integers(0, 15).map(lambda bits: tuple(_some(SHARES, bits)))


class Rules:
    """The very rules over the documents as they are stored, without anything of the report."""

    def __init__(self, acl: Acl, context: ReportContext) -> None:
        self.context = context
        self.shares = access.SharesPart(json.loads(json.dumps(dict(acl.shares))))
        self.members = access.MembersPart({"schema": 1, "people": dict(acl.people)})

    def decided(self, person: str, requested: tuple[str, ...] = ()) -> dict[str, access.Verdict]:
        """The verdicts by share."""
        context = self.context
        groups = context.hub_groups.get(person, ())
        request = access.SpawnRequest(person, groups, requested, context.today, context.home, context.roots)
        found = access.decide(self.shares, self.members, request)
        assert not found.errors
        return {verdict.share: verdict for verdict in found.verdicts}


def everybody(acl: Acl, context: ReportContext) -> list[str]:
    return sorted({*acl.people, *context.hub_groups})


@given(acls(), contexts())
def test_each_cell_is_what_the_rules_decide(acl: Acl, context: ReportContext) -> None:
    found = answer(AccessReport(acl, context), AccessQuery(matrix="csv"))
    header, *lines = csv.reader(io.StringIO(found.result["csv"], newline=""))
    assert header == ["user", *sorted(acl.by_name)]
    assert [line[0] for line in lines] == everybody(acl, context)
    rules = Rules(acl, context)
    for person, *cells in lines:
        verdicts = rules.decided(person)
        assert cells == [verdicts[name].outcome for name in header[1:]]
    # The last row of the text: somebody whom nothing names.
    nobody = rules.decided("(whoever else)")
    assert found.result["everyone"] == [name for name, verdict in nobody.items() if verdict.outcome != "-"]


@given(acls(), contexts())
def test_the_reverse_is_the_inverse_of_the_forward(acl: Acl, context: ReportContext) -> None:
    result = (
        answer(AccessReport(acl, context), AccessQuery(shares=tuple(acl.by_name))).result
        if acl.by_name
        else {"shares": []}
    )
    people = everybody(acl, context)
    assert [row["name"] for row in result["shares"]] == list(acl.by_name)
    rules = Rules(acl, context)
    for row in result["shares"]:
        reached = {
            (person, mode): entry["rule"] for mode in ("rw", "ro") for entry in row[mode] for person in entry["people"]
        }
        assert len({person for person, _mode in reached}) == len(reached), "nobody is listed twice"
        assert {mode: sum(1 for _, other in reached if other == mode) for mode in ("rw", "ro")} == row["counts"]
        for person in people:
            # A secret share is what it is once it was asked for, and it alone.
            verdict = rules.decided(person, requested=(row["name"],))[row["name"]]
            modes = [mode for mode in ("rw", "ro") if (person, mode) in reached] or (
                ["ro"] if row["everyone"] else ["-"]
            )
            assert modes == [verdict.outcome]
            if (person, modes[0]) in reached:
                rule = reached[person, modes[0]]
                assert verdict.rule.endswith("named directly" if rule == "named" else f"as a member of {rule}")
        if row["grants_nothing"]:
            assert not reached
            assert not row["everyone"]
            assert row["hub_groups"] == {"rw": [], "ro": []}


@given(acls(), contexts(), st.sampled_from(("hub:a", *GROUPS)))
def test_a_group_gets_what_a_member_of_only_this_group_gets(acl: Acl, context: ReportContext, group: str) -> None:
    [row] = answer(AccessReport(acl, context), AccessQuery(groups=(group,))).result["groups"]
    if group.startswith("hub:"):
        alone = acl_of(dict(acl.by_name), {})
        one = ReportContext(context.today, context.home, context.roots, {"only": [group[len("hub:") :]]})
        members = [person for person, groups in sorted(context.hub_groups.items()) if group[len("hub:") :] in groups]
    else:
        alone = acl_of(dict(acl.by_name), {"only": {"groups": [group]}})
        one = ReportContext(context.today, context.home, context.roots)
        members = [person for person, record in sorted(acl.people.items()) if group in record.get("groups", ())]
    verdicts = Rules(alone, one).decided("only")
    assert {one["share"]: (one["grant"], one["rule"]) for one in row["shares"]} == {
        name: (verdict.outcome, verdict.rule) for name, verdict in verdicts.items()
    }
    assert row["members"] == members


@given(acls(), contexts(), st.sampled_from((*PEOPLE, "zoe", "nobody")), asking())
def test_a_persons_own_view_has_no_share_that_they_may_not_know_of(
    acl: Acl, context: ReportContext, person: str, requested: tuple[str, ...]
) -> None:
    questions = AccessQuery(users=(person,), requested=requested, own_view=True)
    found = answer(AccessReport(acl, context), questions)
    shown = json.dumps(found.result) + answer_text(found, questions, "An ACL")
    # Names of people are of no interest, and one is called like a share.
    shown = shown.replace(json.dumps(person), "").replace(f"\n{person}, ", "\n")
    for name, verdict in Rules(acl, context).decided(person, requested).items():
        assert (name in shown) is verdict.visible
    assert not found.warnings


@given(acls(), contexts(), st.sampled_from((*PEOPLE, "zoe")), asking())
def test_a_person_asked_about_gets_the_verdicts_as_they_are(
    acl: Acl, context: ReportContext, person: str, requested: tuple[str, ...]
) -> None:
    [row] = answer(AccessReport(acl, context), AccessQuery(users=(person,), requested=requested)).result["users"]
    verdicts = Rules(acl, context).decided(person, requested)
    assert [tuple(one.values())[:-1] for one in row["shares"]] == [
        (v.share, v.level, v.outcome, v.rule, acl.by_name[v.share]["mount_path"], v.visible) for v in verdicts.values()
    ]
    for outcome in ("rw", "ro", "ask"):
        assert row[outcome] == [name for name, verdict in verdicts.items() if verdict.outcome == outcome]


# -- what people read -------------------------------------------------------------------------------------------------


DEMO = acl_of(
    {
        "data": share("public", write=["curators", "hub:editors"]),
        "notebooks": share("private", read=["analysts"], write=["teachers"], until="2027-03-31"),
        "old": share("private", read=["analysts"], until="2026-11-23"),
        "patients": share("secret", read=["analysts"]),
    },
    {
        "ann": {"groups": ["analysts", "teachers"], "write": ["patients"]},
        "ben": {"groups": ["analysts"]},
        "cleo": {"groups": ["curators"]},
    },
)


def asked(acl: Acl = DEMO, hub_groups: dict[str, list[str]] | None = None, **questions: Any) -> tuple[Any, str]:
    """The answer, and its text."""
    chosen = AccessQuery(**questions)
    assert not chosen.errors()
    found = answer(AccessReport(acl, ReportContext(TODAY, HOME, (), hub_groups or {})), chosen)
    return found, answer_text(found, chosen, "An ACL")


def test_everything_at_a_glance() -> None:
    found, text = asked()
    assert text == "\n".join(
        [
            "An ACL",
            "",
            "USER            data    notebooks  old      patients",
            "                public  private    private  secret",
            "ann             ro      rw         -        ask",
            "ben             ro      ro         -        ask",
            "cleo            rw      -          -        -",
            "(anybody else)  ro      -          -        -",
            "",
            "data: rw for members of hub:editors, whom the hub knows at spawn",
            "notebooks: granted until 2027-03-31",
            "old: nobody gets it, because its last day was 2026-11-23",
        ]
    )
    assert found.result["users"][1] == {
        "name": "ben",
        "known": True,
        "groups": ["analysts"],
        "rw": [],
        "ro": ["data", "notebooks"],
        "ask": ["patients"],
    }
    assert found.result["shares"][0] == {
        "name": "data",
        "known": True,
        "level": "public",
        "claim": "data",
        "mount_path": "/home/u/data",
        "gid": None,
        "until": None,
        "grants_nothing": "",
        "everyone": True,
        "read_groups": [],
        "write_groups": ["curators", "hub:editors"],
        "hub_groups": {"rw": ["hub:editors"], "ro": []},
        "counts": {"rw": 1, "ro": 0},
    }
    assert (found.result["people"], found.result["users_left_out"]) == (3, 0)


def test_one_person_with_the_rules() -> None:
    found, text = asked(users=("ann",))
    assert text.split("\n\n")[2] == "\n".join(
        [
            "ann, member of analysts and teachers:",
            "  SHARE      LEVEL    GRANT  MOUNTED AT         WHY",
            "  data       public   ro     /home/u/data       read only, as everyone may; more for members of hub:editors, whom "
            "the hub knows",
            "  notebooks  private  rw     /home/u/notebooks  read and write, as a member of group teachers",
            "  old        private  -      -                  not mounted: its last day was 2026-11-23",
            "  patients   secret   ask    -                  mounted only when asked for: read and write, named directly",
        ]
    )
    assert "shares" not in found.result
    assert not found.warnings


def test_what_a_person_may_not_know_of_is_one_line_for_administrators() -> None:
    _, text = asked(users=("cleo",))
    assert "  no access to notebooks, old and patients: granted to others only" in text.splitlines()
    _, own = asked(users=("cleo",), own_view=True)
    assert own.splitlines()[2:] == [
        "cleo, member of curators:",
        "  SHARE  LEVEL   GRANT  MOUNTED AT    WHY",
        "  data   public  rw     /home/u/data  read and write, as a member of group curators",
    ]


def test_possible_access_through_groups_of_the_hub_is_not_denied() -> None:
    acl = acl_of(
        {"nb": share(read=["hub:guests"]), "lab": share(write=["hub:staff"], read=["hub:guests"])}, {"ann": {}}
    )
    found, text = asked(acl, users=("ann",))
    assert [one["unless"] for one in found.result["users"][0]["shares"]] == [
        ["hub:staff", "hub:guests"],
        ["hub:guests"],
    ]
    assert (
        "  no access to nb: granted to others only; more for members of hub:guests, whom the hub knows"
        in text.splitlines()
    )
    # Where it is known which theirs are, nothing is open.
    found, text = asked(acl, users=("ann",), hub_groups={"ann": ["guests"]})
    assert [(one["grant"], one["unless"]) for one in found.result["users"][0]["shares"]] == [("ro", []), ("ro", [])]
    # Who has all of it, or could not get it anyhow, is in no doubt.
    ended = acl_of({"nb": share(read=["hub:guests"], until="2020-01-01"), "own": share(write=["ann"])}, {})
    assert not any(one["unless"] for one in asked(ended, users=("bob",))[0].result["users"][0]["shares"])


@pytest.mark.parametrize(
    "context", [ReportContext(TODAY, "/"), ReportContext(TODAY, HOME, ("data",)), ReportContext(TODAY, "opt/x")]
)
def test_what_the_rules_cannot_decide_is_not_answered(context: ReportContext) -> None:
    with pytest.raises(acl_format.AccessError):
        answer(AccessReport(DEMO, context), AccessQuery(users=("ann",)))


def test_names_are_distinguished_from_remarks_and_from_each_other() -> None:
    people = {name: {"read": ["x"]} for name in ("(anybody else)", "a, b")}
    _, text = asked(acl_of({"x": share()}, people))
    assert [line.split("  ")[0] for line in text.splitlines()[4:7]] == ["'(anybody else)'", "a, b", "(anybody else)"]
    _, text = asked(acl_of({"x": share()}, people), shares=("x",))
    assert "named: '(anybody else)' and 'a, b'" in text


def test_a_spawn_that_requests_a_secret_share_shows_no_write_down() -> None:
    found, _ = asked(users=("ann",), requested=("patients",))
    assert (found.result["users"][0]["rw"], found.result["users"][0]["ro"]) == (["patients"], ["data", "notebooks"])
    assert "while the secret share patients is mounted" in found.result["users"][0]["shares"][1]["rule"]


def test_groups_of_the_hub_where_they_are_given() -> None:
    found, text = asked(users=("dan",), hub_groups={"dan": ["editors"]})
    assert found.result["users"][0]["rw"] == ["data"]
    assert "dan, member of hub:editors:" in text
    assert not found.warnings
    # The same word from another source is another group.
    assert asked(users=("dan",), hub_groups={"dan": ["curators"]})[0].result["users"][0]["rw"] == []


def test_a_group() -> None:
    found, text = asked(groups=("analysts", "hub:editors"))
    rows = {row["name"]: row for row in found.result["groups"]}
    assert rows["analysts"]["members"] == ["ann", "ben"]
    assert rows["hub:editors"]["source"] == "hub"
    assert "GROUP           data    notebooks  old      patients" in text
    assert "Group analysts, 2 members (ann and ben):" in text
    assert "Group hub:editors, a group of the hub, no members known here:" in text


def test_everyone_who_can_reach_a_share() -> None:
    found, text = asked(shares=("data", "notebooks", "old", "patients"))
    data, notebooks, old, patients = found.result["shares"]
    assert (data["rw"], data["ro"]) == ([{"rule": "group curators", "people": ["cleo"]}], [])
    assert notebooks["ro"] == [{"rule": "group analysts", "people": ["ben"]}]
    assert (old["rw"], old["ro"]) == ([], [])
    assert patients["rw"] == [{"rule": "named", "people": ["ann"]}]
    assert text.split("\n\n")[1:] == [
        "data (public), mounted at /home/u/data:\n"
        "  rw  group curators: cleo\n"
        "  rw  members of hub:editors, whom the hub knows at spawn\n"
        "  ro  everyone",
        "notebooks (private), mounted at /home/u/notebooks, granted until 2027-03-31:\n"
        "  rw  group teachers: ann\n"
        "  ro  group analysts: ben",
        "old (private), mounted at /home/u/old, granted until 2026-11-23:\n"
        "  nobody gets it, because its last day was 2026-11-23",
        "patients (secret), mounted at /home/u/patients:\n"
        "  ask, then rw  named: ann\n"
        "  ask, then ro  group analysts: ben",
    ]


def test_a_share_that_names_nobody_who_exists() -> None:
    _, text = asked(acl_of({"empty": share()}, {}), shares=("empty",))
    assert text.endswith("empty (private), mounted at /home/u/empty:\n  nobody: it names no known person")


def test_shares_limit_the_answer_about_people() -> None:
    found, text = asked(users=("ann",), shares=("notebooks",))
    assert [one["share"] for one in found.result["users"][0]["shares"]] == ["notebooks"]
    assert "USER            notebooks" in text
    assert "data" not in text


def test_misspelt_names_are_reported_with_the_nearest_name() -> None:
    found, text = asked(users=("anne",), groups=("analyst",), shares=("note-books",), requested=("data", "patient"))
    assert list(found.warnings) == [
        "This ACL does not name 'anne' (did you mean `ann`?): the answer is what everyone gets",
        "No share and no person has the group 'analyst' (did you mean `analysts`?): the answer is what everyone gets",
        "The ACL has no share 'note-books' (did you mean `notebooks`?)",
        "`requested` names data, which is public: people ask only for secret shares",
        "`requested` names 'patient', which is not a share of the ACL (did you mean `patients`?)",
    ]
    assert not found.result["users"][0]["known"]
    assert found.result["shares"] == [{"name": "note-books", "known": False}]
    assert found.result["users"][0]["shares"] == []
    assert "note-books: not in the ACL" in text


def test_without_the_others_records_no_nearest_name_is_guessed() -> None:
    found = answer(AccessReport(DEMO, ReportContext(TODAY, HOME)), AccessQuery(users=("anne",)), is_complete=False)
    assert "did you mean" not in found.warnings[0]
    assert "people" not in found.result


def test_a_missing_acl() -> None:
    found, text = asked(EMPTY)
    assert (found.result["users"], found.result["shares"], found.result["everyone"]) == ([], [], [])
    assert text == "An ACL"
    found, text = asked(EMPTY, users=("ann",))
    assert text == "An ACL\n\nann, in no group:\n  no shares"
    assert not found.warnings


def test_ten_thousand_people_are_a_hundred_rows_and_a_count() -> None:
    people = {f"p{number:05}": {"groups": ["analysts"]} for number in range(10_000)}
    crowd = Acl(DEMO.shares, people)
    found, text = asked(crowd)
    assert len(found.result["users"]) == MOST_PEOPLE
    assert found.result["users_left_out"] == 9_900
    assert found.result["shares"][1]["counts"] == {"rw": 0, "ro": 10_000}
    assert "and 9,900 more people: name some in `for_users`, or set `matrix: all` or `matrix: csv`" in text
    assert text.count("\np0") == MOST_PEOPLE
    _, text = asked(crowd, matrix="all")
    assert text.count("\np0") == 10_000
    found, text = asked(crowd, matrix="csv")
    assert found.result["csv"].count("\np0") == 10_000
    assert text.count("\np0") == MOST_PEOPLE
    _, text = asked(crowd, shares=("notebooks",))
    assert "p00018, p00019 and 9980 more" in text


def test_an_answer_too_large_for_ansible_is_rejected() -> None:
    users = tuple(f"p{number}" for number in range(20_000))
    with pytest.raises(ValueError, match="20,000 people and groups and 4 shares make 80,000 answers"):
        answer(AccessReport(DEMO, ReportContext(TODAY, HOME)), AccessQuery(users=users))
    found = answer(AccessReport(DEMO, ReportContext(TODAY, HOME)), AccessQuery(users=users[:10_000]), is_complete=False)
    assert len(found.result["users"]) == 10_000


@pytest.mark.parametrize(
    ("questions", "word"),
    [
        (AccessQuery(requested=("x",)), "`for_users` is empty"),
        (AccessQuery(own_view=True), "name them in `for_users`"),
        (AccessQuery(own_view=True, users=("a",), shares=("x",)), "use another task for groups and shares"),
        (AccessQuery(own_view=True, users=("a",), matrix="csv"), "remove one of the two options"),
    ],
)
def test_questions_that_contradict_themselves(questions: AccessQuery, word: str) -> None:
    [fault] = questions.errors()
    assert word in fault


def test_what_an_input_would_change() -> None:
    found = answer(AccessReport(DEMO, ReportContext(TODAY, HOME)), AccessQuery())
    assert answer_text(found, AccessQuery(), "x", []).endswith("\n\nThe input would change nothing.")
    sentences = [f"sentence {number}" for number in range(250)]
    assert answer_text(found, AccessQuery(), "x", sentences).endswith(
        "  sentence 199\n  and 50 more: `what_if` has all of them"
    )


def test_shares_that_do_not_validate_grant_nothing() -> None:
    with pytest.raises(acl_format.AccessError):
        AccessReport(acl_of({"x": {**share(), "level": "open"}}, {}), ReportContext(TODAY, HOME))


def test_a_group_of_the_hub_under_read_and_write_is_listed_once() -> None:
    found, text = asked(acl_of({"x": share(read=["hub:a", "hub:b"], write=["hub:a"])}, {}), shares=("x",))
    assert found.result["shares"][0]["hub_groups"] == {"rw": ["hub:a"], "ro": ["hub:b"]}
    assert text.splitlines()[-2:] == [
        "  rw  members of hub:a, whom the hub knows at spawn",
        "  ro  members of hub:b, whom the hub knows at spawn",
    ]
