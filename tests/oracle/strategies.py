"""Names and templates that hypothesis generates: realistic ones, limits of the rules, and arbitrary ones."""

from __future__ import annotations

import string

from hypothesis import strategies as st

# Every name of the measured table, and the two takeovers; what KubeSpawner makes of them is in tests/unit.
TABLE = (
    *("alice", "alice-smith", "alice.smith", "alice_smith", "alice-2esmith", "Alice", "alice@example.com"),
    *("ALICE@EXAMPLE.COM", "CORP\\alice", "al--ice", "-alice", "alice-", "1alice", "josé", "王小明", "a b", "user{0}"),
    *("x" * 46, "x" * 47, "x" * 48, "x" * 49, "x" * 64, "x" * 246, "x" * 247, "x" * 300),
    "very.long.user.name+tag@department.subdomain.university.example.org",
    *("stop.ped", "stop-2eped", "alice-2dsmith", "Bob", "a-b", "user@example.com", "1user", "~x"),
)
# Characters whose lower or upper case is in ASCII, though they are not (long s, Kelvin sign, dotted and dotless i).
CASE_TRAPS = "ſKİı"

_label = string.ascii_lowercase + string.digits + "-"
_names = st.one_of(
    st.sampled_from(TABLE),
    st.text(min_size=1, max_size=70),
    st.text(alphabet=string.printable, min_size=1, max_size=70),
    st.emails(),
    # DNS labels of any length: around 46 to 48 is where hashing begins, at 63 a label ends, at 253 a claim's name.
    st.text(alphabet=_label, min_size=1, max_size=60),
    st.text(alphabet=_label, min_size=46, max_size=300),
    st.integers(40, 300).map(lambda length: "x" * length),
    # Few letters, so that hyphens and digits stand where names are cut (17, 21 and 37) and begin.
    st.text(alphabet="a1-", min_size=1, max_size=60),
    st.text(alphabet="aA1.-_@é", min_size=1, max_size=50),
    st.text(alphabet="ab" + CASE_TRAPS + "-.", min_size=1, max_size=12),
    st.text(alphabet="{}!:.[]0username", min_size=1, max_size=20),
    # Bytes below 0x10, which escapism writes as one digit.
    st.text(alphabet="a\x00\t\n\r\x0f\x10\x7f", min_size=1, max_size=8),
    st.tuples(st.text(alphabet=_label, max_size=20), st.text(alphabet=_label, max_size=20)).map("--".join),
    # No UTF-8 can be made of a lone surrogate. (Of the high ones only: JSON makes one character of a pair.)
    st.text(alphabet="aé\ud800", min_size=1, max_size=5),
)
users = _names
servers = st.one_of(st.just(""), st.sampled_from(("lab", "lab 1", "x" * 40, "Ω")), _names)

# Templates that are in use somewhere, or would be.
TEMPLATES = (
    "claim-{user_server}",
    "claim-{user_server}-home",
    "claim-{username}--{servername}",
    # z2jh up to 3
    "claim-{username}{servername}",
    "claim-{username}-{servername}",
    "claim-{username}",
    "jupyterhub-nb-{username}-pvc",
    "myhub-nb-{username}-{servername}-pvc",
    "home.{safe_user_server}",
    "claim-{safe_username}--{safe_servername}",
    "claim-{escaped_user_server}",
    "claim-{escaped_user_server}-data",
    "claim-{escaped_username}{escaped_servername}",
    "claim-{unescaped_username}--{unescaped_servername}",
    "{servername}-{username}",
    "claim-{legacy_escape_username}-{servername}",
    "claim-{hubnamespace}-{username}",
    "claim-{namespace}-{user_server}",
    "claim-{username[0]}-{username}",
    "claim-{username:.20}",
    "claim-{username:x<12}-{servername!s}",
)

FIELDS = (
    *("username", "servername", "user_server", "unescaped_username", "unescaped_servername", "safe_username"),
    *("safe_servername", "safe_user_server", "escaped_username", "escaped_servername", "escaped_user_server"),
    *("legacy_escape_username", "hubnamespace", "namespace", "userid", "pvc_name", "pod_name"),
)
_wrong_fields = ("", "0", "usrname", " username", "user-name", "Username")
_field = st.tuples(
    # Good ones often, or hardly any template would get through.
    st.sampled_from(FIELDS * 4 + _wrong_fields),
    st.sampled_from(("",) * 20 + ("[0]", "[2]", "[a]", "[-1]", "[0][0]", ".upper", ".__class__", "[", "]")),
    st.sampled_from(("",) * 20 + ("!s", "!r", "!a", "!x", "!")),
    st.sampled_from(
        ("",) * 20
        + (":", ":.5", ":>12", ":x<9", ":-^9", ":d", ":05", ":5s", ":=9", ":+", ":,", ":300", ":1000", ":.0")
        + (":{servername}", ":{unescaped_servername}", ":s", ":<", ":z", ":_")
    ),
).map(lambda parts: "{" + "".join(parts) + "}")
_literal = st.sampled_from(
    ("claim-", "home.", "-", "--", "x", "7", "-pvc") * 3 + (".", "..", "A", "_", " ", "é", "{{", "}}", "{", "}")
)
templates = st.one_of(
    st.sampled_from(TEMPLATES), st.lists(st.one_of(_field, _literal), min_size=1, max_size=6).map("".join)
)
