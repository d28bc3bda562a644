"""From an inventory to a mount: which home and which shares servers get, and what users can do there."""

from __future__ import annotations

import pytest

from testbed.hub.volumes import OWNER
from tests.e2e.rig import HOME, SERVERNAME, USERNAME
from tests.support.cluster import wait_for

TEACHER, ANALYST = "lars.jensen@example.org", "amara.okafor@example.org"
INTERN, OTHER_INTERN = "emil.hansen@students.example.org", "dina.levi@students.example.org"
SECRET_READER, SECRET_WRITER = "katarzyna.nowak@example.org", "hiroshi.tanaka@example.org"
VISITOR, NEWCOMER, VETERAN = "visitor@example.net", "newcomer@example.net", "veteran@example.net"
PRIVATE, PUBLIC, SECRET = "shared-data-private", "shared-data-public", "shared-data-secret"
EROFS = "Read-only file system"


@pytest.fixture
def write(shell):
    """`write("ann", "papers")`: write a file in a share, and return the error message, or ""."""

    def write(user, share):
        code, output = shell(user, f"echo by {user} > {HOME}/{share}/note")
        assert (code == 0) == (output == ""), output
        return output

    return write


class TestShares:
    def test_readers_read_writers_write_and_strangers_have_no_such_path(self, site, hub, shell, write):
        hub.launch(TEACHER, ANALYST, INTERN)
        hello = site.export / "private" / "hello.txt"
        hello.write_text("from the owner\n")
        hello.chmod(0o666)
        assert shell(TEACHER, f"cat {HOME}/{PRIVATE}/hello.txt") == (0, "from the owner\n")
        assert EROFS in write(TEACHER, PRIVATE)
        assert write(ANALYST, PRIVATE) == ""
        assert shell(TEACHER, f"cat {HOME}/{PRIVATE}/note") == (0, f"by {ANALYST}\n")
        # A public share is there for all.
        assert write(TEACHER, PUBLIC) == ""
        assert EROFS in write(INTERN, PUBLIC)
        assert shell(INTERN, f"cat {HOME}/{PUBLIC}/note") == (0, f"by {TEACHER}\n")
        assert shell(INTERN, f"ls {HOME}") == (0, "shared-data-public\nshared-notebooks\n")

        for command in ("rm hello.txt", "mv hello.txt x", "chmod 777 .", "truncate -s 0 hello.txt", "mkdir x"):
            code, output = shell(TEACHER, f"cd {HOME}/{PRIVATE} && {command}")
            assert (code, EROFS in output) == (1, True), output
        code, output = shell(TEACHER, f"rmdir {HOME}/{PRIVATE}; mv {HOME}/{PRIVATE} {HOME}/x")
        assert code != 0
        assert output.count("busy") == 2, output
        assert hello.read_text() == "from the owner\n"

    def test_an_expired_share_is_gone_and_its_reader_learns_why(self, site, hub, shell):
        hub.launch(TEACHER)
        assert "last-year" not in shell(TEACHER, f"ls {HOME}")[1]
        assert site.granted(TEACHER)["left_out"] == {"last-year": "not mounted: its last day was 2025-12-31"}
        messages = [event["message"] for event in site.cluster.list("events", site.namespace)]
        assert any("Shares that are not mounted: last-year (its last day was 2025-12-31)" in text for text in messages)

    def test_a_secret_share_only_when_requested_and_then_the_others_are_read_only(self, site, hub, shell, write):
        hub.launch(SECRET_READER, SECRET_WRITER, INTERN, secret_shares=[SECRET])
        # Nothing else is writable beside a secret share, except the home.
        assert write(SECRET_WRITER, SECRET) == ""
        assert shell(SECRET_READER, f"cat {HOME}/{SECRET}/note") == (0, f"by {SECRET_WRITER}\n")
        for user, share in ((SECRET_READER, SECRET), (SECRET_WRITER, PRIVATE), (SECRET_WRITER, "shared-notebooks")):
            assert EROFS in write(user, share)
        assert shell(SECRET_WRITER, f"echo note > {HOME}/note") == (0, "")
        # Who is not granted it gets nothing for asking.
        assert SECRET not in shell(INTERN, f"ls {HOME}")[1]

        hub.stop(SECRET_WRITER)
        # The hub remembers the options of the last start, but a request counts once.
        hub.launch(SECRET_WRITER)
        assert SECRET not in site.granted(SECRET_WRITER)["shares"]
        assert write(SECRET_WRITER, PRIVATE) == ""

    def test_groups_of_the_hub_count_as_they_are_at_the_start(self, site, hub):
        hub.hub.set_groups({"visitors": [VISITOR]})
        hub.launch(VISITOR, OTHER_INTERN)
        assert site.granted(VISITOR)["shares"]["visitors"] == "ro"
        assert "visitors" not in site.granted(OTHER_INTERN)["shares"]
        hub.stop(VISITOR)
        hub.hub.set_groups({"visitors": [OTHER_INTERN]})
        hub.launch(VISITOR)
        assert "visitors" not in site.granted(VISITOR)["shares"]

    def test_the_next_start_follows_the_access_list_without_a_restart_of_the_hub(self, site, hub, shell, write):
        reader = "rosa.silva@students.example.org"
        hub.launch(reader)
        assert PRIVATE not in site.granted(reader)["shares"]
        share = site.share(PRIVATE)
        share["write"]["users"].append(reader)
        site.play("shares")
        # What runs keeps its mounts: docs/hub.md.
        assert PRIVATE not in shell(reader, f"ls {HOME}")[1]
        hub.stop(reader)
        hub.launch(reader)
        assert write(reader, PRIVATE) == ""
        share["write"]["users"].remove(reader)
        site.publish()
        hub.stop(reader)
        hub.launch(reader)
        assert PRIVATE not in site.granted(reader)["shares"]
        # The mount point, an empty folder, stays in the home.
        assert shell(reader, f"ls -A {HOME}/{PRIVATE}") == (0, "")


