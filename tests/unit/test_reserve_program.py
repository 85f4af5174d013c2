"""``hpchub-reserve``: what it takes from a request, what it refuses, and what it then says to ``scontrol``.

A small script stands for ``scontrol``, because its answers must be controlled; the real one, behind the real door, is
in the ring ``events``.
"""

from __future__ import annotations

import ast
import fcntl
import io
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hpchub.jobs import hpchub_reserve
from hpchub.jobs.hpchub_reserve import Refused, SlurmSaid, Unclear, answer_to

PROGRAM = Path(str(hpchub_reserve.__file__))
DATA = Path(__file__).parent / "data" / "slurm"
HOUR = 3600
DAY = 86400
NOW = int(time.time())
BEGINS, ENDS = NOW + DAY, NOW + DAY + 8 * HOUR
NOTHING = "No reservations in the system"


def line(name: str, nodes: int = 4, starts: int = BEGINS, ends: int = ENDS) -> str:
    """What Slurm says of a reservation, but for what nobody reads."""
    return f"ReservationName={name} StartTime={starts} EndTime={ends} NodeCnt={nodes} Accounts=tra26_hack"


class Scontrol:
    """Stands for ``scontrol``: keeps what it was told, and shows reservations."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "scontrol"
        self.say(NOTHING)
        self.path.write_text(
            f'#!/bin/sh\ncase "$*" in *"show job "*) cat {folder}/job; exit;; *show*) cat {folder}/shown; exit;; esac\n'
            f'echo "$SLURM_CONF" > {folder}/conf; for word; do echo "$word"; done > {folder}/told\n'
            f"if [ -e {folder}/after ]; then mv {folder}/after {folder}/shown; fi\n"
            f"if [ -e {folder}/refuses ]; then cat {folder}/refuses >&2; exit 1; fi\n"
        )
        self.path.chmod(0o755)

    def say(self, *lines: str) -> None:
        (self.folder / "shown").write_text("".join(f"{each}\n" for each in lines))

    def say_after(self, *lines: str) -> None:
        (self.folder / "after").write_text("".join(f"{each}\n" for each in lines))

    def say_of_a_job(self, text: str) -> None:
        (self.folder / "job").write_text(f"{text}\n")

    def refuse(self, words: str) -> None:
        (self.folder / "refuses").write_text(words)

    @property
    def told(self) -> list[str]:
        """The words of the last command that changes something; none where there was none."""
        path = self.folder / "told"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def scontrol(tmp_path: Path) -> Scontrol:
    return Scontrol(tmp_path)


def policy(scontrol: Scontrol) -> dict[str, Any]:
    return {
        "prefix": "hpchub_",
        "accounts": ["tra26_*"],
        "scontrol": str(scontrol.path),
        "environment": {},
        "clusters": {
            "leonardo": {"partitions": ["boost_usr_prod"], "most_nodes": 10, "slurm_conf": "/etc/leonardo.conf"},
            "it4lia": {"partitions": ["gb200_usr_prod"], "most_nodes": 2},
        },
        "most_minutes": 3 * 24 * 60,
        "most_days_ahead": 30,
        "most_reservations": 3,
    }


CREATE: dict[str, Any] = {
    "verb": "create",
    "cluster": "leonardo",
    "name": "hpchub_school",
    "partition": "boost_usr_prod",
    "nodes": 4,
    "account": "tra26_hack",
    "starts_epoch": BEGINS,
    "ends_epoch": ENDS,
}
CHANGE: dict[str, Any] = {"verb": "change", "cluster": "leonardo", "name": "hpchub_school"}
DELETE: dict[str, Any] = {"verb": "delete", "cluster": "leonardo", "name": "hpchub_school"}
PROLONG: dict[str, Any] = {
    "verb": "prolong",
    "cluster": "leonardo",
    "name": "hpchub_school",
    "ends_epoch": ENDS,
    "jobs": ["17"],
}


def ask(scontrol: Scontrol, request: object) -> dict[str, Any]:
    return answer_to(json.dumps(request).encode(), policy(scontrol))


def test_a_reservation_is_made_of_whole_nodes_for_an_account(scontrol: Scontrol) -> None:
    scontrol.say_after(line("hpchub_school"))
    assert ask(scontrol, CREATE) == {
        "ok": True,
        "reservation": {"name": "hpchub_school", "nodes": 4, "starts_epoch": BEGINS, "ends_epoch": ENDS},
    }
    assert scontrol.told == [
        "--all",
        "--oneliner",
        "create",
        "reservation",
        "ReservationName=hpchub_school",
        "PartitionName=boost_usr_prod",
        "NodeCnt=4",
        f"StartTime=uts{BEGINS}",
        f"EndTime=uts{ENDS}",
        "Accounts=tra26_hack",
    ]
    assert (scontrol.folder / "conf").read_text() == "/etc/leonardo.conf\n"


def test_a_cluster_without_a_file_of_its_own_is_named(scontrol: Scontrol) -> None:
    scontrol.say_after(line("hpchub_x", nodes=1))
    there = {"cluster": "it4lia", "partition": "gb200_usr_prod", "name": "hpchub_x", "nodes": 1, "starts_epoch": None}
    ask(scontrol, {**CREATE, **there, "ends_epoch": NOW + HOUR})
    assert "--cluster=it4lia" in scontrol.told and "StartTime=now" in scontrol.told


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff", b"{", b"[]", b'"create"', b"{}", b'{"verb": "show"}', b'{"verb": ["create"]}', b" " * 20_000],
    ids=lambda raw: str(raw)[:20],
)
def test_what_is_no_request_is_refused(scontrol: Scontrol, raw: bytes) -> None:
    with pytest.raises(Refused):
        answer_to(raw, policy(scontrol))
    assert scontrol.told == []


HOSTILE = [
    ({"name": "s_tra_course"}, "the name s_tra_course does not begin with hpchub_"),
    ({"name": "hpchub_"}, "the name hpchub_ does not begin with hpchub_"),
    ({"name": "HPCHUB_x"}, "the name HPCHUB_x does not begin with hpchub_"),
    ({"name": "hpchub_a,s_tra_course"}, "name is missing or not of the expected form"),
    ({"name": "hpchub_a Flags=MAINT"}, "name is missing or not of the expected form"),
    ({"name": "hpchub_a\n"}, "name is missing or not of the expected form"),
    ({"name": None}, "name is missing or not of the expected form"),
    ({"name": "hpchub_" + "x" * 64}, "name is missing or not of the expected form"),
    ({"cluster": "other"}, "the cluster other is not one of leonardo, it4lia"),
    ({"cluster": "leonardo,it4lia"}, "cluster is missing or not of the expected form"),
    ({"cluster": "--help"}, "cluster is missing or not of the expected form"),
    ({"partition": "lrd_all_serial"}, "the partition lrd_all_serial is not one of boost_usr_prod"),
    ({"partition": "boost_usr_prod,other"}, "partition is missing or not of the expected form"),
    ({"account": "root"}, "the account root is not one of tra26_*"),
    ({"account": "tra26_a,root"}, "account is missing or not of the expected form"),
    ({"account": "-tra26_a"}, "account is missing or not of the expected form"),
    ({"nodes": 11}, "reservations on leonardo may have 10 nodes at a time, others have 0 then"),
    ({"nodes": 0}, "nodes is missing or not of the expected form"),
    ({"nodes": -1}, "nodes is missing or not of the expected form"),
    ({"nodes": True}, "nodes is missing or not of the expected form"),
    ({"nodes": "4"}, "nodes is missing or not of the expected form"),
    ({"nodes": 1.5}, "nodes is missing or not of the expected form"),
    ({"starts_epoch": "now"}, "starts_epoch is missing or not of the expected form"),
    ({"ends_epoch": None}, "ends_epoch is missing or not of the expected form"),
    ({"ends_epoch": BEGINS}, "ends_epoch is not after the beginning, or past"),
    ({"starts_epoch": NOW - 2 * DAY, "ends_epoch": NOW - DAY}, "ends_epoch is not after the beginning, or past"),
    ({"ends_epoch": BEGINS + 3 * DAY + 1}, "a reservation may last at most 4320 minutes"),
    ({"starts_epoch": NOW + 30 * DAY, "ends_epoch": NOW + 31 * DAY}, "a reservation may end at most 30 days from now"),
    ({"flags": "MAINT"}, "unknown keys: flags"),
    ({"users": "ada", "Nodes": "ALL"}, "unknown keys: Nodes, users"),
]


@pytest.mark.parametrize(("changes", "sentence"), HOSTILE, ids=lambda value: str(value)[:60])
def test_a_reservation_against_the_policy_is_refused(
    scontrol: Scontrol, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Refused, match=f"^{re.escape(sentence)}$"):
        ask(scontrol, {**CREATE, **changes})
    assert scontrol.told == []


@pytest.mark.parametrize("key", [key for key in CREATE if key != "verb"])
def test_nothing_may_be_missing(scontrol: Scontrol, key: str) -> None:
    with pytest.raises(Refused, match=f"{key} is missing"):
        ask(scontrol, {name: value for name, value in CREATE.items() if name != key})
    assert scontrol.told == []


def test_reservations_at_the_same_time_share_the_nodes_of_the_policy(scontrol: Scontrol) -> None:
    scontrol.say(line("hpchub_a", nodes=7), line("s_tra_course", nodes=500))
    with pytest.raises(Refused, match="may have 10 nodes at a time, others have 7 then"):
        ask(scontrol, CREATE)
    scontrol.say(line("hpchub_a", nodes=7, starts=ENDS, ends=ENDS + HOUR))
    scontrol.say_after(line("hpchub_school"))
    assert ask(scontrol, CREATE)["ok"]


def test_there_are_never_more_reservations_than_the_policy_allows(scontrol: Scontrol) -> None:
    later = {"starts": ENDS + DAY, "ends": ENDS + DAY + HOUR}
    scontrol.say(*(line(f"hpchub_{name}", 1, **later) for name in "abc"))
    with pytest.raises(Refused, match="there are 3 reservations already"):
        ask(scontrol, CREATE)


def test_a_name_is_not_taken_twice(scontrol: Scontrol) -> None:
    scontrol.say(line("hpchub_school"))
    with pytest.raises(Refused, match="there is a reservation hpchub_school already"):
        ask(scontrol, CREATE)
    assert scontrol.told == []


def test_a_reservation_is_extended_within_the_policy(scontrol: Scontrol) -> None:
    scontrol.say(line("hpchub_school"))
    scontrol.say_after(line("hpchub_school", ends=ENDS + HOUR))
    answer = ask(scontrol, {**CHANGE, "ends_epoch": ENDS + HOUR})
    assert answer["reservation"]["ends_epoch"] == ENDS + HOUR
    assert scontrol.told[2:] == ["update", "ReservationName=hpchub_school", f"EndTime=uts{ENDS + HOUR}"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, "a change needs nodes, starts_epoch or ends_epoch"),
        ({"ends_epoch": BEGINS + 4 * DAY}, "a reservation may last at most 4320 minutes"),
        ({"starts_epoch": ENDS - 4 * DAY}, "a reservation may last at most 4320 minutes"),
        ({"nodes": 11}, "reservations on leonardo may have 10 nodes at a time, others have 0 then"),
        ({"account": "root", "nodes": 5}, "unknown keys: account"),
        ({"name": "hpchub_other", "nodes": 5}, "there is no reservation hpchub_other"),
        ({"name": "s_tra_course", "nodes": 5}, "the name s_tra_course does not begin with hpchub_"),
    ],
    ids=str,
)
def test_many_small_changes_stay_within_the_policy_too(
    scontrol: Scontrol, change: dict[str, Any], sentence: str
) -> None:
    # It runs already, so that an end within the policy's length from now would not be one from its beginning.
    scontrol.say(line("hpchub_school"), line("s_tra_course"))
    with pytest.raises(Refused, match=re.escape(sentence)):
        ask(scontrol, {**CHANGE, **change})
    assert scontrol.told == []


def test_fewer_nodes_than_were_asked_for_are_no_success(scontrol: Scontrol) -> None:
    scontrol.say_after(line("hpchub_school", nodes=3))
    with pytest.raises(SlurmSaid, match="Slurm gave hpchub_school only 3 of 4 nodes"):
        ask(scontrol, CREATE)
    assert scontrol.told[2:] == ["delete", "ReservationName=hpchub_school"]
    scontrol.say(line("hpchub_school"))
    scontrol.say_after(line("hpchub_school", nodes=6))
    with pytest.raises(SlurmSaid, match="Slurm gave hpchub_school only 6 of 8 nodes"):
        ask(scontrol, {**CHANGE, "nodes": 8})
    assert scontrol.told[2:] == ["update", "ReservationName=hpchub_school", "NodeCnt=4"]


def test_a_reservation_is_removed(scontrol: Scontrol) -> None:
    assert ask(scontrol, DELETE) == {"ok": True, "reservation": None}
    assert scontrol.told[2:] == ["delete", "ReservationName=hpchub_school"]


@pytest.mark.parametrize("name", ["s_tra_course", "ALL", "hpchub_", ""])
def test_nobody_else_s_reservation_is_removed(scontrol: Scontrol, name: str) -> None:
    with pytest.raises(Refused):
        ask(scontrol, {**DELETE, "name": name})
    assert scontrol.told == []


def test_what_is_removed_already_is_removed(scontrol: Scontrol) -> None:
    scontrol.refuse("delete_reservation ReservationName=hpchub_school: Requested reservation is invalid")
    assert ask(scontrol, DELETE)["ok"]


def test_slurm_refuses_in_its_own_words(scontrol: Scontrol) -> None:
    scontrol.refuse("Error creating the reservation: Requested nodes are busy")
    with pytest.raises(SlurmSaid, match=r"^Error creating the reservation: Requested nodes are busy$"):
        ask(scontrol, CREATE)


def test_no_answer_of_slurm_s_is_no_refusal(scontrol: Scontrol, monkeypatch: pytest.MonkeyPatch) -> None:
    scontrol.refuse("slurm_update error: Unable to contact slurm controller (connect failure)")
    with pytest.raises(Unclear, match="Unable to contact"):
        ask(scontrol, CREATE)
    monkeypatch.setattr(hpchub_reserve, "COMMAND_SECONDS", 0.2)
    scontrol.path.write_text("#!/bin/sh\nsleep 600\n")
    with pytest.raises(Unclear, match=r"scontrol gave no answer in 0\.2 s"):
        ask(scontrol, CREATE)


@pytest.mark.parametrize("version", ["22.05", "24.11", "26.05"])
def test_reservations_are_read_as_every_version_writes_them(version: str) -> None:
    text = (DATA / version / "reservations.txt").read_text()
    found = [hpchub_reserve.reading(each) for each in text.splitlines()]
    named = {each["name"]: each for each in found if each is not None}
    assert {name: each["nodes"] for name, each in named.items()} == {"m": 1, "later": 12, "s_tra_hack": 2, "part": 1}
    assert all(each["ends_epoch"] > each["starts_epoch"] for each in named.values())


@pytest.mark.parametrize("prefix", ["", "_", "h", "*", "s tra_", None])
def test_a_policy_without_a_prefix_of_its_own_is_none(tmp_path: Path, prefix: object) -> None:
    program = tmp_path / "hpchub-reserve"
    program.touch(mode=0o755)
    (tmp_path / "hpchub-reserve.json").write_text(json.dumps({"prefix": prefix}))
    with pytest.raises(Refused, match=r"the policy's prefix is not a word|must belong to root"):
        hpchub_reserve.policy_beside(str(program))


def test_a_policy_that_others_may_write_is_none(tmp_path: Path) -> None:
    program = tmp_path / "hpchub-reserve"
    program.touch(mode=0o755)
    (tmp_path / "hpchub-reserve.json").write_text('{"prefix": "hpchub_"}')
    (tmp_path / "hpchub-reserve.json").chmod(0o666)
    with pytest.raises(Refused, match="must belong to root and be writable by root alone"):
        hpchub_reserve.policy_beside(str(program))


@pytest.fixture
def installed(scontrol: Scontrol, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The policy beside the program, whoever owns it."""
    path = scontrol.folder / "hpchub-reserve.json"
    path.write_text(json.dumps(policy(scontrol)))
    monkeypatch.setattr(hpchub_reserve, "__file__", str(scontrol.folder / "hpchub-reserve"))
    monkeypatch.setattr(hpchub_reserve, "policy_beside", lambda _: json.loads(path.read_text()))
    monkeypatch.setattr(hpchub_reserve, "TURN_SECONDS", 0.2)
    monkeypatch.setattr(sys, "argv", ["hpchub-reserve"])
    return path


