"""A request as code: each sample is run by the browser's tests; here is what it depends on."""

import ast
import base64
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.api.routes.code_samples import CodeRequest, code_samples
from service.repository.contract import Field, Signature
from tests.savedmodels.affine import publish_affine
from tests.service.conftest import MakeApp

ORIGIN = "http://127.0.0.1:8501"
ROW = {"x": [1.0, 2.0], "text": "it's", "shift": None}


def a_request(**changed: Any) -> CodeRequest:
    fields = tuple(
        Field(name=name, dtype=dtype, shape=shape)
        for name, dtype, shape in (
            ("x", "float32", (None, 2)),
            ("text", "string", (None,)),
            ("shift", "float16", (None,)),
        )
    )
    known = {
        "origin": ORIGIN,
        "model": "a b",
        "version": None,
        "signature": Signature("serving_default", fields, ()),
        "row": ROW,
        "needs_key": False,
    }
    return CodeRequest(**{**known, **changed})


def codes(asked: CodeRequest) -> dict[str, str]:
    return {each["title"]: each["code"] for each in code_samples(asked)}


def _client_that_keeps(sent: list[Any]) -> type:
    """Return a client of Triton that sends nothing."""

    class Client:
        def __init__(self, server: str) -> None:
            assert ORIGIN.endswith(server)

        def infer(self, model: str, inputs: list[Any]) -> Any:
            sent.extend(inputs)
            return self

        def get_response(self) -> Any:
            return {"outputs": []}

    return Client


def test_no_sample_speaks_of_a_key_unless_there_is_one() -> None:
    assert all("API_KEY" not in code for code in codes(a_request()).values())
    with_key = codes(a_request(needs_key=True))
    assert list(with_key) == ["curl", "Python", "JavaScript", "tritonclient"]
    assert all("X-API-Key" in code and "API_KEY" in code for code in with_key.values())
    for title in ("Python", "tritonclient"):
        assert "import os" in with_key[title]
        ast.parse(with_key[title])


def test_a_shell_reads_the_row_as_it_is() -> None:
    words = shlex.split(codes(a_request())["curl"])
    assert words[2] == '{"instances":[{"x":[1.0,2.0],"text":"it\'s","shift":null}]}'
    assert words[-1] == f"{ORIGIN}/v1/models/a%20b:predict"


def test_long_bodies_come_from_a_file_and_files_from_base64() -> None:
    long = codes(a_request(row={**ROW, "text": {"b64": "QQ==" * 500}}))
    assert all("request.json" in code for code in long.values())
    assert 'base64.b64decode(values["text"]["b64"])' in long["tritonclient"]
    short = codes(a_request(row={**ROW, "text": {"b64": "QQ=="}}, version=3))
    assert "base64.b64decode('QQ==')" in short["tritonclient"]
    assert 'model_version="3"' in short["tritonclient"]
    assert "/versions/3:predict" in short["Python"]


def test_a_picture_is_sent_as_a_file() -> None:
    picture = Field(name="p", dtype="string", shape=(None,), content_types=("image/png",))
    signature = Signature("from_encoded", (picture,), ())
    code = codes(a_request(signature=signature, row={"p": {"b64": "QQ=="}}))
    assert "--data-binary @picture.png" in code["curl"]
    assert 'parameters={"signature_name": "from_encoded"}' in code["tritonclient"]
    # The service would choose the default signature, or the first, of those that take pictures.
    assert shlex.split(code["curl"])[-1].endswith(":predict?signature_name=from_encoded")
    default = replace(signature, name="serving_default")
    code = codes(a_request(signature=default, row={"p": {"b64": "QQ=="}}))
    assert shlex.split(code["curl"])[-1].endswith(":predict")


