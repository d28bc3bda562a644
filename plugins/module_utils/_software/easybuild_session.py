# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How EasyBuild is configured: the same way for a plan and for a build, and independent of the environment."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from typing import Any

from .errors import REJECTED, PhaseError
from .store_naming_scheme import StoreNamingScheme
from .tree_layout import TreeLayout

#: EasyBuild options that define where things go and what happens. The stack's options cannot set them.
RESERVED = re.compile(
    r"(disable-)?(allow-use-as-root.*|buildpath|bwrap.*|cleanup-.*|container.*|copy-ec|dry-run.*|extended-dry-run.*|fetch"
    r"|fixed-installdir-naming-scheme|force|ignore-?.*|include-module-naming-schemes|inject-.*|installpath.*|job.*|locks-dir"
    r"|logfile-format|missing.*|module-.*|modules-tool|new-.*|prefix|rebuild|repository.*|robot.*|sanity-check-only|skip"
    r"|sourcepath.*|stop|subdir-.*|suffix-modules-path|terse|tmp-logdir|tmpdir|umask)\Z"
)

#: What phases keep of their environment. EASYBUILD_*, MODULEPATH and loaded modules of the host must not change a build.
_KEPT = (
    "PATH",
    "USER",
    "LANG",
    "LC_ALL",
    "TZ",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)


def environment(request: dict[str, Any], scratch: str) -> dict[str, str]:
    """Return the environment of EasyBuild. `scratch` is a temporary folder."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # EasyBuild finds its stock easyconfigs beside `eb`.
    folders = [os.path.dirname(sys.executable), kept.get("PATH", os.defpath)]
    return {
        **kept,
        "PATH": os.pathsep.join(folders),
        "HOME": scratch,
        "XDG_CONFIG_HOME": scratch,  # no configuration files of EasyBuild
        "XDG_CONFIG_DIRS": scratch,
        "TMPDIR": scratch,
        "LMOD_CMD": request["lmod_cmd"],
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",  # progress while it runs
        "PYTHONOPTIMIZE": "1",  # as `eb` does
        "FANCYLOGGER_IGNORE_MPI4PY": "1",
    }


def arguments(request: dict[str, Any], scratch: str, modules: str) -> list[str]:
    """Return the command line of `eb`, without easyconfigs. `modules` is where it writes modulefiles."""
    tree = TreeLayout(request["prefix"])
    scheme = os.path.join(os.path.dirname(os.path.abspath(__file__)), "store_naming_scheme.py")
    # A trailing empty item is EasyBuild's own default, its stock easyconfigs.
    robot = [*(request.get("robot_paths") or []), ""]
    # EasyBuild writes to the first one, and sources may be read-only.
    sources = [f"{scratch}/sources", *(request.get("source_paths") or [tree.sources])]
    return [
        f"--include-module-naming-schemes={scheme}",
        f"--module-naming-scheme={StoreNamingScheme.__name__}",
        "--disable-fixed-installdir-naming-scheme",
        f"--installpath-software={tree.store}",
        f"--installpath-modules={modules}",
        f"--locks-dir={tree.easybuild_locks}",
        f"--repositorypath={scratch}/ebfiles",
        f"--buildpath={scratch}/build",
        f"--tmpdir={scratch}/tmp",
        f"--robot-paths={':'.join(robot)}",
        f"--sourcepath={':'.join(sources)}",
        "--modules-tool=Lmod",
        "--module-syntax=Lua",
        "--umask=022",
        *_options(request.get("easybuild_options") or {}),
    ]


def _options(options: dict[str, Any]) -> list[str]:
    """Return options of the stack as arguments. `optarch` is GENERIC by default, because servers may have other CPUs."""
    named = {"optarch": "GENERIC", **{key.replace("_", "-"): value for key, value in options.items()}}
    reserved = sorted(filter(RESERVED.match, named))
    if reserved:
        raise PhaseError(f"the EasyBuild option {reserved[0]} belongs to the collection: remove it", REJECTED)
    return [_option(key, value) for key, value in sorted(named.items())]


def _option(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"--{key}" if value else f"--disable-{key}"
    if isinstance(value, (list, tuple)):
        value = ",".join(str(item) for item in value)
    return f"--{key}={value}"


def reject_root() -> None:
    """Raise PhaseError if this process is root."""
    if os.geteuid() == 0:
        raise PhaseError("EasyBuild does not run as root: set `build_user` to a user that owns the tree", REJECTED)


def new_scratch(request: dict[str, Any]) -> str:
    """Return a new temporary folder, which is not on the tree."""
    folder = os.path.realpath(request.get("build_path") or tempfile.gettempdir())
    prefix = os.path.realpath(request["prefix"])
    if folder == prefix or folder.startswith(prefix + os.sep):
        raise PhaseError(
            f"the build folder {folder} is on the tree: set `build_path` to a folder of this machine", REJECTED
        )
    return tempfile.mkdtemp(prefix="odh-persistency-", dir=folder)
