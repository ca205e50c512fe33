"""SECURITY.md keeps its word: each row names a test that exists, and what makes that test fail."""

import ast
from pathlib import Path

import pytest
from security.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]
HEAD = ["threat", "defence", "test", "mutation"]
BY_ID = {one.id: one for one in MUTATIONS}


def rows() -> list[list[str]]:
    """Return the cells of every row of every table of threats."""
    lines = (ROOT / "SECURITY.md").read_text().splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("| ")
    ]
    return [row for row in cells if row != HEAD]


def functions(path: Path) -> set[str]:
    """Return the names of a file's functions and of the methods of its classes."""
    tree = ast.walk(ast.parse(path.read_text()))
    return {one.name for one in tree if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[3].strip("`"))
def test_a_row_says_all_four_things_and_its_mutation_names_the_same_test(row: list[str]) -> None:
    threat, defence, test, mutation = row
    assert threat
    assert defence
    found = BY_ID[mutation.strip("`")]
    assert test == f"`{found.test.partition('[')[0]}`"


def test_every_mutation_stands_in_one_row_and_none_twice() -> None:
    assert len(BY_ID) == len(MUTATIONS)
    assert sorted(row[3].strip("`") for row in rows()) == sorted(BY_ID)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.id)
def test_what_a_mutation_takes_out_is_there_once_and_its_test_exists(mutation: Mutation) -> None:
    assert mutation.old != mutation.new
    assert (ROOT / mutation.file).read_text().count(mutation.old) == 1
    path, _, name = mutation.test.partition("::")
    assert name.partition("[")[0] in functions(ROOT / path)
