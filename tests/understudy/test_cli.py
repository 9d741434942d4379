"""The command line: what it prints, what it refuses, and its exit codes."""

import csv
import dataclasses
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import numpy as np
import pytest

import service
from service.repository.model_card import read_card
from service.repository.model_store import Store
from tests.training.process import TrainingProcess
from tests.waiting import eventually
from training import tasks
from training.data import auto_mpg
from training.data.dataset_location import Found
from training.tasks.task_interface import Task
from understudy import cli, commands


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module", autouse=True)
def _without_rivals() -> Iterator[None]:
    """Spare the minute that those of mpg take."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(tasks.get("mpg")), "baselines", Task.baselines)
        yield


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "Missing argument 'MODEL'. See understudy train --help."),
        (["trian", "mpg"], "No such command 'trian'. (Did you mean one of: 'retrain', 'train'?) See understudy --help."),
        (["train", "shoes"], "There is no model 'shoes' to train; there are clothing, digits, mpg, sentiment."),
        (["train", "mpg", "--epochs", "0"], "--epochs must be a whole number of at least 1, not '0'. See understudy train --help."),
        (["fleet", "shops.toml", "--jobs", "many"], "--jobs must be a whole number of at least 1, not 'many'. See understudy fleet --help."),
        (["fleet", "shops.toml", "--jobs", "-1"], "--jobs must be a whole number of at least 1, not '-1'. See understudy fleet --help."),
        (["tune", "mpg", "--trials", "9" * 5000], f"--trials must be a whole number of at least 1, not '{'9' * 5000}'. See understudy tune --help."),
        (["train", "mpg", "--epochs", "many"], "--epochs must be a whole number of at least 1, not 'many'. See understudy train --help."),
        (["train", "mpg", "--learning-rate", "-1"], "--learning-rate must be a number above 0 and at most 10, not '-1'. See understudy train --help."),
        (["train", "mpg", "--arch", "huge"], "mpg has no architecture 'huge'; it has default, tutorial."),
        (["train", "mpg", "--config", "none.toml"], "none.toml cannot be read: No such file or directory."),
        (["train", "mpg", "--rollout", "--no-publish"], "--rollout and --no-publish exclude each other."),
        (["train", "mpg", "--resume", "none"], "none is not a run: it has no config.json."),
        (["train", "mpg", "--resume", "none", "--epochs", "3"], "--resume takes what decides the training from the run: only --data, --out, --precision, --sensitive, --no-publish, --force, --rollout and --rollout-rules go with it."),
        (["train", "mpg", "--storage", "sqlite:///a.db"], "--storage says where the study of --from-study is: it needs that option."),
        (["train", "mpg", "--data", "."], ". does not hold the auto-mpg data: it needs auto-mpg.data; nor is it a CSV file of cars."),
        (["train", "mpg", "--data", "none.csv"], "none.csv is not there."),
        (["train", "mpg", "--max-bad-rows", "2"], "--max-bad-rows must be a share from 0 to 1, not '2'. See understudy train --help."),
        (["train", "mpg", "--out", "/dev/null"], "--out /dev/null cannot be a folder of models: File exists."),
        (["evaluate", "mpg"], "There is no version of mpg in saved_models."),
        (["train", "mpg", "--rollout", "--rollout-rules", "[" * 100_000], "--rollout-rules: it is not JSON: maximum recursion depth exceeded while decoding a JSON array from a unicode string. See understudy train --help."),
        (["train", "mpg", "--rollout", "--rollout-rules", "9" * 5000], "--rollout-rules: it is not JSON: Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits; use sys.set_int_max_str_digits() to increase the limit. See understudy train --help."),
        (["list", "--jsn"], "No such option '--jsn'. Did you mean '--json'? See understudy list --help."),
        # Not --worker, which is between the processes of a study.
        (["tune", "mpg", "--workers", "2"], "No such option '--workers'. See understudy tune --help."),
        (["list", "--out", ""], "--out must be a path, not ''. See understudy list --help."),
        (["mirror", "s3://a", "--to", ""], "--to must be a path, not ''. See understudy mirror --help."),
        (["export", ""], "run must be a path, not ''. See understudy export --help."),
        (["import", "a.keras", "--name", "a", "--models", ""], "--models must be a path, not ''. See understudy import --help."),
        (["train", "mpg", "--out", "\udcff"], r"--out must be a path in UTF-8, not '\udcff'. See understudy train --help."),
        (["import", "a.keras", "--name", "a", "--title", "\udcff"], r"--title must be in UTF-8, not '\udcff'."),
        (["import", "a.keras", "--name", "a", "--classes", "a,\udcff"], r"--classes must be in UTF-8, not ['a', '\udcff']."),
        (["mirror", "s3://a", "--to", "a", "--every", "1e300"], "--every: 1e+300 is not in the range 0.1<=x<=86400. See understudy mirror --help."),
        (["mirror", "s3://a", "--to", "a", "--every", "nan"], "--every: nan is not a finite number. See understudy mirror --help."),
        (["keys", "add", "a", "--rate", "1e10", "--file", "keys.json"], "--rate: 10000000000.0 is not in the range 0<x<=1000000000.0. See understudy keys --help."),
        (["keys", "add", "a", "--rate", "inf", "--file", "keys.json"], "--rate: inf is not in the range 0<x<=1000000000.0. See understudy keys --help."),
        (["tune", "mpg", "--trials", "1", "--study", ""], "The name of a study has letters, digits, dots, dashes and underscores; not ''."),
        (["list", "--verbose"], "No such option '--verbose'. See understudy list --help."),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_sentence_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err == f"{message}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["retrain", "mpg"], "settings.toml: no-publish must be false: a retraining publishes."),
        (
            ["train", "mpg", "--rollout"],
            "--rollout and no-publish in settings.toml exclude each other.",
        ),
    ],
)
def test_what_publishes_is_not_told_by_a_file_not_to(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.toml").write_text("no-publish = true\n")
    assert cli.main([*arguments, "--config", "settings.toml", "--data", "none.csv"]) == 2
    assert capsys.readouterr().err == f"{message}\n"
    (tmp_path / "settings.toml").write_text("no-publish = false\n")
    assert cli.main([*arguments, "--config", "settings.toml", "--data", "none.csv"]) == 2
    assert capsys.readouterr().err == "none.csv is not there.\n"


def test_no_path_of_a_command_may_be_empty() -> None:
    context = click.Context(click.Command("understudy"))
    for name in commands.names():
        for each in commands.find(name).get_params(context):
            if isinstance(each.type, click.Path):
                with pytest.raises(click.BadParameter, match="must be a path, not ''"):
                    each.type_cast_value(context, "")


def test_a_folder_of_models_that_no_run_could_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELS", "\udcff")
    assert cli.main(["train", "mpg"]) == 2
    assert capsys.readouterr().err == "MODELS must be a path in UTF-8, not '\\udcff'.\n"


def test_no_data_and_no_network_is_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mpg = tasks.get("mpg")
    (file,) = mpg.data_set.files
    unreachable = dataclasses.replace(file, url="http://127.0.0.1:1/auto-mpg.data")
    monkeypatch.setattr(mpg, "data_set", dataclasses.replace(mpg.data_set, files=(unreachable,)))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    assert cli.main(["train", "mpg"]) == 1
    error = capsys.readouterr().err
    assert f"Put auto-mpg.data from {mpg.data_set.homepage} into {tmp_path}/keras/datasets" in error
    assert error.count("\n") == 1


def test_datasets_says_what_is_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "auto-mpg.data").write_bytes(bytes(1_500_000))
    assert cli.main(["datasets"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert f"1.5 MB    {tmp_path}/datasets (Keras home)" in lines["auto-mpg"]
    assert f"not here  would be {tmp_path}/datasets: aclImdb_v1.tar.gz" in lines["imdb"]


def test_datasets_for_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "auto-mpg.data").write_bytes(bytes(1000))
    assert cli.main(["datasets", "--json"]) == 0
    sizes = {item["data_set"]: item["bytes"] for item in json.loads(capsys.readouterr().out)}
    assert sizes["auto-mpg"] == 1000
    assert sizes["imdb"] is None


def test_list_without_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    assert capsys.readouterr().out == "There are no models in saved_models.\n"


def test_list_names_what_is_not_served_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "saved_models").mkdir()
    (tmp_path / "saved_models" / "churn.keras").touch()
    assert cli.main(["list"]) == 0
    said = capsys.readouterr().out
    assert "`understudy import saved_models/churn.keras --name churn` publishes it.\n" in said
    assert cli.main(["list", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"


def test_list_shows_one_model_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for version in ("churn/1", "churn/draft", "churner/3", "churner/draft"):
        folder = tmp_path / "saved_models" / version
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").touch()
    # What is wrong with another model does not matter.
    (tmp_path / "saved_models" / "churner" / "policy.json").write_text("no JSON")
    assert cli.main(["list", "churn", "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["model"], shown["version"]) == ("churn", 1)
    assert cli.main(["list", "churn"]) == 0
    said = capsys.readouterr().out
    assert "churn/draft is not served: " in said
    assert "churner" not in said
    assert cli.main(["list", "chrn"]) == 2
    sentence = "There is no model 'chrn' in saved_models; there are: churn, churner.\n"
    assert capsys.readouterr().err == sentence


def test_help_names_all_commands_and_imports_nothing_slow(
    capsys: pytest.CaptureFixture[str], repository_root: Path
) -> None:
    assert cli.main(["--help"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    shown = {words[0] for words in lines if words}
    assert shown >= set(commands.names()) >= {"serve", "train", "list", "serve-policy"}
    script = (
        "import sys; from understudy import cli; cli.main(['train', '--help']); "
        "sys.exit(bool({'keras', 'tensorflow', 'rich', 'sklearn'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", script], cwd=repository_root, check=True)


@pytest.mark.parametrize("name", commands.names())
def test_help_has_a_line_for_each_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    command = commands.find(name)
    assert command is not None
    for param in command.params:
        if isinstance(param, click.Option) and not param.hidden:
            (at,) = (i for i, line in enumerate(lines) if line.split()[:1] == [param.opts[0]])
            assert lines[at].split()[2:], f"{param.opts[0]} has no help"
            # What is too long for a line goes on in the next, below the text.
            assert not lines[at + 1].startswith(" " * 5), lines[at + 1]
    examples = lines[lines.index("Examples:") + 1 :]
    assert any(line.startswith(f"  understudy {name}") for line in examples)
    assert all(len(line) <= 80 for line in lines)


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert capsys.readouterr().err.startswith("Usage: understudy ")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    version = re.escape(service.__version__)
    printed = capsys.readouterr().out
    assert re.fullmatch(rf"understudy {version} \(Python 3.*, TensorFlow 2.*\)\n", printed)


@pytest.mark.parametrize(
    ("words", "completed"),
    [("understudy tr", "train"), ("understudy train se", "sentiment"), ("understudy list --j", "--json")],
)  # fmt: skip
def test_a_shell_completes(
    words: str, completed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_UNDERSTUDY_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    assert cli.main() == 0
    assert f"plain,{completed}\n" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["rollback", "serve-policy"])
@pytest.mark.parametrize(
    ("words", "completed"),
    [("", ["plain,churn"]), ("--out other ", ["plain,mpg", "plain,spam.v2"]), ("--out other s", ["plain,spam.v2"]), ("--out gone ", []), ("--out s3:// ", [])],
)  # fmt: skip
def test_a_shell_completes_models_that_are_published(
    command: str, words: str, completed: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for version in ("saved_models/churn/1", "other/spam.v2/3", "other/mpg/1", "other/empty"):
        (tmp_path / version).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MODELS", raising=False)
    monkeypatch.setenv("_UNDERSTUDY_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"understudy {command} {words}")
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ") + 2))
    assert cli.main() == 0
    assert capsys.readouterr().out.split() == completed


@pytest.mark.parametrize("module", ["training", "understudy"])
def test_both_names_are_one_command(module: str, repository_root: Path) -> None:
    command = [sys.executable, "-m", module, "--version"]
    done = subprocess.run(command, cwd=repository_root, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"understudy {service.__version__} ")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory, found_mpg: Found) -> Path:
    """A folder in which mpg was trained twice with the same seed, and once from TOML."""
    folder = tmp_path_factory.mktemp("workshop")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        arguments = ["train", "mpg", "--epochs", "3", "--seed", "5", "--out", "models", "--force"]
        assert cli.main(arguments) == 0
        assert cli.main(arguments) == 0
        Path("run.toml").write_text(
            'arch = "tutorial"\nepochs = 50\nseed = 5\nno-publish = true\nout = "models"\n'
        )
        assert cli.main(["train", "mpg", "--config", "run.toml", "--epochs", "2"]) == 0
    return folder


def test_a_run_leaves_its_folder(workshop: Path) -> None:
    runs = sorted((workshop / "runs" / "mpg").iterdir())
    assert len(runs) == 3
    for run in runs:
        assert {path.name for path in run.iterdir()} >= {
            "config.json", "history.csv", "checkpoints", "export", "report.html",
        }  # fmt: skip
        assert (run / "checkpoints" / "best.weights.h5").exists()
    report = (runs[0] / "report.html").read_text()
    for part in ("Fuel consumption of cars", "Learning curves", "Cross validation: MAE"):
        assert part in report
    assert (runs[2] / "history.csv").read_text().count("\n") == 3
    assert "Fuel consumption of cars: tutorial" in (runs[2] / "report.html").read_text()


def test_the_same_seed_gives_the_same_metrics(workshop: Path) -> None:
    first, second = Store(workshop / "models").versions("mpg").values()
    one, two = read_card(first), read_card(second)
    assert one is not None
    assert two is not None
    assert one.evaluation == two.evaluation
    assert one.training["last_epoch"] == two.training["last_epoch"]


def test_no_publish_publishes_nothing(workshop: Path) -> None:
    assert list(Store(workshop / "models").versions("mpg")) == [1, 2]
    *published, kept_back = sorted((workshop / "runs" / "mpg").glob("*/report.html"))
    sentence = "Not published, as the settings say."
    assert sentence in kept_back.read_text()
    assert all(sentence not in report.read_text() for report in published)


def test_the_card_tells_how_it_was_made(workshop: Path) -> None:
    card = read_card(Store(workshop / "models").versions("mpg")[1])
    assert card is not None
    assert card.training["seed"] == 5
    assert card.training["epochs_done"] == 3
    assert card.libraries.keys() == {"python", "tensorflow", "keras", "numpy"}
    assert len(card.data["fingerprint"]) == 64
    assert str(workshop) not in repr(card)


def test_list(
    workshop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    models = workshop / "models"
    (models / "mpg" / "policy.json").write_text(
        '{"serve": {"versions": [1]}, "labels": {"old": 1}}'
    )
    (models / "foreign" / "3").mkdir(parents=True)
    assert cli.main(["list", "--out", str(models)]) == 0
    (models / "mpg" / "policy.json").unlink()
    header, foreign, first, second, note, odd = capsys.readouterr().out.splitlines()
    assert header.split() == [
        *("model", "version", "serves", "labels", "network", "quality", "created"),
    ]
    assert foreign.split() == ["foreign", "3", "yes?", "no", "card"]
    assert first.split()[:6] == ["mpg", "1", "yes?", "old", "default", "MAE"]
    assert second.split()[:4] == ["mpg", "2", "default", "MAE"]
    assert all(len(line.rstrip()) <= 80 for line in (header, foreign, first, second))
    assert note.startswith("No running service reports what it serves of foreign, mpg: ")
    assert odd == "foreign/3 is not served: It waits for saved_model.pb."


def test_list_for_programs(workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "--json", "--out", str(workshop / "models")]) == 0
    versions = [item for item in json.loads(capsys.readouterr().out) if item["model"] == "mpg"]
    assert [(item["version"], item["in_policy"]) for item in versions] == [(1, False), (2, True)]
    card = read_card(Store(workshop / "models").versions("mpg")[2])
    assert card is not None
    assert versions[1]["headline"] == card.evaluation["headline"]


def test_evaluate_measures_the_export_again(
    workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["evaluate", "mpg", "--version", "1", "--out", str(workshop / "models")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mpg version 1: MAE on the cars that it learned from"
    name, now, card = lines[3].split()
    assert name == "training_cars.mae"
    assert now == card


def own_cars(path: Path, found: Found, origins: Mapping[str, str]) -> Path:
    """Write 60 of the cars as a file of somebody's own."""
    data = auto_mpg.read(found)
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["mpg", *auto_mpg.CAR_NUMBERS, "origin"])
        for row in range(60):
            numbers = ["" if np.isnan(of[row]) else of[row] for of in data.numbers.values()]
            origin = str(data.origin[row])
            lines.writerow([data.mpg[row], *numbers, origins.get(origin, origin)])
    return path


