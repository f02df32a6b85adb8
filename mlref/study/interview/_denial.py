"""Words around a match that turn it into its opposite.

Cheap on purpose: only words in the same sentence count, and only common ones. "You do not need a
schema" names the schema and denies it; "it is a mistake to split at random" names the mistake and
rejects it.
"""

from __future__ import annotations

import re

__all__ = ["rejected", "waived"]


def _any_of(*patterns: str, start: str = "") -> re.Pattern[str]:
    return re.compile(f"{start}(?:{'|'.join(patterns)})", re.IGNORECASE)


_NOT = r"(?:\bnot|n't|\bnever|\bno longer)"
_IS = r"(?:\b(?:is|are|was|were|be|seems?|looks)|'s)"
_NEAR = r"[^.;!?]{0,50}?"  # a few words of the same sentence

_WAIVED_BEFORE = _any_of(
    rf"{_NOT} (?:really |even |always |usually )?(?:need|have to\b|require|necessary|worth|bother)",
    rf"{_NOT} (?:really |even |that )?(?:matter|important|care\b)",
    r"\b(?:no need|need not|needn't|nobody needs|unnecessary|pointless|overkill|superfluous)\b",
    r"\b(?:no (?:point|use|reason)|a waste|do(?:es)? without)\b",
    r"\b(?:can|could|may|might|would|'d) (?:\w+ )?(?:skip|drop|omit|forget|ignore)\b",
)
_WAIVED_AFTER = _any_of(
    rf"{_IS}(?: \w+)? (?:unnecessary|overkill|optional|superfluous|pointless|needless|a waste)\b",
    rf"(?:{_NOT}) (?:\w+ )?(?:needed|necessary|required|important|worth|matter)\b",
    r"\bcan (?:\w+ )?be (?:skipped|dropped|omitted|ignored)\b",
    start=f"^{_NEAR}",
)
_REJECTED_BEFORE = _any_of(
    _NOT,
    r"\b(?:mistake|wrong|myth|misconception|fallacy|false|half-true|bad idea|trap|tempt\w*)\b",
    r"\b(?:instead of|rather than|unlike|far from|no guarantee|cannot|nobody should)\b",
    r"\b(?:people|some|many|most|they) (?:\w+ )?(?:think|say|believe|assume|claim)\b",
    r"\b(?:avoid|beware)",
)
_REJECTED_AFTER = _any_of(
    rf"{_IS}(?: \w+){{0,2}} (?:mistake|wrong|myth|bad idea|false|fallacy|misconception|trap)\b",
    rf"{_IS}(?: \w+){{0,2}} (?:untrue|half-true|error|dangerous|nonsense)\b",
    rf"{_IS}(?: not|n't)(?: \w+)? (?:true|enough|right|safe|correct)\b",
    r"\b(?:flatter|mislead|overstat|overestimat|inflat|leak|fool|promis|optimis|optimiz)\w*",
    r"\b(?:unsafe|insecure|risky|arbitrary|execut\w+|runs? (?:\w+ )?code|too good|lies)\b",
    r"\bbut (?:that|this|it) (?:is|fails|does not|doesn't)\b",
    start=f"^{_NEAR}",
)
_CLAUSE_END = re.compile(r"[.;!?](?= |$)| - |\bbut\b|\bhowever\b|\bbecause\b", re.IGNORECASE)


def waived(before: str, after: str) -> bool:
    """Whether the words around a match say that one can do without it.

    >>> waived("you do not need ", " for that"), waived("you need ", " for that")
    (True, False)
    """
    return bool(_WAIVED_BEFORE.search(_clause(before)) or _WAIVED_AFTER.search(after))


def rejected(before: str, after: str) -> bool:
    """Whether the words around a match say that it is wrong.

    >>> rejected("it is a mistake to ", " at random"), rejected("I ", " at random")
    (True, False)
    """
    return bool(_REJECTED_BEFORE.search(_clause(before)) or _REJECTED_AFTER.search(after))


def _clause(before: str) -> str:
    """What stands before a match in its own clause."""
    ends = [found.end() for found in _CLAUSE_END.finditer(before)]
    return before[ends[-1] :] if ends else before
