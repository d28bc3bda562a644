# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The backend of a share: where its data is, as its entry declares it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ..metadata import NAMESPACE, claim_name_error
from ..text import did_you_mean
from ..validation import NOTHING, describe_value, is_list_text, quoted, quoting_hint, texts_of, unknown_keys
from .csi_drivers import NFS_CSI, NO_TEMPLATE, csi_path_errors, is_cephfs, is_template, nfs_attributes
from .paths import absolute_error, system_path_error

STORAGE_CLASS, NFS, CSI, HOST_PATH, EXISTING_CLAIM = TYPES = (
    "storage_class",
    "nfs",
    "csi",
    "host_path",
    "existing_claim",
)
#: The keys of each type besides `type`, and which of them are required.
KEYS: Mapping[str, tuple[str, ...]] = {
    STORAGE_CLASS: ("storage_class", "clone", "node_stage_secret"),
    NFS: ("server", "path", "mount_options"),
    CSI: (
        "driver",
        "volume_handle",
        "volume_handles",
        "attributes",
        "fs_type",
        "node_stage_secret",
        "mount_options",
        "clone",
    ),
    HOST_PATH: ("path",),
    EXISTING_CLAIM: ("claim",),
}
REQUIRED: Mapping[str, tuple[str, ...]] = {
    STORAGE_CLASS: (),
    NFS: ("server", "path"),
    CSI: ("driver",),
    HOST_PATH: ("path",),
    EXISTING_CLAIM: ("claim",),
}
_SERVER = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:_-]*[A-Za-z0-9.])?\Z|\[[0-9A-Fa-f:.]+\]\Z")


def _nothing() -> Mapping[str, str]:
    return NOTHING


@dataclass(frozen=True)
class Backend:
    """Where a share's data is. Keys that are not set are empty. ``storage_class`` None is the cluster's default class.

    ``volume_handles`` maps namespaces to handles. ``clone`` declares that the driver accepts one handle, or a copy of the
    volume's attributes, for several volumes.
    """

    type: str = STORAGE_CLASS
    storage_class: Optional[str] = None
    server: str = ""
    path: str = ""
    mount_options: tuple[str, ...] = ()
    driver: str = ""
    volume_handle: str = ""
    volume_handles: Mapping[str, str] = field(default_factory=_nothing)
    attributes: Mapping[str, str] = field(default_factory=_nothing)
    fs_type: str = ""
    node_stage_secret: Mapping[str, str] = field(default_factory=_nothing)
    clone: bool = False
    claim: str = ""


DYNAMIC = Backend()


def read_backend(item: Mapping[Any, object], errors: list[str]) -> Backend:
    """Return the backend of a share, by default the default class, and append what is wrong to ``errors``."""
    value = item.get("backend")
    if value is None:
        return DYNAMIC
    if not isinstance(value, Mapping):
        errors.append(
            f"`backend` must be a mapping, not {describe_value(value)}: write `backend: {{type: nfs, server: ..., path: ...}}` "
            f"(the types are {', '.join(TYPES)})"
        )
        return DYNAMIC
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in KEYS:
        if "type" not in value:
            errors.append(f"`backend` has no `type`: write one of {', '.join(TYPES)}")
        elif isinstance(kind, str):
            errors.append(
                f"the backend {quoted(kind)} is unknown{did_you_mean(kind, TYPES)}: the known types are {', '.join(TYPES)}"
            )
        else:
            errors.append(f"`backend.type` is {describe_value(kind)}: write one of {', '.join(TYPES)}")
        return DYNAMIC
    known = ("type", *KEYS[kind])
    untyped: list[str] = []
    errors += [
        f"the backend {kind} has no key {quoted(key)}{did_you_mean(key, known)}: the known keys are {', '.join(known)}"
        for key in unknown_keys(value, known, untyped)
    ]
    errors += [f"`backend`: {error}" for error in untyped]
    errors += [f"the backend {kind} needs `{key}`" for key in REQUIRED[kind] if not value.get(key)]
    reader = _Reader(value, errors)
    server, path = reader.text("server"), reader.text("path")
    storage_class, claim, driver = reader.text("storage_class"), reader.text("claim"), reader.text("driver")
    if value.get("storage_class") == "":
        errors.append(
            "`backend.storage_class` is empty, so no class would create a volume: set a class, or remove the key to use the "
            "cluster's default"
        )
    for key, name in (("storage_class", storage_class), ("claim", claim), ("driver", driver)):
        wrong = claim_name_error(name.lower() if key == "driver" else name) if name else None
        if wrong:
            errors.append(f"`backend.{key}` {quoted(name)} {wrong}")
    if server and not _SERVER.match(server):
        errors.append(
            f"`backend.server` {quoted(server)} is not the name or address of a server: write it alone, without a path"
        )
    wrong = absolute_error(path, "/exports/NAME") if path else None
    if wrong:
        errors.append(f"`backend.path` {wrong}")
    templates = [(key, text) for key in known for text in _texts(value.get(key)) if is_template(text)]
    errors += [f"`backend.{key}` {quoted(text)} {NO_TEMPLATE}" for key, text in templates]
    options = reader.texts("mount_options")
    errors += [
        f"`backend.mount_options` has {quoted(option)}: write each option as a separate item, without blanks and commas"
        for option in options
        if "," in option or is_list_text(option) or any(character.isspace() for character in option)
    ]
    attributes = texts_of(value, "attributes", errors)
    errors += [f"`backend.attributes` {wrong}" for wrong in csi_path_errors(driver, attributes)]
    if kind == HOST_PATH:
        wrong = system_path_error(path)
        if wrong:
            errors.append(f"`backend.path` {wrong}")
    return Backend(
        type=kind,
        storage_class=storage_class or None,
        server=server,
        path=path,
        mount_options=options,
        driver=driver,
        volume_handle=reader.text("volume_handle"),
        volume_handles=_handles(value, errors),
        attributes=attributes,
        fs_type=reader.text("fs_type"),
        node_stage_secret=_secret(value, errors),
        clone=reader.flag("clone"),
        claim=claim,
    )


