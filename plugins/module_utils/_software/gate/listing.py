# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules that Lmod finds are those that the manifest lists: no more, no fewer, with the same content and defaults."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile

from ..lmod import lmod_tool
from .processes import Ended, describe, run_limited, server_environment
from .subject import Failure, Subject

CHECK = "listing"


def check(subject: Subject) -> list[Failure]:
    """Compare the release with its manifest."""
    return [*_digests(subject), *_modules(subject), *_defaults(subject)]


def _digests(subject: Subject) -> list[Failure]:
    failures = []
    for entry in subject.manifest["entries"]:
        path = subject.current.modulefile(entry["module"])
        try:
            with open(path, "rb") as file:
                same = hashlib.sha256(file.read()).hexdigest() == entry["modulefile_digest"]
        except FileNotFoundError:
            failures.append(Failure(entry["module"], CHECK, f"its modulefile {path} does not exist"))
            continue
        if not same:
            failures.append(Failure(entry["module"], CHECK, "its modulefile is not the one that the manifest lists"))
    return failures


def _modules(subject: Subject) -> list[Failure]:
    """Compare what Lmod's spider finds, which leaves out what it cannot read, with the manifest."""
    command = [lmod_tool(subject.lmod_cmd, "spider"), "-o", "spider-json", subject.current.modules]
    with tempfile.TemporaryDirectory(prefix="gate-") as home:
        ended, output = _run(subject, command, home, {"LMOD_CACHED_LOADS": "no", "LMOD_RC": ""})
        try:
            found = {path for modules in json.loads(output).values() for path in modules}
        except (ValueError, AttributeError):
            return [Failure("", CHECK, f"Lmod's spider {describe(ended, subject.limits.listing)}")]
    listed = subject.modulefiles
    return [
        *(
            Failure(listed[path], CHECK, "Lmod's spider does not list it: see what `module show` says")
            for path in listed
            if path not in found and os.path.exists(path)
        ),
        *(
            Failure(subject.module_of(path), CHECK, "the release has its modulefile, but the manifest does not list it")
            for path in sorted(found)
            if path not in listed
        ),
    ]


def _defaults(subject: Subject) -> list[Failure]:
    """Compare the default versions that Lmod chooses with those that the manifest names."""
    wanted: dict[str, str] = subject.manifest["defaults"]
    if not wanted:
        return []
    with tempfile.TemporaryDirectory(prefix="gate-") as home:
        # For this subcommand Lmod writes its answer to the standard error, as a shell expects.
        command = [subject.lmod_cmd, "bash", "--terse", "--default", "avail"]
        ended, _output = _run(subject, command, home, {})
        with open(f"{home}/error", encoding="utf-8", errors="replace") as file:
            found = set(file.read().split())
    if ended.status != 0:
        return [Failure("", CHECK, f"`module avail` {describe(ended, subject.limits.listing)}")]
    return [
        Failure(f"{name}/{version}", CHECK, "it is not the default version, as the manifest wants: see .modulerc.lua")
        for name, version in sorted(wanted.items())
        if f"{name}/{version}" not in found
    ]


def _run(subject: Subject, command: list[str], home: str, more: dict[str, str]) -> tuple[Ended, str]:
    environment = {**server_environment(subject, home), **more}
    script = ["sh", "-c", '"$@" >result 2>error || { status=$?; cat error; exit "$status"; }', "sh", *command]
    ended = run_limited(script, environment, home, subject.limits.listing)
    with open(f"{home}/result", encoding="utf-8", errors="surrogateescape") as file:
        return ended, file.read()
