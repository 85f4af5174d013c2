"""What is asked and is no offer: HTTP 400 and a sentence with what is possible, by REST and by form alike."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.hub.unharmed import active_servers, jobs_of, nothing_starts
from tests.support.choices import ADA
from tests.support.form import FormSession
from tests.support.site import REPOSITORY, SYSTEM_PYTHON, Site

pytestmark = pytest.mark.usefixtures("small_servers")

PREPARATION = {"profile": "general/data-preparation", "allocation": "aifac_agri01", "minutes": 30}
"""The cheapest choice that differs from the default in every respect."""
HERS = (
    "Yours: agrifood/crop-models, agrifood/remote-sensing, climate/ai-forecasts, climate/weather-data, "
    "general/data-preparation, general/llm-inference, general/multi-gpu, general/pytorch, general/trustworthy-ai."
)
FIELDS = "Possible: profile, cluster, allocation, size, minutes, qos, event."
LONG = "x" * 100_000
HOSTILE = {
    "quotes": "\"'`",
    "a newline": "small\n#SBATCH --account=tra26_hack",
    "a command": "$(touch /tmp/owned); `id`",
    "unicode": "piccolo ✓ 小 \u202e",
    "NUL": "small\0",
    "a lone surrogate": "\ud800",
    "markup": "<script>alert(1)</script>",
    "a template": "{{ 7*7 }} %s {0}",
    "an option": "--uid=root",
    "a path": "../../etc/passwd",
}

# What differs from ADA, and the sentence; a form can express all of these.
TEXTS: list[Any] = [
    pytest.param({"profile": "agrifood/wine"}, f"Profile 'agrifood/wine' is not known. {HERS}", id="unknown profile"),
    pytest.param({"profile": ""}, f"Profile '' is not known. {HERS}", id="empty profile"),
    pytest.param(
        {"profile": "cybersecurity/log-analysis"},
        "Profile cybersecurity/log-analysis is for the allocations aifac_cyber*; yours: aifac_agri01, aifac_clima01.",
        id="profile of another sector",
    ),
    pytest.param(
        {"allocation": "aifac_cyber01"},
        "Allocation 'aifac_cyber01' is not one of yours for agrifood/remote-sensing on leonardo. Yours: aifac_agri01.",
        id="foreign allocation",
    ),
    pytest.param(
        {"allocation": "aifac_clima01"},
        "Allocation 'aifac_clima01' is not one of yours for agrifood/remote-sensing on leonardo. Yours: aifac_agri01.",
        id="own allocation of another sector",
    ),
    pytest.param(
        {"minutes": 721},
        "721 minutes are too many for size small of agrifood/remote-sensing on leonardo: at most 720 with QOS normal.",
        id="too much time",
    ),
    pytest.param(
        {"minutes": 31, "qos": "boost_qos_dbg"},
        "31 minutes are too many for size small of agrifood/remote-sensing on leonardo: "
        "at most 30 with QOS boost_qos_dbg.",
        id="too much time for the QOS",
    ),
    pytest.param(
        {"minutes": -5}, "The field minutes must be a whole number of at least 1; found {echo}.", id="negative time"
    ),
    pytest.param({"minutes": 0}, "The field minutes must be a whole number of at least 1; found 0.", id="no time"),
    pytest.param(
        {"cluster": "it4lia", "qos": "boost_qos_dbg"},
        "QOS 'boost_qos_dbg' is not one of agrifood/remote-sensing on it4lia. Possible: normal.",
        id="QOS of the other cluster",
    ),
    pytest.param(
        {"qos": "boost_qos_bprod"},
        "QOS 'boost_qos_bprod' is not one of agrifood/remote-sensing on leonardo. Possible: normal, boost_qos_dbg.",
        id="QOS not of the account",
    ),
    pytest.param(
        {"qos": "platinum"},
        "QOS 'platinum' is not one of agrifood/remote-sensing on leonardo. Possible: normal, boost_qos_dbg.",
        id="unknown QOS",
    ),
    pytest.param(
        {"size": "enormous"},
        "Size 'enormous' is not one of agrifood/remote-sensing. Possible: small, medium, large.",
        id="size not of the profile",
    ),
    pytest.param(
        {"cluster": "marconi"}, "Cluster 'marconi' is not known. Possible: leonardo, it4lia.", id="unknown cluster"
    ),
    pytest.param(
        {**PREPARATION, "cluster": "it4lia"},
        "Cluster 'it4lia' is not one for general/data-preparation. Possible: leonardo.",
        id="cluster without the profile",
    ),
]

# What only REST can say.
VALUES: list[Any] = [
    pytest.param({"event": "hack26"}, "Event 'hack26' is not one of yours that are open now. Yours: none.", id="event"),
    pytest.param({"gpus": 4}, f"'gpus' is not a field of a choice. {FIELDS}", id="unknown key"),
    pytest.param(
        {"batch_script": "#!"}, f"'batch_script' is not a field of a choice. {FIELDS}", id="a spawner's trait"
    ),
    pytest.param({"": 1}, f"'' is not a field of a choice. {FIELDS}", id="empty key"),
    *(
        pytest.param({field: value}, f"The field {field} must be {kind}; found {echo}.", id=f"{field} is {echo}")
        for field, kind in (
            ("profile", "text"),
            ("cluster", "text"),
            ("allocation", "text"),
            ("size", "text"),
            ("minutes", "a whole number of at least 1"),
            ("qos", "text or null"),
            ("event", "text or null"),
        )
        for value, echo in (
            (None, "null"),
            (True, "true"),
            (1.5, "1.5"),
            (["small"], "a list"),
            ({"name": "small"}, "an object"),
            (
                10**30 if field != "minutes" else "120",
                "a number of more than 20 digits" if field != "minutes" else "'120'",
            ),
        )
        if not (value is None and field in ("qos", "event"))
    ),
    pytest.param(
        {"minutes": 10**30},
        "a number of more than 20 digits minutes are too many for size small",
        id="more minutes than the universe has",
    ),
]


def said(sentence: str, changes: dict[str, Any], by_form: bool) -> str:
    """Complete a row's sentence: a form sends a negative number as text."""
    value = changes.get("minutes")
    return sentence.format(echo=repr(str(value)) if by_form else value) if "{echo}" in sentence else sentence


