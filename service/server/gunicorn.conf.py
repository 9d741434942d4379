"""gunicorn's configuration: what to run, and what happens in master and workers.

gunicorn reads the plain names as its settings and calls the functions as its hooks.
"""

import sys

from service.server import process_exit

# Whether a person at a terminal reads what is said, and the line that moves there.
_for_people = sys.stderr is not None and sys.stderr.isatty()
_progress = None


def _say_stopped() -> None:
    if _progress:
        _progress.end("Stopped.")
    elif _for_people:
        print("Stopped.", file=sys.stderr, flush=True)


process_exit.before_stopping_at_once(_say_stopped)
# Importing all of this takes seconds, TensorFlow most; gunicorn handles no signals before.
process_exit.exit_on_stop_signals()
# `understudy serve` holds them until here.
process_exit.take_signals()

import asyncio
import contextlib
import importlib
import logging
import os
import ssl
import time
from pathlib import Path
from typing import Any

from service.access.trusted_proxies import network_of
from service.mirroring.mirror_supervisor import start_mirror, wait_for_the_first_look
from service.monitoring import terminal
from service.monitoring.logs import AUTO, FOR_PEOPLE, TEXT, log, log_config
from service.repository.base_paths import ModelConfigFile
from service.repository.errors import RepositoryError
from service.repository.model_source import configuration_of, folder_of, model_source, store_url
from service.runtime import memory
from service.server import graceful_shutdown, preflight, shared_folder
from service.server.connection_balancing import CONNECTION_COUNTS
from service.server.tls_contexts import TLS_CONTEXTS, TlsError
from service.settings.environment_variables import SettingError
from service.settings.process_settings import process_settings, secrets
from service.settings.settings import Settings

try:
    _settings = process_settings()
except SettingError as error:
    sys.exit("\n".join(f"understudy: {line}" for line in str(error).splitlines()))

_for_people = _settings.log_format == TEXT or (
    _settings.log_format == AUTO and terminal.is_terminal(sys.stderr)
)
_progress = (
    terminal.ProgressLine(sys.stderr)
    if _for_people and terminal.is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"
    else None
)


def _moving(text: str) -> contextlib.AbstractContextManager[None]:
    """Show on a terminal what is done while the block runs."""
    return _progress.moving(text) if _progress else contextlib.nullcontext()


process_exit.before_stopping_at_once(lambda: shared_folder.remove(os.environ))
_is_reload = shared_folder.is_prepared(os.environ)
# Not when the configuration is read again: then it is this service that listens there.
if not _is_reload:
    _problems = preflight.problems(_settings)
    # After SIGUSR2 gunicorn hands its listeners on, this one among them.
    if _settings.grpc_port and "GUNICORN_FD" not in os.environ:
        _listening = preflight.listening_problem(
            _settings.host, _settings.grpc_port, "UNDERSTUDY_GRPC_PORT"
        )
        _problems += [_listening] if _listening else []
    if not preflight.binds_elsewhere(sys.argv[1:], os.environ):
        _listening = preflight.listening_problem(_settings.host, _settings.port)
        _problems += [_listening] if _listening else []
    if _problems:
        sys.exit("\n".join(f"understudy: {line}" for line in _problems))
    # Nobody would remove a folder that is only partly made.
    process_exit.hold_signals()
    try:
        shared_folder.prepare_folders(os.environ)
    except shared_folder.RunFolderError as error:
        sys.exit(f"understudy: {error}")
    finally:
        process_exit.take_signals()

_store_url = store_url(_settings)
if _store_url and not _is_reload:
    # It brings what it can while TensorFlow is imported.
    _before = start_mirror(_store_url, folder_of(_settings), _settings.mirror_interval_s)

# With what the folders are now. A file of models is read here again when the configuration is, also
# where the workers read it only once.
_settings = process_settings()
_models = model_source(_settings)
if isinstance(_configuration := configuration_of(_settings), ModelConfigFile):
    with contextlib.suppress(RepositoryError):
        _configuration.load()

# Before gunicorn imports the worker's class, which would bring all of it.
with _moving("loading TensorFlow"):
    memory.import_tensorflow()

