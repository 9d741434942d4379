"""The OpenAPI document, made from the routes and from the contracts that serve."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from werkzeug.routing import Rule

from service.api.codecs.tfserving.classify_responses import (
    classification_results,
    regression_results,
)
from service.api.openapi import response_headers, shared_parts
from service.api.openapi.documented_access import DocumentedAccess
from service.api.openapi.field_schemas import Schema, tensor_schema
from service.api.openapi.operations import DocumentedTarget, Operation, describe_operation
from service.api.openapi.shared_parts import ref
from service.api.openapi.signature_schemas import (
    CLASSES,
    VALUE,
    Bodies,
    examples_bodies,
    predict_bodies,
)
from service.api.request_limits import Limits
from service.api.validation.schemas import TensorField, signature_schema
from service.runtime.lifecycle import Lifecycle
from service.runtime.servable import Servable

_INFO = (
    "Predictions of the models that serve now, by TensorFlow Serving's REST API and by the Open "
    "Inference Protocol. This document is made of the routes and of the models' contracts; it "
    "changes when other versions serve."
)


class Documents:
    """The document, which is made again when other versions serve."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        rules: Callable[[], list[Rule]],
        limits: Limits,
        *,
        version: str,
        access: DocumentedAccess | None = None,
    ) -> None:
        """A document that is made when it is first read.

        Args:
            lifecycle: knows the models.
            rules: returns the application's routes.
            limits: of requests.
            version: of this software.
            access: what is checked of requests; unset, nothing.
        """
        self._access = access or DocumentedAccess()
        self._lifecycle = lifecycle
        self._rules = rules
        self._version = version
        self._max_rows = limits.max_rows
        self._lock = threading.Lock()
        self._made_of: list[Any] = []
        self._document: dict[str, Any] = {}

    def document(self) -> dict[str, Any]:
        """Return the document, as JSON."""
        with self._lock:
            found = self._serving()
            # By identity: a version's number may come back with other files.
            made_of = [
                item
                for model, (labels, servables) in found.items()
                for item in (model, labels, *(s.contract for s in servables.values()))
            ]
            same = len(made_of) == len(self._made_of) and all(
                a is b or (not isinstance(a, Mapping) and a == b)
                for a, b in zip(made_of, self._made_of, strict=True)
            )
            if not same:
                self._document = self._make(found)
                self._made_of = made_of
            return self._document

    def _serving(self) -> dict[str, tuple[tuple[tuple[str, int], ...], dict[int, Servable]]]:
        """Return the labels and the servables of each model."""
        found = {}
        for model in self._lifecycle.models():
            servables = {}
            for version in self._lifecycle.serving_versions(model):
                with self._lifecycle.lease(model, version) as servable:
                    servables[version] = servable
            labels = tuple(sorted(self._lifecycle.labels(model).items()))
            found[model] = (tuple(item for item in labels if item[1] in servables), servables)
        return found

    def _make(self, found: Mapping[str, Any]) -> dict[str, Any]:
        plugin = MarshmallowPlugin()
        spec = APISpec(
            title="Understudy",
            version=self._version,
            openapi_version="3.1.0",
            info={"description": _INFO},
            plugins=[plugin],
        )
        assert plugin.converter is not None
        plugin.converter.add_attribute_function(_tensor_field)  # type: ignore[no-untyped-call]
        spec.components.security_scheme("admin", {"type": "http", "scheme": "bearer"})
        for name, scheme in self._access.schemes.items():
            spec.components.security_scheme(name, scheme)
        for name, response in self._access.components.items():
            spec.components.response(name, response)
        for name, schema in shared_parts.SCHEMAS.items():
            spec.components.schema(name, schema=schema)
        for name, header in response_headers.COMPONENTS.items():
            spec.components.header(name, header)
        for status in shared_parts.ERROR_STATUSES:
            spec.components.response(f"Error{status}", shared_parts.error_component(status))
        taken: set[str] = set(shared_parts.SCHEMAS)
        targets: dict[str, dict[str, DocumentedTarget]] = {}
        for model, (labels, servables) in found.items():
            by_version = {
                version: DocumentedTarget(
                    model,
                    servable.card.title if servable.card else model,
                    servable,
                    self._bodies(spec, servable, taken),
                )
                for version, servable in servables.items()
            }
            latest = (
                by_version[max(by_version)]
                if by_version
                else DocumentedTarget(model, model, None, {})
            )
            targets[model] = {
                "": latest,
                **{f"/versions/{version}": target for version, target in by_version.items()},
                **{f"/labels/{quote(label, safe='')}": by_version[v] for label, v in labels},
            }
            spec.tag({"name": model, "description": latest.title})
        ids: set[str] = set()
        for path, operations in self._paths(targets):
            for method, operation in operations.items():
                name = f"{method}{path.replace('/', '_').replace(':', '_')}"
                operation["operationId"] = shared_parts.component_name(name, ids)
            spec.path(path, operations=operations)
        return spec.to_dict()

    def _bodies(self, spec: APISpec, servable: Servable, taken: set[str]) -> dict[str, Bodies]:
        """Describe what each verb takes and gives, as components; return references to them."""
        found: dict[str, list[Bodies]] = {"predict": [], "classify": [], "regress": []}
        first = servable.card is not None and servable.card.task == "regression"
        for signature in servable.contract.values():
            stem = f"{servable.model}.{servable.version}.{signature.name}"
            name = shared_parts.component_name(f"{stem}.columns", taken)
            spec.components.schema(name, schema=signature_schema(signature, limit=1))
            columns, most = ref("schemas", name), self._max_rows
            golden = servable.golden
            found["predict"].append(predict_bodies(signature, golden, columns, max_rows=most))
            if classification_results(signature):
                bodies = examples_bodies(signature, golden, CLASSES, max_rows=most)
                found["classify"].append(bodies)
            if regression_results(signature, first=first):
                bodies = examples_bodies(signature, golden, VALUE, max_rows=most)
                found["regress"].append(bodies)
        return {
            verb: self._together(spec, f"{servable.model}.{servable.version}.{verb}", all_, taken)
            for verb, all_ in found.items()
            if all_
        }

    def _together(self, spec: APISpec, stem: str, found: list[Bodies], taken: set[str]) -> Bodies:
        request = shared_parts.component_name(f"{stem}.request", taken)
        answer = shared_parts.component_name(f"{stem}.answer", taken)
        spec.components.schema(request, {"anyOf": [bodies.request for bodies in found]})
        spec.components.schema(answer, {"anyOf": [bodies.answer for bodies in found]})
        examples = {}
        for bodies in found:
            for title, (sent, received) in bodies.examples.items():
                name = shared_parts.component_name(f"{stem}.{title}", taken)
                spec.components.example(f"{name}.request", {"summary": title, "value": sent})
                pair = [ref("examples", f"{name}.request"), None]
                if received is not None:
                    spec.components.example(f"{name}.answer", {"summary": title, "value": received})
                    pair[1] = ref("examples", f"{name}.answer")
                examples[name] = (pair[0], pair[1])
        return Bodies(ref("schemas", request), ref("schemas", answer), examples)

    def _paths(
        self, targets: Mapping[str, Mapping[str, DocumentedTarget]]
    ) -> Iterator[tuple[str, dict[str, Operation]]]:
        for rule in sorted(self._rules(), key=lambda rule: (rule.rule, rule.endpoint)):
            methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
            if "<model:model>" not in rule.rule:
                whole = re.sub("<path:([a-z]+)>", r"{\1}", rule.rule)
                if "<" not in whole:
                    yield whole, {m.lower(): self._describe(rule, m, None) for m in methods}
                continue
            for model, by_suffix in targets.items():
                for suffix, target in by_suffix.items():
                    path = _path(rule.rule, model, suffix)
                    if path is None:
                        continue
                    operations = {m.lower(): self._describe(rule, m, target) for m in methods}
                    operations = {m: o for m, o in operations.items() if o}
                    if operations:
                        yield path, operations

    def _describe(self, rule: Rule, method: str, target: DocumentedTarget | None) -> Operation:
        operation = describe_operation(rule, method, target)
        return self._access.add_to(operation, rule.endpoint) if operation else operation


def _path(rule: str, model: str, suffix: str) -> str | None:
    """Return the path of a rule for a model and version or label; ``None`` if it has none."""
    path = rule.replace("<model:model>", quote(model, safe=""))
    kind, _, value = suffix.lstrip("/").partition("/")
    for name, variable in (("versions", "<version:version>"), ("labels", "<model:label>")):
        if (variable in path) != (kind == name):
            return None
        path = path.replace(variable, value)
    return None if "<" in path else path


def _tensor_field(self: Any, field: Any, **_: Any) -> Schema:
    return tensor_schema(field.spec) if isinstance(field, TensorField) else {}
