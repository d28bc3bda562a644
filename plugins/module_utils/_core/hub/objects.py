# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for the objects of a hub: permissions, the ConfigMap with the spawn hook, the Secret with the service's token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ..plan import CREATE, DELETE, KEEP, REFUSE, UPDATE, Change
from ..requests import CONFIG_MAPS, ApiRequest, Precondition, Resource, create, delete, patch
from .odh import CONFIG_MAP, SECRET, SECRETS, ConfigMapContent, has_token, token_secret
from .permissions import MANAGED_BY, Definition

Observed = Optional[Mapping[str, Any]]


def plan_permission(definition: Definition, observed: Observed) -> Change:
    """Return the change that gives a Role, a RoleBinding, or one of the whole cluster its definition."""
    resource, manifest = definition
    kind, metadata = manifest["kind"], manifest["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace", "")
    created = create(resource, namespace, manifest)
    after = f"{kind} {name}: {_described(manifest)}"
    if observed is None:
        return Change(CREATE, kind, namespace, name, f"there is no {kind} {name}", after=after, operations=(created,))
    if not _is_ours(observed):
        return Change(REFUSE, kind, namespace, name, _foreign(kind, name))
    before = f"{kind} {name}: {_described(observed)}"
    precondition = _precondition(observed)
    if observed.get("roleRef") != manifest.get("roleRef"):
        operations = (delete(resource, namespace, name, precondition), created)  # roleRef is immutable
        return Change(
            UPDATE,
            kind,
            namespace,
            name,
            "it refers to another role",
            before=before,
            after=after,
            operations=operations,
        )
    body = {key: manifest[key] for key in ("rules", "subjects") if key in manifest}
    if all(_plain(observed.get(key)) == _plain(value) for key, value in body.items()):
        return Change(KEEP, kind, namespace, name, "it is up to date")
    operation = patch(resource, namespace, name, body, precondition)
    return Change(UPDATE, kind, namespace, name, "it was modified", before=before, after=after, operations=(operation,))


def plan_no_permission(definition: Definition, observed: Observed, reason: str) -> Change:
    """Return the change that deletes such an object if this role has made it."""
    resource, manifest = definition
    kind, metadata = manifest["kind"], manifest["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace", "")
    if observed is None:
        return Change(KEEP, kind, namespace, name, "it does not exist")
    if not _is_ours(observed):
        return Change(KEEP, kind, namespace, name, "it does not belong to this collection")
    return _deletion(resource, observed, (kind, namespace, name), reason, f"{kind} {name}: {_described(observed)}")


def plan_config_map(namespace: str, observed: Observed, desired: Optional[ConfigMapContent]) -> Change:
    """Return the change that gives the ConfigMap its content, None: without the spawn hook. Raises ValueError."""
    kind = "ConfigMap"
    current = ConfigMapContent.of(observed)
    content = current.without_ours() if desired is None else desired
    if observed is None:
        if desired is None:
            return Change(KEEP, kind, namespace, CONFIG_MAP, "it does not exist")
        metadata = {"name": CONFIG_MAP, "namespace": namespace, "labels": dict(MANAGED_BY)}
        manifest = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **_keys(content)}
        created = create(CONFIG_MAPS, namespace, manifest)
        reason = f"there is no ConfigMap {CONFIG_MAP}"
        after = f"ConfigMap {CONFIG_MAP} with the spawn hook"
        return Change(CREATE, kind, namespace, CONFIG_MAP, reason, after=after, operations=(created,))
    changed = _changed_keys(current, content)
    if not changed:
        return Change(KEEP, kind, namespace, CONFIG_MAP, "it is up to date" if desired else "it has no spawn hook")
    if desired is None and content.is_empty and _is_ours(observed):
        before = f"ConfigMap {CONFIG_MAP} with the spawn hook"
        return _deletion(CONFIG_MAPS, observed, (kind, namespace, CONFIG_MAP), "`state` is absent", before)
    names = ", ".join(sorted(key for keys in changed.values() for key in keys))
    return Change(
        UPDATE,
        kind,
        namespace,
        CONFIG_MAP,
        f"{names} {'changes' if desired is not None else 'is restored'}",
        before=f"ConfigMap {CONFIG_MAP}: {_state(current)}",
        after=f"ConfigMap {CONFIG_MAP}: {_state(content)}",
        operations=(patch(CONFIG_MAPS, namespace, CONFIG_MAP, changed, _precondition(observed)),),
    )


