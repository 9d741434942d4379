"""Models at base paths: which there are, what is wrong, and a file of models that changes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from service.repository.base_paths import BasePaths, ModelConfigFile, OneModel
from service.repository.errors import RepositoryError
from service.repository.model_policy import Policy, write_policy
from service.repository.model_source import ModelSource, model_source
from service.repository.model_store import Store
from service.settings.settings import Settings
from tests.service.repository.test_unserved_entries import loop, save, write


def listing(**paths: Path) -> str:
    configs = [f'config {{ name: "{n}" base_path: "{p}" }}' for n, p in paths.items()]
    return f"model_config_list {{ {' '.join(configs)} }}"


def names(source: BasePaths) -> list[str]:
    return source.survey()[0]


def test_models_anywhere_under_names_of_their_own(tmp_path: Path) -> None:
    save(tmp_path / "a" / "half_plus_two" / "00000123")
    save(tmp_path / "b" / "2")
    save(tmp_path / "b" / "10")
    file = tmp_path / "models.config"
    file.write_text(listing(half=tmp_path / "a" / "half_plus_two", other=tmp_path / "b"))
    source = BasePaths(ModelConfigFile(file, poll_s=0, shared=None))
    assert source.survey() == (["half", "other"], [])
    assert source.versions("half") == {123: tmp_path / "a" / "half_plus_two" / "00000123"}
    assert list(source.versions("other")) == [2, 10]
    assert source.versions("half_plus_two") == {}
    # Nothing was written to any of it.
    assert [p.name for p in (tmp_path / "b").iterdir() if not p.name.isdecimal()] == []


def nested(path: Path) -> None:
    save(path / "half" / "1")


def graph_itself(path: Path) -> None:
    save(path)


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("none", lambda path: None, "Its base path is not there."),
        ("file", write, "Its base path is a file; expected the folder that holds the versions."),
        ("empty", Path.mkdir, "Its base path holds no version: a version is a folder with a number for a name."),
        ("7", graph_itself, "Its base path is one level too deep: it is version 7 itself. The base path is the folder above."),
        ("up", nested, "Its base path is one level too high: half/ in it holds versions. The base path is that folder."),
        ("v", lambda path: save(path / "v1"), "Its base path holds no version. v1: Its name is not a version: a version is a whole number, such as 1. Rename it, or remove it."),
        ("loop", loop, "Its base path: It is a link to itself; remove it."),
    ],
)  # fmt: skip
def test_a_base_path_without_versions_is_named(
    tmp_path: Path, name: str, make: Callable[[Path], None], reason: str
) -> None:
    make(tmp_path / name)
    models, ignored = BasePaths(OneModel("half", str(tmp_path / name))).survey()
    assert models == []
    assert [(item.path, item.reason) for item in ignored] == [("half", reason)]


def test_a_saved_model_at_the_base_path_itself_is_version_1(tmp_path: Path) -> None:
    base_path = tmp_path / "models"
    save(base_path)
    write(base_path / "variables" / "variables.index")
    source = BasePaths(OneModel("m", str(base_path)))
    assert source.survey() == (["m"], [])
    assert source.versions("m") == {1: base_path}
    # Whoever adds a version with a number means that.
    save(base_path / "2")
    models, ignored = source.survey()
    assert models == ["m"]
    assert source.versions("m") == {2: base_path / "2"}
    assert [item.path for item in ignored] == ["m/saved_model.pb"]


def test_what_lies_beside_versions_is_named(tmp_path: Path) -> None:
    save(tmp_path / "half" / "1")
    save(tmp_path / "half" / "v2")
    models, ignored = BasePaths(OneModel("m", str(tmp_path / "half"))).survey()
    assert models == ["m"]
    assert [item.path for item in ignored] == ["m/v2"]


@pytest.mark.parametrize(
    ("model", "path"), [("a/b", "/m"), ("", "/m"), ("m", "m"), ("m", "s3://m")]
)
def test_a_name_or_path_that_cannot_be_one(model: str, path: str) -> None:
    with pytest.raises(RepositoryError):
        OneModel(model, path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    for name in "ab":
        save(tmp_path / name / "1")
    file = tmp_path / "models.config"
    file.write_text(listing(a=tmp_path / "a"))
    return file


def test_a_file_that_is_looked_at_again_adds_and_removes_models(tmp_path: Path, file: Path) -> None:
    source = BasePaths(ModelConfigFile(file, poll_s=1e-9, shared=None))
    assert names(source) == ["a"]
    file.write_text(listing(b=tmp_path / "b"))
    assert names(source) == ["b"]
    # What is listed no more is unloaded.
    assert source.versions("a") == {}
    assert source.policy("a") == Policy(unloaded=True)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder that the workers of one service share."""
    (tmp_path / "shared").mkdir()
    return tmp_path / "shared"


