"""A prediction request as code that a person can copy, in four languages of clients."""

import json
import shlex
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from service.repository.contract import DEFAULT_SIGNATURE, Field, Signature

# Longer bodies go into a file of their own: characters.
_LONG = 1500
_DATATYPES = {"bfloat16": "BF16", "bool": "BOOL", "string": "BYTES"}
# JavaScript's JSON rounds what is larger than 2**53.
_ROUNDED = ("int64", "uint64")
_NUMPY_TYPES = {"bfloat16": "float32", "bool": "bool_", "string": "object_"}
# For values from a file, which hold bytes somewhere within their lists.
_DECODED = (
    "def decoded(value):",
    "    if isinstance(value, list):",
    "        return [decoded(each) for each in value]",
    '    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value',
    "",
    "",
)


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """A request of one row.

    Attributes:
        origin: scheme and host of the service, as the client sees them.
        model: the model's name.
        version: the version that the path names; ``None`` for the one that is live.
        signature: what is called.
        row: inputs by name, as JSON values.
        needs_key: whether the service asks for an API key.
        is_whole: whether the answer has other rows than the input, though that comes in rows: then
            it is sent as columns, of one row each.
    """

    origin: str
    model: str
    version: int | None
    signature: Signature
    row: dict[str, Any]
    needs_key: bool
    is_whole: bool = False

    @property
    def inputs(self) -> dict[str, Any]:
        """The columns, where the request has columns."""
        return {name: [each] for name, each in self.row.items()} if self.is_whole else self.row

    @property
    def is_by_rows(self) -> bool:
        """Whether it is a request by rows (``instances``), not by columns."""
        return self.signature.has_rows and not self.is_whole

    @property
    def url(self) -> str:
        """The address of the prediction."""
        version = "" if self.version is None else f"/versions/{self.version}"
        return f"{self.origin}/v1/models/{quote(self.model, safe='')}{version}:predict"

    @property
    def body(self) -> dict[str, Any]:
        """The body, as TensorFlow Serving's clients send it."""
        name = self.signature.name
        named = {} if name == DEFAULT_SIGNATURE else {"signature_name": name}
        rows = {"instances": [self.row]} if self.is_by_rows else {"inputs": self.inputs}
        return named | rows

    @property
    def text(self) -> str:
        """The body as JSON."""
        return _json(self.body)

    @property
    def is_long(self) -> bool:
        """Whether the body is read from the file ``request.json``."""
        return len(self.text) > _LONG


def code_samples(asked: CodeRequest) -> list[dict[str, str]]:
    """Return a request as code, for each way to send it its ``title`` and its ``code``.

    A key stands in the environment variable API_KEY.
    """
    makers = {
        "curl": _curl,
        "Python": _python,
        "JavaScript": _javascript,
        "tritonclient": _tritonclient,
    }
    return [{"title": title, "code": make(asked)} for title, make in makers.items()]


def _curl(asked: CodeRequest) -> str:
    inputs = asked.signature.inputs
    key = '-H "X-API-Key: $API_KEY" ' if asked.needs_key else ""
    kinds = [kind for each in inputs for kind in each.content_types if kind.startswith("image/")]
    if len(inputs) == 1 and kinds and not asked.is_whole:
        kind = shlex.quote(f"Content-Type: {kinds[0]}")
        sent, url = f"-H {kind} --data-binary @picture.png", asked.url
        if asked.signature.name != DEFAULT_SIGNATURE:
            # Another signature may take pictures as well.
            url += f"?signature_name={quote(asked.signature.name, safe='')}"
    else:
        sent = f"-d {'@request.json' if asked.is_long else shlex.quote(asked.text)}"
        url = asked.url
    return f"curl {key}{sent} \\\n  {shlex.quote(url)}"


def _python(asked: CodeRequest) -> str:
    headers = '"Content-Type": "application/json"'
    if asked.needs_key:
        headers += ', "X-API-Key": os.environ["API_KEY"]'
    body = f"body = json.dumps({asked.body!r}).encode()"
    if asked.is_long:
        body = 'with open("request.json", "rb") as file:\n    body = file.read()'
    modules = ["json", *(["os"] if asked.needs_key else []), "urllib.request"]
    imports = "\n".join(f"import {module}" for module in modules)
    return (
        f"{imports}\n\n"
        f"{body}\n"
        "request = urllib.request.Request(\n"
        f"    {_json(asked.url)},\n"
        "    data=body,\n"
        f"    headers={{{headers}}},\n"
        ")\n"
        "with urllib.request.urlopen(request) as response:\n"
        "    print(json.load(response))"
    )


