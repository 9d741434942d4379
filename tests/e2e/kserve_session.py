"""What KServe's own clients see of a service; run by their environment's Python.

``python kserve_session.py GRPC_ADDRESS URL`` prints it as JSON. Models as in ``test_grpc_clients.py``.
"""

import asyncio
import json
import sys
from typing import Any

import grpc
import numpy as np
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceGRPCClient, InferenceRESTClient, RESTConfig


def tensors(width: int = 2) -> list[InferInput]:
    x = InferInput("x", [1, width], "FP32")
    x.set_data_from_numpy(np.ones((1, width), np.float32))
    text = InferInput("text", [1], "BYTES")
    text.set_data_from_numpy(np.array([b"quiet"], object))
    return [x, text]


def values(response: Any) -> dict[str, Any]:
    found = {output.name: output.as_numpy().tolist() for output in response.outputs}
    return json.loads(json.dumps(found, default=bytes.decode))


async def over_grpc(address: str) -> dict[str, Any]:
    async with InferenceGRPCClient(address) as client:
        request = InferRequest("affine", tensors(), request_id="7")
        seen = {
            "live": await client.is_server_live(),
            "ready": await client.is_server_ready(),
            "models": [await client.is_model_ready(name) for name in ("affine", "nope")],
            "infer": values(await client.infer(request)),
        }
        try:
            await client.infer(InferRequest("affine", tensors(width=3)))
        except grpc.RpcError as error:
            seen["error"] = f"{error.code().name}: {error.details()}"
        return seen


async def over_rest(url: str) -> dict[str, Any]:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    request = InferRequest("affine", tensors(), request_id="7")
    seen = {
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "models": [await client.is_model_ready(url, name) for name in ("affine", "nope")],
        "infer": values(await client.infer(url, request, model_name="affine")),
    }
    first = InferenceRESTClient(RESTConfig(protocol="v1"))
    body = {"signature_name": "only_y", "instances": [[1, 1]]}
    seen["first protocol"] = await first.infer(url, body, model_name="affine")
    return seen


async def main() -> None:
    address, url = sys.argv[1:]
    print(json.dumps({"grpc": await over_grpc(address), "rest": await over_rest(url)}))


if __name__ == "__main__":
    asyncio.run(main())
