"""The role shares, its playbooks and the example inventories, through ansible-playbook."""

from __future__ import annotations

import json
import os
import re
import stat
import uuid
from pathlib import Path

import pytest
import yaml

from tests.support.cluster import wait_for
from tests.support.playbooks import Playbooks

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "shares"
INVENTORIES = ROOT / "examples" / "inventories"
SITE = "odh.persistency.site"
SHARES = "odh.persistency.shares"
INDEX = "odh-persistency-acl"
RETIRED = "odh.persistency/retired-at"


@pytest.fixture
def playbooks(cluster, tmp_path):
    return Playbooks(cluster, tmp_path)


@pytest.fixture
def namespace(cluster):
    """A namespace of the test's own; the volumes that are made for it go with it."""
    name = cluster.make_namespace("odhp-shares")
    yield name
    clean(cluster, name)


@pytest.fixture
def unmade(cluster):
    """Return the name of a namespace that does not exist, for the role to create. `NAME-jobs` and the volumes of both are
    removed too.
    """
    name = f"odhp-shares-{uuid.uuid4().hex[:8]}"
    yield name
    clean(cluster, name, f"{name}-jobs")


def clean(cluster, *namespaces):
    for namespace in namespaces:
        cluster.remove_namespace(namespace)
    for volume in cluster.list("persistentvolumes"):
        if (volume["spec"].get("claimRef") or {}).get("namespace") in namespaces:
            cluster.delete("persistentvolumes", volume["metadata"]["name"])


def volumes(cluster, namespace):
    """The volumes that are for a namespace, by the claim."""
    found = {}
    for volume in cluster.list("persistentvolumes"):
        claim = volume["spec"].get("claimRef") or {}
        if claim.get("namespace") == namespace:
            found[claim["name"]] = volume
    return found


def acl(cluster, namespace):
    """Return the content of the stored access list as (shares, people), or None if there is none."""
    maps = {item["metadata"]["name"]: item for item in cluster.list("configmaps", namespace)}
    if INDEX not in maps:
        return None
    index = json.loads(maps[INDEX]["data"]["index.json"])
    shares = json.loads(maps[f"{INDEX}-shares-{index['shares'][:16]}"]["data"]["part.json"])["shares"]
    people = {}
    for prefix, digest in index["members"].items():
        name = f"{INDEX}-members-{prefix or 'all'}-{digest[:16]}"
        people |= json.loads(maps[name]["data"]["part.json"])["people"]
    return shares, people


def nfs(path):
    return {"type": "nfs", "server": "nfs.tests.example.org", "path": path}


def inventory_of(namespace, **more):
    return {
        "shares_namespace": namespace,
        "shares_create_namespace": True,
        "shares_size": "1Gi",
        "shares_groups": {"analysts": ["ann", "bob"], "teachers": ["carl"]},
        "shares_list": [
            {
                "name": "data-public",
                "level": "public",
                "backend": nfs("/exports/public"),
                "namespaces": [namespace, f"{namespace}-jobs"],
                "write": {"groups": ["teachers"]},
                "directories": ["raw", "clean/2026"],
            },
            {
                "name": "data-private",
                "level": "private",
                "size": "2Gi",
                "backend": nfs("/exports/private"),
                "read": {"groups": ["analysts"]},
                "write": {"users": ["dora"]},
            },
            {
                "name": "data-secret",
                "level": "secret",
                "until": "2031-03-31",
                "backend": nfs("/exports/secret"),
                "read": {"users": ["ann"]},
            },
        ],
        **more,
    }


def outcome(played):
    """What the role's last task says, by part: {"access": "create 3", ...}."""
    text = played.output.split("TASK [odh.persistency.shares : Summary]")[1]
    return dict(re.findall(r'"([a-z ]+): ([a-z]+ \d+(?:, [a-z]+ \d+)*)"', text))