@pytest.mark.parametrize("text", ["text", "text" * 1000])
def test_tritonclient_sends_what_is_in_lists(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    triton = pytest.importorskip("tritonclient.http")
    fields = (
        Field(name="texts", dtype="string", shape=(None, 2, 2)),
        Field(name="brain", dtype="bfloat16", shape=(None, 2)),
    )
    asked = a_request(
        signature=Signature("serving_default", fields, ()),
        row={"texts": [[text, {"b64": "/w=="}], ["", {"b64": ""}]], "brain": [1.5, -2.0]},
    )
    sent: list[Any] = []
    monkeypatch.setattr(triton, "InferenceServerClient", _client_that_keeps(sent))
    monkeypatch.chdir(tmp_path)
    Path("request.json").write_text(asked.text)
    assert asked.is_long is (text != "text")
    # As the whole of a program: what it defines, its functions must find.
    exec(codes(asked)["tritonclient"], {})
    texts, brain = sent
    assert (texts.datatype(), texts.shape()) == ("BYTES", (1, 2, 2))
    wanted = [text.encode(), b"\xff", b"", b""]
    data = b"".join(len(each).to_bytes(4, "little") + each for each in wanted)
    assert bytes(texts._get_binary_data()) == data
    assert (brain.datatype(), brain.shape()) == ("BF16", (1, 2))
    assert bytes(brain._get_binary_data()) == b"\xc0\x3f\x00\xc0"


def test_the_route_says_what_it_expects(make_app: MakeApp, tmp_path: Path) -> None:
    publish_affine(tmp_path / "models")
    client = make_app().test_client()
    path = "/ui/models/affine/versions/1/code"
    flags = {"is_pinned": False, "is_whole": False}
    asked = {"signature": "serving_default", "row": ROW, "origin": ORIGIN, **flags}
    for body in ({}, [], {**asked, "row": []}, {**asked, "more": 1}):
        answer = client.post(path, json=body)
        assert answer.status_code == 400
        assert answer.get_json()["error"].startswith('Expected {"signature": <name>, ')
    titles = [each["title"] for each in client.post(path, json=asked).get_json()["samples"]]
    assert titles == ["curl", "Python", "JavaScript", "tritonclient"]
    assert client.post(path, json={**asked, "signature": "none"}).status_code == 404


def test_a_picture_is_sent_as_a_picture() -> None:
    kinds = ("application/pdf", "image/png")
    document = Field(name="p", dtype="string", shape=(None,), content_types=kinds)
    signature = Signature("serving_default", (document,), ())
    asked = a_request(signature=signature, row={"p": {"b64": "QQ=="}})
    assert "Content-Type: image/png" in shlex.split(codes(asked)["curl"])
    # A plain body is one by rows.
    whole = codes(replace(asked, is_whole=True))["curl"]
    assert '{"inputs":{"p":[{"b64":"QQ=="}]}}' in shlex.split(whole)


@pytest.mark.parametrize("text", ["text", "text" * 1000])
def test_columns_of_one_row_are_sent_as_such(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    row = {"x": [1.0, 2.0], "text": {"b64": base64.b64encode(text.encode()).decode()}}
    asked = a_request(row=row, is_whole=True)
    columns = {name: [value] for name, value in row.items()}
    assert asked.body == {"inputs": columns}
    for made in codes(asked).values():
        assert "instances" not in made
    sent: list[Any] = []
    triton = pytest.importorskip("tritonclient.http")
    monkeypatch.setattr(triton, "InferenceServerClient", _client_that_keeps(sent))
    monkeypatch.chdir(tmp_path)
    Path("request.json").write_text(asked.text)
    exec(codes(asked)["tritonclient"], {})
    assert [each.shape() for each in sent] == [(1, 2), (1,)]
    assert bytes(sent[1]._get_binary_data())[4:] == text.encode()


def test_javascript_rounds_nothing() -> None:
    key = (Field(name="key", dtype="int64", shape=(None,)),)
    signature = Signature("serving_default", key, key)
    code = codes(a_request(signature=signature, row={"key": 2**53 + 1}))["JavaScript"]
    # As text: a number would become the next one that a double holds.
    assert code.startswith('const body = "{\\"instances\\":[{\\"key\\":9007199254740993}]}";')
    assert code.endswith("console.log(await response.text());")
    plain = codes(a_request())["JavaScript"]
    assert plain.startswith('const body = JSON.stringify({"instances":')
    assert plain.endswith("console.log(await response.json());")


def test_tritonclient_speaks_tls_where_the_page_does() -> None:
    code = codes(a_request(origin="https://models.example"))["tritonclient"]
    assert 'InferenceServerClient("models.example", ssl=True)' in code
    assert "ssl" not in codes(a_request())["tritonclient"]