def _javascript(asked: CodeRequest) -> str:
    headers = '"Content-Type": "application/json"'
    if asked.needs_key:
        headers += ', "X-API-Key": process.env.API_KEY'
    body = f"const body = JSON.stringify({asked.text});"
    if not _is_exact(asked.row):
        # JavaScript would round the numbers of a value, and leaves text alone.
        body = f"const body = {_json(asked.text)};"
    if asked.is_long:
        reading = 'import { readFile } from "node:fs/promises";'
        body = f'{reading}\n\nconst body = await readFile("request.json");'
    is_exact = all(field.dtype not in _ROUNDED for field in asked.signature.outputs)
    return (
        f"{body}\n"
        f"const response = await fetch({_json(asked.url)}, {{\n"
        '  method: "POST",\n'
        f"  headers: {{ {headers} }},\n"
        "  body,\n"
        "});\n"
        f"console.log(await response.{'json' if is_exact else 'text'}());"
    )


def _tritonclient(asked: CodeRequest) -> str:
    signature = asked.signature
    lines = [
        line
        for field in signature.inputs
        if field.name in asked.row
        for line in _tensor(asked, field)
    ]
    helper = _DECODED if any("decoded(" in line for line in lines) else ()
    needs_base64 = any("base64." in line for line in (*helper, *lines))
    modules = {"base64": needs_base64, "json": asked.is_long, "os": asked.needs_key}
    imports = [f"import {name}" for name, is_needed in modules.items() if is_needed]
    if asked.is_long:
        part = '["instances"][0]' if asked.is_by_rows else '["inputs"]'
        # As bytes: what a text file is encoded in depends on the machine.
        reading = f'with open("request.json", "rb") as file:\n    values = json.load(file){part}'
        lines.insert(0, reading)
    options = [_json(asked.model), "inputs"]
    if asked.version is not None:
        options.append(f'model_version="{asked.version}"')
    if signature.name != DEFAULT_SIGNATURE:
        options.append(f'parameters={{"signature_name": {_json(signature.name)}}}')
    if asked.needs_key:
        options.append('headers={"X-API-Key": os.environ["API_KEY"]}')
    scheme, _, host = asked.origin.partition("://")
    server = _json(host) + (", ssl=True" if scheme == "https" else "")
    return "\n".join(
        [
            *imports,
            *([""] if imports else []),
            "import numpy as np",
            "from tritonclient.http import InferenceServerClient, InferInput",
            "",
            *(["", *helper] if helper else []),
            "inputs = []",
            *lines,
            f"client = InferenceServerClient({server})",
            f"answer = client.infer({', '.join(options)})",
            'for output in answer.get_response()["outputs"]:',
            '    print(output["name"], answer.as_numpy(output["name"]))',
        ]
    )


def _tensor(asked: CodeRequest, field: Field) -> list[str]:
    """Return the lines that make one input."""
    value = asked.inputs[field.name]
    if asked.is_long:
        written = f"values[{_json(field.name)}]"
        if _is_bytes(value):
            written = f'base64.b64decode({written}["b64"])'
        elif _holds_bytes(value):
            written = f"decoded({written})"
    else:
        written = "np.nan" if value is None else _literal(value)
    array = f"[{written}]" if asked.is_by_rows else written
    kind = _NUMPY_TYPES.get(field.dtype, field.dtype)
    datatype = _DATATYPES.get(field.dtype, field.dtype.upper().replace("FLOAT", "FP"))
    return [
        f"value = np.array({array}, dtype=np.{kind})",
        f'inputs.append(InferInput({_json(field.name)}, value.shape, "{datatype}"))',
        "inputs[-1].set_data_from_numpy(value)",
    ]


def _literal(value: Any) -> str:
    """Return a JSON value as Python, bytes decoded."""
    if _is_bytes(value):
        return f"base64.b64decode({value['b64']!r})"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return repr(value)


def _is_bytes(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"}


def _holds_bytes(value: Any) -> bool:
    return any(map(_holds_bytes, value)) if isinstance(value, list) else _is_bytes(value)


def _is_exact(value: Any) -> bool:
    """Whether all whole numbers in a JSON value are ones that JavaScript has."""
    if isinstance(value, dict):
        return all(map(_is_exact, value.values()))
    if isinstance(value, list):
        return all(map(_is_exact, value))
    return not isinstance(value, int) or abs(value) < 2**53


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
