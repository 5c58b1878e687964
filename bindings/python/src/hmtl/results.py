"""The types of dictionaries that calls return: JSON of the library, which may add keys."""

from __future__ import annotations

from typing import Any, Dict, List, Literal, Optional, TypedDict, Union


class BuildInfo(TypedDict):
    hmtl: str
    abi: int
    libtorch: Optional[str]
    cuda: Optional[str]
    document_format: int
    model_format: int
    formats: List[str]
    heads: List[str]
    encoders: List[str]


class _Device(TypedDict):
    name: str


class Device(_Device, total=False):
    model: str
    #: In bytes.
    memory: int


class TaskInfo(TypedDict):
    kind: Literal["spans", "relations", "coreference"]
    head: str
    encoder: str
    #: The task whose spans are related.
    arguments: Optional[str]
    labels: List[str]


class Vocabulary(TypedDict):
    words: int
    chars: int


class CardData(TypedDict):
    name: str
    license: str
    used: str


class Card(TypedDict):
    name: str
    version: str
    description: str
    language: str
    license: str
    data: List[CardData]
    #: Dev scores by task.
    scores: Dict[str, Any]
    #: How the model was made.
    recipe: Any
    #: Where it fails.
    limits: List[str]


class ModelInfo(TypedDict):
    device: str
    tasks: Dict[str, TaskInfo]
    encoders: Dict[str, Any]
    vocabulary: Vocabulary
    parameters: int
    card: Card


class DatasetInfo(TypedDict):
    documents: int
    sentences: int
    tokens: int
    mentions: int
    clusters: int
    #: Documents that have the task.
    tasks: Dict[str, int]
    #: Mentions by task and label.
    labels: Dict[str, Dict[str, int]]
    #: Relations by task and label.
    relations: Dict[str, Dict[str, int]]
    skipped: int


class Prf(TypedDict):
    precision: float
    recall: float
    f1: float


class Counts(Prf):
    gold: int
    predicted: int
    correct: int


class Calibration(TypedDict):
    """How far scores are from how often predictions are right."""

    #: The expected calibration error.
    error: float
    #: Of the logits, with ``shift``: what would calibrate the scores.
    scale: float
    shift: float


class _Calibrated(TypedDict, total=False):
    #: Absent where nothing with a score was found.
    calibration: Calibration


class _LabelDetails(_Calibrated):
    macro_f1: float
    labels: Dict[str, Counts]
    #: Gold items of labels that the model does not know.
    ignored_gold: int
    ignored_labels: Dict[str, int]
    #: Predictions of labels that the data does not cover.
    ignored_predictions: Dict[str, int]


class SpanDetails(_LabelDetails):
    micro: Counts
    #: Whatever their labels.
    untyped: Counts


class _RelationDetails(_LabelDetails):
    #: What facts hold between.
    arguments: Literal["entities", "mentions"]
    strict: Counts
    boundaries: Counts
    mentions: Counts
    last_token: Counts


class RelationDetails(_RelationDetails, total=False):
    #: Strict, with the right types of both arguments; only of data that gives them.
    typed: Counts


class CoreferenceDetails(TypedDict):
    #: Of MUC, B³ and CEAFe.
    average_f1: float
    muc: Prf
    b_cubed: Prf
    ceaf_e: Prf
    ceaf_m: Prf
    lea: Prf
    blanc: Prf
    mentions: Counts
    #: Whether clusters of one mention counted.
    singletons: bool


Details = Union[SpanDetails, RelationDetails, CoreferenceDetails]


class Score(TypedDict):
    #: Strict micro F1, or the average of MUC, B³ and CEAFe for coreference.
    score: float
    details: Details


class Evaluation(Score):
    task: str
    documents: int
    #: The task of the data that it was compared with.
    layer: str
    #: Gold items of labels that the model does not know.
    unknown_labels: Dict[str, int]
    #: The model's labels that the data lacks.
    absent_labels: List[str]


class _Step(TypedDict):
    task: str
    loss: float
    learning_rate: float


class Step(_Step, total=False):
    #: Losses of the tasks that learned along.
    along: Dict[str, float]


class TaskProgress(TypedDict):
    steps: int
    examples: int
    #: Of an epoch.
    batches: int
    best_epoch: Optional[int]
    best_score: Optional[float]
    out_of_patience: bool


class TrainerInfo(TypedDict):
    step: int
    epoch: int
    epochs: int
    step_in_epoch: int
    steps_per_epoch: int
    learning_rate: float
    #: Why the run has ended.
    finished: Optional[Literal["epochs", "patience"]]
    best_epoch: Optional[int]
    best_mean: Optional[float]
    tasks: Dict[str, TaskProgress]
    parameters: int
    trainable_parameters: int


class StepEvent(Step):
    event: Literal["step"]
    #: Of the epoch, from 1.
    step: int
    #: An epoch.
    steps: int
    epoch: int
    #: Steps of the run so far.
    total: int


class EvaluatingEvent(TypedDict):
    event: Literal["evaluating"]
    task: str
    split: str


class EvaluatedEvent(Score):
    event: Literal["evaluated"]
    task: str
    split: str


class _TaskEpoch(TypedDict):
    steps: int
    #: Whether the score is the highest so far.
    best: bool
    out_of_patience: bool


class TaskEpoch(_TaskEpoch, total=False):
    #: Not without steps.
    loss: float
    #: Not without dev data, as what follows.
    score: float
    best_score: float
    details: Details


class EpochEvent(TypedDict):
    event: Literal["epoch"]
    epoch: int
    #: Of the run.
    step: int
    seconds: float
    learning_rate: float
    tasks: Dict[str, TaskEpoch]
    #: Of the dev scores, by their weights.
    mean: float
    #: Whether the mean is the highest so far.
    best: bool


class _FinishedEvent(TypedDict):
    event: Literal["finished"]
    reason: Literal["epochs", "patience"]
    epochs: int
    steps: int


class FinishedEvent(_FinishedEvent, total=False):
    #: Whose weights were kept; not without dev data.
    best_epoch: int
    test: Dict[str, Score]


#: What training tells; ``event["event"]`` says which it is. Newer libraries may tell more.
Event = Union[StepEvent, EvaluatingEvent, EvaluatedEvent, EpochEvent, FinishedEvent]
