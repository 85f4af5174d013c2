"""Refusals, reasons and notes in the reader's language: each made by the real functions, and then said in Italian."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from hpchub.catalogue.budget import Budget, left_in_words, spent_obstacle, warnings_of
from hpchub.catalogue.choice import accept, default_offer
from hpchub.catalogue.notes import budget_notes, notes_of
from hpchub.catalogue.offers import offers
from hpchub.catalogue.reasons import budget_lines, silence
from hpchub.catalogue.site import Budgets
from hpchub.environments.probe import judged
from hpchub.errors import ChoiceRefused, UserError
from hpchub.text import Counted, Joined, Number, Sentence, Speech, When, in_words, listed
from spawners.errors import Refused
from tests.unit.data.truth import NOON, SILENT, Row, ada, associated, event, held
from tests.unit.data.truth_access import ACCESS, PLACES
from tests.unit.data.truth_limits import LIMITS
from tests.unit.data.world import LEONARDO, VIEWS, demo_catalogue
from tests.unit.test_maintenance import notes, reserved, view

ITALIAN = Speech("it")
BUDGET = Budget("aifac_agri01", 40_000, 39_998.4, NOON, date(2027, 1, 7), 3_300, 3_300)
MOSTLY_USED = replace(BUDGET, used_core_hours=30_000, month_used_core_hours=0)
TODAY = date(2026, 11, 22)
NOBODY = replace(ada(), name="nobody")
REFUSED = {row.name: row for row in (*ACCESS, *PLACES, *LIMITS) if isinstance(row.expected, str)}
ENGLISH = re.compile(r"\b(the|is|are|of|on|not|yours?|allows?|at|most|for|with|which|jobs|left|and|more)\b")


def refusal(ask: Callable[[], object]) -> UserError:
    with pytest.raises(UserError) as refused:
        ask()
    return refused.value


def refused(row: Row) -> ChoiceRefused:
    return refusal(lambda: accept(row.asked, row.catalogue, row.person, row.views))  # type: ignore[return-value]


def asked(**choice: object) -> UserError:
    """The refusal of a choice of ada's, who is in an event that is open."""
    person = ada(events=(event(),))
    return refusal(lambda: accept(choice, demo_catalogue(), person, VIEWS))


# The values


def test_a_sentence_is_its_english_text() -> None:
    sentence = Sentence("Stop {name}", name="maps")
    assert sentence == "Stop maps"
    assert f"{sentence}!" == "Stop maps!"
    assert sentence.in_language(ITALIAN) == "Ferma maps"


def test_a_fact_is_said_in_the_same_language() -> None:
    sentence = Sentence("Stop {name}", name=listed(["maps", "course"], 1))
    assert sentence == "Stop maps and 1 more"
    assert in_words(sentence, ITALIAN) == "Ferma maps e 1 in più"
    assert ITALIAN.say("Stop {name}", name=listed([])) == "Ferma nessuno"
    assert ITALIAN.gettext("Stop {name}", name=Sentence("Stop {name}", name="<b>")) == "Ferma Ferma &lt;b&gt;"


def test_a_sentence_is_in_a_copy_what_it_was() -> None:
    sentence = Sentence("{n} MB of memory", n=Counted("{n} node", "{n} nodes", 2))
    assert in_words(deepcopy(sentence), ITALIAN) == "2 nodi MB di memoria"


def test_sentences_are_joined() -> None:
    joined = Joined(["maps", Counted("{n} node", "{n} nodes", 1)], Sentence(" or "))
    assert (joined, in_words(joined, ITALIAN)) == ("maps or 1 node", "maps o 1 nodo")


@pytest.mark.parametrize(("number", "english", "italian"), [(1, "1 node", "1 nodo"), (2, "2 nodes", "2 nodi")])
def test_a_number_decides_the_words(number: int, english: str, italian: str) -> None:
    counted = Counted("{n} node", "{n} nodes", number)
    assert (counted, in_words(counted, ITALIAN)) == (english, italian)


def test_a_number_is_written_as_the_language_does() -> None:
    assert (Number(40_000), in_words(Number(40_000), ITALIAN)) == ("40,000", "40.000")
    assert (Number(1.6, 1), in_words(Number(1.6, 1), ITALIAN)) == ("1.6", "1,6")


@pytest.mark.parametrize(
    ("moment", "plain", "english", "italian"),
    [
        (date(2026, 3, 1), "2026-03-01", "1 Mar 2026", "1 mar 2026"),
        (
            datetime(2026, 3, 1, 9, tzinfo=ZoneInfo("Europe/Rome")),
            "2026-03-01 09:00 +0100",
            "1 Mar 2026 09:00 (+01:00)",
            "1 mar 2026 09:00 (+01:00)",
        ),
    ],
)
def test_a_moment_is_written_as_its_language_does(moment: date, plain: str, english: str, italian: str) -> None:
    said = When(moment)
    assert (said, in_words(said, Speech("en")), in_words(said, ITALIAN)) == (plain, english, italian)


