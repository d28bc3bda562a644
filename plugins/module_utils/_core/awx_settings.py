# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the role awx: what AWX would reject after some objects exist, or accept and not do.

Messages have no full stop. They never contain a secret.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Optional
from urllib.parse import urlsplit

from .text import did_you_mean

TOKENS = ("awx_read_token", "awx_write_token", "awx_hub_token")
RRULES = ("awx_drift_rrule", "awx_site_rrule")
FREQUENCIES = ("MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
#: The largest COUNT that AWX accepts.
MOST_RUNS = 999

#: What AWX requires of a notification, by its type (init_parameters of awx.main.notifications, without those with a default).
NOTIFICATION_SETTINGS: Mapping[str, Mapping[str, type]] = {
    "awssns": {},
    "email": {
        "host": str,
        "port": int,
        "username": str,
        "password": str,
        "use_tls": bool,
        "use_ssl": bool,
        "sender": str,
        "recipients": list,
    },
    "grafana": {"grafana_url": str, "grafana_key": str},
    "irc": {"server": str, "port": int, "nickname": str, "password": str, "use_ssl": bool, "targets": list},
    "mattermost": {"mattermost_url": str, "mattermost_no_verify_ssl": bool},
    "pagerduty": {"subdomain": str, "token": str, "service_key": str, "client_name": str},
    "rocketchat": {"rocketchat_url": str, "rocketchat_no_verify_ssl": bool},
    "slack": {"token": str, "channels": list},
    "twilio": {"account_sid": str, "account_token": str, "from_number": str, "to_numbers": list},
    "webhook": {"url": str, "headers": dict},
}
_TYPE_NAMES: Mapping[type, str] = {
    str: "text",
    int: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a dictionary",
}

_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def setting_errors(settings: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the variables of the role, by name. Those that are not set are empty.

    Their types and which of them must be set is Ansible's to check, by the argument specification.
    """
    errors = [
        *_name_errors(settings),
        *_place_errors(settings),
        *_pair_errors(settings),
        *_notification_errors(settings["awx_notification_type"], settings["awx_notification_configuration"]),
    ]
    errors += [f"{name} {error}" for name in TOKENS for error in _token_errors(settings[name])]
    errors += [f"{name} {error}" for name in RRULES for error in _rrule_errors(settings[name])]
    return errors


def _name_errors(settings: Mapping[str, Any]) -> Iterator[str]:
    for name in ("awx_name", "awx_organization"):
        if not settings[name].strip():
            yield f"{name} is empty: set a name"
        elif "++" in settings[name]:
            yield f"{name} contains `++`, which separates names in AWX: choose another name"
    if settings["awx_organization"].isdigit():
        yield "awx_organization is a number, which awx.awx takes for an ID: set the name of the organization"


def _place_errors(settings: Mapping[str, Any]) -> Iterator[str]:
    for name in ("awx_project_url", "awx_inventory_file", *TOKENS[:2]):
        if not settings[name].strip():
            yield f"{name} is empty: set it"
    project = urlsplit(settings["awx_project_url"])
    # The name of an SSH user is no secret. That of HTTPS may be a token.
    if project.password or (project.username and project.scheme in ("http", "https")):
        yield (
            "awx_project_url contains a password or a token, which everybody who sees the project would see: use "
            "awx_project_credential"
        )
    for name, way_out in (("awx_cluster_host", "remove it"), ("awx_hub_url", "remove it, and set awx_hub_token")):
        if "@" in urlsplit(settings[name]).netloc:
            yield f"{name} contains a login, which everybody who sees the job would see: {way_out}"
    if settings["awx_inventory_file"].startswith("/"):
        yield "awx_inventory_file is an absolute path: set its path in the project"
    if not settings["awx_cluster_host"].startswith("https://"):
        yield "awx_cluster_host does not begin with https://: set the URL of the API server"
    if settings["awx_hub_url"] and not settings["awx_hub_url"].startswith(("https://", "http://")):
        yield "awx_hub_url does not begin with https:// or http://: set the URL of the hub"
    if "-----BEGIN CERTIFICATE-----" not in settings["awx_cluster_ca"]:
        yield (
            "awx_cluster_ca contains no certificate in PEM format: set the content of the file, and not its name. Without "
            "it, AWX does not verify TLS"
        )


def _pair_errors(settings: Mapping[str, Any]) -> Iterator[str]:
    if bool(settings["awx_image"]) == bool(settings["awx_execution_environment"]):
        what = "both set" if settings["awx_image"] else "not set"
        yield (
            f"awx_image and awx_execution_environment are {what}: set awx_image to create an execution environment, or "
            "awx_execution_environment to use one that exists"
        )
    if settings["awx_hub_url"] and not settings["awx_hub_token"]:
        yield "awx_hub_url is set, and awx_hub_token is not: set both, or none if jobs need not ask the hub"
    for one, other in (
        ("awx_notification_type", "awx_notification_configuration"),
        ("awx_notification_configuration", "awx_notification_type"),
    ):
        if settings[one] and not settings[other]:
            yield f"{one} is set, and {other} is not: set both or none"


def _token_errors(token: str) -> Iterator[str]:
    if re.search(r"\s", token):
        yield "contains spaces or line breaks: remove them"
    elif token.startswith("ZXlK"):
        yield "is encoded with base64, as Secrets are: decode it (base64 -d)"


def _rrule_errors(rrule: str) -> Iterator[str]:
    """Yield what the API of AWX rejects in the rule of a schedule (awx.api.serializers, SchedulePreviewSerializer)."""
    starts = re.findall(r"DTSTART(?:;[^:\s]+)?:\d{8}T\d{6}Z?(?=\s|$)", rrule)
    rules = re.findall(r"(?<=RULE:)\S*", rrule)
    if len(starts) != 1 or "RRULE:" not in rrule:
        yield "needs one DTSTART and an RRULE: write it like `DTSTART;TZID=Etc/UTC:20260101T001700 RRULE:FREQ=HOURLY;INTERVAL=1`"
    elif ";" not in starts[0] and not starts[0].endswith("Z"):
        yield "has a DTSTART without a time zone: add `;TZID=Etc/UTC` or end it with Z"
    elif not _is_time(starts[0].rpartition(":")[2].rstrip("Z")):
        yield f"has a DTSTART that is no date and time: {starts[0].rpartition(':')[2]}"
    if re.search(r"(?:EX|R)DATE:", rrule):
        yield "has dates (EXDATE or RDATE), which AWX does not support: remove them"
    for rule in rules:
        yield from _rule_errors(rule)


def _is_time(text: str) -> bool:
    try:
        datetime.datetime.strptime(text, "%Y%m%dT%H%M%S")
    except ValueError:
        return False
    return True


def _rule_errors(rule: str) -> Iterator[str]:
    parts = dict(part.partition("=")[::2] for part in rule.upper().split(";"))
    frequency, interval, count = parts.get("FREQ", ""), parts.get("INTERVAL"), parts.get("COUNT")
    if frequency == "SECONDLY":
        yield "has FREQ=SECONDLY, but AWX allows minutes and longer"
    elif frequency not in FREQUENCIES:
        yield f"has FREQ={frequency} in {rule}: use one of {', '.join(FREQUENCIES)}"
    if interval is None:
        yield f"has no INTERVAL in {rule}: add `;INTERVAL=1`"
    elif not (interval.isdecimal() and int(interval)):
        yield f"has INTERVAL={interval} in {rule}: set 1 or more"
    if re.search(r"\d", parts.get("BYDAY", "")):
        yield f"has a number in BYDAY={parts['BYDAY']}, which AWX does not support: name only days, such as MO, and use BYSETPOS"
    for name in ("BYYEARDAY", "BYWEEKNO"):
        if name in parts:
            yield f"has {name} in {rule}, which not every AWX supports: remove it"
    if count is not None and "UNTIL" in parts:
        yield f"has COUNT and UNTIL in {rule}: remove one of them"
    if count is not None and not (count.isdecimal() and 0 < int(count) <= MOST_RUNS):
        yield f"has COUNT={count} in {rule}: set 1 to {MOST_RUNS}, or remove it"


def _notification_errors(kind: str, configuration: Mapping[str, Any]) -> Iterator[str]:
    required = NOTIFICATION_SETTINGS.get(kind, {}) if configuration else {}
    for name, expected in required.items():
        value = configuration.get(name)
        if name not in configuration:
            near = did_you_mean(name, [str(key) for key in configuration if key not in required])
            yield f"awx_notification_configuration has no {name}, which the type {kind} requires{near}: add it"
        elif not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            yield f"awx_notification_configuration: {name} must be {_TYPE_NAMES[expected]}"
        elif expected is list and not value:
            yield f"awx_notification_configuration: {name} is empty: name at least one"


def setting_warnings(settings: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each token of a service account that expires. Secrets hold tokens that do not."""
    return [
        f"{name} expires on {expiry}: scheduled jobs fail from then on. The token of a Secret of the type "
        "kubernetes.io/service-account-token does not expire, see examples/rbac/drift.yml."
        for name in TOKENS
        for expiry in [_expiry(settings[name])]
        if expiry is not None
    ]


def _expiry(token: str) -> Optional[str]:
    """Return when a JSON Web Token expires, None if it does not or if it is no such token."""
    if not _JWT.fullmatch(token):
        return None
    payload = token.split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return f"{datetime.datetime.fromtimestamp(claims['exp'], datetime.timezone.utc):%Y-%m-%d %H:%M} UTC"
    except (binascii.Error, ValueError, KeyError, TypeError, OverflowError, OSError):
        return None
