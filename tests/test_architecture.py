"""Holds what docs/architecture.md promises: who may import whom, what is pure, and how big things may get.

The table LAYERS is the house's plan, lowest floor first. A new module has to be given its place in it.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Layer:
    """One floor: its modules (a package stands for all inside it), the layers that it may import from."""

    name: str
    modules: frozenset[str]
    sees: frozenset[str]
    siblings: bool = True
    """Its modules may import each other."""


def layer(name: str, modules: str, sees: str = "", *, siblings: bool = True) -> Layer:
    package = name.partition(" ")[0]
    members = frozenset(f"{package}.{module}" if module != "." else package for module in modules.split())
    return Layer(name, members, frozenset(part.strip() for part in sees.split(",") if part), siblings)


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SWARM_VALUES = "swarm values, swarm formats"

LAYERS = (
    layer("swarm values", ". units errors settings status"),
    layer(
        "swarm formats",
        "gf256 coding merkle identity pieces manifest evidence events link messages wire framing handshake reading "
        "prefixes window sendqueue pacer peers sealing sealer keyring past_keys credentials passwords tombstone graves "
        "tickets titles tracker_url pasted",
        "swarm values",
    ),
    # One subject each; what one of them needs of another is handed to it by the state machine.
    layer(
        "swarm policy",
        "adverts bans clock colours door join limits relocation repair slots standing strain stripes traversal uplink",
        SWARM_VALUES,
        siblings=False,
    ),
    layer(
        "swarm machine",
        "homes household naming outlook circle feeds intake hosting lodging roof outgo gathering herald loans palette "
        "recall allowances rendezvous greetings links announcements key_exchange members membership views connections "
        "node",
        f"{SWARM_VALUES}, swarm policy",
    ),
    layer("swarm drivers", "drivers", f"{SWARM_VALUES}, swarm machine"),
    layer(
        "swarm announcing",
        "discovery.announces discovery.bencode discovery.http_tracker discovery.udp_tracker discovery.tiers "
        "discovery.vetting",
        SWARM_VALUES,
    ),
    # Here and in the drivers alone are clocks, sockets and name servers.
    layer("swarm discovery", "discovery", f"{SWARM_VALUES}, swarm announcing"),
    layer("swarm simulator", "sim", f"{SWARM_VALUES}, swarm policy, swarm machine, swarm drivers"),
    layer("gateway media", "media"),
    layer(
        "gateway basics",
        ". errors latency ladder settings problems logs shutdown seals strangers coding_choice uplink_books "
        "uplink_keeper upload_budget refusals stream_seals private_files ticket_book",
        SWARM_VALUES,
    ),
    layer("gateway live", "live", "gateway media"),
    layer("gateway past", "timeshift", "gateway media, gateway live"),
    layer("gateway ingest", "ingest", "gateway media, gateway basics, swarm values"),
    layer(
        "gateway house",
        "openapi origins audience http_door serving reports diagnosis terminal key_files webhooks qr blocklists "
        "graveyard",
        f"gateway basics, {SWARM_VALUES}",
    ),
    layer("gateway tracker", "tracker", f"gateway basics, swarm announcing, {SWARM_VALUES}"),
    # Where the swarm and the players meet: the only place that starts a driver.
    layer(
        "gateway meeting",
        "whereabouts finders membership renditions archive arrivals channel channels on_air recordings broadcasts "
        "owners unlocking source_faults",
        f"gateway basics, gateway media, gateway live, gateway past, gateway ingest, gateway house, {SWARM_VALUES}, "
        "swarm machine, swarm drivers, swarm announcing, swarm discovery",
    ),
    layer(
        "gateway routes",
        "routes",
        "gateway basics, gateway media, gateway live, gateway past, gateway ingest, gateway house, gateway meeting, "
        "gateway tracker, swarm announcing, swarm discovery, " + SWARM_VALUES,
    ),
    layer(
        "gateway app",
        "app",
        "gateway basics, gateway live, gateway past, gateway ingest, gateway house, gateway meeting, gateway routes, "
        f"gateway tracker, {SWARM_VALUES}",
    ),
    layer("gateway demo", "demo", f"gateway basics, gateway house, gateway routes, {SWARM_VALUES}"),
    layer(
        "gateway commands",
        "commands",
        "gateway basics, gateway media, gateway live, gateway past, gateway ingest, gateway house, gateway meeting, "
        "gateway routes, gateway app, gateway demo, " + SWARM_VALUES,
    ),
    layer(
        "gateway cli",
        "cli options __main__",
        "gateway basics, gateway media, gateway house, gateway meeting, gateway demo, gateway commands, "
        + SWARM_VALUES,
    ),
)

# The swarm's core calculates: it gets time, luck and bytes as arguments.
CORE_LAYERS = ("swarm values", "swarm formats", "swarm policy", "swarm machine", "swarm announcing")
CORE_IMPORTS = words("""
    __future__ abc array base64 binascii bisect blake3 collections contextlib copy cryptography dataclasses enum
    functools hashlib heapq hmac ipaddress itertools math numpy operator random re statistics string struct typing
    unicodedata urllib weakref zlib
