"""Accounting by a class of the operator's own.

Invariant: what the class raises reaches nobody as it is: at the start it is an error of the
setting, later the store is away.
"""

import inspect
from collections.abc import Callable
from importlib import import_module
from types import FunctionType
from typing import Any, Protocol, TypeVar

from control_plane.adapters.accounting_snapshot import SnapshotAccounting
from control_plane.domain.entities import Holdings
from control_plane.domain.names import shown
from control_plane.domain.stores import Accounting, Stores
from control_plane.errors import (
    ControlPlaneError,
    FieldError,
    InvalidError,
    SettingsError,
    StoreUnavailableError,
)

SOURCE = ("holdings", "version")
WHOLE = tuple(
    sorted(
        name
        for port in (Accounting, Stores)
        for name, value in vars(port).items()
        if isinstance(value, FunctionType | property) and not name.startswith("_")
    )
)
T = TypeVar("T")


class OwnStore(Accounting, Stores, Protocol):
    """Accounting that says by itself when it changed, and whether it answers."""


def load_class(dotted: str, url: str = "") -> OwnStore:
    """Return the accounting of a class, `package.module.Name` or `package.module:Name`.

    It is made with `url` if it takes one, else with nothing; its own default wins over an empty
    one. Either it has `holdings` and
    `version` (see `accounting_snapshot.Source`) and is only read, or it has every method of the
    ports `Accounting` and `Stores`. SettingsError says what is wrong with it.
    """
    made = _made(dotted, url)
    if not _lacking(made, WHOLE):
        whole: OwnStore = made
        return whole
    if lacking := _lacking(made, SOURCE):
        raise _refused(
            dotted,
            f"has no {' and no '.join(lacking)}; it must have {' and '.join(SOURCE)},"
            " or every method of the ports Accounting and Stores",
        )
    return SnapshotAccounting(_Guarded(made, dotted), f"the class {dotted}")


class _Guarded:
    """A source whose errors are ours."""

    def __init__(self, source: Any, dotted: str) -> None:
        self._source = source
        self._dotted = dotted

    def version(self) -> object:
        return self._answer(self._source.version)

    def holdings(self) -> Holdings:
        found: object = self._answer(self._source.holdings)
        if not isinstance(found, Holdings):
            problem = FieldError("holdings()", f"gave {type(found).__name__}, must give Holdings")
            raise InvalidError(f"The class {self._dotted} is refused.", [problem])
        return found

    def _answer(self, question: Callable[[], T]) -> T:
        try:
            return question()
        except ControlPlaneError:
            raise
        except Exception as error:  # the operator's code may raise anything
            raise StoreUnavailableError(
                f"The class {self._dotted} does not answer: {_said(error)}."
            ) from error


def _made(dotted: str, url: str) -> Any:
    found = _found(dotted)
    try:
        takes = inspect.signature(found).parameters.get("url")
        is_given = takes and (url or takes.default is takes.empty)
        return found(url=url) if is_given else found()
    except ControlPlaneError:
        raise
    except Exception as error:
        raise _refused(dotted, f"cannot be made: {_said(error)}") from error


def _found(dotted: str) -> Any:
    module, _, name = dotted.replace(":", ".").rpartition(".")
    if not module or not name:
        raise _refused(dotted, "must be package.module.Name")
    try:
        found = getattr(import_module(module), name)
    except AttributeError as error:
        raise _refused(dotted, f"the module {module} has no {name}") from error
    except Exception as error:
        raise _refused(dotted, f"the module {module} cannot be imported: {_said(error)}") from error
    if not isinstance(found, type):
        raise _refused(dotted, "is not a class")
    return found


def _lacking(made: object, names: tuple[str, ...]) -> list[str]:
    found = ((name, getattr(made, name, None)) for name in names)
    # All are methods but `writable`.
    return [name for name, one in found if not (callable(one) or isinstance(one, bool))]


def _said(error: Exception) -> str:
    return shown(f"{type(error).__name__}: {error}", longest=200)


def _refused(dotted: str, why: str) -> SettingsError:
    return SettingsError(f"accounting.class = {dotted!r}: {why}")
