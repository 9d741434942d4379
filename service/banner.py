"""What the service says when it is up: what it serves, and how to ask it."""

import json
import shlex
from typing import Any
from urllib.parse import quote

from service.repository.contract import DEFAULT_SIGNATURE, Signature
from service.runtime.lifecycle import Lifecycle
from service.settings import Settings

# A longer command is no example that a person would try.
_LONGEST_COMMAND = 300


def banner(lifecycle: Lifecycle, settings: Settings) -> str:
    """Return a greeting with the models that serve and a command for each that has an example."""
    host = "127.0.0.1" if settings.host in ("", "0.0.0.0", "::") else settings.host
    host = f"[{host}]" if ":" in host else host
    url = f"http://{host}:{settings.port}"
    names = [name for name in lifecycle.models() if lifecycle.serves(name)]
    if not names:
        return f"Understudy listens on {url}; there is no model to serve in {settings.models} yet."
    lines = [f"Understudy serves on {url}: {', '.join(names)}. Try:", f"  curl {url}/v1/models"]
    for name in names:
        with lifecycle.lease(name) as servable:
            signature = servable.contract.get(DEFAULT_SIGNATURE)
        if signature and all(field.example is not None for field in signature.inputs):
            body = json.dumps({"instances": [_instance(signature)]}, ensure_ascii=False)
            command = f"curl -d {shlex.quote(body)} {url}/v1/models/{quote(name)}:predict"
            if len(command) <= _LONGEST_COMMAND:
                lines.append(f"  {command}")
    return "\n".join(lines)


def _instance(signature: Signature) -> Any:
    if len(signature.inputs) == 1:
        return signature.inputs[0].example
    return {field.name: field.example for field in signature.inputs}
