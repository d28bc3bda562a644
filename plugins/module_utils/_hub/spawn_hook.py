# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hooks of the hub: the home is chosen before KubeSpawner creates a claim, and the pod is rewritten before it is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Callable, Optional

from .access_decisions import AccessDecisions, without_acl
from .acl_reader import AclUnreadable
from .claim_policy import reason_not_software, reason_to_remove
from .configured_homes import ConfiguredHomes, configured_homes, without_other_folders
from .home_lookup import HomeChoice, apply_home, check_home, choose_home
from .home_rules import HomeRefused
from .hub_settings import Runtime, Settings
from .kept_hooks import keep_hooks
from .kubernetes_client import ApiFailure, KubernetesClient
from .mount_points import makes_mount_points, with_mount_points
from .observed_claims import TREE, Claim
from .options_form import form_without_us, with_notice, with_secret_shares
from .pod_rewriting import (
    ClaimUse,
    claims_of,
    mounts_claim,
    with_environment,
    with_home,
    with_plain_templates,
    with_read_only,
    with_shares,
    with_software,
    without_claims,
)
from .progress_page import explain_progress, notes_of_init_container, pod_uid, remember_mounts
from .refusals import refusal, spare_failure_count
from .requested_shares import requester
from .spawn_stamp import (
    GRANTED_ANNOTATION,
    GRANTED_VARIABLE,
    NO_HOME,
    NO_SOFTWARE,
    Message,
    Outcome,
    event,
    messages_of,
    messages_of_notes,
    not_read,
    secret_record,
    stamp,
)
from .turns import Turns

_LATER = "cannot be read at the moment. Try again in a few minutes, or ask the administrator of this hub."
_UNREADABLE_HOMES = f"The list of home volumes {_LATER}"
_UNREADABLE_ACL = f"The access list of shares {_LATER}"
_HOME_LOST = "Your home volume cannot be verified. Ask the administrator of this hub."
#: How many copies of copies are followed.
_MOST_COPIES = 8
#: Where the choice of the home waits for the pod: the hub drops the spawner when the server has stopped.
_CHOICE = "_odh_persistency_home"
#: Where the homes of the hub's own configuration wait for the pod, if the hook chooses no home.
_CONFIGURED = "_odh_persistency_configured"


