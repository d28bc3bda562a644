# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drift: what a run would change, collected from the results of all modules in check mode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..plan import KEEP, REFUSE
from ..text import quote_list
from .tables import table

#: The results that roles and playbooks register, and the part of the inventory that each belongs to.
RESULTS = {
    "homes_result": "homes",
    "shares_result_volumes": "shares",
    "shares_result_directories": "shares",
    "shares_result_acl": "access",
    "shares_result_deletion": "shares",
    "hub_result": "hub",
    "hub_result_profiles": "hub",
    "software_result_tree": "software",
    "software_result": "software",
    "software_result_sync": "software",
    "server_access_result": "server_access",
}
#: The results of modules that are not ours, which say only whether they change something, and what that is.
INSTALLED = {
    "software_result_packages": "packages of the system",
    "software_result_user": "build user",
    "software_result_easybuild": "EasyBuild",
    "software_result_prefix": "directory at the prefix",
}
#: The list of the parts that failed, which the playbook keeps for each host.
FAILURES = "__drift_failures"
#: How many characters of a line a cell of the table has.
LONGEST_CELL = 60
HEADINGS = ("KIND", "NAME", "OWNER", "FOUND", "EXPECTED")


def drift(hosts: Mapping[str, Mapping[str, Any]], max_changes: int, lost: Iterable[str] = ()) -> dict[str, Any]:
    """Return the drift of hosts, given the variables of each. `lost` are those that failed outside of any part.

    `total` counts what a run would change, `parts` counts it per part and action, and `hosts` per host. `changes` are at
    most `max_changes` of them, each with its host and part, and `omitted` counts the others. `unreconcilable` are
    differences that the cluster cannot change. `failures` are sentences, and `text` is a table with a line for each change,
    and with a line for each failure.
    """
    parts: dict[str, dict[str, int]] = {}
    totals: dict[str, int] = {}
    changes: list[dict[str, Any]] = []
    unreconcilable: list[dict[str, Any]] = []
    failures = [
        f"{host}: it cannot be reached, or its variables cannot be read: see its failure above" for host in lost
    ]
    compared = fixed = 0
    for host, variables in hosts.items():
        totals[host] = 0
        failures += [f"{host}: {failure}" for failure in variables.get(FAILURES) or ()]
        for name, part in RESULTS.items():
            result = variables.get(name)
            if not isinstance(result, Mapping) or result.get("skipped"):
                continue
            compared += 1
            for action, count in _pending(result.get("summary") or {}):
                counts = parts.setdefault(part, {})
                counts[action] = counts.get(action, 0) + count
                totals[host] += count
            changes += _items(host, part, result.get("changes") or ())
            unchangeable = [*(result.get("unreconcilable") or ()), *_excess(result)]
            unreconcilable += _items(host, part, unchangeable)
            fixed += len(unchangeable) + (result.get("omitted") or {}).get("unreconcilable", 0)
        installed = list(_installed(variables))
        changes += _items(host, "software", installed)
        totals[host] += len(installed)
        if installed:
            counts = parts.setdefault("software", {})
            counts["update"] = counts.get("update", 0) + len(installed)
    if not compared and not failures:
        failures.append("nothing was compared: the inventory declares none of the parts that this run was asked for")
    total = sum(totals.values())
    shown = changes[:max_changes]
    return {
        "total": total,
        "parts": parts,
        "hosts": totals,
        "changes": shown,
        "omitted": max(0, total - len(shown)),
        "unreconcilable": unreconcilable[:max_changes],
        "unreconcilable_total": fixed,
        "failures": failures,
        "text": "\n".join(
            [
                _text(shown, total, unreconcilable[:max_changes], bool(failures)),
                *(f"A run would fail: {text}" for text in failures),
            ]
        ),
    }


def drift_message(found: Mapping[str, Any], fail_on_unreconcilable: bool) -> str:
    """Return why the check fails, in one sentence each; an empty string if the cluster is as the inventory says."""
    sentences = []
    if found["total"]:
        hosts = quote_list(host for host, count in found["hosts"].items() if count)
        counts = [
            f"{part} ({', '.join(f'{action} {count}' for action, count in sorted(actions.items()))})"
            for part, actions in found["parts"].items()
        ]
        sentences.append(f"A run would make {found['total']} changes on {hosts}: {quote_list(counts)}.")
    if found["failures"]:
        sentences.append("A run would fail: " + "\n".join(found["failures"]))
    if fail_on_unreconcilable and found["unreconcilable_total"]:
        sentences.append(f"{found['unreconcilable_total']} differences cannot be changed by a run.")
    return "\n".join(sentences)


def _pending(summary: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(action, count) for action, count in summary.items() if count and action not in (KEEP, REFUSE)]


def _items(host: str, part: str, items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"host": host, "part": part, **item} for item in items if item.get("action") != REFUSE]


def _installed(variables: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Return what would be installed on the host that builds, as changes."""
    for name, title in INSTALLED.items():
        result = variables.get(name)
        if isinstance(result, Mapping) and result.get("changed"):
            item = {"action": "update", "kind": "Installation", "namespace": "", "name": title}
            yield {**item, "reason": "is missing or outdated"}


def _excess(result: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Return the running servers with excess access that the run leaves running, as differences that it cannot change."""
    changed = {item["name"] for item in result.get("changes") or ()}
    for server in result.get("servers") or ():
        if server["excess"] and server["pod"] not in changed:
            claims = quote_list(item["claim"] for item in server["excess"])
            item = {"action": KEEP, "kind": "server", "namespace": "", "name": server["pod"], "owner": server["user"]}
            yield {**item, "reason": f"mounts {claims} without a grant"}


def _text(
    changes: Sequence[Mapping[str, Any]], total: int, fixed: Sequence[Mapping[str, Any]], is_partial: bool
) -> str:
    if not changes and not fixed:
        compared = "Everything that was compared" if is_partial else "Everything"
        return f"{compared} is as the inventory says." if not total else f"{total} changes."
    lines = [HEADINGS, *(_line(item, item.get("before"), item.get("after")) for item in _sorted(changes))]
    lines += [_line(item, item["reason"], "cannot be changed") for item in _sorted(fixed)]
    text = table([[cell or "-" for cell in line] for line in lines])
    return text if total <= len(changes) else f"{text}\nand {total - len(changes)} more changes"


def _sorted(items: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(items, key=lambda item: (item["kind"], item["host"], item["namespace"], item["name"]))


def _line(item: Mapping[str, Any], found: Any, expected: Any) -> tuple[str, ...]:
    if found is None and expected is None:
        expected = item["reason"]
    name = f"{item['namespace']}/{item['name']}" if item["namespace"] else item["name"]
    owner = item.get("owner") or ""
    return (item["kind"], name, owner, _cell(found or "nothing"), _cell(expected or "nothing"))


def _cell(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 3] + "..."
