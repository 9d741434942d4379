"""What TensorFlow Serving's flags come to: the service's settings, and remarks for the log."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.repository.base_paths import ModelConfigFile, OneModel
from service.repository.errors import RepositoryError
from service.repository.proto_messages import Tables, message_of_tables
from service.repository.text_protos import read_text_proto
from service.settings.allowed_texts import is_free_path
from service.tensorflow_serving.flags import FlagError, Value, without_effect

_GRPC_PORT = 8500
_REST_PORT = 8501
_LAST_PORT = 65535
_LONGEST_POLL_S = 3600
_METRICS_PATH = "/monitoring/prometheus/metrics"
_DOTTED = re.compile(r"[^=,\s]+=[^=,]*")

# Numbers are those of session_bundle_config.proto; a number is a message there, to be absent.
_BATCHING: Tables = {
    "Number": [("value", "int64", 1)],
    "Text": [("value", "string", 1)],
    "BatchingParameters": [
        ("max_batch_size", "Number", 1),
        ("batch_timeout_micros", "Number", 2),
        ("max_enqueued_batches", "Number", 3),
        ("num_batch_threads", "Number", 4),
        ("thread_pool_name", "Text", 5),
        ("allowed_batch_sizes", "*int64", 6),
        ("pad_variable_length_inputs", "bool", 7),
    ],
}
# Numbers are those of monitoring_config.proto.
_MONITORING: Tables = {
    "PrometheusConfig": [("enable", "bool", 1), ("path", "string", 2)],
    "MonitoringConfig": [("prometheus_config", "PrometheusConfig", 1)],
}
_BATCHING_CLASS = message_of_tables("understudy.batching", "BatchingParameters", _BATCHING)
_MONITORING_CLASS = message_of_tables("understudy.monitoring", "MonitoringConfig", _MONITORING)


@dataclass(slots=True)
class FlagSettings:
    """What a command line comes to.

    Attributes:
        variables: the environment variables of settings.
        remarks: what has no effect, or another than in TensorFlow Serving, a sentence each.
    """

    variables: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def flag_settings(flags: Mapping[str, Value]) -> FlagSettings:
    """Return what flags come to.

    Args:
        flags: as ``parse_flags`` returns them.

    Raises:
        FlagError: some cannot be followed.
    """
    result = FlagSettings(remarks=without_effect(flags))
    problems: list[str] = []
    for apply in (_models, _ports, _times, _batching, _monitoring, _channel_arguments):
        try:
            apply(flags, result)
        except FlagError as error:
            problems.append(str(error))
    if flags.get("rest_api_enable_cors_support"):
        result.variables["UNDERSTUDY_CORS_ORIGINS"] = "*"
    if problems:
        raise FlagError("\n".join(problems))
    return result


def _models(flags: Mapping[str, Value], result: FlagSettings) -> None:
    if file := str(flags.get("model_config_file", "")):
        configuration = ModelConfigFile(Path(file), poll_s=0, shared=None)
        configs = _read("model_config_file", configuration.load)
        for model, config in configs.items():
            for name in config.ignored:
                result.remarks.append(f"{name} of {model} has no effect: requests are not logged.")
        poll = int(flags.get("model_config_file_poll_wait_seconds", 0))
        if poll < 0:
            raise FlagError(
                "--model_config_file_poll_wait_seconds: Expected 0, to read the file once, or "
                f"more, not {poll}."
            )
        result.variables["UNDERSTUDY_MODEL_CONFIG_FILE"] = file
        result.variables["UNDERSTUDY_MODEL_CONFIG_POLL_S"] = str(poll)
        return
    base_path = str(flags.get("model_base_path", ""))
    if not base_path:
        raise FlagError(
            "--model_base_path: It is missing; give it, or --model_config_file with several models."
        )
    name = str(flags.get("model_name", "default"))
    _read("model_base_path", lambda: OneModel(name, base_path))
    result.variables["UNDERSTUDY_MODEL_CONFIG_FILE"] = ""
    result.variables["UNDERSTUDY_MODEL_NAME"] = name
    result.variables["UNDERSTUDY_MODEL_BASE_PATH"] = base_path


def _ports(flags: Mapping[str, Value], result: FlagSettings) -> None:
    grpc, rest = int(flags.get("port", _GRPC_PORT)), flags.get("rest_api_port")
    for name, port in (("port", grpc), ("rest_api_port", rest)):
        if port is not None and not 0 <= int(port) <= _LAST_PORT:
            raise FlagError(f"--{name}: Expected a port from 0 to {_LAST_PORT}, not {port}.")
    if rest == 0:
        raise FlagError(
            "--rest_api_port=0 is not supported: probes and metrics need HTTP. Leave it out, which "
            f"listens on {_REST_PORT}, and do not publish that port."
        )
    if rest is not None and rest == grpc:
        raise FlagError(f"--port and --rest_api_port are both {grpc}; give them different ports.")
    result.variables["UNDERSTUDY_GRPC_PORT"] = str(grpc)
    if rest is not None:
        result.variables["PORT"] = str(rest)


def _times(flags: Mapping[str, Value], result: FlagSettings) -> None:
    if (timeout := flags.get("rest_api_timeout_in_ms")) is not None:
        if timeout <= 0:  # type: ignore[operator]
            raise FlagError(
                f"--rest_api_timeout_in_ms: Expected at least 1 millisecond, not {timeout}."
            )
        result.variables["UNDERSTUDY_TIMEOUT_S"] = f"{int(timeout) / 1000:g}"
    if (poll := flags.get("file_system_poll_wait_seconds")) is None:
        return
    if int(poll) <= 0:
        raise FlagError(
            f"--file_system_poll_wait_seconds={poll} is not supported: new versions are always "
            "looked for. Leave it out, and name the versions that serve by model_version_policy "
            "{ specific { versions: N } } in --model_config_file."
        )
    if int(poll) > _LONGEST_POLL_S:
        raise FlagError(
            f"--file_system_poll_wait_seconds: Expected at most {_LONGEST_POLL_S}, not {poll}."
        )
    result.variables["UNDERSTUDY_POLL_INTERVAL_S"] = str(poll)


def _batching(flags: Mapping[str, Value], result: FlagSettings) -> None:
    file = str(flags.get("batching_parameters_file", ""))
    if not file:
        return
    message = _read(
        "batching_parameters_file", lambda: read_text_proto(Path(file), _BATCHING_CLASS)
    )
    if message.HasField("max_batch_size"):
        size = message.max_batch_size.value
        if size < 1:
            raise FlagError(
                f"--batching_parameters_file: {file}: max_batch_size: Expected at least 1, not "
                f"{size}."
            )
        result.variables["UNDERSTUDY_MAX_BATCH_ROWS"] = str(size)
    given = [descriptor.name for descriptor, _ in message.ListFields()]
    ignored = [name for name in given if name != "max_batch_size"]
    if ignored:
        result.remarks.append(
            f"Of {file}, {', '.join(ignored)} {'has' if len(ignored) == 1 else 'have'} no effect: "
            "batches are formed of what waits at the moment at which the last one ends, "
            "without a timer, a queue of batches, threads or padding."
        )


def _monitoring(flags: Mapping[str, Value], result: FlagSettings) -> None:
    file = str(flags.get("monitoring_config_file", ""))
    if not file:
        return
    message = _read(
        "monitoring_config_file", lambda: read_text_proto(Path(file), _MONITORING_CLASS)
    )
    config = message.prometheus_config
    if not config.enable:
        return
    path = config.path or _METRICS_PATH
    if not is_free_path(path):
        raise FlagError(
            f"--monitoring_config_file: {file}: path: {path!r} cannot serve the metrics; expected "
            f"a path such as {_METRICS_PATH} that nothing else is served at."
        )
    result.variables["UNDERSTUDY_TENSORFLOW_SERVING_METRICS"] = path


def _channel_arguments(flags: Mapping[str, Value], result: FlagSettings) -> None:
    text = str(flags.get("grpc_channel_arguments", ""))
    for argument in text.split(",") if text else ():
        if not _DOTTED.fullmatch(argument):
            raise FlagError(
                f"--grpc_channel_arguments: Expected name=value between commas, not {argument!r}."
            )


def _read(flag: str, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except RepositoryError as error:
        raise FlagError(f"--{flag}: {error}") from error
