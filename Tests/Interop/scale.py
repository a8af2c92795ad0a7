"""How long the tests of history run: short by default, long with `make endurance`."""

import os


def scaled(name, default):
    """The number in the environment's ENDURANCE_`name`, or the short form's."""
    return int(os.environ.get(f"ENDURANCE_{name}", default))


COMMITS = scaled("COMMITS", 2000)
CHECKPOINTS = scaled("CHECKPOINTS", 12)
MEBIBYTES = scaled("MEBIBYTES", 1)
# A scan of a large database by segments of one page, by many clients at once, takes its time.
CLIENT_SECONDS = 60 + 10 * MEBIBYTES