class _Reader:
    """Reads keys of a backend by type. What is wrong with them is appended to ``errors``."""

    def __init__(self, value: Mapping[Any, object], errors: list[str]) -> None:
        self.value = value
        self.errors = errors

    def text(self, key: str) -> str:
        found = self.value.get(key)
        if found is None:
            return ""
        if not isinstance(found, str):
            self.errors.append(f"`backend.{key}` must be text, not {describe_value(found)}: {quoting_hint(found)}")
            return ""
        if found != found.strip():
            self.errors.append(f"`backend.{key}` {quoted(found)} has white space around it: remove it")
        return found

    def flag(self, key: str) -> bool:
        found = self.value.get(key)
        if found is not None and not isinstance(found, bool):
            self.errors.append(f"`backend.{key}` is {describe_value(found)}: write true or false")
        return found is True

    def texts(self, key: str) -> tuple[str, ...]:
        found = self.value.get(key)
        if found is None:
            return ()
        if not isinstance(found, (list, tuple)):
            self.errors.append(f"`backend.{key}` must be a list, not {describe_value(found)}: write `{key}: [...]`")
            return ()
        for item in found:
            if not isinstance(item, str) or not item.strip():
                self.errors.append(f"`backend.{key}` has {describe_value(item)} instead of text: {quoting_hint(item)}")
        return tuple(item for item in found if isinstance(item, str))


def _texts(value: object) -> list[str]:
    """Return a text, and those in a list or a mapping, with the keys of a mapping."""
    if isinstance(value, Mapping):
        value = [*value, *value.values()]
    items = value if isinstance(value, (list, tuple)) else [value]
    return [item for item in items if isinstance(item, str)]


def _handles(value: Mapping[Any, object], errors: list[str]) -> Mapping[str, str]:
    handles = texts_of(value, "volume_handles", errors)
    for namespace, handle in handles.items():
        if not NAMESPACE.match(namespace):
            errors.append(
                f"`backend.volume_handles` has {quoted(namespace)}, which is not a namespace name: correct it"
            )
        if not handle:
            errors.append(
                f"`backend.volume_handles` has an empty handle for namespace {namespace}: set it, or remove it"
            )
    if len(set(handles.values())) < len(handles):
        errors.append(
            "`backend.volume_handles` has one handle twice: give the volume of each namespace a separate handle"
        )
    return handles


def _secret(value: Mapping[Any, object], errors: list[str]) -> Mapping[str, str]:
    secret = texts_of(value, "node_stage_secret", errors)
    if secret and set(secret) != {"name", "namespace"}:
        errors.append("`backend.node_stage_secret` must name a Secret: write exactly `{name: ..., namespace: ...}`")
    return secret


def static_backend_errors(backend: Backend, namespaces: Sequence[str]) -> list[str]:
    """Return what a CSI backend lacks for these namespaces by its driver's rules, as clauses with the way out."""
    if backend.type != CSI:
        return []
    if backend.driver == NFS_CSI or is_cephfs(backend.driver):
        return _known_driver_errors(backend, namespaces)
    errors = []
    several = len(namespaces) > 1
    for namespace in namespaces:
        if backend.volume_handles.get(namespace):
            continue
        if not backend.volume_handle:
            key = "volume_handles" if several else "volume_handle"
            errors.append(
                f"the volume handles of {backend.driver} are unknown here: set `backend.{key}` for namespace {namespace}"
            )
        elif several and not backend.clone:
            errors.append(
                f"one `volume_handle` in several namespaces needs a driver that accepts it: set `volume_handles` with one for "
                f"{namespace}, or set `clone: true`"
            )
    return errors


def _known_driver_errors(backend: Backend, namespaces: Sequence[str]) -> list[str]:
    """Return what a backend of nfs.csi.k8s.io or CephFS lacks."""
    given = nfs_attributes(backend.attributes) if backend.driver == NFS_CSI else backend.attributes
    required = ("server", "share") if backend.driver == NFS_CSI else ("clusterID", "rootPath")
    errors = [
        f"{backend.driver} needs the attribute `{key}`: set it in `backend.attributes`"
        for key in required
        if not given.get(key)
    ]
    if backend.volume_handle and len(namespaces) > 1:
        errors.append(
            f"one `volume_handle` cannot serve {len(namespaces)} namespaces: remove it, so that each volume gets its own, or set "
            "`volume_handles`"
        )
    if is_cephfs(backend.driver):
        if given.get("staticVolume", "true") != "true":
            errors.append(
                'the attribute `staticVolume` must be "true", because the driver did not create the volume: remove it'
            )
        if not backend.node_stage_secret:
            errors.append(
                f"{backend.driver} mounts a static volume with the userID and userKey of a Secret: set "
                "`backend.node_stage_secret`"
            )
    return errors
