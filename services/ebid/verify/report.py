"""What a check found, in the order it was looked at."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Problem:
    """`code` a stable word (FORMAT.md lists them), `subject` what it is about (a bidder's id, "round 1"), `sentence` for a person."""

    code: str
    subject: str
    sentence: str


@dataclass(slots=True)
class Report:
    """`passed`: sentences of what was checked and is in order; `taken`: what was taken as given; `problems`: what is not in order."""

    passed: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def __bool__(self) -> bool:
        return not self.problems

    def codes(self) -> set[str]:
        return {problem.code for problem in self.problems}

    def bad(self, code: str, subject: str, sentence: str) -> bool:
        """Note a problem; False, so that a check can `return report.bad(…)`."""
        self.problems.append(Problem(code, subject, sentence))
        return False

    def passes(self, before: int, sentence: str) -> None:
        """Note `sentence` as in order if no problem came since there were `before`."""
        if len(self.problems) == before:
            self.passed.append(sentence)
