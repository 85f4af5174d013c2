"""Everything that the description of the console's API allows, asked by a program: no answer is a server's error."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hpchub.console.signin import BASE
from tests.support.thorough import THOROUGH
from tests.unit.data.console import NINE, Console

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.parametrize("who", ["carla", "ada", "admin", "script", ""])
def test_no_request_that_is_described_breaks_the_console(tmp_path: Path, who: str) -> None:
    headers = {"Authorization": f"token {who}"} if who else {}
    for number, operation in enumerate(operations(Console(tmp_path))):
        # of its own for each, because one of them closes the event
        console = opened(tmp_path / str(number))
        described = [each for each in operations(console) if each.label == operation.label]

        @settings(max_examples=200 if THOROUGH else 4, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=described[0].as_strategy())
        def asked(case: Any) -> None:
            if len(case.path_parameters.get("slug", "")) % 2:
                # nearly every name that a program thinks of is that of no event
                case.path_parameters["slug"] = "gpu-school"
            case.call_and_validate(checks=CHECKS, headers=headers)

        asked()
        console.verbs.store.dispose()


def opened(folder: Path) -> Console:
    """A console with an event that is open."""
    folder.mkdir()
    console = Console(folder)
    asyncio.run(console.create(people=["ada"]))
    console.now_epoch = NINE
    return console


def operations(console: Console) -> list[Any]:
    """All that the console describes."""
    description = schemathesis.openapi.from_asgi(f"{BASE}api/openapi.json", console.app)
    return [found.ok() for found in description.get_all_operations() if isinstance(found, Ok)]