def test_second_run_changes_and_writes_nothing(cluster, playbooks, unmade, audit, tmp_path):
    exports = tmp_path / "exports"
    exports.mkdir()
    inventory = inventory_of(unmade, shares_path=str(exports), shares_export="/exports", shares_mounted=False)
    jobs = f"{unmade}-jobs"

    shown = playbooks.ok(SITE, inventory, "--check", "--diff")
    assert cluster.get("namespaces", unmade) is None
    assert list(exports.iterdir()) == []
    first = playbooks.ok(SITE, inventory, "--diff")
    # Check mode and the run agree.
    assert outcome(shown) == outcome(first)
    assert first.recap["changed"] == shown.recap["changed"] == 3  # namespaces and claims, directories, access

    claims = cluster.claims(unmade)
    assert {name: claim["spec"]["resources"]["requests"]["storage"] for name, claim in claims.items()} == {
        "data-public": "1Gi",
        "data-private": "2Gi",
        "data-secret": "1Gi",
    }
    assert set(cluster.claims(jobs)) == {"data-public"}
    assert set(volumes(cluster, unmade)) == set(claims)
    made = {str(path.relative_to(exports)) for path in exports.rglob("*")}
    assert made == {"public", "public/raw", "public/clean", "public/clean/2026", "private", "secret"}
    assert {stat.S_IMODE((exports / path).stat().st_mode) for path in made - {"public/clean"}} == {0o2770}
    shares, people = acl(cluster, unmade)
    assert set(shares) == {"data-public", "data-private", "data-secret"}
    assert shares["data-private"]["mount_path"] == "/opt/app-root/src/data-private"
    assert shares["data-secret"]["until"] == "2031-03-31"
    assert people["ann"] == {"groups": ["analysts"], "read": ["data-secret"]}
    assert people["dora"] == {"write": ["data-private"]}
    assert acl(cluster, jobs) is None

    with audit() as log:
        second = playbooks.ok(SITE, inventory, "--tags", "shares")
    assert second.recap["changed"] == 0, second.output
    assert set(outcome(second)) == {"claims and volumes", "directories", "access"}
    assert all(re.fullmatch(r"keep \d+", part) for part in outcome(second).values()), second.output
    mine = [request for request in log.requests if not request.user.startswith("system:")]
    assert mine, log
    assert not [str(request) for request in mine if request.writes]


def test_errors_are_rejected_before_anything_is_created(cluster, playbooks, unmade):
    inventory = inventory_of(unmade)
    inventory["shares_list"][1]["read"]["groups"] = ["analyst"]
    message = playbooks.refused(SITE, inventory)
    assert "analyst" in message
    assert "analysts" in message
    assert cluster.get("namespaces", unmade) is None

    inventory = inventory_of(unmade)
    inventory["shares_list"][0]["levle"] = "public"
    inventory["shares_list"][2]["until"] = "soon"
    message = playbooks.refused(SITE, inventory)
    assert "levle" in message
    assert "soon" in message
    assert cluster.get("namespaces", unmade) is None


def test_directories_are_validated_before_anything_is_created(cluster, playbooks, unmade, tmp_path):
    inventory = inventory_of(unmade, shares_path=str(tmp_path), shares_export="/exports", shares_mounted=False)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "private").symlink_to(tmp_path / "elsewhere")
    assert "is a symbolic link" in playbooks.refused(SITE, inventory)
    assert cluster.get("namespaces", unmade) is None
    assert not (tmp_path / "public").exists()


def test_a_guard_rejects_the_complete_run(cluster, playbooks, namespace):
    inventory = inventory_of(namespace, shares_create_namespace=False)
    del inventory["shares_list"][0]["namespaces"]
    playbooks.ok(SITE, inventory)
    before = acl(cluster, namespace)

    inventory["shares_list"][1] |= {"level": "public", "read": {}, "size": "3Gi"}
    inventory["shares_list"].append({"name": "more", "level": "public"})
    message = playbooks.refused(SITE, inventory)
    assert "data-private" in message
    assert "declassify" in message
    assert acl(cluster, namespace) == before
    assert "more" not in cluster.claims(namespace)

    del inventory["shares_list"][1]["size"]
    playbooks.ok(SITE, inventory, extra={"shares_declassify": ["data-private"]})
    assert acl(cluster, namespace)[0]["data-private"]["level"] == "public"
    assert "more" in cluster.claims(namespace)


