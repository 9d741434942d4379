"""A process that mirrors a store: beside a service, which it ends with, or on its own."""

import logging
import os
import sys
import threading
from pathlib import Path

from service.mirroring.mirror_logs import log_as_the_service_does
from service.mirroring.mirror_loop import follow
from service.mirroring.mirror_metrics import MirrorMetrics
from service.monitoring.logs import log
from service.repository.errors import RepositoryError
from service.repository.object_store.bucket import Bucket
from service.repository.object_store.mirror import Mirror
from service.repository.object_store.mirror_folder import MirrorFolder


def mirror_store(url: str, root: Path, interval_s: float) -> None:
    """Let a folder follow a store; does not return before the process is interrupted.

    Args:
        url: the store's.
        root: the folder.
        interval_s: seconds between two looks.

    Raises:
        RepositoryError: the store cannot be used here, or the folder mirrors another one.
        OSError: the folder cannot be written.
    """
    bucket = Bucket(url)
    folder = MirrorFolder(root, url)
    log_as_the_service_does()
    pause = threading.Event()
    follow(
        Mirror(bucket, folder),
        folder,
        MirrorMetrics(bucket),
        interval_s=interval_s,
        wait=pause.wait,
    )


def end_with_the_service() -> None:
    """End this process when the service is gone, which holds the other end of standard input."""

    def wait() -> None:
        # Not by sys.stdin: its lock, held by a thread that waits, breaks the interpreter's own end.
        while os.read(0, 1024):
            pass
        # Whatever it does just now: what is half there is gone on with the next time.
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    end_with_the_service()
    try:
        mirror_store(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
    except (RepositoryError, OSError) as error:
        log_as_the_service_does()
        log(logging.ERROR, f"Mirror: {error}")
        sys.exit(1)
