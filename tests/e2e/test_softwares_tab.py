"""Software in a server: the release that is current, JupyterLab's Softwares tab, and a release that comes later."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from testbed.hub.lifecycle import OWN_VALUES
from testbed.software.environment import LMOD_CMD
from testbed.software.stack import OPTIONS, build_user, demo_stack, request
from tests.e2e import browser
from tests.e2e.rig import HubOnNode, Site
from tests.support.software import public_folder, remove

USER = "ulla.bergstrom@students.example.org"
FIRST = ["bzip2-1.0.8.eb", "UnZip-6.0.eb", {"hello-1.0.eb": {"default": True}}, "tables-1.0.eb"]
SECOND = ["bzip2-1.0.8.eb", "UnZip-6.0.eb", "hello-1.0.eb", {"hello-1.1.eb": {"default": True}}, "tables-1.0.eb"]
#: What the tab lists of the first release, in its order.
MODULES = ["bzip2/1.0.8", "hello/1.0", "tables/1.0", "UnZip/6.0"]
EROFS = "Read-only file system"


class Software:
    """The tree of a site, which the playbooks fill from the demo stack's builds. Its prefix is empty on this machine."""

    def __init__(self, site: Site, folder: Path) -> None:
        self._site = site
        self.stack = demo_stack()
        self.path = self.stack.copy(folder / "apps")
        self.prefix = self.stack.prefix

    @property
    def variables(self) -> dict[str, Any]:
        """Return the variables of the role for this tree."""
        needed = request()
        return {
            "software_install": False,
            "software_build_user": build_user() or "",
            "software_easybuild": str(self.stack.python.parent.parent),
            "software_easybuild_options": dict(OPTIONS),
            "software_lmod_cmd": LMOD_CMD,
            "software_prefix": str(self.prefix),
            "software_path": str(self.path),
            "software_robot_paths": needed["robot_paths"],
            "software_source_paths": needed["source_paths"],
            "software_namespaces": [self._site.namespace],
            "software_backend": {"type": "host_path", "path": str(self.path)},
            "software_size": "1Gi",
        }

    @property
    def current(self) -> str:
        """The id of the current release."""
        return os.readlink(self.path / "current").rpartition("/")[2]

    def publish(self, *easyconfigs: Any) -> None:
        """Publish a release with these easyconfigs, which are built already."""
        played = self._site.play("software", **self.variables, software_stack={"easyconfigs": list(easyconfigs)})
        assert ": build 1 of" not in played.output, played.output


class Tab:
    """The Softwares tab of a page with JupyterLab."""

    def __init__(self, page: Page) -> None:
        self._page = page
        page.locator(".lm-TabBar-tab[data-id='module-jupyterlab']").click()
        self._tab = page.locator("#module-jupyterlab")
        #: The names of modules.
        self.loaded = self._tab.locator("#module_loaded_list .jp-Module-itemLabel")
        self.available = self._tab.locator("#module_avail_list .jp-Module-itemLabel")

    def load(self, module: str) -> None:
        """Load a module, and wait until the tab lists it as loaded."""
        self._press(module, "Load")
        expect(self.loaded.filter(has_text=_exactly(module))).to_be_visible()

    def unload(self, module: str) -> None:
        """Unload a module, and wait until the tab does not list it as loaded."""
        self._press(module, "Unload")
        expect(self.loaded.filter(has_text=_exactly(module))).to_have_count(0)

    def save(self, collection: str) -> None:
        """Save what is loaded as a collection."""
        self._tab.locator("#save-button").click()
        dialog = self._dialog()
        dialog.locator("input").fill(collection)
        with self._page.expect_response("**/module/collections"):
            dialog.get_by_role("button", name="Save").click()

    def restore(self, collection: str) -> None:
        """Restore a collection."""
        self._tab.locator("#restore-button").click()
        dialog = self._dialog()
        dialog.locator("select").select_option(collection)
        with self._page.expect_response("**/module/collections"):
            dialog.get_by_role("button", name="Restore").click()

    def _press(self, module: str, button: str) -> None:
        label = self._page.locator(".jp-Module-itemLabel", has_text=_exactly(module))
        item = self._tab.locator(".jp-Module-item").filter(has=label)
        # The button is hidden until the mouse is over the item.
        item.get_by_role("button", name=button, exact=True, include_hidden=True).click(force=True)

    def _dialog(self) -> Locator:
        return self._page.locator(".jp-Dialog")


