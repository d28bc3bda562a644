# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tree on another host, reached over SSH. That host needs a POSIX shell, GNU or BusyBox tools, and rsync."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from typing import IO, Any, Callable, NamedTuple, Optional

from .errors import FAILED, NO_SPACE, REJECTED, PhaseError
from .tree_layout import RELEASE_ID, RELEASES, SKELETON

#: `host:/path` with a user or without, and nothing that a shell reads in another way.
TARGET = re.compile(
    r"(?P<login>(?:[A-Za-z0-9._][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*):(?P<path>/[A-Za-z0-9._+/@-]*[A-Za-z0-9._+@-])\Z"
)
#: The link `current` as it must be.
RELEASE_LINK = re.compile(f"{RELEASES}/{RELEASE_ID.pattern}")
#: Where what is sent waits until it is complete. It is on the same file system as the store.
STAGING = "locks/sync"
#: Seconds without an answer after which a connection is given up.
SILENCE = 120
SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=30")
#: The end of a message, in characters.
SHOWN = 500

_OBSERVE = """
cd -- "$1" 2>/dev/null || { echo "no-folder"; exit 0; }
for name in store releases locks; do [ -d "$name" ] || echo "lacks $name"; done
[ -L current ] && echo "current $(readlink current)"
[ -e current ] && [ ! -L current ] && echo "no-link"
command -v rsync >/dev/null || echo "lacks-program rsync"
[ -w locks ] || echo "read-only"
find releases -mindepth 2 -maxdepth 2 -name manifest.json -exec sha256sum {} + 2>/dev/null
find store -mindepth 4 -maxdepth 4 -path '*/.odh-persistency/entry.json' -exec sha256sum {} + 2>/dev/null
echo done
"""
#: Moves what was sent to its place. A folder that is read-only cannot be moved to another one.
_MOVE = """
set -e
umask 022
cd -- "$1"
shift
for path; do
  for complete in .odh-persistency/entry.json manifest.json; do
    [ -e "$path/$complete" ] && continue 2
  done
  case "$path" in store/*) complete=.odh-persistency/entry.json ;; *) complete=manifest.json ;; esac
  if [ ! -e "locks/sync/$path/$complete" ]; then
    echo "locks/sync/$path was not sent as a whole: it has no $complete" >&2
    exit 1
  fi
  if [ -e "$path" ]; then
    if grep -qsF "\"${path#store/}\"" releases/*/manifest.json; then
      echo "$path has no .odh-persistency/entry.json and is part of a release there: restore that file first" >&2
      exit 1
    fi
    chmod -R u+w "$path"
    rm -rf "$path"
  fi
  mkdir -p "$(dirname "$path")"
  chmod u+w "locks/sync/$path"
  mv -T "locks/sync/$path" "$path"
  chmod a-w "$path"
done
"""
_PUBLISH = """
set -e
umask 022
cd -- "$1"
if [ "$(readlink current)" != "$2" ]; then
  # A crash may have cut the last line off, and somebody may have changed the link by hand.
  [ -z "$(tail -c 1 releases/.journal 2>/dev/null)" ] || echo >> releases/.journal
  if [ -n "$5" ] && ! tail -n 1 releases/.journal 2>/dev/null | grep -qF "\"$4\""; then
    printf '%s\\n' "$5" >> releases/.journal
  fi
  printf '%s\\n' "$3" >> releases/.journal
  sync
  ln -sfn "$2" current.new-sync
  mv -T current.new-sync current
fi
readlink current
if [ -e locks/sync ]; then chmod -R u+w locks/sync; rm -rf locks/sync; fi
"""


#: Says how many KiB folders occupy, or deletes them. Without the first file that goes, a folder is incomplete, so a run that was
#: interrupted goes on, and nobody takes half of it for the whole.
_COUNT = """
cd -- "$1"
shift
for path; do
  if [ -d "$path" ] && [ ! -L "$path" ]; then du -sk -- "$path"; fi
done
"""
_DELETE = """
set -e
cd -- "$1"
shift
for path; do
  if [ "$(readlink current)" = "$path" ]; then echo "$path is current" >&2; exit 1; fi
  [ -d "$path" ] && [ ! -L "$path" ] || continue
  chmod -R u+w "$path"
  rm -f "$path/manifest.json" "$path/.odh-persistency/entry.json"
  rm -rf "$path"
  case "$path" in store/*) rmdir "$(dirname "$path")" 2>/dev/null || : ;; esac
done
"""
#: What says what is on the other host. Without the content of installations, this is small.
_METADATA = (
    *(
        "current",
        "store/",
        "store/*/",
        "store/*/*/",
        "store/*/*/.odh-persistency/",
        "store/*/*/.odh-persistency/entry.json",
    ),
    *("releases/", "releases/.journal", "releases/*/", "releases/*/manifest.json"),
    *("locks/", "locks/run.lock", "locks/work/", "locks/work/*/", "locks/work/*/logs/"),
)


