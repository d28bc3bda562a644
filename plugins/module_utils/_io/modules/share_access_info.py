# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `share_access_info` does, from options to result."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone
from typing import Any, Optional

from ..._core import requests
from ..._core.access.compile import compile_acl, document_of, left_out
from ..._core.access.diff import as_data, compare
from ..._core.access.model import EMPTY, Acl
from ..._core.access.observed import (
    DIGEST_ANNOTATION,
    SELECTOR,
    WRITER_ANNOTATION,
    ObservedAcl,
    Stored,
    observed_acl_from,
    published_acl,
    stored_from,
)
from ..._core.metadata import PRESENT
from ..._core.plan import MOST_REFUSALS
from ..._core.report.access import Access, Frame
from ..._core.report.access_answers import MATRICES, Questions, answer
from ..._core.report.access_text import answer_text
from ..._core.shares.groups import HUB, OPENSHIFT, named_groups, source_of, undefined_groups
from ..._core.shares.paths import place_errors
from ..._core.shares.spec import ShareSpec
from ..._core.text import quote_list
from ..._core.validation import described, shown
from ..._hub.access import (
    INDEX_KEY,
    INDEX_NAME,
    PART_KEY,
    AccessError,
    load_index,
    load_members,
    load_shares,
    members_name,
    prefix_of,
    shares_name,
)
from ..errors import ExternalError
from ..module import PlanRejected, open_api, timings_result
from ..options.shares import GROUPS_SPEC, SHARES_SPEC, groups_of, shares_given, shares_of

CLUSTER = "cluster"
INPUT = "input"

#: For more people than that one list of everything is asked for, which costs less than a request for each.
MOST_SINGLE_READS = 8

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)


def argument_spec() -> dict[str, Any]:
    """Return the options of `share_access_info`."""
    from ..kubernetes.connection import argument_spec as connection_spec

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
        "asked": {"type": "list", "elements": "str", "default": []},
        "own_view": {"type": "bool", "default": False},
        "as_of": {"type": "str"},
        "matrix": {"type": "str", "default": MATRICES[0], "choices": list(MATRICES)},
    }


def show_access(module: Any) -> dict[str, Any]:
    """Answer who gets what, by the ACL that stands or by the one that the input makes."""
    params = module.params
    laps = Timings()
    errors: list[str] = []
    questions = questions_of(params, errors)
    day = day_of(params.get("as_of"), errors)
    hub_groups = hub_groups_of(params.get("hub_groups") or {}, errors)
    from_cluster = params["acl_from"] == CLUSTER
    given = Given.of(params, errors)
    if given is None:
        errors += place_errors(params["home_path"], params["mount_roots"])
    if given is None and not from_cluster:
        errors.append("`acl_from: input` takes the ACL from `shares` or `shares_file`, and neither is given")
    if given is not None and questions.own_view and from_cluster:
        errors.append("`own_view` tells nothing of what an input would change: leave `shares` and `groups` out")
    if errors:
        raise PlanRejected(errors)
    laps.note("input")

    asked = asked_of(module, questions, given, from_cluster)
    today = day or asked.today
    laps.note("read")
    try:
        access = Access(asked.standing.acl, Frame(today, params["home_path"], params["mount_roots"], hub_groups))
        found = answer(access, questions, asked.standing.is_complete)
    except AccessError as error:
        raise ExternalError(f"The ACL does not validate, so it grants nothing: {error}", retryable=False) from error
    except ValueError as error:
        raise PlanRejected([str(error)]) from error
    comparison = None
    if given is not None and asked.other is not None:
        comparison = compare(asked.standing.acl, asked.other, today, left_out(given.shares, params["namespace"]))
    head = head_line(asked.standing, found.result, params["namespace"], today, from_cluster)
    result: dict[str, Any] = {
        "changed": False,
        "published": bool(asked.standing.digest) and from_cluster,
        "digest": asked.standing.digest,
        "as_of": today.isoformat(),
        **found.result,
        **({} if comparison is None else {"what_if": {"sentences": list(comparison.sentences), **as_data(comparison)}}),
        "text": answer_text(found, questions, head, None if comparison is None else comparison.sentences),
    }
    laps.note("answer")
    for sentence in [*warnings_of(params, asked.standing), *found.warnings]:
        module.warn(sentence)
    return {**result, **timings_result(laps.seconds)}


@dataclass(frozen=True)
class Asked:
    """The ACL to answer by, the one of the input to compare it with (None: nothing is compared), and the day of today."""

    standing: ReadAcl
    other: Optional[Acl]
    today: date


