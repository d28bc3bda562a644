# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where everything is on the volume of a software tree."""

from __future__ import annotations

import os
import re

STORE = "store"
RELEASES = "releases"
LOCKS = "locks"
SOURCES = "sources"
#: What EasyBuild installed before the tree had a store. Modules of an adopted release use it.
SOFTWARE = "software"
CURRENT = "current"
#: The directories of an empty tree.
SKELETON = (STORE, RELEASES, LOCKS)

#: The folder of ours inside an installation. Without its `entry.json` the installation is incomplete.
ENTRY_FOLDER = ".odh-persistency"
ENTRY_FILE = "entry.json"
ENTRY_MODULEFILE = "module.lua"

#: Starts the name of a release that is not verified yet.
STAGING_PREFIX = ".new-"
MANIFEST_FILE = "manifest.json"
#: Starts the name of a link to a release before it becomes `current`.
NEW_LINK_PREFIX = "current.new-"

#: `20261129T101500Z-0a1b2c3d`: the time in UTC, and the first 8 digits of the content's digest.
RELEASE_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}\Z")


def not_a_directory(prefix: str, name: str) -> str:
    """Return why a directory of the skeleton cannot be used."""
    return (
        f"{os.path.join(prefix, name)} is a symbolic link or a file: make it a directory, because servers and builds mount the "
        "tree as a whole"
    )


class TreeLayout:
    """The paths of a tree at `prefix`."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.store = os.path.join(prefix, STORE)
        self.releases = os.path.join(prefix, RELEASES)
        self.locks = os.path.join(prefix, LOCKS)
        self.sources = os.path.join(prefix, SOURCES)
        self.current = os.path.join(prefix, CURRENT)
        self.run_lock = os.path.join(self.locks, "run.lock")
        #: EasyBuild's own locks.
        self.easybuild_locks = os.path.join(self.locks, "easybuild")

    def installation(self, path: str) -> str:
        """Return the folder of an installation, given its path below the store."""
        return os.path.join(self.store, path)

    def entry_file(self, path: str) -> str:
        """Return the file that says what an installation is, and that it is complete."""
        return os.path.join(self.store, path, ENTRY_FOLDER, ENTRY_FILE)

    def entry_modulefile(self, path: str) -> str:
        """Return the modulefile of an installation, which releases copy."""
        return os.path.join(self.store, path, ENTRY_FOLDER, ENTRY_MODULEFILE)

    def work(self, run: str) -> str:
        """Return the folder of a run, with its logs (`logs`), and the builds that failed (`failed`)."""
        return os.path.join(self.locks, "work", run)

    def logs(self, run: str) -> str:
        """Return the folder with one log file for each entry that a run builds."""
        return os.path.join(self.work(run), "logs")

    def failures(self, run: str) -> str:
        """Return the folder with one file for each build of a run that another attempt would not change."""
        return os.path.join(self.work(run), "failed")

    def release(self, release_id: str) -> str:
        """Return the folder of a verified release."""
        return os.path.join(self.releases, release_id)

    def staging(self, release_id: str) -> str:
        """Return the folder of a release that is not verified yet."""
        return os.path.join(self.releases, STAGING_PREFIX + release_id)

    def newest_form(self, release_id: str) -> str:
        """Return the staging folder of a release while there is one, else the release."""
        staging = self.staging(release_id)
        return staging if os.path.isdir(staging) else self.release(release_id)


class ReleaseLayout:
    """The paths of a release, in staging or published, or seen through `current`."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.modules = os.path.join(folder, "modules", "all")
        self.featured = os.path.join(folder, "modules", "featured")
        self.lmod = os.path.join(folder, ".lmod")
        self.lmodrc = os.path.join(self.lmod, "lmodrc.lua")
        self.cache = os.path.join(self.lmod, "cache")
        self.manifest = os.path.join(folder, MANIFEST_FILE)

    def modulefile(self, module: str) -> str:
        """Return the modulefile of a module such as `bzip2/1.0.8`."""
        return os.path.join(self.modules, module + ".lua")
