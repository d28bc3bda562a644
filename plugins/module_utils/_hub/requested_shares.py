# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which secret shares a request to start a server asks for.

The body of the request is read, not `spawner.user_options`: the hub remembers those for later starts, and fills them from
the query of a link. So a request counts for one start, and nobody mounts a secret share by following a link.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any, Callable

#: The key of an API request: the list of secret shares to mount.
REQUEST_KEY = "secret_shares"
#: The field of the options form, once for each secret share.
FORM_FIELD = "odh-persistency-secret-share"


def requested_shares(spawner: Any) -> list[str]:
    """Return the names in the body of the POST request that starts a server: from the form, or from JSON of the API."""
    request = getattr(getattr(spawner, "handler", None), "request", None)
    if request is None or request.method != "POST":
        return []
    fields = getattr(request, "body_arguments", None) or {}
    # JupyterHub's API reads JSON whatever its Content-Type is, and curl declares it as a form.
    if FORM_FIELD in fields:
        return [value.decode("utf-8", "replace") for value in fields[FORM_FIELD]]
    try:
        body = json.loads(request.body)
    except (TypeError, ValueError, RecursionError):
        return []
    names = body.get(REQUEST_KEY) if isinstance(body, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def requester(spawner: Any) -> str:
    """Return who sent the request: the user, or somebody who starts a server on the user's behalf. "" if unknown."""
    return str(getattr(getattr(getattr(spawner, "handler", None), "current_user", None), "name", ""))


def without_form_field(options_from_form: Callable[..., Any]) -> Callable[..., Any]:
    """Return a configured `options_from_form` that does not see our field. The hub passes the spawner only if it can."""
    passes_spawner = "spawner" in inspect.signature(options_from_form).parameters

    def others(form: Mapping[str, Any], spawner: Any = None) -> Any:
        fields = {name: value for name, value in form.items() if name != FORM_FIELD}
        if passes_spawner and spawner is not None:
            return options_from_form(fields, spawner=spawner)
        return options_from_form(fields)

    return others
