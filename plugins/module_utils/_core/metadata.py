# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels, annotations and names of Kubernetes objects: the keys that are ours, and what the API server accepts."""

from __future__ import annotations

import re
from typing import Optional

OUR_PREFIX = "odh.persistency/"
KIND_LABEL = OUR_PREFIX + "kind"
OWNER_LABEL = OUR_PREFIX + "owner"
#: The owner of the claims of shares: with one list, the spawn hook reads them and the homes of a user.
OWNER_OF_SHARES = "shares"
PRIMARY_ANNOTATION = OUR_PREFIX + "primary"
RETIRED_ANNOTATION = OUR_PREFIX + "retired-at"
KIND_HOME = "home"
KIND_SHARE = "share"
KIND_TREE = "tree"
#: A label (a hash when the name is not a valid label value) and an annotation (the name itself, which decides).
SHARE_KEY = OUR_PREFIX + "share"
#: The same for a software tree.
TREE_KEY = OUR_PREFIX + "tree"
#: What precedes the name of a tree wherever shares and trees are compared. No name of a share has a colon.
TREE_PREFIX = "tree:"
#: On a static volume that was created as a copy: the name of the original volume.
CLONE_ANNOTATION = OUR_PREFIX + "clone-of"
#: On a claim that existed before `existing_claim` or `adopt` assigned it to the share: it stays when the share is deleted.
FOUND_ANNOTATION = OUR_PREFIX + "found"
#: On the volume of a share's first claim: the UID of that claim. Whoever may edit claims can write our marks on them, but
#: not on volumes, so only a claim whose volume has this annotation with the claim's UID is copied to other namespaces.
CLAIM_UID_ANNOTATION = OUR_PREFIX + "claim-uid"
#: On a claim and a volume of a share: the strictest level that was in force for its data.
LEVEL_ANNOTATION = OUR_PREFIX + "level"
#: On the pod of a server: the time at which a run found access that is not granted.
EXCESS_ANNOTATION = OUR_PREFIX + "excess-since"
#: On the pod of a server: the claims that this access concerned, with commas. Later excess counts from its own start.
EXCESS_CLAIMS_ANNOTATION = OUR_PREFIX + "excess-claims"

USERNAME_LABEL = "hub.jupyter.org/username"
USERNAME_ANNOTATION = "hub.jupyter.org/username"
SERVERNAME_ANNOTATION = "hub.jupyter.org/servername"
# Written by KubeSpawner 7 and never by us, nor compared.
VERSION_ANNOTATIONS = ("hub.jupyter.org/kubespawner-version", "hub.jupyter.org/jupyterhub-version")
STORAGE_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"

#: The states of a home or share. The `state` of an entry takes precedence over that of the run.
STATES = PRESENT, RETIRED, ABSENT = ("present", "retired", "absent")

#: A namespace is an RFC 1123 label.
NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")

_KEY_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_NAME_LENGTH = 63
_ANNOTATIONS_BYTES = 256 * 1024
_CLAIM_LENGTH = 253
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")


def claim_name_error(name: str) -> Optional[str]:
    """Return why the API server rejects this as the name of a claim ("is ..."), None when it accepts it.

    Source: Kubernetes, ``ValidatePersistentVolumeName``: an RFC 1123 subdomain of at most 253 characters.
    """
    if not name:
        return "is empty"
    if len(name) > _CLAIM_LENGTH:
        return f"is {len(name)} characters long, and the API server accepts {_CLAIM_LENGTH}"
    if not _SUBDOMAIN.fullmatch(name):
        return (
            "is not made of lower-case letters, digits, '-' and '.' "
            "with a letter or digit at its ends and beside each dot, as the API server requires"
        )
    return None


def label_error(key: object, value: object) -> Optional[str]:
    """Return why the API server rejects a label, as a clause that starts with the key and ends with the way out, or None.

    Source: Kubernetes, ``k8s.io/apimachinery/pkg/api/validate/content/kube.go``: ``IsLabelKey``, ``IsLabelValue``.
    """
    error = label_key_error(key)
    if error is not None:
        return error
    error = label_value_error(value)
    return None if error is None else f"{key}: {error}"


def annotation_error(key: object, value: object) -> Optional[str]:
    """Return why the API server rejects an annotation, as a clause that starts with the key, or None.

    Source: Kubernetes, ``ValidateAnnotations``: a label key in any case, any string as value, and at most 256 KiB for
    all annotations of an object.
    """
    error = label_key_error(key.lower() if isinstance(key, str) else key)
    if error is not None:
        return error
    if not isinstance(value, str):
        return f"{key}: {value!r} is not a string, and annotations are strings; put it in quotes"
    if len(value.encode("utf-8", "surrogatepass")) > _ANNOTATIONS_BYTES:
        return f"{key}: the value is larger than the 256 KiB that the annotations of an object may have; shorten it"
    return None


def label_key_error(key: object) -> Optional[str]:
    """Return why the API server rejects the key of a label, as a clause that starts with the key, or None."""
    if not isinstance(key, str):
        return f"{key!r} is not a string, and keys are strings; put it in quotes"
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        return f"{key!r} has an empty prefix; put a domain before the '/' or remove the '/'"
    if "/" in prefix:
        return f"{key!r} has more than one '/'; write it as domain/name"
    # The same rule as for the name of a claim: an RFC 1123 subdomain.
    if prefix and claim_name_error(prefix):
        return f"{key!r} has a prefix that is not a lower-case domain of at most 253 characters; correct it"
    if len(name) > _NAME_LENGTH or not _KEY_NAME.fullmatch(name):
        return (
            f"{key!r} is not a valid key: write at most {_NAME_LENGTH} letters, digits, '-', '_' "
            "and '.', with a letter or digit at both ends"
        )
    return None


def label_value_error(value: object) -> Optional[str]:
    """Return why the API server rejects the value of a label, as a clause that starts with the value, or None."""
    if not isinstance(value, str):
        return f"{value!r} is not a string, and values are strings; put it in quotes"
    if value and (len(value) > _NAME_LENGTH or not _KEY_NAME.fullmatch(value)):
        return (
            f"{value!r} is not a valid label value: write at most {_NAME_LENGTH} letters, "
            "digits, '-', '_' and '.', with a letter or digit at both ends, or make it an annotation"
        )
    return None
