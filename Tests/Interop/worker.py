"""The process that holds one replica: commands and answers are pickles on stdin and stdout, each
after its length in 4 bytes.

Real clients have no time-outs, and some server errors abort their process: kept apart, either is a
failed test and not a stuck or dead run.
"""

import pickle
import struct
import sys


def serve(worker):
    """Calls the worker's methods as commands name them, until stdin ends."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while header := source.read(4):
        name, arguments = pickle.loads(source.read(struct.unpack("<I", header)[0]))
        try:
            answer = ("value", getattr(worker, name)(*arguments))
        except Exception as error:
            answer = ("error", type(error).__name__, str(error))
        encoded = pickle.dumps(answer)
        sink.write(struct.pack("<I", len(encoded)) + encoded)
        sink.flush()
