#!/usr/bin/python3 -IS
"""hpchub-launch: the one door through which the hub acts as a user.

Installed root-owned, outside the hub's Python, and run as root by a door that lets the hub's user start exactly this
program without arguments: one sudoers line, or a systemd socket.  It reads one JSON request on standard input and
writes one JSON answer on standard output.  Standard library only, Python 3.9 or newer: login nodes are old.

What must hold, whoever sends whatever:

- the target user is in the policy's group and its range of ids, and is never root or a system account;
- only the policy's commands run, by absolute path, as argument lists, with an environment made here;
- every file is touched with the user's rights, after root's are gone;
- no answer and no message repeats a value of the job's environment (it holds the session's token).

The policy is the file ``hpchub-launch.json`` beside this program: ``group``, ``uid_min``, ``uid_max``, ``clusters``,
``commands`` (``sbatch``, ``scancel``), ``environment`` (for these commands, for example ``SLURM_CONF``), and perhaps
``slurm_conf`` (of a cluster, by its name: the commands then need no slurmdbd to find it), ``budget`` (by cluster,
the argument list of the command that tells a user's budgets; a request cannot name one), ``seats`` (the accounts whose
homes may be emptied, by the program ``hpchub-wipe`` beside this one) and ``peer`` (whose processes may ask where the
door is a socket; without it nobody may).

Requests::

    {"verb": "submit", "user": …, "cluster": …, "session": …, "script": …, "environment": {…}, "test_only": true}
    {"verb": "cancel", "user": …, "cluster": …, "job_id": …}
    {"verb": "log", "user": …, "cluster": …, "session": …}
    {"verb": "budget", "user": …, "cluster": …}
    {"verb": "probe", "user": …, "cluster": …, "path": …}
    {"verb": "wipe", "user": …, "cluster": …}

Answers: ``{"ok": true, …}``, or ``{"ok": false, "kind": …, "message": …}`` with one of these kinds: ``refused`` by the
policy or the form; ``home``, whose folder cannot be written; ``slurm``, in its own words; ``unclear``, what Slurm may
have carried out although its command failed.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import signal
import stat
import sys

# Every submission starts this program: typing, pathlib, tempfile and subprocess would be half of what that costs.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

REQUEST_LIMIT = 1024 * 1024
COMMAND_SECONDS = 60
LOG_FOLDER = ".local/share/hpchub"
LOG_BYTES = 64 * 1024
BUDGET_BYTES = 64 * 1024
BUDGET_SECONDS = 30

WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
SESSION = re.compile(r"[0-9a-f]{32}")
JOB_ID = re.compile(r"[0-9]{1,19}")
PATH = re.compile(r"(/[^/\0-\x1f\x7f]{1,255}){1,100}")
PYTHON = re.compile(r"python3\.[0-9]{1,2}")
PACKAGE = re.compile(r"(jupyterhub|jupyterlab)-[0-9][0-9A-Za-z.+]{0,40}\.dist-info")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
UNWRITABLE = re.compile(r"[\0\ud800-\udfff]")
"""No text of a command has these; JSON may hold half a character."""
NO_ANSWER = re.compile(
    r"timed out|Unable to contact|Zero Bytes|Unexpected message|Connection (refused|reset)", re.IGNORECASE
)
"""What Slurm's commands say when their daemon did not answer (slurm_errno.c); the hub's own queries use it too."""
TO_START = re.compile(r"\bto start at ([0-9]{1,12})\b")
"""How ``sbatch --test-only`` names the time, whatever else it says, in Slurm 22.05 to 26.05."""
# sbatch reads options from these and lets them win over the script; the others would change which programs run.
FOREIGN_VARIABLES = re.compile(
    r"SBATCH_.*|SLURM.*|LD_.*|BASH.*|ENV|IFS|PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|PYTHON.*"
)


class Refused(Exception):
    """The request is against the policy or not of the expected form."""


class HomeUnusable(Refused):
    """The user's home cannot be written, so that a job could not even keep its log."""


class SlurmSaid(Exception):
    """Slurm's command failed; the text is its own."""


class Unclear(Exception):
    """Slurm's command got no answer: its controller may have carried the request out all the same."""


KINDS = {Refused: "refused", HomeUnusable: "home", SlurmSaid: "slurm", Unclear: "unclear"}


