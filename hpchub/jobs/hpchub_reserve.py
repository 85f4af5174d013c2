#!/usr/bin/python3 -IS
"""hpchub-reserve: makes, changes and removes Slurm's reservations for events, and lets the hub's jobs last with them.

Not installed by default.  A site that wants its hub to make reservations by itself installs it root-owned, outside the
hub's Python, and lets the hub's user start exactly this program without arguments, as an account that is an operator
of Slurm's (``AdminLevel=Operator`` is enough); it needs no right of root's.  It reads one JSON request on standard
input and writes one JSON answer on standard output.  Standard library only, Python 3.9 or newer.

What must hold, whoever sends whatever:

- the name begins with the policy's prefix, so that no other reservation is made, changed or removed;
- nodes, length, distance and number of reservations stay within the policy, also by many small changes, and by
  many at a time: one request is carried out after the other;
- only the policy's partitions and accounts; no flags, so that nothing overlaps and no job of others is ended;
- a job gets more time only, and at most until the reservation ends that it runs in, and only a job of the hub's name;
- only the policy's ``scontrol`` runs, by absolute path, as an argument list, in an environment made here.

The policy is the file ``hpchub-reserve.json`` beside this program::

    {"prefix": "hpchub_", "accounts": ["tra26_*"], "scontrol": "/usr/bin/scontrol", "environment": {},
     "clusters": {"leonardo": {"partitions": ["boost_usr_prod"], "most_nodes": 25, "slurm_conf": "/etc/…"}},
     "most_minutes": 4320, "most_days_ahead": 180, "most_reservations": 10}

Where the door is a socket, ``"peer": "hpchub"`` names whose processes may ask there; without it nobody may.
``accounts`` are shell-style patterns; ``slurm_conf`` may be absent: the cluster is then found through slurmdbd;
``most_nodes`` and ``most_reservations`` are for all reservations on a cluster, the former at a time.

Requests, times in seconds since 1970, ``starts_epoch`` null for now::

    {"verb": "create", "cluster": …, "name": …, "partition": …, "nodes": …, "account": …,
     "starts_epoch": …, "ends_epoch": …}
    {"verb": "change", "cluster": …, "name": …, "nodes": …, "starts_epoch": …, "ends_epoch": …}
    {"verb": "delete", "cluster": …, "name": …}
    {"verb": "prolong", "cluster": …, "name": …, "ends_epoch": …, "jobs": ["17", …]}

A change has at least one of its three last keys.  A prolongation is answered with the ``jobs`` that last as long now.
Other answers: ``{"ok": true, "reservation": {"name": …, "nodes": …,
"starts_epoch": …, "ends_epoch": …}}`` as Slurm has it now (null once it is removed), or ``{"ok": false, "kind": …,
"message": …}`` with one of these kinds: ``refused`` by the policy or the form, or because another request takes too
long; ``slurm``, in its own words; ``unclear``, what Slurm may have carried out although its command failed.
"""

from __future__ import annotations

import fcntl
import fnmatch
import json
import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

REQUEST_LIMIT = 16 * 1024
COMMAND_SECONDS = 60
TURN_SECONDS = 30
"""How long a request waits for another one."""
TURN_STEP_SECONDS = 0.1
DAY_SECONDS = 86400

WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
JOB = re.compile(r"[1-9][0-9]{0,9}")
PREFIX = re.compile(r"[a-z][a-z0-9]{0,14}_")
NOT_FOUND = re.compile(r"not found|reservation is invalid", re.IGNORECASE)
NO_ANSWER = re.compile(
    r"timed out|Unable to contact|Zero Bytes|Unexpected message|Connection (refused|reset)", re.IGNORECASE
)
"""What Slurm's commands say when their daemon did not answer, as in ``hpchub-launch``."""

Json = dict[str, Any]


class Refused(Exception):
    """The request is against the policy or not of the expected form."""


class SlurmSaid(Exception):
    """Slurm's command failed; the text is its own."""


class Unclear(Exception):
    """Slurm's command got no answer: its controller may have carried the request out all the same."""


def policy_file(program: str) -> str:
    """Give the path of the policy."""
    return os.path.join(os.path.dirname(program), "hpchub-reserve.json")


def policy_beside(program: str) -> Json:
    """Read the policy, if only root can have written it and this program."""
    folder, path = os.path.dirname(program), policy_file(program)
    for each in (program, path, folder):
        status = os.stat(each)
        if status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise Refused(f"{each} must belong to root and be writable by root alone")
    with open(path, encoding="utf-8") as file:
        policy: Json = json.load(file)
    # An empty prefix would open every reservation of the site.
    if not PREFIX.fullmatch(str(policy.get("prefix", ""))):
        raise Refused("the policy's prefix is not a word of a-z and 0-9 with a _ at its end")
    return policy


