"""Imports point down, and nothing that runs code from a file is used: read from the sources, lazy imports included."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "showdown"
MAY_IMPORT = {
    "__init__": {"api", "comparison"},
    "__main__": {"cli"},
    "cli": {"commands", "api", "config", "planning", "runner", "display", "prediction", "report", "watch", "methods"},
    "commands": {"api", "config", "start", "doctor", "folders", "prediction", "report", "serving"},
    "comparison": {"api", "config", "planning", "display", "prediction", "exporting", "report", "verdict"},
    "api": {
        *("start", "folders", "config", "planning", "runner", "display", "exporting", "prediction", "report"),
        *("serving", "trackers", "verdict", "data"),
    },
    "exporting": {
        *("prediction", "report", "verdict", "runner", "stages", "evaluation", "methods", "tasks", "models"),
        *("data", "measure", "fp8"),
    },
    "start": {"config", "planning", "runner", "methods", "tasks", "data", "models"},
    "doctor": {"config", "trackers", "runner", "forecast", "stages", "methods", "measure", "models", "engine"},
    "folders": {"verdict", "runner", "data"},
    "planning": {"runner", "verdict", "report", "forecast", "data", "tasks", "models"},
    "serving": {"prediction", "measure", "data"},
    "prediction": {"models", "runner", "stages", "tasks", "data"},
    "runner": {"engine", "forecast", "stages", "display", "methods", "tasks", "data", "measure", "models"},
    "display": set(),
    "forecast": {"data", "evaluation", "measure", "stages", "training", "methods", "tasks", "models", "engine"},
    "stages": {"training", "evaluation", "methods", "tasks", "data", "measure", "models", "engine", "fp8"},
    "training": {"engine", "models", "measure"},
    "evaluation": set(),
    "engine": {"models", "fp8"},
    "models": {"fp8"},
    "methods": {"tasks", "models", "fp8"},
    "tasks": {"evaluation", "engine", "models"},
    "testing": {"stages", "tasks", "methods", "data", "models", "engine", "fp8"},
    "report": {"verdict", "data"},
    "trackers": {"verdict"},
    "watch": {"runner"},
    "config": {"methods", "tasks", "trackers", "data"},
}
"""Beside itself and core; what is not named here may import core alone."""
SOURCES = sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> set[str]:
    """Return the parts of the package that a module imports anywhere, but for the type checker alone."""
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names: list[str] = []
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and ":" in node.value:
            names.append(node.value.partition(":")[0])  # `showdown.methods.lora:Lora`, imported by its name
    return {name.split(".")[1] for name in names if name.startswith("showdown.")}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    part = part_of(path)
    allowed = MAY_IMPORT.get(part, set()) | ({part} if path.parent != PACKAGE else set())
    allowed |= set() if part == "core" else {"core"}
    assert imported(ast.parse(path.read_text(encoding="utf-8"))) <= allowed | ({"core"} if part == "core" else set())


def test_the_direction_has_no_circle() -> None:
    """What a part may import can never lead back to it."""

    def below(part: str) -> set[str]:
        return {deeper for lower in MAY_IMPORT.get(part, ()) for deeper in {lower, *below(lower)}}

    assert all(part not in below(part) for part in MAY_IMPORT)


def module_of(path: Path) -> str:
    return ".".join(("showdown", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


MODULES = {module_of(path): path for path in SOURCES}


def imported_modules(name: str) -> set[str]:
    """Return the modules that a module imports anywhere: lazily and for the type checker too."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {module if module in MODULES else node.module for module in inner}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and ":" in node.value:
            found.add(node.value.partition(":")[0])  # `showdown.methods.lora:Lora`, imported by its name
    return {module for module in found if module in MODULES} - {name}


