"""Two trees side by side, with a repository of a few lines in place of ours."""

import subprocess
from pathlib import Path

import pytest

from swarm.sim.compare import main, rows

FAKE = """
import json, sys
if sys.argv[sys.argv.index("--scenario") + 1] not in {known}:
    sys.exit("argument --scenario: invalid choice")
print(json.dumps({{"delay_p50_s": {delay} + int(sys.argv[sys.argv.index("--seed") + 1]), "digest": "{delay}"}}))
"""


def git(repository: Path, *words: str) -> str:
    command = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One commit that knows a scenario, and a tree that knows two and is faster."""
    package = tmp_path / "swarm" / "sim"
    package.mkdir(parents=True)
    (tmp_path / "swarm" / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(FAKE.format(known=["calm"], delay=0.75), encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "base")
    (package / "__main__.py").write_text(FAKE.format(known=["calm", "new"], delay=0.5), encoding="utf-8")
    return tmp_path


def test_both_trees_are_run_and_the_worktree_goes(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--repository", str(repository), "--base", "HEAD", "--scenarios", "calm,new", "--seeds", "1,2,6"]
    assert main(options) == 0
    calm, new = capsys.readouterr().out.strip().split("\n\n")
    assert ["delay_p50_s", "2.7500", "2.5000", "-0.2500"] in [line.split() for line in calm.splitlines()]
    assert "base: has no scenario new" in new
    assert ["delay_p50_s", "-", "2.5000", "-"] in [line.split() for line in new.splitlines()]
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_a_failure_of_this_tree_is_told(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--repository", str(repository), "--base", "HEAD", "--scenarios", "older", "--seeds", "1"]) == 1
    assert "this tree: has no scenario older" in capsys.readouterr().out


def test_a_commit_that_is_not_there_is_told(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--repository", str(repository), "--base", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_a_figure_that_one_run_lacks_has_no_median() -> None:
    lines = rows([{"within_2s": None}, {"within_2s": 1.0}], [{"within_2s": 0.5}, {"within_2s": 1.0}])
    assert ["within_2s", "-", "0.7500", "-"] in [line.split() for line in lines]
