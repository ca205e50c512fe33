"""The bodies of the HTTP API that are about sharing."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from control_plane.web.schemas import MONTH, Answer, Body

DAY = 24 * 3600
Name = Annotated[str, Field(min_length=1, max_length=255)]


class ShareSession(Body):
    """Share a session with one of a user, a group, or whoever has the link."""

    user: Name | None = None
    group: Name | None = None
    link: bool = False
    access: Literal["view", "control"] = Field(
        default="view", description="A `webapp` knows `control` alone."
    )
    expires_in: Annotated[int, Field(ge=1, le=MONTH)] = DAY


class OnlookerAnswer(Answer):
    """Somebody who watches now."""

    name: str = Field(description="A guest's is the one that he chose.")
    since: AwareDatetime


class ShareAnswer(Answer):
    """Who else may enter a session, how far, and until when."""

    id: str
    user: str | None
    group: str | None
    link: bool
    access: Literal["view", "control"]
    created_at: AwareDatetime
    expires_at: AwareDatetime
    watching: list[OnlookerAnswer] | None = Field(
        description="Null: the forwarder does not say just now."
    )


class NewShareAnswer(ShareAnswer):
    """A share that was made; a link's address is told once."""

    url: str = Field(description="What to send to whom it is shared with.")


class ShareList(Answer):
    """Who else may enter a session."""

    items: list[ShareAnswer]
    total: int
