"""A store that speaks S3's protocol, for trying replicas out: in memory, and open to all.

One request at a time, so that a condition and its put are one step, as S3 has it.
"""

import urllib.request
from threading import Thread

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

_PORT = 9000
_BUCKET = "models"

if __name__ == "__main__":
    server = make_server("0.0.0.0", _PORT, DomainDispatcherApplication(create_backend_app))
    thread = Thread(target=server.serve_forever)
    thread.start()
    bucket = urllib.request.Request(f"http://127.0.0.1:{_PORT}/{_BUCKET}", method="PUT")
    urllib.request.urlopen(bucket).close()
    thread.join()
