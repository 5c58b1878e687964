"""Entities, nested mentions, relations and coreference clusters of a text, by one model.

>>> import hmtl
>>> with hmtl.Model() as model:  # the model that ships with the library
...     document = model.annotate("Ingrid Solberg was born in Bergen, Norway.")
>>> [(mention.text, label.label) for mention, label in document.labelled("ner")]
[('Ingrid Solberg', 'PER'), ('Bergen', 'LOC'), ('Norway', 'LOC')]

A binding of the C library ``libhmtl.so``; `hmtl.spacy` has a component for spaCy, `hmtl.formats` reads and
writes documents in formats of others.
"""

from ._version import __version__
from .builder import DocumentBuilder
from .cancel import Cancel
from .dataset import Dataset
from .document import Cluster, Document, Label, Mention, Relation, Sentence, Token
from .errors import (
    Cancelled,
    ClosedError,
    Code,
    ConfigError,
    DataError,
    DeviceError,
    Error,
    FormatError,
    InternalError,
    InvalidArgumentError,
    IoError,
    LibraryError,
    UnsupportedError,
)
from .info import (
    abi_version,
    build_info,
    build_info_json,
    devices,
    devices_json,
    library_path,
    set_num_threads,
    version,
)
from .log import log_to, set_log
from .model import Model
from .trainer import Trainer

__all__ = [
    "Cancel",
    "Cancelled",
    "ClosedError",
    "Cluster",
    "Code",
    "ConfigError",
    "DataError",
    "Dataset",
    "DeviceError",
    "Document",
    "DocumentBuilder",
    "Error",
    "FormatError",
    "InternalError",
    "InvalidArgumentError",
    "IoError",
    "Label",
    "LibraryError",
    "Mention",
    "Model",
    "Relation",
    "Sentence",
    "Token",
    "Trainer",
    "UnsupportedError",
    "__version__",
    "abi_version",
    "build_info",
    "build_info_json",
    "devices",
    "devices_json",
    "library_path",
    "log_to",
    "set_log",
    "set_num_threads",
    "version",
]
