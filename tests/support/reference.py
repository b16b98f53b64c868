"""The reference pages, written from the code itself: ``python -m tests.support.reference``."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from typer.main import get_command

from agents.catalogue import OPTIONS
from controller.cli import app
from controller.console.app import description
from controller.reducers import REDUCERS
from controller.schemas import Kind, schema
from instruments.catalogue import PLANS

DOCS = Path(__file__).parents[2] / "docs" / "reference"
OPENING = "<!-- Written by `python -m tests.support.reference`; edit the code instead. -->\n"
Schema = Mapping[str, Any]


def pages() -> dict[str, str]:
    """Return every reference page by its file name."""
    files = {f"{kind}-file.md": _file_page(kind) for kind in get_args(Kind)}
    api = json.dumps(description(), indent=1, ensure_ascii=False) + "\n"
    return {"commands.md": _commands(), **files, "names.md": _names(), "openapi.json": api}


def write() -> None:
    """Write every page."""
    DOCS.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")


def _page(title: str, lines: Iterator[str]) -> str:
    return "\n".join([OPENING, f"# {title}", "", *lines, ""])


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_cell(text) for text in row)} |"
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _commands() -> str:
    def lines() -> Iterator[str]:
        yield "Exit codes: 0 done; 1 a failure (a broken journal, a replay that differs, a campaign"
        yield "that ended ill); 2 bad input; 130 interrupted. With `--json`, stdout holds JSON and"
        yield "nothing else; progress and messages go to stderr."
        yield ""
        yield from _each("heliostat", get_command(app))

    return _page("Commands", lines())


def _each(path: str, group: Any) -> Iterator[str]:
    for name, command in group.commands.items():
        yield f"## {path} {name}"
        yield ""
        yield _help(command.help)
        yield ""
        rows = [_option(parameter) for parameter in command.params if parameter.name != "help"]
        if rows and not hasattr(command, "commands"):
            yield from _table(("argument", "what it does"), rows)
        if hasattr(command, "commands"):
            yield from _each(f"{path} {name}", command)


def _help(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _option(parameter: Any) -> tuple[str, str]:
    if parameter.param_type_name == "argument":
        name = (parameter.metavar or parameter.name or "").upper()
        return f"`{name}`" + ("" if parameter.required else " (optional)"), parameter.help or ""
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    return names + (" (required)" if parameter.required else ""), parameter.help or ""


def _file_page(kind: Kind) -> str:
    whole = schema(kind)

    def lines() -> Iterator[str]:
        yield _help(whole.get("description", ""))
        yield ""
        yield f"For editors: `heliostat schema {kind}` prints its JSON Schema."
        yield ""
        yield from _keys(whole)
        for name, part in sorted(whole.get("$defs", {}).items()):
            if name == "JsonValue":
                continue
            yield f"## {name}"
            yield ""
            yield _help(part.get("description", ""))
            yield ""
            if "enum" in part:
                yield "One of " + ", ".join(f"`{value}`" for value in part["enum"]) + "."
                yield ""
            yield from _keys(part)

    return _page(f"{kind.capitalize()} file", lines())


def _keys(part: Schema) -> Iterator[str]:
    required = set(part.get("required", ()))
    rows = [
        (f"`{key}`", _kind(value), _default(key, value, required), value.get("description", ""))
        for key, value in part.get("properties", {}).items()
    ]
    if rows:
        yield from _table(("key", "holds", "default", "meaning"), rows)


def _default(key: str, value: Schema, required: set[str]) -> str:
    if key in required:
        return "required"
    default = value.get("default")
    if default in (None, "", [], {}) or isinstance(default, dict):
        return ""
    return f"`{default}`"


def _kind(value: Schema) -> str:
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return "any value" if name == "JsonValue" else f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf"):
        if key in value:
            kinds = [_kind(one) for one in value[key] if one.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return " or ".join(f"`{one}`" for one in value["enum"])
    if value.get("type") == "array":
        return f"list of {_kind(value['items'])}" if "items" in value else "list"
    if value.get("type") == "object":
        named = [value.get("additionalProperties"), *value.get("patternProperties", {}).values()]
        inner = next((one for one in named if isinstance(one, dict)), None)
        return f"mapping to {_kind(inner)}" if isinstance(inner, dict) and inner else "mapping"
    words = {"string": "text", "number": "number", "integer": "whole number", "boolean": "yes/no"}
    return words.get(value.get("type", ""), "any value")


def _names() -> str:
    def lines() -> Iterator[str]:
        yield "What a campaign file can call by its name."
        yield ""
        yield "## Agents"
        yield ""
        for name, model in OPTIONS.items():
            yield from _model(name, model)
        yield "## Reducers"
        yield ""
        for name, model in REDUCERS.items():
            yield from _model(name, model)
        yield "## Plans"
        yield ""
        for name, spec in PLANS.items():
            yield f"### {name}"
            yield ""
            effect = spec.effect.value.replace("_", " ")
            yield f"{_help(spec.arguments.__doc__ or '')} Station `{spec.station}`; {effect}."
            yield ""
            units = spec.arguments.units()
            rows = [
                (f"`{key}`", units.get(key, ""), _given(field))
                for key, field in spec.arguments.model_fields.items()
            ]
            if rows:
                yield from _table(("argument", "unit", "default"), rows)

    return _page("Agents, reducers and plans", lines())


def _model(name: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    yield _help(model.__doc__ or "")
    yield ""
    rows = [
        (f"`{key}`", _given(field), field.description or "")
        for key, field in model.model_fields.items()
    ]
    if rows:
        yield from _table(("option", "default", "meaning"), rows)


def _given(field: Any) -> str:
    if field.is_required():
        return "required"
    return "" if field.default in (None, "") else f"`{field.default}`"


if __name__ == "__main__":
    write()
