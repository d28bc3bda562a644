# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests of the spawn hook, through the API client that the spawner has: asynchronous or synchronous."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .observed_claims import Claim, claim_from
from .turns import Turns

NOT_FOUND = 404


class ApiFailure(Exception):
    """A request that failed. `status` is 0 without a response."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


class KubernetesClient:
    """Requests in one namespace, each with a time limit. Starts that wait for responses go on in `turns`.

    KubeSpawner 2 and newer have the client `kubernetes_asyncio`. Older ones have the synchronous client `kubernetes`, and
    `spawner.asynchronize`, which calls it in a thread. Responses are decoded as plain JSON: typed objects of 200 claims
    would block the hub for a tenth of a second.
    """

    def __init__(self, spawner: Any, namespace: str, timeout: int, turns: Optional[Turns] = None) -> None:
        self._spawner, self._namespace, self._timeout, self._turns = spawner, namespace, timeout, turns

    async def config_map(self, name: str) -> Mapping[str, Any]:
        """Return a ConfigMap. Raises ApiFailure."""
        return await self._read("read_namespaced_config_map", name, self._namespace)

    async def claims(self, selector: str) -> list[Claim]:
        """Return the claims that a label selector finds. Raises ApiFailure."""
        method = "list_namespaced_persistent_volume_claim"
        found = await self._read(method, self._namespace, label_selector=selector)
        return [claim_from(item) for item in found.get("items") or ()]

    async def claim(self, name: str) -> Optional[Claim]:
        """Return a claim, None if it does not exist. Raises ApiFailure."""
        try:
            return claim_from(await self._read("read_namespaced_persistent_volume_claim", name, self._namespace))
        except ApiFailure as error:
            if error.status == NOT_FOUND:
                return None
            raise

    async def create_event(self, event: Mapping[str, Any]) -> None:
        """Create an Event. Raises ApiFailure."""
        await self._read("create_namespaced_event", self._namespace, dict(event))

    async def _read(self, method: str, *arguments: Any, **options: Any) -> Mapping[str, Any]:
        options.update(_preload_content=False, _request_timeout=self._timeout)
        await self._turn()
        try:
            text, status = await self._response(getattr(self._spawner.api, method), arguments, options)
            await self._turn()
            decoded = json.loads(text)
        except Exception as error:  # Each client has its own exceptions, and both raise those of their transports.
            code = getattr(error, "status", None)
            text = f"{type(error).__name__}: {getattr(error, 'reason', None) or error}"
            raise ApiFailure(code if isinstance(code, int) else 0, f"{method}: {text}") from error
        if not 200 <= status <= 299:
            raise ApiFailure(status, f"{method}: {status} {_message(decoded)}")
        if not isinstance(decoded, dict):
            raise ApiFailure(status, f"{method}: the response is not an object")
        return decoded

    async def _turn(self) -> None:
        if self._turns is not None:
            await self._turns.take()

    async def _response(self, call: Any, arguments: Sequence[Any], options: Mapping[str, Any]) -> tuple[Any, int]:
        """Return the body and the status of a response."""
        in_thread = getattr(self._spawner, "asynchronize", None)
        if in_thread is not None:
            called = in_thread(lambda: _with_body(call(*arguments, **options)))
            # This client sends a request that had no response in time again, three times.
            body, status = await (called if self._turns is None else self._turns.limited(called, self._timeout))
            return body, status
        response = await call(*arguments, **options)
        body = response.read()
        return (await body if inspect.isawaitable(body) else body), response.status


def _with_body(response: Any) -> Any:
    return response.data, response.status


def _message(decoded: Any) -> str:
    return str(decoded.get("message", "")) if isinstance(decoded, dict) else ""


def selector_of(key: str, values: Sequence[str]) -> str:
    """Return the label selector for one of several values."""
    return f"{key} in ({','.join(values)})"