""")
# Media is as pure, and needs less.
MEDIA_IMPORTS = words("""
    __future__ abc array base64 binascii bisect collections contextlib dataclasses datetime enum fractions functools
    heapq html itertools json math operator re string struct typing unicodedata zlib xml
""")
# A module that may be pure by name and still offers a clock or luck of its own.
IMPURE_NAMES = frozenset({"urllib.request", "datetime.datetime.now", "datetime.now", "datetime.utcnow", "date.today"})
QUIC = "swarm.drivers.quic"
QUIC_PRIVATE = "swarm.drivers.quic.connection"

# Imports inside functions, each with its reason: none.
LAZY_IMPORTS: frozenset[tuple[str, str]] = frozenset()

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 50
VAGUE_NAMES = frozenset({"util", "utils", "helper", "helpers", "manager", "common", "misc"})


@dataclass(frozen=True, slots=True)
class Module:
    """One file, parsed."""

    name: str
    path: Path
    tree: ast.Module

    def imports(self) -> Iterator[tuple[str, str | None, ast.stmt]]:
        """(module, name taken from it or None, statement) for every import, wherever it stands."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, None, node) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name} imports relatively"
                yield from ((node.module or "", alias.name, node) for alias in node.names)


def read(name: str, text: str) -> Module:
    return Module(name, Path(), ast.parse(text))


