"""Every setting of the service, once: its name, default, meaning and environment variable."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from socket import gethostname
from typing import Annotated

from service.images.size_limits import MOST_PIXELS
from service.settings.allowed_texts import (
    is_free_path,
    is_host,
    is_name,
    is_network,
    is_origin,
    is_token,
)
from service.settings.environment_variables import (
    EnvironmentVariable,
    SettingError,
    parse,
    unknown_variables,
    variables_of,
)
from service.settings.usable_cores import usable_cores

# Bounds of counts, seconds and bytes that are far above all that can be meant: beyond them is a
# slip. No thread can wait for ten times as many seconds.
_MOST = 10**9
_MOST_BYTES = 2**40


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The service's settings."""

    models: Annotated[
        Path,
        EnvironmentVariable(
            "MODELS",
            "folder of models to serve, or the URL of an object store, such as s3://bucket/prefix",
        ),
    ] = Path("saved_models")
    mirror_folder: Annotated[
        Path | None,
        EnvironmentVariable(
            "UNDERSTUDY_MIRROR_FOLDER",
            "folder that MODELS is mirrored into where it is an object store; unset, one in the "
            "user's cache",
        ),
    ] = None
    mirror_interval_s: Annotated[
        float,
        EnvironmentVariable(
            "UNDERSTUDY_MIRROR_INTERVAL_S",
            "how often to look at the object store that MODELS names, in seconds",
            least=0.1,
            most=86_400,
        ),
    ] = 30.0
    model_name: Annotated[
        str,
        EnvironmentVariable(
            "UNDERSTUDY_MODEL_NAME", "name of the model at UNDERSTUDY_MODEL_BASE_PATH"
        ),
    ] = "default"
    model_base_path: Annotated[
        str,
        EnvironmentVariable(
            "UNDERSTUDY_MODEL_BASE_PATH",
            "folder that holds one model's versions, or one SavedModel, served instead of MODELS",
        ),
    ] = ""
    model_config_file: Annotated[
        Path | None,
        EnvironmentVariable(
            "UNDERSTUDY_MODEL_CONFIG_FILE",
            "TensorFlow Serving's file of models and their base paths, served instead of MODELS",
        ),
    ] = None
    model_config_poll_s: Annotated[
        float,
        EnvironmentVariable(
            "UNDERSTUDY_MODEL_CONFIG_POLL_S",
            "how often to look at UNDERSTUDY_MODEL_CONFIG_FILE, in seconds; 0: once, at the start",
            least=0,
            most=_MOST,
        ),
    ] = 0.0
    host: Annotated[str, EnvironmentVariable("HOST", "address to listen on")] = "127.0.0.1"
    port: Annotated[int, EnvironmentVariable("PORT", "port to listen on", least=0, most=65535)] = (
        8501
    )
    replica: Annotated[
        str,
        EnvironmentVariable(
            "UNDERSTUDY_REPLICA",
            "name of this replica in GET /v1/models and metrics; unset, the host's, which of a "
            "container is its id and of a pod its name",
            is_text=is_name,
            text="a name of printable characters in UTF-8",
        ),
    ] = field(default_factory=gethostname)
    workers: Annotated[
        int,
        EnvironmentVariable(
            "UNDERSTUDY_WORKERS", "worker processes; unset, one per core", least=1, most=1024
        ),
    ] = field(default_factory=usable_cores)
    threads: Annotated[
        int,
        EnvironmentVariable(
            "UNDERSTUDY_THREADS",
            "threads of one worker for everything but predictions",
            least=1,
            most=1024,
        ),
    ] = 16
    poll_interval_s: Annotated[
        float,
        EnvironmentVariable(
            "UNDERSTUDY_POLL_INTERVAL_S",
            "how often to look for new versions, in seconds",
            least=0.1,
            most=3600,
        ),
    ] = 1.0
    quiet_s: Annotated[
        float,
        EnvironmentVariable(
            "UNDERSTUDY_QUIET_S",
            "how long a version without a manifest must stay unchanged before it is loaded, in "
            "seconds",
            least=0,
            most=_MOST,
        ),
    ] = 3.0
    load_wait_s: Annotated[
        float,
        EnvironmentVariable(
            "UNDERSTUDY_LOAD_WAIT_S",
            "how long a starting worker may load models before it accepts requests anyway, in "
            "seconds",
            least=0,
            most=_MOST,
        ),
    ] = 60.0
    load_timeout_s: Annotated[
        float,
        EnvironmentVariable(
            "UNDERSTUDY_LOAD_TIMEOUT_S",
            "how long verifying, loading, warming up and proving a version may each take, in "
            "seconds",
            least=1,
            most=_MOST,
        ),
    ] = 300.0
    grpc_port: Annotated[
        int,
        EnvironmentVariable(
            "UNDERSTUDY_GRPC_PORT",
            "port of the gRPC services, 8500 in containers; 0: none",
            least=0,
            most=65_535,
        ),
    ] = 0
    tls_certificate: Annotated[
        Path | None,
        EnvironmentVariable(
            "UNDERSTUDY_TLS_CERTIFICATE",
            "file of the certificate, with its chain, with which HTTP and gRPC are encrypted",
        ),
    ] = None
    tls_key: Annotated[
        Path | None,
        EnvironmentVariable("UNDERSTUDY_TLS_KEY", "file of the certificate's private key"),
    ] = None
    tls_client_ca: Annotated[
        Path | None,
        EnvironmentVariable(
            "UNDERSTUDY_TLS_CLIENT_CA",
            "file of the authorities one of which must have signed each client's certificate",
        ),
    ] = None
    workers_folder: Annotated[
        Path | None,
        EnvironmentVariable(
            "UNDERSTUDY_WORKERS_FOLDER",
            "folder in which workers agree on what serves; gunicorn's master makes one",
        ),
    ] = None
    max_body_bytes: Annotated[
        int,
        EnvironmentVariable(
            "UNDERSTUDY_MAX_BODY_BYTES", "largest request body, in bytes", least=1, most=_MOST_BYTES
        ),
    ] = 32 * 1024 * 1024
    max_bodies_bytes: Annotated[
        int,
        EnvironmentVariable(
            "UNDERSTUDY_MAX_BODIES_BYTES",
            "most bytes of large request bodies (above 64 KiB) at the same time in one worker; "
            "more are answered with 503",
            least=1,
            most=_MOST_BYTES,
        ),
    ] = 256 * 1024 * 1024
    max_image_pixels: Annotated[
        int,
        EnvironmentVariable(
            "UNDERSTUDY_MAX_IMAGE_PIXELS",
            "most pixels of one picture; all pictures of a request may have eight times as many",
            least=1,
            most=_MOST_BYTES,
        ),
    ] = MOST_PIXELS
    max_rows: Annotated[
        int,
        EnvironmentVariable("UNDERSTUDY_MAX_ROWS", "most rows of one request", least=1, most=_MOST),
    ] = 50_000
    max_batch_rows: Annotated[
        int,
        EnvironmentVariable(
            "UNDERSTUDY_MAX_BATCH_ROWS",
            "most rows that a model runs at once; larger requests are divided",
            least=1,
            most=_MOST,
        ),
    ] = 64
    max_queue: Annotated[
        int,
        EnvironmentVariable(
            "UNDERSTUDY_MAX_QUEUE",
            "most predictions under way for one model in one worker; more are answered with 503",
            least=1,
            most=_MOST,
        ),
    ] = 1024
    timeout_s: Annotated[
        float,
        EnvironmentVariable(
            "UNDERSTUDY_TIMEOUT_S",
            "how long a prediction may take, in seconds; clients may ask for less",
            least=0.001,
            most=_MOST,
        ),
    ] = 30.0
    stuck_exit_s: Annotated[
        float,
        EnvironmentVariable(
            "UNDERSTUDY_STUCK_EXIT_S",
            "how long a prediction may continue after UNDERSTUDY_TIMEOUT_S before its worker is "
            "replaced, in seconds; 0: forever",
            least=0,
            most=_MOST,
        ),
    ] = 60.0
    max_errors: Annotated[
        int,
        EnvironmentVariable(
            "UNDERSTUDY_MAX_ERRORS",
            "most problems that are listed for one request",
            least=1,
            most=1000,
        ),
    ] = 20
    drain_s: Annotated[
        int,
        EnvironmentVariable(
            "UNDERSTUDY_DRAIN_S",
            "how long running requests may take when the service stops, in seconds",
            least=0,
            most=86_400,
        ),
    ] = 30
    read_timeout_s: Annotated[
        float,
        EnvironmentVariable(
            "UNDERSTUDY_READ_TIMEOUT_S",
            "how long a client may take to send a request or read an answer, in seconds; plus 1 "
            "for each 64 KiB",
            least=1,
            most=_MOST,
        ),
    ] = 10.0
    lame_duck_s: Annotated[
        float,
        EnvironmentVariable(
            "UNDERSTUDY_LAME_DUCK_S",
            "how long a stopping worker continues to answer while /readyz already returns 503, in "
            "seconds",
            least=0,
            most=_MOST,
        ),
    ] = 1.0
    admin_token: Annotated[
        str,
        EnvironmentVariable(
            "UNDERSTUDY_ADMIN_TOKEN",
            "token of the admin API, which is off without one",
            is_text=is_token,
            text="a token",
        ),
    ] = field(default="", repr=False)
    keys_file: Annotated[
        Path | None,
        EnvironmentVariable(
            "UNDERSTUDY_KEYS_FILE", "file of API keys; with one, predictions need a key"
        ),
    ] = None
    keys_for_reads: Annotated[
        bool,
        EnvironmentVariable(
            "UNDERSTUDY_KEYS_FOR_READS",
            "everything but probes and the page's files needs a key, not predictions alone",
        ),
    ] = False
    allowed_hosts: Annotated[
        tuple[str, ...],
        EnvironmentVariable(
            "UNDERSTUDY_ALLOWED_HOSTS",
            "names in Host that are answered, with commas between them; *.example.org for all "
            "below; unset, any",
            is_item=is_host,
            item="a host's name without a port",
        ),
    ] = ()
    cors_origins: Annotated[
        tuple[str, ...],
        EnvironmentVariable(
            "UNDERSTUDY_CORS_ORIGINS",
            "origins whose pages may read answers, such as https://example.org, with commas "
            "between them; * for all",
            is_item=is_origin,
            item="an origin such as https://example.org",
        ),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        EnvironmentVariable(
            "UNDERSTUDY_TRUSTED_PROXIES",
            "addresses and networks of proxies whose X-Forwarded-For is believed, with commas "
            "between them",
            is_item=is_network,
            item="an address, or a network such as 10.0.0.0/8",
        ),
    ] = ()
    drift: Annotated[
        bool,
        EnvironmentVariable(
            "UNDERSTUDY_DRIFT",
            "compare live rows with those that a version was measured with, where it brings a "
            "reference",
        ),
    ] = True
    drift_minimum_effect: Annotated[
        float,
        EnvironmentVariable(
            "UNDERSTUDY_DRIFT_MINIMUM_EFFECT",
            "population stability index (PSI) below which a change does not matter",
            least=0.001,
            most=10,
        ),
    ] = 0.1
    events: Annotated[
        str,
        EnvironmentVariable(
            "UNDERSTUDY_EVENTS",
            "where a sample of predictions is stored, with feedback: a file of SQLite, or the URL "
            "of a PostgreSQL; unset, nothing is stored",
        ),
    ] = field(default="", repr=False)
    events_rate: Annotated[
        float,
        EnvironmentVariable(
            "UNDERSTUDY_EVENTS_RATE",
            "share of predictions that is stored, 0 to 1; a model's policy may say another",
            least=0,
            most=1,
        ),
    ] = 0.1
    events_max_days: Annotated[
        float,
        EnvironmentVariable(
            "UNDERSTUDY_EVENTS_MAX_DAYS",
            "after how many days a stored prediction is removed, with its feedback",
            least=0.001,
            most=36_500,
        ),
    ] = 30.0
    events_max_bytes: Annotated[
        int,
        EnvironmentVariable(
            "UNDERSTUDY_EVENTS_MAX_BYTES",
            "about how many bytes of predictions are stored; the oldest are removed first",
            least=1,
            most=_MOST_BYTES,
        ),
    ] = 1024 * 1024 * 1024
    page: Annotated[
        bool,
        EnvironmentVariable(
            "UNDERSTUDY_PAGE", "serve the page for people, at / and /models/<model>"
        ),
    ] = True
    access_log: Annotated[
        bool,
        EnvironmentVariable("UNDERSTUDY_ACCESS_LOG", "log every request, not only failed ones"),
    ] = False
    tensorflow_serving_metrics: Annotated[
        str,
        EnvironmentVariable(
            "UNDERSTUDY_TENSORFLOW_SERVING_METRICS",
            "path that serves the metrics with TensorFlow Serving's names beside ours, such as "
            "/monitoring/prometheus/metrics; unset, none",
            is_text=is_free_path,
            text="a path such as /monitoring/prometheus/metrics that nothing else is served at",
        ),
    ] = ""
    log_format: Annotated[
        str,
        EnvironmentVariable(
            "UNDERSTUDY_LOG_FORMAT",
            "form of the log: json, text, or auto, which is text on a terminal and json elsewhere",
            choices=("auto", "json", "text"),
        ),
    ] = "auto"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the settings that ``environ`` holds; the others keep their defaults.

        Raises:
            SettingError: values are not of their settings' kinds; it names all of them, and the
                variables that look like a setting but are not one.
        """
        values, problems = {}, []
        for name, kind, variable in variables_of(cls):
            if environ.get(variable.name):
                try:
                    values[name] = parse(kind, variable, environ[variable.name])
                except SettingError as error:
                    problems.append(str(error))
        if problems:
            # A misspelled name may be among what is wrong; without another fault it is a warning.
            raise SettingError("\n".join([*problems, *cls.unknown(environ)]))
        return cls(**values)

    @classmethod
    def unknown(cls, environ: Mapping[str, str]) -> list[str]:
        """Return a sentence for each variable that looks like a setting but is not one."""
        return unknown_variables({variable.name for _, _, variable in variables_of(cls)}, environ)

    @classmethod
    def table(cls) -> list[tuple[EnvironmentVariable, str]]:
        """Return each setting's variable and its default as text, for people."""
        defaults = {item.name: item.default for item in fields(cls)}
        return [
            (variable, "" if defaults[name] in (MISSING, None, ()) else str(defaults[name]))
            for name, _, variable in variables_of(cls)
        ]