def asked_of(module: Any, questions: Questions, given: Optional[Given], from_cluster: bool) -> Asked:
    """Read and compile what the answer takes; an input is given where nothing is read from the cluster."""
    namespace = module.params["namespace"]
    if given is not None and not from_cluster:
        api = open_api(module) if given.openshift_groups else None
        compiled = given.compiled(api, namespace)
        try:
            digest = document_of(compiled).digest
        except ValueError as error:
            raise PlanRejected([str(error)]) from error
        return Asked(ReadAcl(digest, compiled), None, datetime.now(timezone.utc).date())
    api = open_api(module)
    other = None if given is None else given.compiled(api, namespace)
    standing = read_acl(api, namespace, questions.users if questions.users_only and other is None else ())
    return Asked(standing, other, api.now().date())


def warnings_of(params: Mapping[str, Any], standing: ReadAcl) -> list[str]:
    """Return what is to be said of the question as a whole."""
    found = []
    if all(params.get(option) is None for option in ("shares", "shares_file")) and any(
        params.get(option) is not None for option in ("groups", "groups_file")
    ):
        found.append("`groups` without `shares` make no ACL to compare; to ask about groups, name them in `for_groups`")
    if not standing.digest:
        found.append(f"There is no ACL in namespace {params['namespace']} yet: it grants nothing to anybody")
    return found