def _exactly(text: str) -> re.Pattern[str]:
    return re.compile(f"^{re.escape(text)}$")


@pytest.fixture(scope="module")
def software(site):
    """The tree, with a release."""
    # Not a folder of pytest, because each new run of it closes the parent of all to other users.
    folder = public_folder()
    software = Software(site, folder)
    software.publish(*FIRST)
    yield software
    remove(folder)


@pytest.fixture(scope="module")
def hub_with_software(node, site, software):
    """A hub whose servers mount the tree. Besides, it is configured like the other one."""
    values = site.values
    site.values = values.with_name("software.yaml")
    site.values.write_text(OWN_VALUES)
    site.play("hub", **software.variables)
    with HubOnNode(node, site, "software") as running:
        site.values = values
        yield running


@pytest.fixture
def server(hub_with_software, software):
    """The name of a user with a running server."""
    hub_with_software.launch(USER)
    return USER


def test_a_server_sees_the_release_and_cannot_change_the_tree(server, shell, software):
    code, listed = shell(server, '"$LMOD_CMD" sh --terse avail 2>&1 >/dev/null')
    assert code == 0, listed
    modules = [line for line in listed.splitlines() if not line.endswith((":", "/"))]
    assert sorted(modules, key=str.lower) == MODULES
    assert shell(server, ". /etc/profile.d/lmod.sh; module load hello; hello") == (0, "hello 1.0\n")
    for command in ("touch new", "rm current", "ln -sfn releases/x current", "touch store/new", "rm -r store/hello"):
        code, output = shell(server, f"cd {software.prefix} && {command}")
        assert (code, EROFS in output) == (1, True), (command, output)


@pytest.fixture(scope="module")
def chromium():
    with browser.started() as found:
        yield found


@pytest.fixture
def visitor(chromium, hub_with_software, server, request):
    """The user in JupyterLab. At the end a screenshot is kept."""
    context = chromium.new_context(viewport=browser.SIZE)
    visitor = browser.Visitor(context.new_page(), hub_with_software.url, server)
    visitor.log_in()
    visitor.open_lab()
    yield visitor
    visitor.screenshot(f"{request.node.name}-end")
    context.close()


def test_a_module_that_is_loaded_in_the_tab_is_used_by_a_new_kernel_and_restored_with_a_collection(
    visitor, site, software, server, shell
):
    assert shell(server, "python -c 'import tabulate'")[0] == 1
    tab = Tab(visitor.page)
    expect(tab.available).to_have_text(MODULES)
    expect(tab.loaded).to_have_count(0)
    for module in ("tables/1.0", "hello/1.0"):
        tab.load(module)
    expect(tab.available).to_have_text(["bzip2/1.0.8", "UnZip/6.0"])
    place, greeting = visitor.run("import tabulate\ntabulate.__file__", "!hello")
    assert f"'{software.prefix}/store/tables/1.0-" in place
    assert "hello 1.0" in greeting
    visitor.screenshot("softwares-tab")

    tab.save("mine")
    home = site.folder_of(site.home_of(server)["metadata"]["name"])
    assert list(home.rglob("mine*")), "no file of the collection in the home"
    for module in ("tables/1.0", "hello/1.0"):
        tab.unload(module)
    expect(tab.available).to_have_text(MODULES)
    tab.restore("mine")
    expect(tab.loaded).to_have_text(["tables/1.0", "hello/1.0"])


def test_a_running_server_lists_a_new_release_after_the_next_load_and_the_old_one_after_a_rollback(
    visitor, site, software, server
):
    pod, first = site.pod_of(server)["metadata"]["uid"], software.current
    tab = Tab(visitor.page)
    expect(tab.available).to_have_text(MODULES)
    tab.load("hello/1.0")
    tab.save("before")
    software.publish(*SECOND)
    assert software.current != first
    tab.unload("hello/1.0")
    expect(tab.available).to_have_text(["bzip2/1.0.8", "hello/1.0", "hello/1.1", "tables/1.0", "UnZip/6.0"])
    tab.load("hello/1.1")
    (greeting,) = visitor.run("!hello")
    assert "hello 1.1" in greeting
    # A collection from before the publication is still valid, because MODULEPATH is the same.
    tab.restore("before")
    expect(tab.loaded).to_have_text(["hello/1.0"])

    site.play("software", "--tags", "rollback", **software.variables)
    assert software.current == first
    tab.unload("hello/1.0")
    expect(tab.available).to_have_text(MODULES)
    assert site.pod_of(server)["metadata"]["uid"] == pod
