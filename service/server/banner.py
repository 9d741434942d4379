"""What the service says when it is up: what it serves and what it does not, and how to ask it."""

import json
import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from service.monitoring.terminal import BOLD, CYAN, GREEN, YELLOW, styled
from service.repository.contract import DEFAULT_SIGNATURE, Signature
from service.repository.model_source import folder_of, store_url
from service.runtime.lifecycle import Lifecycle
from service.runtime.version_state import State
from service.settings.settings import Settings

# Nobody would try a longer command.
_LONGEST_COMMAND = 300


def banner(lifecycle: Lifecycle, settings: Settings, port: int | None = None) -> str:
    """Return a greeting with the models that serve and a command for each that has an example.

    What was refused, and what is not there yet, is named with its reason.

    Args:
        lifecycle: knows the models.
        settings: the service's.
        port: that is listened on, where it is not the settings'.
    """
    url = _url(settings, port)
    known = lifecycle.models()
    names = [name for name in known if lifecycle.serves(name)]
    absent = [line for name in known for line in _absent(lifecycle, name)]
    if not known:
        return f"Understudy listens on {url}; {_no_model(settings)}"
    if not names:
        return "\n".join([f"Understudy listens on {url}; nothing serves yet.", *absent])
    lines = [f"Understudy serves on {url}: {', '.join(names)}. Try:", f"  curl {url}/v1/models"]
    return "\n".join([*lines, *_commands(lifecycle, names, url, settings), *absent])


def greeting(
    lifecycle: Lifecycle, settings: Settings, port: int | None = None, *, colours: bool
) -> str:
    """Return what a person at a terminal is shown instead; it ends with the address to open.

    Args:
        lifecycle: knows the models.
        settings: the service's.
        port: that is listened on, where it is not the settings'.
        colours: whether the lines have colours.
    """
    url = _url(settings, port)
    known = lifecycle.models()
    names = [name for name in known if lifecycle.serves(name)]
    lines = []
    if not known:
        lines.append(styled(f"T{_no_model(settings)[1:]}", YELLOW, colours=colours))
    elif names:
        served = styled(", ".join(names), BOLD, GREEN, colours=colours)
        lines.append(f"Understudy serves {served}.")
        lines += sorted(_commands(lifecycle, names, url, settings), key=len)[:1]
    else:
        lines.append(styled("Nothing serves yet.", YELLOW, colours=colours))
    for name in known:
        lines += [styled(line, YELLOW, colours=colours) for line in _absent(lifecycle, name)]
    return "\n".join([*lines, f"Open {styled(url, BOLD, CYAN, colours=colours)}"])


def _url(settings: Settings, port: int | None) -> str:
    host = "127.0.0.1" if settings.host in ("", "0.0.0.0", "::") else settings.host
    host = f"[{host}]" if ":" in host else host
    scheme = "http" if settings.tls_certificate is None else "https"
    return f"{scheme}://{host}:{settings.port if port is None else port}"


def _no_model(settings: Settings) -> str:
    if settings.model_config_file is not None or settings.model_base_path:
        place = settings.model_config_file or settings.model_base_path
        return f"there is no version to serve yet at the base paths of {place}."
    folder = folder_of(settings)
    if url := store_url(settings):
        return f"there is no model to serve in {url} yet, as far as {folder} mirrors it."
    why = "yet" if folder.is_dir() else "because that folder is not there"
    return (
        f"there is no model to serve in {folder.absolute()} {why}. `understudy train MODEL` or "
        "`understudy import FILE --name NAME` publishes one; MODELS=FOLDER names another folder."
    )


def _commands(
    lifecycle: Lifecycle, names: list[str], url: str, settings: Settings
) -> Iterator[str]:
    """Return a command for each model that has an example of its inputs."""
    for name in names:
        with lifecycle.lease(name) as servable:
            signature = servable.contract.get(DEFAULT_SIGNATURE)
        if signature and all(field.example is not None for field in signature.inputs):
            body = json.dumps({"instances": [_instance(signature)]}, ensure_ascii=False)
            key = '-H "X-API-Key: $KEY" ' if settings.keys_file else ""
            command = f"curl {key}-d {shlex.quote(body)} {url}/v1/models/{quote(name)}:predict"
            if len(command) <= _LONGEST_COMMAND:
                yield f"  {command}"


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
