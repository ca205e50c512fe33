"""What our processes say on stderr, for the journal: one entry a line, whoever's words are in it.

Invariant: nothing that somebody sent begins a line, steers a terminal or fills a disk: what cannot
be printed is escaped, what is long is cut, and a traceback's lines are indented.
"""

import logging
import sys

from control_plane.domain.names import shown

LONGEST = 4000
MOST_LINES = 200


def begin() -> None:
    """Let every logger of this process say what it has to say."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class OneLine(logging.Formatter):
    """Writes an entry as one line, and a traceback as indented ones below it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the entry as it stands in the journal."""
        record.message = shown(record.getMessage(), LONGEST)
        lines = self.formatException(record.exc_info).splitlines() if record.exc_info else []
        told = [f"  {shown(line, LONGEST)}" for line in lines[-MOST_LINES:]]
        return "\n".join([self.formatMessage(record), *told])