def started(request: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The answer of the program as the door starts it."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(request).encode())))
    with pytest.raises(SystemExit):
        hpchub_reserve.main()
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_nothing_is_checked_or_changed_while_another_request_is_carried_out(
    scontrol: Scontrol, installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scontrol.say_after(line("hpchub_school"))
    with installed.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        answer = started(CREATE, monkeypatch, capsys)
    assert answer["kind"] == "refused"
    assert answer["message"] == "another request has not ended within 0.2 s, try again"
    assert scontrol.told == []
    assert started(CREATE, monkeypatch, capsys)["ok"]


def test_a_request_holds_its_turn_until_slurm_has_answered(
    scontrol: Scontrol, installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # As each command of Slurm's runs, somebody else tries to take the turn.
    scontrol.path.write_text(
        scontrol.path.read_text().replace(
            "#!/bin/sh\n", f"#!/bin/sh\nflock -n {installed} true && echo free >> {scontrol.folder}/turns\n"
        )
    )
    turns = scontrol.folder / "turns"
    ask(scontrol, DELETE)
    assert turns.read_text() == "free\n"
    turns.unlink()
    scontrol.say_after(line("hpchub_school"))
    assert started(CREATE, monkeypatch, capsys)["ok"]
    assert not turns.exists()


def test_it_takes_no_arguments(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["hpchub-reserve", "--delete"])
    with pytest.raises(SystemExit) as end:
        hpchub_reserve.main()
    assert end.value.code == 1
    assert json.loads(capsys.readouterr().out)["kind"] == "refused"


def test_old_pythons_can_read_it_and_it_needs_the_standard_library_alone() -> None:
    tree = ast.parse(PROGRAM.read_text(), feature_version=(3, 9))
    imported = {
        name.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }
    imported |= {str(node.module).split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names


# More time for jobs


def job(
    name: str = "hpchub",
    state: str = "RUNNING",
    reservation: str = "hpchub_school",
    ends: int = BEGINS + HOUR,
    comment: str = "v=1&session=ab",
) -> str:
    """What Slurm says of job 17, its owner's words where they stand in it (verbatim order of 22.05 and later)."""
    held = f" Reservation={reservation}" if reservation else ""
    return (
        f"JobId=17 JobName={name} UserId=seat01(1101) Account=tra26_hack QOS=normal JobState={state} "
        f"Reason=None Dependency=(null) RunTime=00:10:00 TimeLimit=01:00:00 SubmitTime={BEGINS} StartTime={BEGINS} "
        f"EndTime={ends} Deadline=N/A Partition=boost_usr_prod NodeList=lrdn0001 Features=(null){held} "
        f"OverSubscribe=OK Contiguous=0 Licenses=(null) Network=(null) Command=(null) WorkDir=/home/seat01 "
        f"Comment={comment} Power="
    )


def test_a_running_job_in_the_reservation_lasts_as_long_as_was_asked_for(scontrol: Scontrol) -> None:
    scontrol.say(line("hpchub_school"))
    scontrol.say_of_a_job(job())
    assert ask(scontrol, {**PROLONG, "ends_epoch": BEGINS + 2 * HOUR}) == {"ok": True, "jobs": ["17"]}
    assert scontrol.told == ["--all", "--oneliner", "update", "JobId=17", "TimeLimit=120"]


def test_no_job_outlasts_its_reservation(scontrol: Scontrol) -> None:
    scontrol.say(line("hpchub_school"))
    scontrol.say_of_a_job(job())
    assert ask(scontrol, {**PROLONG, "ends_epoch": ENDS + DAY})["jobs"] == ["17"]
    assert scontrol.told[-1] == "TimeLimit=480"


def test_a_job_that_lasts_as_long_already_stays_as_it_is_and_is_named(scontrol: Scontrol) -> None:
    scontrol.say(line("hpchub_school"))
    scontrol.say_of_a_job(job(ends=ENDS))
    assert ask(scontrol, PROLONG) == {"ok": True, "jobs": ["17"]}
    assert scontrol.told == []


FAKE = "UserId=root(0) JobState=RUNNING Reservation=hpchub_school StartTime=1 EndTime=2"


@pytest.mark.parametrize(
    "said",
    [
        job(state="PENDING"),
        job(state="COMPLETING"),
        job(name="train"),
        job(name="hpchub2"),
        job(reservation=""),
        job(reservation="s_tra_course"),
        job(reservation="hpchub_other"),
        job(name="hpchub Reservation=hpchub_school", reservation=""),
        job(name=f"hpchub {FAKE}", reservation=""),
        job(name=f"hpchub {FAKE} OverSubscribe=OK", reservation=""),
        job(comment="Reservation=hpchub_school", reservation=""),
        job(comment=f"OverSubscribe=OK {FAKE}", reservation=""),
        job().replace("JobId=17", "JobId=170"),
        job().replace(f"StartTime={BEGINS}", "StartTime=Unknown"),
        "",
    ],
    ids=range(15),
)
def test_a_job_that_is_none_of_ours_stays_as_it_is(scontrol: Scontrol, said: str) -> None:
    scontrol.say(line("hpchub_school"))
    scontrol.say_of_a_job(said)
    assert ask(scontrol, PROLONG) == {"ok": True, "jobs": []}
    assert scontrol.told == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "s_tra_course"},
        {"name": "hpchub_gone"},
        {"jobs": "17"},
        {"jobs": [17]},
        {"jobs": ["17 Partition=x"]},
        {"jobs": ["17,18"]},
        {"jobs": ["-1"]},
        {"jobs": ["1"] * 51},
        {"jobs": None},
        {"ends_epoch": None},
        {"minutes": 60},
        {"cluster": "elsewhere"},
    ],
    ids=str,
)
def test_a_prolongation_that_is_not_of_its_form_is_refused(scontrol: Scontrol, wrong: dict[str, Any]) -> None:
    scontrol.say(line("hpchub_school"))
    scontrol.say_of_a_job(job())
    with pytest.raises(Refused):
        ask(scontrol, {**PROLONG, **wrong})
    assert scontrol.told == []


def test_one_job_that_slurm_does_not_change_keeps_no_other_from_it(scontrol: Scontrol) -> None:
    scontrol.say(line("hpchub_school"))
    scontrol.say_of_a_job(job())
    scontrol.refuse("Job update not available right now")
    assert ask(scontrol, {**PROLONG, "jobs": ["17", "17"]}) == {"ok": True, "jobs": []}
