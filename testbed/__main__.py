"""`python -m testbed COMMAND`: the testbed's command line."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

from . import binaries, control_plane, ganesha, processes, progress, state
from .node.layout import LOGS
from .paths import DEV, data_dir


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m testbed",
        description="A real Kubernetes control plane on loopback, for the demo and the tests of this checkout.",
        epilog="Its data is in .dev/testbed (or ODHP_TESTBED_DATA), its programs are in the per-user cache.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start it, and compile it first if necessary; does nothing when it is up")
    up.add_argument("--quiet", action="store_true", help="say nothing when it is up already")
    up.add_argument("--node", action="store_true", help="with a node that runs pods (Linux, root)")
    commands.add_parser("down", help="stop it, and the NFS server; its data stays")
    reset = commands.add_parser("reset", help="stop it, wipe its data, and start anew")
    reset.add_argument("--wipe-only", action="store_true", help="do not start it again")
    status = commands.add_parser("status", help="say what runs; returns 1 when it is not up")
    status.add_argument("--json", action="store_true")
    commands.add_parser("env", help='print the export lines for a shell: eval "$(bin/dev python -m testbed env)"')
    build = commands.add_parser("build", help="compile its programs and start nothing")
    build.add_argument(
        "programs",
        nargs="*",
        metavar="PROGRAM",
        help=f"of {', '.join(binaries.PROGRAMS)}; those of the control plane by default",
    )
    nfs = commands.add_parser(
        "nfs", help="an NFS server next to it, with one folder as /exports, and read-only as /ro/exports"
    )
    nfs.add_argument("action", choices=["up", "down", "status"])
    nfs.add_argument("folder", nargs="?", type=Path, help="the exported folder; by default `exports` in its data")
    logs = commands.add_parser("logs", help="print the end of its logs")
    logs.add_argument("name", nargs="?", choices=[*processes.NAMES, *LOGS])
    logs.add_argument("-n", "--lines", type=int, default=40)
    return parser


def _print_status(as_json: bool) -> int:
    status = control_plane.status()
    if as_json:
        print(json.dumps(status, indent=2))
        return 0 if status["ready"] else 1
    for name, found in status["processes"].items():
        shown = "not running"
        if found:
            shown = f"pid {found['pid']}, {found['memory_mib']} MiB, since {found['since']}"
            shown += "" if found["current"] else ", out of date (`up` restarts it)"
        print(f"{name:24} {shown}")
    if node := status["node"]:
        shown = f"pid {node['pid']}, {node['memory_mib']} MiB, {'ready' if node['ready'] else 'not ready'}"
        shown += "" if node["current"] else ", out of date (`up --node` restarts it)"
        print(f"{'node':24} {shown}")
        print(f"{'':24} pods in {node['subnet']}, the host is {node['address']} on the bridge {node['bridge']}")
        print(f"{'':24} image {node['image']}")
    else:
        print(f"{'node':24} not running")
    print(f"{'server':24} {status['server'] or 'none yet'}{', ready' if status['ready'] else ', not ready'}")
    print(f"{'data':24} {status['data']}")
    return 0 if status["ready"] else 1


def _print_environment() -> None:
    testbed = state.load()
    for name, value in (
        ("KUBECONFIG", str(testbed.kubeconfig)),
        ("K8S_AUTH_KUBECONFIG", str(testbed.kubeconfig)),
        ("PATH", os.pathsep.join([str(DEV / "venv" / "bin"), str(DEV / "bin"), "$PATH"])),
    ):
        quoted = shlex.quote(value) if name != "PATH" else shlex.quote(value.removesuffix("$PATH")) + '"$PATH"'
        print(f"export {name}={quoted}")


def _nfs(action: str, folder: Path | None) -> int:
    if action == "up":
        if folder is None:
            folder = ganesha.nfs_dir() / "exports"
            folder.mkdir(parents=True, exist_ok=True)
        path = str(folder.absolute())
        ganesha.up([ganesha.Export(path, "/exports"), ganesha.Export(path, "/ro/exports", "RO")])
    elif action == "down":
        progress.say("stopped the NFS server" if ganesha.down() else "the NFS server was not running")
        return 0
    server = ganesha.status()
    if server is None:
        print("the NFS server is not running")
        return 1
    for export in server.exports:
        print(f"{export.access} {server.url(export.pseudo)} {export.path}")
    return 0


def run(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    if options.command == "up":
        if options.quiet:
            progress.be_quiet()
        if options.node:
            from .node import lifecycle

            lifecycle.up()
        else:
            control_plane.up()
    elif options.command == "down":
        stopped = control_plane.down() + (["ganesha.nfsd"] if ganesha.down() else [])
        progress.say(f"stopped {', '.join(stopped)}" if stopped else "the testbed was not running")
    elif options.command == "reset":
        ganesha.down()
        control_plane.reset()
        progress.say(f"wiped {data_dir()}")
        if not options.wipe_only:
            control_plane.up()
    elif options.command == "status":
        return _print_status(options.json)
    elif options.command == "nfs":
        return _nfs(options.action, options.folder)
    elif options.command == "env":
        _print_environment()
    elif options.command == "build":
        unknown = set(options.programs) - set(binaries.PROGRAMS)
        if unknown:
            raise progress.TestbedError(
                f"no such program: {', '.join(sorted(unknown))}; the programs are {', '.join(binaries.PROGRAMS)}"
            )
        binaries.ensure(options.programs or binaries.CONTROL_PLANE)
        state.link_kubectl()
    elif options.command == "logs":
        for name in [options.name] if options.name else processes.NAMES:
            print(f"--- {processes.log_file(data_dir(), name)}\n{processes.tail(data_dir(), name, options.lines)}")
    return 0


def main() -> int:
    try:
        return run(sys.argv[1:])
    except progress.TestbedError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("testbed: interrupted; the next `up` continues from here", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
