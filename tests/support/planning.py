"""Plans from plain data: claims as the API returns them, and the plan for some users."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.odh.persistency.plugins.module_utils._core.homes import desired as d
from ansible_collections.odh.persistency.plugins.module_utils._core.homes.observed import ObservedHomes
from ansible_collections.odh.persistency.plugins.module_utils._core.homes.plan import plan_homes
from ansible_collections.odh.persistency.plugins.module_utils._core.homes.spec import parse_users
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes import claims as c
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.facts import ClusterFacts
from ansible_collections.odh.persistency.plugins.module_utils._core.kubespawner.naming import Template
from ansible_collections.odh.persistency.plugins.module_utils._core.metadata import (
    SERVERNAME_ANNOTATION,
    USERNAME_ANNOTATION,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import Plan


def claim(name: str, user: str | None = None, server: str = "", **more: Any) -> c.Claim:
    """A claim of 1Gi; `more` goes into its metadata."""
    marks = {}
    if user is not None:
        marks[USERNAME_ANNOTATION] = user
    if server:
        marks[SERVERNAME_ANNOTATION] = server
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return c.claim_from({"metadata": {"name": name, "annotations": marks, **more}, "spec": spec})


def plan_for(users: Sequence[Any], claims: Sequence[c.Claim], template: Template) -> Plan:
    """The plan for users as `user_pvc` takes them, all wanted present with 1Gi."""
    rules = d.HomeSettings(
        namespace="ns",
        template=template,
        size="1Gi",
        storage_class=None,
        access_modes=("ReadWriteOnce",),
        state="present",
        retention=timedelta(days=1),
        keep_volume=True,
        assume_unused=False,
        now=datetime(2026, 1, 1, tzinfo=timezone.utc),
    )
    entries, faults = parse_users(users, "users")
    homes, more = d.resolve(entries, rules)
    assert not faults + more
    cluster_facts = ClusterFacts()
    cluster_facts.set_storage_classes([])
    cluster_facts.set_pods("ns", {})
    return plan_homes(homes, ObservedHomes(claims, template.has_server), rules, cluster_facts)