class Timings:
    """How many seconds each phase takes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def note(self, phase: str) -> None:
        """Note the time since the last phase."""
        now = time.monotonic()
        self.seconds[phase], self._last = now - self._last, now


# -- the options -----------------------------------------------------------------------------------------------------


def questions_of(params: Mapping[str, Any], errors: list[str]) -> Questions:
    """Return what is asked; what is wrong with it goes to `faults`."""
    names = {}
    for option in ("for_users", "for_groups", "for_shares", "asked"):
        names[option] = tuple(dict.fromkeys(params.get(option) or ()))
        if "" in names[option]:
            errors.append(f"`{option}` has an empty name: remove it, or write whom or what it is about")
    found = Questions(
        users=names["for_users"],
        groups=names["for_groups"],
        shares=names["for_shares"],
        asked=names["asked"],
        own_view=params["own_view"],
        matrix=params["matrix"],
    )
    errors += found.errors()
    return found


def day_of(text: Optional[str], errors: list[str]) -> Optional[date]:
    """Return the day that is asked about, None where none is; what is wrong with it goes to `faults`."""
    if text is None:
        return None
    try:
        # fromisoformat() alone takes more from Python 3.11 on.
        return date.fromisoformat(text if _DAY.match(text) else "")
    except ValueError:
        errors.append(f"`as_of` is {shown(text)}, which is no day: write one such as 2027-03-31")
        return None


def hub_groups_of(raw: Mapping[Any, Any], errors: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the hub's groups by person; what is wrong with them goes to `faults`."""
    found = {}
    for person, groups in raw.items():
        if not isinstance(person, str) or not person:
            errors.append(
                f"`hub_groups` has {described(person)} where the name of a person should be: put it in quotes"
            )
        elif not isinstance(groups, (list, tuple)) or not all(isinstance(group, str) and group for group in groups):
            errors.append(
                f"`hub_groups` of {shown(person)} is {described(groups)}, not a list of names of groups: write one"
            )
        elif any(group.startswith(HUB) for group in groups):
            errors.append(
                f"`hub_groups` of {shown(person)} has {quote_list(groups)}: write the names as the hub has them, without `{HUB}`"
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
        """Return what the options give, None where they give no shares; what is wrong with it goes to `faults`."""
        if not shares_given(params):
            return None
        wrong: list[str] = []
        given = cls(shares_of(params, wrong), groups_of(params, wrong))
        if not wrong:
            wrong += undefined_groups(given.shares, given.groups)
        errors += wrong
        return given

    @property
    def openshift_groups(self) -> list[str]:
        """The groups whose members the cluster knows, without their prefix."""
        named = named_groups(share for share in self.shares if share.state in (None, PRESENT))
        return [group[len(OPENSHIFT) :] for group in named if source_of(group) == "openshift"]

    def compiled(self, api: Any, namespace: str) -> Acl:
        """Return the ACL that the input makes; members of OpenShift's groups are read as share_acl reads them."""
        groups = dict(self.groups)
        names = self.openshift_groups
        if names:
            from ..kubernetes.openshift_groups import read_members

            errors: list[str] = []
            members = read_members(api.connection, names, errors)
            if errors:
                raise PlanRejected(errors)
            groups.update({OPENSHIFT + name: found for name, found in members.items()})
        return compile_acl(self.shares, groups, namespace)


# -- the ACL that stands -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReadAcl:
    """An ACL to answer by: the digest of its index ("" where there is none), and whether all people's records were read."""

    digest: str
    acl: Acl
    is_complete: bool = True


def read_acl(api: Any, namespace: str, people: Sequence[str] = ()) -> ReadAcl:
    """Return the ACL that stands in a namespace: all of it, or, for a few people, no more than concerns them.

    All of it is one list; for a few people it is what a hub reads when one of them starts a server. Raises EdgeError,
    with a sentence, where it cannot be read: then it grants nothing.
    """
    reader = _Reader(api, namespace)
    if 0 < len(people) <= MOST_SINGLE_READS:
        return reader.read_for(people)
    return reader.read_all()


class _Reader:
    """Reads the ACL of one namespace as the hub does: by names, whatever the labels say."""

    def __init__(self, api: Any, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    def read_all(self) -> ReadAcl:
        """Return all of it. Where labels are as we write them, that is one list."""
        live = observed_acl_from(self._api.list_all(requests.CONFIG_MAPS, self._namespace, stored_from, SELECTOR))
        if live.index is None:
            live = replace(live, index=self._stored(INDEX_NAME))
        _require_index(self._api, self._namespace, live)
        unlisted = [self._stored(name) for name in sorted(live.in_force - set(live.parts))]
        live = replace(live, parts={**live.parts, **{part.name: part for part in unlisted if part is not None}})
        found = published_acl(live)
        if found.errors:
            raise _broken(self._namespace, found.errors)
        return ReadAcl(found.digest, found.acl)

    def read_for(self, people: Sequence[str]) -> ReadAcl:
        """Return the shares and these people's parts."""
        index = self._stored(INDEX_NAME)
        _require_index(self._api, self._namespace, ObservedAcl(index))
        if index is None:
            return ReadAcl("", EMPTY)
        digest = index.annotations.get(DIGEST_ANNOTATION, "")
        try:
            names = load_index(index.text(INDEX_KEY), digest)
            shares = load_shares(self._text(shares_name(names["shares"])), names["shares"])
            records: dict[str, Mapping[str, Any]] = {}
            for prefix in sorted({prefix_of(person, names["digits"]) for person in people} & set(names["members"])):
                text = self._text(members_name(prefix, names["members"][prefix]))
                records.update(load_members(text, names["members"][prefix])["people"])
        except AccessError as error:
            raise _broken(self._namespace, error.errors) from error
        return ReadAcl(digest, Acl(shares, records), is_complete=False)

    def _stored(self, name: str) -> Optional[Stored]:
        item = self._api.get(requests.CONFIG_MAPS, self._namespace, name)
        return None if item is None else stored_from(item)

    def _text(self, name: str) -> str:
        found = self._stored(name)
        if found is None:
            raise AccessError([f"the part {name}, which the index names, does not exist"])
        return found.text(PART_KEY)


def _require_index(api: Any, namespace: str, live: ObservedAcl) -> None:
    """Refuse an ACL of a newer schema; tell a namespace without an ACL from one that does not exist."""
    if live.index is None:
        from ..kubernetes.facts import namespace_error

        error, missing = namespace_error(api, namespace)
        if missing:
            raise PlanRejected([error])
    elif live.newer_schema:
        writer = live.index.annotations.get(WRITER_ANNOTATION)
        raise ExternalError(
            f"The ACL in namespace {namespace} has schema {live.newer_schema}"
            f"{f', written by {writer}' if writer else ''}, newer than is understood here: use that version"
        )


def _broken(namespace: str, errors: Sequence[str]) -> ExternalError:
    why = "; ".join(errors[:MOST_REFUSALS]) + (
        f"; and {len(errors) - MOST_REFUSALS} more" if len(errors) > MOST_REFUSALS else ""
    )
    return ExternalError(
        f"The ACL in namespace {namespace} cannot be read, so it grants nothing: {why}; run share_acl to write it anew",
        False,
    )


# -- the result --------------------------------------------------------------------------------------------------------


def head_line(standing: ReadAcl, found: Mapping[str, Any], namespace: str, today: date, from_cluster: bool) -> str:
    """Return the first line of the text: by which ACL the answer is, and as of which day."""
    if not standing.digest:
        return f"No ACL in namespace {namespace}"
    where = f"in namespace {namespace}" if from_cluster else f"that the input makes for namespace {namespace}"
    line = f"ACL {standing.digest[:12]} {where}, on {today.isoformat()}"
    if "people" not in found:
        return line
    shares, people = len(standing.acl.by_name), found["people"]
    return (
        f"{line}: {shares:,} {'share' if shares == 1 else 'shares'}, {people:,} {'person' if people == 1 else 'people'}"
    )
