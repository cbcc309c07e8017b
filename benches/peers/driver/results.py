"""What was measured, as JSON in a folder: a measure writes one file, the report reads them all."""

import json
import sys
from contextlib import contextmanager

from server import FOLDER


class Results:
    """A folder of results."""

    def __init__(self, folder=FOLDER / "results"):
        self.folder = folder

    def write(self, measure, data):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{measure}.json").write_text(json.dumps(data, indent=1) + "\n")

    def read(self, measure):
        """Returns what a measure wrote, nothing when it has not run."""
        path = self.folder / f"{measure}.json"
        return json.loads(path.read_text()) if path.exists() else {}


def say(text):
    """Tells how far the driver is; results go to stdout, this does not."""
    print(text, file=sys.stderr, flush=True)


PROBLEMS = []


@contextmanager
def tolerating(peer):
    """Lets a peer fail without the others: what it lacks is missing in the tables, and said below them."""
    try:
        yield
    except (RuntimeError, OSError) as error:
        PROBLEMS.append(f"{peer.name}: {error}")
        say(PROBLEMS[-1])


def take_problems():
    """Returns the problems since the last call."""
    taken = PROBLEMS.copy()
    PROBLEMS.clear()
    return taken
