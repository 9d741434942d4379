"""``tensorflow_model_server``: the service, started as TensorFlow Serving is."""

import logging
import logging.config
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata

import service
from service.monitoring import terminal
from service.monitoring.logs import AUTO, FOR_PEOPLE, TEXT, log, log_config
from service.server.gunicorn_command import become_gunicorn
from service.settings.environment_variables import SettingError
from service.settings.settings import Settings
from service.tensorflow_serving.flag_settings import flag_settings
from service.tensorflow_serving.flags import FlagError, parse_flags, usage

NAME = "tensorflow_model_server"
_FAILED = 2
# Where the image of TensorFlow Serving looks for a model that is not named otherwise.
_BASE_PATH, _MODEL = "/models", "model"
_GRPC_PORT, _REST_PORT = "8500", "8501"


def main(arguments: Sequence[str], name: str = NAME) -> int:
    """Become the service that flags describe; return an exit code if that cannot be.

    Args:
        arguments: the command line, without the command.
        name: what the command is called, for messages.
    """
    # The service takes over the process; what it says until then is in its log as well.
    try:
        if "--help" in arguments:
            print(f"Usage: {name} --model_name=half --model_base_path=/models/half\n{usage()}")
            return 0
        flags = parse_flags(arguments)
        if flags.get("version"):
            print(_version())
            return 0
        found = flag_settings(flags)
        # It listens everywhere, as TensorFlow Serving does.
        environment = {"HOST": "0.0.0.0", **os.environ, **found.variables}
        settings = Settings.from_environ(environment)
    except (FlagError, SettingError) as error:
        for line in str(error).splitlines():
            print(f"{name}: {line}", file=sys.stderr)
        return _FAILED
    _log(settings, found.remarks)
    become_gunicorn(environment)
    return _FAILED


def image_arguments(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Return the flags with which TensorFlow Serving's image starts its server.

    Args:
        arguments: those of the container, which win over the environment's.
        environment: may name the model (``MODEL_NAME``), the folder above its base path
            (``MODEL_BASE_PATH``) and the ports (``GRPC_PORT``, ``PORT``).
    """
    model = environment.get("MODEL_NAME") or _MODEL
    folder = environment.get("MODEL_BASE_PATH") or _BASE_PATH
    return [
        f"--port={environment.get('GRPC_PORT') or _GRPC_PORT}",
        f"--rest_api_port={environment.get('PORT') or _REST_PORT}",
        f"--model_name={model}",
        f"--model_base_path={folder.rstrip('/')}/{model}",
        *arguments,
    ]


def run() -> int:
    """Run the command of this process: ``tensorflow_model_server``."""
    return main(sys.argv[1:])


def run_in_image() -> int:
    """Run what a container of the image is given, as both images' users write it.

    Without a command, or with flags alone, it is TensorFlow Serving's image that was meant if
    the environment names a model or there are flags; all else is a command of its own.
    """
    given = sys.argv[1:]
    is_default = given in ([], ["understudy", "serve"])
    if (given and given[0].startswith("-")) or (is_default and os.environ.get("MODEL_NAME")):
        return main(image_arguments([] if is_default else given, os.environ))
    command = given or ["understudy", "serve"]
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return _FAILED


def _log(settings: Settings, remarks: Sequence[str]) -> None:
    for_people = settings.log_format == TEXT or (
        settings.log_format == AUTO and terminal.is_terminal(sys.stderr)
    )
    colours = for_people and terminal.has_colours(sys.stderr, os.environ)
    logging.config.dictConfig(log_config(text=for_people, colours=colours))
    FOR_PEOPLE.has_greeted = True
    for remark in remarks:
        log(logging.INFO, remark)


def _version() -> str:
    tensorflow = "not installed"
    for package in ("tensorflow", "tensorflow-cpu"):
        try:
            tensorflow = metadata.version(package)
            break
        except metadata.PackageNotFoundError:
            continue
    return (
        f"TensorFlow ModelServer: Understudy {service.__version__}\n"
        f"TensorFlow Library: {tensorflow}"
    )
