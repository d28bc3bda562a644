# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sources and patches of an entry, as EasyBuild itself asks for them: their checksums, and where they are."""

from __future__ import annotations

import hashlib
import os
import sys
from functools import cache
from typing import Any, Optional

from .entry_hash import file_digest

#: Checksums of all easyconfigs in a folder. No source.
_CHECKSUM_FILE = "checksums.json"


def has_unchecked_patches(ec: Any) -> bool:
    """Return whether a patch of an easyconfig, of its components or extensions may have no checksum there.

    It is the quick answer to what Files would find. It may be wrong in one direction only.
    """
    parts = [(ec["sources"], [*ec["patches"], *ec["postinstallpatches"]], ec["checksums"])]
    for item in [*(ec.get_ref("exts_list") or []), *(ec.get("components") or [])]:
        options = item[2] if isinstance(item, (list, tuple)) and len(item) > 2 else {}
        patches = [*(options.get("patches") or []), *(options.get("postinstallpatches") or [])]
        sources = options.get("sources") or [""]
        parts.append((sources if isinstance(sources, (list, tuple)) else [sources], patches, options.get("checksums")))
    return any(
        patches
        and not (
            isinstance(checksums, (list, tuple))
            and len(checksums) >= len(sources) + len(patches)
            and all(checksums[: len(sources) + len(patches)])
        )
        for sources, patches, checksums in parts
    )


class Files:
    """What the easyblock of an easyconfig fetches. Nothing is downloaded."""

    def __init__(self, easyconfig: dict[str, Any]) -> None:
        from easybuild.framework.easyblock import get_easyblock_instance

        self.block = get_easyblock_instance(easyconfig)
        self._find = self.block.obtain_file
        self._urls: dict[str, list[str]] = {}
        self.block.obtain_file = self._record
        #: The file name, the declared checksum and the path of each.
        self.patches: list[tuple[str, Any, Optional[str]]] = []
        self.sources: list[tuple[str, Any, Optional[str]]] = []
        self._collect()

    def describe(self) -> list[dict[str, Any]]:
        """Return each source and patch with its expected SHA256, where it was found, and whether the checksum is right."""
        from easybuild.tools.filetools import verify_checksum

        return [
            {
                "file": name,
                "sha256": _sha256(checksum, name),
                "found": path,
                "valid": bool(verify_checksum(path, checksum)) if path else None,
                "urls": self._urls.get(name, []),
            }
            for name, checksum, path in [*self.sources, *self.patches]
        ]

    def unchecked_patches(self) -> dict[str, str]:
        """Return the SHA256 of each patch without a checksum in the easyconfig, "" if it is missing."""
        return {name: file_digest(path) if path else "" for name, checksum, path in self.patches if not checksum}

    def _record(self, filename: str, **options: Any) -> Optional[str]:
        """Stand in for EasyBuild's own search and download."""
        options.pop("force_download", None)
        found = None
        if "://" not in filename:
            found = self._find(filename, **{**options, "no_download": True, "warning_only": True})
        if filename == _CHECKSUM_FILE:
            return found
        name = filename.rpartition("/")[2]
        urls = options.get("urls") or self.block.cfg["source_urls"] or []
        download = options.get("download_filename") or name
        self._urls[name] = [f"{url.rstrip('/')}/{download}" for url in urls if isinstance(url, str)]
        # EasyBuild goes on with a path, and nothing reads what is missing.
        return found or os.path.join(_MISSING, name)

    def _collect(self) -> None:
        block, cfg = self.block, self.block.cfg
        block.fetch_sources()
        checksums = cfg["checksums"]
        if isinstance(checksums, (list, tuple)):
            checksums = checksums[len(cfg["sources"]) :]
        block.fetch_patches(checksums=checksums)
        self.sources += [(item["name"], item["checksum"], _found(item["path"])) for item in block.src]
        self.patches += [(item["name"], item["checksum"], _found(item["path"])) for item in block.patches]
        if cfg.get_ref("exts_list"):
            for extension in block.collect_exts_file_info(fetch_files=True, verify_checksums=False):
                self._collect_extension(extension)

    def _collect_extension(self, extension: dict[str, Any]) -> None:
        checksums = extension.get("checksums") or []
        if extension.get("src"):
            name = os.path.basename(extension["src"])
            checksum = self.block.get_checksum_for(checksums, filename=name, index=0)
            self.sources.append((name, checksum, _found(extension["src"])))
        for index, patch in enumerate(extension.get("patches") or []):
            name = os.path.basename(patch["path"])
            checksum = self.block.get_checksum_for(checksums, filename=name, index=index + 1)
            self.patches.append((name, checksum, _found(patch["path"])))


#: Where missing files are said to be.
_MISSING = "/nonexistent/odh-persistency"


def _found(path: str) -> Optional[str]:
    return None if path.startswith(_MISSING) else path


def _sha256(checksum: Any, name: str) -> Optional[str]:
    """Return the SHA256 in a checksum of an easyconfig, which has many forms. The first of alternatives."""
    if isinstance(checksum, str):
        return checksum if len(checksum) == 64 else None
    if isinstance(checksum, dict):
        return _sha256(checksum.get(name), name)
    if isinstance(checksum, (list, tuple)):
        if len(checksum) == 2 and checksum[0] == "sha256":
            return str(checksum[1])
        return next(filter(None, (_sha256(item, name) for item in checksum)), None)
    return None


_EASYBLOCKS = "easybuild.easyblocks."


def easyblock_digest(ec: Any) -> str:
    """Return the digest of an easyconfig's easyblock and of the easyblocks that it extends."""
    from easybuild.framework.easyconfig.easyconfig import get_easyblock_class

    block = get_easyblock_class(ec["easyblock"], name=ec.name)
    files = [sys.modules[item.__module__].__file__ for item in block.__mro__ if item.__module__.startswith(_EASYBLOCKS)]
    digests = [_digest_of(str(path)) for path in files]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()


@cache
def _digest_of(path: str) -> str:
    return file_digest(path)
