"""The file of a fleet: what it says, and how its mistakes are named."""

from pathlib import Path

import pytest

from training.errors import UsageError
from training.fleet.fleet_file import read_fleet

GOOD = """
[defaults]
task = "digits"
seed = 7
epochs = 3

[[training]]
name = "north"
data = "shops/north"
out = "models/north"

[[training]]
name = "south"
data = "shops/south"
out = "models/south"
epochs = 5
"""


def test_a_training_has_the_defaults_and_its_own(tmp_path: Path) -> None:
    (tmp_path / "shops.toml").write_text(GOOD)
    north, south = read_fleet(tmp_path / "shops.toml")
    assert (north.name, south.name) == ("north", "south")
    assert (north.settings.model, north.settings.seed, north.settings.epochs) == ("digits", 7, 3)
    assert (south.settings.seed, south.settings.epochs) == (7, 5)
    assert south.settings.data == Path("shops/south")
    assert south.settings.out == Path("models/south")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[defaults]", "[default]", "unknown key 'default'; known are defaults, training."),
        ('task = "digits"', "", r"training\[0\]: expected a task."),
        ('name = "north"', "", r"training\[0\]: expected a name."),
        ('name = "north"', 'name = "south"', "2 trainings have the name 'south'."),
        (
            'name = "north"',
            'name = "../north"',
            r"training\[0\].name must be letters, .*'../north'",
        ),
        ('task = "digits"', 'task = "dgits"', "defaults.task must be one of .*, not 'dgits'"),
        ("epochs = 5", "epochs = 0", r"training\[1\].epochs must be a whole number of at least 1"),
        ("epochs = 5", "epoch = 5", r"training\[1\]: unknown key 'epoch'; known are name, task"),
        ("epochs = 5", "no-publish = true", r"training\[1\]: unknown key 'no-publish'"),
        ("epochs = 5", 'arch = "huge"', r"training\[1\]: .*huge"),
        ("models/south", "models/north", "'north' and 'south' would both publish digits into"),
        ("models/south", "models/x/../north", "'north' and 'south' would both publish digits into"),
        ("[[training]]", "[[trainings]]", "unknown key 'trainings'"),
        ("seed = 7", 'name = "x"', "defaults.name: each training has a name of its own"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    (tmp_path / "shops.toml").write_text(GOOD.replace(old, new))
    with pytest.raises(UsageError, match=words) as error:
        read_fleet(tmp_path / "shops.toml")
    assert str(error.value).startswith(f"{tmp_path / 'shops.toml'}: ")


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_fleet(tmp_path / "none.toml")
    (tmp_path / "empty.toml").write_text("")
    with pytest.raises(UsageError, match=r"expected at least one \[\[training\]\]"):
        read_fleet(tmp_path / "empty.toml")
    (tmp_path / "flat.toml").write_text("training = [3]")
    with pytest.raises(UsageError, match=r"training\[0\]: expected a table, not 3"):
        read_fleet(tmp_path / "flat.toml")
