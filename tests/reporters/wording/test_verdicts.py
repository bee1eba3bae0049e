"""The reason that stands beside a verdict."""

import pytest
from builders import HOSTILE, difference, flip, gave, report, unpadded_difference

from padcheck.core.evidence import RowDifference, TokenFlip
from padcheck.reporters.report.wording import verdicts
from padcheck.reporters.text.visible import visible_token

UNPADDED = unpadded_difference(0.0)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ((difference(0.0, 0.0),), "same logits to the last bit"),
        ((difference(0.0, 1e-5),), "prompt 1: logits differ by 1e-05 at token 1, 0.0002 allowed"),
        (
            (difference(0.0, 1e-5, flip=flip(1)),),
            (
                "prompt 1: logits differ by 1e-05 at token 1, 0.0002 allowed: a near tie; "
                "token 1: single chose ␣t20 (leads by 1e-06), left chose ␣t30 (leads by 2e-06)"
            ),
        ),
        ((difference(0.0, 0.5),), "prompt 1: logits differ by 0.5 at token 1, 0.0002 allowed; KL 0.005"),
        (
            (difference(0.0, 0.5, flip=flip(1, reference_margin=0.25, margin=1.5)),),
            (
                "prompt 1: logits differ by 0.5 at token 1, 0.0002 allowed; KL 0.005; "
                "token 1: single chose ␣t20 (leads by 0.25), left chose ␣t30 (leads by 1.5)"
            ),
        ),
        (
            (difference(0.5, 0.5), difference(0.0, 1e-5, flip=flip(1), prompt_index=2)),
            (
                "prompt 1: logits differ by 0.5 at token 0, 0.0002 allowed; KL 0.005; "
                "prompt 2, token 1: single chose ␣t20 (leads by 1e-06), left chose ␣t30 (leads by 2e-06)"
            ),
        ),
        (
            (difference(0.4, flip=flip(0)), difference(0.0, 0.5, flip=flip(1, token=" t40"), prompt_index=2)),
            (
                "prompt 2: logits differ by 0.5 at token 1, 0.0002 allowed; KL 0.005; "
                "token 1: single chose ␣t20 (leads by 1e-06), left chose ␣t40 (leads by 2e-06)"
            ),
        ),
        (
            (difference(0.0, None, flip=flip(1, reference_margin=None, margin=None)),),
            "prompt 1: NaN or infinity at token 1; token 1: single chose ␣t20, left chose ␣t30",
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
def test_a_verdict_gives_the_kl_divergence_and_the_tokens_that_compete(
    rows: tuple[RowDifference, ...], reason: str
) -> None:
    found = report(**gave(left=(unpadded_difference(0.0, 0.0), *rows)))
    [left] = [verdict for verdict in verdicts.rows(found) if verdict[0] == "left"]
    assert left[2] == reason


@pytest.mark.parametrize("changes", [{"token": HOSTILE}, {"reference_token": HOSTILE}])
def test_tokens_that_compete_are_spelled_out(changes: dict[str, str]) -> None:
    hostile: TokenFlip = flip(0, **changes)
    found = report(**gave(left=(UNPADDED, difference(0.5, flip=hostile))))
    [left] = [verdict for verdict in verdicts.rows(found) if verdict[0] == "left"]
    assert visible_token(HOSTILE) in left[2]
    assert HOSTILE not in left[2]