@pytest.fixture(scope="module")
def ada(started_site: Site) -> FormSession:
    return FormSession(started_site.url, "ada")


@pytest.mark.parametrize(("changes", "sentence"), TEXTS + VALUES)
def test_rest_refuses_what_is_no_offer(started_site: Site, changes: dict[str, Any], sentence: str) -> None:
    with nothing_starts(started_site, "ada"):
        answer = started_site.start("ada", {**ADA, **changes})
    assert answer.status == 400
    assert said(sentence, changes, by_form=False) in answer.message


@pytest.mark.parametrize(("changes", "sentence"), TEXTS)
def test_the_form_refuses_it_with_the_same_words(
    started_site: Site, ada: FormSession, changes: dict[str, Any], sentence: str
) -> None:
    with nothing_starts(started_site, "ada"):
        page = ada.choose({**ADA, **changes})
    assert page.status == 400
    assert page.alert == said(sentence, changes, by_form=True)
    assert 'name="start"' in page.source  # the page offers another choice


def test_the_page_refuses_in_the_reader_s_language_and_rest_in_its_own(started_site: Site) -> None:
    choice = {**ADA, "minutes": 721}
    ada = FormSession(started_site.url, "ada")
    ada.fetch("/hub/hpchub/language/it")
    with nothing_starts(started_site, "ada"):
        assert ada.choose(choice).alert == (
            "721 minuti sono troppi per la taglia small di agrifood/remote-sensing su leonardo: al massimo 720 con la "
            "coda (QOS) normal."
        )
        assert started_site.start("ada", choice).message.startswith("721 minutes are too many")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("field", ["profile", "cluster", "allocation", "size", "qos", "event"])
def test_rest_takes_no_hostile_text(started_site: Site, field: str, text: str) -> None:
    with nothing_starts(started_site, "ada"):
        answer = started_site.start("ada", {**ADA, field: text})
    assert answer.status == 400
    assert f"{field.capitalize() if field != 'qos' else 'QOS'} {text!r} is not" in answer.message


@pytest.mark.parametrize("field", ["profile", "cluster", "allocation", "size", "qos"])
def test_the_page_escapes_hostile_text(started_site: Site, ada: FormSession, field: str) -> None:
    markup = HOSTILE["markup"]
    with nothing_starts(started_site, "ada"):
        page = ada.choose({**ADA, field: markup})
    assert page.status == 400
    assert repr(markup) in page.alert
    assert markup not in page.source


