# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of the spawn hook, and what the hub passes to it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Callable, NamedTuple, Optional

from .acl_format import AccessError, is_object_name, normalised, path_error, reserved_claim, shown

HOMES = ("claim", "static", "none")
POLICIES = ("home_only", "deny")
MOUNT_POINTS = ("runtime", "init")
SOFTWARE_PATH = "/opt/software"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class Software(NamedTuple):
    """The software tree: a claim that every server mounts read-only, and the variables that go with it."""

    claim: str
    mount_path: str = SOFTWARE_PATH
    environment: Mapping[str, str] = {}


class Settings(NamedTuple):
    """The settings of the spawn hook.

    `namespace` has the ACL, "" for the namespace of the servers. `home_path` and `mount_roots` are where shares may be
    mounted. `home` is what the hub mounts as the home: a claim per user or server, one static claim for all, or none.
    `policy` applies if the ACL cannot be read: start without shares, or refuse the start. `timeout` is the limit in seconds
    for each request to the Kubernetes API. `mount_points` is who creates the mount points of shares in the home: the
    container runtime, or an init container that runs as the user. `software` is None without a software tree.
    """

    namespace: str = ""
    home_path: str = "/home/jovyan"
    mount_roots: tuple[str, ...] = ()
    home: str = "claim"
    policy: str = "home_only"
    timeout: int = 5
    mount_points: str = "runtime"
    software: Optional[Software] = None


class Runtime(NamedTuple):
    """What the hook needs of the hub, which this package does not import.

    `http_error` is tornado's HTTPError. `clock` returns the time in UTC.
    `schedule` is asyncio's ensure_future: old hubs accept futures from hooks, but no coroutines. `hub_version` is
    JupyterHub's. `has_trait` tells whether the hub's spawner class has a trait. `sleep` is asyncio's: without it, starts
    do not take turns, and what the init container of mount points has reported is no Event. `wait_for` and `wrap_future` are
    asyncio's too: without them, a synchronous API client takes as long as its retries do, and hooks return no futures of threads.
    """

    http_error: Any
    clock: Callable[[], datetime]
    schedule: Callable[[Any], Any]
    hub_version: tuple[int, ...]
    has_trait: Callable[[str], bool]
    sleep: Optional[Callable[[float], Any]] = None
    wait_for: Optional[Callable[[Any, float], Any]] = None
    wrap_future: Optional[Callable[[Any], Any]] = None

    async def result_of(self, returned: Any) -> Any:
        """Return the result of what a hook has returned, as JupyterHub does: a value, an awaitable, or the future of a thread."""
        if (
            self.wrap_future is not None
            and hasattr(returned, "add_done_callback")
            and not inspect.isawaitable(returned)
        ):
            returned = self.wrap_future(returned)
        return await returned if inspect.isawaitable(returned) else returned


def settings_errors(data: Any) -> list[str]:
    """Return the errors of settings as they are written into the hub's configuration, one sentence each."""
    if not isinstance(data, Mapping):
        return [f"the settings are {shown(data)}, not a mapping"]
    errors = [f"unknown setting {shown(key)}" for key in data if key not in Settings._fields]
    values = {**Settings()._asdict(), **data}
    home, roots = values["home_path"], values["mount_roots"]
    if not isinstance(values["namespace"], str):
        errors.append(f"`namespace` is {shown(values['namespace'])}, not a name")
    for key, known in (("home", HOMES), ("policy", POLICIES), ("mount_points", MOUNT_POINTS)):
        if values[key] not in known:
            errors.append(f"`{key}` is {shown(values[key])}, not one of {', '.join(known)}")
    wrong = path_error(values["home_path"])
    if wrong:
        errors.append(f"`home_path` {wrong}")
    if not isinstance(roots, (list, tuple)):
        return [*errors, f"`mount_roots` is {shown(roots)}, not a list of paths"]
    for root in roots:
        wrong = path_error(normalised(root)) if isinstance(root, str) else f"is {shown(root)}, not a path"
        if wrong:
            errors.append(f"a root in `mount_roots` {wrong}")
        elif not errors and covering_root_error(home, root):
            errors.append(covering_root_error(home, root))
    timeout = values["timeout"]
    if isinstance(timeout, bool) or not isinstance(timeout, int) or not 1 <= timeout <= 60:
        errors.append(f"`timeout` is {shown(timeout)}, not a number of seconds from 1 to 60")
    if data.get("software"):
        places = () if errors else (values["home_path"], *map(normalised, roots))
        errors += _software_errors(data["software"], places)
    return errors


def covering_root_error(home: str, root: str) -> str:
    """Return the error of a mount root below which a share could cover the home, or ""."""
    covers = (home + "/").startswith(normalised(root).rstrip("/") + "/")
    return (
        f"the root {root} in `mount_roots` is the home {home}, or above it: choose a root beside the home"
        if covers
        else ""
    )


def _software_errors(data: Any, places: Sequence[str]) -> list[str]:
    """Return the errors of a software tree. `places` are where shares may be mounted: its path must be apart from them."""
    if not isinstance(data, Mapping):
        return [f"`software` is {shown(data)}, not a mapping"]
    errors = [f"`software` has the unknown key {shown(key)}" for key in data if key not in Software._fields]
    claim, path = data.get("claim"), data.get("mount_path", SOFTWARE_PATH)
    if not is_object_name(claim):
        errors.append(f"`software`: `claim` is {shown(claim)}, not the name of a claim")
    elif reserved_claim(str(claim)):
        errors.append(f"`software`: its claim {claim} is {reserved_claim(str(claim))}")
    if path_error(path):
        errors.append(f"`software`: its mount path {path_error(path)}")
    else:
        errors += [
            f"`software`: its mount path {path} overlaps {place}, where shares are mounted"
            for place in places
            if (path + "/").startswith(place + "/") or (place + "/").startswith(path + "/")
        ]
    environment = data.get("environment", {})
    if not isinstance(environment, Mapping):
        return [*errors, f"`software`: `environment` is {shown(environment)}, not a mapping"]
    for name, value in environment.items():
        if not isinstance(name, str) or not _VARIABLE.match(name):
            errors.append(f"`software`: `environment` has {shown(name)}, not the name of a variable")
        elif not isinstance(value, str) or "\0" in value:
            errors.append(f"`software`: the variable {name} is {shown(value)}, not a text")
    return errors


def settings_from(data: Mapping[str, Any]) -> Settings:
    """Return validated settings. Raises AccessError."""
    errors = settings_errors(data)
    if errors:
        raise AccessError(errors)
    software = data.get("software")
    return Settings(
        **{
            **data,
            "mount_roots": tuple(normalised(root) for root in data.get("mount_roots", ())),
            "software": Software(**software) if software else None,
        }
    )
