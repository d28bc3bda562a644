"""What a person sees: login, the choice of secret shares, the progress of the start, and the shares in JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e import browser
from tests.e2e.rig import HOME

WRITER, MEMBER = "bjorn.lindqvist@example.org", "priya.sharma@example.org"
PUBLIC, PRIVATE, SECRET = "shared-data-public", "shared-data-private", "shared-data-secret"
WRITE = "open('{home}/{share}/from-notebook', 'w').write('{share}')"


@pytest.fixture(scope="module")
def chromium():
    with browser.started() as found:
        yield found


@pytest.fixture
def visit(chromium, hub, request):
    """`visit("ann")`: log in with a new window. A test that fails leaves a screenshot."""
    visitors = []

    def visit(name):
        hub.stop(name)
        context = chromium.new_context(viewport=browser.SIZE)
        visitor = browser.Visitor(context.new_page(), hub.url, name)
        visitors.append(visitor)
        visitor.log_in()
        return visitor

    yield visit
    for number, visitor in enumerate(visitors):
        visitor.screenshot(f"{request.node.name}-end-{number}")
        visitor.page.context.close()


def start(visitor):
    visitor.page.locator("#spawn_form [type=submit]").click()


def test_a_notebook_writes_to_one_share_and_is_refused_by_another(site, visit):
    visitor = visit(WRITER)
    # Only members learn that there is a secret share.
    visitor.page.locator("#spawn_form").wait_for()
    assert SECRET not in visitor.page.content()
    start(visitor)
    expect(visitor.page.locator("#progress-log")).to_contain_text(
        f"Mounts shares: {PRIVATE} (read and write), {PUBLIC} (read only), shared-notebooks (read and write)"
    )
    visitor.page.locator("#progress-details summary").click()
    visitor.screenshot("progress-page")
    visitor.open_lab()
    expect(visitor.files()).to_contain_text([PRIVATE, PUBLIC, "shared-notebooks"])
    allowed, refused = visitor.run(WRITE.format(home=HOME, share=PRIVATE), WRITE.format(home=HOME, share=PUBLIC))
    assert str(len(PRIVATE)) in allowed
    assert "Read-only file system" in refused
    # Nothing covers the page: the image turns JupyterLab's question about news off.
    expect(visitor.page.get_by_role("button", name="No", exact=True)).to_have_count(0)
    visitor.screenshot("notebook")
    assert (site.export / "private" / "from-notebook").read_text() == PRIVATE
    assert not (site.export / "public" / "from-notebook").exists()


def test_a_member_chooses_the_secret_share_and_the_others_are_read_only(site, hub, visit):
    visitor = visit(MEMBER)
    choice = visitor.page.locator(f"#spawn_form input[value={SECRET}]")
    expect(choice).not_to_be_checked()
    choice.check()
    visitor.screenshot("spawn-page")
    start(visitor)
    visitor.open_lab()
    assert site.granted(MEMBER)["shares"] == {
        PRIVATE: "ro",
        PUBLIC: "ro",
        SECRET: "ro",
        "shared-notebooks": "ro",
    }
    expect(visitor.files()).to_contain_text([PRIVATE, PUBLIC, SECRET, "shared-notebooks"])
    (refused,) = visitor.run(WRITE.format(home=HOME, share=PUBLIC))
    assert "Read-only file system" in refused

    # A link starts the server, but never with a secret share.
    hub.stop(MEMBER)
    visitor.page.goto(f"{hub.url}/hub/spawn?profile=standard&odh-persistency-secret-share={SECRET}")
    visitor.open_lab()
    assert SECRET not in site.granted(MEMBER)["shares"]
