"""Exit with 0 when the service in this container is ready, with 1 and the reason when it is not.

It asks /readyz, not /livez: what waits for "healthy" (``depends_on``, ``docker compose up
--wait``, a proxy in front) wants to know whether predictions are answered. Docker restarts no
container for being unhealthy, so a service that waits for its first model is left in peace.

A slim image has no curl, and a plain socket starts in half the time of ``http.client``, which
matters for something that runs every few seconds for as long as the container lives.
"""

import os
import socket
import sys
from pathlib import Path

_TIMEOUT_S = 2.0


def problem(host: str, port: int, path: str) -> str | None:
    """Return why ``path`` is not answered with 200; ``None`` when it is."""
    # An address of IPv6 stands in brackets there.
    named = f"[{host}]" if ":" in host else host
    request = f"GET {path} HTTP/1.0\r\nHost: {named}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((host, port), timeout=_TIMEOUT_S) as connection:
            connection.sendall(request.encode("ascii"))
            answer = b""
            while chunk := connection.recv(4096):
                answer += chunk
    except OSError as error:
        return f"{path}: {error}"
    head, _, body = answer.decode("utf-8", "replace").partition("\r\n\r\n")
    status = head.split("\r\n")[0].split(" ")[1:2]
    return None if status == ["200"] else f"{path}: {' '.join(status)} {body.strip()}"


def of_the_service(proc: Path) -> dict[str, str]:
    """Return the environment of the service, whose port flags may have set; empty if none is seen.

    It is the container's first process, or the first child of an init.
    """
    found = {}
    try:
        children = (proc / "1/task/1/children").read_text().split()
        for process in ("1", *children[:1]):
            if b"gunicorn" in (proc / process / "cmdline").read_bytes():
                block = (proc / process / "environ").read_bytes().decode("utf-8", "replace")
                found = dict(entry.split("=", 1) for entry in block.split("\0") if "=" in entry)
                break
    except OSError:
        pass
    return {name: found[name] for name in ("HOST", "PORT") if name in found}


def main(proc: Path) -> int:
    """Ask the service that this container's environment and processes describe."""
    variables = {**os.environ, **of_the_service(proc)}
    host = variables.get("HOST") or "127.0.0.1"
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    reason = problem(anywhere.get(host, host), int(variables.get("PORT") or 8501), "/readyz")
    if reason:
        print(reason)
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main(Path(*sys.argv[1:] or ["/proc"])))
