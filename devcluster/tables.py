"""Reading one TOML table strictly: every value has a type, no key is left over, and errors name the place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from devcluster.errors import DevclusterError

NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")
"""What user, account, QOS and partition names may look like: safe in slurm.conf, for sacctmgr and for useradd."""


class Table:
    """One table of a TOML file; values are taken out of it, and :meth:`done` refuses what remains."""

    def __init__(self, values: dict[str, Any], place: str) -> None:
        self._values = dict(values)
        self.place = place

    @classmethod
    def of_file(cls, path: Path) -> Table:
        """Read a TOML file.

        :raises DevclusterError: it cannot be read or is not TOML.
        """
        try:
            return cls(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
        except OSError as error:
            raise DevclusterError(f"{path} cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DevclusterError(f"{path} is not TOML: {error}") from error

    def _take(self, key: str, kind: type, default: Any, expected: str) -> Any:
        value = self._values.pop(key, default)
        if value is None:
            raise DevclusterError(f"{self.place}: '{key}' is missing; it must be {expected}")
        # bool is an int to Python, and never what a number of nodes should be.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise DevclusterError(f"{self.place}: '{key}' must be {expected}, not {value!r}")
        return value

    def flag(self, key: str) -> bool:
        """Take true or false; false where it is absent."""
        return bool(self._take(key, bool, False, "true or false"))

    def number(self, key: str, *, least: int, most: int, default: int | None = None) -> int:
        """Take a whole number within bounds."""
        value = int(self._take(key, int, default, f"a whole number from {least} to {most}"))
        if not least <= value <= most:
            raise DevclusterError(f"{self.place}: '{key}' must be from {least} to {most}, not {value}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """Take one line of text without quotes or colons (it goes to sacctmgr and to /etc/passwd)."""
        value = str(self._take(key, str, default, "a text"))
        if re.search(r"[\"':,=\\\x00-\x1f]", value):
            raise DevclusterError(f"{self.place}: '{key}' may not contain quotes, colons, commas, = or line breaks")
        return value

    def name(self, key: str, default: str | None = None) -> str:
        """Take a name (see :data:`NAME`)."""
        value = str(self._take(key, str, default, "a name"))
        if not NAME.fullmatch(value):
            raise DevclusterError(
                f"{self.place}: '{key}' must be a name of small letters, digits, _ and -, not {value!r}"
            )
        return value

    def names(self, key: str) -> tuple[str, ...]:
        """Take a list of names; empty where it is absent."""
        values = self._take(key, list, [], "a list of names")
        return tuple(Table({"name": value}, f"{self.place}, '{key}'").name("name") for value in values)

    def table(self, key: str) -> Table:
        """Take a table below this one."""
        return Table(self._take(key, dict, None, "a table"), f"{self.place}, [{key}]")

    def tables(self, key: str) -> list[Table]:
        """Take a list of tables, each of which is placed by its own name; empty where it is absent."""
        found = []
        for number, values in enumerate(self._take(key, list, [], "a list of tables"), start=1):
            if not isinstance(values, dict):
                raise DevclusterError(f"{self.place}: '{key}' must be a list of tables, not of {values!r}")
            found.append(Table(values, f"{self.place}, {key} {values.get('name', number)}"))
        return found

    def done(self) -> None:
        """Refuse the keys that nobody took.

        :raises DevclusterError: naming them.
        """
        if self._values:
            raise DevclusterError(f"{self.place}: nothing is known about {', '.join(map(repr, sorted(self._values)))}")