def test_all_errors_are_reported_at_once(cluster, playbooks, namespace, tmp_path):
    """Errors of all modules, the same in check mode and in a real run, and nothing is created."""
    where = {"shares_path": str(tmp_path), "shares_export": "/exports", "shares_mounted": False}
    inventory = inventory_of(namespace, shares_create_namespace=False, **where)
    del inventory["shares_list"][0]["namespaces"]
    del inventory["shares_size"]
    playbooks.ok(SITE, {**inventory, "shares_size": "1Gi"})
    published = acl(cluster, namespace)
    shares = inventory["shares_list"]
    shares[1] |= {"level": "public", "read": {}}  # for a guard of the access list
    shares.append({"name": "no-size", "level": "private", "read": {"users": ["ann"]}})
    shares.append({"name": "apart", "level": "private", "size": "1Gi", "backend": nfs("/elsewhere/apart")})
    inventory["shares_list"] = shares
    words = [
        "declassify: [data-private]",
        "shares[3] (no-size): `size` is missing",
        "/elsewhere/apart is outside of the export /exports",
    ]
    messages = []
    for flags in ([], ["--check"]):
        message = playbooks.refused(SITE, inventory, *flags)
        assert [word for word in words if word not in message] == [], message
        messages.append(sorted(re.findall(r"^ *- (?:shares\[|data-private).*$", message, re.M)))
    assert messages[0] == messages[1]
    shares[1]["read"] = {"groups": ["nobody-knows"]}
    shares[1]["levle"] = shares[1].pop("level")
    message = playbooks.refused(SITE, inventory)
    for word in ("levle", "no-size", "nobody-knows"):
        assert word in message
    assert acl(cluster, namespace) == published
    assert "no-size" not in cluster.claims(namespace)


@pytest.mark.parametrize("missing", ["folder", "mount"])
def test_nothing_is_created_if_the_directories_cannot_be(cluster, playbooks, namespace, tmp_path, missing):
    where = {
        "shares_path": str(tmp_path / "misspelt" if missing == "folder" else tmp_path),
        "shares_export": "/exports",
    }
    inventory = inventory_of(namespace, shares_create_namespace=False, shares_mounted=missing == "mount", **where)
    del inventory["shares_list"][0]["namespaces"]
    message = playbooks.refused(SITE, inventory)
    assert ("does not exist on the host" if missing == "folder" else "nothing is mounted at") in message
    assert cluster.claims(namespace) == {}
    # In check mode an earlier playbook may create it.
    playbooks.ok(SITE, inventory, "--check")


@pytest.mark.parametrize("mistake", ["namespace", "claim"])
def test_what_share_pvc_rejects_is_rejected_before_directories_and_grants(
    cluster, playbooks, namespace, tmp_path, audit, mistake
):
    """A rejected run that withdraws nothing writes nothing, although it would also widen grants."""
    where = {"shares_path": str(tmp_path), "shares_export": "/exports", "shares_mounted": False}
    inventory = inventory_of(namespace, shares_create_namespace=False, **where)
    del inventory["shares_list"][0]["namespaces"]
    playbooks.ok(SHARES, inventory)
    published, found = acl(cluster, namespace), sorted(tmp_path.rglob("*"))
    inventory["shares_groups"]["analysts"].append("zoe")
    inventory["shares_list"].append(
        {"name": "more", "level": "public", "backend": nfs("/exports/more"), "directories": ["raw"]}
    )
    if mistake == "namespace":
        inventory["shares_namespaces"] = [f"{namespace}-jbos"]
    else:
        given = {"name": "given", "level": "public", "backend": {"type": "existing_claim", "claim": "missing"}}
        inventory["shares_list"].append(given)
    with audit() as log:
        message = playbooks.refused(SHARES, inventory)
    assert ("-jbos does not exist" if mistake == "namespace" else "claim missing does not exist") in message
    assert "Nothing was changed" in message
    mine = [request for request in log.writes if not request.user.startswith("system:") and not request.dry_run]
    assert not mine, log
    assert acl(cluster, namespace) == published
    assert sorted(tmp_path.rglob("*")) == found


