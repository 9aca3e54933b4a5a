"""Which packages each file imports, and which ones each extra of `pyproject.toml` declares."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

IMPORT_NAMES = {
    "scikit-learn": "sklearn",
    "pyyaml": "yaml",
    "pillow": "PIL",
    "piper-tts": "piper",
    "hibari-tts": "hibari",
    "absl-py": "absl",
    "backports-strenum": "backports",
    "pytest-timeout": "pytest_timeout",
    "pytest-xdist": "xdist",
    "mkdocs-material": "material",
    "import-linter": "importlinter",
}
"""Import names that are not the distribution's name with `_` for `-`."""


def import_name(distribution: str) -> str:
    """Top-level import name of a distribution, in lower case."""
    return IMPORT_NAMES.get(distribution, distribution.replace("-", "_")).lower()


def requirement_name(requirement: str) -> str:
    """`Ray[tune]>=2.59` as `ray`: the normalised name of the distribution."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;(]", requirement, maxsplit=1)[0]).lower()


class Extras:
    """Distributions that the base install (name `""`) and each extra declare.

    Attributes:
        direct: extra to the distributions written in it, without those of nested extras.
    """

    def __init__(self, pyproject: Path) -> None:
        project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
        lists = {"": project["dependencies"], **project["optional-dependencies"]}
        own = project["name"]
        self.direct = {
            extra: {name for line in lines if (name := requirement_name(line)) != own} for extra, lines in lists.items()
        }
        self._nested = {
            extra: [part.strip() for line in lines if requirement_name(line) == own for part in _extras_of(line)]
            for extra, lines in lists.items()
        }

    def install(self, extras: str) -> set[str]:
        """Import names that an install declares: `train+tts` is `pip install wakeword[train,tts]`."""
        waiting, seen = ["", *extras.split("+")], set()
        while waiting:
            extra = waiting.pop()
            if extra not in seen:
                seen.add(extra)
                waiting += self._nested[extra]
        return {import_name(name) for extra in seen for name in self.direct[extra]}


def _extras_of(requirement: str) -> list[str]:
    inside = re.search(r"\[(.*?)\]", requirement)
    return inside.group(1).split(",") if inside else []


@dataclass
class Imports:
    """Imports of one file as dotted names, at module level and in total."""

    path: str
    top: set[str] = field(default_factory=set)
    anywhere: set[str] = field(default_factory=set)


def read_imports(root: Path, folders: tuple[str, ...]) -> dict[str, Imports]:
    """Imports of every Python file below `folders`, by dotted module name; imports for type checking do not count."""
    found = {}
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            relative = path.relative_to(root)
            parts = relative.with_suffix("").parts
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            package = module if parts[-1] == "__init__" else module.rpartition(".")[0]
            imports = Imports(relative.as_posix())
            for name, at_top in _names(ast.parse(path.read_text(encoding="utf-8")), package, True):
                imports.anywhere.add(name)
                if at_top:
                    imports.top.add(name)
            found[module] = imports
    return found


def _names(node: ast.AST, package: str, at_top: bool) -> Iterator[tuple[str, bool]]:
    """Every imported dotted name below `node` and whether it is imported when the module is."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for other in child.orelse:
                yield from _names(ast.Module([other], []), package, at_top)
        elif isinstance(child, ast.Import):
            yield from ((alias.name, at_top) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - child.level + 1]) if child.level else ""
            module = ".".join(filter(None, (base, child.module)))
            yield module, at_top
            yield from ((f"{module}.{alias.name}", at_top) for alias in child.names)
        else:
            if isinstance(child, ast.Call) and (name := _dynamic(child)):
                yield name, False
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _names(child, package, at_top and not inside)


def _dynamic(call: ast.Call) -> str | None:
    """The name in `import_module("name")`, `pytest.importorskip("name")` or `resources.files("name")`."""
    function = ast.unparse(call.func).rpartition(".")[2]
    if function not in ("import_module", "importorskip", "files", "check_loads") or not call.args:
        return None
    name = call.args[0]
    return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else None


def third_party(names: set[str], own: tuple[str, ...]) -> set[str]:
    """Top-level names, in lower case, that are neither Python's nor ours."""
    tops = {name.partition(".")[0] for name in names}
    return {top.lower() for top in tops if top and top not in sys.stdlib_module_names and top not in own}


def loaded_with(module: str, imports: Mapping[str, Imports]) -> set[str]:
    """`module` and every module of ours that Python runs when it is imported (packages above each one too)."""
    waiting, seen = [module], set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in imports:
            continue
        seen.add(name)
        waiting += imports[name].top
        waiting += [name.rpartition(".")[0]]
    return seen


def installs_of(path: str, rules: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The installs that must be able to run the file: those of the longest matching rule."""
    prefixes = [prefix for prefix in rules if path == prefix or path.startswith(prefix.rstrip("/") + "/")]
    return rules[max(prefixes, key=len)] if prefixes else ()


def undeclared(imports: Mapping[str, Imports], extras: Extras, rules: Mapping[str, tuple[str, ...]]) -> list[str]:
    """A line for each package that a file imports and one of its installs does not declare."""
    own = tuple({module.partition(".")[0] for module in imports})
    problems = []
    for module, mine in imports.items():
        installs = installs_of(mine.path, rules)
        if not installs and third_party(mine.anywhere, own):
            problems.append(f"{mine.path}: no rule says which extra it belongs to")
        needed = dict.fromkeys(third_party(mine.anywhere, own), mine.path)
        for other in loaded_with(module, imports) - {module}:
            needed |= dict.fromkeys(third_party(imports[other].top, own) - needed.keys(), imports[other].path)
        for install in installs:
            if install == ANY:
                continue
            for name in sorted(needed.keys() - extras.install(install)):
                through = "" if needed[name] == mine.path else f" through {needed[name]}"
                problems.append(f"{mine.path} imports {name}{through}: [{install or 'base'}] does not declare it")
    return sorted(problems)


ANY = "any"
"""Rule for a file that may import any extra's packages where they are installed; its imports do not count as use."""


def unused(
    imports: Mapping[str, Imports],
    extras: Extras,
    rules: Mapping[str, tuple[str, ...]],
    reasons: Mapping[tuple[str, str], str],
) -> list[str]:
    """A line for each declared package that no file of its extra imports and that has no stated reason."""
    own = tuple({module.partition(".")[0] for module in imports})
    used: dict[str, set[str]] = {extra: set() for extra in extras.direct}
    for mine in imports.values():
        for install in installs_of(mine.path, rules):
            for extra in ("", *install.split("+")) if install != ANY else ():
                used[extra] |= third_party(mine.anywhere, own)
    problems = []
    for extra, distributions in extras.direct.items():
        for name in sorted(distributions):
            is_used, has_reason = import_name(name) in used[extra], (extra, name) in reasons
            if not is_used and not has_reason:
                problems.append(f"[{extra or 'base'}] declares {name}, which none of its files imports")
            if is_used and has_reason:
                problems.append(f"[{extra or 'base'}] {name} is imported: drop its reason")
    stale = [key for key in reasons if key[1] not in extras.direct.get(key[0], ())]
    return problems + [f"[{extra}] does not declare {name}: drop its reason" for extra, name in stale]
