"""What can go wrong, as one tree of exceptions that say what to do about it.

The web and the command line each hold one table from these classes to a status; nothing else
knows a status.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One bad field of a body, a row or a flag: its name and a sentence about it."""

    field: str
    message: str


class ControlPlaneError(Exception):
    """The root: a sentence for people, and where it helps a hint on what to do."""

    code = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep `message` (what was wrong) and `hint` (what to do)."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class NotSignedInError(ControlPlaneError):
    """Nobody is signed in, or what was shown as proof does not hold."""

    code = "not-signed-in"


class ForbiddenError(ControlPlaneError):
    """Signed in, but this needs a scope, an origin or a role that is not there."""

    code = "forbidden"


class NotFoundError(ControlPlaneError):
    """Unknown, or not yours: the two are never told apart."""

    code = "not-found"


class NotSupportedError(ControlPlaneError):
    """This store or this address cannot do that at all."""

    code = "not-supported"


class ConflictError(ControlPlaneError):
    """It exists already, or a limit is reached; `details` go into the answer."""

    code = "conflict"

    def __init__(self, message: str, hint: str = "", details: Sequence[object] = ()) -> None:
        """Keep `details`: what stands in the way, such as the running sessions."""
        super().__init__(message, hint)
        self.details = details


class PreconditionError(ControlPlaneError):
    """It was changed by somebody else since the caller looked at it."""

    code = "stale"


class TooLargeError(ControlPlaneError):
    """A body over its bound."""

    code = "too-large"


class NotJsonError(ControlPlaneError):
    """A body of another media type, or one that does not parse."""

    code = "not-json"


class InvalidError(ControlPlaneError):
    """Bad fields, each named."""

    code = "invalid"

    def __init__(self, message: str, errors: Sequence[FieldError] = (), hint: str = "") -> None:
        """Keep `errors`: every bad field, not only the first."""
        super().__init__(message, hint)
        self.errors = tuple(errors)


class TooManyError(ControlPlaneError):
    """Too many attempts; again after `retry_after` seconds."""

    code = "too-many"

    def __init__(self, message: str, retry_after: int, hint: str = "") -> None:
        """Keep the pause, in seconds."""
        super().__init__(message, hint)
        self.retry_after = retry_after


class UnavailableError(ControlPlaneError):
    """Something we need is away; the same request may succeed later."""

    code = "unavailable"


class EngineUnavailableError(UnavailableError):
    """The container engine does not answer."""

    code = "engine-unavailable"


class StoreUnavailableError(UnavailableError):
    """A database does not answer."""

    code = "store-unavailable"


class ForwarderUnavailableError(UnavailableError):
    """What lets people through to shared sessions does not answer."""

    code = "forwarder-unavailable"


class GatewayError(ControlPlaneError):
    """The routes could not be handed to nginx."""

    code = "gateway"


class SettingsError(ControlPlaneError):
    """A setting is unknown, of the wrong type or points nowhere."""

    code = "settings"


class StartError(ControlPlaneError):
    """A session could not start; `code` says why in one word."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        """Keep the code: `image-missing`, `exited`, `not-ready`, `interrupted`, `engine`."""
        super().__init__(message, hint)
        self.code = code


class ImageMissingError(StartError):
    """The engine does not have the image."""

    def __init__(self, image: str) -> None:
        """Name the image that is missing."""
        super().__init__(
            "image-missing",
            f"The image {image} is not on this machine.",
            "Ask an administrator to install it.",
        )
        self.image = image
