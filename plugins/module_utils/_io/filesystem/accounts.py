# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users and groups of this host by name, and acting as one of them."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from collections.abc import Iterator
from typing import Optional


def account_of(name: Optional[str], errors: list[str]) -> Optional[pwd.struct_passwd]:
    """Return the user that `build_user` names, None without one. Appends an error if this process cannot act as it."""
    if not name:
        return None
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        errors.append(f"build_user: this host has no user {name}: create it, or set another one")
        return None
    if os.geteuid() not in (0, account.pw_uid):
        errors.append(f"build_user: only root can act as {name}: set `become: true`, or `become_user: {name}`")
    return account


def group_id(name: Optional[str], errors: list[str]) -> Optional[int]:
    """Return the id of the group that `group` names, None without one."""
    if not name:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        errors.append(f"group: this host has no group {name}: create it, or set another one")
        return None


@contextlib.contextmanager
def acting_as(account: Optional[pwd.struct_passwd]) -> Iterator[None]:
    """Access files as a user. A file server that squashes root lets this user write where root may not."""
    if account is None or os.geteuid() == account.pw_uid:
        yield
        return
    gid, groups = os.getegid(), os.getgroups()
    os.setgroups(os.getgrouplist(account.pw_name, account.pw_gid))
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)