def test_what_is_no_sentence_stays_as_it_is() -> None:
    assert in_words("sbatch: {error}", ITALIAN) == "sbatch: {error}"
    assert in_words(UserError("Nothing {here}"), ITALIAN) == "Nothing {here}"


def test_a_refusal_of_jupyterhub_s_kind_is_said_in_any_language() -> None:
    refused = Refused(Sentence("Stop {name}", name="maps"), reason="choice")
    assert (refused.jupyterhub_message, in_words(refused, ITALIAN)) == ("Stop maps", "Ferma maps")


# The sentences


@pytest.mark.parametrize("row", REFUSED.values(), ids=REFUSED)
def test_no_refusal_of_the_truth_table_has_a_word_of_english_left(row: Row) -> None:
    assert not ENGLISH.search(in_words(refused(row), ITALIAN))


SAID: list[tuple[Callable[[], UserError | str], str]] = [
    (
        lambda: refused(REFUSED["profile of another sector"]),
        "Il profilo cybersecurity/log-analysis è per le allocazioni aifac_cyber*; le tue: aifac_agri01, aifac_clima01.",
    ),
    (
        lambda: refused(REFUSED["own allocation of another sector"]),
        "L'allocazione 'aifac_clima01' non è tra le tue per agrifood/remote-sensing su leonardo. "
        "Hai a disposizione: aifac_agri01.",
    ),
    (
        lambda: refused(REFUSED["member of no event"]),
        "Il profilo agrifood/remote-sensing è per gli eventi gpu-*; i tuoi aperti ora: nessuno.",
    ),
    (
        lambda: refused(REFUSED["node with too few GPUs"]),
        "Nessun nodo di boost_usr_prod su leonardo è abbastanza grande per la taglia 'large'. "
        "Possibili lì: small, medium.",
    ),
    (
        lambda: refused(REFUSED["QOS for large jobs"]),
        "La coda (QOS) 'normal' non si può usare con l'allocazione aifac_agri01 su leonardo: richiede almeno 65 nodi "
        "per job. Possibili: boost_qos_dbg.",
    ),
    (
        lambda: refused(REFUSED["QOS of the partition"]),
        "Non si può usare nessuna coda (QOS) di agrifood/remote-sensing su leonardo: normal ammette al massimo 4 core "
        "per job nella partizione boost_usr_prod; boost_qos_dbg ammette al massimo 4 core per job nella partizione "
        "boost_usr_prod.",
    ),
    (
        lambda: refused(REFUSED["as many sessions as the QOS lets wait"]),
        "La coda (QOS) 'normal' non si può usare con l'allocazione aifac_agri01 su leonardo: ammette al massimo 3 job "
        "alla volta (i tuoi, compresi quelli in attesa: thesis, maps, course e 1 in più). Possibili: boost_qos_dbg.",
    ),
    (
        lambda: refused(REFUSED["budget that is used up"]),
        "Il budget di aifac_agri01 su leonardo è esaurito: restano 0 core-ore su 100. Altre tue allocazioni lì, per "
        "altri profili: aifac_clima01.",
    ),
    (
        lambda: refused(REFUSED["too long"]),
        "721 minuti sono troppi per la taglia small di agrifood/remote-sensing su leonardo: al massimo 720 con la coda "
        "(QOS) normal.",
    ),
    (lambda: asked(profile=["x"]), "Il campo profile deve essere testo; trovato: un elenco."),
    (
        lambda: asked(profile="agrifood/remote-sensing", minutes=0),
        "Il campo minutes deve essere un numero intero, almeno 1; trovato: 0.",
    ),
    (
        lambda: asked(colour="red"),
        "'colour' non è un campo di una scelta. Possibili: profile, cluster, allocation, size, minutes, qos, event.",
    ),
    (
        lambda: asked(profile="agrifood/remote-sensing", event="course"),
        "L'evento 'course' non è tra i tuoi aperti ora. I tuoi: gpu-school.",
    ),
    (
        lambda: asked(profile="agrifood/remote-sensing", event="gpu-school", cluster="it4lia"),
        "L'evento gpu-school stabilisce il cluster: leonardo; hai chiesto 'it4lia'.",
    ),
    (
        lambda: asked(profile="agrifood/remote-sensing", event="gpu-school", minutes=120),
        "120 minuti sono troppi: l'evento gpu-school si chiude tra 60 minuti.",
    ),
    (
        lambda: refusal(lambda: default_offer(demo_catalogue(), NOBODY, VIEWS)),
        "Con il nome utente nobody non hai allocazioni su leonardo o it4lia, e per ogni avvio ne serve una che paghi.",
    ),
    (
        lambda: refusal(lambda: default_offer(demo_catalogue(), NOBODY, {"leonardo": LEONARDO})),
        "Slurm su it4lia non ha ancora risposto, quindi le tue allocazioni lì non sono note; riprova tra un minuto.",
    ),
    (
        lambda: refusal(
            lambda: judged({"problem": "", "head": "", "packages": []}, "/scratch/env", "x86_64-demo", "6.1.1")
        ),
        "/scratch/env/bin/python non è un programma che puoi eseguire.",
    ),
    (lambda: left_in_words(BUDGET), "restano 1,6 core-ore su 40.000, fino al 7 gen 2027"),
    (
        lambda: spent_obstacle(replace(BUDGET, end_date=date(2026, 11, 21)), "leonardo", TODAY) or "",
        "L'allocazione aifac_agri01 su leonardo è terminata il 21 nov 2026; restavano 1,6 core-ore su 40.000.",
    ),
    (
        lambda: warnings_of(BUDGET, "leonardo", Budgets(), TODAY)[0],
        "L'allocazione aifac_agri01 su leonardo è quasi esaurita: restano 1,6 core-ore su 40.000, fino al 7 gen 2027.",
    ),
    (
        lambda: warnings_of(BUDGET, "leonardo", Budgets(), TODAY)[1],
        "La quota di questo mese di aifac_agri01 su leonardo è esaurita (3.300 core-ore): fino alla fine del mese i "
        "suoi job partono più tardi.",
    ),
    (
        lambda: warnings_of(MOSTLY_USED, "leonardo", Budgets(low_percent=70), TODAY)[0],
        "L'allocazione aifac_agri01 su leonardo si sta esaurendo: restano 10.000 core-ore su 40.000, fino al "
        "7 gen 2027.",
    ),
    (
        lambda: notes(ada(), view(reserved(2, 4)))[0],
        "La manutenzione della partizione boost_usr_prod di leonardo comincia il 22 nov 2026 15:00 (+01:00) e finisce "
        "il 22 nov 2026 17:00 (+01:00): una sessione di più di 120 minuti ne aspetterà la fine.",
    ),
    (
        lambda: notes(ada(), view(reserved(-1, 2, flags=[])))[0],
        "La partizione boost_usr_prod di leonardo è riservata ad altri fino al 22 nov 2026 15:00 (+01:00): ciò che "
        "avvii ora aspetterà fino ad allora.",
    ),
    (
        lambda: notes(held(2), associated(running=2)["leonardo"])[0],
        "La coda (QOS) normal ammette al massimo 2 job in esecuzione alla volta con questa allocazione (i tuoi: "
        "thesis, maps): un altro aspetta che ne finisca uno (allocazione aifac_agri01).",
    ),
]


