"""The demo, as `make demo` runs it."""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import os
import re
import shlex
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

import pytest

from testbed import paths
from testbed.hub import proxy_program
from testbed.hub.cleanup import running
from testbed.node.support import unsupported
from testbed.software.environment import shared_cache
from tests.support.cluster import wait_for
from tests.support.homes import RETIRED, USERNAME, annotations, size

pytestmark = pytest.mark.xdist_group("demo")  # a checkout has one demo at a time

ROOT = Path(__file__).resolve().parents[2]
EXPANDS, JOINS, LEAVES = "wei.zhang@students.example.org", "mei.lin@students.example.org", "farid.haddad@example.org"
NARROWED = "shared-notebooks"
DATA_SETS = {"capacity", "cases", "intervention", "itc", "mobility", "testing"}


def demo(environment, *arguments):
    answer = subprocess.run(
        [ROOT / "examples" / "demo" / "run", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd="/",
        timeout=600,
    )
    # The reason first, because reports truncate long messages.
    assert answer.returncode == 0, f"{answer.stderr}\n{answer.stdout[-4000:]}\n\nAll of it:\n{answer.stdout}"
    return answer.stdout


def rows(output):
    """Parse the table of homes: owner (and server) -> the other columns."""
    table = output.split("OWNER (SERVER)")[1].split("\n\n")[0].splitlines()[1:]
    cells = [re.split(r"  +", line) for line in table]
    return {first: rest for first, *rest in cells}


def left_of(cluster, namespace):
    """Return what remains of a demo: namespaces, volumes, folders."""
    namespaces = {namespace, f"{namespace}-jobs"}
    found = [name for name in namespaces if cluster.get("namespaces", name) is not None]
    for volume in cluster.list("persistentvolumes"):
        if (volume["spec"].get("claimRef") or {}).get("namespace") in namespaces:
            found.append(volume["metadata"]["name"])
    folders = [Path(cluster.environment.get("ODHP_TESTBED_DATA", ROOT / ".dev")) / "demo" / namespace]
    folders += (shared_cache() / "demo").glob(f"{namespace}-????????")  # where only root may pass through the first one
    return found + [str(folder) for folder in folders if folder.exists()]


def hub_reason():
    """Return why this machine has no node and no hub, None if it has them. In CI it must."""
    reason = unsupported(paths.data_dir()) or proxy_program.missing()
    assert not (reason and os.environ.get("CI")), reason
    return reason


def check_software(output, with_hub):
    """Two publications and a rollback, each followed by what Lmod lists and loads. Return whether there is software."""
    reason = re.search(r"No software is built here: .*", output)
    assert not (reason and os.environ.get("CI")), reason
    if reason:
        return False
    # The first one also creates the claims.
    assert re.findall(r"changed=\d", output) == [f"changed={1 + with_hub}", "changed=1", "changed=1"]
    assert output.count("broken/1.0 is optional and ") == 2
    assert re.findall(r"^   UnZip/6\.0 +bzip2/1\.0\.8 +(hello/.*?) +tables/1\.0$|^(hello \d.*)$", output, re.M) == [
        ("hello/1.0", ""),
        ("", "hello 1.0"),
        ("hello/1.0    hello/1.1 (D)", ""),
        ("", "hello 1.1"),
        ("hello/1.0", ""),
        ("", "hello 1.0"),
    ]
    return True


def modules_of_server(address, user):
    """Log in, start a server, and return what its Softwares tab lists."""
    cookies = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))

    def read(path, **fields):
        data = urllib.parse.urlencode(fields).encode() if fields else None
        with browser.open(f"{address}{path}", data, timeout=60) as answer:
            return answer.url, answer.read()

    read("/hub/login")
    xsrf = next(cookie.value for cookie in cookies if cookie.name == "_xsrf")
    read(f"/hub/login?_xsrf={xsrf}", username=user, password="any", _xsrf=xsrf)
    read("/hub/spawn?start=now")
    server = f"/user/{urllib.parse.quote(user, safe='@')}"

    def listed():
        with contextlib.suppress(urllib.error.HTTPError):
            if read(f"{server}/lab")[0].startswith(f"{address}{server}/"):
                return json.loads(read(f"{server}/module/modules")[1])
        return None

    return wait_for(listed, "the server lists its modules", within=150)


