"""One fault, one finding: which findings are left out because another one already explains them."""

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter

from padcheck.core.verdicts import Finding
from padcheck.judging.rules import RULES, Rule


def in_order(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules, each one after those that suppress it.

    Raises:
        graphlib.CycleError: Some rules suppress each other in a circle.
    """
    by_code = {rule.code: rule for rule in rules}
    sorter = TopologicalSorter({code: rule.suppressed_by for code, rule in by_code.items()})
    return tuple(by_code[code] for code in sorter.static_order())


_IN_ORDER = in_order(RULES)


def suppressed(found: Mapping[Rule, Finding]) -> dict[Rule, str]:
    """The rules whose finding is suppressed, each with the code of the finding that covers it.

    A finding suppresses a rule that names its code in `suppressed_by` and is usually no more severe than the finding.
    Suppressors are decided first. If they are suppressed themselves, it depends on what they are:

    - A cause (PAD3nn) still suppresses. A known limit (PAD207) explains the mask that is not read (PAD304), which
      explains why nothing changes without a mask (PAD203).
    - A symptom does not. A cache that is wrong without padding (PAD208) explains PAD201, but not the wrong scores
      (PAD404) that PAD201 would have covered.
    """
    covered: dict[Rule, str] = {}
    for rule in sorted(found, key=_IN_ORDER.index):
        covering = [
            other
            for other, finding in found.items()
            if rule.is_suppressed_by(finding) and (other not in covered or other.is_cause)
        ]
        if covering:
            # Name one that is reported, if there is one.
            covered[rule] = min(covering, key=lambda other: other in covered).code
    return covered
