"""What NetworkPolicies let a pod reach, compared with a plain enumeration over a small network."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.doctor.label_selectors import (
    Answer,
    Labels,
    selects,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.doctor.network_policies import (
    applies_to_egress,
    destination,
    reach,
)
from hypothesis import given
from hypothesis import strategies as st

NO, MAYBE, YES = Answer.NO, Answer.MAYBE, Answer.YES
POD = Labels({"app": "jupyterhub", "component": "singleuser-server"})
NFS = destination("10.0.0.5", 2049)


def policy(*rules, selector=None, types=("Egress",), name="p"):
    spec = {"podSelector": selector or {}, "egress": list(rules)}
    if types is not None:
        spec["policyTypes"] = list(types)
    return {"metadata": {"name": name}, "spec": spec}


def answer(*policies, pod=POD, target=NFS):
    return reach(policies, pod, target).answer


def block(cidr, *excepted):
    return {"ipBlock": {"cidr": cidr, **({"except": list(excepted)} if excepted else {})}}


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ([], YES),
        ([policy()], NO),
        ([policy({})], YES),
        ([policy({"to": [], "ports": []})], YES),
        ([policy(types=("Ingress",))], YES),
        ([policy({}, selector={"matchLabels": {"component": "hub"}})], YES),
        ([policy(selector={"matchLabels": {"component": "singleuser-server"}})], NO),
        # Policies add up.
        ([policy(name="a"), policy({}, name="b")], YES),
        ([policy({"to": [block("10.0.0.0/8")]})], YES),
        ([policy({"to": [block("10.0.0.0/8", "10.0.0.0/24")]})], NO),
        ([policy({"to": [block("192.168.0.0/16")]})], NO),
        ([policy({"to": [block("fd00::/8")]})], NO),
        ([policy({"to": [block("192.168.0.0/16"), block("10.0.0.5/32")]})], YES),
        ([policy({"ports": [{"port": 2049}]})], YES),
        ([policy({"ports": [{"port": 2049, "protocol": "UDP"}]})], NO),
        ([policy({"ports": [{"protocol": "TCP"}]})], YES),
        ([policy({"ports": [{"port": 53}]})], NO),
        ([policy({"ports": [{"port": 2000, "endPort": 3000}]})], YES),
        ([policy({"ports": [{"port": 2000, "endPort": 2048}]})], NO),
        ([policy({"ports": [{"port": 2050, "endPort": 3000}]})], NO),
        ([policy({"ports": [{"port": 53}, {"port": 2049}]})], YES),
        # A named port is that of a pod, which the server may be.
        ([policy({"ports": [{"port": "nfs"}]})], MAYBE),
        ([policy({"ports": [{"port": 53}], "to": [block("10.0.0.0/8")]})], NO),
        ([policy({"to": [{"podSelector": {}}]})], MAYBE),
        ([policy({"to": [{"namespaceSelector": {}}], "ports": [{"port": 8081}]})], NO),
        ([policy({"to": [{"podSelector": {}}]}), policy({"to": [block("10.0.0.5/32")]})], YES),
        ([policy({"to": [block("nonsense")]})], MAYBE),
    ],
)
def test_rules(policies, expected):
    assert answer(*policies) == expected


def test_a_policy_without_types_restricts_egress_if_it_has_rules_for_it():
    assert answer(policy(types=None)) == YES
    assert answer(policy({"ports": [{"port": 53}]}, types=None)) == NO
    assert not applies_to_egress({"policyTypes": ["Ingress"], "egress": [{}]})


def test_the_chart_s_policy_keeps_private_addresses_out_unless_it_allows_them():
    rules = [
        {"to": [{"podSelector": {"matchLabels": {"component": "hub"}}}], "ports": [{"port": 8081}]},
        {"to": [block("169.254.169.254/32"), {"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}]},
        {"to": [block("0.0.0.0/0", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]},
    ]
    assert answer(policy(*rules)) == NO
    assert answer(policy(*rules), target=destination("203.0.113.5", 2049)) == YES
    assert answer(policy(*rules, {"to": [block("10.0.0.0/8")]})) == YES


def test_a_server_of_which_only_the_name_is_known():
    name = destination("nfs.example.org", 2049)
    assert name.address is None
    assert answer(policy(), target=name) == NO
    assert answer(policy({"to": [block("10.0.0.0/8")]}), target=name) == MAYBE
    assert answer(policy({"to": [block("0.0.0.0/0")]}), target=name) == YES
    assert answer(policy({"to": [block("0.0.0.0/0", "10.0.0.0/8")]}), target=name) == MAYBE
    assert answer(policy({"to": [block("10.0.0.0/8")], "ports": [{"port": 53}]}), target=name) == NO
    assert answer(target=name) == YES
    assert destination("[fd00::1]", 2049).address == ipaddress.ip_address("fd00::1")


def test_labels_that_are_known_in_part():
    partly = Labels({"component": "singleuser-server"}, complete=False)
    other = {"matchLabels": {"team": "a"}}
    assert answer(policy(selector=other), pod=partly) == MAYBE
    assert answer(policy({}, selector=other), pod=partly) == YES
    assert answer(policy(selector=other), policy({}), pod=partly) == YES
    assert answer(policy(), policy({}, selector=other), pod=partly) == MAYBE
    assert answer(policy(), policy(selector=other), pod=partly) == NO


def test_what_opens_the_port_is_named():
    found = reach([policy(name="a"), policy({}, name="b")], POD, NFS)
    assert found == (YES, ("b",))
    assert reach([], POD, NFS).policies == ()
    assert reach([policy({"to": [{"podSelector": {}}]}, name="a")], POD, NFS) == (MAYBE, ("a",))


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (None, NO),
        ({}, YES),
        ({"matchLabels": {"app": "jupyterhub"}}, YES),
        ({"matchLabels": {"app": "x"}}, NO),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["x", "jupyterhub"]}]}, YES),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["x"]}]}, YES),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["jupyterhub"]}]}, NO),
        ({"matchExpressions": [{"key": "none", "operator": "NotIn", "values": ["x"]}]}, YES),
        ({"matchExpressions": [{"key": "none", "operator": "In", "values": ["x"]}]}, NO),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, YES),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, NO),
        ({"matchExpressions": [{"key": "none", "operator": "DoesNotExist"}]}, YES),
        ({"matchExpressions": [{"key": "app", "operator": "Later"}]}, MAYBE),
        ({"matchLabels": {"app": "jupyterhub"}, "matchExpressions": [{"key": "none", "operator": "Exists"}]}, NO),
    ],
)
def test_selectors(selector, expected):
    assert selects(selector, POD) == expected
    assert ~selects({}, POD) == NO


# -- properties over a small network: 8 addresses, 6 ports, 3 labels ------------------------------------------------------

ADDRESSES = [f"10.0.0.{number}" for number in range(8)]
PORTS = range(2046, 2052)
CIDRS = st.sampled_from(
    ["0.0.0.0/0", "10.0.0.0/29", "10.0.0.0/30", "10.0.0.4/30", "10.0.0.4/31", "10.0.0.5/32", "10.1.0.0/16"]
)
VALUES = st.sampled_from(["a", "b"])


def optional(**fields):
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def port(draw):
    found = draw(optional(protocol=st.sampled_from(["TCP", "UDP"])))
    if draw(st.booleans()):
        found["port"] = draw(st.sampled_from(PORTS))
        if draw(st.booleans()):
            found["endPort"] = draw(st.integers(found["port"], PORTS[-1]))
    return found


peers = st.builds(lambda cidr, excepted: block(cidr, *excepted), CIDRS, st.lists(CIDRS, max_size=2))
rules = optional(ports=st.lists(port(), max_size=3), to=st.lists(peers, max_size=3))
expressions = st.builds(
    lambda key, operator, values: {"key": key, "operator": operator, "values": values},
    st.sampled_from(["x", "y"]),
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
    st.lists(VALUES, min_size=1, max_size=2),
)
selectors = optional(
    matchLabels=st.dictionaries(st.sampled_from(["x", "y"]), VALUES, max_size=2),
    matchExpressions=st.lists(expressions, max_size=2),
)
labels = st.dictionaries(st.sampled_from(["x", "y"]), VALUES, max_size=2)
policies = st.builds(
    lambda listed, selector, types: policy(*listed, selector=selector, types=types),
    st.lists(rules, max_size=3),
    selectors,
    st.sampled_from([None, ("Ingress",), ("Egress",), ("Ingress", "Egress")]),
)


def enumerated(listed, pod, protocol):
    """Return every address and port that a pod reaches, by sets and without a shortcut."""
    everything = {(address, number) for address in ADDRESSES for number in PORTS}
    isolated, allowed = False, set()
    for one in listed:
        spec = one["spec"]
        types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec["egress"] else ["Ingress"])
        if "Egress" not in types or not matches(spec["podSelector"], pod):
            continue
        isolated = True
        for rule in spec["egress"]:
            numbers = set(PORTS)
            if rule.get("ports"):
                numbers = set()
                for one_port in rule["ports"]:
                    if one_port.get("protocol", "TCP") == protocol:
                        first = one_port.get("port", PORTS[0])
                        last = one_port.get("endPort", one_port.get("port", PORTS[-1]))
                        numbers |= set(range(first, last + 1))
            addresses = set(ADDRESSES)
            if rule.get("to"):
                addresses = set()
                for peer in rule["to"]:
                    inside = hosts(peer["ipBlock"]["cidr"])
                    for cidr in peer["ipBlock"].get("except", ()):
                        inside -= hosts(cidr)
                    addresses |= inside
            allowed |= {(address, number) for address in addresses for number in numbers}
    return allowed if isolated else everything


def hosts(cidr):
    low, length = cidr.split("/")
    mask = (0xFFFFFFFF << (32 - int(length))) & 0xFFFFFFFF
    return {one for one in ADDRESSES if as_number(one) & mask == as_number(low) & mask}


def as_number(address):
    first, second, third, fourth = map(int, address.split("."))
    return first << 24 | second << 16 | third << 8 | fourth


def matches(selector, pod):
    results = [pod.get(key) == wanted for key, wanted in selector.get("matchLabels", {}).items()]
    for one in selector.get("matchExpressions", ()):
        found = pod.get(one["key"])
        results.append(
            {
                "In": found in one["values"],
                "NotIn": found not in one["values"],
                "Exists": found is not None,
                "DoesNotExist": found is None,
            }[one["operator"]]
        )
    return all(results)


@given(st.lists(policies, max_size=4), labels, st.sampled_from(["TCP", "UDP"]))
def test_answers_equal_the_enumeration(listed, pod, protocol):
    expected = enumerated(listed, pod, protocol)
    for address in ADDRESSES:
        for number in PORTS:
            found = answer(*listed, pod=Labels(pod), target=destination(address, number, protocol))
            assert found == (YES if (address, number) in expected else NO), (address, number)


@given(st.lists(policies, max_size=3), labels, st.sampled_from(["x", "y"]))
def test_an_answer_about_labels_known_in_part_covers_all_labels(listed, pod, hidden):
    """MAYBE, or the one answer that all pods with these labels have."""
    known = {key: value for key, value in pod.items() if key != hidden}
    partly = answer(*listed, pod=Labels(known, complete=False))
    possible = {
        answer(*listed, pod=Labels({**known, **more})) for more in ({}, {hidden: "a"}, {hidden: "b"}, {hidden: "c"})
    }
    assert partly == MAYBE or possible == {partly}


@given(st.lists(policies, max_size=3), labels)
def test_an_answer_about_a_name_covers_all_addresses(listed, pod):
    by_name = answer(*listed, pod=Labels(pod), target=destination("nfs", 2049))
    possible = {answer(*listed, pod=Labels(pod), target=destination(address, 2049)) for address in ADDRESSES}
    assert by_name == MAYBE or possible == {by_name}


@given(st.lists(policies, max_size=3), policies, labels)
def test_a_policy_that_isolates_already_only_adds(listed, more, pod):
    if answer(policy(), *listed, pod=Labels(pod)) == YES:
        assert answer(policy(), *listed, more, pod=Labels(pod)) == YES