wsgi_app = "service.asgi:create_application()"
worker_class = "service.server.worker.Worker"
logger_class = "service.server.worker.QuietLogger"
# An IPv6 address has colons of its own.
_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host
bind = f"{_host}:{_settings.port}"
workers = _settings.workers
if _settings.tls_certificate is not None:
    certfile, keyfile = str(_settings.tls_certificate), str(_settings.tls_key)
    if _settings.tls_client_ca is not None:
        ca_certs, cert_reqs = str(_settings.tls_client_ca), ssl.CERT_REQUIRED
# More than one would only draw a warning: the threads for Flask are the application's own.
threads = 1
# Far above what a load balancer keeps; idle connections go first.
worker_connections = 10_000
asgi_lifespan = "off"
# "auto" would take gunicorn_h1c where it happens to be installed; docs/performance.md says why not.
http_parser = "python"
# Between looks whether the models serve.
_LOOK_S = 0.02
graceful_timeout = graceful_shutdown.timeout_s(_settings.drain_s, _settings.lame_duck_s)
# Longer than load balancers keep idle connections, so that it is they who close them, and not
# this side at the moment at which a request is on its way.
keepalive = 75
# Whose X-Forwarded-Proto and the like gunicorn believes.
forwarded_allow_ips = ",".join(str(network_of(each)) for each in _settings.trusted_proxies)
# The control socket is a thread in the master and a file; there is no use for either here.
control_socket_disable = True
logconfig_dict = log_config(
    text=_for_people,
    colours=terminal.has_colours(sys.stderr, os.environ),
    over_progress=_progress is not None,
)
# Of any library, as lines of that log.
logging.captureWarnings(True)
# The heartbeat is a file's time; on a container's overlay file system writing it can block.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None


def on_starting(server: Any) -> None:
    """Import TensorFlow in the master, so that workers share its memory and start quickly.

    Versions without a manifest are looked at before, so that they need not lie still afterwards.
    Importing is all that may happen there: after any TensorFlow operation a fork hangs.
    """
    for sentence in Settings.unknown(os.environ):
        log(logging.WARNING, sentence)
    TLS_CONTEXTS.read(_settings)
    if _store_url:
        with _moving("fetching models"):
            wait_for_the_first_look(folder_of(_settings), _before, _settings.load_wait_s)
    observations = importlib.import_module("service.runtime.folder_observations")
    folder = Path(os.environ["UNDERSTUDY_WORKERS_FOLDER"])
    observations.observe_before_the_workers(_models, folder)
    # Its thread has ended before anything forks.
    with _moving("starting"):
        importlib.import_module("service.asgi")
    memory.prepare_to_fork()


def when_ready(server: Any) -> None:
    """Listen for gRPC as well, and say who can ask."""
    _listen_for_grpc(server)
    addresses = [listener.sock.getsockname() for listener in server.LISTENERS]
    if server.cfg.reuse_port:
        # Each worker listens there by itself.
        addresses += server.cfg.address
    hosts = [address[0] for address in addresses if isinstance(address, tuple)]
    if open_to_all := preflight.open_to_all(_settings, hosts):
        log(logging.WARNING, open_to_all)


def on_reload(server: Any) -> None:
    """Read the certificates again; listen for gRPC where gunicorn has made other listeners."""
    try:
        TLS_CONTEXTS.read(_settings)
    except TlsError as error:
        log(logging.ERROR, f"{error} What was read before stays in use.")
    _listen_for_grpc(server)


def _listen_for_grpc(server: Any) -> None:
    from service.server.grpc_listener import listen_for_grpc
    from service.server.worker import Worker

    # A worker of gunicorn's own would take it for another port of HTTP.
    if issubclass(server.worker_class, Worker):
        try:
            listen_for_grpc(server, _settings)
        except OSError as error:
            sys.exit(f"understudy: UNDERSTUDY_GRPC_PORT: {_settings.grpc_port}: {error}.")


def pre_fork(server: Any, worker: Any) -> None:
    """Create the metrics' folder again if it was removed; if that fails, go without metrics.

    Signals to stop are held until the worker has replaced its master's handlers.
    """
    worker.leads = not any(getattr(other, "leads", False) for other in server.WORKERS.values())
    with contextlib.suppress(OSError):
        Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(parents=True, exist_ok=True)
    process_exit.hold_signals()


# The master takes signals again at once.
os.register_at_fork(after_in_parent=process_exit.take_signals)


