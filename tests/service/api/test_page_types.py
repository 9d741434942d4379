"""The page's modules against their types, checked by TypeScript as Deno brings it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.api.routes.page import FOLDER

DENO = shutil.which("deno", path=Path(sys.executable).parent)
OPTIONS = {
    "checkJs": True,
    "strict": True,
    # A parameter without a type may be anything.
    "noImplicitAny": False,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "lib": ["esnext", "dom", "dom.iterable"],
}
WRONG = 'import { percent } from "./dom.js";\nexport const wrong = percent(1).toFixed();\n'


@pytest.mark.skipif(DENO is None, reason="deno is not installed")
def test_the_modules_keep_to_their_types(tmp_path: Path) -> None:
    """The mistake of the module that is put beside them is found, and no other."""
    page = tmp_path / "page"
    shutil.copytree(FOLDER, page)
    (page / "wrong.js").write_text(WRONG)
    (tmp_path / "deno.json").write_text(json.dumps({"compilerOptions": OPTIONS}))
    modules = sorted(path.name for path in page.iterdir() if path.suffix in (".js", ".ts"))
    done = subprocess.run(
        [str(DENO), "check", "--no-remote", "--no-lock", *modules],
        cwd=page,
        env={**os.environ, "DENO_DIR": str(tmp_path / "cache"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = re.findall(r"at file://\S*/(\w+\.[jt]s):(\d+)", done.stderr)
    assert found == [("wrong.js", "2")], done.stderr
    assert "Property 'toFixed' does not exist on type 'string'." in done.stderr
