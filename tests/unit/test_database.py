"""Whether the hub's database answers; a PostgreSQL that really goes away is in tests/hub/test_database.py."""

from __future__ import annotations

import socket

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from hpchub.database import Database, settings_for
from tests.support.wait import until


def test_a_silent_machine_is_waited_for_briefly_and_then_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://hub@127.0.0.1:{silent.getsockname()[1]}/hub"
        database = Database()
        with Session(create_engine(url, **settings_for(url))) as session:
            assert not database.answers(session)
            # at once, without another connection
            assert not database.answers(session)
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_it_is_away_until_it_answers(caplog: pytest.LogCaptureFixture) -> None:
    database = Database()
    with Session(create_engine("sqlite:////nowhere/of-the-tests/hub.sqlite")) as broken:
        assert not database.answers(broken)
        assert not database.answers(broken)
    assert database.back_epoch == 0
    with Session(create_engine("sqlite://")) as whole:
        until(lambda: database.answers(whole), "it to be asked again")
        assert database.answers(whole)
    assert database.back_epoch > 0
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


@pytest.mark.parametrize("url", ["sqlite:////var/lib/hpchub/hub.sqlite", "postgresql+psycopg:///hub?host=/run"])
def test_values_of_statements_stay_out_of_logs(url: str) -> None:
    assert settings_for(url)["hide_parameters"]


def test_what_an_address_says_of_waiting_counts() -> None:
    assert settings_for("postgresql+psycopg://hub@db/hub?connect_timeout=9")["connect_args"] == {
        "tcp_user_timeout": 10_000
    }