def test_retiring_and_returning(cluster, playbooks, namespace, audit):
    inventory = inventory_of(namespace, shares_create_namespace=False)
    del inventory["shares_list"][0]["namespaces"]
    playbooks.ok(SITE, inventory)

    # Retired: out of the access list, and only then marked.
    everything = inventory["shares_list"]
    retiring = {**inventory, "shares_list": everything[:2], "shares_retired": ["data-secret"]}
    with audit() as log:
        played = playbooks.ok(SITE, retiring)
    assert outcome(played)["deletion"] == "keep 0, retire 1"
    assert "data-secret" not in acl(cluster, namespace)[0]
    assert RETIRED in cluster.claims(namespace)["data-secret"]["metadata"]["annotations"]
    writes = [request for request in log.writes if request.user_agent.startswith("odh.persistency/")]
    kinds = [request.resource for request in writes if not request.dry_run]
    assert kinds.index("configmaps") < kinds.index("persistentvolumeclaims")
    assert outcome(playbooks.ok(SITE, retiring))["deletion"] == "keep 1"

    # Back again.
    playbooks.ok(SITE, inventory)
    assert "data-secret" in acl(cluster, namespace)[0]
    assert RETIRED not in cluster.claims(namespace)["data-secret"]["metadata"]["annotations"]

    # Gone for good; a share that was never retired is not.
    gone = {**inventory, "shares_list": everything[:2], "shares_retired": [], "shares_absent": ["data-secret"]}
    gone |= {"shares_retention": "0s"}
    assert "data-secret" in playbooks.refused(SITE, gone)
    # The claim stays. The access is withdrawn, because a withdrawal waits for nothing that is rejected.
    assert "data-secret" in cluster.claims(namespace)
    assert "data-secret" not in acl(cluster, namespace)[0]
    playbooks.ok(SITE, retiring)
    playbooks.ok(SITE, gone)
    wait_for(lambda: "data-secret" not in cluster.claims(namespace), "the claim gone")
    assert set(cluster.claims(namespace)) == {"data-public", "data-private"}


def test_invalid_variables_are_rejected(cluster, namespace, playbooks):
    message = playbooks.refused(
        SITE,
        {
            **inventory_of(namespace),
            "shares_retentoin": "365d",
            "shares_retired": [{"name": "old", "state": "present"}, "older", "data-private"],
            "shares_absent": ["older"],
            "shares_overrides": {"data-pubic": {"size": "5Gi"}, "data-secret": {"name": "other"}},
        },
    )
    assert "shares_retentoin is not a variable of the role shares (did you mean `shares_retention`?)" in message
    assert "shares_retired[0] (old) has `state: present`, but the entries of shares_retired are retired" in message
    assert "shares_overrides: data-pubic is not a share in shares_list (did you mean `data-public`?)" in message
    assert "(it has data-private, data-public, data-secret)" in message
    assert "shares_overrides: data-secret sets `name`" in message
    assert "data-private is on shares_list and shares_retired" in message
    assert "older is on shares_retired and shares_absent" in message
    assert cluster.claims(namespace) == {}
    assert acl(cluster, namespace) is None


