"""The option report_folder, of which the action plugin makes a file for each host and result."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import yaml
from ansible_collections.odh.persistency.plugins.action import share_preflight
from ansible_collections.odh.persistency.plugins.plugin_utils.action import KeyCheckingAction

ROOT = Path(__file__).resolve().parents[2]


def named(register=None, **args):
    action = object.__new__(KeyCheckingAction)
    action._task = SimpleNamespace(args=args, register=register, action="odh.persistency.user_pvc")
    return action._name_report("hub"), action._task.args


def test_the_file_has_the_name_of_the_host_and_of_the_result():
    assert named("homes_result", report_folder="/srv/r") == ([], {"report_file": "/srv/r/hub-homes_result.json"})
    assert named(report_folder="/srv/r", size="1Gi") == ([], {"report_file": "/srv/r/hub-user_pvc.json", "size": "1Gi"})
    assert named(report_file="/srv/r/x.json") == ([], {"report_file": "/srv/r/x.json"})
    assert named(report_folder=None) == ([], {"report_folder": None})


def test_a_file_and_a_folder_exclude_each_other():
    (error,), _args = named(report_folder="/srv/r", report_file="/srv/r/x.json")
    assert error == "`report_file` and `report_folder` exclude each other: remove one of them"


def test_the_files_of_a_preflight_have_the_names_of_the_results_of_the_role():
    assert share_preflight.ActionModule.report_name == "shares_result"
    action = object.__new__(share_preflight.ActionModule)
    action._task = SimpleNamespace(args={"report_folder": "/srv/r"}, register="__shares_preflight", action="x")
    action._name_report("hub")
    assert action._task.args == {"report_file": "/srv/r/hub-shares_result.json"}


def test_every_task_that_changes_something_writes_a_report():
    tasks = [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/tasks/*.yml")]
    loaders = [yaml.safe_load(path.read_text()) for path in tasks]
    lacking = []

    def look(tasks):
        for task in tasks:
            look(task.get("block", []))
            for name, options in task.items():
                module = name.removeprefix("odh.persistency.")
                if module != name and not module.endswith("_info"):
                    lacking.extend([task["name"]] * bool({"max_changes", "report_folder"} - set(options)))

    for found in loaders:
        look(found)
    assert lacking == []
