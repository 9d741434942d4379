"""TensorFlow Serving's flags, as they stand in compose files and charts."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from service.settings.settings import Settings
from service.tensorflow_serving import command
from service.tensorflow_serving.command import image_arguments, main, run_in_image
from service.tensorflow_serving.flag_settings import flag_settings
from service.tensorflow_serving.flags import FLAGS, FlagError, parse_flags

ONE = ["--model_name=half", "--model_base_path=/models/half"]


def settings(*arguments: str) -> Settings:
    return Settings.from_environ(flag_settings(parse_flags([*ONE, *arguments])).variables)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--port=1", "--port=2"], {"port": 2}),
        (["--port", "9000", "--enable_batching", "--model_name", "half"], {"port": 9000, "enable_batching": True, "model_name": "half"}),
        (["--enable_batching=true"], {"enable_batching": True}),
        (["--enable_batching=false"], {"enable_batching": False}),
        (["--model_name=a=b"], {"model_name": "a=b"}),
        (["--monitoring_config_file="], {"monitoring_config_file": ""}),
        (["--saved_model_tags=serve", "--per_process_gpu_memory_fraction=0.0"], {"saved_model_tags": "serve", "per_process_gpu_memory_fraction": 0.0}),
        (["--ssl_config_file="], {"ssl_config_file": ""}),
    ],
)  # fmt: skip
def test_both_spellings_and_the_last_of_each(
    arguments: Sequence[str], expected: dict[str, object]
) -> None:
    assert parse_flags(arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--modle_name=half"], "--modle_name is not a flag of TensorFlow Serving that is known here. Did you mean --model_name?"),
        (["--model-name=half"], "--model-name is not a flag of TensorFlow Serving that is known here. Did you mean --model_name?"),
        (["--zzz"], "--zzz is not a flag of TensorFlow Serving that is known here. --help lists those that there are."),
        (["-port=1"], "'-port=1' is not a flag; a flag is written as --model_name=half."),
        (["half"], "'half' is not a flag; a flag is written as --model_name=half."),
        (["--enable_batching", "true"], "'true' is not a flag; write --enable_batching=true."),
        (["--enable_batching=1"], "--enable_batching: Expected true or false, not '1'."),
        (["--enable_batching=True"], "--enable_batching: Expected true or false, not 'True'."),
        (["--port"], "--port: A value is missing; write --port=VALUE."),
        (["--port", "--version"], "--port: A value is missing; write --port=VALUE."),
        (["--port=http"], "--port: Expected a whole number of 32 bits, not 'http'."),
        (["--port=99999999999"], "--port: Expected a whole number of 32 bits, not '99999999999'."),
        (["--prefer_tflite_model"], "--prefer_tflite_model is not supported: TensorFlow Lite models are not served; leave it out."),
        (["--ssl_config_file=/x"], "--ssl_config_file is not supported: certificates are set by the service's own settings, which are in docs/reference/settings.md, or by a proxy in front."),
        (["--port=x", "--zzz"], "--port: Expected a whole number of 32 bits, not 'x'.\n--zzz is not a flag of TensorFlow Serving that is known here. --help lists those that there are."),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_refused_by_name(arguments: Sequence[str], message: str) -> None:
    with pytest.raises(FlagError) as caught:
        parse_flags(arguments)
    assert str(caught.value) == message


def test_flags_become_settings(tmp_path: Path) -> None:
    batching, monitoring = tmp_path / "batching.config", tmp_path / "monitoring.config"
    batching.write_text("max_batch_size { value: 128 }\nbatch_timeout_micros { value: 1000 }\n")
    monitoring.write_text('prometheus_config {\n enable: true, path: "/monitoring/x" }\n')
    flags = parse_flags(
        [
            *ONE,
            "--port=9000",
            "--rest_api_port=9001",
            "--rest_api_timeout_in_ms=1500",
            "--rest_api_enable_cors_support",
            "--enable_batching",
            f"--batching_parameters_file={batching}",
            f"--monitoring_config_file={monitoring}",
            "--file_system_poll_wait_seconds=30",
            "--max_num_load_retries=5",
            "--grpc_channel_arguments=grpc.max_send_message_length=50*1024*1024,a=b",
        ]
    )
    found = flag_settings(flags)
    read = Settings.from_environ(found.variables)
    assert (read.model_name, read.model_base_path) == ("half", "/models/half")
    assert (read.grpc_port, read.port) == (9000, 9001)
    assert (read.timeout_s, read.poll_interval_s, read.max_batch_rows) == (1.5, 30.0, 128)
    assert read.tensorflow_serving_metrics == "/monitoring/x"
    assert read.cors_origins == ("*",)
    # What has no effect is said once each.
    begun = [remark.split(" has no effect: ")[0].split(",")[0] for remark in found.remarks]
    assert begun == [
        "--enable_batching",
        "--max_num_load_retries",
        "--grpc_channel_arguments",
        f"Of {batching}",
    ]


def test_without_flags_the_ports_are_tensorflow_servings() -> None:
    read = settings()
    assert (read.grpc_port, read.port) == (8500, 8501)
    assert read.tensorflow_serving_metrics == ""
    assert settings("--port=0").grpc_port == 0


def test_a_file_of_models_wins_over_one_model(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text('model_config_list { config { name: "a" base_path: "/a" logging_config {} } }')
    flags = [f"--model_config_file={file}", "--model_config_file_poll_wait_seconds=60"]
    found = flag_settings(parse_flags([*ONE, *flags]))
    read = Settings.from_environ(found.variables)
    assert (read.model_config_file, read.model_config_poll_s) == (file, 60.0)
    assert read.model_base_path == ""
    assert found.remarks == ["logging_config of a has no effect: requests are not logged."]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model_base_path="], "--model_base_path: It is missing; give it, or --model_config_file with several models."),
        (["--model_base_path=half"], "--model_base_path: UNDERSTUDY_MODEL_BASE_PATH: Expected an absolute path such as /models/half, not 'half'."),
        (["--model_config_file=/none"], "--model_config_file: none: It cannot be read: No such file or directory."),
        (["--model_config_file={file}"], "--model_config_file: file, line 1, column 1: Message type \"ModelServerConfig\" has no field named \"abc\"."),
        (["--model_config_file={empty}", "--model_config_file_poll_wait_seconds=-1"], "--model_config_file_poll_wait_seconds: Expected 0, to read the file once, or more, not -1."),
        (["--batching_parameters_file={file}"], '--batching_parameters_file: {file}, line 1, column 1: Message type "BatchingParameters" has no field named "abc".'),
        (["--monitoring_config_file={file}"], '--monitoring_config_file: {file}, line 1, column 1: Message type "MonitoringConfig" has no field named "abc".'),
        (["--monitoring_config_file={taken}"], "--monitoring_config_file: {taken}: path: '/v1/models' cannot serve the metrics; expected a path such as /monitoring/prometheus/metrics that nothing else is served at."),
        (["--batching_parameters_file={zero}"], "--batching_parameters_file: {zero}: max_batch_size: Expected at least 1, not 0."),
        (["--port=8501", "--rest_api_port=8501"], "--port and --rest_api_port are both 8501; give them different ports."),
        (["--port=70000"], "--port: Expected a port from 0 to 65535, not 70000."),
        (["--rest_api_port=0"], "--rest_api_port=0 is not supported: probes and metrics need HTTP. Leave it out, which listens on 8501, and do not publish that port."),
        (["--rest_api_timeout_in_ms=0"], "--rest_api_timeout_in_ms: Expected at least 1 millisecond, not 0."),
        (["--file_system_poll_wait_seconds=0"], "--file_system_poll_wait_seconds=0 is not supported: new versions are always looked for. Leave it out, and name the versions that serve by model_version_policy { specific { versions: N } } in --model_config_file."),
        (["--grpc_channel_arguments=grpc.x"], "--grpc_channel_arguments: Expected name=value between commas, not 'grpc.x'."),
    ],
)  # fmt: skip
def test_impossible_values_are_refused_by_name(
    tmp_path: Path, arguments: Sequence[str], message: str
) -> None:
    files = {name: tmp_path / name for name in ("file", "empty", "taken", "zero")}
    files["file"].write_text("abc")
    files["empty"].write_text("model_config_list {}")
    files["taken"].write_text('prometheus_config { enable: true path: "/v1/models" }')
    files["zero"].write_text("max_batch_size { value: 0 }")
    for name, path in files.items():
        arguments = [each.replace(f"{{{name}}}", str(path)) for each in arguments]
        message = message.replace(f"{{{name}}}", str(path))
    with pytest.raises(FlagError) as caught:
        settings(*arguments)
    assert str(caught.value) == message


def test_every_flag_that_has_no_setting_says_why() -> None:
    named = {
        *("model_name", "model_base_path", "model_config_file"),
        *("model_config_file_poll_wait_seconds", "port", "rest_api_port", "version"),
        *("rest_api_timeout_in_ms", "rest_api_enable_cors_support", "batching_parameters_file"),
        *("monitoring_config_file", "file_system_poll_wait_seconds"),
    }
    assert {name for name, flag in FLAGS.items() if not flag.instead} == named


def test_the_documentation_has_every_flag(repository_root: Path) -> None:
    text = (repository_root / "docs" / "from-tensorflow-serving.md").read_text()
    assert [name for name in FLAGS if f"`--{name}" not in text] == []


def test_the_version_and_the_help_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("TensorFlow ModelServer: Understudy ")
    assert main(["--help"]) == 0
    assert "--rest_api_timeout_in_ms=N" in capsys.readouterr().out


def test_a_mistake_is_a_line_with_the_commands_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port=x", "--zzz"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["tensorflow_model_server"] * 2


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What a process became: the service with an environment, or another command."""
    found: list[object] = []
    monkeypatch.setattr(command, "become_gunicorn", found.append)
    monkeypatch.setattr(command, "_log", lambda *_: None)
    monkeypatch.setattr(os, "execvp", lambda _, words: found.append(words))
    for name in ("MODEL_NAME", "MODEL_BASE_PATH", "GRPC_PORT", "PORT", "HOST"):
        monkeypatch.delenv(name, raising=False)
    return found


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        (["--model_name=a"], {}, ("a", "/models/model", "8501")),
        ([], {"MODEL_NAME": "half"}, ("half", "/models/half", "8501")),
        (["understudy", "serve"], {"MODEL_NAME": "half", "MODEL_BASE_PATH": "/srv/"}, ("half", "/srv/half", "8501")),
        (["--rest_api_port=9"], {"MODEL_NAME": "half", "PORT": "7"}, ("half", "/models/half", "9")),
    ],
)  # fmt: skip
def test_the_images_environment_names_the_model(
    started: list[object],
    monkeypatch: pytest.MonkeyPatch,
    given: list[str],
    environment: dict[str, str],
    expected: tuple[str, str, str],
) -> None:
    monkeypatch.setattr("sys.argv", ["entrypoint", *given])
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    run_in_image()
    (variables,) = started
    assert isinstance(variables, dict)
    names = ("UNDERSTUDY_MODEL_NAME", "UNDERSTUDY_MODEL_BASE_PATH", "PORT")
    assert tuple(variables[name] for name in names) == expected
    assert variables["HOST"] == "0.0.0.0"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ["understudy", "serve"]),
        (["understudy", "serve"], ["understudy", "serve"]),
        (["understudy", "list"], ["understudy", "list"]),
        (["tensorflow_model_server", "--version"], ["tensorflow_model_server", "--version"]),
    ],
)
def test_all_else_is_a_command_of_its_own(
    started: list[object],
    monkeypatch: pytest.MonkeyPatch,
    given: list[str],
    expected: list[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["entrypoint", *given])
    run_in_image()
    assert started == [expected]


def test_the_flags_of_the_images_entry_point() -> None:
    assert image_arguments(["--enable_batching"], {}) == [
        "--port=8500",
        "--rest_api_port=8501",
        "--model_name=model",
        "--model_base_path=/models/model",
        "--enable_batching",
    ]
