# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of how servers mount volumes: `fsGroup`, which changes the groups of files, and the SELinux labels of namespaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional, Union

from ...kubernetes.volumes import Volume
from ...shares.csi_drivers import is_nfs_csi
from ...shares.places import relation_of
from ...text import quote_list
from .finding import ERROR, OK, UNKNOWN, WARNING, Finding, Unread, unknown
from .observed import ObservedHub
from .settings import UNSET, HubSettings

FS_GROUP = "fs_group"
SELINUX = "selinux_labels"
#: A CSI driver with this policy gives all files of a volume to the group of the pod.
_CHANGES_FILES = "File"
_ON_MISMATCH = "OnRootMismatch"


class FsGroup(NamedTuple):
    """The `fsGroup` of servers (None: none) and when it is applied, and how this is known."""

    group: Optional[int]
    policy: str
    source: str


def check_volumes(hub: ObservedHub) -> list[Finding]:
    """Return the findings about `fsGroup` and SELinux labels."""
    return [*_check_fs_group(hub), *_check_selinux(hub)]


# -- fsGroup ---------------------------------------------------------------------------------------------------------------


def _check_fs_group(hub: ObservedHub) -> list[Finding]:
    target = "servers"
    seen = fs_groups(hub)
    if isinstance(seen, Unread):
        return [unknown(FS_GROUP, target, seen)]
    active = [one for one in seen if one.group is not None]
    if not active:
        return [Finding(FS_GROUP, target, OK, "Servers have no fsGroup, so no start changes the groups of files.")]
    groups = quote_list(sorted({str(one.group) for one in active}))
    found = _regrouped(hub, groups)
    slow = [one for one in active if one.policy != _ON_MISMATCH]
    if slow:
        found.append(
            Finding(
                FS_GROUP,
                target,
                WARNING,
                f"With fsGroup {groups} and fsGroupChangePolicy {slow[0].policy} ({slow[0].source}), each start visits all "
                "files of volumes whose driver supports that, which takes long for large homes.",
                "Set `c.KubeSpawner.pod_security_context = {'fsGroupChangePolicy': 'OnRootMismatch'}`.",
            )
        )
    return found or [
        Finding(FS_GROUP, target, OK, f"Starts change the groups of no share (fsGroup {groups}, {_ON_MISMATCH}).")
    ]


def fs_groups(hub: ObservedHub) -> Union[list[FsGroup], Unread]:
    """Return the `fsGroup` of the running servers, or without any, that of the configuration."""
    if not isinstance(hub.pods, Unread) and hub.pods:
        seen = {_fs_group(pod.security, f"pod {pod.name}")[:2]: pod.name for pod in reversed(hub.pods)}
        return [FsGroup(group, policy, f"pod {name}") for (group, policy), name in seen.items()]
    if isinstance(hub.settings, Unread):
        return hub.settings
    return _configured(hub.settings)


def _configured(settings: HubSettings) -> Union[list[FsGroup], Unread]:
    context: dict[str, Any] = {}
    sources = []
    for trait, key in (("fs_gid", ""), ("pod_security_context", ""), ("extra_pod_config", "securityContext")):
        found = settings.spawner(trait)
        if found.value in (UNSET, None):
            continue
        if trait == "fs_gid" and isinstance(found.value, int):
            context["fsGroup"] = found.value
        elif isinstance(found.value, Mapping):
            value = found.value.get(key) if key else found.value
            if value is None:
                continue
            # KubeSpawner merges the second, and replaces everything by the third.
            context = dict(value) if key else {**context, **value}
        else:
            return Unread(f"No server runs, and `{trait}` is set by code: {found.place}.")
        sources.append(found.place)
    return [_fs_group(context, ", ".join(sources))]


def _fs_group(security: Mapping[str, Any], source: str) -> FsGroup:
    group = security.get("fsGroup")
    return FsGroup(
        group if isinstance(group, int) else None, str(security.get("fsGroupChangePolicy") or "Always"), source
    )