@pytest.mark.parametrize("value", ["ab", {"a": "b"}], ids=["text", "mapping"])
def test_a_text_is_not_a_list_of_letters(cluster, namespace, playbooks, value):
    """`-e shares_absent=ab` must not remove the shares a and b."""
    variables = ["shares_list", "shares_retired", "shares_absent", "shares_namespaces"]
    message = playbooks.refused(SITE, {**inventory_of(namespace), **dict.fromkeys(variables, value)})
    for variable in variables:
        assert re.search(rf"{variable}' is|{variable} must be a list", message), variable
    assert cluster.claims(namespace) == {}


@pytest.mark.parametrize("overrides", ["a", [{"a": {}}], {"data-public": "5Gi"}])
def test_overrides_are_by_name(namespace, playbooks, overrides):
    message = playbooks.refused(SITE, {**inventory_of(namespace), "shares_overrides": overrides})
    assert "shares_overrides" in message


def test_an_override_replaces_a_key_completely(cluster, namespace, playbooks):
    inventory = inventory_of(namespace, shares_create_namespace=False)
    del inventory["shares_list"][0]["namespaces"]
    inventory["shares_overrides"] = {
        "data-private": {"read": {"users": ["erik"]}, "size": "5Gi"},
        "data-secret": {"until": None, "state": "absent"},
    }
    playbooks.ok(SITE, inventory)
    shares, people = acl(cluster, namespace)
    # Nobody is merged in: the analysts have lost it.
    assert shares["data-private"]["read"] == {"everyone": False, "groups": []}
    assert people["erik"] == {"read": ["data-private"]}
    assert people["dora"] == {"write": ["data-private"]}
    claims = cluster.claims(namespace)
    assert set(claims) == {"data-private", "data-public"}
    assert claims["data-private"]["spec"]["resources"]["requests"]["storage"] == "5Gi"
    assert set(shares) == set(claims)


def test_shares_and_groups_from_files(cluster, namespace, playbooks, tmp_path):
    inventory = inventory_of(namespace, shares_create_namespace=False)
    del inventory["shares_list"][0]["namespaces"]
    shares, groups = tmp_path / "shares.yml", tmp_path / "groups.csv"
    shares.write_text(yaml.safe_dump(inventory.pop("shares_list")))
    groups.write_text("group,user\nanalysts,ann\nanalysts,bob\nteachers,carl\n")
    del inventory["shares_groups"]
    inventory |= {"shares_file": str(shares), "shares_groups_file": str(groups)}
    playbooks.ok(SHARES, inventory)
    assert (
        set(acl(cluster, namespace)[0])
        == set(cluster.claims(namespace))
        == {"data-public", "data-private", "data-secret"}
    )
    assert acl(cluster, namespace)[1]["carl"] == {"groups": ["teachers"]}
    # A path without a value is no path, as everywhere in Ansible.
    assert playbooks.ok(SHARES, inventory | {"shares_path": None}).recap["changed"] == 0


def test_classic_open_data_hub(cluster, namespace, playbooks):
    inventory = inventory_of(namespace, shares_create_namespace=False, shares_format="jsp")
    del inventory["shares_list"][0]["namespaces"]
    played = playbooks.ok(SHARES, inventory)
    assert "singleuser-profiles only offer mounts" in played.output
    maps = {item["metadata"]["name"]: item for item in cluster.list("configmaps", namespace)}
    profiles = maps["odh-persistency-shares-profiles"]["data"]["jupyterhub-singleuser-profiles.yaml"]
    assert "data-private" in profiles
    assert "data-secret" not in profiles
    assert INDEX not in maps
    assert playbooks.ok(SHARES, inventory).recap["changed"] == 0


def test_site_skips_what_the_inventory_does_not_declare(cluster, namespace, playbooks):
    homes = playbooks.ok(SITE, {"homes_namespace": namespace, "homes_users": ["ann"]})
    assert homes.summary == "create 1, keep 0"
    assert acl(cluster, namespace) is None
    inventory = inventory_of(namespace, shares_create_namespace=False)
    inventory["shares_list"] = inventory["shares_list"][1:]
    playbooks.ok(SITE, inventory)
    assert set(acl(cluster, namespace)[0]) == {"data-private", "data-secret"}
    # An inventory with shares and without their namespace is rejected.
    del inventory["shares_namespace"]
    assert "shares_namespace" in playbooks.refused(SITE, inventory)
    assert "homes_namespace" in playbooks.refused(SITE, {})


