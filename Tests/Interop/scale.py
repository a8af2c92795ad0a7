"""How long the tests of history run: short by default, long with `make endurance`."""

import os


def scaled(name, default):
    """The number in the environment's TIDEMARK_`name`, or the short form's."""
    return int(os.environ.get(f"TIDEMARK_{name}", default))


COMMITS = scaled("ENDURANCE_COMMITS", 2000)
CHECKPOINTS = scaled("ENDURANCE_CHECKPOINTS", 12)
MEBIBYTES = scaled("ENDURANCE_MEBIBYTES", 2)
# A scan of a large database by segments of one page takes its time.
CLIENT_SECONDS = scaled("ENDURANCE_CLIENT_SECONDS", 60)