def post_fork(server: Any, worker: Any) -> None:
    """Let one worker speak for all of what they all do."""
    FOR_PEOPLE.leads = worker.leads
    if server.cfg.reuse_port:
        # gunicorn has given it listeners of its own for HTTP, in place of all others.
        worker.sockets += server.LISTENERS


def post_worker_init(worker: Any) -> None:
    """Load the models in the worker, and let it take requests when they serve."""
    lifecycle = _lifecycle(worker)
    if hasattr(worker, "loop"):
        worker.loop.run_until_complete(_load(worker, lifecycle))
    else:
        process_exit.take_signals()
        lifecycle.start()
        lifecycle.wait_until_settled(timeout_s=_settings.load_wait_s)
    memory.release_memory()
    if (events := _events(worker)) is not None:
        # A store that cannot be used shows at once, and not with the first sampled request.
        events.writer.start()
    if worker.age == 1 and not _is_stopping(worker):
        _greet(worker, lifecycle)
    FOR_PEOPLE.has_greeted = True


def _greet(worker: Any, lifecycle: Any) -> None:
    from service.server.banner import banner, greeting

    port = _port(worker)
    if _progress:
        _progress.erase()
    if _for_people:
        colours = terminal.has_colours(sys.stdout, os.environ)
        print(greeting(lifecycle, _settings, port, colours=colours), flush=True)
    else:
        print(banner(lifecycle, _settings, port), flush=True)


def _port(worker: Any) -> int | None:
    """Return the port of HTTP that the worker listens on, which PORT=0 does not say."""
    for listening in worker.sockets:
        address = listening.getsockname()
        if isinstance(address, tuple) and address[1] != _settings.grpc_port:
            return int(address[1])
    return None


async def _load(worker: Any, lifecycle: Any) -> None:
    """Wait until the models serve, on the loop: a signal that comes while it stands is lost."""
    process_exit.take_signals()
    try:
        await asyncio.sleep(_LOOK_S)
        if not worker.is_stopping:
            # Nor may a signal come to one of the threads that begin here, TensorFlow's among them.
            process_exit.hold_signals()
            lifecycle.start()
            process_exit.take_signals()
        deadline = time.monotonic() + _settings.load_wait_s
        while not worker.is_stopping and time.monotonic() < deadline:
            if lifecycle.wait_until_settled(timeout_s=0):
                break
            # The master kills workers that do not show that they are alive.
            worker.notify()
            if _progress and worker.age == 1:
                _progress.draw("loading models")
            await asyncio.sleep(_LOOK_S)
    finally:
        # Until the worker serves.
        process_exit.hold_signals()


def worker_exit(server: Any, worker: Any) -> None:
    """End the worker, though a model may still load, or a prediction run, in one of its threads."""
    try:
        # One that failed to start has no lifecycle.
        if _application(worker) is not None:
            if (events := _events(worker)) is not None:
                events.writer.stop(graceful_shutdown.END_S / 3)
            _lifecycle(worker).stop(graceful_shutdown.END_S / 3)
            if (traces := _application(worker).flask.extensions["traces"]) is not None:
                traces.close(graceful_shutdown.END_S / 3)
    finally:
        process_exit.end_process()


def _application(worker: Any) -> Any:
    """Return the application in a worker of ours, or in one of gunicorn's for WSGI."""
    return getattr(worker, "asgi", None) or getattr(worker, "wsgi", None)


def _lifecycle(worker: Any) -> Any:
    return _application(worker).flask.extensions["lifecycle"]


def _events(worker: Any) -> Any:
    return _application(worker).flask.extensions.get("events")


def _is_stopping(worker: Any) -> bool:
    return bool(getattr(worker, "is_stopping", not worker.alive))


def child_exit(server: Any, worker: Any) -> None:
    """Remove the metrics and the connection count of a worker that has ended."""
    # If the master has asked it to end, there are as many workers as there should be.
    is_replaced = len(server.WORKERS) < server.num_workers
    shared_folder.fold_metrics(os.environ, is_restart=is_replaced)
    if hasattr(worker, "connection_count"):
        CONNECTION_COUNTS.release(worker.connection_count)


def pre_exec(server: Any) -> None:
    """Pass the secrets on to the process that takes this one's place (``SIGUSR2``)."""
    server.cfg.env_orig.update(secrets())


def on_exit(server: Any) -> None:
    """Leave no files behind."""
    shared_folder.remove(os.environ)
    _say_stopped()
