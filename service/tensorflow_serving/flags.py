"""TensorFlow Serving's flags: which there are, and how a command line is read."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

_INT32 = 2**31


class FlagError(Exception):
    """A command line cannot be followed; one line for each flag, with what to do instead."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag.

    Attributes:
        name: without the dashes.
        kind: of its value: ``str``, ``int``, ``float`` or ``bool``.
        instead: of a flag that has no effect here: why it needs none, or what to do.
        refused: whether a command with it is refused, since what it asks for would be missed;
            but for values that ask for nothing.
        harmless: values that ask for nothing beside the empty one.
    """

    name: str
    kind: type = str
    instead: str = ""
    refused: bool = False
    harmless: tuple[object, ...] = ()

    def is_default(self, value: object) -> bool:
        """Whether a value is the same as leaving the flag out."""
        return value in ("", *self.harmless)


Value = str | int | float | bool

_LOADS = "versions are loaded one after the other on threads of their own"
_CORES = "each worker process has its share of the cores; set UNDERSTUDY_WORKERS"
_TFLITE = "TensorFlow Lite models are not served"

FLAGS: Mapping[str, Flag] = {
    flag.name: flag
    for flag in (
        Flag("model_name"),
        Flag("model_base_path"),
        Flag("model_config_file"),
        Flag("model_config_file_poll_wait_seconds", int),
        Flag("port", int),
        Flag("rest_api_port", int),
        Flag("rest_api_timeout_in_ms", int),
        Flag("rest_api_enable_cors_support", bool),
        Flag("batching_parameters_file"),
        Flag("monitoring_config_file"),
        Flag("file_system_poll_wait_seconds", int),
        Flag("version", bool),
        # What has no effect, because nothing is missed without it.
        Flag(
            "enable_batching",
            bool,
            "requests that arrive together always run together, without a timer, if their rows "
            "are independent",
        ),
        Flag(
            "max_num_load_retries",
            int,
            "a load that fails because of the machine is tried again, less and less often; a "
            "version that cannot serve is tried again when its files change",
        ),
        Flag("load_retry_interval_micros", int, "the pause doubles from half a second to 30 s"),
        Flag(
            "grpc_channel_arguments",
            str,
            "the service sets gRPC's arguments itself, from its own settings",
        ),
        Flag("grpc_max_threads", int, "gRPC calls are answered on each worker's event loop"),
        Flag("rest_api_num_threads", int, "predictions run on each worker's event loop"),
        Flag("num_load_threads", int, _LOADS),
        Flag("num_unload_threads", int, _LOADS),
        Flag("flush_filesystem_caches", bool, "the system's cache is left alone"),
        Flag("tensorflow_session_parallelism", int, _CORES),
        Flag("tensorflow_intra_op_parallelism", int, _CORES),
        Flag("tensorflow_inter_op_parallelism", int, _CORES),
        Flag(
            "allow_version_labels_for_unavailable_models",
            bool,
            "a label of a version that does not serve is always accepted",
        ),
        Flag(
            "enable_model_warmup",
            bool,
            "every version is warmed up; one without assets.extra/tf_serving_warmup_requests by "
            "placeholders",
        ),
        Flag("num_request_iterations_for_warmup", int, "each warm-up record is replayed once"),
        Flag(
            "enable_signature_method_name_check",
            bool,
            "signatures of kind predict are served by :classify and :regress as well",
        ),
        Flag("remove_unused_fields_from_bundle_metagraph", bool, "only what is needed is kept"),
        Flag(
            "enable_per_model_batching_parameters",
            bool,
            "requests that arrive together always run together; UNDERSTUDY_MAX_BATCH_ROWS bounds "
            "batches of all models",
        ),
        Flag("xla_cpu_compilation_enabled", bool, "a graph compiles what it marks for it itself"),
        Flag("num_tflite_pools", int, _TFLITE),
        Flag("num_tflite_interpreters_per_pool", int, _TFLITE),
        # What would be missed.
        Flag(
            "grpc_socket_path",
            instead="sockets of files are not listened on; give --port",
            refused=True,
        ),
        Flag(
            "ssl_config_file",
            instead="certificates are set by the service's own settings, which are in "
            "docs/reference/settings.md, or by a proxy in front",
            refused=True,
        ),
        Flag("use_alts_credentials", bool, "put a proxy in front that has them", True, (False,)),
        Flag(
            "platform_config_file",
            instead="SavedModels are all that is served; leave it out",
            refused=True,
        ),
        Flag(
            "saved_model_tags",
            instead='the graph with the tag "serve" is served alone; export it so',
            refused=True,
            harmless=("serve",),
        ),
        Flag(
            "tensorflow_session_config_file",
            instead="sessions are set up by the service; leave it out",
            refused=True,
        ),
        Flag("prefer_tflite_model", bool, f"{_TFLITE}; leave it out", True, (False,)),
        Flag("use_tflite_model", bool, f"{_TFLITE}; leave it out", True, (False,)),
        Flag(
            "mixed_precision",
            instead="a version's card states its precision: train or import it with "
            "--precision bf16",
            refused=True,
        ),
        Flag(
            "per_process_gpu_memory_fraction",
            float,
            "set TF_FORCE_GPU_ALLOW_GROWTH=true in the environment instead",
            True,
            (0.0,),
        ),
        Flag(
            "enable_profiler",
            bool,
            "profile the process by a profiler such as py-spy",
            True,
            (False,),
        ),
        Flag("thread_pool_factory_config_file", instead=f"{_CORES}; leave it out", refused=True),
    )
}


def parse_flags(arguments: Iterable[str]) -> dict[str, Value]:
    """Return the flags of a command line by their names; the last of each counts, as there.

    ``--flag=value`` and ``--flag value`` are the same. A boolean is true as ``--flag`` or
    ``--flag=true`` and false as ``--flag=false``, as TensorFlow Serving reads them.

    Raises:
        FlagError: some cannot be followed.
    """
    found: dict[str, Value] = {}
    problems: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, has_value, text = word.removeprefix("--").partition("=")
        flag = FLAGS.get(name) if word.startswith("--") else None
        if flag is None:
            problems.append(_unknown(word, found))
            continue
        if not has_value and flag.kind is not bool:
            if not rest or rest[0].startswith("--"):
                problems.append(f"--{name}: A value is missing; write --{name}=VALUE.")
                continue
            text = rest.pop(0)
        elif not has_value:
            text = "true"
        try:
            value = _PARSERS[flag.kind](text)
        except ValueError as error:
            problems.append(f"--{name}: Expected {error}, not {text!r}.")
            continue
        if flag.refused and not flag.is_default(value):
            problems.append(f"--{name} is not supported: {flag.instead}.")
            continue
        found[name] = value
    if problems:
        raise FlagError("\n".join(problems))
    return found


def without_effect(flags: Mapping[str, Value]) -> list[str]:
    """Return a sentence for each flag that is accepted and has no effect."""
    return [
        f"--{name} has no effect: {FLAGS[name].instead}."
        for name, value in flags.items()
        if FLAGS[name].instead and not FLAGS[name].refused and value not in (False, "")
    ]


def usage() -> str:
    """Return all flags, a line each, for people."""
    kinds = {str: "VALUE", int: "N", float: "X", bool: "true|false"}
    lines = []
    for flag in FLAGS.values():
        written = f"--{flag.name}={kinds[flag.kind]}"
        note = "not supported" if flag.refused else "no effect" if flag.instead else ""
        lines.append(f"  {written}{f'  ({note}: {flag.instead})' if note else ''}")
    return "\n".join(lines)


def _unknown(word: str, found: Mapping[str, Value]) -> str:
    if not word.startswith("--"):
        last = next(reversed([*found]), "")
        if word in ("true", "false") and last and FLAGS[last].kind is bool:
            return f"{word!r} is not a flag; write --{last}={word}."
        return f"{word!r} is not a flag; a flag is written as --model_name=half."
    name = word.removeprefix("--").partition("=")[0]
    close = get_close_matches(name.replace("-", "_"), FLAGS, n=1, cutoff=0.7)
    hint = f" Did you mean --{close[0]}?" if close else " --help lists those that there are."
    return f"--{name} is not a flag of TensorFlow Serving that is known here.{hint}"


def _bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("true or false")
    return text == "true"


def _int(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,15}", text) or not -_INT32 <= int(text) < _INT32:
        raise ValueError("a whole number of 32 bits")
    return int(text)


def _float(text: str) -> float:
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        raise ValueError("a number")
    return float(text)


_PARSERS: Mapping[type, Callable[[str], Value]] = {
    str: str,
    int: _int,
    float: _float,
    bool: _bool,
}
