"""No share and no tree are ever taken for one another, whatever they are called and whoever wrote their marks."""

from __future__ import annotations

from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.claims import claim_from
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.volumes import volume_from
from ansible_collections.odh.persistency.plugins.module_utils._core.metadata import claim_name_error, label_value_error
from ansible_collections.odh.persistency.plugins.module_utils._core.shares import naming
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.observed import is_marked, share_of
from hypothesis import given
from hypothesis import strategies as st

LETTERS = "abcxyz0189"
NAMES = st.text(LETTERS + "-.", min_size=1, max_size=80).filter(lambda name: claim_name_error(name) is None)
NAMESPACES = st.text(LETTERS + "-", min_size=1, max_size=63).filter(
    lambda name: claim_name_error(name) is None and "." not in name
)


def marked(name: str) -> dict[str, object]:
    annotations = {naming.name_key(name): naming.plain_name(name)}
    return {"metadata": {"name": "any", "labels": naming.share_labels(name), "annotations": annotations}}


@given(NAMES, NAMES)
def test_marks_say_which_of_the_two_it_is(share: str, tree: str) -> None:
    names = (share, f"tree:{tree}")
    for name in names:
        claim, volume = claim_from(marked(name)), volume_from(marked(name))
        assert share_of(claim) == volume.share == name
        assert [other for other in names if is_marked(claim, other)] == [name]
        # Somebody who may edit claims removed the annotation: the label still says the kind.
        bare = claim._replace(annotations={})
        assert share_of(bare) == naming.share_label(name)
        assert [other for other in names if is_marked(bare, other)] == [name]


@given(NAMES, NAMES, NAMESPACES, NAMESPACES)
def test_volumes_of_shares_and_trees_never_have_one_name(share: str, tree: str, one: str, other: str) -> None:
    names = [naming.volume_name(one, share), naming.volume_name(other, f"tree:{tree}")]
    assert names[0] != names[1]
    assert all(len(name) <= naming.LONGEST and claim_name_error(name) is None for name in names)


@given(NAMES)
def test_labels_are_valid(tree: str) -> None:
    assert all(label_value_error(value) is None for value in naming.share_labels(f"tree:{tree}").values())


def test_a_claim_that_is_only_labelled_as_a_tree_is_no_share() -> None:
    claim = claim_from({"metadata": {"name": "data", "labels": {"odh.persistency/kind": "tree"}}})
    assert share_of(claim) == "tree:"
    assert not is_marked(claim, "data")