def module_options(name):
    from importlib import import_module

    implementation = import_module(f"ansible_collections.odh.persistency.plugins.module_utils._io.modules.{name}")
    from ansible_collections.odh.persistency.plugins.module_utils._io.options import connection

    return set(implementation.argument_spec()) - set(connection.argument_spec())


def passed_on(tasks, module):
    """The options that a role passes to a module, over all of its calls."""
    found = set()
    for task in tasks:
        found |= passed_on(task.get("block", []), module)
        found |= set(task.get(f"odh.persistency.{module}", {}))
    return found


def test_every_option_of_the_modules_is_a_variable_of_the_role():
    main = yaml.safe_load((ROLE / "tasks" / "main.yml").read_text())
    report = yaml.safe_load((ROLE / "tasks" / "report.yml").read_text())
    # The list that a share is on sets the state (shares_list, shares_retired, shares_absent).
    for module in ("share_acl", "share_pvc", "share_directory", "share_preflight"):
        # The expected cluster is a variable of the playbooks, persistency_cluster.
        # So are the size of results and where they are written, persistency_max_changes and persistency_report_folder.
        of_playbooks = {"cluster", "max_changes", "report_file", "report_folder"}
        # The role hub publishes the profiles of a hub whose servers run in another namespace.
        options = module_options(module) - {"state", "wait_sleep", "profiles_namespace"}
        assert passed_on(main, module) - of_playbooks == options - of_playbooks, module
    assert passed_on(report, "share_access_info") - {"cluster"} <= module_options("share_access_info")

    specs = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    variables = {name for spec in specs.values() for name in spec["options"]}
    text = (ROLE / "tasks" / "main.yml").read_text() + (ROLE / "tasks" / "report.yml").read_text()
    text += (ROLE / "vars" / "main.yml").read_text()
    assert [name for name in variables if not re.search(rf"\b{name}\b", text)] == []
    internal = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    known, registered = set(internal["__shares_variables"]), set(internal["__shares_results"])
    assert known == variables
    assert registered == set(re.findall(r"register: (shares_\w+)", text))
    readme = (ROLE / "README.md").read_text()
    assert [name for name in variables if f"`{name}`" not in readme] == []


def two_contexts(cluster, path):
    content = cluster.kubectl("config", "view", "--raw", "--minify", "--flatten")
    context = content["contexts"][0]["context"]
    content["contexts"] = [{"name": name, "context": context} for name in ("staging", "production")]
    content["current-context"] = "nowhere"
    path.write_text(yaml.safe_dump(content))
    path.chmod(0o600)
    return path


@pytest.fixture
def environments(cluster):
    """A namespace for each environment."""
    names = {environment: cluster.make_namespace(f"odhp-{environment}") for environment in ("staging", "production")}
    yield names
    clean(cluster, *names.values())


