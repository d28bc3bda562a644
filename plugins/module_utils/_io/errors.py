# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of everything outside this program. Each message is one sentence, without a full stop, with the way out."""

from __future__ import annotations

from typing import Optional


class ExternalError(Exception):
    """Something outside this program failed. `retryable`: the same run may succeed later."""

    retryable = True

    def __init__(self, message: str, retryable: Optional[bool] = None) -> None:
        super().__init__(message)
        if retryable is not None:
            self.retryable = retryable


class ConfigError(ExternalError):
    """The configuration of a connection is unusable: no kubeconfig, no such context, a bad certificate."""

    retryable = False
