"""The catalogue of all that pages say: collected from the code; languages are brought up to it.

Invariant: it holds no date and no line number, so it changes only when a sentence does. What only
commands say is left out: they speak English, as the OpenAPI document does.
"""

import ast
import errno
import io
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from babel.messages import Catalog, extract, pofile

ROOT = Path(__file__).parent.parent
CODE = ROOT / "control_plane"
LOCALE = CODE / "locale"
TEMPLATE = LOCALE / "remoteapp.pot"
JINJA = {"extensions": "jinja2.ext.i18n", "trimmed": "true", "silent": "false"}
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2)}

# Findings of the doctor have what to do beside them: a command.
COMMANDED = {"failed", "warning"}
# Modules that only commands and programs talk to.
SILENT = (
    *("declared", "imports", "installed", "operators", "plane", "settings"),
    *("domain/routes", "web/health", "web/lifespan", "web/middleware", "web/openapi"),
    *("web/operations", "web/operator", "web/templating"),
)
# Adapters whose errors reach a page.
TOLD = (
    *("accounting_db", "accounting_read", "accounting_rewrite", "accounting_snapshot", "database"),
    *("disk", "docker_api", "docker_files", "docker_homes", "docker_library", "docker_networks"),
    *("engine", "engine_facts", "folders", "gateway", "home_writing", "identity", "providers"),
    *("records", "stores", "transfers", "uids"),
)
# What the system says of a file or a connection; our sentences pass it on.
SYSTEM = ("ENOENT", "EACCES", "ENOTDIR", "EISDIR", "EROFS", "ENOSPC", "EIO", "ECONNREFUSED")
# Rooms that mostly talk with machines: people read what their calls that speak are given first.
TERSE = ("adapters", "doctor")
TALKING = ("folders",)
# Calls that are given what a person reads, be it a single word.
SPEAKS = re.compile(r".*Error|Field|Column|failed|warning")
# Calls and arguments that nobody reads on a page: logs, patterns, the document of the API.
MUTE = {"cast", "compile", "Check", "Operation"}
MUTE |= {"description", "title", "pattern", "examples", "kind"}
_PROSE = re.compile(r"\w[\w})\]'\"`]*[.,:;]? [\w{(\[`'\"]")
_LITTLE = re.compile(r"[^a-z]*(?:[a-z][^a-z]*){0,3}")  # of letters
_CODE = re.compile(
    r"[A-Z]{4,} |[\n#/'<]|control-plane |Cache-Control"
    r"|.*(?:\\|</|%s|; \w+=|\w\[str|=\"|\n$|`Accept`|max-age|private, |Accept-|-src |:root)",
    re.DOTALL,
)
_LABEL = re.compile(r"[A-Z][a-z]+(?:[ -]\w+)*…?")
_STATE = re.compile(r"[A-Z][a-z]+\.")
_GAP = re.compile(r"\{\w+\}|%\(\w+\)s")
_DATES = re.compile(
    r'^"(?:POT-Creation-Date|PO-Revision-Date|Generated-By|Last-Translator|Language-Team'
    r'|Project-Id-Version|Report-Msgid-Bugs-To): .*\n',
    re.MULTILINE,
)  # fmt: skip


def collected() -> Catalog:
    """Return the catalogue of the code as it is: every sentence with the files that say it."""
    catalogue = Catalog(project="Remoteapp", header_comment="# What the pages of the portal say.")
    for file, said in _everything():
        catalogue.add(said, locations=[(str(file.relative_to(ROOT)), 0)])
    for name in SYSTEM:
        catalogue.add(os.strerror(getattr(errno, name)), locations=[("errno", 0)])
    return catalogue


def written(catalogue: Catalog) -> bytes:
    """Return a catalogue as its file is: sorted, without dates and line numbers."""
    file = io.BytesIO()
    pofile.write_po(
        file, catalogue, width=100, sort_output=True, include_lineno=False, ignore_obsolete=True
    )
    return _DATES.sub("", file.getvalue().decode()).encode()


def updated(file: Path, template: Catalog) -> Catalog:
    """Return a language's catalogue with the sentences of today; the new ones are empty."""
    catalogue = read(file)
    catalogue.update(template, no_fuzzy_matching=True, update_header_comment=False)
    return catalogue


def read(file: Path) -> Catalog:
    """Return a catalogue from its file."""
    return pofile.read_po(io.BytesIO(file.read_bytes()), locale=file.parts[-3])


def translations() -> list[Path]:
    """Return the file of every language that is not the source."""
    return sorted(LOCALE.glob("*/LC_MESSAGES/remoteapp.po"))


def strings(found: object) -> Sequence[str]:
    """Return a sentence, or both of one with a plural, as several."""
    return list(found) if isinstance(found, tuple | list) else [str(found or "")]


def gaps(text: str) -> list[str]:
    """Return the gaps of a sentence, sorted."""
    return sorted(_GAP.findall(text))


