"""The main job: from sign-in to a cell that ran on a GPU node, and back."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.faults import closed_nodes
from tests.support.site import PASSWORD, Site
from tests.support.visitor import WIDE, Visitor
from tests.support.wait import until

PRINT_THE_JOB = (
    "import os\n"
    "for name in ('SLURM_JOB_ACCOUNT', 'SLURM_JOB_PARTITION', 'CUDA_VISIBLE_DEVICES'):\n"
    "    print(name, '=', os.environ.get(name))"
)


def run_cell(page: Page, code: str) -> str:
    """Make a notebook from JupyterLab's launcher, run one cell in it; return what it printed."""
    page.goto(f"{page.url.partition('?')[0]}?reset")  # JupyterLab opens what was open last, instead of its launcher
    page.locator('.jp-LauncherCard[data-category="Notebook"]').first.click()
    panel = page.locator(".jp-NotebookPanel:visible")
    # A cell that is run before the kernel has said so is silently not run.
    expect(page.get_by_role("button", name="Python 3 (ipykernel) | Idle")).to_be_visible()
    panel.locator(".jp-Cell .cm-content").first.click()
    page.keyboard.insert_text(code)
    page.keyboard.press("Shift+Enter")
    output = panel.locator(".jp-OutputArea-output")
    expect(output).to_contain_text("=")
    return output.inner_text()


def test_a_cell_runs_on_a_gpu_node(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("ada")
    start = visitor.choose("agrifood/remote-sensing", cluster="leonardo", allocation="aifac_agri01", size="small")
    visitor.screenshot("spawn-page", image_of_readme="spawn-page.png")
    start.click()
    page.wait_for_url("**/hub/spawn-pending/ada**")
    expect(page.get_by_role("list", name="Steps").get_by_role("listitem")).to_contain_text(
        ["Submitted", "In the queue", "Starting", "Opening"]
    )
    visitor.screenshot("waiting-page")
    visitor.wait_for_lab()
    printed = run_cell(page, PRINT_THE_JOB)
    visitor.screenshot("notebook", [WIDE], image_of_readme="notebook.png")
    assert printed.split("\n")[:3] == [
        "SLURM_JOB_ACCOUNT = aifac_agri01",
        "SLURM_JOB_PARTITION = boost_usr_prod",
        "CUDA_VISIBLE_DEVICES = 0",
    ]
    session = site.session("ada")
    visitor.go("/hub/home")
    visitor.screenshot("sessions-page")
    page.get_by_role("button", name="Stop Notebook").click()
    expect(page.get_by_text("Not running")).to_be_visible()
    until(lambda: not site.live_jobs(), "the job to be gone")
    assert site.job(session)["JobState"] == "CANCELLED"
    visitor.go("/user/ada/lab")
    visitor.reason("The session was stopped.")
    visitor.screenshot("ended-page")


def test_a_wrong_password_is_refused_with_a_sentence(visitor: Visitor) -> None:
    visitor.go("/hub/login")
    visitor.screenshot("sign-in-page")
    visitor.type_password("ada", "not the password")
    expect(visitor.page.get_by_text("Invalid username or password")).to_be_visible()
    assert visitor.page.get_by_label("User name").input_value() == "ada"
    visitor.screenshot("sign-in-page-refused")
    visitor.type_password("ada", PASSWORD)
    expect(visitor.page.get_by_role("heading", name="Start a notebook")).to_be_visible()


@pytest.mark.parametrize(
    ("user", "sectors", "profiles"),
    [
        (
            "ada",
            ["Agri-food", "Climate and earth sciences", "General"],
            [
                *("agrifood/crop-models", "agrifood/remote-sensing", "climate/ai-forecasts", "climate/weather-data"),
                *("general/data-preparation", "general/llm-inference", "general/multi-gpu", "general/pytorch"),
                "general/trustworthy-ai",
            ],
        ),
        (
            "bruno",
            ["Cybersecurity", "General"],
            [
                *("cybersecurity/log-analysis", "cybersecurity/malware-analysis"),
                *("general/data-preparation", "general/llm-inference", "general/multi-gpu", "general/pytorch"),
                "general/trustworthy-ai",
            ],
        ),
    ],
)
def test_the_spawn_page_has_ones_own_sectors_and_no_others(
    visitor: Visitor, user: str, sectors: list[str], profiles: list[str]
) -> None:
    visitor.sign_in(user)
    visitor.go("/hub/spawn")
    assert visitor.profiles() == profiles
    assert visitor.page.locator("[data-live=cards] h3").all_inner_texts() == sectors


def test_the_last_choice_comes_first_and_starts_by_one_click(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("dario")
    visitor.press_start("manufacturing/predictive-maintenance", cluster="it4lia", size="medium", minutes="30")
    visitor.wait_for_lab()
    first = site.session("dario")
    site.stop_servers()
    visitor.go("/hub/spawn")
    assert visitor.headings()[0] == "Continue"
    last = page.locator("[data-live=again] li").first
    expect(last).to_contain_text("Predictive maintenance")
    expect(last).to_contain_text("2 × NVIDIA GB200 · 30 min · aifac_manif01 · IT4LIA AI system (demo)")
    visitor.screenshot("spawn-page-again")
    page.get_by_role("button", name="Start Predictive maintenance").click()
    visitor.wait_for_lab()
    again = site.session("dario")
    assert again["id"] != first["id"]
    asked = ("profile", "cluster", "partition", "account", "qos", "gpus", "cores", "memory_mb", "minutes")
    assert {field: again[field] for field in asked} == {field: first[field] for field in asked}
    assert (again["gpus"], again["minutes"]) == (2, 30)


def test_the_waiting_page_outlasts_a_restart_of_the_hub(site: Site, visitor: Visitor) -> None:
    visitor.sign_in("ada")
    with closed_nodes(site):
        visitor.press_start("agrifood/remote-sensing", cluster="leonardo")
        expect(visitor.page.locator("[aria-current=step]")).to_contain_text("In the queue")
        site.restart_hub()
    visitor.wait_for_lab()
