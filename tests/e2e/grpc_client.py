"""A client of gRPC that knows no stubs, only this project's messages."""

from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from service.grpc.messages import message_class

SERVING = "tensorflow.serving"


class Client:
    """Calls methods by their names, with this project's messages."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = (
            grpc.insecure_channel(address, options)
            if credentials is None
            else grpc.secure_channel(address, credentials, options)
        )

    def call(self, method: str, request: Any, response: str, **options: Any) -> Any:
        call = self.channel.unary_unary(method)
        data = request if isinstance(request, bytes) else request.SerializeToString()
        return message_class(response).FromString(call(data, timeout=30, **options))

    def predict(self, request: Any, **options: Any) -> Any:
        return self.call(
            f"/{SERVING}.PredictionService/Predict",
            request,
            f"{SERVING}.PredictResponse",
            **options,
        )


def predict_request(model: str, inputs: dict[str, Any], signature: str = "") -> Any:
    """Return a PredictRequest with inputs by name."""
    request = message_class(f"{SERVING}.PredictRequest")()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    for name, array in inputs.items():
        request.inputs[name].MergeFromString(tf.make_tensor_proto(array).SerializeToString())
    return request


def arrays(response: Any) -> dict[str, np.ndarray]:
    """Return the outputs of a PredictResponse by name."""
    return {
        name: tf.make_ndarray(tensor_pb2.TensorProto.FromString(tensor.SerializeToString()))
        for name, tensor in response.outputs.items()
    }
