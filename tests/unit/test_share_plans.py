"""Properties of plans: for any desired shares and any observed objects, the promises hold."""

from __future__ import annotations

import itertools
from dataclasses import replace

from ansible_collections.odh.persistency.plugins.module_utils._core import metadata as keys
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.volumes import volume_from
from ansible_collections.odh.persistency.plugins.module_utils._core.metadata import claim_name_error, label_value_error
from ansible_collections.odh.persistency.plugins.module_utils._core.shares import naming
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.backend_spec import Backend
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning import desired
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.backends import static_source
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.sources import location_of
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec import ShareSpec
from hypothesis import given
from hypothesis import strategies as st

from tests.support.share_worlds import Conflict, World, planned, settings_for

NAMESPACES = ("a", "b", "c")
NAMES = ("data", "more")
GIBI = 1024**3
USERNAME = "hub.jupyter.org/username"
RETIRED = "odh.persistency/retired-at"

NFS = Backend(type="nfs", server="nas", path="/exports/data")
OTHER_NFS = Backend(type="nfs", server="nas", path="/exports/other")
NFS_CSI = Backend(type="csi", driver="nfs.csi.k8s.io", attributes={"server": "nas", "share": "/exports/data"})
DYNAMIC = Backend(type="storage_class", storage_class="standard")
BACKENDS = [
    NFS,
    NFS,
    OTHER_NFS,
    NFS_CSI,
    DYNAMIC,
    DYNAMIC,
    Backend(type="host_path", path="/srv/data"),
    Backend(type="existing_claim", claim="by-hand"),
    Backend(type="csi", driver="x.example.org", volume_handle="one", clone=True),
]
SOURCES = [
    {"nfs": {"server": "nas", "path": "/exports/data"}},
    {"nfs": {"server": "nas", "path": "/exports/other"}},
    {
        "csi": {
            "driver": "nfs.csi.k8s.io",
            "volumeHandle": "h",
            "volumeAttributes": {"server": "nas", "share": "/exports/data"},
        }
    },
    {"csi": {"driver": "x.example.org", "volumeHandle": "one"}},
    {"hostPath": {"path": "/srv/data"}},
    {"rbd": {"image": "x"}},
]
CLAIMS = (
    ["none"] * 5
    + ["unmarked"] * 3
    + ["marked"] * 6
    + ["another's", "home", "home", "deleting", "unbound", "gone volume"]
)
VOLUMES = ["by a class"] * 4 + ["ours"] * 4 + ["by hand", "another's"]
MARKS = ["2026-01-01T00:00:00Z", "2026-11-22T00:00:00Z", "long ago"]


def marks(share):
    return {"labels": naming.share_labels(share), "annotations": {keys.SHARE_KEY: share}}


_DESIRED = st.sampled_from(
    list(
        itertools.product(
            BACKENDS,
            [1, 1, 2],
            [{}, {"team": "x"}],
            ["present", "present", "present", "retired", "absent"],
            [found for count in (1, 2, 3) for found in itertools.permutations(NAMESPACES, count)],
        )
    )
)


def elsewhere(backend):
    """The same kind of backend, over other data: two shares with the same location are rejected before planning."""
    attributes = backend.attributes
    return replace(
        backend,
        path=backend.path and f"{backend.path}-more",
        attributes={**attributes, "share": "/exports/more"} if attributes else attributes,
        volume_handle=backend.volume_handle and "more",
    )


@st.composite
def desired_shares(draw):
    """One or two shares, in some namespaces, in some state."""
    entries = []
    for number, name in enumerate(NAMES[: draw(st.integers(1, 2))]):
        backend, size, labels, state, namespaces = draw(_DESIRED)
        found = backend.claim and number == 0
        entries.append(
            ShareSpec(
                name=name,
                claim=backend.claim if found else name,
                size=None if found else size * GIBI,
                size_text="" if found else f"{size}Gi",
                backend=elsewhere(NFS if backend.claim else backend) if number else backend,
                namespaces=namespaces,
                labels=labels,
                state=state,
                position=f"shares[{number}]",
            )
        )
    rules = settings_for()
    shares, faults = desired.resolve(entries, rules)
    assert not faults, faults
    return shares