def check_peer(policy: Json) -> None:
    """Where a listening socket is the door, let in the policy's peer alone, whoever else could connect.

    sudo may give a socket to what it starts, too; one that was never listened for has no name.
    """
    if not stat.S_ISSOCK(os.fstat(0).st_mode):
        return
    peer = policy.get("peer")
    with socket.socket(fileno=os.dup(0)) as door:
        uid = int.from_bytes(door.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[4:8], sys.byteorder)
        listened_for = bool(door.getsockname())
    if listened_for and not (peer and uid == pwd.getpwnam(peer).pw_uid):
        raise Refused(f"only the policy's peer ({peer or 'none'}) may ask through this socket, not user id {uid}")


KINDS: dict[type[Exception], str] = {Refused: "refused", SlurmSaid: "slurm", Unclear: "unclear"}


def word(request: Json, key: str) -> str:
    """Take one name of the request, whole and of its form."""
    value = request.pop(key, None)
    if not isinstance(value, str) or not WORD.fullmatch(value):
        raise Refused(f"{key} is missing or not of the expected form")
    return value


def number(request: Json, key: str) -> int:
    """Take one whole number of the request; a true is none."""
    value = request.pop(key, None)
    if type(value) is not int or not 0 < value < 10**11:
        raise Refused(f"{key} is missing or not of the expected form")
    return value


def nothing_left(request: Json) -> None:
    """Refuse what nobody has taken: an unknown key is a misunderstanding or an attempt."""
    if request:
        raise Refused(f"unknown keys: {', '.join(sorted(key[:64] for key in request))}")


def own_name(request: Json, policy: Json) -> str:
    """Take the name of a reservation, if it is one of ours."""
    name = word(request, "name")
    prefix = policy["prefix"]
    if not name.startswith(prefix) or name == prefix:
        raise Refused(f"the name {name} does not begin with {prefix}")
    return name


def known_cluster(request: Json, policy: Json) -> str:
    """Take the cluster of the request, if the policy names it."""
    cluster = word(request, "cluster")
    if cluster not in policy["clusters"]:
        raise Refused(f"the cluster {cluster} is not one of {', '.join(policy['clusters'])}")
    return cluster


class Cluster:
    """One cluster's scontrol, and what the policy allows there."""

    def __init__(self, name: str, policy: Json) -> None:
        self.name = name
        self.policy = policy
        self.own: Json = policy["clusters"][name]

    def scontrol(self, *words: str) -> str:
        """Run one command; give what it wrote."""
        conf = self.own.get("slurm_conf")
        way = [] if conf else ["--cluster=" + self.name]
        environment = {
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "SLURM_TIME_FORMAT": "%s",
            **self.policy.get("environment", {}),
            **({"SLURM_CONF": conf} if conf else {}),
        }
        return run([self.policy["scontrol"], "--all", "--oneliner", *way, *words], environment)

    def reservations(self) -> list[Json]:
        """Give our reservations here, as Slurm has them."""
        return [
            found
            for found in map(reading, self.scontrol("show", "reservation").splitlines())
            if found is not None and found["name"].startswith(self.policy["prefix"])
        ]

    def check(self, name: str, nodes: int, starts: int | None, ends: int, now: float) -> None:
        """Refuse what is larger, longer or further away than the policy allows, the others of ours counted too."""
        begins = now if starts is None else starts
        if ends <= max(begins, now):
            raise Refused("ends_epoch is not after the beginning, or past")
        if ends - begins > self.policy["most_minutes"] * 60:
            raise Refused(f"a reservation may last at most {self.policy['most_minutes']} minutes")
        if ends > now + self.policy["most_days_ahead"] * DAY_SECONDS:
            raise Refused(f"a reservation may end at most {self.policy['most_days_ahead']} days from now")
        others = [each for each in self.reservations() if each["name"] != name]
        if len(others) >= self.policy["most_reservations"]:
            raise Refused(f"there are {len(others)} reservations already, as many as the policy allows")
        taken = sum(each["nodes"] for each in others if each["starts_epoch"] < ends and each["ends_epoch"] > begins)
        most = self.own["most_nodes"]
        if taken + nodes > most:
            raise Refused(f"reservations on {self.name} may have {most} nodes at a time, others have {taken} then")


def reading(line: str) -> Json | None:
    """Read a line of ``scontrol show reservation``; None where it has none."""
    pairs = dict(item.partition("=")[::2] for item in line.split())
    try:
        return {
            "name": pairs["ReservationName"],
            "nodes": int(pairs.get("NodeCnt", 0)),
            "starts_epoch": int(pairs["StartTime"]),
            "ends_epoch": int(pairs["EndTime"]),
        }
    except (KeyError, ValueError):
        return None


