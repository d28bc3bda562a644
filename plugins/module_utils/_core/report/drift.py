# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drift: what a run would change, collected from the results of all modules in check mode."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..plan import KEEP, REFUSE
from ..text import quote_list
from .tables import table

#: The results that roles and playbooks register, and the part of the inventory that each belongs to, in the order of a run.
RESULTS = {
    "homes_result": "homes",
    "shares_result_volumes": "shares",
    "shares_result_directories": "shares",
    "shares_result_acl": "access",
    "shares_result_deletion": "shares",
    "software_result_tree": "software",
    "software_result": "software",
    "software_result_sync": "software",
    "hub_result": "hub",
    "hub_result_profiles": "hub",
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
#: The results about files, and the variable with the host that has them if it is not the host itself.
FILES = {
    "shares_result_directories": "shares_directory_host",
    "hub_result": "",
    "software_result_tree": "software_host",
    "software_result": "software_host",
    "software_result_sync": "software_host",
}
#: The variable with which each part creates its namespaces.
CREATION = {
    "homes": "homes_create_namespace",
    "shares": "shares_create_namespace",
    "access": "shares_create_namespace",
    "hub": "hub_create_namespace",
    "software": "software_create_namespace",
}
#: How many characters of a line a cell of the table has.
LONGEST_CELL = 60
HEADINGS = ("KIND", "NAME", "OWNER", "FOUND", "EXPECTED")


class _Counted:
    """The changes of all hosts. Hosts that share a cluster or a file server find the same ones, which count once."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[str, int]] = {}
        self.totals: dict[str, int] = {}
        self.changes: list[dict[str, Any]] = []
        self.unreconcilable: list[dict[str, Any]] = []
        self.fixed = 0
        self._seen: set[str] = set()

    def add(self, host: str, name: str, variables: Mapping[str, Any]) -> None:
        """Count the result of a host, which is one of RESULTS."""
        result, part, place = variables[name], RESULTS[name], _place(host, name, variables)
        # Changes that the result has left out can be compared only together.
        whole = _text_of([place, {key: result.get(key) for key in ("summary", "changes", "unreconcilable", "servers")}])
        if whole in self._seen:
            return
        counts = dict(_pending(result.get("summary") or {}))
        changes = self._new(place, result.get("changes") or (), counts)
        excess = list(_excess(result))
        unchangeable = self._new(place, [*(result.get("unreconcilable") or ()), *excess], {})
        self._seen.add(whole)
        self._seen.update(_text_of(_key(place, item)) for item in [*changes, *unchangeable])
        self._count(host, part, counts)
        self.changes += _items(host, part, changes)
        self.unreconcilable += _items(host, part, unchangeable)
        self.fixed += len(unchangeable) + (result.get("omitted") or {}).get("unreconcilable", 0)
        self.fixed += max(0, result.get("unchanged_excess", 0) - len(excess))

    def add_installed(self, host: str, variables: Mapping[str, Any]) -> None:
        """Count what would be installed on the host that builds."""
        installed = list(_installed(variables))
        if not installed:
            return
        place = _place(host, "software_result", variables)
        counts = {"update": len(installed)}
        changes = self._new(place, installed, counts)
        self._seen.update(_text_of(_key(place, item)) for item in changes)
        self._count(host, "software", counts)
        self.changes += _items(host, "software", changes)

    def _new(self, place: list[Any], items: Iterable[Mapping[str, Any]], counts: dict[str, int]) -> list[Any]:
        """Return the items that no other result has. The others are taken off the counts."""
        new = []
        for item in items:
            if _text_of(_key(place, item)) not in self._seen:
                new.append(item)
            elif item.get("action") in counts:
                counts[item["action"]] -= 1
        return new

    def _count(self, host: str, part: str, counts: Mapping[str, int]) -> None:
        for action, count in counts.items():
            if count > 0:
                sums = self.parts.setdefault(part, {})
                sums[action] = sums.get(action, 0) + count
                self.totals[host] += count


def drift(hosts: Mapping[str, Mapping[str, Any]], max_changes: int, lost: Collection[str] = ()) -> dict[str, Any]:
    """Return the drift of hosts, given the variables of each. `lost` are those that failed outside of any part.

    `total` counts what a run would change, `parts` counts it per part and action, and `hosts` per host. What several hosts
    would change in one cluster counts for the first of them. `changes` are at most `max_changes` of them, each with its host
    and part, and `omitted` counts the others. `unreconcilable` are differences that the cluster cannot change. `failures` are
    sentences, and `text` is a table with a line for each change, and with a line for each failure.
    """
    counted = _Counted()
    failures = [
        f"{host}: it cannot be reached, or its variables cannot be read: see its failure above" for host in lost
    ]
    if max_changes < 0:
        failures.append(f"drift_max_changes is {max_changes}: set 0 or more")
    compared = 0
    for host, variables in hosts.items():
        counted.totals[host] = 0
        failures += [f"{host}: {failure}" for failure in _failures(variables, host in lost)]
        for name in RESULTS:
            if _result(variables, name):
                compared += 1
                counted.add(host, name, variables)
        counted.add_installed(host, variables)
    if not compared and not failures:
        failures.append("nothing was compared: the inventory declares none of the parts that this run was asked for")
    total = sum(counted.totals.values())
    shown = counted.changes[: max(0, max_changes)]
    fixed = counted.unreconcilable[: max(0, max_changes)]
    text = _text(shown, fixed, _Context(total, bool(failures), len(hosts) > 1))
    return {
        "total": total,
        "parts": counted.parts,
        "hosts": counted.totals,
        "changes": shown,
        "omitted": max(0, total - len(shown)),
        "unreconcilable": fixed,
        "unreconcilable_total": counted.fixed,
        "failures": failures,
        "text": "\n".join([text, *(f"A run would fail: {sentence}" for sentence in failures)]),
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
    for server in result.get("servers") or ():
        if server["excess"] and server["action"] == KEEP:
            claims = quote_list(item["claim"] for item in server["excess"])
            item = {"action": KEEP, "kind": "server", "namespace": "", "name": server["pod"], "owner": server["user"]}
            yield {**item, "reason": f"mounts {claims} without a grant"}


def _result(variables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a result of a module that ran, an empty one otherwise."""
    result = variables.get(name)
    return result if isinstance(result, Mapping) and not result.get("skipped") else {}


def _failures(variables: Mapping[str, Any], is_lost: bool) -> list[str]:
    """Return why a run on the host would fail, also where check mode only warns, because an earlier task may help."""
    failures = [str(failure) for failure in variables.get(FAILURES) or ()]
    created: set[str] = set()
    for name, part in RESULTS.items():
        result = _result(variables, name)
        message = str(result.get("msg") or ("it cannot be reached" if result.get("unreachable") else ""))
        if is_lost and result.get("unreachable"):
            continue
        created |= {item["name"] for item in result.get("changes") or () if item.get("kind") == "namespace"}
        missing = [name for name in result.get("missing_namespaces") or () if name not in created]
        found = [message, str(result.get("root_error") or "")]
        found += [
            f"namespace {name} does not exist: create it, or set `{CREATION[part]}: true`"
            for name in missing
            if part in CREATION
        ]
        # The playbook keeps the messages of tasks that fail, be it together with others.
        new = [sentence for sentence in found if sentence and not any(sentence in failure for failure in failures)]
        failures += new
    return failures


def _place(host: str, name: str, variables: Mapping[str, Any]) -> list[Any]:
    """Return where the result of a host applies: the cluster, the host of the files, and the namespace of the servers."""
    cluster = variables.get("persistency_cluster") or variables.get("persistency_connection") or ""
    files = variables.get(FILES.get(name, "")) or (
        "localhost" if variables.get("ansible_connection") == "local" else variables.get("ansible_host") or host
    )
    servers = variables.get("server_access_namespace") or variables.get("hub_namespace")
    return [cluster, files if name in FILES else "", servers if name == "server_access_result" else ""]


def _key(place: Sequence[Any], item: Mapping[str, Any]) -> list[Any]:
    """Return what two changes have in common if they are the same one. What has a namespace is not on any host."""
    return [place[:1] if item.get("namespace") else place, item]


def _text_of(data: Any) -> str:
    return json.dumps(data, sort_keys=True, default=str)


class _Context(NamedTuple):
    """What the table says in addition to its lines."""

    total: int
    is_partial: bool
    has_hosts: bool


def _text(changes: Sequence[Mapping[str, Any]], fixed: Sequence[Mapping[str, Any]], context: _Context) -> str:
    if not changes and not fixed:
        compared = "Everything that was compared" if context.is_partial else "Everything"
        return f"{compared} is as the inventory says." if not context.total else f"{context.total} changes."
    rows = [(item, item.get("before"), item.get("after")) for item in _sorted(changes)]
    rows += [(item, item["reason"], "cannot be changed") for item in _sorted(fixed)]
    lines = [HEADINGS, *(_line(*row) for row in rows)]
    if context.has_hosts:
        hosts = ["HOST", *(item["host"] for item, _found, _expected in rows)]
        lines = [(host, *line) for host, line in zip(hosts, lines)]
    text = table([[cell or "-" for cell in line] for line in lines])
    more = context.total - len(changes)
    return text if more <= 0 else f"{text}\nand {more} more changes"


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