# In one draw: draws are what takes the time.
_STATES = st.sampled_from(
    list(
        itertools.product(
            CLAIMS,
            VOLUMES,
            [None] * 4 + SOURCES,
            ["Retain", "Delete"],
            ["", "", "", "left", "reserved", "elsewhere"],
            [False, True],
            [None, None, None, None, *MARKS],
        )
    )
)


def _draw_claim(draw, world, namespace, name, entry):
    what, volume, source, policy, left, is_copy, mark = draw(_STATES)
    if source is None:
        # What is asked for, and, of a class, what it may well have made.
        source = SOURCES[0]
        if entry is not None and entry.backend.type in ("nfs", "csi", "host_path"):
            kind, fields = static_source(entry, namespace)
            source = {kind: dict(fields)}
    if entry is not None and entry.state == "absent" and mark is None:
        mark = MARKS[0]
    own = naming.volume_name(namespace, name)
    volume_name = own if volume == "ours" else f"pv-{namespace}-{name}"
    volume_annotations = {"ours": marks(name), "another's": marks("theirs")}.get(volume, {})
    if volume == "ours" and is_copy:
        volume_annotations["annotations"] = {**volume_annotations["annotations"], keys.CLONE_ANNOTATION: "gone"}
    if what == "none":
        if left:
            claim = (namespace, name if left != "elsewhere" else "elsewhere", "gone" if left == "left" else "")
            phase = "Released" if left == "left" else "Available"
            world.volume(volume_name, source, policy=policy, claim=claim, phase=phase, **volume_annotations)
        return
    found = {"labels": {}, "annotations": {}}
    if what in ("marked", "deleting", "unbound", "gone volume"):
        found = marks(name)
    elif what == "another's":
        found = marks("theirs")
    elif what == "home":
        found["annotations"][USERNAME] = "alice"
    if mark is not None:
        found["annotations"] = {**found["annotations"], RETIRED: mark}
    if what == "unbound":
        world.claim(namespace, name, storageClassName="standard" if is_copy else "", **found)
        return
    made_by_class = volume == "by a class"
    storage_class = "standard" if made_by_class else ""
    if what == "gone volume":
        world.claim(namespace, name, volumeName=volume_name, storageClassName=storage_class, **found)
        return
    world.bound(
        namespace,
        name,
        volume_name,
        source,
        policy=policy,
        provisioned=made_by_class,
        storageClassName=storage_class,
        deleting=what == "deleting",
        **found,
    )
    for part, value in volume_annotations.items():
        world.volumes[volume_name]["metadata"][part] |= value


@st.composite
def cases(draw):
    """Some shares, and the objects that exist before: ours, conflicting ones, and unrelated ones."""
    shares = draw(desired_shares())
    entries = {share.name: share.spec for share in shares}
    world = World()
    for namespace in NAMESPACES:
        world.bound(namespace, "claim-bob", f"pvc-bob-{namespace}", SOURCES[5], annotations={USERNAME: "bob"})
        world.bound(namespace, "theirs", f"pvc-theirs-{namespace}", SOURCES[0], **marks("theirs"))
        world.volumes[f"pvc-theirs-{namespace}"]["metadata"] |= marks("theirs")
        for name in (*NAMES, "by-hand"):
            _draw_claim(draw, world, namespace, name, entries.get(name))
    world.settle()
    return shares, world


def data_in(world, share, claim):
    """The locations of a share's data, by namespace."""
    found = {}
    for namespace in share.namespaces:
        live = world.claims.get((namespace, claim))
        if live is not None and live["metadata"]["annotations"].get(keys.SHARE_KEY) == share.name:
            volume = world.volumes.get(live["spec"].get("volumeName", ""))
            if volume is not None:
                found[namespace] = location_of(volume_from(volume).source)
    return found


