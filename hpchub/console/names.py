"""Names of people, groups and profiles in a plan, as its fields take them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

ProfileSlug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$", max_length=130)]
Name = Annotated[
    str, StringConstraints(pattern=r"^[^\s,\x00-\x1f\x7f](?:[^,\x00-\x1f\x7f]*[^\s,\x00-\x1f\x7f])?$", max_length=255)
]
"""Of a user or a group of the hub's."""
Names = Annotated[tuple[Name, ...], Field(max_length=2000), AfterValidator(lambda names: tuple(dict.fromkeys(names)))]
