# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the ConfigMaps of an ACL from the API server."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ..._core.access.model import EMPTY, Acl
from ..._core.access.observed import (
    DIGEST_ANNOTATION,
    SELECTOR,
    WRITER_ANNOTATION,
    ConfigMap,
    ObservedAcl,
    PublishedAcl,
    config_map_from,
    observed_acl_from,
    published_acl,
)
from ..._core.access.published_profiles import NAME as PROFILES_NAME
from ..._core.access.published_profiles import published_profiles
from ..._core.plan import MOST_REFUSALS
from ..._core.requests import CONFIG_MAPS
from ..._hub.access import SharesPart, load_index, load_members, load_shares
from ..._hub.acl_format import INDEX_KEY, INDEX_NAME, PART_KEY, AccessError, members_name, prefix_of, shares_name
from ..errors import ExternalError
from ..module import PlanRejected
from .api import Api
from .errors import ApiError
from .facts import namespace_error
from .parallel import FEW_OBJECTS, in_parallel

#: For more people, one list of everything costs less than a request for each.
MOST_SINGLE_READS = 8


class AclReader:
    """Reads the ACL of one namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    def get(self, name: str) -> Optional[ConfigMap]:
        """Return one ConfigMap, or None if it does not exist."""
        found = self._api.get(CONFIG_MAPS, self._namespace, name)
        return None if found is None else config_map_from(found)

    def list(self) -> ObservedAcl:
        """Return all ConfigMaps with the labels of an ACL, by one list."""
        return observed_acl_from(self._api.list_all(CONFIG_MAPS, self._namespace, config_map_from, SELECTOR))

    def observe(self, names: Collection[str] = ()) -> ObservedAcl:
        """Return the ACL: by one list, and by name what lost its labels, as a hub reads it, and parts with these names.

        An index without any mark of ours is somebody else's, unless parts of an ACL say that it replaced ours.
        """
        observed = self.list()
        if observed.index is None:
            found = self.get(INDEX_NAME)
            if found is not None and not found.is_part_of_acl and not observed.parts:
                return replace(observed, is_name_taken=True)
            observed = replace(observed, index=found)
        unlisted = sorted((observed.in_force | {*names}) - set(observed.parts))
        if len(unlisted) > FEW_OBJECTS:
            everything = self._api.list_all(CONFIG_MAPS, self._namespace, config_map_from)
            found_parts = observed_acl_from(everything).parts
            return replace(observed, parts={**found_parts, **observed.parts})
        parts = {part.name: part for part in in_parallel(self.get, unlisted) if part is not None}
        return replace(observed, parts={**observed.parts, **parts})

    def read(self, people: Sequence[str] = ()) -> PublishedAcl:
        """Return the published ACL: the records of a few people, by the same requests as a hub, or all of it.

        Raises ExternalError if it is unreadable: then it grants nothing.
        """
        if 0 < len(people) <= MOST_SINGLE_READS:
            return self._read_for(people)
        return self._read_all()

    def granted_claims(self) -> tuple[dict[str, str], str]:
        """Return the claims that the ACL and the profiles of old hubs grant, with their shares, and why they are unknown.

        What is unreadable grants nothing.
        """
        found: dict[str, str] = {}
        errors = []
        for read in (self._claims_of_profiles, self._claims_of_acl):
            try:
                found.update(read())
            except AccessError as error:
                errors.append(str(self._damaged(error.errors)))
            except ApiError as error:
                if error.status != 403:
                    raise
                errors.append(str(error))
        return found, "; ".join(dict.fromkeys(errors))

    def _claims_of_profiles(self) -> dict[str, str]:
        found = self.get(PROFILES_NAME)
        return {} if found is None else _claims(published_profiles(found).offer)

    def shares(self) -> Optional[SharesPart]:
        """Return the shares of the ACL, None if there is no ACL. Raises AccessError if it is invalid."""
        index = self.get(INDEX_NAME)
        if index is None:
            return None
        name = load_index(index.text(INDEX_KEY), index.annotations.get(DIGEST_ANNOTATION, ""))["shares"]
        return load_shares(self._text(shares_name(name)), name)

    def _claims_of_acl(self) -> dict[str, str]:
        shares = self.shares()
        return {} if shares is None else _claims(Acl(shares, {}))

    def _read_all(self) -> PublishedAcl:
        """Read all of it."""
        observed = self.observe()
        self._require_readable(observed)
        found = published_acl(observed)
        if found.errors:
            raise self._damaged(found.errors)
        return found

    def _read_for(self, people: Sequence[str]) -> PublishedAcl:
        """Read the shares and the parts of these people."""
        observed = ObservedAcl(self.get(INDEX_NAME))
        self._require_readable(observed)
        if observed.index is None:
            return PublishedAcl("", EMPTY)
        try:
            index = load_index(observed.index.text(INDEX_KEY), observed.digest)
            shares = load_shares(self._text(shares_name(index["shares"])), index["shares"])
            records: dict[str, Mapping[str, Any]] = {}
            for prefix in sorted({prefix_of(person, index["digits"]) for person in people} & set(index["members"])):
                text = self._text(members_name(prefix, index["members"][prefix]))
                records.update(load_members(text, index["members"][prefix])["people"])
        except AccessError as error:
            raise self._damaged(error.errors) from error
        return PublishedAcl(observed.digest, Acl(shares, records), is_complete=False)

    def _text(self, name: str) -> str:
        found = self.get(name)
        if found is None:
            raise AccessError([f"the part {name}, which the index names, does not exist"])
        return found.text(PART_KEY)

    def _require_readable(self, observed: ObservedAcl) -> None:
        """Reject an ACL of a newer schema, and a missing namespace, which looks like one without an ACL."""
        if observed.index is None:
            error, missing = namespace_error(self._api, self._namespace)
            if missing:
                raise PlanRejected([error])
        elif observed.newer_schema:
            writer = observed.index.annotations.get(WRITER_ANNOTATION)
            raise ExternalError(
                f"The ACL in namespace {self._namespace} has schema {observed.newer_schema}"
                f"{f', written by {writer}' if writer else ''}, which this version does not support: use a newer version"
            )

    def _damaged(self, errors: Sequence[str]) -> ExternalError:
        more = f"; and {len(errors) - MOST_REFUSALS} more" if len(errors) > MOST_REFUSALS else ""
        return ExternalError(
            f"The ACL in namespace {self._namespace} is damaged, so it grants nothing: "
            f"{'; '.join(errors[:MOST_REFUSALS])}{more}; run share_acl to write it again",
            False,
        )


def _claims(acl: Acl) -> dict[str, str]:
    return {share["claim"]: name for name, share in acl.by_name.items()}
