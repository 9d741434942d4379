"""Triton's own server, from the wheel nvidia-pytriton, with TensorFlow behind its Python backend.

``python -m benchmarks.servers.triton_server PORT THREADS`` becomes that server; where
``BENCHMARK_GRPC_PORT`` names a port, it answers gRPC as well. The wheel holds the program, its
libraries and the Python backend, but the backend's stub (the process that runs Python) lies
elsewhere, so a folder is made of links to both. The stub is linked with the Python of Debian, and
finds the environment's packages beside the first ``python3`` of ``PATH``.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytriton

from benchmarks.dense import NETWORKS, Network

_MODEL = Path(__file__).with_name("triton_model.py")
_CONFIG = """
name: "{network.name}"
backend: "python"
max_batch_size: 128
input [ {{ name: "{network.input}" data_type: TYPE_FP32 dims: {dims} }} ]
output [ {{ name: "{network.output}" data_type: TYPE_FP32 dims: [ {outputs} ] }} ]
dynamic_batching {{ }}
instance_group [ {{ count: 1 kind: KIND_CPU }} ]
"""


def main() -> None:
    """Lay out the folders and become the server."""
    port, threads = sys.argv[1:]
    grpc_port = os.environ.get("BENCHMARK_GRPC_PORT")
    package = Path(pytriton.__file__).parent
    home = Path(tempfile.mkdtemp(prefix="triton-", dir=os.environ.get("BENCHMARK_SCRATCH")))
    backends = _link_backends(package / "tritonserver", home / "backends")
    for network in NETWORKS.values():
        _describe(network, home / "models")
    environ = {
        **os.environ,
        "LD_LIBRARY_PATH": str(package.parent / "nvidia_pytriton.libs"),
        "PYTHONPATH": str(Path.cwd()),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    program = str(package / "tritonserver" / "bin" / "tritonserver")
    options = [
        f"--model-repository={home / 'models'}",
        f"--backend-directory={backends}",
        "--http-address=127.0.0.1",
        f"--http-port={port}",
        f"--http-thread-count={threads}",
        *(
            ["--grpc-address=127.0.0.1", f"--grpc-port={grpc_port}"]
            if grpc_port
            else ["--allow-grpc=false"]
        ),
        "--allow-metrics=false",
        "--log-info=false",
        "--disable-auto-complete-config",
    ]
    os.execve(program, [program, *options], environ)


def _link_backends(server: Path, backends: Path) -> Path:
    python = backends / "python"
    python.mkdir(parents=True)
    for file in (server / "backends" / "python").iterdir():
        (python / file.name).symlink_to(file)
    release = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = "triton_python_backend_stub"
    (python / stub).unlink(missing_ok=True)
    (python / stub).symlink_to(server / "python_backend_stubs" / release / stub)
    return backends


def _describe(network: Network, models: Path) -> None:
    version = models / network.name / "1"
    version.mkdir(parents=True)
    shutil.copy(_MODEL, version / "model.py")
    config = _CONFIG.format(network=network, dims=list(network.shape), outputs=network.widths[-1])
    (version.parent / "config.pbtxt").write_text(config)


if __name__ == "__main__":
    main()
