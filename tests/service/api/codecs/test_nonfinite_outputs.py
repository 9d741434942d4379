"""What each wire format makes of an answer that is not finite, and what it says it makes."""

import io
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient

from service.api.codecs.codec_interface import Codec
from service.api.codecs.media.csv_table import TableCodec
from service.api.codecs.media.npy import NpyCodec
from service.api.codecs.oip.infer_codec import InferCodec
from service.api.codecs.tfserving.classify_codec import ClassifyCodec
from service.api.codecs.tfserving.predict_codec import PredictCodec
from tests.savedmodels.trial import CLASSES, publish_trial
from tests.service.conftest import MakeApp

# The first is what makes this model answer with NaN.
ROW = [0.9, *[0.0] * (CLASSES - 1)]
PREDICT, INFER = "/v1/models/nan:predict", "/v2/models/nan/infer"
TENSOR = {"name": "x", "shape": [1, CLASSES], "datatype": "FP32", "data": ROW}


def npy() -> bytes:
    written = io.BytesIO()
    np.save(written, np.array([ROW], np.float32))
    return written.getvalue()


@pytest.fixture
def client(make_app: MakeApp, tmp_path: Path) -> FlaskClient:
    publish_trial(tmp_path / "models", "nan", model="nan", rare=0.2, work=1)
    return make_app().test_client()


def test_a_codec_refuses_what_it_says_it_refuses(client: FlaskClient) -> None:
    asked: list[tuple[type[Codec], str, dict[str, object]]] = [
        (PredictCodec, PREDICT, {"json": {"instances": [ROW]}}),
        (PredictCodec, PREDICT, {"json": {"inputs": [ROW]}}),
        (NpyCodec, PREDICT, {"data": npy(), "content_type": "application/x-npy"}),
        (InferCodec, INFER, {"json": {"inputs": [TENSOR]}}),
        (
            InferCodec,
            INFER,
            {"json": {"inputs": [TENSOR], "parameters": {"binary_data_output": True}}},
        ),
    ]
    found = [(codec, client.post(path, **body).status_code) for codec, path, body in asked]
    assert [status for _, status in found] == [400, 400, 400, 400, 200]
    assert all(status == 400 for codec, status in found if codec.refuses_nonfinite)
    assert not InferCodec.refuses_nonfinite
    assert TableCodec.refuses_nonfinite
    assert ClassifyCodec.refuses_nonfinite