@given(cases(), st.booleans())
def test_the_promises(case, backwards):
    shares, world = case
    rules = settings_for()
    plan = planned(world, shares, rules)
    if plan.refusals:
        assert all(change.reason.startswith("shares[") for change in plan.refusals)
        return  # nothing is carried out
    world.apply_plan(plan, shares, rules, backwards)

    # Converge: a second run has nothing to do, and, once classes have made their volumes, a third one or a fourth.
    again = planned(world, shares, rules)
    assert not again.changed, [change.reason for change in again.pending]
    assert not again.refusals, [change.reason for change in again.refusals]
    world.provision()
    waiting = any("run again once it is" in difference.reason for difference in again.unreconcilable)
    for _run in range(2):
        more = planned(world, shares, rules)
        if more.refusals:
            # Only where the volume that others copy was not known before: it may be one that cannot be copied.
            assert waiting, [change.reason for change in more.refusals]
            break
        world.apply_plan(more, shares, rules, backwards)
    else:
        last = planned(world, shares, rules)
        assert not last.changed, [change.reason for change in last.pending]
        assert not last.refusals, [change.reason for change in last.refusals]

    # Lose nothing: no data goes, and only what was retired long enough.
    assert world.destroyed == []
    names = {share.name for share in shares}
    for gone in world.deleted:
        assert gone["metadata"]["annotations"][keys.SHARE_KEY] in names
        assert gone["metadata"]["annotations"].get(RETIRED) == "2026-01-01T00:00:00Z"

    # What is somebody else's is not touched.
    targets = {(namespace, share.spec.claim) for share in shares for namespace in share.namespaces}
    for item in world.touched:
        metadata = item["metadata"]
        reference = item["spec"].get("claimRef", {})
        at = (
            (reference.get("namespace"), reference.get("name"))
            if reference
            else (metadata.get("namespace"), metadata["name"])
        )
        owner = metadata["annotations"].get(keys.SHARE_KEY)
        assert USERNAME not in metadata["annotations"]
        assert owner in names or (owner is None and at in targets)

    # One share is one place, and its volumes are kept wherever it is in several namespaces.
    for share in shares:
        if share.state == "present" and not share.is_existing_claim:
            assert len(set(data_in(world, share, share.spec.claim).values())) <= 1
        if share.state == "present" and len(share.namespaces) > 1:
            for namespace in share.namespaces:
                claim = world.claims.get((namespace, share.spec.claim))
                if claim is not None and claim["status"]["phase"] == "Bound":
                    volume = world.volumes[claim["spec"]["volumeName"]]
                    if not waiting and volume["spec"]["claimRef"].get("uid") == claim["metadata"]["uid"]:
                        assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"


@given(cases(), st.integers(0, 6))
def test_an_interrupted_run_is_completed_by_the_next(case, done):
    shares, world = case
    rules = settings_for()
    plan = planned(world, shares, rules)
    if plan.refusals:
        return
    complete = world.copy()
    complete.apply_plan(plan, shares, rules)
    steps = [step for change in plan.pending for step in change.operations]
    for step in steps[:done]:
        try:
            world.step(step)
        except Conflict:
            break  # where it would be planned again, it is cut short
        world.settle()
    again = planned(world, shares, rules)
    assert not again.refusals, [change.reason for change in again.refusals]
    world.apply_plan(again, shares, rules)
    assert not planned(world, shares, rules).changed
    assert world.destroyed == []
    assert set(world.claims) == set(complete.claims)
    assert set(world.volumes) == set(complete.volumes)


# Labels of DNS names, chosen to meet each other at every seam; and at the longest.
_SHORT = ["".join(found) for size in (1, 2, 3) for found in itertools.product("ab-", repeat=size)]
_LABELS = [text for text in _SHORT if text.strip("-") == text] + ["share", "share-a", "x" * 57, "x" * 61, "y" * 63]
_LABEL = st.sampled_from(_LABELS)
_SHARE = st.lists(_LABEL, min_size=1, max_size=4).map(".".join)
PAIRS = st.tuples(_LABEL, _SHARE)


@given(PAIRS, PAIRS)
def test_names_of_volumes_are_unique(one, two):
    for pair in (one, two):
        name = naming.volume_name(*pair)
        assert claim_name_error(name) is None
        assert len(name) <= 63
    assert (naming.volume_name(*one) == naming.volume_name(*two)) == (one == two)
    # Close pairs: the seam between the two names at another hyphen or dot.
    joined = f"{one[0]}-{one[1]}"
    seams = {(joined[:at], joined[at + 1 :]) for at, letter in enumerate(joined) if letter in "-."}
    close = [pair for pair in seams if "." not in pair[0] and all(claim_name_error(part) is None for part in pair)]
    assert len({naming.volume_name(*pair) for pair in close}) == len(close)


@given(_SHARE)
def test_labels_of_shares_are_label_values(name):
    assert label_value_error(naming.share_label(name)) is None
