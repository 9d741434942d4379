"""The Open Inference Protocol, version 2, as KServe and Triton speak it over HTTP.

Sources: kserve/open-inference-protocol (inference_rest.md), and Triton's extensions for binary
tensors and classification; where its documents and its code (src/http_server.cc) differ, the code.
"""
