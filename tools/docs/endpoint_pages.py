"""Turns an OpenAPI document of the service into Markdown: one section a group of routes."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]
Operation = Mapping[str, Any]

# Groups in the order of the page; a route belongs to the first whose pattern matches its path.
_GROUPS = (
    ("Predictions", re.compile(r"/v1/.*:(predict|classify|regress)$")),
    ("Choosing what serves", re.compile(r".*(/policy|:rollback|/load|/unload)$")),
    ("Models and versions", re.compile(r"/v1/models")),
    ("Open Inference Protocol", re.compile(r"/v2")),
    ("Health, metrics and descriptions", re.compile(r"/")),
)
_UNSUPPORTED = "Not supported: "
_ALTERNATIVES = ("/versions/{version}", "/labels/{label}")


@dataclass
class _Section:
    """An operation, and all paths that have it.

    Attributes:
        method: GET, POST or PUT.
        operation: of the path without version or label where there is one.
        paths: with ``{model}``, ``{version}`` and ``{label}`` for their values.
        bodies: the content types of requests, of all models together.
    """

    method: str
    operation: Operation
    paths: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)

    def add(self, path: str, operation: Operation) -> None:
        """Add a path that has this operation too."""
        if path not in self.paths:
            self.paths.append(path)
        kinds = operation.get("requestBody", {}).get("content", {})
        self.bodies += [kind for kind in kinds if kind not in self.bodies]


def endpoints(document: Document) -> str:
    """Return Markdown that describes every operation of ``document``.

    Paths of models are shown once, with ``{model}`` for the name. Examples are the golden examples
    of the models that the document was made with.
    """
    sections = list(_sections(document))
    supported = [s for s in sections if not _summary(s).startswith(_UNSUPPORTED)]
    lines: list[str] = []
    for title, _ in _GROUPS:
        lines += [f"## {title}", ""]
        for section in supported:
            if _group(section.paths[0]) == title:
                lines += _describe(section, document)
    lines += _statuses(supported, document)
    lines += ["## Not supported", "", "| request | feature | status |", "|---|---|---|"]
    for section in sections:
        if section not in supported:
            path, feature = section.paths[0], _summary(section).removeprefix(_UNSUPPORTED)
            status = next(s for s in ("501", "405") if s in section.operation["responses"])
            lines.append(f"| `{section.method} {path}` | {feature} | {status} |")
    return "\n".join(lines) + "\n"


def _sections(document: Document) -> Iterator[_Section]:
    found: dict[tuple[str, str], _Section] = {}
    models = "|".join(re.escape(tag["name"]) for tag in document["tags"])
    for path in sorted(document["paths"], key=lambda path: _rank(path, document)):
        general = re.sub(rf"(/models/)(?:{models})(?=[/:]|$)", r"\1{model}", path)
        general = re.sub(r"(/versions/)\d+", r"\1{version}", general)
        general = re.sub(r"(/labels/)[^/:]+", r"\1{label}", general)
        plain = general.rstrip("/") or "/"
        for alternative in _ALTERNATIVES:
            plain = plain.replace(alternative, "")
        for method, operation in document["paths"][path].items():
            if method not in ("get", "put", "post"):
                continue
            section = found.setdefault((plain, method), _Section(method.upper(), operation))
            section.add(general, operation)
    return iter(found.values())


def _rank(path: str, document: Document) -> tuple[int, bool, int, str]:
    """Return a sort key: the first path of a section names it, and has its examples."""
    content = document["paths"][path].get("post", {}).get("requestBody", {}).get("content", {})
    example = _example("", content, document)
    # A short path, :predict before the rarer verbs, and a short example: no picture in base64.
    return path.count("/"), not path.endswith(":predict"), len("".join(example)), path


def _group(path: str) -> str:
    return next(title for title, pattern in _GROUPS if pattern.match(path))


def _summary(section: _Section) -> str:
    summary: str = section.operation["summary"]
    # "Predict: Fuel consumption of cars" names the model; the page is about all of them.
    return summary if summary.startswith(_UNSUPPORTED) else summary.partition(":")[0]


def _describe(section: _Section, document: Document) -> list[str]:
    operation = section.operation
    lines = [f"### `{section.method} {section.paths[0]}`", "", f"{_summary(section)}.", ""]
    if len(section.paths) > 1:
        also = ", ".join(f"`{path}`" for path in section.paths[1:])
        lines += [f"Also: {also}.", ""]
    if operation.get("security"):
        lines += ["Needs the admin token (`Authorization: Bearer ...`).", ""]
    for parameter in operation.get("parameters", []):
        place = parameter["in"]
        lines += [f"`{parameter['name']}` ({place}): {parameter.get('description', '')}".rstrip(": ")]
        lines += [""]
    content = operation.get("requestBody", {}).get("content", {})
    if content:
        lines += ["Request body: " + ", ".join(f"`{kind}`" for kind in section.bodies) + ".", ""]
        lines += _example("Request", content, document)
        answer = operation["responses"].get("200", {}).get("content", {})
        lines += _example("Response", answer, document)
    statuses = ", ".join(sorted(operation["responses"]))
    lines += [f"Status: {statuses}.", ""]
    return lines


def _example(title: str, content: Mapping[str, Any], document: Document) -> list[str]:
    examples = content.get("application/json", {}).get("examples", {})
    for example in examples.values():
        value = json.dumps(_resolve(example, document)["value"], indent=2, ensure_ascii=False)
        return [f"{title}:", "", "```json", value, "```", ""]
    return []


def _statuses(sections: Iterable[_Section], document: Document) -> list[str]:
    """Return a table of all statuses and what they mean."""
    found = {"200": "The request was answered."}
    for section in sections:
        for status, response in section.operation["responses"].items():
            found.setdefault(status, _resolve(response, document).get("description", ""))
    rows = [f"| {status} | {meaning} |" for status, meaning in sorted(found.items())]
    return ["## Statuses", "", "| status | meaning |", "|---|---|", *rows, ""]


def _resolve(item: Mapping[str, Any], document: Document) -> Mapping[str, Any]:
    """Follow a reference within ``document``."""
    while "$ref" in item:
        found: Any = document
        for key in item["$ref"].removeprefix("#/").split("/"):
            found = found[key.replace("~1", "/").replace("~0", "~")]
        item = found
    return item
