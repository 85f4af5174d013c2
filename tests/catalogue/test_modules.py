"""Software that a cluster has already: a session in modules, loaded by a real Lmod in the job."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.kernel import execute, start_kernel
from tests.support.site import Site
from tests.support.wait import until

LMOD = Path("/etc/profile.d/lmod.sh")
PROFILE = """\
title: {en: Modules, it: Moduli}
description: {en: "Software of the centre.", it: "Software del centro."}
environment: centre
default_size: small
runs_on: [{cluster: leonardo, partition: boost_usr_prod, gpu_type: a100, qos: [normal]}]
sizes: {small: {gpus: 1, cores: 8, memory_mb: 120000, default_minutes: 30, max_minutes: 60}}
"""
ENVIRONMENT = """\
title: {en: Modules, it: Moduli}
description: {en: "Software of the centre.", it: "Software del centro."}
python: "3.11"
contents: [JupyterLab]
kind: module
modules: {x86_64-demo: [tools/2, notebooks/1.0]}
"""
CHOICE: dict[str, Any] = {"profile": "general/modules", "allocation": "aifac_agri01"}


@pytest.fixture
def modules(site: Site) -> Iterator[Path]:
    """A folder of modules with the site's own build in them, and a profile for it; gone again afterwards."""
    folder = site.folder / "modules"
    build = current_build(site)
    for name, line in (("tools/2", 'setenv("TOOLS", "2")'), ("notebooks/1.0", f'prepend_path("PATH", "{build}/bin")')):
        path = folder / f"{name}.lua"
        path.parent.mkdir(parents=True)
        path.write_text(line + "\n")
    init = folder / "init.sh"
    init.write_text(f". {LMOD}\nmodule use {folder}\n")
    site_file, profiles = site.folder / "site" / "site.yaml", site.folder / "site" / "profiles"
    text = site_file.read_text()
    environment, profile = profiles / "environments" / "centre", profiles / "general" / "modules.yaml"
    environment.mkdir()
    (environment / "environment.yaml").write_text(ENVIRONMENT)
    profile.write_text(PROFILE)
    site_file.write_text(re.sub(r"^  leonardo:\n", f"  leonardo:\n    module_init: {init}\n", text, flags=re.MULTILINE))
    until(lambda: "general/modules" in in_service(site), "the profile to be in service")
    yield folder
    profile.unlink()
    (environment / "environment.yaml").unlink()
    environment.rmdir()
    site_file.write_text(text)
    until(lambda: "general/modules" not in in_service(site), "the profile to be gone")
    shutil.rmtree(folder)


def in_service(site: Site) -> list[str]:
    return list(site.api("GET", "/hpchub/catalogue").json["profiles"])


def current_build(site: Site) -> Path:
    """A build of the site, which stands for what a centre has installed."""
    return next((site.folder / "environments").glob("*/x86_64-demo/current")).resolve()


def test_a_session_runs_in_its_modules(site: Site, modules: Path) -> None:
    site.run("ada", CHOICE)
    token = site.token_of("ada")
    code = "import json, os, sys; print(json.dumps([sys.prefix, os.environ['TOOLS'], os.environ['LOADEDMODULES']]))"
    answer = execute(site, "ada", token, start_kernel(site, "ada", token), code)
    assert json.loads(answer) == [str(current_build(site)), "2", "tools/2:notebooks/1.0"]


def test_a_module_that_is_not_there_is_named(site: Site, modules: Path) -> None:
    (modules / "notebooks" / "1.0.lua").unlink()
    site.start("ada", CHOICE)  # its answer depends on which is quicker, the hub or the job's end
    session = until(lambda: ended(site), "the session to end")
    assert session["ending"] == "no-environment"
    assert "there is no tools/2 notebooks/1.0" in session["message"]


def ended(site: Site) -> dict[str, Any]:
    session = site.session("ada")
    return session if session.get("phase") == "ended" else {}
