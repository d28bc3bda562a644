"""The playbook `software`: each of its tags, and a second run that changes nothing. The playbook `drift` with it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from typing import Any

from tests.support.playbooks import LOCAL, Played
from tests.support.software import *  # noqa: F403
from tests.support.software import BUILD_USER, Software, lib_stack


def play(
    software: Software,
    *flags: str,
    runs: Sequence[dict[str, Any]] = ({},),
    playbook_name: str = "software",
    **variables: Any,
) -> Played:
    """Run a playbook on a tree, once for each mapping of variables in `runs`, with one start of Ansible."""
    options = software.stack_options()
    inventory = {
        "software_install": False,
        "software_build_user": BUILD_USER or "",
        **{f"software_{name}": options[name] for name in ("prefix", "path", "easybuild", "stack_file", "lmod_cmd")},
        **{f"software_{name}": options[name] for name in ("robot_paths", "source_paths")},
        **variables,
    }
    hosts, playbook = software.folder / "hosts.json", software.folder / "play.json"
    hosts.write_text(json.dumps({"persistency": {"hosts": {"hub": {**LOCAL, **inventory}}}}))
    playbook.write_text(
        json.dumps([{"import_playbook": f"odh.persistency.{playbook_name}", "vars": run} for run in runs])
    )
    words = ["ansible-playbook", "-i", str(hosts), *flags, str(playbook)]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "COLUMNS": "1000", "ANSIBLE_PIPELINING": "1"}
    answer = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=software.folder)
    return Played(answer.returncode, answer.stdout + answer.stderr)


def ok(software: Software, *flags: str, **how: Any) -> Played:
    played = play(software, *flags, **how)
    assert played.code == 0, played.output
    return played


def test_the_tags(software: Software) -> None:
    first = software.current
    software.add("tool", "1.1")
    software.stack(lib_stack("  - tool-1.1.eb"))
    before = software.files()
    planned = ok(software, "--tags", "plan")
    assert "software: create 2, keep 2, update 1" in planned.output
    assert "+tool/1.1, " in planned.output
    assert software.files() == before

    built = ok(software, "--tags", "build")
    assert "[hub] tool/1.1: build 1 of 1" in built.output
    assert "[hub] tool/1.1: built" in built.output
    assert (len(software.installations()), software.current) == (3, first)

    published = ok(software, runs=[{}, {}])
    assert "software: create 1, keep 3, update 1" in published.output
    assert "software: keep 4" in published.output
    assert published.recap["changed"] == 1
    second = software.current
    assert second != first

    back = ok(software, "--tags", "rollback", runs=[{}, {}, {"software_release": second}])
    assert back.recap["changed"] == 2
    journal = [json.loads(line) for line in (software.path / "releases/.journal").read_text().splitlines()]
    assert [line["release"] for line in journal] == [first, second, first, second]
    assert ok(software, "--tags", "prune", software_keep=1, software_minimum_age="0s").recap["changed"] == 1
    assert [path.name for path in (software.path / "releases").glob("2*")] == [second]


def test_an_optional_entry_that_fails_is_a_warning(software: Software) -> None:
    software.add("bad", "1.0", "postinstallcmds = ['false']")
    software.stack(lib_stack("  - bad-1.0.eb: {optional: true}"))
    played = ok(software, runs=[{}, {}])
    assert "bad/1.0 is optional and failed: " in played.output
    assert played.recap["changed"] == 1


def test_drift_of_software_alone(software: Software) -> None:
    """An inventory of a host that only builds declares neither homes nor shares."""
    green = play(software, playbook_name="drift")
    assert green.code == 0, green.output
    assert "Everything is as the inventory says." in green.output
    software.add("tool", "1.1")
    software.stack(lib_stack("  - tool-1.1.eb"))
    before = software.files()
    red = play(software, playbook_name="drift")
    assert red.code == 2, red.output
    assert "tool/1.1" in red.output
    assert "A run would make 3 changes on hub" in red.output
    assert software.files() == before
    ok(software, playbook_name="site")
    assert play(software, playbook_name="drift").code == 0


def test_a_variable_that_does_not_exist(software: Software) -> None:
    played = play(software, software_stackfile="stack.yml")
    assert played.code
    assert (
        "software_stackfile is not a variable of the role software (did you mean `software_stack_file`?)"
        in played.output
    )
