# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `share_access_info`: from its options to its result."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any, Optional

from ..._core.access.compile import compile_acl, document_of, reasons_left_out
from ..._core.access.diff import as_data, compare
from ..._core.access.model import Acl
from ..._core.access.observed import PublishedAcl
from ..._core.metadata import PRESENT
from ..._core.report.access import AccessReport, ReportContext
from ..._core.report.access_query import MATRICES, AccessQuery, answer
from ..._core.report.access_text import answer_text
from ..._core.shares.paths import place_errors
from ..._core.shares.spec import ShareSpec, named_groups, undefined_groups
from ..._core.text import quote_list
from ..._core.validation import describe_value, quoted
from ..._core.visible import visible
from ..._hub.acl_format import HUB, OPENSHIFT, AccessError
from ..errors import ExternalError
from ..module import PlanRejected, open_api, timings_result
from ..options.shares import GROUPS_SPEC, SHARES_SPEC, groups_of, shares_given, shares_of
from ..timings import Timings

if TYPE_CHECKING:
    from ..kubernetes.api import Api

CLUSTER = "cluster"
INPUT = "input"

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)


def argument_spec() -> dict[str, Any]:
    """Return the options of `share_access_info`."""
    from ..options.connection import argument_spec as connection_spec

    return {
        **connection_spec(),
        **SHARES_SPEC,
        **GROUPS_SPEC,
        "namespace": {"type": "str", "required": True},
        "acl_from": {"type": "str", "default": CLUSTER, "choices": [CLUSTER, INPUT]},
        "for_users": {"type": "list", "elements": "str", "default": []},
        "for_groups": {"type": "list", "elements": "str", "default": []},
        "for_shares": {"type": "list", "elements": "str", "default": []},
        "hub_groups": {"type": "dict", "default": {}},
        "requested": {"type": "list", "elements": "str", "default": []},
        "own_view": {"type": "bool", "default": False},
        "as_of": {"type": "str"},
        "matrix": {"type": "str", "default": MATRICES[0], "choices": list(MATRICES)},
    }


def show_access(module: Any) -> dict[str, Any]:
    """Answer who gets what, by the published ACL or by the one compiled from the input."""
    params = module.params
    timings = Timings()
    question = Question.of(params)
    timings.note("input")
    source = read_source(module, question)
    today = question.day or source.today
    timings.note("read")
    acl = source.acl.acl
    context = ReportContext(today, params["home_path"], params["mount_roots"], question.hub_groups)
    try:
        found = answer(AccessReport(acl, context), question.query, source.acl.is_complete)
    except AccessError as error:
        raise ExternalError(f"The ACL is invalid, so it grants nothing: {error}", retryable=False) from error
    except ValueError as error:
        raise PlanRejected([str(error)]) from error
    comparison = None
    if question.given is not None and source.other is not None:
        causes = reasons_left_out(question.given.shares, params["namespace"])
        comparison = compare(acl, source.other, today, causes)
    head = head_line(source.acl, found.result, today, question.place)
    result: dict[str, Any] = {
        "changed": False,
        "published": bool(source.acl.digest) and question.from_cluster,
        "digest": source.acl.digest,
        "as_of": today.isoformat(),
        **found.result,
        **(
            {}
            if comparison is None
            else {"what_if": {"sentences": list(map(visible, comparison.sentences)), **as_data(comparison)}}
        ),
        "text": answer_text(found, question.query, head, None if comparison is None else comparison.sentences),
    }
    timings.note("answer")
    for sentence in [*warnings_of(params, source.acl), *found.warnings]:
        module.warn(sentence)
    return {**result, **timings_result(timings.seconds)}


# -- the options -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Question:
    """What the options ask: the query, the day (None for today), the groups of the hub, the shares and groups of the input
    (None if there are none), and whether the answer comes from the cluster."""

    query: AccessQuery
    day: Optional[date]
    hub_groups: Mapping[str, Sequence[str]]
    given: Optional[Given]
    from_cluster: bool
    namespace: str

    @classmethod
    def of(cls, params: dict[str, Any]) -> Question:
        """Return the question. Raises PlanRejected with all errors of the options."""
        errors: list[str] = []
        query = query_of(params, errors)
        day = day_of(params.get("as_of"), errors)
        hub_groups = hub_groups_of(params.get("hub_groups") or {}, errors)
        from_cluster = params["acl_from"] == CLUSTER
        given = Given.of(params, errors)
        if given is None:
            errors += place_errors(params["home_path"], params["mount_roots"])
        if given is None and not from_cluster:
            errors.append("`acl_from: input` needs `shares` or `shares_file`, but neither is set")
        if given is not None and query.own_view and from_cluster:
            errors.append("`own_view` does not show what an input would change: remove `shares` and `groups`")
        if errors:
            raise PlanRejected(errors)
        return cls(query, day, hub_groups, given, from_cluster, params["namespace"])

    @property
    def place(self) -> str:
        """Where the ACL of the answer comes from, for its first line."""
        return f"in namespace {self.namespace}" if self.from_cluster else f"of the input for namespace {self.namespace}"


