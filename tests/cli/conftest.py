import shutil
from pathlib import Path

import pytest
from cli_calls import Call, Said, write_table

from anodiff.cli import run


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, place: Path) -> Call:
    """Run anodiff in a folder that holds normal.csv, new.csv and a model."""
    monkeypatch.chdir(place)

    def told(*arguments: object) -> Said:
        capsys.readouterr()
        code = run([str(a) for a in arguments])
        return Said(code, *capsys.readouterr())

    return told


@pytest.fixture
def place(tmp_path: Path, fitted: Path) -> Path:
    """A folder of one's own with copies of the inputs."""
    shutil.copytree(fitted, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fitted")
    normal = write_table(folder / "normal.csv", 120, seed=0)
    write_table(folder / "new.csv", 80, seed=1, bad=3)
    assert run(["fit", str(normal), "-o", str(folder / "model"), "--recipe", "mahalanobis", "-q"]) == 0
    return folder