class TestHomes:
    def test_a_home_of_the_inventory_is_used(self, site, hub, shell):
        before = site.home_of(INTERN)
        hub.launch(INTERN)
        assert shell(INTERN, f"echo mine > {HOME}/kept")[0] == 0
        assert (site.folder_of(before["metadata"]["name"]) / "kept").read_text() == "mine\n"
        assert site.home_of(INTERN)["metadata"]["uid"] == before["metadata"]["uid"]

    def test_the_next_run_keeps_a_home_that_the_hub_created(self, site, hub, shell):
        hub.launch(NEWCOMER)
        assert shell(NEWCOMER, f"echo mine > {HOME}/kept")[0] == 0
        home = site.home_of(NEWCOMER)
        assert home["metadata"]["labels"]["odh.persistency/kind"] == "home"
        assert site.folder_of(home["metadata"]["name"]).joinpath("kept").read_text() == "mine\n"
        users = [{"name": NEWCOMER, "size": "1Gi"}]
        played = site.play("homes", homes_users=users)
        assert "create" not in played.summary, played.output
        after = site.home_of(NEWCOMER)
        assert (after["metadata"]["name"], after["metadata"]["uid"]) == (
            home["metadata"]["name"],
            home["metadata"]["uid"],
        )
        hub.stop(NEWCOMER)
        hub.launch(NEWCOMER)
        assert shell(NEWCOMER, f"cat {HOME}/kept") == (0, "mine\n")

    def test_a_home_under_its_legacy_name_is_found_by_its_owner(self, site, hub, shell):
        """As KubeSpawner 6 created it."""
        name = "claim-veteran-40example-2enet"
        site.cluster.make_claim(site.namespace, name)
        metadata = {
            "labels": {USERNAME: "veteran-40example-2enet"},
            "annotations": {USERNAME: VETERAN, SERVERNAME: ""},
        }
        site.cluster.patch("persistentvolumeclaims", name, {"metadata": metadata}, site.namespace)
        wait_for(
            lambda: site.cluster.get("persistentvolumeclaims", name, site.namespace)["status"]["phase"] == "Bound",
            "the claim is bound",
        )
        file = site.folder_of(name) / "old"
        file.write_text("since version 6\n")
        hub.launch(VETERAN)
        assert shell(VETERAN, f"cat {HOME}/old") == (0, "since version 6\n")
        assert site.home_of(VETERAN)["metadata"]["name"] == name
        assert file.parent.stat().st_uid == OWNER[0]

    def test_a_retired_home_is_refused_with_a_sentence_and_the_hub_lives(self, site, hub):
        user = "yusuf.demir@students.example.org"
        claim = site.home_of(user)["metadata"]["name"]

        def mark(moment):
            body = {"metadata": {"annotations": {"odh.persistency/retired-at": moment}}}
            site.cluster.patch("persistentvolumeclaims", claim, body, site.namespace)

        mark("2026-01-01T00:00:00Z")
        for _number in range(20):
            assert "Your home volume is retired" in hub.refused(user)
        mark(None)
        assert hub.is_running
        assert "consecutive spawns failed" not in hub.log()
        hub.launch(user)