def run(argv: list[str], environment: dict[str, str]) -> str:
    """Run one command and return what it wrote to its output."""
    try:
        process = subprocess.Popen(
            argv,
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise Refused(f"{argv[0]} cannot be started: {error.strerror}") from None
    try:
        out, err = process.communicate(timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise Unclear(f"{os.path.basename(argv[0])} gave no answer in {COMMAND_SECONDS} s") from None
    said = out.decode("utf-8", "replace")
    if process.returncode != 0:
        words = (err.decode("utf-8", "replace").strip() or said.strip())[-2000:]
        words = words or f"{argv[0]} ended with {process.returncode}"
        raise Unclear(words) if NO_ANSWER.search(words) else SlurmSaid(words)
    return said


def as_it_is(cluster: Cluster, name: str) -> Json | None:
    """Give a reservation as Slurm has it; None where it has none."""
    return next((each for each in cluster.reservations() if each["name"] == name), None)


def moment(epoch: int | None) -> str:
    """Write a time so that no zone matters."""
    return "now" if epoch is None else f"uts{epoch}"


def create(request: Json, cluster: Cluster) -> Json:
    """Make a reservation of whole nodes for one account."""
    name, partition, account = own_name(request, cluster.policy), word(request, "partition"), word(request, "account")
    nodes, ends = number(request, "nodes"), number(request, "ends_epoch")
    starts = beginning(request)
    nothing_left(request)
    if partition not in cluster.own["partitions"]:
        raise Refused(f"the partition {partition} is not one of {', '.join(cluster.own['partitions'])}")
    allowed = cluster.policy["accounts"]
    if not any(fnmatch.fnmatchcase(account.lower(), pattern.lower()) for pattern in allowed):
        raise Refused(f"the account {account} is not one of {', '.join(allowed)}")
    # First: who asks again after a lost answer learns what became of it, whatever is not possible any more.
    if as_it_is(cluster, name) is not None:
        raise Refused(f"there is a reservation {name} already")
    cluster.check(name, nodes, starts, ends, time.time())
    cluster.scontrol(
        *("create", "reservation", f"ReservationName={name}", f"PartitionName={partition}", f"NodeCnt={nodes}"),
        *(f"StartTime={moment(starts)}", f"EndTime={moment(ends)}", f"Accounts={account}"),
    )
    try:
        return confirmed(cluster, name, nodes)
    except SlurmSaid:
        cluster.scontrol("delete", f"ReservationName={name}")
        raise


def change(request: Json, cluster: Cluster) -> Json:
    """Change how long a reservation lasts, or how many nodes it has."""
    name = own_name(request, cluster.policy)
    asked: Json = {key: take(request, key) for key, take in TAKES.items() if key in request}
    nothing_left(request)
    if not asked:
        raise Refused("a change needs nodes, starts_epoch or ends_epoch")
    words = [f"{SLURM_CALLS[key]}={value if key == 'nodes' else moment(value)}" for key, value in asked.items()]
    before = as_it_is(cluster, name)
    if before is None:
        raise Refused(f"there is no reservation {name}")
    after: Json = {**before, **asked}
    cluster.check(name, after["nodes"], after["starts_epoch"], after["ends_epoch"], time.time())
    cluster.scontrol("update", f"ReservationName={name}", *words)
    try:
        return confirmed(cluster, name, after["nodes"])
    except SlurmSaid:
        cluster.scontrol("update", f"ReservationName={name}", f"NodeCnt={before['nodes']}")
        raise


def beginning(request: Json, key: str = "starts_epoch") -> int | None:
    """Take the beginning, null for now."""
    if request.get(key, 0) is None:
        del request[key]
        return None
    return number(request, key)


TAKES: dict[str, Any] = {"nodes": number, "starts_epoch": beginning, "ends_epoch": number}
SLURM_CALLS = {"nodes": "NodeCnt", "starts_epoch": "StartTime", "ends_epoch": "EndTime"}


def confirmed(cluster: Cluster, name: str, nodes: int) -> Json:
    """Look what came of it: Slurm 22.05 makes and changes reservations also where it has fewer nodes to give."""
    found = as_it_is(cluster, name)
    if found is None:
        raise Unclear(f"Slurm has no reservation {name}, although its command succeeded")
    if found["nodes"] < nodes:
        raise SlurmSaid(f"Slurm gave {name} only {found['nodes']} of {nodes} nodes")
    return {"reservation": found}


def delete(request: Json, cluster: Cluster) -> Json:
    """Remove a reservation; what is not there is removed already.  Slurm refuses while jobs run in it."""
    name = own_name(request, cluster.policy)
    nothing_left(request)
    try:
        cluster.scontrol("delete", f"ReservationName={name}")
    except SlurmSaid as error:
        if not NOT_FOUND.search(str(error)):
            raise
    return {"reservation": None}


def prolong(request: Json, cluster: Cluster) -> Json:
    """Give jobs more time, and name those that last as long now; what is none of ours stays as it is."""
    name, until, jobs = own_name(request, cluster.policy), number(request, "ends_epoch"), request.pop("jobs", None)
    nothing_left(request)
    if not isinstance(jobs, list) or len(jobs) > 50 or not all(type(job) is str and JOB.fullmatch(job) for job in jobs):
        raise Refused("jobs is missing or not of the expected form")
    there = as_it_is(cluster, name)
    if there is None:
        raise Refused(f"there is no reservation {name}")
    return {"jobs": [job for job in jobs if lengthened(cluster, name, job, min(until, there["ends_epoch"]))]}


def lengthened(cluster: Cluster, name: str, job: str, until: int) -> bool:
    """Let a job last until a time, if it is the hub's and runs in a reservation; tell whether it does."""
    try:
        # Comment, paths and whatever else its owner writes stand behind; a key in its name is there twice, or too soon.
        ours, *behind = cluster.scontrol("show", "job", job).split(" OverSubscribe=")
        keys = [word.partition("=")[0] for word in ours.split()]
        facts = dict(word.partition("=")[::2] for word in ours.split())
        if len(behind) != 1 or keys[:3] != ["JobId", "JobName", "UserId"] or keys.count("UserId") != 1:
            return False
        wanted = {"JobId": job, "JobName": "hpchub", "JobState": "RUNNING", "Reservation": name}
        if any(keys.count(key) != 1 or facts[key] != value for key, value in wanted.items()):
            return False
        minutes = (until - int(facts["StartTime"])) // 60
        if int(facts["StartTime"]) + minutes * 60 <= int(facts["EndTime"]):
            return True  # perhaps by an earlier request whose answer got lost
        cluster.scontrol("update", f"JobId={job}", f"TimeLimit={minutes}")
    except (SlurmSaid, ValueError, KeyError):
        return False
    return True


VERBS = {"create": create, "change": change, "delete": delete, "prolong": prolong}


def answer_to(raw: bytes, policy: Json) -> Json:
    """Carry out one request."""
    if len(raw) > REQUEST_LIMIT:
        raise Refused(f"the request is longer than {REQUEST_LIMIT} bytes")
    try:
        request = json.loads(raw)
    except (ValueError, RecursionError):
        raise Refused("the request is not JSON") from None
    if not isinstance(request, dict):
        raise Refused("the request is not a JSON object")
    verb = request.pop("verb", None)
    if not isinstance(verb, str) or verb not in VERBS:
        raise Refused(f"verb must be one of {', '.join(VERBS)}")
    cluster = Cluster(known_cluster(request, policy), policy)
    return {"ok": True, **VERBS[verb](request, cluster)}


@contextmanager
def turn(path: str) -> Iterator[None]:
    """Let no other request be carried out meanwhile: what each checks, another one would change behind it.

    The kernel takes the lock on this file away from a process that ends, however it ends.
    """
    with open(path, "rb") as file:
        give_up = time.monotonic() + TURN_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= give_up:
                    raise Refused(f"another request has not ended within {TURN_SECONDS} s, try again") from None
                time.sleep(TURN_STEP_SECONDS)
        yield


def finish(answer: Json) -> NoReturn:
    """Write the answer and end: with 0 if the request was carried out."""
    json.dump(answer, sys.stdout)
    sys.stdout.write("\n")
    sys.exit(0 if answer["ok"] else 1)


def main() -> NoReturn:
    """Answer the one request on standard input."""
    try:
        if len(sys.argv) > 1:
            raise Refused("this program takes its request on standard input, and no arguments")
        program = os.path.realpath(__file__)
        policy = policy_beside(program)
        check_peer(policy)
        # read first: whoever sends nothing must not keep the others waiting
        request = sys.stdin.buffer.read(REQUEST_LIMIT + 1)
        with turn(policy_file(program)):
            answer = answer_to(request, policy)
        finish(answer)
    except (Refused, SlurmSaid, Unclear) as error:
        finish({"ok": False, "kind": KINDS[type(error)], "message": str(error)})
    except Exception as error:
        finish({"ok": False, "kind": "unclear", "message": f"hpchub-reserve failed: {type(error).__name__}"})


if __name__ == "__main__":
    main()