def test_a_file_that_is_read_once_does_not_change(tmp_path: Path, file: Path, shared: Path) -> None:
    source = BasePaths(ModelConfigFile(file, poll_s=0, shared=shared))
    assert names(source) == ["a"]
    file.write_text(listing(b=tmp_path / "b"))
    assert names(source) == ["a"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda file: file.write_text("model_config_list {"), "models.config, line 1, column 19: Expected \"}\"."),
        (lambda file: file.write_text(""), "models.config: It names no models; expected model_config_list { config { ... } }."),
        (Path.unlink, "models.config: It cannot be read: No such file or directory."),
        (lambda file: file.write_bytes(b"x" * 2**21), "models.config is larger than 1048576 bytes."),
    ],
)  # fmt: skip
def test_a_broken_file_leaves_the_last_good_one_in_force(
    tmp_path: Path, file: Path, change: Callable[[Path], object], reason: str
) -> None:
    source = BasePaths(ModelConfigFile(file, poll_s=1e-9, shared=None))
    good = file.read_text()
    assert names(source) == ["a"]
    change(file)
    models, ignored = source.survey()
    assert models == ["a"]
    expected = f"{reason} What it said before stays in force."
    assert [(item.path, item.reason) for item in ignored] == [("models.config", expected)]
    file.write_text(good)
    assert source.survey() == (["a"], [])


@pytest.mark.parametrize("poll_s", [0, 1e-9])
def test_a_worker_that_starts_later_knows_the_last_good_file(
    tmp_path: Path, file: Path, shared: Path, poll_s: float
) -> None:
    BasePaths(ModelConfigFile(file, poll_s=poll_s, shared=shared)).survey()
    file.write_text("broken")
    assert names(BasePaths(ModelConfigFile(file, poll_s=poll_s, shared=shared))) == ["a"]


def test_one_worker_is_given_other_models_and_all_follow(
    tmp_path: Path, file: Path, shared: Path
) -> None:
    one, other = (BasePaths(ModelConfigFile(file, poll_s=0, shared=shared)) for _ in range(2))
    assert names(one) == names(other) == ["a"]
    one.reconfigure(listing(b=tmp_path / "b").encode())
    assert one.versions("a") == {}
    assert names(one) == names(other) == ["b"]
    # So do those that start later; what is not valid changes nothing.
    with pytest.raises(RepositoryError, match="names no models"):
        other.reconfigure(b"")
    assert names(BasePaths(ModelConfigFile(file, poll_s=0, shared=shared))) == ["b"]
    other.reconfigure(listing(a=tmp_path / "a", b=tmp_path / "b").encode())
    assert names(one) == ["a", "b"]
    # A service that is started or reloaded goes by its file again.
    ModelConfigFile(file, poll_s=0, shared=shared).load()
    assert names(one) == names(other) == ["a"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (lambda file, shared: BasePaths(ModelConfigFile(file, poll_s=5, shared=shared)), "models.config is read again every 5 s"),
        (lambda file, shared: BasePaths(ModelConfigFile(file, poll_s=0, shared=shared / "none")), "The models cannot be passed to the workers: No such"),
        (lambda file, shared: BasePaths(OneModel("a", f"{file.parent}/a")), "names the one model that is served"),
        (lambda file, shared: Store(file.parent), "are those in the folder that MODELS names"),
    ],
)  # fmt: skip
def test_other_models_are_refused_where_something_else_has_the_say(
    file: Path, shared: Path, source: Callable[[Path, Path], ModelSource], reason: str
) -> None:
    found = source(file, shared)
    before = found.survey()
    with pytest.raises(RepositoryError, match=reason):
        found.reconfigure(listing(b=file.parent / "b").encode())
    assert found.survey() == before


def test_the_file_decides_on_versions_and_a_policy_file_on_the_rest(tmp_path: Path) -> None:
    for version in "123":
        save(tmp_path / "a" / version)
    write_policy(tmp_path / "a", Policy(versions=(1,), allow_operations=("ReadFile",)))
    file = tmp_path / "models.config"
    file.write_text(
        f'model_config_list {{ config {{ name: "a" base_path: "{tmp_path}/a" '
        'version_labels { key: "stable" value: 3 } } }'
    )
    source = BasePaths(ModelConfigFile(file, poll_s=0, shared=None))
    assert source.policy("a") == Policy(labels={"stable": 3}, allow_operations=("ReadFile",))
    with pytest.raises(RepositoryError, match="says which versions of 'a' serve"):
        source.policy_folder("a")
    one = BasePaths(OneModel("a", f"{tmp_path}/a"))
    assert one.policy("a").versions == (1,)
    assert one.policy_folder("a") == tmp_path / "a"


def test_the_settings_say_where_models_are(tmp_path: Path) -> None:
    assert isinstance(model_source(Settings()), Store)
    one = model_source(Settings(model_name="m", model_base_path="/m"))
    assert isinstance(one, BasePaths)
    # A folder of models keeps records for trainers; a base path is left as it is.
    assert one.records is None