@pytest.mark.parametrize("field", ["profile", "cluster", "allocation", "size", "qos", "event", LONG])
def test_a_text_of_100_kb_is_not_repeated(started_site: Site, field: str) -> None:
    with nothing_starts(started_site, "ada"):
        answer = started_site.start("ada", {**ADA, field: LONG})
    assert answer.status == 400
    assert f"{'x' * 80}'…" in answer.message
    assert len(answer.message) < 500


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param(b"[1]", "Body must be a JSON object", id="a list"),
        pytest.param(b'"small"', "Body must be a JSON object", id="a text"),
        pytest.param(b"7", "Body must be a JSON object", id="a number"),
        pytest.param(b'{"user_options": [1]}', "user_options must be an object or null", id="a list as options"),
        pytest.param(b'{"user_options": "small"}', "user_options must be an object or null", id="a text as options"),
        pytest.param(
            json.dumps({"user_options": ADA, "display_name": 7}).encode(),
            "display_name must be a string",
            id="a number as the name",
        ),
        pytest.param(
            json.dumps({"user_options": ADA, "minutes": 30}).encode(),
            "'minutes' means nothing beside user_options. Possible there: user_options, display_name; "
            "a choice belongs inside user_options.",
            id="a field beside the options",
        ),
        pytest.param(
            json.dumps({"display_name": "mine", **ADA}).encode(),
            "'allocation' means nothing beside display_name. Possible there: user_options, display_name; "
            "a choice belongs inside user_options.",
            id="a choice beside the name",
        ),
        pytest.param(b'{"size": "small"}', f"A choice must name a profile. {HERS}", id="no profile"),
    ],
)
def test_a_body_of_another_form_is_refused(started_site: Site, body: bytes, sentence: str) -> None:
    with nothing_starts(started_site, "ada"):
        answer = started_site.start("ada", body)
    assert (answer.status, answer.message) == (400, sentence)


def test_a_body_that_is_no_json_is_refused(started_site: Site) -> None:
    # JupyterHub itself answers here, and logs the parser's traceback.
    jobs = jobs_of(started_site, "ada")
    answer = started_site.start("ada", b"{profile: x}")
    assert (answer.status, answer.message) == (400, "Invalid JSON in body of request")
    assert jobs_of(started_site, "ada") <= jobs
    assert active_servers(started_site, "ada") == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        pytest.param({}, "Nothing was picked: choose one of the profiles, and press its button.", id="no button"),
        pytest.param(
            {"start": "1"}, "Nothing was picked: choose one of the profiles, and press its button.", id="no profile"
        ),
        pytest.param(
            {"start": "1", "profile": "agrifood/remote-sensing", "minutes": "two hours"},
            "The field minutes must be a whole number of at least 1; found 'two hours'.",
            id="words as minutes",
        ),
    ],
)
def test_a_form_that_was_not_filled_in_starts_nothing(
    started_site: Site, ada: FormSession, fields: dict[str, str], sentence: str
) -> None:
    with nothing_starts(started_site, "ada"):
        page = ada.post("/hub/spawn/ada", fields)
    assert (page.status, page.alert) == (400, sentence)


@pytest.fixture
def announced(site: Site) -> Iterator[Site]:
    """The site before its second cluster opens."""
    file = site.folder / "site" / "site.yaml"
    head, _, tail = file.read_text().partition("\n  it4lia:\n")
    file.write_text(f"{head}\n  it4lia:\n{tail.replace('state: open', 'state: announced', 1)}")
    # `up` would write the demo's own site file again.
    start = "from demo import hub; from demo.place import Place; hub.start(Place.from_environment())"
    environment = {**os.environ, "HPCHUB_DEMO_DIR": str(site.folder), "HPCHUB_DEMO_PORT": str(site.port)}
    subprocess.run([SYSTEM_PYTHON, "-B", "-c", start], cwd=REPOSITORY, env=environment, check=True, capture_output=True)
    yield site
    site.up()


def test_an_announced_cluster_is_named_as_such(announced: Site) -> None:
    with nothing_starts(announced, "ada"):
        answer = announced.start("ada", {**ADA, "cluster": "it4lia"})
    assert (answer.status, answer.message) == (400, "Cluster it4lia is announced and not open yet.")


NO_ALLOCATION = "You (admin) have no allocation on leonardo or it4lia, and every start needs one that pays."


@pytest.mark.parametrize("body", [None, {}, {"user_options": {}}], ids=["no body", "empty body", "empty options"])
def test_who_has_no_allocation_is_told_so(started_site: Site, body: Any) -> None:
    with nothing_starts(started_site, "admin"):
        answer = started_site.start("admin", body)
    assert (answer.status, answer.message) == (400, NO_ALLOCATION)


def test_the_page_says_so_too(started_site: Site) -> None:
    with nothing_starts(started_site, "admin"):
        page = FormSession(started_site.url, "admin").fetch("/hub/spawn")
    assert page.status == 200
    assert NO_ALLOCATION in page.source