def plan_token(namespace: str, observed: Observed, token: Optional[str]) -> Change:
    """Return the change that creates the Secret with a token, None: that deletes it. A token that exists is kept."""
    kind = "Secret"
    if observed is not None and not _is_ours(observed):
        if token is None:
            return Change(KEEP, kind, namespace, SECRET, "it does not belong to this collection")
        return Change(REFUSE, kind, namespace, SECRET, _foreign(kind, SECRET))
    if token is None:
        if observed is None:
            return Change(KEEP, kind, namespace, SECRET, "it does not exist")
        return _deletion(SECRETS, observed, (kind, namespace, SECRET), "`state` is absent", f"Secret {SECRET}")
    if has_token(observed):
        return Change(KEEP, kind, namespace, SECRET, "it has a token")
    manifest = token_secret(namespace, token, MANAGED_BY)
    operation: ApiRequest = create(SECRETS, namespace, manifest)
    if observed is not None:
        operation = patch(SECRETS, namespace, SECRET, {"data": manifest["data"]}, _precondition(observed))
    action, reason = (CREATE, f"there is no Secret {SECRET}") if observed is None else (UPDATE, "it has no token")
    after = f"Secret {SECRET} with a token"
    return Change(action, kind, namespace, SECRET, reason, after=after, operations=(operation,))


def _deletion(
    resource: Resource, observed: Mapping[str, Any], names: tuple[str, str, str], reason: str, before: str
) -> Change:
    kind, namespace, name = names
    operation = delete(resource, namespace, name, _precondition(observed))
    return Change(DELETE, kind, namespace, name, reason, before=before, operations=(operation,))


def _is_ours(observed: Mapping[str, Any]) -> bool:
    return bool(MANAGED_BY.items() <= (observed["metadata"].get("labels") or {}).items())


def _foreign(kind: str, name: str) -> str:
    return f"{kind} {name} does not belong to this collection: rename or delete it"


def _precondition(observed: Mapping[str, Any]) -> Precondition:
    metadata = observed["metadata"]
    return Precondition(metadata.get("resourceVersion", ""), metadata.get("uid", ""))


def _plain(value: Any) -> Any:
    """Return rules or subjects without what the API server adds or leaves out."""
    if isinstance(value, list):
        return [{key: one for key, one in item.items() if one and key != "apiGroup"} for item in value]
    return value


def _described(manifest: Mapping[str, Any]) -> str:
    if "roleRef" in manifest:
        subjects = ", ".join(f"{one.get('namespace', '')}/{one['name']}" for one in manifest.get("subjects") or ())
        return f"{manifest['roleRef']['name']} for {subjects}"
    return "; ".join(
        f"{' '.join(rule.get('verbs') or ())} {' '.join(rule.get('resources') or ())}"
        f"{' ' + ' '.join(rule['resourceNames']) if rule.get('resourceNames') else ''}"
        for rule in manifest.get("rules") or ()
    )


def _keys(content: ConfigMapContent) -> dict[str, Any]:
    return {"data": content.data, "binaryData": content.binary_data}


def _changed_keys(current: ConfigMapContent, content: ConfigMapContent) -> dict[str, dict[str, Optional[str]]]:
    changed: dict[str, dict[str, Optional[str]]] = {}
    for where, old in _keys(current).items():
        new = _keys(content)[where]
        keys: dict[str, Optional[str]] = {key: value for key, value in new.items() if old.get(key) != value}
        keys.update(dict.fromkeys(set(old) - set(new)))
        if keys:
            changed[where] = keys
    return changed


def _state(content: ConfigMapContent) -> str:
    return (
        "with the spawn hook"
        if content.binary_data or "odh_persistency" in str(content.data)
        else "without the spawn hook"
    )