@cache
def modules() -> dict[str, Module]:
    found = {}
    for package in ("swarm", "gateway"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = Module(name, path, ast.parse(path.read_text(encoding="utf-8")))
    return found


def layer_of(module: str) -> Layer | None:
    """The layer that names the module or the nearest package around it."""
    while module:
        for candidate in LAYERS:
            if module in candidate.modules:
                return candidate
        module = module.rpartition(".")[0]
        if "." not in module:
            return None  # the bare packages stand in the table for their own __init__ alone
    return None


def own_imports(module: Module, known: Iterable[str]) -> set[str]:
    """The project's modules that a module imports; `from swarm import wire` counts as swarm.wire."""
    names = frozenset(known)
    found = set()
    for source, name, _ in module.imports():
        if source.partition(".")[0] in {"swarm", "gateway"}:
            inner = f"{source}.{name}"
            found.add(inner if inner in names else source)
    return found


def faults_of(module: Module, known: Iterable[str]) -> list[str]:
    """Imports of a module that its layer does not allow."""
    home = layer_of(module.name)
    if home is None:
        return [f"{module.name} has no place in LAYERS"]
    found = []
    for target in sorted(own_imports(module, known)):
        other = layer_of(target)
        allowed = other is not None and (home.siblings if other is home else other.name in home.sees)
        if not allowed:
            found.append(f"{module.name} ({home.name}) must not import {target} ({other.name if other else '?'})")
    return found


def impurities_of(module: Module, allowed: frozenset[str]) -> list[str]:
    """Imports and names of a pure module that could reach for a clock, luck or the outside."""
    found = []
    for source, name, _ in module.imports():
        top = source.partition(".")[0]
        if top not in allowed | {"swarm", "gateway"} or source in IMPURE_NAMES:
            found.append(f"{module.name} imports {source}")
        if source == "random" and name not in {None, "Random"}:
            found.append(f"{module.name} takes {name} from random: pass a Random in")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            text = ast.unparse(node)
            if text in IMPURE_NAMES or (text.startswith("random.") and text != "random.Random"):
                found.append(f"{module.name} uses {text}")
    return found


def cycle_in(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one import cycle in order, or nothing."""
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        path.append(name)
        for target in sorted(graph.get(name, ())):
            if found := visit(target):
                return found
        done.add(path.pop())
        return []

    return next((found for name in sorted(graph) if (found := visit(name))), [])


def lazy_imports_of(module: Module) -> set[tuple[str, str]]:
    functions = (node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    inner = {id(node) for function in functions for node in ast.walk(function)}
    return {(module.name, source) for source, _, node in module.imports() if id(node) in inner}


def long_functions_of(module: Module, limit: int) -> list[str]:
    return [
        f"{module.name}.{node.name} has {lines} lines"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > limit
    ]


def report(faults: Iterable[str]) -> None:
    lines = list(faults)
    assert not lines, "\n" + "\n".join(lines)


def test_every_module_has_a_place_and_imports_only_what_its_layer_sees() -> None:
    report(fault for module in modules().values() for fault in faults_of(module, modules()))


def test_the_table_names_no_module_that_is_gone() -> None:
    report(f"{name} ({row.name})" for row in LAYERS for name in sorted(row.modules) if name not in modules())


def test_the_swarm_knows_nothing_of_the_gateway() -> None:
    report(
        f"{module.name} imports {target}"
        for module in modules().values()
        if module.name.startswith("swarm")
        for target in own_imports(module, modules())
        if target.startswith("gateway")
    )


def test_there_is_no_import_cycle() -> None:
    graph = {module.name: own_imports(module, modules()) - {module.name} for module in modules().values()}
    assert cycle_in(graph) == []


def test_the_swarms_core_has_no_clock_no_luck_and_no_outside() -> None:
    core = [m for m in modules().values() if (home := layer_of(m.name)) and home.name in CORE_LAYERS]
    assert len(core) > 20
    report(fault for module in core for fault in impurities_of(module, CORE_IMPORTS))


def test_media_is_pure() -> None:
    media = [m for m in modules().values() if m.name.startswith("gateway.media")]
    assert len(media) > 5
    report(fault for module in media for fault in impurities_of(module, MEDIA_IMPORTS))


def test_the_quic_library_is_used_in_one_place() -> None:
    report(
        f"{module.name} imports {source}"
        for module in modules().values()
        for source, name, _ in module.imports()
        if source.partition(".")[0] == "qh3"
        and not (
            module.name == QUIC_PRIVATE
            or (module.name.startswith(QUIC) and "._" not in source and not (name or "").startswith("_"))
        )
    )


def test_no_import_hides_in_a_function() -> None:
    report(
        f"{name} imports {source} inside a function"
        for module in modules().values()
        for name, source in sorted(lazy_imports_of(module) - LAZY_IMPORTS)
    )


def test_files_and_functions_are_short() -> None:
    sources = [path for root in ("swarm", "gateway", "tests") for path in (ROOT / root).rglob("*.py")]
    pages = [path for path in (ROOT / "gateway/web").iterdir() if path.is_file()]
    report(
        f"{path.relative_to(ROOT)} has {lines} lines"
        for path in [*sources, *pages]
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES_MAX
    )
    report(fault for module in modules().values() for fault in long_functions_of(module, FUNCTION_LINES_MAX))


def test_every_module_says_what_it_is_for() -> None:
    report(f"{module.name} has no docstring" for module in modules().values() if module.tree.body and not said(module))


def said(module: Module) -> str:
    return (ast.get_docstring(module.tree) or "").strip()


def test_no_module_has_a_name_that_says_nothing() -> None:
    report(name for name in modules() if VAGUE_NAMES & set(name.split(".")))


def test_the_checks_find_what_they_look_for() -> None:
    known = ["swarm.node", "swarm.slots", "swarm.uplink", "gateway.app"]
    assert faults_of(read("swarm.slots", "from swarm import uplink"), known)
    assert faults_of(read("swarm.node", "import gateway.app"), known)
    assert faults_of(read("swarm.brand_new", ""), known)
    assert not faults_of(read("swarm.node", "from swarm import uplink"), known)
    for text in ("import time", "from os import urandom", "from random import random", "import random\nrandom.seed(1)"):
        assert impurities_of(read("swarm.node", text), CORE_IMPORTS)
    assert not impurities_of(read("swarm.node", "import random\nrng: random.Random"), CORE_IMPORTS)
    assert impurities_of(read("gateway.media.hls", "from datetime import datetime\ndatetime.now()"), MEDIA_IMPORTS)
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert lazy_imports_of(read("x", "def f():\n    import time")) == {("x", "time")}
    assert long_functions_of(read("x", "def f():\n    1\n    2"), 2)
