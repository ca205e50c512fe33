"""A list as a page shows it: searched, sorted and cut into pages here, not in the browser.

Invariant: any query makes a page; what it names and the list does not have counts for nothing.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

T = TypeVar("T")
ROWS = 50
_LONGEST = 200
_PAGE = re.compile(r"[0-9]{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column by its key and its English title; `order` gives what rows are sorted by."""

    key: str
    title: str
    order: Callable[[T], Any] | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a query asks of a list: words to look for, a column, `-` before it, and a page from 1.

    `more` are the filters of that very list, by name.
    """

    words: str = ""
    sort: str = ""
    page: int = 1
    more: Mapping[str, str] | None = None

    @property
    def offset(self) -> int:
        """How many rows lie before the page."""
        return (self.page - 1) * ROWS


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """One page of a list, and all that its template needs to lead to the others."""

    rows: Sequence[T]
    total: int
    columns: Sequence[Column[T]]
    wanted: Wanted

    @property
    def pages(self) -> int:
        """How many pages there are, one at least."""
        return max(1, -(-self.total // ROWS))

    @property
    def filtered(self) -> bool:
        """Whether there may be more than is shown."""
        return bool(self.wanted.words or any((self.wanted.more or {}).values()))

    def direction(self, key: str) -> str:
        """Return how a column is sorted, as `aria-sort` says it; empty for the others."""
        return {key: "ascending", f"-{key}": "descending"}.get(self.wanted.sort, "")

    def sorted_by(self, key: str) -> str:
        """Return the query that sorts by a column, the other way round when it is already."""
        return self._query(sort=f"-{key}" if self.direction(key) == "ascending" else key, page=1)

    def at(self, page: int) -> str:
        """Return the query of another page."""
        return self._query(page=page)

    def _query(self, **changes: object) -> str:
        now = {"q": self.wanted.words, **(self.wanted.more or {}), "sort": self.wanted.sort}
        asked = {**now, "page": self.wanted.page, **changes}
        told = {name: value for name, value in asked.items() if value not in ("", 1)}
        return f"?{urlencode(told)}"


def wanted(query: QueryParams, *filters: str) -> Wanted:
    """Return what a query asks; `filters` are the names of the list's own."""
    page = query.get("page", "")
    return Wanted(
        words=query.get("q", "").strip()[:_LONGEST],
        sort=query.get("sort", "")[:_LONGEST],
        page=max(1, int(page)) if _PAGE.fullmatch(page) else 1,
        more={name: query.get(name, "").strip()[:_LONGEST] for name in filters},
    )


def listed(
    asked: Wanted,
    rows: Sequence[T],
    columns: Sequence[Column[T]],
    text: Callable[[T], str],
) -> Listed[T]:
    """Return the page of `rows` that is asked for; `text` is what is searched in, of a row."""
    sought = asked.words.casefold().split()
    found = [one for one in rows if _has(text(one), sought)]
    orders = {column.key: column.order for column in columns if column.order}
    if order := orders.get(asked.sort.removeprefix("-")):
        found.sort(key=order, reverse=asked.sort.startswith("-"))
    return cut(asked, len(found), columns, lambda offset, count: found[offset : offset + count])


def cut(
    asked: Wanted,
    total: int,
    columns: Sequence[Column[T]],
    part: Callable[[int, int], Sequence[T]],
) -> Listed[T]:
    """Return the page that is asked for, or the last; `part` reads rows: offset and count."""
    last = max(1, -(-total // ROWS))
    known = {column.key for column in columns if column.order}
    sort = asked.sort if asked.sort.removeprefix("-") in known else ""
    shown = Wanted(asked.words, sort, min(asked.page, last), asked.more)
    return Listed(part(shown.offset, ROWS), total, columns, shown)


def _has(text: str, sought: Sequence[str]) -> bool:
    folded = text.casefold()
    return all(word in folded for word in sought)
