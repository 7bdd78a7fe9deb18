"""The command as it is typed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from swarm.sim.__main__ import main
from swarm.sim.invariants import Violation
from swarm.sim.scenarios import SCENARIOS
from swarm.sim.watch import Watch

ROOT = Path(__file__).parents[3]
SMALL = ["--viewers", "6", "--seconds", "8", "--k", "4", "--n", "6"]
WANTED = {
    "delay_p50_s", "delay_p95_s", "delay_p99_s", "delay_bound_s", "within_1s", "within_2s", "within_5s", "join_p50_s",
    "join_p95_s", "source_multiple", "overhead", "upload_use", "missed_p95_s", "forged_delivered", "digest", "cpu_s",
}  # fmt: skip


def digest(hash_seed: int) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, "-m", "swarm.sim", "--scenario", "churn", "--seed", "5", "--json", *SMALL]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60)
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures.keys() >= WANTED
    return str(figures["digest"])


def test_processes_and_hash_seeds_agree_on_the_digest() -> None:
    assert digest(1) == digest(4242)


def test_what_is_not_finite_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "--viewers", "1", "--seconds", "0.5", "--k", "4", "--n", "6"]) == 0

    def refuse(word: str) -> None:
        pytest.fail(f"{word} is no JSON")

    figures = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert figures["delay_p50_s"] is None


def test_people_get_a_table_and_a_plot(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plot = tmp_path / "picture.svg"
    assert main([*SMALL, "--plot", str(plot), "--upload", "3", "--source-multiple", "2.5", "--loss", "0.01"]) == 0
    told = capsys.readouterr().out
    for word in ("delay after capture", "start-up", "source multiple", "upload 3x, source 2.5x", "control", str(plot)):
        assert word in told
    assert plot.read_text(encoding="utf-8").startswith("<svg")


def test_the_list_names_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(SCENARIOS)


def test_a_violation_ends_with_the_line_that_plays_it_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(watch: Watch) -> None:
        if watch.stage.world.net.now > 2:
            raise Violation("the sky has fallen")

    monkeypatch.setattr(Watch, "check", fail)
    assert main(["--scenario", "churn", *SMALL, "--seed", "7", "--loss", "0.02", "--json"]) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert "the sky has fallen" in first
    command = "python -m swarm.sim --scenario churn --viewers 6 --seconds 8 --seed 7 --loss 0.02 --k 4 --n 6"
    assert last.endswith(command)
    assert main(command.split()[3:]) == 1


@pytest.mark.parametrize("wrong", [["--viewers", "0"], ["--loss", "1"], ["--seconds", "nan"], ["--scenario", "no"]])
def test_nonsense_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err


def test_a_code_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--k", "9", "--n", "6", "--json"]) == 2
    assert capsys.readouterr().err