class Observed(NamedTuple):
    """What is on the other host: digests of `entry.json` by path below the store and of manifests by release; what is current.

    `current` is the id of a release, or else the text of the link.
    """

    entries: dict[str, str]
    releases: dict[str, str]
    current: Optional[str]


class RemoteTree:
    """A tree at `HOST:PATH`. Within `with`, all commands use one connection."""

    def __init__(self, target: str, ssh_args: list[str]) -> None:
        found = TARGET.match(target)
        if not found:
            raise PhaseError(
                f"target {target!r} is not a directory of another host: write [USER@]HOST:/PATH, with letters, digits and `.`, "
                "`_`, `+`, `@`, `-`",
                REJECTED,
            )
        self.target = target
        self.login, self.path = found.group("login"), found.group("path")
        self.ssh = [*SSH, *ssh_args]
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> RemoteTree:
        """Connect. The connection ends with this process, because then the other side's `cat` has no more input."""
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="odhp-"))
        shared = ["-o", "ControlMaster=no", "-S", os.path.join(folder, "ssh")]
        command = [*self.ssh, "-o", "ControlMaster=yes", "-S", shared[-1], self.login, "echo connected; exec cat"]
        errors = self._stack.enter_context(open(os.path.join(folder, "errors"), "w+b"))
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        except OSError as error:
            self._stack.close()
            raise PhaseError(f"{command[0]} cannot be run ({error.strerror}): install it", REJECTED) from error
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)
        stdout = process.stdout
        if stdout is None or b"connected" not in stdout.readline():
            process.wait()
            errors.seek(0)
            failed = self._failed("ssh", process.returncode, errors.read().decode("utf-8", "replace"))
            self._stack.close()
            raise failed
        self.ssh += shared
        return self

    def __exit__(self, *_error: object) -> None:
        """End the connection."""
        self._stack.close()

    def observe(self) -> Observed:
        """Return what is there. Raises PhaseError if it is no tree that can be written to."""
        lines = self._shell(_OBSERVE, self.path).splitlines()
        if lines[-1:] == ["no-folder"]:
            raise PhaseError(f"{self.target} does not exist: create it, or correct the path", REJECTED)
        lacks = [line.partition(" ")[2] for line in lines if line.startswith("lacks ")]
        if lacks:
            raise PhaseError(
                f"{self.target} is not a software tree (no {', '.join(lacks)}): create it with lmod_tree on that host",
                REJECTED,
            )
        if "lacks-program rsync" in lines:
            raise PhaseError(f"{self.login} has no rsync: install it there", REJECTED)
        if "read-only" in lines:
            raise PhaseError(
                f"{self.target} may not be written to by this login: give it the tree, or use another login", REJECTED
            )
        if "no-link" in lines:
            raise PhaseError(f"{self.target}/current is not a link to a release: move it away", REJECTED)
        entries, releases, current = {}, {}, None
        for line in lines:
            digest, _blank, path = line.partition("  ")
            parts = path.split("/")
            if line.startswith("current "):
                link = line[len("current ") :]
                # Any other link is no release, also one that leads to it: clients may not be able to follow it.
                current = link[len(RELEASES) + 1 :] if RELEASE_LINK.match(link) else link
            elif parts[0] == RELEASES and RELEASE_ID.match(parts[1]):
                releases[parts[1]] = digest
            elif parts[0] == SKELETON[0]:
                entries["/".join(parts[1:3])] = digest
        return Observed(entries, releases, current)

    def send(self, base: str, paths: list[str], emit: Any) -> None:
        """Copy folders, given by paths below `base`, to the staging folder. What an interrupted run sent is not sent again."""
        command = [
            *("rsync", "-rlptH", "--partial", "--relative", "--from0", "--files-from=-", "--delete"),
            *(f"--timeout={SILENCE}", "--out-format=%n", "-e", shlex.join(self.ssh)),
            *(base + "/", f"{self.login}:{self.path}/{STAGING}/"),
        ]
        with tempfile.TemporaryFile() as names:
            names.write(b"\0".join(path.encode() for path in paths))
            names.seek(0)
            self._rsync(command, names, lambda process: self._report(process, paths, emit))

    def copy_metadata(self, folder: str) -> None:
        """Copy what says what is there into a folder, which is then a tree without the content of its installations."""
        command = [
            *("rsync", "-rlpt", "--chmod=D755,F644", f"--timeout={SILENCE}", "-e", shlex.join(self.ssh)),
            *(f"--include=/{name}" for name in _METADATA),
            *("--exclude=*", f"{self.login}:{self.path}/", f"{folder}/"),
        ]
        with open(os.devnull, "rb") as nothing:
            self._rsync(command, nothing, lambda process: None)

    def _rsync(self, command: list[str], stdin: IO[bytes], follow: Callable[[subprocess.Popen[bytes]], None]) -> None:
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=errors)
            except OSError as error:
                raise PhaseError(
                    f"rsync cannot be run ({error.strerror}): install it on this host", REJECTED
                ) from error
            follow(process)
            process.communicate()
            if process.returncode:
                errors.seek(0)
                raise self._failed("rsync", process.returncode, errors.read().decode("utf-8", "replace"))

    def _report(self, process: subprocess.Popen[bytes], paths: list[str], emit: Any) -> None:
        """Emit an event for each folder that rsync sends, given the names of files that it prints."""
        known, last = set(paths), ""
        for line in process.stdout or ():
            entry = "/".join(line.decode("utf-8", "replace").strip().split("/")[:3])
            if entry in known and entry != last:
                emit({"entry": entry, "step": "send"})
                last = entry

    def move(self, paths: list[str]) -> None:
        """Move complete folders from the staging folder to their place."""
        for some in _in_parts(paths):
            self._shell(_MOVE, self.path, *some)

    def count(self, paths: list[str]) -> int:
        """Return how many bytes folders occupy there."""
        said = [self._shell(_COUNT, self.path, *some) for some in _in_parts(paths)]
        return sum(int(line.split()[0]) * 1024 for text in said for line in text.splitlines())

    def seconds_since(self, time: float) -> float:
        """Return how long ago, by the clock of the other host, a time in seconds since 1970 was."""
        return float(self._shell("date +%s")) - time

    def delete(self, paths: list[str], emit: Any) -> None:
        """Delete folders, given by paths below the tree, in this order. Those that do not exist are left out."""
        for some in _in_parts(paths):
            emit({"entry": some[0], "step": "delete"})
            self._shell(_DELETE, self.path, *some)

    def publish(self, release: str, lines: list[str], before: str) -> str:
        """Rename `current`, remove the staging folder, and return the release that `current` leads to then.

        `lines` are those for the journal: that of this publication, and one for the release `before` if the journal lacks it.
        """
        found = self._shell(_PUBLISH, self.path, f"{RELEASES}/{release}", lines[0], before, *(lines[1:] or [""]))
        return found.strip().rpartition("/")[2]

    def _shell(self, script: str, *arguments: str) -> str:
        """Run a script with the shell of the other host and return its output."""
        command = [*self.ssh, self.login, shlex.join(["sh", "-s", "--", *arguments])]
        done = subprocess.run(command, input=script.encode(), capture_output=True, check=False)
        if done.returncode:
            raise self._failed("ssh", done.returncode, done.stderr.decode("utf-8", "replace"))
        return done.stdout.decode("utf-8", "replace")

    def _failed(self, program: str, code: int, errors: str) -> PhaseError:
        said = " ".join(errors.strip().splitlines()[-3:])[-SHOWN:] or f"exit code {code}"
        details = {"output": errors[-4000:], "code": code}
        if "No space left" in errors or "Disk quota exceeded" in errors:
            return PhaseError(
                f"the file system of {self.target} is full: free some space there, and run again", NO_SPACE, details
            )
        if code == 255 or (program == "rsync" and "ssh" in errors and code in (12, 255)):
            return PhaseError(
                f"{self.login} cannot be reached over SSH ({said}): correct the login or its key", FAILED, details
            )
        return PhaseError(
            f"{program} to {self.target} failed ({said}): run again, which sends only what is missing", FAILED, details
        )


def _in_parts(paths: list[str]) -> Iterator[list[str]]:
    """Yield some paths at a time: a command line has room for some thousand."""
    for start in range(0, len(paths), 500):
        yield paths[start : start + 500]
