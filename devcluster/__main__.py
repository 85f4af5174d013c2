"""The command line: ``python3 -m devcluster VERB``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from devcluster import lifecycle, report, slurm_root
from devcluster.errors import DevclusterError
from devcluster.isolate import run_isolated
from devcluster.layout import layout_for
from devcluster.spec import load_clusters, load_people


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all verbs."""
    parser = argparse.ArgumentParser(prog="devcluster", description="A real Slurm on one machine.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, text: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=text, description=text)

    up = verb("up", "make and start what is missing, until every node is idle")
    up.add_argument("dir", metavar="DIR")
    up.add_argument("--clusters", metavar="FILE", type=Path, required=True, help="clusters, accounts and QOS (TOML)")
    up.add_argument("--people", metavar="FILE", type=Path, required=True, help="users and their allocations (TOML)")
    verb("down", "end all jobs and daemons").add_argument("dir", metavar="DIR")
    verb("clean", "end everything, and remove DIR and the users and groups made for it").add_argument(
        "dir", metavar="DIR"
    )
    verb("status", "say which daemons run, and what sinfo says").add_argument("dir", metavar="DIR")
    logs = verb("logs", "print the end of each daemon's log, or of one")
    logs.add_argument("dir", metavar="DIR")
    logs.add_argument("name", metavar="NAME", nargs="?", help="a daemon by the name that status prints")
    isolate = verb("isolate", "run a command with users, ports and processes of its own; nothing of them stays")
    isolate.add_argument("--slurm-root", metavar="ROOT", type=Path, help="take this Slurm instead of the machine's")
    isolate.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER)
    root = verb("slurm-root", "fetch Debian's Slurm of another suite, unless that is done, and print where it lies")
    root.add_argument("suite", metavar="SUITE", help="for example trixie")
    return parser


def main(argv: Sequence[str]) -> int:
    """Carry out one command line and return the exit status."""
    arguments = build_parser().parse_args(argv)
    try:
        if arguments.verb == "isolate":
            return _isolate(arguments.command, arguments.slurm_root)
        if arguments.verb == "slurm-root":
            print(slurm_root.fetch(arguments.suite))
            return 0
        layout = layout_for(arguments.dir)
        if arguments.verb == "up":
            lifecycle.up(layout, load_clusters(arguments.clusters), load_people(arguments.people))
        elif arguments.verb == "down":
            lifecycle.down(layout)
        elif arguments.verb == "clean":
            lifecycle.clean(layout)
        elif arguments.verb == "status":
            return report.print_status(layout)
        else:
            report.print_logs(layout, arguments.name)
    except DevclusterError as error:
        print(f"devcluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _isolate(command: Sequence[str], root: Path | None) -> int:
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        raise DevclusterError("isolate needs a command: devcluster isolate -- COMMAND…")
    return run_isolated(command, root)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
