"""Kubeconfigs for users with fewer permissions than the admin, and for users that the server rejects.

    bin/dev python -m testbed.users --user intern --group interns -o intern.kubeconfig
    bin/dev python -m testbed.users --user intern --expired -o expired.kubeconfig
    bin/dev python -m testbed.users --service-account hub --namespace jupyter -o hub.kubeconfig

A new user has no permissions until a RoleBinding names it. `--wrong-ca` gives a kubeconfig that does not trust the server.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jwt

from . import kubeconfig, pki, progress, state
from .progress import TestbedError
from .state import Testbed

ISSUER = "https://kubernetes.default.svc"
DAY = datetime.timedelta(days=1)


def write(testbed: Testbed, path: Path, name: str, user: dict[str, Any], *, namespace: str, wrong_ca: bool) -> Path:
    """Return a kubeconfig for `user` (the value of that key). With `wrong_ca` it trusts another authority than the server's."""
    authority = pki.make_authority("another").certificate if wrong_ca else (testbed.pki / "ca.crt").read_bytes()
    return kubeconfig.write(path, kubeconfig.document(testbed.server, authority, name, user, namespace))


def certificate(
    testbed: Testbed, name: str, groups: Iterable[str] = (), *, lifetime: datetime.timedelta = DAY
) -> dict[str, Any]:
    """Return the kubeconfig user for a client certificate. With a negative `lifetime` it expired that long ago."""
    pair = pki.issue(pki.Pair.read(testbed.pki, "ca"), name, groups, lifetime=lifetime)
    return kubeconfig.certificate_user(pair.certificate, pair.key)


def token(testbed: Testbed, namespace: str, service_account: str, *, lifetime: datetime.timedelta = DAY) -> str:
    """Return a token of an existing service account from the API server, or an expired one if `lifetime` is negative.

    Raises TestbedError when there is no such service account. The server issues no tokens that are valid for less than
    ten minutes.
    """
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}"
    if lifetime > datetime.timedelta(0):
        body = {"spec": {"expirationSeconds": int(lifetime.total_seconds())}}
        status, answer = testbed.client().request("POST", f"{path}/token", body)
        if status != 201:
            raise TestbedError(f"no token for service account {namespace}/{service_account}: {_message(answer)}")
        return str(answer["status"]["token"])
    status, account = testbed.client().request("GET", path)
    if status != 200:
        raise TestbedError(f"no service account {namespace}/{service_account}: {_message(account)}")
    return _expired(testbed, account, -lifetime)


def _expired(testbed: Testbed, account: dict[str, Any], ago: datetime.timedelta) -> str:
    """Return the token that the server would have signed an hour before `ago`."""
    namespace, name, uid = (account["metadata"][key] for key in ("namespace", "name", "uid"))
    ended = int(time.time() - ago.total_seconds())
    claims = {
        "aud": [ISSUER],
        "iss": ISSUER,
        "sub": f"system:serviceaccount:{namespace}:{name}",
        "iat": ended - 3600,
        "nbf": ended - 3600,
        "exp": ended,
        "jti": str(uuid.uuid4()),
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}},
    }
    return jwt.encode(claims, (testbed.pki / "service-accounts.key").read_bytes(), algorithm="ES256")


def _message(answer: Any) -> str:
    return str(answer.get("message", answer) if isinstance(answer, dict) else answer)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m testbed.users", description="Make a kubeconfig for the testbed.")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--user", help="a client certificate with this name")
    who.add_argument("--service-account", help="a token of this service account")
    parser.add_argument("--group", action="append", default=[], help="a group of the user; may be given again")
    parser.add_argument("--namespace", default="default", help="of the service account, and the default in the file")
    parser.add_argument("--expired", action="store_true", help="one whose certificate or token expired an hour ago")
    parser.add_argument("--wrong-ca", action="store_true", help="one that does not trust the server")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    lifetime = -datetime.timedelta(hours=1) if options.expired else DAY
    try:
        testbed = state.load()
        if options.user:
            user = certificate(testbed, options.user, options.group, lifetime=lifetime)
        else:
            user = {"token": token(testbed, options.namespace, options.service_account, lifetime=lifetime)}
        name = options.user or f"system:serviceaccount:{options.namespace}:{options.service_account}"
        write(testbed, options.output, name, user, namespace=options.namespace, wrong_ca=options.wrong_ca)
    except TestbedError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1
    progress.say(f"wrote {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