def import_cycles() -> list[list[str]]:
    """Return the groups of modules that import each other, directly or through others (Tarjan 1972)."""
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    cycles: list[list[str]] = []

    def visit(name: str) -> None:
        numbers[name] = lowest[name] = len(numbers)
        stack.append(name)
        for other in sorted(imported_modules(name)):
            if other not in numbers:
                visit(other)
            if other in stack:
                lowest[name] = min(lowest[name], lowest[other])
        if lowest[name] == numbers[name]:
            group = stack[stack.index(name) :]
            del stack[-len(group) :]
            if len(group) > 1:
                cycles.append(sorted(group))

    for name in MODULES:
        if name not in numbers:
            visit(name)
    return sorted(cycles)


def test_no_modules_import_each_other() -> None:
    """Lazy imports, imports by name and those for the type checker count."""
    assert import_cycles() == []


FORBIDDEN_CALLS = {"eval", "exec", "torch.load", "pickle.load", "pickle.loads", "joblib.load", "numpy.load", "np.load"}
FORBIDDEN_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_runs_code_from_a_file(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in FORBIDDEN_CALLS, f"line {node.lineno}"
            for keyword in node.keywords:
                if keyword.arg == "trust_remote_code":
                    assert isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                if keyword.arg == "shell":
                    assert isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]
            assert not {name.partition(".")[0] for name in names} & FORBIDDEN_MODULES, f"line {node.lineno}"


WRITES_BY_ITSELF = {
    "core/files.py": "what all others use",
    "data/prepare.py": "into the new folder that `write_folder` gives",
    "forecast/measure.py": "a temporary file, whose writing is what it measures",
    "measure/limits.py": "the kernel's /proc",
    "measure/memory.py": "the kernel's /proc",
    "report/pdf/write.py": "a temporary folder for the typesetter",
    "trackers/mlflow.py": "what waits to be sent; a folder with a way out is refused before",
}
"""Modules that may write a file otherwise than through `core/files.py`, and why."""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_are_written_through_one_module(path: Path) -> None:
    """Which makes them anew, never through a link, and whole."""
    if str(path.relative_to(PACKAGE)) in WRITES_BY_ITSELF:
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if isinstance(node.func, ast.Attribute):
            assert name not in ("write_text", "write_bytes"), f"line {node.lineno}"
        if name == "open":
            modes = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            assert not any(set(mode) & set("wax+") and len(mode) < 4 for mode in modes), f"line {node.lineno}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_text_reaches_a_terminal_through_one_module(path: Path) -> None:
    """Which shows control characters, and escapes what the terminal has no letter for."""
    if path == PACKAGE / "core" / "terminal.py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in ("typer.echo", "typer.secho", "click.echo", "Console"), (
                f"line {node.lineno}"
            )


MOST_UNTYPED = 0.015
"""Share of parameters that may be annotated as `Any`: objects of libraries without types."""


def test_nearly_all_parameters_have_a_type() -> None:
    """Kernels are left out: Triton's arguments are of its own compiler."""
    total, untyped = 0, []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef) or any(
                "triton" in ast.unparse(one) for one in node.decorator_list
            ):
                continue
            given = node.args
            for one in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg):
                if one is not None and one.arg not in ("self", "cls"):
                    total += 1
                    if one.annotation is None or ast.unparse(one.annotation) == "Any":
                        untyped.append(f"{path.relative_to(PACKAGE)}: {node.name}({one.arg})")
    assert len(untyped) < MOST_UNTYPED * total, "\n".join(untyped)


def test_the_tree_of_the_readme_is_in_the_order_of_imports() -> None:
    readme = (PACKAGE.parent.parent / "README.md").read_text(encoding="utf-8")
    tree = readme[readme.index("src/showdown/\n") :].split("```")[0]
    order = [line.split()[0].rstrip("/").removesuffix(".py") for line in tree.splitlines()[1:]]
    upwards = [
        f"{part} imports {lower}"
        for part, lowers in MAY_IMPORT.items()
        for lower in lowers
        if part in order and order.index(lower) < order.index(part)
    ]
    assert not upwards