def test_on_the_testbed(cluster, testbed):
    namespace = f"odhp-demo-{uuid.uuid4().hex[:8]}"
    try:
        output = demo(cluster.environment, "--namespace", namespace)
        first, shared, software, configured, second, who, edited = re.split(r"\n\d\. ", output)[1:8]
        assert "changed=1" in first
        assert "more lines" in first
        table = [line.split() for line in shared.split("NAMESPACE")[1].split("\n\n")[0].splitlines()[1:]]
        assert [(row[0], row[1], row[3]) for row in table] == [
            (namespace, "shared-data-private", "Bound"),
            (namespace, "shared-data-public", "Bound"),
            (namespace, "shared-data-secret", "Bound"),
            (namespace, NARROWED, "Bound"),
            (f"{namespace}-jobs", "shared-data-public", "Bound"),
        ]
        assert {f"{name}_data_sets" for name in DATA_SETS} == set(
            re.findall(r"^drwxrws---  public/(\w+)$", shared, re.M)
        )
        assert "+everyone gains ro on shared-data-public (share added)" in shared
        reason = hub_reason()
        has_software = check_software(software, with_hub=reason is None)
        assert re.search(r"changed=1 .*failed=0", configured)
        assert re.search(r"changed=0 .*failed=0", second)
        assert "not one write" in second
        assert re.search(rf"^-home \S+ of {EXPANDS}: 5Gi", edited, re.M)
        assert re.search(rf"^\+home \S+ of {EXPANDS}: 25Gi", edited, re.M)
        assert re.search(rf"^\+home \S+ of {JOINS}: 5Gi", edited, re.M)
        assert re.search(rf"^\+home \S+ of {LEAVES}: .*retired since", edited, re.M)
        matrix = {line.split()[0]: line.split()[1:] for line in who.splitlines() if re.match(r"\S+@\S+  ", line)}
        assert len(matrix) == 40
        # private, public, secret, notebooks
        assert matrix["hiroshi.tanaka@example.org"] == ["rw", "ro", "ask", "rw"]
        assert matrix[EXPANDS] == ["-", "ro", "-", "ro"]
        assert f"{LEAVES}, member of analysts:" in who
        assert f"+{LEAVES} loses rw on {NARROWED} (left group analysts)" in edited
        # The user who joins is among those who keep access.
        assert f"+    - {JOINS}" in edited
        assert not re.search(rf"^\+{JOINS} loses", edited, re.M)
        assert re.search(
            rf"^\+{NARROWED} becomes private: \d+ named people keep access, everyone else loses access$", edited, re.M
        )
        homes = rows(output)
        assert len(homes) == 45
        assert {cells[1] for cells in homes.values()} == {"Bound"}
        assert homes["hiroshi.tanaka@example.org (gpu)"][0] == "100Gi"

        # The demo remains, in the state before the edit.
        claims = cluster.claims(namespace).values()
        observed = {annotations(claim)[USERNAME]: claim for claim in claims if USERNAME in annotations(claim)}
        assert size(observed[EXPANDS]) == "5Gi"
        assert JOINS not in observed
        assert RETIRED not in annotations(observed[LEAVES])
        # The hub runs where a node can run.
        if reason:
            assert f"No hub is started here: {reason}." in output
        else:
            address = re.search(r"Open (http://127\.0\.0\.1:\d+) in a browser", output)[1]
            with urllib.request.urlopen(f"{address}/hub/login") as answer:
                assert b"JupyterHub" in answer.read()
            for user in ("lars.jensen@example.org", "amara.okafor@example.org", "hiroshi.tanaka@example.org"):
                assert re.search(rf"^{user} +a ", output, re.M)
            if has_software:
                modules = modules_of_server(address, "lars.jensen@example.org")
                assert modules == ["bzip2/1.0.8", "hello/1.0", "tables/1.0", "UnZip/6.0"]

        # The commands at its end can be copied.
        commands = re.findall(r"^  bin/dev (ansible-playbook .*)$", output, re.M)
        assert len(commands) == 3
        for command in commands:
            done = subprocess.run(
                shlex.split(command), capture_output=True, text=True, env=cluster.environment, cwd=ROOT, timeout=300
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert re.search(r"changed=0 ", done.stdout), done.stdout
            assert namespace in done.stdout
    finally:
        demo(cluster.environment, "--down", "--namespace", namespace)
    assert left_of(cluster, namespace) == []
    assert list(running(testbed.data, namespace)) == []


def test_leaves_nothing_on_a_cluster_of_ones_own(cluster, tmp_path):
    # With another path of the kubeconfig the cluster does not count as the testbed.
    kubeconfig = shutil.copy(cluster.kubeconfig, tmp_path / "own.kubeconfig")
    environment = cluster.environment | {"KUBECONFIG": kubeconfig, "K8S_AUTH_KUBECONFIG": kubeconfig}
    output = demo(environment)
    namespace = re.search(r"in the namespace (\S+), which is deleted", output)[1]
    assert len(rows(output)) == 45
    assert "shared-data-secret" in output
    assert "No hub is started here: the nodes of the cluster in KUBECONFIG are not this machine's." in output
    assert left_of(cluster, namespace) == []
    assert not (ROOT / ".dev" / "demo-namespace").exists()


def test_make_demo_down_leaves_no_trace_on_the_testbed(cluster, tmp_path):
    """In its own testbed, because demo-down stops it."""
    data = tmp_path / "testbed"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("K8S_AUTH_", "KUBECONFIG"))}
    environment = kept | {"ODHP_TESTBED_DATA": str(data)}
    # The folder of a demo that is up on the testbed of this checkout.
    other = ROOT / ".dev" / "demo" / f"odhp-{uuid.uuid4().hex[:8]}"
    other.mkdir(parents=True)

    def run(*words):
        done = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    try:
        run("bin/dev", "kubectl", "create", "namespace", "jupyter-demo")
        run("make", "demo-down")
        assert "jupyter-demo" not in run("bin/dev", "kubectl", "get", "namespace", "-o", "name")
        assert "was not running" not in run("make", "demo-down")
        assert "was not running" in run("make", "demo-down")
        assert other.is_dir()
    finally:
        other.rmdir()
        run("bin/dev", "python", "-m", "testbed", "reset", "--wipe-only")
