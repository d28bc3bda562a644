"""A client of a real NFS server in this process, by libnfs: no mount, no privilege. Its functions stand for those of `os`."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


class _Url(ctypes.Structure):
    _fields_ = (("server", ctypes.c_char_p), ("path", ctypes.c_char_p), ("file", ctypes.c_char_p))


class NfsClient:
    """Works on an export, for what lies directly in the folder of this machine that the server exports.

    Everything else goes to the disk. The server caches, so a folder must be changed either through it or on the disk.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = str(folder)
        self._library = ctypes.CDLL("libnfs.so.13")
        for name, result in (("nfs_init_context", ctypes.c_void_p), ("nfs_get_error", ctypes.c_char_p)):
            getattr(self._library, name).restype = result
        self._library.nfs_parse_url_dir.restype = ctypes.POINTER(_Url)
        self._context = ctypes.c_void_p(self._library.nfs_init_context())
        parsed = self._library.nfs_parse_url_dir(self._context, url.encode()).contents
        self._call("nfs_mount", parsed.server, parsed.path)

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Return the functions by their names in `os`."""
        return {name: self._chosen(name, getattr(self, name)) for name in ("symlink", "rename", "readlink", "unlink")}

    def symlink(self, target: str, path: str) -> None:
        self._call("nfs_symlink", os.fsencode(target), self._path(path))

    def rename(self, source: str, target: str) -> None:
        self._call("nfs_rename", self._path(source), self._path(target))

    def unlink(self, path: str) -> None:
        self._call("nfs_unlink", self._path(path))

    def readlink(self, path: str) -> str:
        buffer = ctypes.create_string_buffer(4096)
        self._call("nfs_readlink", self._path(path), buffer, len(buffer))
        return os.fsdecode(buffer.value)

    def _chosen(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        local = getattr(os, name)

        def chosen(*arguments: Any) -> Any:
            return (function if os.path.dirname(arguments[-1]) == self.folder else local)(*arguments)

        return chosen

    def _path(self, path: str) -> bytes:
        return os.fsencode("/" + os.path.relpath(path, self.folder))

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(self._context, *arguments)
        if status < 0:
            message = (self._library.nfs_get_error(self._context) or b"").decode()
            raise OSError(-status, f"{os.strerror(-status)}: {message}")
