"""The fifteen questions, in the order in which they are taught."""

from __future__ import annotations

from dataclasses import dataclass

from mlref import resources
from mlref.errors import ResourceNotFoundError
from mlref.tables import Table

__all__ = ["CHAPTERS", "Chapter", "chapter", "chapter_map", "extras_of"]


@dataclass(frozen=True)
class Chapter:
    """One question.

    Attributes:
        name: number and topic, as notebooks, labs and cards are named: "09_drift".
        title: the topic in a few words.
        question: what an interviewer asks.
        modules: where in mlref the answer's code is.
        extras: what the notebook needs beside the extra "notebooks".
    """

    name: str
    title: str
    question: str
    modules: tuple[str, ...]
    extras: tuple[str, ...]

    @property
    def number(self) -> str:
        """The question's number, two digits."""
        return self.name[:2]

    @property
    def notebook(self) -> str | None:
        """The notebook's file name, or None while it is not written."""
        return _existing("notebooks", f"{self.name}.ipynb")

    @property
    def lab(self) -> str | None:
        """The lab's folder name, or None while it is not written."""
        return _existing("labs", self.name)

    @property
    def card(self) -> str | None:
        """The interview card's file name, or None while it is not written."""
        return _existing("cards", f"{self.name}.toml")


CHAPTERS = (
    Chapter(
        "01_deployment_steps",
        "Deployment steps",
        "Which steps lead from a trained model to one that answers in production?",
        ("flights", "models", "artifact", "serialization", "serving"),
        ("train", "serve", "torch"),
    ),
    Chapter(
        "02_containers",
        "Containers",
        "Why put a model into a container, and how do Docker and Kubernetes run it?",
        ("containers",),
        ("train", "serve", "cluster"),
    ),
    Chapter(
        "03_sagemaker",
        "SageMaker",
        "How do you deploy a model on SageMaker, and run it from the first request to the last "
        "bill?",
        ("aws",),
        ("train", "serve", "aws", "sagemaker"),
    ),
    Chapter(
        "04_large_language_models",
        "Large language models",
        "What is different when the model is a large language model?",
        ("llm",),
        ("llm",),
    ),
    Chapter(
        "05_serverless",
        "Serverless",
        "When does a model belong on Lambda or its like, and what does a cold start cost?",
        ("aws", "targets"),
        ("train", "serve", "aws"),
    ),
    Chapter(
        "06_scaling",
        "Scaling",
        "How does a model service keep its latency when traffic grows tenfold?",
        ("scaling",),
        ("train", "serve"),
    ),
    Chapter(
        "07_cloud_on_premises",
        "Cloud and on-premises",
        "How do you decide between the cloud and machines of your own?",
        ("cost",),
        ("train",),
    ),
    Chapter(
        "08_versioning",
        "Versioning",
        "How do you version models and data, promote a version, and roll back?",
        ("versioning",),
        ("train", "serve", "tracking"),
    ),
    Chapter(
        "09_drift",
        "Drift",
        "How do you notice that the world has moved away from the training data?",
        ("drift",),
        ("train",),
    ),
    Chapter(
        "10_faster_inference",
        "Faster inference",
        "How do you make a model smaller and faster, and what does it cost in accuracy?",
        ("quantization",),
        ("train", "torch"),
    ),
    Chapter(
        "11_api_security",
        "API security",
        "How do you protect a model's API, its weights and its data?",
        ("security",),
        ("train", "serve"),
    ),
    Chapter(
        "12_edge",
        "Edge devices",
        "How does a model get onto a small device, and how is it kept up to date there?",
        ("edge",),
        ("train", "edge"),
    ),
    Chapter(
        "13_monitoring",
        "Monitoring",
        "What do you watch once the model is live, and what wakes somebody up?",
        ("monitoring",),
        ("train", "serve"),
    ),
    Chapter(
        "14_ab_tests",
        "A/B tests",
        "How do you find out whether a new model is better for its users?",
        ("abtest",),
        ("train",),
    ),
    Chapter(
        "15_cost",
        "Cost",
        "What does a million predictions cost, and how do you halve it?",
        ("cost",),
        ("train", "serve"),
    ),
)
"""All fifteen."""

_BESIDE = {"00_start_here": ("train",)}  # notebooks that answer no question, and their extras


def chapter(number: str | int) -> Chapter:
    """The chapter of a question.

    Args:
        number: 1 to 15, as a number or text.

    Raises:
        ResourceNotFoundError: there is no such question.
    """
    for each in CHAPTERS:
        if str(number).zfill(2) in {each.number, each.name}:
            return each
    raise ResourceNotFoundError(f"there are the questions 1 to {len(CHAPTERS)}, got {number!r}")


def extras_of(notebook: str) -> tuple[str, ...]:
    """The extras without which a notebook cannot run, "notebooks" among them.

    Args:
        notebook: the file's stem. One that is not mlref's own needs no more than any notebook.

    >>> extras_of("01_deployment_steps")
    ('notebooks', 'train', 'serve', 'torch')
    """
    own = {each.name: each.extras for each in CHAPTERS} | _BESIDE
    return ("notebooks", *own.get(notebook, ()))


def chapter_map() -> Table:
    """The map of the fifteen: number, topic, question, and how far each is written."""
    rows = []
    for each in CHAPTERS:
        parts = {"notebook": each.notebook, "lab": each.lab, "card": each.card}
        done = ", ".join(name for name, there in parts.items() if there) or "planned"
        rows.append((each.number, each.title, each.question, done))
    return Table(("no.", "topic", "the question", "there is"), tuple(rows))


def _existing(kind: str, name: str) -> str | None:
    try:
        return name if (resources.folder(kind) / name).exists() else None
    except ResourceNotFoundError:
        return None
