"""The role homes, its playbooks and the example inventories, through ansible-playbook."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest
import yaml

from tests.support.homes import RETIRED, SERVERNAME, USERNAME, annotations, make_home, size
from tests.support.playbooks import Playbooks

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "homes"
INVENTORIES = ROOT / "examples" / "inventories"
SITE = "odh.persistency.site"
HOMES = "odh.persistency.homes"  # where the inventory has shares too


@pytest.fixture
def playbooks(cluster, tmp_path):
    return Playbooks(cluster, tmp_path)


@pytest.fixture
def unmade(cluster):
    """The name of a namespace that does not exist, for the role to create."""
    name = f"odhp-role-{uuid.uuid4().hex[:8]}"
    yield name
    cluster.remove_namespace(name)


def owners(cluster, namespace):
    """The homes of a namespace by (user, server)."""
    return {
        (annotations(claim)[USERNAME], annotations(claim).get(SERVERNAME, "")): claim
        for claim in cluster.claims(namespace).values()
    }


def test_second_run_changes_and_writes_nothing(cluster, playbooks, unmade, audit):
    inventory = {
        "homes_namespace": unmade,
        "homes_create_namespace": True,
        "homes_size": "3Gi",
        "homes_storage_class": "",
        "homes_users": ["ann@example.org", {"name": "bob", "size": "7Gi"}, {"name": "bob", "server": "gpu"}],
        "homes_retired": ["carl"],
        "homes_absent": [{"name": "dora", "server": "lab"}],
    }
    shown = playbooks.ok(SITE, inventory, "--check", "--diff")
    assert cluster.get("namespaces", unmade) is None
    assert f"Namespace {unmade} does not exist" in shown.output
    assert shown.summary == "create 4, keep 2"  # the namespace, too

    first = playbooks.ok(SITE, inventory, "--diff")
    # Check mode and the run agree: the same lines, the same count.
    lines = [line for line in first.output.splitlines() if line.startswith(("+home", "-home"))]
    assert len(lines) == 3
    assert lines == [line for line in shown.output.splitlines() if line.startswith(("+home", "-home"))]
    assert f"+namespace {unmade}" in shown.output
    assert first.recap["changed"] == shown.recap["changed"] == 1
    found = owners(cluster, unmade)
    assert {key: size(claim) for key, claim in found.items()} == {
        ("ann@example.org", ""): "3Gi",
        ("bob", ""): "7Gi",
        ("bob", "gpu"): "3Gi",
    }
    assert {claim["spec"]["storageClassName"] for claim in found.values()} == {""}

    with audit() as log:
        second = playbooks.ok(SITE, inventory, "--tags", "homes")
    assert second.recap["changed"] == 0, second.output
    assert second.summary == "keep 5"
    requests = [request for request in log.requests if unmade in (request.namespace, request.name)]
    mine = [request for request in requests if not request.user.startswith("system:")]
    assert mine, log
    assert not [str(request) for request in mine if request.writes]


def test_a_missing_namespace_is_created_only_on_request(cluster, playbooks, unmade):
    inventory = {"homes_namespace": unmade, "homes_users": ["ann"]}
    assert f"Namespace {unmade} does not exist" in playbooks.ok(SITE, inventory, "--check").output
    assert f"Namespace {unmade} does not exist: create it first" in playbooks.refused(SITE, inventory)
    assert cluster.get("namespaces", unmade) is None


def test_retiring_and_returning(cluster, namespace, playbooks, tmp_path):
    # Names that templates, JSON and regular expressions could each spoil.
    odd = 'o\'neil "q" \\1 é'
    everybody = ["ann", odd, {"name": "bob", "server": "gpu"}]
    inventory = {"homes_namespace": namespace, "homes_users": everybody}
    playbooks.ok(SITE, inventory)
    assert set(owners(cluster, namespace)) == {("ann", ""), (odd, ""), ("bob", "gpu")}

    gone = {
        "homes_namespace": namespace,
        "homes_users": ["ann"],
        "homes_retired": [{"name": "bob", "server": "gpu"}, odd],
    }
    assert playbooks.ok(SITE, gone).summary == "keep 1, retire 2"
    marked = {key for key, claim in owners(cluster, namespace).items() if RETIRED in annotations(claim)}
    assert marked == {(odd, ""), ("bob", "gpu")}

    # One returns. The other's home is deleted.
    final = {
        "homes_namespace": namespace,
        "homes_users": ["ann", odd],
        "homes_absent": [{"name": "bob", "server": "gpu"}],
        "homes_retention": "0s",
    }
    message = playbooks.refused(SITE, final)
    assert "absent[0] (bob (server gpu))" in message
    assert "assume_unused" in message
    assert playbooks.ok(SITE, {**final, "homes_assume_unused": True}).summary == "delete 1, keep 1, update 1"
    found = owners(cluster, namespace)
    assert set(found) == {("ann", ""), (odd, "")}
    assert RETIRED not in annotations(found[odd, ""])


def test_nobody_is_on_two_lists(cluster, namespace, playbooks, tmp_path):
    users = tmp_path / "users.csv"
    users.write_text("name,size\nann,\nbob,5Gi\n")
    message = playbooks.refused(
        SITE,
        {
            "homes_namespace": namespace,
            "homes_users": ["carl"],
            "homes_users_file": str(users),
            "homes_retired": ["bob"],
            "homes_absent": ["carl"],
        },
    )
    assert "bob is in users.csv line 3 as present and in retired[0] as retired: keep one of the two" in message
    assert "carl is in users[0] as present and in absent[0] as absent: keep one of the two" in message
    assert cluster.claims(namespace) == {}


def test_invalid_variables_are_rejected(namespace, playbooks):
    message = playbooks.refused(
        SITE,
        {
            "homes_namespace": namespace,
            "homes_users": ["ann"],
            "homes_retentoin": "365d",
            "homes_absent": [{"name": "bob", "state": "present"}, "carl"],
            "homes_retired": [{"name": "dora", "state": "retired"}],
        },
    )
    assert "homes_retentoin is not a variable of the role homes (did you mean `homes_retention`?)" in message
    assert "homes_absent[0] (bob) has `state: present`, but the entries of homes_absent are absent" in message
    assert "dora" not in message


@pytest.mark.parametrize("variable", ["homes_users", "homes_retired", "homes_absent"])
@pytest.mark.parametrize("value", ["ad", {"a": "d"}], ids=["text", "mapping"])
def test_a_text_is_not_a_list_of_letters(cluster, namespace, playbooks, variable, value):
    """`-e homes_absent=ad` must not delete the homes of a and d."""
    for user in ("a", "d"):
        make_home(cluster, namespace, f"claim-{user}", user, annotations={RETIRED: "2020-01-01T00:00:00Z"})
    options = {"homes_namespace": namespace, "homes_retention": "0s", "homes_assume_unused": True, variable: value}
    message = playbooks.refused(SITE, options)
    assert variable in message
    claims = cluster.claims(namespace)
    assert {annotations(claim)[RETIRED] for claim in claims.values()} == {"2020-01-01T00:00:00Z"}
    assert len(claims) == 2


def test_nothing_is_created_for_homes_that_are_rejected(cluster, unmade, playbooks):
    options = {"homes_namespace": unmade, "homes_create_namespace": True, "homes_users": ["ann"], "homes_size": "10GB"}
    assert "has a unit that Kubernetes does not know" in playbooks.refused(SITE, options)
    assert cluster.get("namespaces", unmade) is None


def test_every_option_of_the_module_is_a_variable_of_the_role():
    from ansible_collections.odh.persistency.plugins.module_utils._io.modules import user_pvc
    from ansible_collections.odh.persistency.plugins.module_utils._io.options import connection

    options = set(user_pvc.argument_spec()) - set(connection.argument_spec())
    tasks = yaml.safe_load((ROLE / "tasks" / "main.yml").read_text())
    passed_on = next(task["odh.persistency.user_pvc"] for task in tasks if "odh.persistency.user_pvc" in task)
    # The list that a user is on sets the state (homes_users, homes_retired, homes_absent).
    # The expected cluster is a variable of the playbooks, persistency_cluster.
    # So are the size of results and where they are written, persistency_max_changes and persistency_report_folder.
    passed_on = set(passed_on) - {"cluster", "max_changes", "report_folder"}
    assert passed_on == options - {"state", "wait_sleep", "max_changes", "report_file", "report_folder"}
    specs = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    variables = set(specs["main"]["options"])
    assert variables == {f"homes_{option}" for option in passed_on}
    known = set(yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__homes_variables"])
    assert known == variables
    readme = (ROLE / "README.md").read_text()
    assert [name for name in variables if f"`{name}`" not in readme] == []
    for name, spec in specs["main"]["options"].items():
        defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
        assert ("default" in spec) == (name in defaults)
        assert spec.get("default") == defaults.get(name)


def test_connection_options_come_from_outside_of_the_role(namespace, playbooks, cluster, tmp_path):
    book = tmp_path / "own.yml"
    book.write_text(
        yaml.safe_dump(
            [
                {
                    "hosts": "persistency",
                    "gather_facts": False,
                    "module_defaults": {"group/odh.persistency.k8s": {"kubeconfig": str(cluster.kubeconfig)}},
                    "roles": ["odh.persistency.homes"],
                }
            ]
        )
    )
    wrong = tmp_path / "nothing-here"
    inventory = {"homes_namespace": namespace, "homes_users": ["ann"]}
    assert "nothing-here" in playbooks.refused(SITE, inventory, kubeconfig=wrong)
    # The playbook's module_defaults override the environment.
    playbooks.ok(book, inventory, kubeconfig=wrong)
    assert set(owners(cluster, namespace)) == {("ann", "")}
    # The collection's own playbooks take them from the inventory.
    there = {**inventory, "persistency_connection": {"kubeconfig": str(cluster.kubeconfig)}}
    assert playbooks.ok(SITE, there, kubeconfig=wrong).summary == "keep 1"
    assert playbooks.ok("odh.persistency.homes_report", there, kubeconfig=wrong).recap["changed"] == 0


def test_two_environments(cluster, playbooks, tmp_path):
    content = cluster.kubectl("config", "view", "--raw", "--minify", "--flatten")
    context = content["contexts"][0]["context"]
    content["contexts"] = [{"name": name, "context": context} for name in ("staging", "production")]
    content["current-context"] = "nowhere"
    kubeconfig = tmp_path / "two.kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(content))
    kubeconfig.chmod(0o600)
    found = {}
    for environment in ("staging", "production"):
        name = cluster.make_namespace(f"odhp-{environment}")
        inventory = INVENTORIES / "two-environments" / f"{environment}.yml"
        extra = {"homes_namespace": name}
        # Here both contexts lead to a third cluster.
        refusal = playbooks.refused(HOMES, inventory, extra=extra, kubeconfig=kubeconfig)
        assert f"not to https://api.{environment}.example.org:6443" in refusal.replace("\n", " ")
        assert cluster.claims(name) == {}
        extra["persistency_cluster"] = content["clusters"][0]["cluster"]["server"]
        playbooks.ok(HOMES, inventory, extra=extra, kubeconfig=kubeconfig)
        found[environment] = {key: size(claim) for key, claim in owners(cluster, name).items()}
        # No run reaches the wrong cluster.
        assert environment in playbooks.refused(HOMES, inventory, "--check", extra=extra)
        cluster.remove_namespace(name)
    staging, production = found["staging"], found["production"]
    assert len(staging) == 8
    assert set(staging) < set(production)
    assert set(staging.values()) == {"1Gi"}
    assert {production[key] for key in staging} == {"20Gi"}
    assert production["noor.vandenberg@example.org", ""] == "200Gi"


def test_report_of_the_demo_inventory(cluster, namespace, playbooks):
    demo = INVENTORIES / "demo"
    common = yaml.safe_load((demo / "group_vars" / "all" / "common.yml").read_text())
    extra = {"homes_namespace": namespace}
    playbooks.ok(HOMES, demo, extra=extra)
    found = owners(cluster, namespace)
    assert len(found) == 45
    people = {user for user, _server in found}
    assert {member for group in common["persistency_groups"].values() for member in group} < people
    assert size(found["hiroshi.tanaka@example.org", "gpu"]) == "100Gi"
    assert found["wei.zhang@students.example.org", ""]["metadata"]["labels"]["example.org/team"] == "interns"

    report = playbooks.ok("odh.persistency.homes_report", demo, extra=extra).output
    assert "45 of 45 homes exist." in report
    row = next(line for line in report.splitlines() if "hiroshi.tanaka@example.org (server gpu)" in line)
    assert "100Gi" in row
    other = playbooks.ok("odh.persistency.homes_report", demo, extra={**extra, "homes_naming": "escape"}).output
    assert "kofi.mensah@students.example.org would get an empty home" in other


def test_first_inventory_of_the_readme(namespace, playbooks):
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    inventory = playbooks.folder / "inventory.yml"
    inventory.write_text(next(block for block in blocks if "\npersistency:" in block))
    assert len([line for line in inventory.read_text().splitlines() if not line.startswith("#")]) == 15
    played = playbooks.ok(SITE, inventory, "--check", "--diff", extra={"homes_namespace": namespace})
    assert played.summary == "create 3, keep 1"


def test_the_service_account_of_the_examples_may_do_all_of_it(cluster, testbed, namespace, restricted_user, modules):
    text = (ROOT / "examples" / "rbac" / "homes.yml").read_text().replace("jupyterhub", namespace)
    rules = {item["kind"]: item["rules"] for item in yaml.safe_load_all(text) if "rules" in item}
    kubeconfig = restricted_user(rules["Role"], rules["ClusterRole"])

    def run(**options):
        for check in (True, False):
            result = modules.ok(
                "user_pvc", {"namespace": namespace, "users": ["ann"], **options}, kubeconfig=kubeconfig, check=check
            )
            assert result.warnings == []
        return result.summary

    assert run(size="1Gi") == {"create": 1, "keep": 0}
    volume = cluster.bind_all(namespace).popitem()[1]
    assert run(size="2Gi") == {"update": 1, "keep": 0}
    assert run(size="2Gi", state="retired") == {"retire": 1, "keep": 0}
    assert run(size="2Gi", state="absent", retention="0s", assume_unused=True) == {"delete": 1, "keep": 0}
    assert cluster.get("persistentvolumes", volume)["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    info = modules.ok("user_pvc_info", {"namespace": namespace}, kubeconfig=kubeconfig)
    assert info.warnings == []


def test_claim_names_in_the_documents_are_real():
    from ansible_collections.odh.persistency.plugins.module_utils._core.kubespawner.naming import scheme_names

    people = [
        ("alice.smith@example.org", "gpu"),
        ("alice.smith", ""),
        ("stop-2eped", ""),
        ("stop.ped", ""),
    ]
    real = {name for person in people for name in scheme_names(*person).values()}
    text = (ROOT / "docs" / "homes.md").read_text()
    named = set(re.findall(r"\b(?:claim-|jupyterhub-nb-)[a-z0-9-]+", text)) - {"jupyterhub-nb-", "claim-"}
    assert len(named) > 5
    assert named <= real
