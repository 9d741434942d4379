"""Takes helm and kubectl out of the package that bundles them.

Run it with ``python -m tools.kubernetes.unpack FOLDER``, after packages were installed in
``FOLDER/packages``. The binaries come into ``FOLDER/bin``.
"""

import platform
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import IO, cast

_PACKAGE = "aws_cdk"
_LAYER = "package/lib/layer.zip"
_COMMANDS = ("helm/helm", "kubectl/kubectl")


def unpack(folder: Path) -> None:
    """Move the commands from ``folder/packages`` into ``folder/bin``.

    The rest of their package is removed: it holds them a second time.

    Raises:
        ValueError: the package does not hold them, or they do not run on this machine.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise ValueError(
            "The package has helm and kubectl for Linux on x86-64, not for "
            f"{sys.platform} on {platform.machine()}."
        )
    package = folder / "packages" / _PACKAGE
    archives = sorted(package.glob("*/_jsii/*.jsii.tgz"))
    if len(archives) != 1:
        raise ValueError(f"{package}: Expected one archive *.jsii.tgz, not {len(archives)}.")
    target = folder / "bin"
    target.mkdir(exist_ok=True)
    with tarfile.open(archives[0]) as archive:
        layer = cast(IO[bytes], archive.extractfile(_LAYER))
        with zipfile.ZipFile(layer) as commands:
            for name in _COMMANDS:
                path = target / Path(name).name
                with commands.open(name) as source, path.open("wb") as file:
                    shutil.copyfileobj(source, file)
                path.chmod(0o755)
    shutil.rmtree(package)


if __name__ == "__main__":
    try:
        unpack(Path(sys.argv[1]))
    except ValueError as error:
        sys.exit(str(error))
