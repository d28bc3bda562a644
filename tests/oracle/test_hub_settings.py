"""What `hub_health_info` reads in a hub's Python equals what the Python sets, or is unknown: never anything else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.doctor.python_settings import (
    COMPUTED,
    python_settings,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.hub.doctor.settings import UNSET, settings_of
from hypothesis import assume, given, target
from hypothesis import strategies as st

from tests.oracle.real_kubespawner import environment

SECTIONS = ("KubeSpawner", "Spawner")
TRAITS = ("delete_pvc", "remember_pvc_name")


@pytest.fixture(scope="module")
def traitlets():
    """Return a function that runs texts and returns what they set."""
    server = Path(__file__).with_name("traitlets_server.py")
    process = subprocess.Popen(
        [str(environment("7.1", print)), "-I", str(server)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert json.loads(process.stdout.readline()) == {"ready": True}

    def run(texts):
        process.stdin.write(json.dumps(texts) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield run
    process.stdin.close()
    process.wait(timeout=30)


sections = st.sampled_from(SECTIONS)
traits = st.sampled_from(TRAITS)
values = st.sampled_from(["True", "False", "None", "3", "bool(1)", "not True", "flag"])
configs = st.sampled_from(["c", "c", "c", "get_config()", "config"])
section = st.one_of(
    st.builds("{}.{}".format, configs, sections),
    st.builds("{}['{}']".format, configs, sections),
    st.sampled_from(["spawner", "c[name]"]),
)


def lines(*forms):
    """Return a strategy of one of several forms, whose fields are filled in."""
    fields = {"S": section, "T": traits, "V": values, "N": sections}
    return st.sampled_from(forms).flatmap(
        lambda form: st.fixed_dictionaries(fields).map(lambda found: form.format(**found))
    )


simple = lines(
    "{S}.{T} = {V}",
    "{S}['{T}'] = {V}",
    "{S}.update({{'{T}': {V}}})",
    "{S}.update({T}={V})",
    "setattr({S}, '{T}', {V})",
    "{S}[trait] = {V}",
    "{S}.{T}: bool = {V}",
    "{S}.{T} = c.Other.{T} = {V}",
    "c.{N} = {{'{T}': {V}, 'cmd': 1}}",
    "spawner = c.{N}",
    "config = c",
    "name = '{N}'",
    "trait = '{T}'",
    "flag = {V}",
    "helper(c)",
    "for_section(c.{N})",
    "{S}.pop('{T}', None)",
    "{S}.setdefault('{T}', {V})",
    "del {S}.{T}",
    'exec("c.{N}.{T} = {V}")',
    "x = [c.{N}.get('{T}')]",
    "{S}.args = [1]",
    "{S}.args.append(2)",
    "({S}).{T}, y = {V}, 1",
    "{S}.{T} = {S}.get('{T}', 5)",
    "d = c.{N}\nd.{T} = {V}",
    "[x.update({T}={V}) for x in (c.{N},)]",
    "(lambda: c.{N}.update({T}={V}))()",
    "c.merge({{'{N}': {{'{T}': {V}}}}})",
)
START = """
config = c
spawner = c.KubeSpawner
name = "Spawner"
trait = "delete_pvc"
flag = True
def helper(given):
    given.KubeSpawner.delete_pvc = 7
def for_section(given):
    given.remember_pvc_name = 8
"""


def indented(text, depth=1):
    return "\n".join("    " * depth + line for line in text.split("\n"))


def block(head):
    return lambda inner: f"{head}\n{indented(inner)}"


def compound(inner):
    return st.one_of(
        inner.map(block("if flag:")),
        inner.map(block("with nullcontext():")),
        inner.map(block("for trait in ('delete_pvc', 'remember_pvc_name'):")),
        inner.map(block("for one in range(2):")),
        inner.map(lambda text: f"try:\n{indented(text)}\nexcept Exception:\n    pass"),
        inner.map(
            lambda text: f"def f():\n    global flag, spawner, config, name, trait, d, x, y\n{indented(text)}\nf()"
        ),
        inner.map(lambda text: f"class A:\n{indented(text)}"),
        inner.map(lambda text: f"if 'x' in K.class_trait_names():\n{indented(text)}"),
        st.tuples(inner, inner).map("\n".join),
    )


statements = st.recursive(simple, compound, max_leaves=4)
K = "class K:\n    class_trait_names = staticmethod(lambda: ['x'])\n"


@given(st.lists(st.lists(statements, min_size=1, max_size=4).map("\n".join), min_size=1, max_size=3))
def test_a_value_that_is_known_is_the_one_that_python_sets(traitlets, texts):
    programs = [START + K, *texts]
    answer = traitlets(programs)
    assume("error" not in answer)
    settings = settings_of(python_settings([(str(number), text) for number, text in enumerate(programs)]))
    known = 0
    for trait in TRAITS:
        found = settings.lookup(SECTIONS, trait).value
        if found is COMPUTED:
            continue
        known += 1
        actual = next(
            (answer["sections"][name][trait] for name in SECTIONS if trait in answer["sections"].get(name, {})), UNSET
        )
        assert found is actual or (actual is not UNSET and found == actual), (trait, found, actual)
    target(float(known))


def test_most_plain_configurations_are_known(traitlets):
    """Otherwise the property above would hold for a reader that knows nothing."""
    text = "c.KubeSpawner.delete_pvc = False\nc.Spawner.remember_pvc_name = True\nc.KubeSpawner.cmd = [1]"
    settings = settings_of(python_settings([("x", text)]))
    sections_set = traitlets([text])["sections"]
    assert settings.lookup(SECTIONS, "delete_pvc").value is sections_set["KubeSpawner"]["delete_pvc"] is False
    assert settings.lookup(SECTIONS, "remember_pvc_name").value is sections_set["Spawner"]["remember_pvc_name"] is True
