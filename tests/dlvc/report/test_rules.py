"""What holds for all rules and claims. Each lecture's rules have tests in a file of their own."""

from __future__ import annotations

from dlvc.evidence.lectures import read_lectures
from dlvc.report.judge import RULES
from tests.imports import ROOT


def test_every_claim_of_the_lectures_has_a_rule_and_every_rule_a_claim():
    claims = [c.id for lecture in read_lectures(ROOT / "lectures.yaml") for c in lecture.claims]
    assert claims == list(RULES)
    assert len(claims) == 35


def test_a_claim_says_what_would_refute_it():
    for lecture in read_lectures(ROOT / "lectures.yaml"):
        for claim in lecture.claims:
            assert claim.says.endswith(".")
            assert any(w in claim.test.lower() for w in ("holds", "refuted", "means")), claim.id
