"""Checks before anything slow is imported, so that mistakes are reported at once."""

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from service.access.key_file import read_keys
from service.events.errors import StoreError
from service.events.event_store_location import open_database
from service.repository.base_paths import ModelConfigFile
from service.repository.errors import RepositoryError
from service.repository.model_source import configuration_of, folder_of, store_url
from service.repository.object_store.bucket import missing_package, url_problem
from service.repository.object_store.origin import claim_as_mirror
from service.server.tls_contexts import TlsError, read_context
from service.settings.settings import Settings

# Names of sockets that are handed to this process; then it is not for us to bind one.
_INHERITED = ("LISTEN_FDS", "GUNICORN_FD")
# How many ports after one that is taken are tried.
_NEXT_PORTS = 20


def problems(settings: Settings) -> list[str]:
    """Return what keeps the service from starting with ``settings``, each in a sentence."""
    models = folder_of(settings)
    found = []
    try:
        configuration = configuration_of(settings)
        if isinstance(configuration, ModelConfigFile):
            configuration.load()
        has_folder = configuration is None
    except RepositoryError as error:
        found.append(str(error))
        has_folder = False
    found += _folder_problems(models) if has_folder else []
    url = store_url(settings) if has_folder else None
    if url and (problem := url_problem(url)):
        found.append(f"MODELS: {problem}")
    elif url and find_spec("obstore") is None:
        # Imported in the mirror only: it must not begin anything before the workers are forked.
        found.append(f"MODELS: {missing_package(url)}")
    elif url:
        found += _mirror_problems(models, url)
    if settings.keys_file is not None:
        try:
            read_keys(settings.keys_file)
        except RepositoryError as error:
            found.append(f"UNDERSTUDY_KEYS_FILE: {error}")
    elif settings.keys_for_reads:
        found.append(
            "UNDERSTUDY_KEYS_FOR_READS needs UNDERSTUDY_KEYS_FILE: without keys nothing needs one."
        )
    if settings.events:
        try:
            open_database(settings.events)
        except StoreError as error:
            found.append(f"UNDERSTUDY_EVENTS: {error}")
    return found + _tls_problems(settings)


def _folder_problems(models: Path) -> list[str]:
    found = []
    try:
        if not models.is_dir() and (models.exists() or models.is_symlink()):
            what = "a broken link" if models.is_symlink() else "a file"
            found.append(f"MODELS must be a folder of models; {str(models)!r} is {what}.")
        for parent in models.parents:
            if parent.exists() and not parent.is_dir():
                found.append(f"MODELS must be a folder of models; {str(parent)!r} is a file.")
                break
    except OSError as error:
        found.append(f"MODELS: {str(models)!r} cannot be read: {error.strerror}.")
    return found


def _mirror_problems(folder: Path, url: str) -> list[str]:
    try:
        claim_as_mirror(folder, url)
    except OSError as error:
        return [
            f"UNDERSTUDY_MIRROR_FOLDER must be a folder that can be written; {str(folder)!r} "
            f"cannot: {error.strerror}."
        ]
    except RepositoryError as error:
        return [f"UNDERSTUDY_MIRROR_FOLDER: {error}"]
    return []


def _tls_problems(settings: Settings) -> list[str]:
    try:
        read_context(settings)
    except TlsError as error:
        return [str(error)]
    return []


def open_to_all(settings: Settings, hosts: Iterable[str]) -> str:
    """Return in a sentence that other machines can ask without a key; empty if they cannot.

    Nor can they where clients need a certificate.

    Args:
        settings: the service's.
        hosts: the addresses that it listens on.
    """
    if settings.keys_file is not None or settings.tls_client_ca is not None:
        return ""
    reachable = [host for host in hosts if not _is_loopback(host)]
    if not reachable:
        return ""
    return (
        f"All clients that can reach {reachable[0] or 'this machine'} can use the models: "
        "predictions need no key, because UNDERSTUDY_KEYS_FILE is not set."
    )


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.strip("[]"))
        # How a socket for both families shows an address of IPv4.
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback
    except ValueError:
        return host == "localhost"


def binds_elsewhere(arguments: list[str], environ: Mapping[str, str]) -> bool:
    """Whether gunicorn gets its address in another way than by HOST and PORT."""
    words = [*arguments, *environ.get("GUNICORN_CMD_ARGS", "").split()]
    given = any(word == "-b" or word.startswith(("--bind", "-b=")) for word in words)
    return given or any(environ.get(name) for name in _INHERITED)


def listening_problem(host: str, port: int, setting: str = "PORT") -> str | None:
    """Return in a sentence why an address cannot be listened on; ``None`` if it can.

    Args:
        host: the address.
        port: its port.
        setting: the variable that says which.
    """
    try:
        _try_to_bind(host, port)
    except (socket.gaierror, UnicodeError, TypeError) as error:
        # Of what is not UTF-8, or has too long a part, a socket says that by TypeError.
        why = getattr(error, "strerror", None) or "it is not a valid host name"
        return f"HOST: {host!r} cannot be resolved: {why}."
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                free = _free_port(host, port)
                hint = f" {setting}={free} is free." if free else f" Choose another by {setting}=."
                return f"{setting}: {port} on {host} is in use by another process.{hint}"
            case errno.EADDRNOTAVAIL:
                return f"HOST: {host} is not an address of this machine."
            case errno.EACCES | errno.EPERM:
                return f"{setting}: this user may not listen on port {port}."
        return f"HOST and {setting}: cannot listen on {host}, {port}: {error.strerror or error}."
    return None


def _try_to_bind(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As gunicorn does: what has just been closed does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _free_port(host: str, taken: int) -> int | None:
    """Return one of the next ports that can be listened on; ``None`` where none can."""
    for port in range(taken + 1, min(taken + _NEXT_PORTS, 65535) + 1):
        with contextlib.suppress(OSError):
            _try_to_bind(host, port)
            return port
    return None
