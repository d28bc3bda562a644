# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refuse the start of a server with one sentence for the user, without counting it as a failure of the hub."""

from __future__ import annotations

from typing import Any

FORBIDDEN = 403
#: Since this version, JupyterHub counts no HTTPError below 500 as a failure.
_COUNTS_BEFORE = (6, 1)


def refusal(http_error: Any, message: str) -> Any:
    """Return an exception that shows a message to the user. `http_error` is tornado's HTTPError.

    JupyterHub 4 shows `reason` on its error page, 5 and 6 show `jupyterhub_message`, and all of them the text of the
    exception on the progress page. JupyterHub overwrites `reason`, so it is a property that ignores this.
    """
    # The reason is a line of the HTTP response.
    line = " ".join(message.encode("ascii", "replace").decode("ascii").split())
    reason = property(lambda _self: line, lambda _self, _value: None)
    members = {"reason": reason, "jupyterhub_message": message, "__doc__": "The start of a server is refused."}
    return type("SpawnRefused", (http_error,), members)(FORBIDDEN, message)


def spare_failure_count(spawner: Any, hub_version: tuple[int, ...]) -> None:
    """Keep a refusal that is about to be raised out of the hub's count of consecutive failures.

    JupyterHub before 6.1 increments the count when the start has failed, and then compares it with the spawner's limit. So
    the limit is switched off for this spawner, which the hub drops afterwards, and the count is restored after the hub has
    incremented it: callbacks of a future run in the order in which they were added, and the hub adds its own first.
    """
    if hub_version >= _COUNTS_BEFORE:
        return
    spawner.consecutive_failure_limit = 0
    settings = getattr(getattr(spawner, "handler", None), "settings", None)
    future = getattr(spawner, "_spawn_future", None)
    if settings is None or future is None or future.done():
        return  # A start that took too long has failed already, and this refusal counts as nothing.

    def restore(_future: Any) -> None:
        settings["failure_count"] = max(0, settings.get("failure_count", 0) - 1)

    future.add_done_callback(restore)
