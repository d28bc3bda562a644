# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How EasyBuild is configured: the same way for a plan and for a build, and independent of the environment."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from typing import Any, Optional

from .entry_hash import file_digest
from .errors import REJECTED, PhaseError
from .leftovers import remove_scratch, scratch_name
from .store_naming_scheme import StoreNamingScheme
from .tree_layout import TreeLayout

#: EasyBuild options that define where things go and what happens. The stack's options cannot set them.
RESERVED = re.compile(
    r"(disable-)?(allow-use-as-root.*|amend|buildpath|bwrap.*|cleanup-.*|container.*|copy-ec|dry-run.*|dump-.*|extended-dry-run.*|fetch"
    r"|fixed-installdir-naming-scheme|force|ignore-?.*|include-module-naming-schemes|inject-.*|installpath.*|job.*|locks-dir"
    r"|logfile-format|missing.*|module-.*|modules-tool|new-.*|prefix|rebuild|repository.*|robot.*|sanity-check-only|search.*"
    r"|skip|software(-.*)?|sourcepath.*|stop|subdir-.*|suffix-modules-path|terse|test-report-env-filter|tmp-logdir|tmpdir"
    r"|toolchain.*|try-.*|umask)\Z"
)

#: Options that change how a build runs and not what it gives, or that other inputs of the hash show.
HARMLESS = re.compile(
    r"accept-eula-for|color|debug|download-timeout|enforce-checksums|experimental|filter-(deps|ecs)"
    r"|http-header-fields-urlpat|include-easyblocks.*|logtostdout|max-parallel|output-style|parallel.*|set-gid-bit"
    r"|show-progress-bar|silence-.*|trace|wait-on-lock-.*"
)
#: Options that name a file whose content is what counts.
FILES = ("hooks", "modules-footer", "modules-header")

#: Options of entries in public stacks that have no effect here.
IGNORED = frozenset(("force", "rebuild", "robot"))

#: What phases keep of their environment. EASYBUILD_*, MODULEPATH and loaded modules of the host must not change a build.
_KEPT = ("PATH", "USER", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
#: What downloads need besides. They may contain a password, so EasyBuild's reports in an installation leave them out.
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")


def environment(request: dict[str, Any], scratch: str) -> dict[str, str]:
    """Return the environment of EasyBuild. `scratch` is a temporary folder. Raises PhaseError if there is no Lmod."""
    lmod_cmd = request["lmod_cmd"]
    if not os.access(lmod_cmd, os.X_OK):
        raise PhaseError(f"{lmod_cmd} is no program that can be run: install Lmod, or correct `lmod_cmd`", REJECTED)
    names = [*_KEPT, *(_PROXIES if request.get("download") else ())]
    kept = {name: os.environ[name] for name in names if name in os.environ}
    # EasyBuild finds its stock easyconfigs beside `eb`.
    beside, path = os.path.dirname(sys.executable), kept.get("PATH", os.defpath)
    return {
        "USER": "odh-persistency",  # a container may run as a user without a name
        **kept,
        "PATH": path if path.split(os.pathsep)[0] == beside else beside + os.pathsep + path,
        "HOME": scratch,
        "XDG_CONFIG_HOME": scratch,  # no configuration files of EasyBuild
        "XDG_CONFIG_DIRS": scratch,
        "TMPDIR": scratch,
        "LMOD_CMD": lmod_cmd,
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",  # progress while it runs
        "FANCYLOGGER_IGNORE_MPI4PY": "1",
    }


def arguments(request: dict[str, Any], scratch: str, modules: str, options: dict[str, Any]) -> list[str]:
    """Return the command line of `eb`, without easyconfigs.

    `modules` is where it writes modulefiles, `options` are those of an entry of the stack.
    """
    tree = TreeLayout(request["prefix"])
    scheme = os.path.join(os.path.dirname(os.path.abspath(__file__)), "store_naming_scheme.py")
    # An empty item is EasyBuild's own default, its stock easyconfigs.
    robot = [*(request.get("robot_paths") or []), ""]
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
        f"--sourcepath={':'.join(_source_paths(request, scratch))}",
        "--modules-tool=Lmod",
        "--module-syntax=Lua",
        "--umask=022",
        "--test-report-env-filter=proxy",
        *(_option(key, value) for key, value in sorted(all_options(request, options).items())),
    ]


def _source_paths(request: dict[str, Any], scratch: str) -> list[str]:
    """Return where sources are. EasyBuild writes to the first folder, which is temporary unless it may download."""
    paths = list(request.get("source_paths") or [TreeLayout(request["prefix"]).sources])
    if request.get("download") and os.access(paths[0], os.W_OK):
        return paths
    return [f"{scratch}/sources", *paths]


def all_options(request: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the stack and of an entry. `optarch` is GENERIC by default: servers may have other CPUs."""
    given = {**(request.get("easybuild_options") or {}), **options}
    named = {"optarch": "GENERIC", **{str(key).replace("_", "-"): value for key, value in given.items()}}
    reserved = sorted(filter(RESERVED.match, named))
    if reserved:
        raise PhaseError(f"the EasyBuild option {reserved[0]} belongs to the collection: remove it", REJECTED)
    return named


def hashed_options(request: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that change what a build gives, each by the argument that EasyBuild gets."""
    found = {}
    for name, value in all_options(request, options).items():
        key = name
        if name.startswith("disable-") and value in (None, True):
            key, value = name[len("disable-") :], False
        if not HARMLESS.fullmatch(key):
            found[key] = file_digest(str(value)) if key in FILES and os.path.isfile(str(value)) else _text(value)
    return found


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(True if value is None else value)


def entry_options(options: Optional[dict[str, Any]]) -> dict[str, Any]:
    """Return the options of an entry, without those that public stacks have and that a plan decides."""
    return {key: value for key, value in (options or {}).items() if key not in IGNORED}


def _option(key: str, value: Any) -> str:
    if value is None or value is True:
        return f"--{key}"
    if value is False:
        return f"--disable-{key}"
    return f"--{key}={_text(value)}"


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
    remove_scratch(folder)
    return tempfile.mkdtemp(prefix=scratch_name(), dir=folder)
