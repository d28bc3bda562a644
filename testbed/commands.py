"""The command lines of a testbed's processes. A process with another command line is outdated."""

from __future__ import annotations

import hashlib
from pathlib import Path

from . import binaries
from .paths import HERE

AUDIT_POLICY = HERE / "audit-policy.yaml"
AUDIT_MAXIMUM_MB = 100_000  # no rotation while the server runs; a cold start creates a new log


def audit_policy(data: Path) -> Path:
    """Return the path of the audit policy of the testbed in `data`. Its name changes with the content."""
    digest = hashlib.sha256(AUDIT_POLICY.read_bytes()).hexdigest()[:8]
    return data / f"audit-policy-{digest}.yaml"


def commands(data: Path, ports: dict[str, int]) -> dict[str, list[str]]:
    """Return the command line of each process of the testbed in `data`, whose servers listen on `ports`."""
    located = binaries.locate()
    keys = data / "pki"
    etcd = f"https://127.0.0.1:{ports['etcd']}"
    return {
        "etcd": [
            str(located["etcd"]),
            "--name=testbed",
            f"--data-dir={data}/etcd",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            "--listen-peer-urls=https://127.0.0.1:0",
            f"--cert-file={keys}/etcd.crt",
            f"--key-file={keys}/etcd.key",
            f"--trusted-ca-file={keys}/etcd-ca.crt",
            "--client-cert-auth",
            f"--peer-cert-file={keys}/etcd.crt",
            f"--peer-key-file={keys}/etcd.key",
            f"--peer-trusted-ca-file={keys}/etcd-ca.crt",
            "--peer-client-cert-auth",
            # The data need not survive a power failure, and without fsync a start takes 2 s instead of 6 to 14.
            "--unsafe-no-fsync",
            f"--quota-backend-bytes={8 * 2**30}",
        ],
        "kube-apiserver": [
            str(located["kube-apiserver"]),
            f"--etcd-servers={etcd}",
            f"--etcd-cafile={keys}/etcd-ca.crt",
            f"--etcd-certfile={keys}/etcd-client.crt",
            f"--etcd-keyfile={keys}/etcd-client.key",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            # It would reject a loopback address. Nothing here uses the `kubernetes` service.
            "--endpoint-reconciler-type=none",
            f"--secure-port={ports['kube-apiserver']}",
            f"--tls-cert-file={keys}/apiserver.crt",
            f"--tls-private-key-file={keys}/apiserver.key",
            f"--client-ca-file={keys}/ca.crt",
            # Its certificate for kubelet, for logs and exec on a testbed with a node.
            f"--kubelet-client-certificate={keys}/kubelet-client.crt",
            f"--kubelet-client-key={keys}/kubelet-client.key",
            "--anonymous-auth=false",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={keys}/service-accounts.pub",
            f"--service-account-signing-key-file={keys}/service-accounts.key",
            f"--audit-policy-file={audit_policy(data)}",
            f"--audit-log-path={data}/logs/audit.log",
            f"--audit-log-maxsize={AUDIT_MAXIMUM_MB}",
        ],
        "kube-controller-manager": [
            str(located["kube-controller-manager"]),
            f"--kubeconfig={data}/controller-manager.kubeconfig",
            "--secure-port=0",
            "--leader-elect=false",
            "--use-service-account-credentials",
            f"--root-ca-file={keys}/ca.crt",
            f"--service-account-private-key-file={keys}/service-accounts.key",
            # A namespace with 10,000 homes is deleted in seconds, instead of minutes at the default of 20 requests a second.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            # Each round repeats an event for every Pending claim, which takes most of the time with thousands of claims.
            # Binding itself does not wait for a round.
            "--pvclaimbinder-sync-period=2m",
        ],
    }