def test_two_environments_declared_once_and_narrowed_in_production(cluster, playbooks, tmp_path, environments):
    kubeconfig = two_contexts(cluster, tmp_path / "two.kubeconfig")
    server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    stored, claims, pvs = {}, {}, {}
    for environment, name in environments.items():
        inventory = INVENTORIES / "two-environments" / f"{environment}.yml"
        extra = {"homes_namespace": name, "persistency_cluster": server}
        playbooks.ok(SHARES, inventory, "--diff", extra=extra, kubeconfig=kubeconfig)
        assert playbooks.ok(SHARES, inventory, extra=extra, kubeconfig=kubeconfig).recap["changed"] == 0
        stored[environment], claims[environment] = acl(cluster, name), cluster.claims(name)
        pvs[environment] = volumes(cluster, name)
        # No run reaches the wrong cluster.
        assert environment in playbooks.refused(SHARES, inventory, "--check", extra=extra)

    assert set(claims["staging"]) == set(claims["production"]) == set(stored["production"][0])
    sizes = {
        environment: {name: claim["spec"]["resources"]["requests"]["storage"] for name, claim in found.items()}
        for environment, found in claims.items()
    }
    assert sizes["staging"]["cases"] == "1Gi"
    assert sizes["production"]["reference-data"] == "2Ti"
    assert pvs["staging"] == {}
    assert pvs["production"]["cases"]["spec"]["nfs"]["path"] == "/exports/cases"
    assert pvs["production"]["cases-identified"]["spec"]["csi"]["driver"] == "openshift-storage.cephfs.csi.ceph.com"

    def reach(environment, share):
        shares, people = stored[environment]
        grants = shares[share]
        named = {who for who, record in people.items() if share in record.get("read", []) + record.get("write", [])}
        groups = set(grants["read"]["groups"]) | set(grants["write"]["groups"])
        return named | {who for who, record in people.items() if groups & set(record.get("groups", []))}

    for share in ("cases", "cases-identified"):
        assert stored["production"][0][share]["level"] == stored["staging"][0][share]["level"]
        assert reach("production", share) < reach("staging", share), share
    assert reach("production", "cases-identified") == {"aisha.khan@example.org", "emma.johansson@example.org"}
    assert "until" not in stored["staging"][0]["cases-identified"]
    assert stored["production"][0]["cases-identified"]["until"] == "2031-03-31"
    # A typo narrows nothing in silence.
    typo = {"homes_namespace": "nowhere", "persistency_cluster": server, "shares_overrides": {"case": {"read": {}}}}
    message = playbooks.refused(
        SHARES, INVENTORIES / "two-environments" / "production.yml", extra=typo, kubeconfig=kubeconfig
    )
    assert "shares_overrides: case is not a share in shares_list" in message


def test_report_of_the_demo_inventory(cluster, unmade, playbooks):
    demo = INVENTORIES / "demo"
    extra = {"homes_namespace": unmade}
    playbooks.ok(SHARES, demo, extra=extra)
    assert set(cluster.claims(unmade)) == {
        "shared-data-public",
        "shared-data-private",
        "shared-data-secret",
        "shared-notebooks",
    }
    assert set(cluster.claims(f"{unmade}-jobs")) == {"shared-data-public"}
    report = playbooks.ok("odh.persistency.shares_report", demo, extra=extra)
    assert report.recap["changed"] == 0
    hiroshi = next(line for line in report.output.splitlines() if "hiroshi.tanaka@example.org" in line)
    assert re.findall(r"\b(?:ro|rw|ask)\b|(?<= )-(?= |\")", hiroshi) == ["rw", "ro", "ask", "rw"]