def test_evaluate_says_that_a_version_learned_from_another_data_set(
    workshop: Path, tmp_path: Path, found_mpg: Found, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "mpg", "--version", "1", "--out", str(workshop / "models"), "--data"]
    assert cli.main([*command, str(own_cars(tmp_path / "own.csv", found_mpg, {}))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mpg version 1: MAE on another data set than it learned from"
    assert lines[2].split() == ["examples", "60", "398"]
    foreign = own_cars(tmp_path / "foreign.csv", found_mpg, {"japan": "nippon"})
    assert cli.main([*command, str(foreign)]) == 2
    assert capsys.readouterr().err == (
        "Version 1 takes origin usa, europe, japan; the data has nippon as well.\n"
    )


def test_evaluate_for_programs(workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "mpg", "--json", "--out", str(workshop / "models")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["version"]) == ("mpg", 2)
    for part in ("training_cars", "examples"):
        assert found["measured"][part] == found["card"][part]


def test_evaluate_a_version_that_is_not_there(
    workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = workshop / "models"
    assert cli.main(["evaluate", "mpg", "--version", "9", "--out", str(models)]) == 2
    assert capsys.readouterr().err == f"mpg has no version 9 in {models}; it has 1, 2.\n"


def test_resume_publishes_what_was_trained(workshop: Path, tmp_path: Path) -> None:
    run = sorted((workshop / "runs" / "mpg").iterdir())[2]
    assert cli.main(["train", "mpg", "--resume", str(run), "--out", "models", "--force"]) == 0
    (version,) = Store(tmp_path / "models").versions("mpg").values()
    card = read_card(version)
    assert card is not None
    assert card.training["arch"] == "tutorial"
    assert card.training["epochs_done"] == 2


def test_resume_of_another_model(workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = sorted((workshop / "runs" / "mpg").iterdir())[0]
    assert cli.main(["train", "sentiment", "--resume", str(run)]) == 2
    assert capsys.readouterr().err == f"{run} is a run of mpg, not of sentiment.\n"


def test_ctrl_c_ends_cleanly_and_tells_how_to_go_on(found_mpg: Found, tmp_path: Path) -> None:
    command = ["-m", "training", "train", "mpg", "--arch", "tutorial"]
    process = TrainingProcess(*command, cwd=tmp_path, logs=tmp_path)
    eventually(lambda: "\nepoch 2/" in process.output.read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    error = process.errors.read_text()
    assert "Traceback" not in error
    last = error.splitlines()[-1]
    assert last.startswith("Interrupted. To continue: understudy train mpg --resume runs/mpg/")
