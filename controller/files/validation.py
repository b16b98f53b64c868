"""From a file's values to a model, or to every problem with its line and what is accepted."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from controller.errors import Problem
from controller.files.reading import Source, Way

M = TypeVar("M", bound=BaseModel)

_OURS = {
    "timezone_aware": "has no time zone; write it too: 2026-07-01T08:00+02:00",
    "bool_type": "true or false is needed",
    "string_type": "text is needed; put it in quotes",
    "float_type": "a number is needed",
    "int_type": "a whole number is needed",
    "tuple_type": "a list is needed",
    "dict_type": "keys and values are needed",
    "model_type": "keys and values are needed",
    "finite_number": "a finite number is needed",
}
"""Our words for pydantic's."""


def validated(model: type[M], source: Source, at: Way = ()) -> tuple[M | None, list[Problem]]:
    """Return the *model* of what stands at *at* in *source*, or None and all problems."""
    data = source.data
    for step in at:
        data = data[step]
    if not isinstance(data, dict):
        message = "must hold keys and values (`name: …`), one per line"
        return None, [source.problem(at, message, value=data)]
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, problems_at(error.errors(), model, source, at)


def problems_at(
    faults: Iterable[Any], model: type[BaseModel], source: Source, at: Way = ()
) -> list[Problem]:
    """Return what pydantic's *faults* say, each at its place in *source* below *at*."""
    data = source.data
    for step in at:
        data = data[step]
    return [_problem(fault, model, source, at, data) for fault in faults]


def _problem(
    fault: Mapping[str, Any], model: type[BaseModel], source: Source, at: Way, data: Any
) -> Problem:
    way, here = _followed(data, fault["loc"])
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        allowed = allowed_keys(model, fault["loc"][:-1])
        return source.problem((*at, *way), "is not known here", suggestion(str(way[-1]), allowed))
    if kind == "missing":
        return source.problem((*at, *way, fault["loc"][-1]), "is missing; add it")
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        tag = str(context.get("discriminator", "")).strip("'")
        accepted = str(context.get("expected_tags", "")) or _tags(model, fault["loc"])
        value = here.get(tag) if isinstance(here, dict) else here
        message = "is missing; add it" if value is None else "is not known"
        return source.problem((*at, *way, tag), message, accepted, value)
    message = _OURS.get(kind) or str(fault["msg"]).removeprefix("Value error, ")
    accepted = str(context["expected"]) if "expected" in context else ""
    value = None if isinstance(here, (dict, list)) else here
    return source.problem((*at, *way), "is not accepted" if accepted else message, accepted, value)


def _followed(data: Any, location: Sequence[str | int]) -> tuple[Way, Any]:
    """Return the way of *location* through *data* (pydantic's own words left out), and its end."""
    way: list[str | int] = []
    here = data
    told: list[int] = []
    for step in location:
        if isinstance(here, dict) and here.get("kind") == step and id(here) not in told:
            told.append(id(here))  # which of several models it is: no key, though one may be alike
            continue
        inside_map = isinstance(here, dict) and step in here
        inside_list = isinstance(here, list) and isinstance(step, int) and step < len(here)
        if inside_map or inside_list:
            way.append(step)
            here = here[step]
    return tuple(way), here


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return what could have been meant by *name*, or all there is."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}? ({', '.join(names)})"
    return ", ".join(names) or "nothing"


def allowed_keys(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Return the keys that *model* takes at *location* (as pydantic gives it)."""
    node = _schema_at(model, location)
    return sorted(node.get("properties", {}))


def _tags(model: type[BaseModel], location: Sequence[str | int]) -> str:
    node = _schema_at(model, location)
    return ", ".join(repr(tag) for tag in node.get("discriminator", {}).get("mapping", {}))


def _schema_at(model: type[BaseModel], location: Sequence[str | int]) -> dict[str, Any]:
    schema = model.model_json_schema()
    definitions: dict[str, dict[str, Any]] = schema.get("$defs", {})
    node = _plain(schema, definitions)
    for step in location:
        node = _plain(_step(node, step), definitions)
    return node


def _step(node: dict[str, Any], step: str | int) -> dict[str, Any]:
    tags = node.get("discriminator", {}).get("mapping", {})
    if step in tags:
        return {"$ref": tags[step]}
    if step in node.get("properties", {}):
        return dict(node["properties"][step])
    entries = [node.get("additionalProperties"), *node.get("patternProperties", {}).values()]
    inside = node.get("items") if isinstance(step, int) else next(filter(None, entries), None)
    return inside if isinstance(inside, dict) else node


def _plain(node: dict[str, Any], definitions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return *node* with references followed and ``or nothing`` left away."""
    if "$ref" in node:
        return _plain(definitions.get(node["$ref"].rsplit("/", 1)[-1], {}), definitions)
    options = [o for o in node.get("anyOf", node.get("oneOf", [])) if o.get("type") != "null"]
    if len(options) > 1 and "discriminator" not in node:  # only one of them can have keys
        options = [option for option in options if "$ref" in option or "properties" in option]
    return _plain(options[0], definitions) if len(options) == 1 else node
