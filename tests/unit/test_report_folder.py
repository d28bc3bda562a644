"""The option report_folder, of which the action plugin makes a file for each host and result."""

from __future__ import annotations

from types import SimpleNamespace

from ansible_collections.odh.persistency.plugins.plugin_utils.action import KeyCheckingAction


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