class SpawnHook:
    """The hooks with their settings. `previous` are the hooks that were configured before, by name; they run first."""

    def __init__(self, settings: Settings, runtime: Runtime, previous: Mapping[str, Any]) -> None:
        self._settings, self._runtime, self._previous = settings, runtime, dict(previous)
        self._turns = Turns(runtime.schedule, runtime.sleep, runtime.wait_for)
        self._access = AccessDecisions(settings, runtime, self._turns)

    def __deepcopy__(self, _memo: Any) -> SpawnHook:
        """Return the hook itself: traitlets copies configured values for each spawner, and the cache would be lost."""
        return self

    def auth_state(self, spawner: Any, auth_state: Any) -> Any:
        """Be the hub's `auth_state_hook`, which runs before overrides of groups: keep the other hooks."""
        self._keep_hooks(spawner)
        return self._runtime.schedule(self._run(self._previous.get("auth_state_hook"), spawner, auth_state))

    def pre_spawn(self, spawner: Any) -> Any:
        """Be the hub's `pre_spawn_hook`: choose the home."""
        return self._pre_spawn_after(self._previous.get("pre_spawn_hook"), spawner)

    def modify_pod(self, spawner: Any, pod: Any) -> Any:
        """Be the hub's `modify_pod_hook`: return the pod with the home and the shares of its owner."""
        return self._modify_pod_after(self._previous.get("modify_pod_hook"), spawner, pod)

    def _keep_hooks(self, spawner: Any) -> None:
        hooks: dict[str, Callable[..., Any]] = {
            "pre_spawn_hook": self._pre_spawn_after,
            "modify_pod_hook": self._modify_pod_after,
        }
        keep_hooks(spawner, self, hooks)

    def _pre_spawn_after(self, previous: Any, spawner: Any) -> Any:
        return self._runtime.schedule(self._pre_spawn(previous, spawner))

    def _modify_pod_after(self, previous: Any, spawner: Any, pod: Any) -> Any:
        return self._runtime.schedule(self._modify_pod(previous, spawner, pod))

    def options_form(self, spawner: Any) -> Any:
        """Be the hub's `options_form`: return the form that it has without us, with the secret shares to choose from."""
        return self._runtime.schedule(self._options_form(spawner))

    async def _options_form(self, spawner: Any) -> str:
        form = await form_without_us(spawner, self._previous.get("options_form"), self._runtime)
        try:
            offered = await self._access.offered(spawner)
        except AclUnreadable as error:
            spawner.log.warning("odh.persistency: no secret shares in the form of %r: %s", spawner.user.name, error)
            return with_notice(form)
        return with_secret_shares(form, offered)

    async def _pre_spawn(self, previous: Any, spawner: Any) -> None:
        self._keep_hooks(spawner)
        await self._run(previous, spawner)
        if self._settings.home == "claim":
            apply_home(spawner, await self._choose_home(spawner))
            self._apply_home_after_profile(spawner)
        else:
            setattr(spawner, _CONFIGURED, configured_homes(spawner, self._settings.home_path))
        explain_progress(spawner)

    def _apply_home_after_profile(self, spawner: Any) -> None:
        """Apply the choice of the home again after a profile, before KubeSpawner creates a claim: a profile sets any trait."""
        load = spawner.load_user_options
        if getattr(load, "applies_home", False):
            return

        async def load_user_options() -> None:
            await self._run(load)
            home = await self._home(spawner)
            if home:
                apply_home(spawner, home)

        load_user_options.applies_home = True  # type: ignore[attr-defined]
        spawner.load_user_options = load_user_options

    async def _modify_pod(self, previous: Any, spawner: Any, pod: Any) -> Any:
        changed = await self._run(previous, spawner, pod)
        pod = pod if changed is None else changed
        # What the API client would send: whatever hooks and profiles left, typed objects or plain dictionaries.
        plain = spawner.api.api_client.sanitize_for_serialization(pod)
        metadata = plain.get("metadata") or {}
        name = str(metadata.get("name") or spawner.pod_name)
        home = await self._home(spawner)
        known: dict[str, Optional[Claim]] = {claim.name: claim for claim in home.claims} if home else {}
        outcome = await self._decide(spawner, known)
        spec = plain.get("spec") or {}
        if home:
            spec = await self._with_home(spawner, spec, home, known)
        spec, unread = await self._verified_spec(spawner, spec, name, known)
        if unread:
            outcome = outcome.noted(not_read(unread))
        spec = with_shares(spec, outcome.mounts)
        spec, outcome = await self._with_software(spawner, spec, outcome, known)
        homes = [home.name] if home else _configured(spawner).claims
        if homes and not mounts_claim(spec, homes):
            outcome = outcome.noted(NO_HOME)
        if self._settings.mount_points == "init":
            spec = with_mount_points(spec, outcome.mounts, self._settings.home_path)
            sleep = self._runtime.sleep
            if makes_mount_points(spec) and sleep is not None:
                said = notes_of_init_container(spawner, pod_uid(spawner), sleep)
                self._runtime.schedule(self._report_mount_points(spawner, name, said))
        text = stamp(outcome)
        # Kubernetes expands $(NAME) in variables, and replaces $$ by $.
        spec = with_environment(spec, GRANTED_VARIABLE, text.replace("$", "$$"))
        annotations = {**(metadata.get("annotations") or {}), GRANTED_ANNOTATION: text}
        spawner.log.info("odh.persistency granted user=%r server=%r %s", spawner.user.name, spawner.name, text)
        await self._report(spawner, outcome, name)
        remember_mounts(spawner, outcome.mounts)
        if isinstance(pod, dict):
            return {**plain, "spec": spec, "metadata": {**metadata, "annotations": annotations}}
        pod.spec = spec
        pod.metadata.annotations = annotations
        return pod

    async def _choose_home(self, spawner: Any) -> HomeChoice:
        try:
            choice = await choose_home(spawner, self._client(spawner))
        except HomeRefused as error:
            self._refuse(spawner, error.message, error.detail)
        except ApiFailure as error:
            self._refuse(spawner, _UNREADABLE_HOMES, str(error))
        setattr(spawner, _CHOICE, (spawner.namespace, choice))
        return choice

    async def _home(self, spawner: Any) -> Optional[HomeChoice]:
        """Return the home that was chosen before KubeSpawner created a claim, None if the hook chooses none."""
        if self._settings.home != "claim":
            return None
        namespace, choice = getattr(spawner, _CHOICE, ("", None))
        # A profile may start the server in another namespace.
        return choice if choice and namespace == spawner.namespace else await self._choose_home(spawner)

    async def _decide(self, spawner: Any, known: dict[str, Optional[Claim]]) -> Outcome:
        try:
            return await self._access.decide(spawner, known)
        except AclUnreadable as error:
            if self._settings.policy == "deny":
                self._refuse(spawner, _UNREADABLE_ACL, str(error))
            spawner.log.warning("odh.persistency: no shares for %r: %s", spawner.user.name, error)
            return without_acl()

    async def _with_home(
        self, spawner: Any, spec: Mapping[str, Any], home: HomeChoice, known: dict[str, Optional[Claim]]
    ) -> dict[str, Any]:
        """Return the pod's spec with the home, whose claim is read unless it was when it was chosen."""
        changed = with_home(spec, [*home.server.computed, spawner.pvc_name], home.name)
        if ClaimUse(home.name) in claims_of(changed, spawner.pod_name):
            was_read = home.name in known
            try:
                claim = await self._claim(spawner, home.name, known)
                if claim is not None and not was_read:
                    check_home(home, claim)
                reason = await self._reason_to_remove(spawner, ClaimUse(home.name), known)
            except HomeRefused as error:
                self._refuse(spawner, error.message, error.detail)
            except ApiFailure as error:
                reason = f"it cannot be read ({error})"
            if reason:
                self._refuse(spawner, _HOME_LOST, f"the home {home.name} of {spawner.user.name!r}: {reason}")
        return changed

    async def _verified_spec(
        self, spawner: Any, spec: Mapping[str, Any], pod_name: str, known: dict[str, Optional[Claim]]
    ) -> tuple[dict[str, Any], list[str]]:
        """Return the pod's spec without claims that this user must not mount, and the names of those that cannot be read.

        `known` are read claims.
        """
        homes, unread = _configured(spawner), []
        changed, others = with_plain_templates(spec)
        reasons = dict.fromkeys(claims_of(changed, pod_name), "")
        for use in reasons:
            try:
                reasons[use] = await self._reason_to_remove(spawner, use, known)
            except ApiFailure as error:
                reasons[use] = f"it cannot be read ({error})"
                unread.append(use.name)
        removed = {use: reason for use, reason in reasons.items() if reason}
        for use, reason in removed.items():
            if use.is_mounted and use.name in homes.claims:
                self._refuse(spawner, _HOME_LOST, f"the home {use.name} of {spawner.user.name!r}: {reason}")
        changed, folders = without_other_folders(without_claims(changed, removed, pod_name), homes)
        other = ": it is filled from something other than a claim of this namespace"
        lines = [
            *((f"claim {use.name}", f": {reason}") for use, reason in removed.items()),
            *((f"volume {name}", other) for name in others),
            *((folder, "") for folder in folders),
        ]
        for what, reason in lines:
            spawner.log.warning("odh.persistency: %s removed from the pod of %r%s", what, spawner.user.name, reason)
        trees = [name for name, claim in known.items() if claim is not None and claim.kind == TREE]
        return with_read_only(changed, trees), unread

    async def _reason_to_remove(self, spawner: Any, use: ClaimUse, known: dict[str, Optional[Claim]]) -> str:
        """Return why a claim must not be in the pod, or what it was copied from. Raises ApiFailure."""
        user, homes = spawner.user.name, _configured(spawner).claims
        names = [use.name]
        for name in names:  # grows with the sources of copies
            claim = await self._claim(spawner, name, known)
            is_mounted = use.is_mounted and name == use.name
            is_home = is_mounted and name in homes
            reason = reason_to_remove(name, claim, user, is_home)
            if not reason and name in homes and not is_home:
                reason = "it is a home of this hub, which is not copied"
            if not reason and is_mounted and claim is not None and claim.terminating:
                reason = "it is being deleted"
            if reason:
                return reason if name == use.name else f"it is a copy of claim {name}: {reason}"
            # An administrator who gives somebody a home knows what it was copied from.
            if claim is not None and claim.user != user and not is_home:
                names += [source for source in claim.sources if source not in names]
            if len(names) > _MOST_COPIES:
                return "it is a copy of too many copies"
        return ""

    async def _claim(self, spawner: Any, name: str, known: dict[str, Optional[Claim]]) -> Optional[Claim]:
        """Return a claim, read once for each start. Raises ApiFailure."""
        if name not in known:
            known[name] = await self._client(spawner).claim(name)
        return known[name]

    async def _with_software(
        self, spawner: Any, spec: dict[str, Any], outcome: Outcome, known: dict[str, Optional[Claim]]
    ) -> tuple[dict[str, Any], Outcome]:
        """Return the pod's spec with the software tree, if one is configured. Servers start without one that is missing."""
        software = self._settings.software
        if software is None:
            return spec, outcome
        try:
            reason = reason_not_software(software.claim, await self._claim(spawner, software.claim, known))
        except ApiFailure as error:
            reason = f"its claim cannot be read ({error})"
        if not reason:
            return with_software(spec, software), outcome
        spawner.log.warning("odh.persistency: no software for %r: %s", spawner.user.name, reason)
        return spec, outcome.noted(NO_SOFTWARE)

    async def _report(self, spawner: Any, outcome: Outcome, pod_name: str) -> None:
        """Show the outcome on the progress page. The server starts without this if the hub may not create Events."""
        for mount in outcome.secret_mounts:
            record = secret_record(spawner.user.name, spawner.name, mount, outcome.digest, requester(spawner))
            spawner.log.info("odh.persistency secret share mounted %s", record)
        await self._create_events(spawner, pod_name, messages_of(outcome))

    async def _report_mount_points(self, spawner: Any, pod_name: str, notes: Awaitable[Sequence[str]]) -> None:
        """Report what the init container of the mount points says, while the server starts."""
        found = await notes
        for note in found:
            spawner.log.info("odh.persistency mount point user=%r server=%r %r", spawner.user.name, spawner.name, note)
        await self._create_events(spawner, pod_name, messages_of_notes(found))

    async def _create_events(self, spawner: Any, pod_name: str, messages: Sequence[Message]) -> None:
        pod = {"name": pod_name, "namespace": spawner.namespace}
        client, time = self._client(spawner), self._runtime.clock()
        bodies = [event(pod, message, time) for message in messages]
        for request in [self._runtime.schedule(client.create_event(body)) for body in bodies]:  # all at once
            try:
                await request
            except ApiFailure as error:
                spawner.log.warning("odh.persistency: no Event for %r: %s", spawner.user.name, error)

    async def _run(self, hook: Any, *arguments: Any) -> Any:
        """Run a hook that something else has set, which may be asynchronous, or None."""
        return None if hook is None else await self._runtime.result_of(hook(*arguments))

    def _client(self, spawner: Any) -> KubernetesClient:
        return KubernetesClient(spawner, spawner.namespace, self._settings.timeout, self._turns)

    def _refuse(self, spawner: Any, message: str, detail: str) -> Any:
        spawner.log.warning("odh.persistency: start of %r refused: %s", spawner.user.name, detail)
        spare_failure_count(spawner, self._runtime.hub_version)
        raise refusal(self._runtime.http_error, message)  # pylint: disable=raising-non-exception


def _configured(spawner: Any) -> ConfiguredHomes:
    found: ConfiguredHomes = getattr(spawner, _CONFIGURED, ConfiguredHomes())
    return found
