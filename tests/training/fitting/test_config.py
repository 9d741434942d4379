"""Settings: which of three places wins, and what is said about bad values."""

import dataclasses
from pathlib import Path

import pytest

from training import tasks
from training.errors import UsageError
from training.fitting import config

MPG = tasks.get("mpg")


def write(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text)
    return path


def test_the_architecture_has_the_defaults() -> None:
    settings = config.resolve(MPG.name, MPG.architectures, {}, {})
    default = MPG.architectures["default"]
    assert (settings.epochs, settings.batch_size) == (default.epochs, default.batch_size)
    assert settings.learning_rate == default.learning_rate
    assert settings.out == Path("saved_models")
    assert settings.publish


def test_toml_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    assert config.read_toml(write(tmp_path, "\ufeffepochs = 3\n")) == {"epochs": 3}


def test_toml_wins_over_the_architecture_and_the_command_line_over_toml(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'arch = "tutorial"\nepochs = 3\nbatch-size = 8\nlearning-rate = 1\nno-publish = true\n',
    )
    settings = config.resolve(MPG.name, MPG.architectures, config.read_toml(path), {"epochs": 5})
    assert settings.arch == "tutorial"
    assert (settings.epochs, settings.batch_size, settings.learning_rate) == (5, 8, 1.0)
    assert not settings.publish


def test_a_training_that_starts_from_a_version_is_gentle(tmp_path: Path) -> None:
    rate = MPG.architectures["default"].learning_rate
    settings = config.resolve(
        MPG.name, MPG.architectures, config.read_toml(write(tmp_path, "init-from = 3")), {}
    )
    assert (settings.init_from, settings.learning_rate) == ("3", pytest.approx(rate / 10))
    settings = config.resolve(
        MPG.name, MPG.architectures, {}, {"init-from": "live", "learning-rate": 0.5}
    )
    assert (settings.init_from, settings.learning_rate) == ("live", 0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "unknown key 'epoch'; known are arch, epochs,"),
        ("epochs = 0", "epochs must be a whole number of at least 1, not 0."),
        ("epochs = 2.5", "epochs must be a whole number of at least 1, not 2.5."),
        ("epochs = true", "epochs must be a whole number of at least 1, not True."),
        ("learning-rate = nan", "learning-rate must be a number above 0 and at most 10, not nan."),
        ("learning-rate = 0", "learning-rate must be a number above 0 and at most 10, not 0."),
        ("seed = -1", "seed must be a whole number from 0 to 4294967295, not -1."),
        ("out = 3", "out must be a string, not 3."),
        ("max-bad-rows = 1.5", "max-bad-rows must be a share from 0 to 1, not 1.5."),
        ("checkpoints = 0", "checkpoints must be a whole number of at least 1, not 0."),
        ("init-from = true", "init-from must be live, or the number of a version, not True."),
        ('init-from = "best"', "init-from must be live, or the number of a version, not 'best'."),
        ("no-publish = 1", "no-publish must be true or false, not 1."),
        (
            'sensitive = " , "',
            "sensitive must be names of fields with commas between them, or none, not ' , '.",
        ),
        ("[mpg]\nepochs = 3", "unknown key 'mpg'"),
        ("epochs =", "is not TOML"),
        (f"seed = {'9' * 5000}", "is not TOML: Exceeds the limit (4300 digits)"),
        (f"seed = {'[' * 5000}", "is not TOML that can be read: it nests too deeply."),
        (r'data = "a\u0000b"', r"data must be a path, in which there is no NUL, not 'a\x00b'."),
        (r'out = "a\u0000b"', r"out must be a path, in which there is no NUL, not 'a\x00b'."),
    ],
)
def test_what_is_wrong_in_a_toml_file_is_said_with_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        config.read_toml(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml cannot be read: No such file or directory\."):
        config.read_toml(tmp_path / "none.toml")


def test_an_unknown_architecture_is_named_beside_the_known_ones() -> None:
    with pytest.raises(
        UsageError, match="mpg has no architecture 'huge'; it has default, tutorial"
    ):
        config.resolve(MPG.name, MPG.architectures, {}, {"arch": "huge"})


def test_settings_survive_json() -> None:
    settings = dataclasses.replace(
        config.resolve(MPG.name, MPG.architectures, {}, {"data": "somewhere"}),
        hyperparameters={"units": 3},
    )
    assert config.settings_from_json(settings.to_json()) == settings
    with pytest.raises(UsageError, match="'seed' is missing"):
        config.settings_from_json({k: v for k, v in settings.to_json().items() if k != "seed"})


def test_a_run_that_is_older_than_a_setting_is_read() -> None:
    settings = config.resolve(MPG.name, MPG.architectures, {}, {})
    old = {
        k: v for k, v in settings.to_json().items() if k not in ("hyperparameters", "from_study")
    }
    assert config.settings_from_json(old) == settings
    with pytest.raises(UsageError, match="'colour' is unknown"):
        config.settings_from_json(old | {"colour": "red"})


def test_hyperparameters_replace_those_of_the_network() -> None:
    @dataclasses.dataclass(frozen=True)
    class Network:
        units: int = 1
        layers: int = 2

    assert config.with_hyperparameters(Network(), {"units": 5}) == Network(5, 2)
    with pytest.raises(UsageError, match="has no hyperparameter 'width'; it has units, layers"):
        config.with_hyperparameters(Network(), {"width": 5})


def test_the_url_of_a_store_goes_with_the_run_and_not_where_this_machine_mirrors_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELS", "s3://bucket/prefix")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "here"))
    settings = config.resolve(MPG.name, MPG.architectures, {}, {})
    assert settings.out.is_relative_to(tmp_path / "here")
    told = settings.to_json()
    assert told["out"] == "s3://bucket/prefix"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert config.settings_from_json(told).out.is_relative_to(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("model", 3, "a string"),
        ("arch", ["tutorial"], "a string"),
        ("epochs", "many", "a whole number of at least 1"),
        ("epochs", None, "a whole number of at least 1"),
        ("batch_size", 0, "a whole number of at least 1"),
        ("batch_size", 1.5, "a whole number of at least 1"),
        ("learning_rate", "x", "a number above 0 and at most 10"),
        ("seed", -1, "a whole number from 0 to 4294967295"),
        ("data", 3, "a string"),
        ("out", None, "a string"),
        ("publish", "x", "true or false"),
        ("max_bad_rows", "x", "a share from 0 to 1"),
        ("checkpoints", "a", "a whole number of at least 1"),
        ("init_from", "best", "live, or the number of a version"),
        ("precision", "f8", "float32 or bf16"),
        ("sensitive", 3, "a string"),
        ("sensitive", ",", "names of fields with commas between them, or none"),
        ("sensitive", "\udcff", "a string in UTF-8"),
        ("data", "\udcff", "a path in UTF-8"),
        ("hyperparameters", 3, "an object"),
        ("from_study", 3, "a string"),
    ],
)
def test_what_is_wrong_in_the_settings_of_a_run_is_said(
    name: str, value: object, expected: str
) -> None:
    told = config.resolve(MPG.name, MPG.architectures, {}, {}).to_json()
    with pytest.raises(UsageError) as caught:
        config.settings_from_json(told | {name: value})
    assert str(caught.value) == f"settings: {name!r} must be {expected}, not {value!r}."


def test_every_setting_of_a_run_is_checked() -> None:
    told = config.resolve(MPG.name, MPG.architectures, {}, {}).to_json()
    for name in told:
        with pytest.raises(UsageError, match=f"settings: '{name}' must be"):
            config.settings_from_json(told | {name: [1]})
