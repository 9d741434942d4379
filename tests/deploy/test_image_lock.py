"""The lock that an image is installed from: one TensorFlow, nothing superfluous, all hashes."""

import re

import pytest

LOCKS = ("serve", "traces", "object-store", "train")


def _entries(lock):
    """Each requirement's line and its hashes, by name."""
    return {
        re.match(r"[\w.-]+", entry)[0]: (
            entry.splitlines()[0],
            re.findall(r"--hash=sha256:[0-9a-f]{64}", entry),
        )
        for entry in re.split(r"^(?=\w)", lock, flags=re.MULTILINE)
        if re.match(r"\w", entry)
    }


@pytest.fixture(params=LOCKS)
def lock(request, root):
    return (root / "requirements" / f"{request.param}.lock").read_text(encoding="utf-8")


def test_the_cpu_build_is_what_the_lock_says(image_lock, lock):
    assert image_lock.image_lock(lock, "cpu") == lock


def test_the_full_build_is_swapped_in_with_its_hashes(image_lock, lock):
    before, after = _entries(lock), _entries(image_lock.image_lock(lock, "full"))

    assert before.keys() - after.keys() == {"tensorflow-cpu"}
    line, hashes = after["tensorflow"]
    assert re.fullmatch(r"tensorflow==[\d.]+ \\", line)
    assert hashes == before["tensorflow"][1] != []
    assert all(after[name] == before[name] for name in after if name != "tensorflow")


def test_named_packages_are_left_out_and_no_others(image_lock, lock):
    before = _entries(lock)
    after = _entries(image_lock.image_lock(lock, "cpu", ["libclang", "setuptools"]))
    assert before.keys() - after.keys() == {"libclang", "setuptools"}
    assert all(after[name] == before[name] for name in after)


def test_a_name_that_the_lock_lacks_is_an_error(image_lock, lock):
    # Silence would let an image swell again when a lock no longer holds what was left out.
    with pytest.raises(ValueError, match="does not name no-such-package"):
        image_lock.image_lock(lock, "cpu", ["no-such-package"])


def test_an_unknown_build_is_an_error(image_lock, lock):
    with pytest.raises(ValueError, match="must be cpu or full, not 'gpu'"):
        image_lock.image_lock(lock, "gpu")


# The service's stage installs the lock that a build argument names.
@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("$PACKAGES", "serve"),
        ("$PACKAGES", "traces"),
        ("$PACKAGES", "object-store"),
        ("train", "train"),
    ],
)
def test_the_dockerfile_leaves_out_what_the_locks_hold(image_lock, dockerfile, root, written, name):
    without = re.search(
        rf'{re.escape(written)}\.lock"? --tensorflow \S+ +--without ([^>]*)>', dockerfile
    )[1]
    lock = (root / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    image_lock.image_lock(lock, "cpu", without.split())


def test_the_command_prints_the_lock(image_lock, capsys, monkeypatch, root):
    path = root / "requirements" / "serve.lock"
    monkeypatch.setattr("sys.argv", ["image_lock.py", str(path), "--tensorflow", "cpu"])
    assert image_lock.main() == 0
    assert capsys.readouterr().out == path.read_text(encoding="utf-8")


def test_the_command_fails_with_the_reason(image_lock, capsys, monkeypatch, root):
    path = root / "requirements" / "serve.lock"
    monkeypatch.setattr("sys.argv", ["image_lock.py", str(path), "--tensorflow", "gpu"])
    assert image_lock.main() == 1
    assert capsys.readouterr() == ("", "TENSORFLOW must be cpu or full, not 'gpu'.\n")
