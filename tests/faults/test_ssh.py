"""The cluster it4lia is behind ssh to a login node, a real sshd: everything works, and every way to lose it heals."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.choices import ADA, BRUNO
from tests.support.endings import ended, wait_for_end
from tests.support.login_node import LoginNode
from tests.support.site import Site
from tests.support.trouble import answers, silent
from tests.support.wait import until

pytestmark = pytest.mark.usefixtures("small_servers")

HEALED = 120
"""Seconds: pauses between two tries to sign in grow to a minute."""


@pytest.fixture(scope="module")
def made_login_node(started_site: Site) -> Iterator[LoginNode]:
    node = LoginNode(started_site, Path("/run/hpchub-login"))
    node.make()
    node.start()
    node.put_before_it4lia()
    yield node
    started_site.up()
    node.remove()


@pytest.fixture
def login_node(made_login_node: LoginNode, site: Site) -> LoginNode:
    """The login node, with a hub that is connected to it."""
    until(lambda: answers(site), "both clusters to answer", HEALED)
    return made_login_node


def is_silent(site: Site) -> bool:
    return bool(site.api("GET", "/hpchub/snapshot").json["it4lia"]["silent_since_epoch"])


def run(site: Site, user: str, choice: Any) -> dict[str, Any]:
    """Start a server and wait until it is ready, also on a busy machine."""
    assert site.start(user, choice).status in (201, 202)
    return site.ready(user, seconds=HEALED)


def cut_and_wait(site: Site, login_node: LoginNode) -> None:
    login_node.cut()
    until(lambda: is_silent(site), "the hub to notice", 60)


def reachable(site: Site) -> bool:
    return site.get("/user/bruno/api", site.token_of("bruno")).status == 200


def masters() -> list[int]:
    """List the processes that hold a connection of the hub's."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            words = (each / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"ssh" and b"ControlMaster=yes" in words:
            found.append(int(each.name))
    return found


def healed(site: Site, session: dict[str, Any]) -> None:
    """The cluster answers again, and the session is the one that it was."""
    until(lambda: answers(site), "the login node to be connected again", HEALED)
    assert site.ready("bruno", seconds=HEALED)["id"] == session["id"]
    assert site.live_jobs_of("bruno") == [f"it4lia {session['job_id']} bruno hpchub"]


def test_a_session_starts_runs_and_stops(site: Site, login_node: LoginNode) -> None:
    session = run(site, "bruno", BRUNO)
    assert reachable(site)
    assert site.live_jobs_of("bruno") == [f"it4lia {session['job_id']} bruno hpchub"]
    assert site.api("DELETE", "/users/bruno/server").status in (202, 204)
    until(lambda: not site.live_jobs_of("bruno"), "the job to be gone")
    assert ended(site, "bruno")["ending"] == "stopped"


def test_a_job_that_is_cancelled_by_hand_ends_its_session(site: Site, login_node: LoginNode) -> None:
    session = run(site, "bruno", BRUNO)
    site.slurm(f"scancel -M it4lia {session['job_id']}", as_user="bruno")
    assert wait_for_end(site, "bruno", 30)["ending"] == "cancelled"


def test_one_connection_carries_all_commands(site: Site, login_node: LoginNode) -> None:
    sign_ins, commands = login_node.sign_ins, login_node.commands
    run(site, "bruno", BRUNO)
    until(lambda: login_node.commands >= commands + 8, "eight more commands", 60)
    assert login_node.sign_ins == sign_ins
    assert len(login_node.connections()) == len(masters()) == 1


@pytest.fixture
def expired(site: Site, login_node: LoginNode) -> Iterator[LoginNode]:
    """The hub signed in with a certificate that is over by now."""
    login_node.certify("+30s")
    sign_ins = login_node.sign_ins
    login_node.cut()
    until(lambda: login_node.sign_ins > sign_ins, "the hub to sign in with the short certificate", 25)
    yield login_node
    login_node.certify("+12h")


