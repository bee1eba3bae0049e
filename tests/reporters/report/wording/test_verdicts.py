"""The reason next to a verdict."""

import pytest
from builders import HOSTILE, difference, flip, gave, report, unpadded_difference

from padcheck.core.run_results import RowDifference, TokenFlip
from padcheck.reporters.report.wording import verdicts
from padcheck.reporters.text.visible import visible_token

UNPADDED = unpadded_difference(0.0)


@pytest.mark.parametrize(
    ("rows", "details"),
    [
        ((difference(0.0, 0.0),), ""),
        ((difference(0.0, 1e-5),), ""),
        (
            (difference(0.0, 1e-5, flip=flip(1)),),
            "; token 1: single chose ␣t20 (leads by 1e-06), left chose ␣t30 (leads by 2e-06)",
        ),
        ((difference(0.0, 0.5),), "; KL 0.005"),
        (
            (difference(0.0, 0.5, flip=flip(1, reference_margin=0.25, margin=1.5)),),
            "; KL 0.005; token 1: single chose ␣t20 (leads by 0.25), left chose ␣t30 (leads by 1.5)",
        ),
        (
            (difference(0.5, 0.5), difference(0.0, 1e-5, flip=flip(1), prompt_index=2)),
            "; KL 0.005; prompt 2, token 1: single chose ␣t20 (leads by 1e-06), left chose ␣t30 (leads by 2e-06)",
        ),
        (
            (difference(0.4, flip=flip(0)), difference(0.0, 0.5, flip=flip(1, token=" t40"), prompt_index=2)),
            "; KL 0.005; token 1: single chose ␣t20 (leads by 1e-06), left chose ␣t40 (leads by 2e-06)",
        ),
        (
            (difference(0.0, None, flip=flip(1, reference_margin=None, margin=None)),),
            "; token 1: single chose ␣t20, left chose ␣t30",
        ),
    ],
    ids=[
        "identical",
        "rounding",
        "a near tie",
        "different",
        "another token",
        "another prompt flips",
        "both flip",
        "NaN",
    ],
)
def test_the_reason_is_followed_by_kl_and_the_tokens_that_compete(
    rows: tuple[RowDifference, ...], details: str
) -> None:
    found = report(**gave(left=(unpadded_difference(0.0, 0.0), *rows)))
    [left] = [verdict for verdict in verdicts.rows(found) if verdict[0] == "left"]
    assert left[2] == found.comparisons["left"].reason + details


def test_with_sampling_the_tokens_that_compete_have_no_lead() -> None:
    found = report(sampled=True, **gave(left=(UNPADDED, difference(0.5, flip=flip(0)))))
    [left] = [verdict for verdict in verdicts.rows(found) if verdict[0] == "left"]
    assert left[2].endswith("token 0: single chose ␣t20, left chose ␣t30")


@pytest.mark.parametrize("changes", [{"token": HOSTILE}, {"reference_token": HOSTILE}])
def test_tokens_that_compete_are_escaped(changes: dict[str, str]) -> None:
    hostile: TokenFlip = flip(0, **changes)
    found = report(**gave(left=(UNPADDED, difference(0.5, flip=hostile))))
    [left] = [verdict for verdict in verdicts.rows(found) if verdict[0] == "left"]
    assert visible_token(HOSTILE) in left[2]
    assert HOSTILE not in left[2]