def test_examples_in_the_documents(cluster, namespace, playbooks):
    """The first inventory of docs/shares.md, and the role's own example."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "shares.md").read_text(), re.M | re.S)
    path = playbooks.folder / "inventory.yml"
    path.write_text(next(block for block in blocks if "\npersistency:" in block))
    played = playbooks.ok(SITE, path, "--check", "--diff", extra={"shares_namespace": namespace})
    assert set(outcome(played)) == {"claims and volumes", "access"}
    # The modules by themselves, on this machine in place of a file server.
    play = next(block for block in blocks if "\n    - name: Claims and volumes\n" in block)
    exports = playbooks.folder / "exports"
    exports.mkdir()
    book = playbooks.folder / "modules.yml"
    book.write_text(
        play.replace("namespace: jupyterhub", f"namespace: {namespace}")
        .replace("namespaces: [jupyterhub, nightly-jobs]", f"namespaces: [{namespace}]")
        .replace("path: /srv/exports", f"path: {exports}")
        .replace("      delegate_to: nfs.example.org\n      become: true\n", "")
    )
    playbooks.ok(book, yaml.safe_load(path.read_text())["persistency"]["hosts"]["my-hub"])
    assert "shared-data-private" in cluster.claims(namespace)
    assert (exports / "private").is_dir()
    assert set(acl(cluster, namespace)[0]) == {"shared-data-public", "shared-data-private"}
    readme = re.findall(r"^```yaml\n(.*?)^```", (ROLE / "README.md").read_text(), re.M | re.S)[0]
    book = playbooks.folder / "own.yml"
    book.write_text(readme)
    playbooks.ok(book, {}, "--check", extra={"shares_namespace": namespace})


def test_the_service_account_of_the_examples_may_do_all_of_it(cluster, testbed, unmade, playbooks):
    """All of a share's life in two namespaces, without a warning about rights."""
    namespace, jobs, group = unmade, f"{unmade}-jobs", f"{unmade}-group"
    for name in (namespace, jobs):
        cluster.create("namespaces", {"metadata": {"name": name}})
    text = (ROOT / "examples" / "rbac" / "shares.yml").read_text()
    text = text.replace("jupyterhub", namespace).replace("nightly-jobs", jobs)
    found = [item for item in yaml.safe_load_all(text) if "rules" in item]
    rules = {item["metadata"].get("namespace", ""): item["rules"] for item in found}
    kubeconfig = cluster.restricted_kubeconfig(playbooks.folder, namespace, rules[namespace], rules[""])
    account = {"kind": "ServiceAccount", "namespace": namespace, "name": kubeconfig.stem}
    cluster.create("roles", {"metadata": {"name": "shares"}, "rules": rules[jobs]}, jobs)
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "shares"}
    binding = {"metadata": {"name": "shares"}, "roleRef": reference, "subjects": [account]}
    cluster.create("rolebindings", binding, jobs)
    address = "/apis/user.openshift.io/v1/groups"
    openshift = {"apiVersion": "user.openshift.io/v1", "kind": "Group", "metadata": {"name": group}, "users": ["erik"]}
    cluster.request("POST", address, openshift)

    def run(inventory):
        for flags in (["--check"], []):
            played = playbooks.ok(SHARES, inventory, *flags, kubeconfig=kubeconfig)
            assert "WARNING" not in played.output, played.output
        return outcome(played)

    try:
        inventory = inventory_of(namespace, shares_create_namespace=False, shares_retention="0s")
        inventory["shares_list"][1]["read"]["groups"].append(f"openshift:{group}")
        inventory["shares_list"].append({"name": "notebooks", "level": "public"})
        assert run(inventory)["claims and volumes"] == "create 5, keep 0"
        assert acl(cluster, namespace)[1]["erik"] == {"groups": [f"openshift:{group}"]}
        cluster.bind(namespace, "notebooks")
        names = [share["name"] for share in inventory["shares_list"]]
        retired = [{"name": names[0], "namespaces": [namespace, jobs]}, *names[1:]]
        inventory |= {"shares_list": [], "shares_allow_empty": True, "shares_retired": retired}
        assert run(inventory)["deletion"] == "keep 0, retire 5"
        inventory |= {"shares_retired": [], "shares_absent": retired}
        assert run(inventory)["deletion"] == "delete 5, keep 0"
        wait_for(lambda: not cluster.claims(namespace) and not cluster.claims(jobs), "the claims gone")
        report = playbooks.ok("odh.persistency.shares_report", inventory, kubeconfig=kubeconfig)
        assert "WARNING" not in report.output
    finally:
        cluster.request("DELETE", f"{address}/{group}")


def test_the_demo_runs_as_somebody_who_is_not_root():
    """No share of the demo says an owner or a group that only root can give."""
    text = (INVENTORIES / "demo" / "group_vars" / "all" / "shares.yml").read_text()
    assert not re.search(r"^\s*(owner|gid):", text, re.M)
    assert os.path.isabs(yaml.safe_load(text)["shares_list"][0]["backend"]["path"])
