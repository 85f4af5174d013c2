"""From the models to what people and editors read: JSON schemas, and the field reference of a catalogue.

Both are written by ``hpchub profiles schema`` and checked in; a test compares them with the models.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hpchub.catalogue.fields import WORDS
from hpchub.catalogue.model import Access, EnvironmentFile, ProfileFile, Run, Sector, SectorsFile, Size
from hpchub.catalogue.site import SiteFile

FILES: Mapping[str, type[BaseModel]] = {
    "profile": ProfileFile,
    "sectors": SectorsFile,
    "environment": EnvironmentFile,
    "site": SiteFile,
}
"""The model of each kind of file; its schema is ``<kind>.schema.json``."""
SECTIONS: Mapping[type[BaseModel], str] = {
    ProfileFile: "A profile",
    Run: "An entry of `runs_on`",
    Size: "A size",
    Access: "`access`",
    SectorsFile: "`sectors.yaml`",
    Sector: "A sector",
    EnvironmentFile: "`environment.yaml`",
}
"""The sections of the field reference."""
LANGUAGE = r"^[a-z]{2,3}(-[A-Z]{2})?$"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
MARK = "<!-- Written by `hpchub profiles schema` from the models; changes go into hpchub/catalogue/model.py. -->"
HEAD = f"""{MARK}
# The files of a catalogue

```text
site.yaml                              the place and its clusters, if the site file lies here
sectors.yaml                           the sectors, in the order of the page
<sector>/<profile>.yaml                one profile a file; its slug is <sector>/<profile>
environments/<name>/environment.yaml   one environment a folder,
environments/<name>/<target>.txt       with one lock a software target
```

Names of files and folders are of `a-z`, `0-9` and hyphens. Texts are by language: English (`en`) is compulsory, and
shown where another is missing. Numbers are never guessed from text. Memory is in MB as Slurm counts it (1 MB = 1 MiB),
time in minutes. `hpchub profiles lint` checks all files; a running hub takes a change up within 5 seconds.

An editor that reads `# yaml-language-server: $schema=../profile.schema.json` in the first line of a profile checks it
while it is written; `sectors.yaml`, `environment.yaml` and `site.yaml` have schemas too.
"""


def schema(model: type[BaseModel]) -> dict[str, Any]:
    """Give the JSON schema of a kind of file: as strict as the models, but blind to other files."""
    return {"$schema": DIALECT, **_cleaned(model.model_json_schema(by_alias=True))}


def write(folder: Path) -> Iterator[Path]:
    """Write the schemas and the field reference into the folder of a catalogue; gives the files.

    A README.md that was written by a person is left alone.
    """
    for kind, model in FILES.items():
        path = folder / f"{kind}.schema.json"
        path.write_text(json.dumps(schema(model), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        yield path
    readme = folder / "README.md"
    if not readme.exists() or readme.read_text(encoding="utf-8").startswith(MARK):
        readme.write_text(reference(), encoding="utf-8")
        yield readme


def reference() -> str:
    """Write the field reference in Markdown."""
    return "\n".join([HEAD, *(_section(model, heading) for model, heading in SECTIONS.items())])


def _section(model: type[BaseModel], heading: str) -> str:
    properties = schema(model)["properties"]
    rows = [
        f"| `{field.alias or name}` | {_in_words(properties[field.alias or name])} | {_default(field)} | "
        f"{_one_line(field.description or '')} |"
        for name, field in model.model_fields.items()
    ]
    table = ["| field | what it is | default | meaning |", "| --- | --- | --- | --- |", *rows]
    return "\n".join([f"## {heading}", "", _one_line(model.__doc__ or ""), "", *table, ""])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "compulsory"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | str) and value != "":
        return str(value)
    return "none"


def _in_words(node: Mapping[str, Any]) -> str:
    """Say what a value is, from its schema."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        heading = next((heading for model, heading in SECTIONS.items() if model.__name__ == name), None)
        return f"[{heading[0].lower()}{heading[1:]}](#{_anchor(heading)})" if heading else "a block"
    if "anyOf" in node:
        return " or ".join("null" if each.get("type") == "null" else _in_words(each) for each in node["anyOf"])
    if "enum" in node or "const" in node:
        return " or ".join(f"`{value}`" for value in node.get("enum", [node.get("const")]))
    match node.get("type"):
        case "array":
            return f"a list, each {_in_words(node['items'])}"
        case "object":
            (pattern, inner), *_ = node["patternProperties"].items()
            return "a text by language" if pattern == LANGUAGE else f"a block; under each name {_in_words(inner)}"
        case "integer":
            return f"a whole number from {node['minimum']}" if "minimum" in node else "a whole number"
        case "string":
            return WORDS.get(node.get("pattern", ""), "a path" if node.get("format") == "path" else "text")
    return str(node.get("type", "a value"))


def _anchor(heading: str) -> str:
    return "".join(c for c in heading.lower() if c.isalnum() or c in " -_").replace(" ", "-")


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def _cleaned(node: Any) -> Any:
    """Add what pydantic leaves open, and leave out the titles that it makes of names."""
    if isinstance(node, list):
        return [_cleaned(each) for each in node]
    if not isinstance(node, dict):
        return node
    cleaned = {key: _cleaned(value) for key, value in node.items() if key != "title" or not isinstance(value, str)}
    if isinstance(cleaned.get("description"), str):
        cleaned["description"] = _one_line(cleaned["description"])
    if "patternProperties" in cleaned:
        cleaned["additionalProperties"] = False
        if LANGUAGE in cleaned["patternProperties"]:
            cleaned["required"] = ["en"]
    return cleaned
