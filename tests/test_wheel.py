"""The built wheel: it holds the package and no more, and runs without the sources."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the files that are committed or would be: leftovers of other builds must not get into it."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if name.startswith(("src/", "comparisons/")) or "/" not in name:
            target = folder / "source" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_symlink():
                target.symlink_to((ROOT / name).readlink())
            elif (ROOT / name).is_file():
                target.write_bytes((ROOT / name).read_bytes())
    words = ["wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(folder / "source")]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, timeout=280)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_and_no_more(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = ROOT / "src" / "showdown"
    there = {path for path in [*package.rglob("*"), *package.glob("ready_made/*")] if path.is_file()}
    kept = {path for path in there if "__pycache__" not in path.parts}
    assert names == {path.relative_to(package.parent).as_posix() for path in kept}


def test_the_wheel_runs_without_the_sources(wheel: Path, tmp_path: Path) -> None:
    words = ["install", "--quiet", "--no-deps", "--target", str(tmp_path / "installed"), str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, timeout=100)
    (tmp_path / "empty").mkdir()
    run = subprocess.run(
        [sys.executable, "-P", "-m", "showdown", "run", "comparisons/quickstart.yaml", "--methods", "majority,tfidf"],
        cwd=tmp_path / "empty", env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert f"the ready-made one, {tmp_path}" in run.stdout
    assert "TF-IDF + SVM" in run.stdout