def spoken(file: Path) -> Iterator[str]:
    """Find what a Python module says to people: prose wherever it stands, and labels.

    An f-string becomes the sentence with `{name}` where a value stands.
    """
    terse = file.parent.name in TERSE and file.stem not in TALKING
    shown = file.is_relative_to(CODE / "web")
    for node, speaks in _texts(ast.parse(file.read_text()), speaks=False, shown=shown):
        text = _text(node)
        if _is_said(text, speaks=speaks) and (speaks or not terse):
            yield text


def main() -> None:
    """Write the template, and every language brought up to it."""
    template = collected()
    TEMPLATE.write_bytes(written(template))
    for file in translations():
        catalogue = updated(file, template)
        file.write_bytes(written(catalogue))
        empty = sum(not any(strings(one.string)) for one in catalogue if one.id)
        sys.stdout.write(f"{file.parts[-3]}: {len(catalogue)} sentences, {empty} to translate\n")


def _everything() -> Iterator[tuple[Path, Any]]:
    """Return every sentence with its file; one with a plural is a pair."""
    for file in sorted((CODE / "web" / "templates").rglob("*.html")):
        yield from ((file, said) for said in _marked(file, "jinja2.ext:babel_extract", JINJA))
    for file in sorted((CODE / "web" / "static").glob("*.js")):
        yield from ((file, said) for said in _marked(file, "javascript", {}))
    for file in _modules():
        yield from ((file, said) for said in spoken(file))


def _marked(file: Path, method: str, options: Mapping[str, Any]) -> Iterator[Any]:
    """Find what stands in `_(…)` and its like."""
    with file.open("rb") as text:
        for _, said, _, _ in extract.extract(method, text, KEYWORDS, (), options):
            yield said


def _modules() -> Iterator[Path]:
    rooms = [
        CODE.glob("*.py"),
        *((CODE / one).rglob("*.py") for one in ("checks", "doctor", "domain", "web")),
    ]
    found = [file for room in rooms for file in room] + [
        CODE / "adapters" / f"{one}.py" for one in TOLD
    ]
    silent = {CODE / f"{one}.py" for one in SILENT}
    return (file for file in sorted(found) if file not in silent)


def _texts(node: ast.AST, *, speaks: bool, shown: bool) -> Iterator[tuple[ast.expr, bool]]:
    """Find texts below a node, each with whether a person surely reads it."""
    if isinstance(node, ast.JoinedStr):
        yield node, speaks
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node, speaks
    elif not _is_mute(node):
        speaks = _speaks(node, speaks=speaks, shown=shown)
        for child in _children(node):
            if not _is_docstring(node, child):
                yield from _texts(child, speaks=speaks, shown=shown)


def _children(node: ast.AST) -> Sequence[ast.AST]:
    if isinstance(node, ast.Call) and _called(node) in COMMANDED:
        return node.args[:1]
    return list(ast.iter_child_nodes(node))


def _speaks(node: ast.AST, *, speaks: bool, shown: bool) -> bool:
    if isinstance(node, ast.Call):
        return SPEAKS.fullmatch(_called(node)) is not None
    if isinstance(node, ast.Assign) and shown:
        return all(isinstance(one, ast.Name) and one.id.isupper() for one in node.targets)
    return speaks and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _is_mute(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return _called(node) in MUTE or _is_log(node.func)
    return isinstance(node, ast.keyword) and node.arg in MUTE


def _is_log(called: ast.expr) -> bool:
    return isinstance(called, ast.Attribute) and getattr(called.value, "id", "") == "log"


def _is_docstring(node: ast.AST, child: ast.AST) -> bool:
    return (
        isinstance(child, ast.Expr)
        and isinstance(child.value, ast.Constant)
        and isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.JoinedStr)
    parts: list[str] = []
    names: list[str] = []
    for one in node.values:
        if isinstance(one, ast.FormattedValue):
            names.append(_gap(one.value, names))
            parts.append(f"{{{names[-1]}}}")
        else:
            parts.append(str(getattr(one, "value", "")))
    return "".join(parts)


def _gap(value: ast.expr, taken: Sequence[str]) -> str:
    """Return the last name in an expression, with a number where the sentence has it already."""
    found = [one for one in ast.walk(value) if isinstance(one, ast.Attribute | ast.Name)]
    last = max(found, key=lambda one: (one.end_lineno or 0, one.end_col_offset or 0), default=None)
    bare = last.attr if isinstance(last, ast.Attribute) else getattr(last, "id", "")
    name = bare.strip("_").lower() or "value"
    return name if name not in taken else f"{name}{len(taken)}"


def _is_said(text: str, *, speaks: bool) -> bool:
    if _CODE.match(text):
        return False
    if _STATE.fullmatch(text) or (speaks and _LABEL.fullmatch(text)):
        return True
    return bool(_PROSE.search(text) and not _LITTLE.fullmatch(_GAP.sub("", text)))


if __name__ == "__main__":
    main()
