# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options form of the hub: the form that it has without us, and the secret shares that the user may request."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from .access import ASK_PREFIX, Verdict
from .hub_settings import Runtime
from .requested_shares import FORM_FIELD

_EXPLANATION = (
    "A secret share is mounted only in the server that you start now. "
    "While it is mounted, all other shares of that server are read only."
)
_UNREADABLE = "Secret shares cannot be requested now, because the access list cannot be read. Try again later."


async def form_without_us(spawner: Any, configured: Any, runtime: Runtime) -> str:
    """Return the HTML of the form that the hub has without us. `configured` is None if only KubeSpawner's default applies."""
    if configured is None:
        default = getattr(spawner, "_options_form_default", None)
        configured = default() if default is not None else ""
    form = configured(spawner) if callable(configured) else configured
    return str(await runtime.result_of(form) or "")


def with_secret_shares(form: str, offered: Iterable[Verdict]) -> str:
    """Return the form with a box to tick for each secret share. Without any, the form is unchanged, so it may be empty."""
    boxes = "".join(map(_box, offered))
    if not boxes:
        return form
    return f"{form}\n<fieldset><legend>Secret shares</legend><p>{_EXPLANATION}</p>{boxes}</fieldset>\n"


def with_notice(form: str) -> str:
    """Return the form with a notice that the access list cannot be read. Without a form, the hub starts the server."""
    return f'{form}\n<p class="alert alert-warning">{_UNREADABLE}</p>\n' if form else ""


def _box(offered: Verdict) -> str:
    name = escape(offered.share, quote=True)
    why = escape(offered.rule.replace(ASK_PREFIX, "", 1), quote=True)
    field = f'<input class="form-check-input" type="checkbox" name="{FORM_FIELD}" value="{name}">'
    return f'<div class="form-check"><label class="form-check-label">{field} {name} ({why})</label></div>'