@pytest.mark.parametrize(("said", "italian"), SAID, ids=[italian[:60] for _, italian in SAID])
def test_what_an_italian_reads(said: Callable[[], UserError | str], italian: str) -> None:
    assert in_words(said(), ITALIAN) == italian


def test_a_silent_cluster_is_told_with_the_time() -> None:
    site = demo_catalogue().site.model_copy(update={"timezone": "Asia/Kolkata"})
    said = silence(site, SILENT)
    assert said is not None and silence(site, LEONARDO) is None
    since = datetime.fromtimestamp(SILENT.silent_since_epoch or 0, ZoneInfo("Asia/Kolkata"))
    assert in_words(said, ITALIAN).startswith(
        f"Slurm su leonardo non risponde dalle {since:%H:%M}, quindi ora lì non si può avviare nulla. "
    )


def test_what_is_left_is_told_with_its_age_and_for_how_long_it_is_enough() -> None:
    site = demo_catalogue().site.model_copy(update={"timezone": "Europe/Rome"})
    person = ada(budgets={"leonardo": {"aifac_agri01": replace(BUDGET, total_core_hours=88, used_core_hours=0)}})
    lines, _ = budget_lines(site, person, [("leonardo", "aifac_agri01")])
    assert [in_words(line, ITALIAN) for line in lines] == [
        "aifac_agri01 su leonardo: restano 88 core-ore su 88, fino al 7 gen 2027 (dato delle 13:00)"
    ]
    groups = [group for group in offers(demo_catalogue(), person, VIEWS).groups if group.run.cluster == "leonardo"]
    (note,) = budget_notes(person, groups[:1])
    assert in_words(note, ITALIAN).startswith(
        "Quanto resta di aifac_agri01 su leonardo basta per 660 minuti con la taglia small, "
    )
    assert notes_of(site, person, VIEWS, groups) == ()