def _regrouped(hub: ObservedHub, groups: str) -> list[Finding]:
    """Return a finding for each CSI driver that gives the files of shares to another group."""
    by_driver: dict[str, list[str]] = {}
    for share, volume in sorted(hub.volumes_of_shares().items()):
        if volume.source.driver:
            by_driver.setdefault(volume.source.driver, []).append(share)
    unread = (
        hub.volumes if isinstance(hub.volumes, Unread) else hub.drivers if isinstance(hub.drivers, Unread) else None
    )
    if unread is not None and hub.known_shares and (by_driver or isinstance(hub.volumes, Unread)):
        return [unknown(FS_GROUP, "CSI drivers of shares", unread)]
    drivers = {} if isinstance(hub.drivers, Unread) else hub.drivers
    return [
        Finding(
            FS_GROUP,
            f"CSIDriver {driver}",
            ERROR,
            f"It has fsGroupPolicy File, so each start gives the files of {quote_list(shares)} to group {groups}.",
            "Set fsGroupPolicy None on the driver, or remove `singleuser.fsGid` (fs_gid) from the hub.",
        )
        for driver, shares in sorted(by_driver.items())
        if drivers.get(driver) == _CHANGES_FILES
    ]


# -- SELinux ---------------------------------------------------------------------------------------------------------------


def _check_selinux(hub: ObservedHub) -> list[Finding]:
    own = hub.categories.get(hub.place.servers, "")
    target = f"namespace {hub.place.servers}"
    if isinstance(own, Unread):
        return [unknown(SELINUX, target, own)]
    if not own:
        return [Finding(SELINUX, target, OK, "It has no MCS label, so this is not OpenShift.")]
    if isinstance(hub.volumes, Unread):
        return [unknown(SELINUX, "shares in several namespaces", hub.volumes)]
    places = _places(hub)
    found = [finding for share in sorted(places) for finding in [_label_finding(hub, share, places[share])] if finding]
    return found or [Finding(SELINUX, target, OK, "No share is in namespaces with different MCS labels.")]


def _places(hub: ObservedHub) -> dict[str, dict[str, Volume]]:
    """Return the volumes of the hub's shares by share and namespace, as far as SELinux labels their files.

    Another hub may have a share of the same name with other data.
    """
    labelled = [
        volume
        for volume in (() if isinstance(hub.volumes, Unread) else hub.volumes)
        if volume.share is not None and volume.claim_namespace and not _is_nfs(volume)
    ]
    servers = hub.place.servers
    own = {volume.share or "": volume for volume in labelled if volume.claim_namespace == servers}
    own.update((share, volume) for share, volume in hub.volumes_of_shares().items() if not _is_nfs(volume))
    found = {share: {servers: volume} for share, volume in own.items()}
    for volume in labelled:
        here = own.get(volume.share or "")
        if here is not None and relation_of(here.source, volume.source) is not None:
            found[volume.share or ""].setdefault(volume.claim_namespace, volume)
    return found


def _is_nfs(volume: Volume) -> bool:
    return volume.source.kind == "nfs" or is_nfs_csi(volume.source.driver)


def _label_finding(hub: ObservedHub, share: str, volumes: Mapping[str, Volume]) -> Optional[Finding]:
    labels = {namespace: hub.categories.get(namespace, Unread("")) for namespace in volumes}
    target = f"share {share}"
    known = {namespace: label for namespace, label in sorted(labels.items()) if not isinstance(label, Unread)}
    if len(set(known.values())) > 1:
        text = quote_list([f"{namespace} ({label or 'none'})" for namespace, label in known.items()])
        return Finding(
            SELINUX,
            target,
            ERROR,
            f"It is in namespaces with different MCS labels, so pods of one cannot read what those of another wrote: {text}.",
            "Give the namespaces the same annotation openshift.io/sa.scc.mcs, and restart their pods.",
        )
    unread = next((label for label in labels.values() if isinstance(label, Unread)), None)
    return Finding(SELINUX, target, UNKNOWN, unread.reason, "Grant that right, and run this again.") if unread else None
