# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ConfigMap of classic Open Data Hub with the spawn hook, and the Secret with the token of the hub's service.

The hub mounts the ConfigMap `jupyterhub-cfg` as a directory and runs its key `jupyterhub_config.py` last. A key has no
folders, so the package is one zip file, from which Python imports.
"""

from __future__ import annotations

import ast
import base64
import io
import zipfile
from collections.abc import Mapping
from typing import Any, Optional

from ..requests import Resource
from .hub_python import PACKAGE, TOKEN_KEY, Surroundings, TokenSecret, hub_python
from .marked_lines import appended, stripped

CONFIG_MAP = "jupyterhub-cfg"
CONFIGURATION_KEY = "jupyterhub_config.py"
PACKAGE_KEY = f"{PACKAGE}.zip"
#: Where the hub mounts the ConfigMap.
FOLDER = "/opt/app-root/configs"
SECTION = "OpenShiftSpawner"
SERVICE_ACCOUNT = "jupyterhub-hub"
SECRET = "odh-persistency-hub"
SECRETS = Resource("", "v1", "secrets")
MOST = 512 * 1024
#: The oldest time that a zip file can have.
_TIME = (1980, 1, 1, 0, 0, 0)


def package_zip(package: Mapping[str, str]) -> bytes:
    """Return the package as a zip file, always the same bytes: nothing is compressed, because versions of zlib differ."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, text in sorted(package.items()):
            entry = zipfile.ZipInfo(f"{PACKAGE}/{name}", _TIME)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text.encode("utf-8"))
    return buffer.getvalue()


def odh_python(settings: Mapping[str, Any], hub_namespace: str, manages_groups: bool) -> str:
    """Return the Python for the key `jupyterhub_config.py`."""
    surroundings = Surroundings(f"{FOLDER}/{PACKAGE_KEY}", SECTION, TokenSecret(SECRET, hub_namespace))
    return hub_python(settings, surroundings, manages_groups)


class ConfigMapContent:
    """The keys of the ConfigMap, `data` and `binary_data`, as the API has them. Keys of others are kept."""

    def __init__(self, data: Mapping[str, str], binary_data: Mapping[str, str]) -> None:
        self.data, self.binary_data = dict(data), dict(binary_data)

    @classmethod
    def of(cls, observed: Optional[Mapping[str, Any]]) -> ConfigMapContent:
        """Return the content of an observed ConfigMap."""
        observed = observed or {}
        return cls(observed.get("data") or {}, observed.get("binaryData") or {})

    def without_ours(self) -> ConfigMapContent:
        """Return the content as it was before this role. Raises ValueError if our comments are damaged."""
        data = dict(self.data)
        text = stripped(data.get(CONFIGURATION_KEY, ""))
        if text.errors:
            raise ValueError(f"{CONFIGURATION_KEY} in ConfigMap {CONFIG_MAP}: {text.errors[0]}")
        if CONFIGURATION_KEY in data:
            data[CONFIGURATION_KEY] = text.text
            if text.is_new and not text.text:
                del data[CONFIGURATION_KEY]
        return ConfigMapContent(data, {key: value for key, value in self.binary_data.items() if key != PACKAGE_KEY})

    def with_ours(self, python: str, package: Mapping[str, str]) -> ConfigMapContent:
        """Return the content with the spawn hook. Raises ValueError for Python that is none, and for too much of it all."""
        base = self.without_ours()
        text = base.data.get(CONFIGURATION_KEY)
        try:
            # Only a hint: the hub's Python is older.
            ast.parse(text or "")
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            raise ValueError(
                f"{CONFIGURATION_KEY} in ConfigMap {CONFIG_MAP} is not valid Python"
                f"{f' (line {line}: {error.msg})' if isinstance(error, SyntaxError) else ''}: correct it"
            ) from error
        data = {**base.data, CONFIGURATION_KEY: appended(text or "", python, text is None)}
        binary = {**base.binary_data, PACKAGE_KEY: base64.b64encode(package_zip(package)).decode("ascii")}
        size = sum(len(value.encode("utf-8")) for value in [*data.values(), *binary.values()])
        if size > MOST:
            raise ValueError(
                f"ConfigMap {CONFIG_MAP} would take {size // 1024} KiB, but the limit is {MOST // 1024} KiB: remove keys from it"
            )
        return ConfigMapContent(data, binary)

    @property
    def is_empty(self) -> bool:
        """Whether it has no keys."""
        return not self.data and not self.binary_data


def token_secret(namespace: str, token: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the Secret with the token of the hub's service."""
    encoded = base64.b64encode(token.encode("ascii")).decode("ascii")
    metadata = {"name": SECRET, "namespace": namespace, "labels": dict(labels)}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": {TOKEN_KEY: encoded}}


def has_token(observed: Optional[Mapping[str, Any]]) -> bool:
    """Return whether the Secret has a token."""
    return bool(((observed or {}).get("data") or {}).get(TOKEN_KEY))
