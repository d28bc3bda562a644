"""Places that are spelled differently, or on drivers that are known by their attributes only, are compared."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.volumes import volume_from
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.desired import resolve
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec_parser import parse_shares

from tests.support.share_worlds import World, planned, settings_for

HOME = {"hub.jupyter.org/username": "bob"}
MARKS = {"odh.persistency/kind": "share", "odh.persistency/share": "priv"}
SMB, EFS, AZURE = "smb.csi.k8s.io", "efs.csi.aws.com", "file.csi.azure.com"
FILESTORE, LUSTRE, CEPH = "filestore.csi.storage.gke.io", "fsx.csi.aws.com", "cephfs.csi.ceph.com"
AZURE_LUSTRE = "azurelustre.csi.azure.com"


def nfs(server: str, path: str = "/x") -> dict[str, Any]:
    return {"nfs": {"server": server, "path": path}}


def csi(driver: str, handle: str = "", secret: str = "", **attributes: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"driver": driver, "volumeHandle": handle or "h", "volumeAttributes": attributes}
    if secret:
        fields["nodeStageSecretRef"] = {"name": secret, "namespace": "a"}
    return {"csi": fields}


def host(path: str, kind: str = "hostPath") -> dict[str, Any]:
    return {kind: {"path": path}}


def ceph(path: str, *monitors: str) -> dict[str, Any]:
    return {"cephfs": {"monitors": list(monitors), "path": path}}


def lustre(handle: str, server: str, folder: str = "") -> dict[str, Any]:
    return csi(AZURE_LUSTRE, handle, **{"mgs-ip-address": server, "fs-name": "l", "sub-dir": folder})


def on_node(*names: str, key: str = "kubernetes.io/hostname") -> dict[str, Any]:
    rule = {"key": key, "operator": "In", "values": list(names)}
    return {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}}}


def plan_of(world: World, *entries: dict[str, Any]) -> Any:
    shares = [{"level": "public", "size": "1Gi", **entry} for entry in entries]
    specs, errors = parse_shares(shares, "shares", "/home")
    assert not errors, errors
    settings = settings_for(namespaces=("a",), specs=tuple(specs))
    found, errors = resolve(specs, settings)
    assert not errors, errors
    return planned(world, found, settings)


def reasons(world: World, source: dict[str, Any], **parts: Any) -> list[str]:
    """Why a claim in namespace a over this source cannot become a share."""
    world.bound("a", "found", "by-hand", source, provisioned=parts.pop("provisioned", False))
    world.volumes["by-hand"]["spec"].update(parts)
    plan = plan_of(world, {"name": "pub", "backend": {"type": "existing_claim", "claim": "found"}})
    return [change.reason for change in plan.refusals]


EQUAL = [
    (nfs("nas"), nfs("NAS.", "//x/./")),
    (nfs("10.0.0.1"), nfs("::ffff:10.0.0.1")),
    (nfs("10.0.0.1"), nfs("::FFFF:a00:1")),
    (nfs("10.0.0.1"), nfs("10.1")),
    (nfs("10.0.0.1"), nfs("64:ff9b::a00:1")),
    (nfs("fd00::1"), nfs("[FD00:0:0:0::0001]")),
    (csi(SMB, "1", source="//fd00--1.ipv6-literal.net/data"), csi(SMB, "2", source="//[fd00::1]/data")),
    (nfs("nas.bücher.example"), nfs("NAS.XN--BCHER-KVA.example.")),
    (nfs("nas", "/x/a"), csi("nfs.csi.k8s.io", "1", Server="nas.", share="x/", subDir="a")),
    (host("/srv/l"), host("//srv/./l/", "local")),
    (csi(SMB, "1", source="//nas/data"), csi(SMB, "2", source="\\\\NAS.\\Data\\")),
    (csi(SMB, "1", source="//nas/data/a"), csi(SMB, "2", source="//nas/data", subDir="A")),
    (csi(SMB, "1", source="//nas:445/data"), csi(SMB, "2", source="//nas/data")),
    (csi(SMB, "1", source="//[fd00::1]:445/data"), csi(SMB, "2", source="//fd00:0::1/Data/")),
    (nfs("nas", "/a/../x"), nfs("nas..", "x/")),
    (nfs("fe80::1%eth0"), nfs("[fe80::1]")),
    (csi(EFS, "fs-1", path="/cases/"), csi(EFS, "fs-1:/cases")),
    (csi(AZURE, "1", storageAccount="acc", shareName="s"), nfs("acc.file.core.windows.net", "/acc/s")),
    (csi(EFS, "fs-1"), csi(EFS, "fs-1:/")),
    (csi(EFS, "fs-1::fsap-1"), csi(EFS, "fs-1::fsap-1", a="b")),
    (csi(EFS, "fs-1:/x"), nfs("fs-1.efs.eu-west-1.amazonaws.com")),
    (
        csi(AZURE, "rg#acc#share#", folderName="a"),
        csi(AZURE, "x", storageAccount="ACC", ShareName="share", folderName="a"),
    ),
    (
        {"azureFile": {"secretName": "azure-storage-account-acc-secret", "shareName": "share"}},
        csi(AZURE, "rg#acc#share#disk#uid#ns"),
    ),
    (csi(AZURE, "1", secret="creds", shareName="s"), csi(AZURE, "2", secret="creds", shareName="s")),
    (csi("blob.csi.azure.com", "1", storageAccount="acc", containerName="c"), csi("blob.csi.azure.com", "rg#acc#c###")),
    (
        csi(LUSTRE, "1", dnsname="fs-1.fsx.eu.amazonaws.com", mountname="m"),
        csi(LUSTRE, "2", dnsname="FS-1.fsx.eu.amazonaws.com.", mountname="m"),
    ),
    (csi(FILESTORE, "modeInstance/zone/i/v"), csi(FILESTORE, "modeInstance/zone/i/v", ip="10.0.0.1")),
    (csi(FILESTORE, "modeInstance/zone/i/v", ip="10.0.0.1", volume="v"), nfs("10.0.0.1", "/v")),
    (
        csi(CEPH, "1", clusterID="c", fsName="f", rootPath="/x"),
        csi("r." + CEPH, "2", clusterID="c", subvolumePath="/x"),
    ),
    # Image-based nodes have links to the folders in /var.
    *((host(f"/{folder}/l"), host(f"/var/{folder}/l", "local")) for folder in ("home", "mnt", "opt", "srv")),
    # Two volumes need not list the same monitors of a cluster, or their ports.
    (ceph("/x", "a:6789", "b:6789"), ceph("//x/", "B.")),
    (ceph("/x", "[fd00::1]:3300"), ceph("/x", "fd00:0::1")),
    (csi(CEPH, "1", monitors="a:6789,b", rootPath="/x"), ceph("/x", "b:6789")),
    (csi(EFS, "fs-1:/x", MountTargetIp="10.0.0.9"), nfs("10.0.0.9")),
    # What names the account: the handle, an attribute, the server, or the Secret.
    (csi(AZURE, "rg#acc#s#1", server="10.0.0.5"), csi(AZURE, "rg#acc#s#2")),
    (csi(AZURE, "1", server="10.0.0.5", shareName="s"), csi(SMB, "2", source="//10.0.0.5/S")),
    (
        csi(AZURE, "1", server="10.0.0.5", shareName="s", storageAccount="acc", protocol="nfs"),
        nfs("10.0.0.5", "/acc/s"),
    ),
    (csi(AZURE, "rg#acc#s#", secret="creds"), csi(AZURE, "2", secret="creds", shareName="s")),
    (csi(AZURE, "1", storageAccount="acc", shareName="s"), csi(SMB, "2", source="//acc.z01.file.storage.azure.net/s")),
    (
        csi(LUSTRE, "fs-1", dnsname="10.0.0.1", mountname="m"),
        csi(LUSTRE, "2", dnsname="fs-1.fsx.eu.amazonaws.com", mountname="m"),
    ),
    (lustre("1", "10.0.0.1@tcp:10.0.0.2@tcp"), lustre("2", "10.0.0.2")),
    # The names that drivers use when a volume gives none.
    (csi(LUSTRE, "1", dnsname="nas", mountname="fsx"), csi(LUSTRE, "2", dnsname="nas")),
    (
        csi(AZURE_LUSTRE, "1", **{"mgs-ip-address": "10.0.0.1", "fs-name": "lustrefs"}),
        csi(AZURE_LUSTRE, "2", **{"mgs-ip-address": "10.0.0.1"}),
    ),
    (csi("r.nfs.csi.ceph.com", "1", clusterID="c", server="NAS", share="/0001"), nfs("nas", "/0001")),
    (
        csi("nfs.csi.ceph.com", "1", clusterID="c", server="nas", share="/0001", subvolumePath="/volumes/a"),
        csi(CEPH, "2", clusterID="c", rootPath="/volumes/a"),
    ),
]
NESTED = [
    (host("/var"), host("/srv/l", "local")),
    (ceph("/", "a"), ceph("/x", "b", "a")),
    (lustre("1", "10.0.0.1"), lustre("2", "10.0.0.1@tcp0,10.0.1.1@tcp1", "x")),
    (csi(EFS, "fs-1:/"), csi(EFS, "fs-1:/cases")),
    (csi(EFS, "fs-1"), csi(EFS, "fs-1::fsap-1")),
    (csi(SMB, "1", source="//nas/data"), csi(SMB, "2", source="//NAS/data/x")),
    (csi(AZURE, "rg#acc#s##1#"), csi(AZURE, "rg#acc#s##2#", folderName="x")),
    (csi(CEPH, "1", clusterID="c", rootPath="/"), csi(CEPH, "2", clusterID="c")),
    (host("/srv/l"), host("/srv/l/bob", "local")),
]
DIFFERENT = [
    (nfs("10.0.0.1"), nfs("10.0.0.2")),
    (csi(SMB, "1", source="//nas/data"), csi(SMB, "2", source="//nas/data2")),
    (csi(EFS, "fs-1:/a"), csi(EFS, "fs-1:/b")),
    (csi(EFS, "fs-1:/a"), csi(EFS, "fs-2:/a")),
    (csi(AZURE, "rg#acc#s###"), csi(AZURE, "rg#other#s###")),
    (csi(AZURE, "1", server="10.0.0.5", shareName="s"), csi(AZURE, "2", server="10.0.0.6", shareName="s")),
    (csi(AZURE, "1", secret="creds", shareName="s"), csi(AZURE, "2", storageAccount="acc", shareName="s2")),
    (host("/srv/l"), host("/var/srv2/l")),
    (ceph("/x", "a"), ceph("/x", "b")),
    (csi(FILESTORE, "modeInstance/zone/i/v"), csi(FILESTORE, "modeInstance/zone/j/v")),
    (
        csi(CEPH, "1", clusterID="c", fsName="f", rootPath="/x"),
        csi(CEPH, "2", clusterID="c", fsName="g", rootPath="/x"),
    ),
    (csi("x.org", "1"), csi("x.org", "2")),
    (csi("x.org", "1", a="b"), csi("x.org", "2", a="c")),
    (csi(LUSTRE, "1", dnsname="nas", mountname="m"), csi(LUSTRE, "2", dnsname="nas")),
    (
        csi("nfs.csi.ceph.com", "1", clusterID="c", server="nas", share="/0001"),
        csi("nfs.csi.ceph.com", "2", clusterID="c", server="nas", share="/0002"),
    ),
]


@pytest.mark.parametrize(("one", "other"), [*EQUAL, *((b, a) for a, b in EQUAL)])
def test_one_place_in_two_spellings(one: Any, other: Any) -> None:
    world = World()
    world.bound("a", "home", "pv", one, annotations=HOME, provisioned=False)
    assert "is that of claim home in a, which is the home of bob" in "".join(reasons(world, other))


@pytest.mark.parametrize(("one", "other"), [*NESTED, *((b, a) for a, b in NESTED)])
def test_one_place_inside_another(one: Any, other: Any) -> None:
    world = World()
    world.bound("a", "home", "pv", one, annotations=HOME, provisioned=False)
    found = "".join(reasons(world, other))
    assert "lies inside that of claim home" in found or "contains that of claim home" in found


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_places(one: Any, other: Any) -> None:
    world = World()
    world.bound("a", "home", "pv", one, annotations=HOME, provisioned=False)
    assert not reasons(world, other)


@pytest.mark.parametrize(
    ("here", "there", "differ"),
    [
        (on_node("one"), on_node("two"), True),
        (on_node("one"), on_node("two", "one"), False),
        (on_node("one"), {}, False),
        (on_node("one"), on_node("two", key="topology.kubernetes.io/zone"), False),
    ],
)
def test_one_path_on_two_nodes(here: Any, there: Any, differ: bool) -> None:
    world = World()
    world.bound("a", "home", "pv", host("/srv/l/bob", "local"), annotations=HOME, provisioned=False)
    world.volumes["pv"]["spec"].update(here)
    assert bool(reasons(world, host("/srv/l", "local"), **there)) is not differ


def test_provisioned_volumes_with_different_handles_are_different() -> None:
    for driver, handles in (("x.org", ("1", "2")), (EFS, ("fs-1::fsap-1", "fs-1::fsap-2"))):
        for provisioned in (True, False):
            world = World()
            source = csi(driver, handles[0], pool="p")
            world.bound("a", "priv", "pv", source, labels=MARKS, annotations=MARKS, provisioned=provisioned)
            found = reasons(world, csi(driver, handles[1], pool="p"), provisioned=provisioned)
            assert bool(found) is not provisioned
            if found:
                assert "set `distinct_from: [priv]`" in found[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (csi(AZURE, "1", secret="creds", shareName="s"), csi(AZURE, "2", storageAccount="acc", shareName="S")),
        (
            csi(AZURE, "1", secret="creds", shareName="s"),
            csi(AZURE, "2", secret="other", shareName="s", folderName="x"),
        ),
        ({"azureFile": {"secretName": "creds", "shareName": "s"}}, nfs("acc.file.core.windows.net", "/acc/s/x")),
    ],
)
def test_an_account_behind_a_secret_may_be_any_account(one: Any, other: Any) -> None:
    for here, there in ((one, other), (other, one)):
        world = World()
        world.bound("a", "priv", "pv", here, labels=MARKS, annotations=MARKS, provisioned=False)
        (reason,) = reasons(world, there)
        assert "is unknown" in reason
        assert "set `distinct_from: [priv]`" in reason


@pytest.mark.parametrize("field", ["pvc.metadata.name", "pod.metadata.name", "serviceAccount.metadata.name"])
def test_a_folder_that_a_driver_names_may_be_each_of_them(field: str) -> None:
    world = World()
    world.bound("a", "priv", "pv", lustre("1", "10.0.0.1", "bob"), labels=MARKS, annotations=MARKS, provisioned=False)
    (reason,) = reasons(world, lustre("2", "10.0.0.1", f"${{{field}}}"))
    assert "is unknown" in reason


def test_equal_attributes_of_an_unknown_driver() -> None:
    def entry(name: str, **more: Any) -> dict[str, Any]:
        backend = {"type": "csi", "driver": "x.org", "volume_handle": name, "attributes": {"pool": "p"}}
        return {"name": name, "level": "public", "size": "1Gi", "backend": backend, **more}

    shares = [entry("pub"), entry("priv", level="private")]
    errors = parse_shares(shares, "shares", "/home")[1]
    assert len(errors) == 1
    assert "their levels differ" in errors[0]
    assert "set `distinct_from: [pub]`" in errors[0]
    # One level is a warning.
    plan = plan_of(World(), entry("pub"), entry("more"))
    assert not plan.refusals
    assert "whether its data is that of pub" in "".join(plan.notes)
    # The operator says that the data differ.
    plan = plan_of(World(), entry("pub"), entry("priv", level="private", distinct_from=["pub"]))
    assert not plan.refusals
    assert not plan.notes
    plan = plan_of(World(), entry("pub"), entry("priv", level="private", distinct_from=["pub", "publ"]))
    assert "`distinct_from` names publ, which is no share here" in plan.refusals[0].reason
    for value, words in (
        ("pub", "must be a list"),
        ([1], "instead of the name of a share"),
        (["priv"], "names the share itself"),
        (["A b"], "which is not the name of a share"),
    ):
        errors = parse_shares([entry("priv", distinct_from=value)], "shares", "/home")[1]
        assert any(words in error for error in errors), errors


def test_nodes_of_a_volume_are_those_of_all_alternatives() -> None:
    def terms(*nodes: str) -> dict[str, Any]:
        rules = [on_node(node)["nodeAffinity"]["required"]["nodeSelectorTerms"][0] for node in nodes]
        return {"required": {"nodeSelectorTerms": [*rules]}}

    volume = volume_from(
        {"metadata": {"name": "pv"}, "spec": {"local": {"path": "/x"}, "nodeAffinity": terms("one", "two")}}
    )
    assert volume.nodes == {"kubernetes.io/hostname": frozenset({"one", "two"})}


@pytest.mark.parametrize("marks", [{"odh.persistency/kind": "home"}, HOME])
def test_the_volume_of_a_deleted_home_is_not_bound_under_the_name_of_its_claim(marks: Any) -> None:
    world = World()
    world.volume("pv", nfs("nas"), labels=marks, annotations=marks, claim=("a", "data", "gone"), phase="Released")
    plan = plan_of(world, {"name": "data", "backend": {"type": "nfs", "server": "nas", "path": "/x"}})
    assert "whose claim was deleted and cannot be a share" in plan.refusals[0].reason
