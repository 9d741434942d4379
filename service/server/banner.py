"""What the service says when it is up: what it serves and what it does not, and how to ask it."""

import json
import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from service.repository.contract import DEFAULT_SIGNATURE, Signature
from service.runtime.lifecycle import Lifecycle
from service.runtime.version_state import State
from service.settings import Settings

# A longer command is no example that a person would try.
_LONGEST_COMMAND = 300


def banner(lifecycle: Lifecycle, settings: Settings) -> str:
    """Return a greeting with the models that serve and a command for each that has an example.

    What was refused, and what is not there yet, is named with its reason.
    """
    host = "127.0.0.1" if settings.host in ("", "0.0.0.0", "::") else settings.host
    host = f"[{host}]" if ":" in host else host
    url = f"http://{host}:{settings.port}"
    known = lifecycle.models()
    names = [name for name in known if lifecycle.serves(name)]
    absent = [line for name in known for line in _absent(lifecycle, name)]
    if not known:
        return f"Understudy listens on {url}; there is no model to serve in {settings.models} yet."
    if not names:
        return "\n".join([f"Understudy listens on {url}; nothing serves yet.", *absent])
    lines = [f"Understudy serves on {url}: {', '.join(names)}. Try:", f"  curl {url}/v1/models"]
    for name in names:
        with lifecycle.lease(name) as servable:
            signature = servable.contract.get(DEFAULT_SIGNATURE)
        if signature and all(field.example is not None for field in signature.inputs):
            body = json.dumps({"instances": [_instance(signature)]}, ensure_ascii=False)
            key = '-H "X-API-Key: $KEY" ' if settings.keys_file else ""
            command = f"curl {key}-d {shlex.quote(body)} {url}/v1/models/{quote(name)}:predict"
            if len(command) <= _LONGEST_COMMAND:
                lines.append(f"  {command}")
    return "\n".join([*lines, *absent])


def _absent(lifecycle: Lifecycle, name: str) -> Iterator[str]:
    """Say which versions of a model were refused, and what it waits for if it does not serve."""
    status = lifecycle.status(name)
    for item in status:
        if item.state is State.FAILED:
            yield f"  {name} {item.version} was refused: {item.reason}"
    if lifecycle.serves(name):
        return
    if lifecycle.unloaded(name):
        yield f"  {name} is unloaded by its policy."
    elif waiting := [item for item in status if item.state is not State.FAILED]:
        yield f"  {name} is still being loaded. {waiting[0].reason}".rstrip()


def _instance(signature: Signature) -> Any:
    if len(signature.inputs) == 1:
        return signature.inputs[0].example
    return {field.name: field.example for field in signature.inputs}
