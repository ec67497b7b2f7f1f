"""A person's word on a result: it stands, it stands with changes, or it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from inference.domain.identifiers import UID


class Verdict(StrEnum):
    """What a reader made of a result (the three words of IHE's AI Result Assessment)."""

    ACCEPT = "accept"
    """The report becomes final."""
    AMEND = "amend"
    """Some findings do not stand, or something is added: the report becomes amended."""
    REJECT = "reject"
    """The report is entered in error, and the objects are rejected."""


@dataclass(frozen=True, slots=True)
class Review:
    """One review of one result.

    Parameters
    ----------
    verdict
        What.
    reviewer
        Name of the account.
    reviewer_name
        Name of the person in the form of DICOM's PN, ``Family^Given``.
    organization
        Of the person; an SR that is verified must name one (PS3.3 section C.17.2).
    at
        When, aware.
    reason
        Why, for readers; no patient data. Empty only where the result is accepted.
    excluded
        Tracking UIDs of the findings that do not stand; only where the result is amended.
    conclusion
        What the person adds to the report; empty for nothing.
    """

    verdict: Verdict
    reviewer: str
    reviewer_name: str
    organization: str
    at: datetime
    reason: str = ""
    excluded: tuple[UID, ...] = ()
    conclusion: str = ""

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("the time of a review must be aware")
        if not self.reason and self.verdict is not Verdict.ACCEPT:
            raise ValueError("a rejected or amended result needs a reason")
        if self.excluded and self.verdict is not Verdict.AMEND:
            raise ValueError("findings are excluded only from an amended result")
        if self.verdict is Verdict.AMEND and not (self.excluded or self.conclusion):
            raise ValueError("an amended result leaves something out or adds something")

    def to_json(self) -> dict[str, Any]:
        """Give the review as JSON values."""
        return {
            "verdict": self.verdict.value,
            "reviewer": self.reviewer,
            "reviewer_name": self.reviewer_name,
            "organization": self.organization,
            "at": self.at.isoformat(),
            "reason": self.reason,
            "excluded": [str(uid) for uid in self.excluded],
            "conclusion": self.conclusion,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` gave.

        Raises
        ------
        ValueError, KeyError
            If it is something else.
        """
        return cls(
            verdict=Verdict(values["verdict"]),
            reviewer=values["reviewer"],
            reviewer_name=values["reviewer_name"],
            organization=values["organization"],
            at=datetime.fromisoformat(values["at"]),
            reason=values["reason"],
            excluded=tuple(UID(uid) for uid in values["excluded"]),
            conclusion=values["conclusion"],
        )


def summed_up(reviews: Sequence[Review]) -> Review:
    """Give what several reviews of one result come to, for those who keep one status: the last word counts.

    What was excluded stays so, and what was concluded stays said, so that a result which was amended and is accepted
    afterwards is an amended one.

    Parameters
    ----------
    reviews
        At least one, oldest first; a rejection can only be the last.
    """
    *earlier, last = reviews
    amendments = [review for review in reviews if review.verdict is Verdict.AMEND]
    if last.verdict is Verdict.REJECT or not amendments:
        return last
    excluded = dict.fromkeys(uid for review in amendments for uid in review.excluded)
    conclusions = [review.conclusion for review in amendments if review.conclusion]
    reasons = dict.fromkeys(review.reason for review in (*earlier, last) if review.reason)
    return replace(
        last,
        verdict=Verdict.AMEND,
        reason="; ".join(reasons),
        excluded=tuple(excluded),
        conclusion=" ".join(conclusions),
    )
