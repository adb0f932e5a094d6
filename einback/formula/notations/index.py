"""Index notation of subjects."""

from __future__ import annotations

from einback.formula import index
from einback.formula.subject import Subject

__all__ = ["latex", "text"]


def text(subject: Subject) -> str:
    return index.text(subject.node, subject.name, subject.names)


def latex(subject: Subject) -> str:
    return index.latex(subject.node, subject.name, subject.names)
