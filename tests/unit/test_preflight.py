"""Rejections in results of check mode, and summaries in one line."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.preflight import rejections
from ansible_collections.odh.persistency.plugins.module_utils._core.report.summary import summary_text

REJECTED = {
    "msg": "Nothing was changed, for 2 reasons: ...",
    "changes": [
        {"action": "refuse", "reason": "one"},
        {"action": "keep", "reason": "kept"},
        {"action": "refuse", "reason": "two"},
    ],
}


def test_rejections_are_collected_once():
    other = {"msg": "...", "changes": [{"action": "refuse", "reason": "two"}]}
    assert rejections([REJECTED, {"changes": [], "summary": {}}, other], check_mode=False) == ["one", "two"]


@pytest.mark.parametrize("changes", [{}, {"changes": []}, {"changes": [{"action": "create", "reason": "new"}]}])
def test_a_failure_without_rejections_is_its_message(changes):
    assert rejections([{"msg": "No kubeconfig.", "failed": False, **changes}], check_mode=True) == ["No kubeconfig."]


def test_a_skipped_task_has_no_rejections():
    assert rejections([{"skipped": True, "msg": "skipped"}, {}], check_mode=False) == []


def test_a_root_that_is_missing_is_an_error_unless_in_check_mode():
    result = {"changes": [{"action": "create", "reason": "new"}], "root_error": "path: /srv does not exist"}
    assert rejections([result], check_mode=False) == ["path: /srv does not exist"]
    assert rejections([result], check_mode=True) == []


def test_summaries():
    result = {"summary": {"keep": 38, "create": 2}}
    assert summary_text(result) == "create 2, keep 38"
    assert summary_text(result, "access") == "access: create 2, keep 38"
    assert summary_text({"skipped": True}, "access") == summary_text({"summary": {}}, "access") == ""
