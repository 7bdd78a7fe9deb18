"""Holds the documents to the code: what there is must be described, and what is described must be there."""

import re
import tomllib
from pathlib import Path

import typer

from gateway.cli import app
from gateway.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").glob("*.md"))

# What a setting's comment has to say, by the unit that its name ends in.
UNITS = {
    "_s": "second",
    "_ms": "millisecond",
    "_bps": "bit/s",
    "_bytes": "byte",
    "_multiple": "multiple",
}


def settings_in_file() -> dict[str, tuple[str, bool, str]]:
    """name -> (value as written, whether it is only shown in a comment, the comment above)."""
    found = {}
    comment: list[str] = []
    for line in (ROOT / "config/gateway.toml").read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"(# )?([a-z_]+) = (.+)", line):
            found[match[2]] = (match[3], bool(match[1]), " ".join(comment))
            comment = []
        elif line.startswith("#"):
            comment.append(line.lstrip("# "))
        else:
            comment = []
    return found


def test_every_setting_is_in_the_file_with_its_default() -> None:
    in_file = settings_in_file()
    assert list(in_file) == list(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        written, only_shown, _ = in_file[name]
        assert only_shown == (field.default_factory is not None), name
        if not only_shown:
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            assert tomllib.loads(f"value = {written}")["value"] == default, name


def test_every_setting_is_explained_with_its_unit() -> None:
    for name, (_, _, comment) in settings_in_file().items():
        assert "." in comment, f"{name}: no sentence above it"
        assert len(comment.split()) >= 5, f"{name}: {comment}"
        for suffix, word in UNITS.items():
            assert not name.endswith(suffix) or word in comment, f"{name}: the comment does not say {word}"


def test_every_module_is_named_in_the_architecture() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    section = text.partition("\n## Modules\n")[2].partition("\n## ")[0]
    modules = [path for root in ("swarm", "gateway") for path in (ROOT / root).rglob("*.py") if path.read_bytes()]
    missing = [
        str(path.relative_to(ROOT))
        for path in sorted(modules)
        if path.stem != "__init__" and not re.search(rf"(?<!\w){path.stem}(?!\w)", section)
    ]
    assert not missing, f"not in docs/architecture.md: {missing}"


def test_every_make_target_in_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, flags=re.MULTILINE))
    named = set(re.findall(r"(?:`|^ {4})make ([a-z0-9-]+)", README, flags=re.MULTILINE))
    assert {"run", "test"} <= named <= targets


def test_every_command_is_in_the_readme_and_every_command_there_exists() -> None:
    group = typer.main.get_command(app)
    commands = set(getattr(group, "commands", ()))
    named = set(re.findall(r"(?:`|^ {4})seedcast ([a-z]+)", README, flags=re.MULTILINE))
    assert commands
    assert named == commands


def test_every_dependency_is_explained_in_the_projects_order() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = project["optional-dependencies"]
    declared = [*project["dependencies"], *extra["whip"], *extra["upnp"], *extra["test"], *extra["players"]]
    declared.remove("seedcast[whip]")
    text = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| `([a-z0-9-]+)` \|", text, flags=re.MULTILINE)
    assert explained == [re.split(r"[<>=;\[ ]", entry)[0] for entry in declared]


def test_every_threat_names_tests_that_exist() -> None:
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    threats = text.partition("\n## Threats\n")[2].partition("\n## ")[0]
    rows = [line for line in threats.splitlines() if line.startswith("| ") and not line.startswith("| threat")]
    assert len(rows) > 30
    written = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    defined = set(re.findall(r"^def (test_\w+)", written, flags=re.MULTILINE))
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, f"no test: {row[:60]}"
        assert not set(named) - defined, f"{row[:60]}: {sorted(set(named) - defined)}"


def test_links_between_documents_lead_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
