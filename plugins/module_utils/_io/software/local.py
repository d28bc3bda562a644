# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running phases on this host, as the build user, with the tree at its prefix."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

from ..._software.tree_layout import SKELETON
from ..errors import ExternalError
from .executor import RELEASE, TREE, EventReader, OnEvent, PhaseFailed
from .package import PACKAGE, write_package

#: How much of what a phase printed a message quotes.
_LAST_LINES = 5
#: What `download` needs of the host's environment.
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True)
class LocalSettings:
    """Where the tree is on this host, and who builds. `python` is that of EasyBuild's environment.

    `missing` says why there is no tree yet. The executor then shows an empty one, for a preview.
    """

    path: str
    prefix: str
    python: str
    build_user: Optional[str] = None
    missing: str = ""


class LocalExecutor:
    """Runs each phase as a process. To be closed, because it writes the package of the phases to a temporary folder."""

    #: One build uses all cores of this host.
    parallel = 1

    def __init__(self, settings: LocalSettings) -> None:
        self.settings = settings
        self.account = _account(settings.build_user)
        # Not the module's own folder, which only root can enter.
        self.folder = Path(tempfile.mkdtemp(prefix="odh-persistency-"))
        self.folder.chmod(0o755)
        write_package(self.folder)
        self.missing = settings.missing
        if settings.missing:
            self.settings = self._empty_tree()

    def _empty_tree(self) -> LocalSettings:
        tree = self.folder / "tree"
        for path in (tree, *(tree / name for name in SKELETON)):
            path.mkdir(mode=0o755)
            if self.account is not None:
                os.chown(path, self.account.pw_uid, self.account.pw_gid)
        return replace(self.settings, path=str(tree), prefix=str(tree))

    def close(self) -> None:
        """Remove the package."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def run(self, phase: str, request: Mapping[str, Any], view: str = TREE, on_event: Optional[OnEvent] = None) -> Any:
        """Run a phase and return its result. Raises PhaseFailed."""
        source = request.get("source")
        if source is None or not self._is_hidden(source):
            return self._run(phase, request, self._view(view, request), on_event)
        shown = self.folder / "source"
        shown.mkdir(exist_ok=True)
        more = {"source": source, "source_at": str(shown)}
        try:
            return self._run(phase, {**request, "source": str(shown)}, {**self._view(view, request), **more}, on_event)
        except PhaseFailed as error:
            raise PhaseFailed(phase, str(error).replace(str(shown), source), error.kind, error.details) from error

    def _is_hidden(self, path: str) -> bool:
        """Whether a path is not seen while the tree is shown at its prefix: that of a tree that is really there."""
        prefix = self.settings.prefix
        return self.settings.path != prefix and f"{path}/".startswith(f"{prefix}/")

    def _run(self, phase: str, request: Mapping[str, Any], view: Mapping[str, Any], on_event: Optional[OnEvent]) -> Any:
        reader = EventReader(phase, on_event)
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [self.settings.python, "-m", f"{PACKAGE}.mounted_view", json.dumps(view), phase],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self._environment(),
                cwd="/",
                text=True,
                start_new_session=True,
            )
            try:
                with contextlib.suppress(BrokenPipeError), process.stdin or io.StringIO() as stdin:
                    stdin.write(json.dumps({"prefix": self.settings.prefix, **request}))
                for line in process.stdout or ():
                    reader.read(line)
                process.wait()
            except BaseException:
                # Cancelled: what the phase started ends with it.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                process.wait()
                raise
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines()
        return reader.result(" | ".join([f"exit code {process.returncode}", *lines[-_LAST_LINES:]]))

    def _view(self, view: str, request: Mapping[str, Any]) -> dict[str, Any]:
        settings, account = self.settings, self.account
        return {
            "path": settings.path,
            "prefix": settings.prefix,
            "release": request["release"] if view == RELEASE else None,
            "mount": view == RELEASE or settings.path != settings.prefix,
            "uid": account.pw_uid if account else None,
            "gid": account.pw_gid if account else None,
            "groups": os.getgrouplist(account.pw_name, account.pw_gid) if account else [],
            "parent": os.getpid(),
        }

    def _environment(self) -> dict[str, str]:
        account = self.account or pwd.getpwuid(os.getuid())
        binaries = os.path.dirname(self.settings.python)
        return {
            **{name: os.environ[name] for name in _PROXIES if name in os.environ},
            "PATH": f"{binaries}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": str(self.folder),
            # Python starts as root, and that home is the build user's.
            "PYTHONNOUSERSITE": "1",
            "HOME": account.pw_dir,
            "USER": account.pw_name,
            "LC_ALL": "C.UTF-8",
        }


def runs_as_root(build_user: Optional[str]) -> bool:
    """Return whether phases would run as root. Raises ExternalError if there is no such user."""
    account = _account(build_user)
    return os.geteuid() == 0 and (account is None or account.pw_uid == 0)


def _account(name: Optional[str]) -> Optional[pwd.struct_passwd]:
    if name is None:
        return None
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise ExternalError(
            f"build_user: this host has no user {name}: create it (the role `software` does), or set another one"
        ) from None