def policy_beside(program: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the policy, if only root can have written it and this program."""
    folder = os.path.dirname(program)
    path = os.path.join(folder, "hpchub-launch.json")
    for each in (program, path, folder):
        status = os.stat(each)
        if status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise Refused(f"{each} must belong to root and be writable by root alone")
    with open(path, encoding="utf-8") as file:
        policy: dict[str, Any] = json.load(file)
    return policy


def check_peer(policy: dict[str, Any]) -> None:
    """Where a listening socket is the door, let in the policy's peer alone, whoever else could connect.

    sudo and sshd may give a socket to what they start, too; one that was never listened for has no name.
    """
    if not stat.S_ISSOCK(os.fstat(0).st_mode):
        return
    import _socket  # `socket`, which is built on it, takes longer than all the rest

    door, peer = _socket.socket(fileno=os.dup(0)), policy.get("peer")
    uid = int.from_bytes(door.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)[4:8], sys.byteorder)
    if door.getsockname() and not (peer and uid == pwd.getpwnam(peer).pw_uid):
        raise Refused(f"only the policy's peer ({peer or 'none'}) may ask through this socket, not user id {uid}")


def text(request: dict[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    """Take one text of the request, whole and of its form."""
    value = request.pop(key, None)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Refused(f"{key} is missing or not of the expected form")
    return value


def target_user(name: str, policy: dict[str, Any]) -> pwd.struct_passwd:
    """Look up the user to act as, and check that the policy allows it."""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise Refused(f"there is no user {name} on this machine") from None
    lowest, highest = int(policy["uid_min"]), int(policy["uid_max"])
    if user.pw_uid == 0 or user.pw_gid == 0 or not lowest <= user.pw_uid <= highest:
        raise Refused(f"{name} is a system account; allowed are user ids {lowest} to {highest}")
    try:
        group = grp.getgrnam(policy["group"])
    except KeyError:
        raise Refused(f"the group {policy['group']} of the policy does not exist") from None
    if group.gr_gid not in os.getgrouplist(name, user.pw_gid):
        raise Refused(f"{name} is not a member of the group {policy['group']}")
    return user


def known_cluster(request: dict[str, Any], policy: dict[str, Any]) -> str:
    """Take the cluster of the request, if the policy names it."""
    cluster = text(request, "cluster", WORD)
    if cluster not in policy["clusters"]:
        raise Refused(f"the cluster {cluster} is not one of {', '.join(policy['clusters'])}")
    return cluster


def way_to(cluster: str, policy: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Give the options and the variables that lead a command to a cluster.

    By its own ``slurm.conf`` where the policy has one; else through slurmdbd, which has to answer then.
    """
    conf = policy.get("slurm_conf", {}).get(cluster)
    return ([], {"SLURM_CONF": conf}) if conf else (["--clusters=" + cluster], {})


def job_environment(request: dict[str, Any]) -> dict[str, str]:
    """Take the job's variables; those that would steer our own commands are refused by name."""
    variables = request.pop("environment", None)
    if not isinstance(variables, dict):
        raise Refused("environment is missing or not an object")
    for name, value in variables.items():
        if not VARIABLE.fullmatch(name) or FOREIGN_VARIABLES.fullmatch(name):
            raise Refused(f"the variable {name[:64]!r} may not be set for a job")
        if not isinstance(value, str) or UNWRITABLE.search(value):
            raise Refused(f"the variable {name} is not a text")
    return variables


def nothing_left(request: dict[str, Any]) -> None:
    """Refuse what nobody has taken: an unknown key is a misunderstanding or an attempt."""
    if request:
        raise Refused(f"unknown keys: {', '.join(sorted(key[:64] for key in request))}")


def become(user: pwd.struct_passwd, *, unlocking: bool = False, at_home: bool = True) -> None:
    """Give up root's rights for good, and stand in the user's home, which its owner may unlock first, or in none."""
    os.initgroups(user.pw_name, user.pw_gid)
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    os.umask(0o077)
    try:
        if unlocking:
            os.chmod(user.pw_dir, stat.S_IRWXU)
        os.chdir(user.pw_dir if at_home else "/")
    except OSError as error:
        raise Refused(f"the home folder of {user.pw_name} cannot be entered: {error.strerror}") from None


def user_environment(user: pwd.struct_passwd, policy: dict[str, Any]) -> dict[str, str]:
    """Make the environment of Slurm's commands: the user's own name and home, and what the policy adds."""
    return {
        "HOME": user.pw_dir,
        "USER": user.pw_name,
        "LOGNAME": user.pw_name,
        "SHELL": user.pw_shell,
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        **policy.get("environment", {}),
    }


def run(
    argv: list[str], environment: dict[str, str], script: str = "", seconds: float | None = None
) -> tuple[str, str]:
    """Run one command and return what it wrote to its output and to its error output."""
    seconds = COMMAND_SECONDS if seconds is None else seconds
    # Files in memory and not pipes: they need nobody who reads and writes at the same time.
    given, output, errors = (os.memfd_create(name) for name in ("input", "output", "errors"))
    os.write(given, script.encode())
    os.lseek(given, 0, os.SEEK_SET)
    streams = [(os.POSIX_SPAWN_DUP2, descriptor, number) for number, descriptor in enumerate((given, output, errors))]
    try:
        # Python ignores these signals, and what it starts shall not.
        ignored = [signal.SIGPIPE, signal.SIGXFSZ]
        process = os.posix_spawn(argv[0], argv, environment, file_actions=streams, setsigdef=ignored, setpgroup=0)
    except OSError as error:
        raise Refused(f"{argv[0]} cannot be started: {error.strerror}") from None
    status = end_of(process, seconds)
    if status is None:
        raise Unclear(f"{os.path.basename(argv[0])} gave no answer in {seconds} s")
    said, complaints = written(output), written(errors)
    if status != 0:
        words = complaints.strip()[-2000:] or f"{argv[0]} ended with {status}"
        raise Unclear(words) if NO_ANSWER.search(words) else SlurmSaid(words)
    return said, complaints


def end_of(process: int, seconds: float) -> int | None:
    """Wait for the end of a process; give its exit status, or None where it took too long and its group was killed."""

    def too_late(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    except TimeoutError:
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def written(descriptor: int) -> str:
    """Read what was written into a file in memory; a site's submission plugin may speak another encoding."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb") as file:
        return file.read().decode("utf-8", "replace")


def log_folder(user: pwd.struct_passwd) -> str:
    """Make the folder of the jobs' logs, with the user's own rights."""
    folder = os.path.join(user.pw_dir, LOG_FOLDER)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        try_to_write(folder)
    except OSError as error:
        raise HomeUnusable(f"the folder of job logs, {folder}, cannot be written: {error.strerror}") from None
    return folder


def try_to_write(folder: str) -> None:
    """Write a block and remove it: a full home or a spent quota says so only here, and at a file's close."""
    path = os.path.join(folder, f".write-test-{os.getpid()}")
    with open(path, "wb") as file:
        os.unlink(path)
        file.write(b"\0" * 4096)


def submit(request: dict[str, Any], user: pwd.struct_passwd, policy: dict[str, Any]) -> dict[str, Any]:
    """Submit the script as the user; the job's environment is exactly what is made here."""
    cluster = known_cluster(request, policy)
    session = text(request, "session", SESSION)
    variables = job_environment(request)
    script = request.pop("script", None)
    test_only = request.pop("test_only", False)
    nothing_left(request)
    if not isinstance(script, str) or not script.startswith("#!/bin/bash\n") or UNWRITABLE.search(script):
        raise Refused("script is missing or not a bash script")
    if not isinstance(test_only, bool):
        raise Refused("test_only is not true or false")
    become(user)
    if test_only:
        return {"start_epoch": expected_start(cluster, script, user, policy)}
    # In a file name pattern of Slurm's, % begins a replacement.
    log = os.path.join(log_folder(user), session + ".log").replace("%", "%%")
    options, way = way_to(cluster, policy)
    argv = [policy["commands"]["sbatch"], "--parsable", *options, "--export=ALL", "--chdir=" + user.pw_dir]
    output, _ = run([*argv, "--output=" + log], {**variables, **user_environment(user, policy), **way}, script)
    job_id = output.strip().split(";", 1)[0]
    if not JOB_ID.fullmatch(job_id):
        raise Unclear(f"sbatch answered {output[:200]!r} instead of a job id")
    return {"job_id": job_id}


def expected_start(cluster: str, script: str, user: pwd.struct_passwd, policy: dict[str, Any]) -> int | None:
    """Ask when such a job would start, without submitting it; None where Slurm names no time."""
    options, way = way_to(cluster, policy)
    _, said = run(
        [policy["commands"]["sbatch"], "--test-only", *options, "--chdir=" + user.pw_dir],
        {**user_environment(user, policy), **way, "SLURM_TIME_FORMAT": "%s"},
        script,
    )
    told = TO_START.search(said)
    return int(told[1]) if told else None


def cancel(request: dict[str, Any], user: pwd.struct_passwd, policy: dict[str, Any]) -> dict[str, Any]:
    """Cancel a job with the user's own rights: Slurm refuses anybody else's."""
    cluster = known_cluster(request, policy)
    job_id = text(request, "job_id", JOB_ID)
    nothing_left(request)
    become(user, at_home=False)  # nobody keeps their job by closing their home
    options, way = way_to(cluster, policy)
    run([policy["commands"]["scancel"], *options, job_id], {**user_environment(user, policy), **way})
    return {}


def log(request: dict[str, Any], user: pwd.struct_passwd, policy: dict[str, Any]) -> dict[str, Any]:
    """Read the end of a session's log, with the user's own rights and whatever the user has put in its place."""
    known_cluster(request, policy)  # whose log it is: behind ssh each cluster has its own home
    session = text(request, "session", SESSION)
    nothing_left(request)
    become(user)
    path = os.path.join(user.pw_dir, LOG_FOLDER, session + ".log")
    try:
        # O_NONBLOCK: opening a fifo would wait for whoever writes into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Refused(f"{path} is not a file")
            file.seek(max(status.st_size - LOG_BYTES, 0))
            return {"text": file.read(LOG_BYTES).decode("utf-8", "replace")}
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None


def budget(request: dict[str, Any], user: pwd.struct_passwd, policy: dict[str, Any]) -> dict[str, Any]:
    """Run the policy's command that tells a user's budgets, with the user's own rights; give what it writes."""
    cluster = known_cluster(request, policy)
    nothing_left(request)
    command = policy.get("budget", {}).get(cluster)
    if not command:
        raise Refused(f"the policy has no budget command for {cluster}")
    become(user)
    import resource  # nobody else needs it

    # Endless output would fill this program's memory: whoever writes more is ended.
    resource.setrlimit(resource.RLIMIT_FSIZE, (BUDGET_BYTES, BUDGET_BYTES))
    _, way = way_to(cluster, policy)
    output, _ = run(command, {**user_environment(user, policy), **way}, seconds=BUDGET_SECONDS)
    return {"text": output}


def probe(request: dict[str, Any], user: pwd.struct_passwd, policy: dict[str, Any]) -> dict[str, Any]:
    """Look at an environment of the user's own, with the user's own rights; nothing of it is started here."""
    known_cluster(request, policy)  # as for a log
    path = text(request, "path", PATH)
    nothing_left(request)
    become(user)
    runs, server = (os.access(f"{path}/bin/{name}", os.R_OK | os.X_OK) for name in ("python", "jupyterhub-singleuser"))
    found: dict[str, Any] = {"problem": "", "head": "", "runs": runs, "server": server, "packages": []}
    try:
        descriptor = os.open(f"{path}/bin/python", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with open(descriptor, "rb") as file:
            found["head"] = file.read(20).hex() if stat.S_ISREG(os.fstat(descriptor).st_mode) else ""
        for version in filter(PYTHON.fullmatch, os.listdir(f"{path}/lib")):
            names = sorted(filter(PACKAGE.fullmatch, os.listdir(f"{path}/lib/{version}/site-packages")))
            found["packages"] += [f"{version}/{name}" for name in names]
    except OSError as error:
        found["problem"] = f"{error.filename}: {error.strerror}"
    return found


def wipe(request: dict[str, Any], user: pwd.struct_passwd, policy: dict[str, Any]) -> dict[str, Any]:
    """Empty the home of an account that is lent as a seat, with the account's own rights."""
    known_cluster(request, policy)  # as for a log
    nothing_left(request)
    if user.pw_name not in policy.get("seats", ()):
        raise Refused(f"{user.pw_name} is not one of the seats of the policy")
    # Who was in the seat may have closed its home to its own account.
    become(user, unlocking=True)
    run([os.path.realpath(__file__).removesuffix("launch") + "wipe"], user_environment(user, policy))
    return {}


VERBS = {"submit": submit, "cancel": cancel, "log": log, "budget": budget, "probe": probe, "wipe": wipe}


def answer_to(raw: bytes, policy: dict[str, Any]) -> dict[str, Any]:
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
    user = target_user(text(request, "user", WORD), policy)
    return {"ok": True, **VERBS[verb](request, user, policy)}


def finish(answer: dict[str, Any]) -> NoReturn:
    """Write the answer and end: with 0 if the request was carried out."""
    json.dump(answer, sys.stdout)
    sys.stdout.write("\n")
    sys.exit(0 if answer["ok"] else 1)


def main() -> NoReturn:
    """Answer the one request on standard input."""
    try:
        if os.geteuid() != 0:
            raise Refused("this program acts as other users and must be run as root, by the hub's door")
        if len(sys.argv) > 1:
            raise Refused("this program takes its request on standard input, and no arguments")
        policy = policy_beside(os.path.realpath(__file__))
        check_peer(policy)
        finish(answer_to(sys.stdin.buffer.read(REQUEST_LIMIT + 1), policy))
    except (Refused, SlurmSaid, Unclear) as error:
        finish({"ok": False, "kind": KINDS[type(error)], "message": str(error)})
    except Exception as error:
        # A mistake of ours may strike after the submission; its text may repeat the request, which holds a token.
        finish({"ok": False, "kind": "unclear", "message": f"the launcher failed: {type(error).__name__}"})


if __name__ == "__main__":
    main()
