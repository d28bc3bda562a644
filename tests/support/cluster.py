"""The cluster under test: the testbed, or the one that KUBECONFIG names.

Independent of the collection's own code on purpose, so that tests check a module's results by other means.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import kubernetes

from testbed import control_plane, kubeconfig, paths
from testbed.state import Testbed

Object = dict[str, Any]
T = TypeVar("T")

PREFIX = "odhp"  # of the names of namespaces created here
TEST_LABEL = "odh-persistency-test"  # on every namespace, volume and cluster role created here
CLUSTER_WIDE = ("persistentvolumes", "csidrivers", "clusterrolebindings", "clusterroles", "groups")
APIS = {
    "namespaces": "/api/v1",
    "nodes": "/api/v1",
    "persistentvolumes": "/api/v1",
    "persistentvolumeclaims": "/api/v1",
    "pods": "/api/v1",
    "events": "/api/v1",
    "configmaps": "/api/v1",
    "secrets": "/api/v1",
    "resourcequotas": "/api/v1",
    "serviceaccounts": "/api/v1",
    "storageclasses": "/apis/storage.k8s.io/v1",
    "csidrivers": "/apis/storage.k8s.io/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
    "clusterroles": "/apis/rbac.authorization.k8s.io/v1",
    "clusterrolebindings": "/apis/rbac.authorization.k8s.io/v1",
    "groups": "/apis/user.openshift.io/v1",
    "customresourcedefinitions": "/apis/apiextensions.k8s.io/v1",
    "deployments": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "deploymentconfigs": "/apis/apps.openshift.io/v1",
    "projects": "/apis/project.openshift.io/v1",
    "securitycontextconstraints": "/apis/security.openshift.io/v1",
}


#: The type of OpenShift's requests for Projects, which a test creates for a moment.
PROJECT_REQUESTS = "projectrequests.project.openshift.io"


class ClusterError(Exception):
    """An unexpected response of the API server."""

    def __init__(self, status: int, answer: Any, request: str) -> None:
        message = answer.get("message") if isinstance(answer, dict) else answer
        super().__init__(f"{request}: {status} {message}")
        self.status = status


def path(resource: str, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
    """Return the URL path of a collection or an object: `path("pods", "ns", "a", "status")`."""
    parts = [APIS[resource]]
    parts += ["namespaces", namespace] if namespace else []
    return "/".join([*parts, resource, *(quote(part) for part in (name, subresource) if part)])


def wait_for(probe: Callable[[], T | None], what: str, within: float = 30.0) -> T:
    """Call `probe` until it returns something true, and return that. Raises TimeoutError with `what` in its text."""
    deadline = time.monotonic() + within
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {within:.0f} s")
        time.sleep(0.05)


@dataclass
class Cluster:
    """Sends requests and creates what tests need on a cluster. `clean_up` removes everything created through it."""

    kubeconfig: Path
    testbed: Testbed | None
    """None on another cluster, which has no audit log for us and unknown storage classes."""
    _namespaces: list[str] = field(default_factory=list)
    _cluster_wide: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def connect(cls) -> Cluster:
        """Return the cluster of KUBECONFIG, or else the testbed, which is started if it is down."""
        chosen = os.environ.get("KUBECONFIG")
        if not chosen or Path(chosen) == paths.data_dir() / "kubeconfig":
            testbed = control_plane.up()
            return cls(testbed.kubeconfig, testbed)
        return cls(Path(chosen), None)

    def __post_init__(self) -> None:
        configuration = kubernetes.client.Configuration()
        kubernetes.config.load_kube_config(str(self.kubeconfig), client_configuration=configuration)
        configuration.retries = False
        configuration.connection_pool_maxsize = 16
        self._configuration = configuration
        self._pool = kubernetes.client.ApiClient(configuration).rest_client.pool_manager

    @property
    def environment(self) -> dict[str, str]:
        """The caller's environment with this cluster's kubeconfig, for commands."""
        chosen = str(self.kubeconfig)
        return os.environ | {"KUBECONFIG": chosen, "K8S_AUTH_KUBECONFIG": chosen}

    # --- requests ---

    def request(
        self,
        method: str,
        address: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """Send a request and return the decoded response. Raises ClusterError unless the status is 2xx."""
        headers: dict[str, str] = {
            "User-Agent": "odh-persistency-tests",
            "Accept": "application/json",
            "Content-Type": content_type,
        }
        bearer = self._configuration.auth_settings().get("BearerToken")
        if bearer:
            headers["Authorization"] = str(bearer["value"])
        url = self._configuration.host + address + (f"?{urlencode(query)}" if query else "")
        content = None if body is None else json.dumps(body).encode()
        answer = self._pool.request(method, url, body=content, headers=headers, timeout=30.0)
        try:
            decoded = json.loads(answer.data)
        except ValueError:
            decoded = answer.data.decode(errors="replace")
        if not 200 <= answer.status < 300:
            raise ClusterError(answer.status, decoded, f"{method} {address}")
        return decoded  # type: ignore[no-any-return]

    def get(self, resource: str, name: str, namespace: str | None = None) -> Object | None:
        """Return the object, or None if it does not exist."""
        try:
            return self.request("GET", path(resource, namespace, name))
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    def list(self, resource: str, namespace: str | None = None, **query: str) -> list[Object]:
        """Return all objects. Keyword arguments such as `labelSelector="a=b"` go into the query."""
        found: list[Object] = []
        page: dict[str, str] = {"limit": "500"}
        while True:
            answer = self.request("GET", path(resource, namespace), query=query | page)
            found += answer["items"]
            if not answer["metadata"].get("continue"):
                return found
            page["continue"] = answer["metadata"]["continue"]

    def create(self, resource: str, body: Object, namespace: str | None = None) -> Object:
        made = self.request("POST", path(resource, namespace), body)
        if resource == "namespaces":
            self._namespaces.append(made["metadata"]["name"])
        elif namespace is None:
            self._cluster_wide.append((resource, made["metadata"]["name"]))
        return made

    def patch(
        self, resource: str, name: str, body: Object, namespace: str | None = None, subresource: str | None = None
    ) -> Object:
        """Send a merge patch."""
        address = path(resource, namespace, name, subresource)
        return self.request("PATCH", address, body, content_type="application/merge-patch+json")

    def delete(self, resource: str, name: str, namespace: str | None = None, **options: Any) -> None:
        """Delete an object if it exists. `options` are DeleteOptions."""
        try:
            self.request("DELETE", path(resource, namespace, name), options or None)
        except ClusterError as error:
            if error.status != 404:
                raise

    def kubectl(self, *arguments: str, namespace: str | None = None) -> Any:
        """Return the decoded output of kubectl: `kubectl("get", "pvc", namespace=ns)["items"]`. Raises ClusterError."""
        command = ["kubectl", *arguments, "-o", "json", *(["-n", namespace] if namespace else [])]
        answer = subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=120)
        if answer.returncode:
            raise ClusterError(answer.returncode, answer.stderr.strip(), " ".join(command))
        return json.loads(answer.stdout)

    def serves_groups(self) -> bool:
        """Return whether the cluster has Groups of user.openshift.io, as the testbed and OpenShift do."""
        try:
            self.request("GET", path("groups"), query={"limit": "1"})
        except ClusterError as error:
            if error.status == 404:
                return False
            raise
        return True

    # --- things that tests need ---

    def make_namespace(self, prefix: str = PREFIX) -> str:
        """Create a namespace with a generated name, ready for pods, and return the name."""
        metadata = {"name": f"{prefix}-{uuid.uuid4().hex[:8]}", "labels": {TEST_LABEL: "true"}}
        name: str = self.create("namespaces", {"metadata": metadata})["metadata"]["name"]
        wait_for(lambda: self.get("serviceaccounts", "default", name), f"the default service account in {name}")
        return name

    def make_claim(self, namespace: str, name: str, size: str = "1Gi", **spec: Any) -> Object:
        """Create a PVC without this collection's metadata. `storageClassName` and others go into the spec."""
        body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}} | spec
        return self.create("persistentvolumeclaims", {"metadata": {"name": name}, "spec": body}, namespace)

    def bind(
        self,
        namespace: str,
        claim: str,
        capacity: str | None = None,
        *,
        reclaim: str = "Delete",
        source: Object | None = None,
        within: float = 30.0,
    ) -> str:
        """Create a volume for a claim, wait until both are Bound, and return the volume's name.

        It imitates the volume of a storage driver: nothing acts on it, and when released it remains until the test
        ends. `capacity` defaults to what the claim asks for. `source` replaces the CSI source, e.g.
        `{"hostPath": {"path": ...}}` (never below /tmp with `reclaim="Delete"`: the controller manager would remove
        the folder).
        """
        found = self.get("persistentvolumeclaims", claim, namespace)
        if found is None:
            raise LookupError(f"no claim {namespace}/{claim}")
        name = f"odhp-{uuid.uuid4().hex[:12]}"
        spec = {
            "capacity": {"storage": capacity or found["spec"]["resources"]["requests"]["storage"]},
            "accessModes": found["spec"]["accessModes"],
            "persistentVolumeReclaimPolicy": reclaim,
            "storageClassName": found["spec"].get("storageClassName", ""),
            "volumeMode": found["spec"].get("volumeMode", "Filesystem"),
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": namespace,
                "name": claim,
                "uid": found["metadata"]["uid"],
            },
        }
        metadata = {
            "name": name,
            "labels": {TEST_LABEL: "true"},
            # Tells Kubernetes that an external driver manages it.
            "annotations": {"pv.kubernetes.io/provisioned-by": "testbed.odh.persistency"},
        }
        spec |= source or {"csi": {"driver": "testbed.odh.persistency", "volumeHandle": name}}
        self.create("persistentvolumes", {"metadata": metadata, "spec": spec})

        def bound() -> bool:
            observed = self.get("persistentvolumeclaims", claim, namespace)
            return bool(observed and observed.get("status", {}).get("phase") == "Bound")

        wait_for(bound, f"claim {namespace}/{claim} Bound", within)
        return name

    @contextlib.contextmanager
    def binding(self, patience: float = 2.0) -> Iterator[None]:
        """Make the controller manager retry claims whose volume exists but which stay Pending.

        It binds at once unless one of its own writes conflicts. Then it retries in its next resync: every 15 s by default,
        every two minutes on the testbed. A write to the claim triggers a retry.
        """
        ended = threading.Event()

        def look() -> None:
            since: dict[str, float] = {}
            while not ended.wait(0.5):
                waiting = []
                with contextlib.suppress(Exception):
                    waiting = self.list("persistentvolumeclaims")
                for claim in waiting:
                    metadata = claim["metadata"]
                    if claim.get("status", {}).get("phase") != "Pending" or not claim["spec"].get("volumeName"):
                        continue
                    if time.monotonic() - since.setdefault(metadata["uid"], time.monotonic()) > patience:
                        body = {"metadata": {"annotations": {f"{TEST_LABEL}/look": uuid.uuid4().hex}}}
                        with contextlib.suppress(ClusterError):
                            self.patch("persistentvolumeclaims", metadata["name"], body, metadata["namespace"])

        looker = threading.Thread(target=look, daemon=True)
        looker.start()
        try:
            yield
        finally:
            ended.set()
            looker.join()

    def bind_all(self, namespace: str, claims: Iterable[str] | None = None) -> dict[str, str]:
        """`bind` many claims, by default all of the namespace; return each claim's volume name."""
        names = list(claims) if claims is not None else [c["metadata"]["name"] for c in self.claims(namespace).values()]
        within = 30.0 + len(names) / 20
        with ThreadPoolExecutor(16) as pool:
            return dict(
                zip(names, pool.map(lambda claim: self.bind(namespace, claim, within=within), names), strict=True)
            )

    def claims(self, namespace: str) -> dict[str, Object]:
        """Return the PVCs of a namespace by name."""
        return {claim["metadata"]["name"]: claim for claim in self.list("persistentvolumeclaims", namespace)}

    def resize(self, namespace: str, claim: str, capacity: str, *, pending_file_system: bool = False) -> None:
        """Finish the expansion of a claim as a storage driver's resizer does.

        With `pending_file_system` only the volume is expanded; the file system waits for the next mount.
        """
        observed = self.get("persistentvolumeclaims", claim, namespace)
        assert observed is not None, f"no claim {namespace}/{claim}"
        volume = observed["spec"]["volumeName"]
        self.patch("persistentvolumes", volume, {"spec": {"capacity": {"storage": capacity}}})
        if pending_file_system:
            status: Object = {"conditions": [{"type": "FileSystemResizePending", "status": "True"}]}
        else:
            status = {"capacity": {"storage": capacity}, "conditions": []}
        self.patch("persistentvolumeclaims", claim, {"status": status}, namespace, "status")

    def make_pod(
        self,
        namespace: str,
        claim: str | None = None,
        *,
        name: str | None = None,
        phase: str = "Pending",
        node: str | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> str:
        """Create a pod that mounts `claim` and never runs; return its name.

        No scheduler takes it. `phase` is written into its status. With `node` it counts as scheduled, so Kubernetes
        protects the claim. If the node does not exist, Kubernetes removes the pod after a minute.
        """
        name = name or f"server-{uuid.uuid4().hex[:8]}"
        mounts = [{"name": "home", "mountPath": "/opt/app-root/src"}] if claim else []
        spec: Object = {
            "schedulerName": "odhp-nobody",
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "notebook", "image": "example.invalid/notebook:1", "volumeMounts": mounts}],
            "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": claim}}] if claim else [],
        }
        if node:
            spec["nodeName"] = node
        metadata = {"name": name, "labels": dict(labels or {}), "annotations": dict(annotations or {})}
        self.create("pods", {"metadata": metadata, "spec": spec}, namespace)
        if phase != "Pending":
            self.patch("pods", name, {"status": {"phase": phase}}, namespace, "status")
        return name

    def make_group(self, users: Iterable[str] | None, name: str | None = None) -> str:
        """Create an OpenShift Group and return its name. OpenShift stores a Group without members with `users: null` (None)."""
        name = name or f"odhp-{uuid.uuid4().hex[:8]}"
        self.create(
            "groups",
            {
                "apiVersion": "user.openshift.io/v1",
                "kind": "Group",
                "metadata": {"name": name, "labels": {TEST_LABEL: "true"}},
                "users": None if users is None else list(users),
            },
        )
        return name

    def restricted_kubeconfig(
        self, folder: Path, namespace: str, rules: Iterable[Object] = (), cluster_rules: Iterable[Object] = ()
    ) -> Path:
        """Write a kubeconfig, in `folder`, for a new service account that has only the permissions of `rules`.

        `rules` are those of a Role in `namespace`, `cluster_rules` those of a ClusterRole. A rule:
        `{"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["list"]}`.
        """
        name = f"odhp-{uuid.uuid4().hex[:8]}"
        self.create("serviceaccounts", {"metadata": {"name": name}}, namespace)
        subject = {"kind": "ServiceAccount", "namespace": namespace, "name": name}
        for kind, where, given in (("Role", namespace, rules), ("ClusterRole", None, cluster_rules)):
            found = list(given)
            if not found:
                continue
            resource = kind.lower() + "s"
            metadata = {"name": name, "labels": {TEST_LABEL: "true"}}
            self.create(resource, {"metadata": metadata, "rules": found}, where)
            reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
            binding = {"metadata": metadata, "roleRef": reference, "subjects": [subject]}
            self.create(kind.lower() + "bindings", binding, where)
        address = path("serviceaccounts", namespace, name, "token")
        token = self.request("POST", address, {"spec": {"expirationSeconds": 3600}})["status"]["token"]
        return kubeconfig.write(folder / f"{name}.kubeconfig", self._kubeconfig_with({"token": token}, namespace))

    def _kubeconfig_with(self, user: Object, namespace: str) -> Object:
        """Return this cluster's kubeconfig, reduced to the current context, with another user."""
        content = self.kubectl("config", "view", "--raw", "--minify", "--flatten")
        made = kubeconfig.document("", b"", "restricted", user, namespace)
        made["clusters"][0]["cluster"] = content["clusters"][0]["cluster"]
        return made

    # --- the end ---

    def remove_namespace(self, name: str) -> None:
        """Delete a namespace without waiting, and the volumes of shares and trees there, which would be in the way of others.

        Volumes created by `bind` are deleted at the end of the session.
        """
        with contextlib.suppress(ClusterError):
            # A scheduled pod would wait for a kubelet that does not exist.
            for pod in self.list("pods", name):
                self.delete("pods", pod["metadata"]["name"], name, gracePeriodSeconds=0)
        self.delete("namespaces", name)
        if name in self._namespaces:
            self._namespaces.remove(name)
        for volume in self._volumes_of_shares(name):
            # The claim first, because the volume remains while it exists.
            self.delete("persistentvolumeclaims", volume["spec"]["claimRef"]["name"], name)
            self.delete("persistentvolumes", volume["metadata"]["name"])
        wait_for(lambda: not self._volumes_of_shares(name), f"the volumes of shares in {name} are gone", 60)

    def _volumes_of_shares(self, namespace: str) -> list[Object]:
        found = self.list("persistentvolumes", labelSelector="odh.persistency/kind in (share,tree)")
        return [volume for volume in found if volume["spec"].get("claimRef", {}).get("namespace") == namespace]

    def clean_up(self) -> None:
        for name in list(self._namespaces):
            self.remove_namespace(name)
        for resource, name in reversed(self._cluster_wide):
            self.delete(resource, name)
        self._cluster_wide.clear()

    def sweep(self, older_than: datetime.timedelta = datetime.timedelta(hours=2)) -> None:
        """Remove what killed test runs left behind."""
        if self.testbed is not None:
            # With it, modules request Projects, which nothing here creates.
            self.delete("customresourcedefinitions", PROJECT_REQUESTS)
        before = (datetime.datetime.now(datetime.timezone.utc) - older_than).strftime("%Y-%m-%dT%H:%M:%SZ")
        for resource in ("namespaces", *CLUSTER_WIDE):
            if resource == "groups" and not self.serves_groups():
                continue
            for found in self.list(resource, labelSelector=TEST_LABEL):
                name, made = found["metadata"]["name"], found["metadata"]["creationTimestamp"]
                if made < before:
                    if resource == "namespaces":
                        self.remove_namespace(name)
                    else:
                        self.delete(resource, name)


@contextlib.contextmanager
def connected() -> Iterator[Cluster]:
    """Yield the cluster under test, and remove at the end what was created on it."""
    cluster = Cluster.connect()
    cluster.sweep()
    try:
        yield cluster
    finally:
        cluster.clean_up()
