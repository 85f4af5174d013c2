"""Events: who is in one, what follows for a choice, and the hub's copy on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hpchub.catalogue.choice import accept
from hpchub.catalogue.event import Event
from hpchub.catalogue.offers import Person, offers
from hpchub.errors import ChoiceRefused
from hpchub.events import EventKeeper
from tests.unit.data.world import VIEWS, demo_catalogue, with_profile

NOW = 1_800_000_000
SCHOOL: dict[str, Any] = {
    "slug": "gpu-school",
    "title": "GPU school",
    "opens_epoch": NOW - 3600,
    "closes_epoch": NOW + 90 * 60,
    "members": ["carla"],
    "groups": ["school"],
    "cluster": "leonardo",
    "allocation": "TRA26_hack",
    "reservation": "s_tra_school",
    "profiles": ["general/*"],
    "size": None,
}
CHOICE = {"profile": "general/pytorch", "event": "gpu-school"}


def event(**changes: Any) -> Event:
    return Event.model_validate({**SCHOOL, **changes})


def carla(*events: Event, at: float = NOW) -> Person:
    return Person("carla", events=events or (event(),), asks_epoch=at)


def refusal(choice: Mapping[str, Any], person: Person) -> str:
    with pytest.raises(ChoiceRefused) as refused:
        accept(choice, demo_catalogue(), person, VIEWS)
    return str(refused.value)


def test_an_event_decides_where_and_who_pays() -> None:
    accepted = accept(CHOICE, demo_catalogue(), carla(), VIEWS)
    assert (accepted.offer.cluster, accepted.offer.allocation) == ("leonardo", "tra26_hack")
    assert accepted.event is not None and accepted.event.reservation == "s_tra_school"
    options = accepted.as_user_options()
    assert options["event"] == "gpu-school"
    assert accept(options, demo_catalogue(), carla(), VIEWS) == accepted


def test_a_session_ends_with_its_event() -> None:
    soon = carla(event(closes_epoch=NOW + 25 * 60))
    assert accept(CHOICE, demo_catalogue(), soon, VIEWS).minutes == 25
    assert accept({**CHOICE, "minutes": 25}, demo_catalogue(), soon, VIEWS).minutes == 25
    assert refusal({**CHOICE, "minutes": 26}, soon) == "26 minutes are too many: event gpu-school closes in 25."


def test_an_event_may_decide_the_size() -> None:
    person = carla(event(size="medium"))
    assert accept(CHOICE, demo_catalogue(), person, VIEWS).offer.size == "medium"
    assert refusal({**CHOICE, "size": "small"}, person) == (
        "Event gpu-school decides the size: medium; asked for: 'small'."
    )


@pytest.mark.parametrize(
    ("changes", "person", "sentence"),
    [
        ({"event": "other"}, carla(), "Event 'other' is not one of yours that are open now. Yours: gpu-school."),
        ({}, carla(at=NOW - 3601), "Event 'gpu-school' is not one of yours that are open now. Yours: none."),
        ({}, carla(at=NOW + 90 * 60), "Event 'gpu-school' is not one of yours that are open now. Yours: none."),
        ({}, Person("carla"), "Event 'gpu-school' is not one of yours that are open now. Yours: none."),
        (
            {"profile": "agrifood/remote-sensing"},
            carla(),
            "Profile agrifood/remote-sensing is not one of event gpu-school. Possible: general/*.",
        ),
        ({"cluster": "it4lia"}, carla(), "Event gpu-school decides the cluster: leonardo; asked for: 'it4lia'."),
        (
            {"allocation": "aifac_agri01"},
            carla(),
            "Event gpu-school decides the allocation: tra26_hack; asked for: 'aifac_agri01'.",
        ),
        (
            {},
            carla(event(size="huge")),
            "Event gpu-school is for size huge, which general/pytorch does not have. "
            "Its sizes: small, medium, large. Tell the trainer.",
        ),
        (
            {},
            Person("bruno", events=(event(),), asks_epoch=NOW),
            "Allocation 'tra26_hack' is not one of yours for general/pytorch on leonardo. Yours: aifac_cyber01.",
        ),
        (
            {},
            carla(event(cluster="lisa")),
            "Cluster 'lisa' is not known. Possible: leonardo, it4lia.",
        ),
    ],
)
def test_what_an_event_does_not_allow_is_refused(changes: Mapping[str, Any], person: Person, sentence: str) -> None:
    assert refusal({**CHOICE, **changes}, person) == sentence


def test_the_default_choice_has_no_event() -> None:
    assert accept({"profile": "general/pytorch"}, demo_catalogue(), carla(), VIEWS).event is None


def test_a_profile_for_an_event_is_offered_to_its_people_while_it_is_open() -> None:
    catalogue = with_profile("general/pytorch", access={"events": ["gpu-*"]})

    def sees(person: Person) -> bool:
        return any(offer.profile == "general/pytorch" for offer in offers(catalogue, person, VIEWS))

    assert sees(carla())
    assert not sees(carla(at=NOW + 90 * 60))
    assert not sees(carla(event(slug="hackathon")))
    assert not sees(Person("carla", asks_epoch=NOW))
    with pytest.raises(ChoiceRefused) as refused:
        accept({"profile": "general/pytorch"}, catalogue, Person("carla", asks_epoch=NOW), VIEWS)
    assert str(refused.value) == ("Profile general/pytorch is for the events gpu-*; yours that are open now: none.")


def test_members_are_named_or_in_a_group(tmp_path: Path) -> None:
    keeper = EventKeeper(tmp_path / "events.json")
    keeper.replace((event(),))
    assert keeper.of("carla", ()) == keeper.of("ada", {"school", "x"}) == (event(),)
    assert keeper.of("ada", {"x"}) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"closes_epoch": NOW - 3600},
        {"opens_epoch": "1800000000"},
        {"slug": "GPU school"},
        {"reservation": "a b"},
        {"reservation": "x\n#SBATCH --uid=0"},
        {"allocation": "--uid=0"},
        {"profiles": []},
        {"profiles": ["pytorch"]},
        {"seats": 3},
        {"members": "carla"},
    ],
)
def test_what_is_no_event_is_refused(changes: Mapping[str, Any]) -> None:
    with pytest.raises(ValidationError):
        event(**changes)


def test_the_copy_on_disk_outlives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    EventKeeper(file).replace((event(), event(slug="other")))
    again = EventKeeper(file)
    assert again.events == (event(), event(slug="other"))
    assert again.problem == ""
    assert list(tmp_path.iterdir()) == [file]


def test_without_a_file_there_are_no_events(tmp_path: Path) -> None:
    keeper = EventKeeper(tmp_path / "events.json")
    assert (keeper.events, keeper.problem) == ((), "")


@pytest.mark.parametrize("text", ["", "{", "[{}]", json.dumps([{**SCHOOL, "opens_epoch": -1}]), "\x00"])
def test_a_broken_file_is_reported_and_not_fatal(text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "events.json"
    file.write_text(text)
    keeper = EventKeeper(file)
    assert keeper.events == ()
    assert str(file) in keeper.problem and keeper.problem in caplog.text
    assert file.read_text() == text
    keeper.replace((event(),))
    assert (keeper.problem, EventKeeper(file).events) == ("", (event(),))


def test_a_set_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    keeper = EventKeeper(file)
    keeper.replace((event(),))
    file.unlink()
    (file / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        keeper.replace((replaced := event(slug="other"),))
    assert replaced not in keeper.events and keeper.events == (event(),)
    assert [path.name for path in tmp_path.iterdir()] == ["events.json"]


def test_what_people_may_start_is_asked_at_one_moment() -> None:
    person = replace(carla(), asks_epoch=NOW + 90 * 60 - 1)
    assert accept(CHOICE, demo_catalogue(), person, VIEWS).minutes == 1


def test_a_person_reads_the_last_message_that_is_for_them(tmp_path: Path) -> None:
    def says(text: str, epoch: int, to: list[str] | None = None) -> dict[str, Any]:
        return {"epoch": epoch, "who": "teresa", "says": text, "to": to}

    keeper = EventKeeper(tmp_path / "events.json")
    school = event(members=["ada", "bruno"], messages=[says("Welcome", NOW - 9), says("For Blu", NOW - 8, ["ada"])])
    other = event(slug="other", members=["bruno"], messages=[says("Newer", NOW - 5)], closes_epoch=NOW + 60)
    keeper.replace((school, other))

    def read(user: str, groups: tuple[str, ...] = (), at: float = NOW) -> str | None:
        told = keeper.last_message(user, groups, at)
        return told[1].says if told else None

    assert [read("ada"), read("bruno"), read("dario")] == ["For Blu", "Newer", None]
    assert read("bruno", at=NOW + 60) == "Welcome", "of an event that is open"
    assert read("dario", ("school",)) == "Newer", "by a group"
