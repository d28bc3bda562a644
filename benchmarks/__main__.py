"""`python -m benchmarks`: run the cases, print their rows, and write docs/benchmarks/ for each subject of which all cases ran."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import psutil

from testbed.paths import ROOT

from . import acl, builds, homes, hook, servers, shares, site
from . import software as trees
from .bench import FULL, QUICK, Bench, opened, say
from .report import Row, markdown, text

HOMES: dict[str, tuple[str, Callable[[Bench], list[Row]]]] = {
    "creating": ("Creating homes", homes.creating),
    "check-mode": ("Check mode", homes.check_mode),
    "peers-creating": ("Creating homes, against other tools", homes.peers_creating),
    "nothing-to-do": ("Nothing to do", homes.nothing_to_do),
    "peers-nothing-to-do": ("Nothing to do, against other tools", homes.peers_nothing_to_do),
    "memory": ("Memory", homes.memory),
    "huge": ("100,000 homes", homes.huge),
}
SHARES: dict[str, tuple[str, Callable[[Bench], list[Row]]]] = {
    "shares-creating": ("Creating claims and volumes", shares.creating),
    "shares-nothing-to-do": ("Claims and volumes, nothing to do", shares.nothing_to_do),
    "peers-shares": ("Claims and volumes, against another tool", shares.peers),
}
ACCESS: dict[str, tuple[str, Callable[[Bench], list[Row]]]] = {
    "acl-compiling": ("Compiling the access list", acl.compiling),
    "acl-publishing": ("Publishing the access list", acl.publishing),
    "acl-nothing-to-do": ("The access list, nothing to do", acl.nothing_to_do),
    "answering": ("Who gets what", acl.answering),
}
HOOK: dict[str, tuple[str, Callable[[Bench], list[Row]]]] = {
    "hook-starting": ("Starting a server", hook.starting),
    "hook-requests": ("Requests of a start", hook.requests),
}
SERVERS: dict[str, tuple[str, Callable[[Bench], list[Row]]]] = {
    "servers-comparing": ("Comparing running servers", servers.comparing),
    "servers-reporting": ("A report about running servers", servers.reporting),
}
SOFTWARE: dict[str, tuple[str, Callable[[Bench], list[Row]]]] = {
    "software-nothing-to-do": ("Nothing to do", builds.nothing_to_do),
    "software-changed": ("One changed package", builds.changed_package),
    "software-lmod": ("Commands of Lmod", trees.lmod),
    "software-publishing": ("Publishing a release", trees.publishing),
    "software-rollback": ("Rolling back", trees.rolling_back),
    "software-promotion": ("Promoting a release", trees.promoting),
}
SITE: dict[str, tuple[str, Callable[[Bench], list[Row]]]] = {
    "site-nothing-to-do": ("A whole playbook, nothing to do", site.nothing_to_do),
}
#: Each is a document.
SUBJECTS = {
    "homes": HOMES,
    "shares": SHARES,
    "access": ACCESS,
    "hook": HOOK,
    "servers": SERVERS,
    "software": SOFTWARE,
    "site": SITE,
}
CASES = {**HOMES, **SHARES, **ACCESS, **HOOK, **SERVERS, **SOFTWARE, **SITE}
DOCUMENTS = ROOT / "docs" / "benchmarks"
BUSY = 0.5  # above this load average a result is not reliable


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help=f"of --list, or all of {' or '.join(SUBJECTS)}; everything by default"
    )
    parser.add_argument("--list", action="store_true", help="list the cases")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, one round, no bounds: check that the cases work"
    )
    parser.add_argument("--full", action=argparse.BooleanOptionalAction, default=True, help="100,000 homes too")
    parser.add_argument("--rounds", type=int, help=f"the number of rounds of runs that are compared ({FULL.rounds})")
    parser.add_argument(
        "--cluster", choices=("own", "current"), default="own", help="an empty testbed, or the cluster of KUBECONFIG"
    )
    parser.add_argument("--output", type=Path, default=DOCUMENTS, help="where to write the documents (docs/benchmarks)")
    options = parser.parse_args(arguments)
    options.cases = [case for name in options.cases or SUBJECTS for case in SUBJECTS.get(name, (name,))]
    unknown = [name for name in options.cases if name not in CASES]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}; there are {', '.join((*SUBJECTS, *CASES))}")
    return options


def main() -> int:
    options = parse(sys.argv[1:])
    if options.list:
        for name, (title, case) in CASES.items():
            print(f"{name:22} {title}. {(case.__doc__ or '').splitlines()[0]}")
        return 0
    sizes = QUICK if options.quick else FULL if options.full else replace(FULL, huge=0)
    if options.rounds:
        sizes = replace(sizes, rounds=options.rounds)
    chosen = [name for name in options.cases if name != "huge" or sizes.huge]
    load = os.getloadavg()[0]
    if load > BUSY:
        say(f"the machine is busy (load {load:.1f}): the ratios below may be wrong")
    sections: dict[str, list[Row]] = {}
    broken: list[str] = []
    with opened(sizes, options.cluster, judged=not options.quick) as bench:
        facts = [*machine(load), *software(bench)]
        for name in chosen:
            title, case = CASES[name]
            say(f"{title} ...")
            try:
                sections[name] = case(bench)
            except Exception:
                broken.append(name)
                traceback.print_exc()
            else:
                print(text(sections[name]), flush=True)
    if not options.quick:
        write(sections, facts, options.output)
    rows = [row for found in sections.values() for row in found]
    print("\n" + text(rows))
    return exit_code(rows, broken)


def write(sections: Mapping[str, list[Row]], facts: Sequence[tuple[str, str]], folder: Path) -> None:
    """Write the document of each subject all of whose cases ran."""
    for subject, cases in SUBJECTS.items():
        if cases.keys() <= sections.keys():
            folder.mkdir(parents=True, exist_ok=True)
            target = folder / f"{subject}.md"
            found = [(title, sections[name]) for name, (title, _) in cases.items()]
            target.write_text(markdown(subject, found, facts, next(iter(cases))), encoding="utf-8")
            say(f"wrote {target}")


def exit_code(rows: Sequence[Row], broken: Sequence[str]) -> int:
    """Report missed bounds and failed cases. Return 1 if there are any, otherwise 0."""
    missed = [row for row in rows if row.met is False]
    for row in missed:
        say(f"bound missed: {row.label}: {row.ratio or row.ours}, {row.bound}")
    for name in broken:
        say(f"case {name} failed")
    return 1 if missed or broken else 0


def machine(load: float) -> list[tuple[str, str]]:
    """Return what the durations depend on."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = psutil.virtual_memory().total / 2**30
    cores = len(os.sched_getaffinity(0))
    return [
        ("Date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
        ("Commit", commit()),
        ("Machine", f"{cores} cores ({model}), {memory:.0f} GiB, load before the start {load:.2f}"),
        ("System", f"{platform.system()} {platform.release()}, Python {platform.python_version()}"),
    ]


def software(bench: Bench) -> list[tuple[str, str]]:
    """Return the versions of the collection and its peers."""
    server = json.loads(bench.request("/version"))["gitVersion"]
    kubectl = json.loads(bench.kubectl("version", "--client", "-o", "json").output)["clientVersion"]["gitVersion"]
    packages = ", ".join(f"{name} {version(name)}" for name in ("ansible-core", "kubernetes", "urllib3"))
    return [
        ("Server", f"Kubernetes {server}" + (", the testbed" if bench.testbed else "")),
        ("Software", f"{packages}, kubernetes.core {collection_version()}, kubectl {kubectl}"),
    ]


def collection_version() -> str:
    for folder in os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep):
        manifest = Path(folder) / "ansible_collections" / "kubernetes" / "core" / "MANIFEST.json"
        if manifest.exists():
            return str(json.loads(manifest.read_text())["collection_info"]["version"])
    return "unknown"


def commit() -> str:
    """Return the commit that is checked out, and whether files differ from it."""

    def git(*arguments: str) -> str:
        run = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False)
        return run.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "plugins", "benchmarks", "testbed")
    return (git("rev-parse", "--short", "HEAD") or "none") + (" with changes" if changed else "")


if __name__ == "__main__":
    sys.exit(main())