def query_of(params: Mapping[str, Any], errors: list[str]) -> AccessQuery:
    """Return the query, and append errors to `errors`."""
    names = {}
    for option in ("for_users", "for_groups", "for_shares", "requested"):
        names[option] = tuple(dict.fromkeys(params.get(option) or ()))
        if "" in names[option]:
            errors.append(f"`{option}` has an empty name: remove it, or fill it in")
    query = AccessQuery(
        users=names["for_users"],
        groups=names["for_groups"],
        shares=names["for_shares"],
        requested=names["requested"],
        own_view=params["own_view"],
        matrix=params["matrix"],
    )
    errors += query.errors()
    return query


def day_of(text: Optional[str], errors: list[str]) -> Optional[date]:
    """Return the day of `as_of`, or None if it is not set, and append errors to `errors`."""
    if text is None:
        return None
    try:
        # From Python 3.11 on fromisoformat() accepts other formats too.
        return date.fromisoformat(text if _DAY.match(text) else "")
    except ValueError:
        errors.append(f"`as_of` is {quoted(text)}, which is not a day: use a format such as 2027-03-31")
        return None


def hub_groups_of(raw: Mapping[Any, Any], errors: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the groups of the hub by person, and append errors to `errors`."""
    found = {}
    for person, groups in raw.items():
        if not isinstance(person, str) or not person:
            errors.append(
                f"`hub_groups` has {describe_value(person)} instead of the name of a person: put the name in quotes"
            )
        elif not isinstance(groups, (list, tuple)) or not all(isinstance(group, str) and group for group in groups):
            errors.append(
                f"`hub_groups` of {quoted(person)} is {describe_value(groups)}, but must be a list of group names"
            )
        elif any(group.startswith(HUB) for group in groups):
            errors.append(
                f"`hub_groups` of {quoted(person)} has {quote_list(groups)}: use the names of the hub, without `{HUB}`"
            )
        else:
            found[person] = tuple(groups)
    return found


@dataclass(frozen=True)
class Given:
    """The shares and groups of the input."""

    shares: list[ShareSpec]
    groups: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, params: dict[str, Any], errors: list[str]) -> Optional[Given]:
        """Return the input, or None if the options have no shares, and append errors to `errors`."""
        if not shares_given(params):
            return None
        input_errors: list[str] = []
        given = cls(shares_of(params, input_errors), groups_of(params, input_errors))
        if not input_errors:
            input_errors += undefined_groups(given.shares, given.groups)
        errors += input_errors
        return given

    @property
    def needs_cluster(self) -> bool:
        """Whether shares in use name groups of OpenShift."""
        named = named_groups(share for share in self.shares if share.state in (None, PRESENT))
        return any(group.startswith(OPENSHIFT) for group in named)

    def compile(self, api: Optional[Api], namespace: str) -> Acl:
        """Return the ACL of the input. Members of OpenShift Groups are read as in share_acl."""
        groups = dict(self.groups)
        if api is not None:
            from ..kubernetes.openshift_groups import groups_in_use, members_of_groups

            groups.update(members_of_groups(api.connection, groups_in_use(self.shares)))
        return compile_acl(self.shares, groups, namespace)


# -- the ACL ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """The ACL of the answer, the ACL of the input to compare it with (None if there is no comparison), and today's date."""

    acl: PublishedAcl
    other: Optional[Acl]
    today: date


def read_source(module: Any, question: Question) -> Source:
    """Read and compile what the answer needs. Without an answer from the cluster there is an input."""
    given, namespace = question.given, question.namespace
    if given is not None and not question.from_cluster:
        compiled = given.compile(open_api(module) if given.needs_cluster else None, namespace)
        try:
            digest = document_of(compiled).digest
        except ValueError as error:
            raise PlanRejected([str(error)]) from error
        return Source(PublishedAcl(digest, compiled), None, datetime.now(timezone.utc).date())
    api = open_api(module)
    other = None if given is None else given.compile(api, namespace)
    from ..kubernetes.acl_reader import AclReader

    people = question.query.users if question.query.users_only and other is None else ()
    published = AclReader(api, namespace).read(people)
    return Source(published, other, api.now().date())


# -- the result --------------------------------------------------------------------------------------------------------


def warnings_of(params: Mapping[str, Any], acl: PublishedAcl) -> list[str]:
    """Return the warnings about the question as a whole."""
    found = []
    if all(params.get(option) is None for option in ("shares", "shares_file")) and any(
        params.get(option) is not None for option in ("groups", "groups_file")
    ):
        found.append(
            "`groups` without `shares` are no ACL to compare with; to get an answer about groups, name them in `for_groups`"
        )
    if not acl.digest:
        found.append(f"Namespace {params['namespace']} has no ACL yet: nobody has access to any share")
    return found


def head_line(acl: PublishedAcl, found: Mapping[str, Any], today: date, place: str) -> str:
    """Return the first line of the text: the ACL of the answer, where it comes from, and the day."""
    if not acl.digest:
        return f"No ACL {place}"
    line = f"ACL {acl.digest[:12]} {place}, on {today.isoformat()}"
    if "people" not in found:
        return line
    shares, people = len(acl.acl.by_name), found["people"]
    return (
        f"{line}: {shares:,} {'share' if shares == 1 else 'shares'}, {people:,} {'person' if people == 1 else 'people'}"
    )
