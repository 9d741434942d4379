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

_TIMEOUT_S = 2.0


def problem(host: str, port: int, path: str) -> str | None:
    """Return why ``path`` is not answered with 200; ``None`` when it is."""
    request = f"GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n"
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


def main() -> int:
    """Ask the service that this container's environment describes."""
    host = os.environ.get("HOST") or "127.0.0.1"
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    reason = problem(anywhere.get(host, host), int(os.environ.get("PORT") or 8501), "/readyz")
    if reason:
        print(reason)
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main())
