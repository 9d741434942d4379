"""A client of gRPC that knows no stubs, only this project's messages."""

from typing import Any

import grpc

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
