# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The claims and volumes of a software tree, planned like those of a share that everybody reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..._hub.acl_format import LEVELS
from ..metadata import NAMESPACE, PRESENT, TREE_PREFIX, claim_name_error
from ..quantity import QuantityError, parse_size
from ..shares.backend_spec import CSI, HOST_PATH, NFS, read_backend
from ..shares.naming import reserved_name
from ..shares.planning.desired import Share, ShareSettings, resolve
from ..shares.spec import ShareSpec
from ..validation import quoted

#: What its messages start with, before the name in brackets.
POSITION = "tree"
BACKENDS = (NFS, CSI, HOST_PATH)
_TYPES = ", ".join(BACKENDS)


def tree_spec(options: Mapping[str, Any], errors: list[str]) -> ShareSpec:
    """Return the tree as the planner of shares takes it. What is wrong with the options is appended to `errors`."""
    name = options["name"]
    has_claims = options["state"] == PRESENT and bool(options["namespaces"] or options["builder_namespace"])
    wrong = claim_name_error(name)
    if wrong:
        errors.append(f"name: {quoted(name)} {wrong}: it is also the name of the claim")
    elif reserved_name(name):
        errors.append(f"name: claim {name} is {reserved_name(name)} and cannot be a tree: use another name")
    known = len(errors)
    given = {key: value for key, value in (options["backend"] or {}).items() if value is not None}
    backend = read_backend({"backend": given or None}, errors)
    if has_claims and len(errors) == known and backend.type not in BACKENDS:
        errors.append(
            f"backend: it is missing, and a tree never takes a claim by its name: set its `type` to one of {_TYPES}"
        )
    size = None
    if options["size"] is not None:
        try:
            size = parse_size(options["size"])
        except QuantityError as invalid:
            errors.append(f"size: {invalid}")
    elif has_claims:
        errors.append("size: it is missing: set one such as 100Gi")
    return ShareSpec(
        name=TREE_PREFIX + name,
        # Every server may read it.
        level=LEVELS[0],
        claim=name,
        size=size,
        size_text=options["size"] or "nothing",
        backend=backend,
        distinct_from=tuple(options["distinct_from"]),
        position=POSITION,
    )


def namespaces_of(options: Mapping[str, Any], errors: list[str]) -> tuple[str, ...]:
    """Return the namespaces of the tree's claims, the builder's first. What is wrong is appended to `errors`."""
    servers: list[str] = options["namespaces"]
    builder = [options["builder_namespace"]] if options["builder_namespace"] else []
    for key, names in (("namespaces", servers), ("builder_namespace", builder)):
        errors += [
            f"{key} has {quoted(name)}, which is not a namespace name: write lower-case letters, digits and '-', at most 63"
            for name in names
            if not NAMESPACE.match(name)
        ]
    if len(set(servers)) < len(servers):
        errors.append("namespaces lists a namespace twice: remove one")
    return tuple(dict.fromkeys((*builder, *servers)))


def resolve_tree(spec: ShareSpec, builder: str, settings: ShareSettings) -> tuple[Share, list[str]]:
    """Return the tree in its namespaces, read-only outside the builder's, and a sentence for each error."""
    shares, errors = resolve([spec], settings)
    read_only = tuple(namespace for namespace in settings.namespaces if namespace != builder)
    return replace(shares[0], read_only=read_only), errors
