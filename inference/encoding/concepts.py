"""The core's codes in the form that highdicom takes."""

from __future__ import annotations

from highdicom.sr import CodedConcept

from inference.domain.codes import Code


def concept(code: Code) -> CodedConcept:
    """Turn a code into highdicom's form."""
    return CodedConcept(code.value, code.scheme, code.meaning)