def test_a_certificate_that_expires_ends_no_session_and_a_new_one_heals(site: Site, expired: LoginNode) -> None:
    # The query that was cut may have said that Slurm is silent; the next one takes that back.
    until(lambda: site.start("bruno", BRUNO).status in (201, 202), "a start over the new connection", pause=0.5)
    session = site.ready("bruno", seconds=HEALED)
    until(lambda: expired.certificate_is_over, "the certificate to expire", 60)
    commands = expired.commands
    until(lambda: expired.commands > commands + 2, "commands over the connection that is there", 60)
    assert not is_silent(site)

    why = f"the certificate {expired.certificate} expired at "
    expired.cut()
    until(lambda: expired.log().count("Certificate invalid: expired") > 1, "two sign-ins to be refused", 60)
    until(lambda: is_silent(site), "the hub to notice", 90)
    assert reachable(site) and site.server("bruno")["ready"]
    refused = site.start("bruno", BRUNO, "other")
    assert refused.status == 400
    assert refused.message.startswith("Slurm on it4lia has not answered since ")
    assert site.log().count(why) == 1

    expired.certify("+12h")
    healed(site, session)
    assert site.start("bruno", BRUNO, "other").status in (201, 202)
    site.ready("bruno", "other", seconds=HEALED)


def test_a_start_without_a_login_node_is_refused_in_plain_words(site: Site, login_node: LoginNode) -> None:
    session = run(site, "bruno", BRUNO)
    login_node.stop()
    until(lambda: not masters(), "the connection to be gone")
    try:
        answer = site.start("bruno", BRUNO, "other")
        if answer.status == 400:  # the hub has noticed already
            words = answer.message
            assert words.startswith("Slurm on it4lia has not answered since ")
        else:
            over = until(lambda: ended(site, "bruno", "other"), "the start to be given up", 60)
            words = over["message"]
            assert over["ending"] == "not-submitted"
            assert "The hub has no connection to it4lia at the moment; nothing was sent." in words
        assert "127.0.0.1" not in words and str(login_node.folder) not in words
        until(lambda: "Connection refused" in site.log(), "the log to say why")
        # the cluster beside it is another matter
        run(site, "ada", ADA)
    finally:
        login_node.start()
    healed(site, session)


def test_a_host_key_that_is_not_known_is_not_trusted(site: Site, login_node: LoginNode) -> None:
    session = run(site, "bruno", BRUNO)
    login_node.know("authority")
    try:
        cut_and_wait(site, login_node)
        why = f"the host key of 127.0.0.1 is not the one in {login_node.known_hosts}; nothing was sent."
        until(lambda: why in site.log(), "the log to say why")
        assert reachable(site)
    finally:
        login_node.know("host")
    healed(site, session)


def test_a_connection_that_hangs_is_replaced(site: Site, login_node: LoginNode) -> None:
    session = run(site, "bruno", BRUNO)
    (master,) = masters()
    os.kill(master, signal.SIGSTOP)
    until(lambda: masters() not in ([], [master]), "another connection", 90)
    healed(site, session)


def test_a_submission_whose_connection_breaks_is_not_repeated(site: Site, login_node: LoginNode) -> None:
    with ThreadPoolExecutor() as pool, silent(site, "it4lia"):
        # The hub answers after 10 s, and by then sbatch has given up.
        answer = pool.submit(site.start, "bruno", BRUNO)
        until(lambda: submitting("bruno"), "sbatch to wait for its controller", pause=0.02)
        login_node.cut()
        until(lambda: "the connection to it4lia broke before the answer" in site.log(), "the hub to notice", 60)
    assert answer.result().status in (201, 202)
    session = site.ready("bruno", seconds=HEALED)
    assert site.live_jobs_of("bruno") == [f"it4lia {session['job_id']} bruno hpchub"]


def submitting(user: str) -> bool:
    """Tell whether an sbatch runs as a user."""
    for each in Path("/proc").glob("[0-9]*"):
        try:
            # by its name: its first argument may be the loader of another Slurm than the machine's
            if (each / "comm").read_text() == "sbatch\n" and each.owner() == user:
                return True
        except OSError:
            continue
    return False


def test_a_killed_hub_leaves_no_connection_and_finds_its_session_again(site: Site, login_node: LoginNode) -> None:
    session = run(site, "bruno", BRUNO)
    site.kill_hub()
    until(lambda: not masters(), "its connection to be gone", 60)
    login_node.put_before_it4lia()
    healed(site, session)
    assert len(masters()) == 1
