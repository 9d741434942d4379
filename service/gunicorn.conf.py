"""gunicorn's configuration: what to run, and what happens in master and workers.

gunicorn reads the plain names as its settings and calls the functions as its hooks.
"""

import importlib
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

from service import ending, run_folder
from service.logs import LOG_CONFIG
from service.seats import SEATS
from service.settings import SettingError, Settings

try:
    _settings = Settings.from_environ(os.environ)
except SettingError as error:
    sys.exit(f"understudy: {error}")

# Importing TensorFlow takes seconds; gunicorn handles no signals before.
ending.stop_at_once_when_asked(lambda: run_folder.remove(os.environ))
# Before anything imports prometheus_client, which looks for the directory once; so what leads
# to it is imported further down, inside the hooks.
run_folder.prepare(os.environ)

wsgi_app = "service.app:create_app()"
worker_class = "service.worker.Worker"
logger_class = "service.worker.QuietLogger"
# An IPv6 address has colons of its own.
_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host
bind = f"{_host}:{_settings.port}"
workers = _settings.workers
threads = _settings.threads
# "auto" would take gunicorn_h1c where it happens to be installed; docs/performance.md says why not.
http_parser = "python"
# What a worker gets to end in when it has done all it may wait for, before it is killed.
_END_S = 3
graceful_timeout = math.ceil(_settings.drain_s + _settings.lame_duck_s) + _END_S
# Longer than load balancers keep idle connections, so that it is they who close them, and not
# this side at the moment at which a request is on its way.
keepalive = 75
# The control socket is a thread in the master and a file; there is no use for either here.
control_socket_disable = True
logconfig_dict = LOG_CONFIG
# The heartbeat is a file's time; on a container's overlay file system writing it can block.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None


def on_starting(server: Any) -> None:
    """Import TensorFlow in the master, so that workers share its memory and start quickly.

    Importing is all that may happen there: after any TensorFlow operation a fork hangs.
    """
    importlib.import_module("service.app")
    importlib.import_module("service.runtime.memory").prepare_to_fork()


def pre_fork(server: Any, worker: Any) -> None:
    """Let no signal come to a worker that still has its master's handlers."""
    ending.hold_signals()


# In the master, which goes on at once.
os.register_at_fork(after_in_parent=ending.take_signals)


def post_worker_init(worker: Any) -> None:
    """Load the models in the worker, and let it take requests when they serve."""
    ending.take_signals()
    lifecycle = worker.wsgi.extensions["lifecycle"]
    if worker.alive:
        lifecycle.start()
    deadline = time.monotonic() + _settings.load_wait_s
    while worker.alive and time.monotonic() < deadline:
        if lifecycle.wait_until_settled(timeout_s=0.1):
            break
        # The master kills workers that do not show that they are alive.
        worker.notify()
    if worker.age == 1 and worker.alive:
        from service.banner import banner

        print(banner(lifecycle, _settings), flush=True)


def worker_exit(server: Any, worker: Any) -> None:
    """End the worker, though a model may still load, or a prediction run, in one of its threads."""
    try:
        # One that failed to start has no lifecycle.
        if hasattr(worker, "wsgi"):
            worker.wsgi.extensions["lifecycle"].stop(_END_S / 3)
    finally:
        ending.end_process()


def child_exit(server: Any, worker: Any) -> None:
    """Forget what a worker showed that is gone, however it went."""
    run_folder.forget_worker(worker.pid)
    if hasattr(worker, "seat"):
        SEATS.give_back(worker.seat)


def on_exit(server: Any) -> None:
    """Leave no files behind."""
    run_folder.remove(os.environ)
