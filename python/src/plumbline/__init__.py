"""Says of a recorded kernel output whether the kernel's own arithmetic explains its error.

A recording is one call of one kernel: what went in, what came out, and what the kernel says of its
own arithmetic. `record` makes one from tensors, `verify` judges one, `check` does both and raises
the report, `capture` records the calls of a function or a module. `ops` lists what can be judged.
"""

from importlib.metadata import version as _version

from plumbline._capture import Capture, capture
from plumbline._catalogue import Attr, Key, Op, Tensor, op, ops
from plumbline._errors import CommandError, RecordingError, Undetermined, Unexplained, Unusable
from plumbline._recording import Recording, record
from plumbline._tensors import Stored
from plumbline._verdict import Output, Verdict, check, verify

__version__ = _version("plumbline")

__all__ = [
    "Attr",
    "Capture",
    "CommandError",
    "Key",
    "Op",
    "Output",
    "Recording",
    "RecordingError",
    "Stored",
    "Tensor",
    "Undetermined",
    "Unexplained",
    "Unusable",
    "Verdict",
    "capture",
    "check",
    "op",
    "ops",
    "record",
    "verify",
]
