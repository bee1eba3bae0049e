import pytest
from builders import difference, differences, model_facts, noise, probes, report, run_result, unpadded_difference

from padcheck.core.evidence import NoiseProbe
from padcheck.core.noise_floor import NoiseFloor, noise_floor, tolerance_of
from padcheck.core.run_results import RowDifference
from padcheck.core.settings import JudgeSettings
from padcheck.core.tolerances import FACTOR, bounded_tolerance, given_tolerance, least_tolerance
from padcheck.core.verdicts import Verdict

PERTURBED = 0.02


def floor(
    ways: dict[str, NoiseProbe],
    runs: dict[str, tuple[RowDifference, ...]] | None = None,
    *,
    dtype: str | None = "float32",
    atol: float | None = None,
    rtol: float | None = None,
) -> NoiseFloor:
    return noise_floor(dtype, 2, ways, runs or {}, atol=atol, rtol=rtol)


def counted(found: NoiseFloor) -> dict[str, bool]:
    return {way.name: way.counted for way in found.ways}


def test_the_floor_is_the_furthest_that_random_rounding_errors_moved_a_logit() -> None:
    rows = (unpadded_difference(0.001, PERTURBED), difference(0.003, prompt_index=1, num_pads=0))
    found = floor({"rounding_errors": NoiseProbe(description="random errors", differences=rows)})
    assert (found.method, found.measured, found.factor) == ("measured", PERTURBED, FACTOR)
    assert (found.dtype, found.num_layers) == ("float32", 2)
    assert (found.atol, found.rtol, found.source) == least_tolerance("float32")[:3]
    [way] = found.ways
    assert (way.name, way.description, way.max_abs_diff, way.counted, way.error) == (
        "rounding_errors",
        "random errors",
        PERTURBED,
        True,
        None,
    )


@pytest.mark.parametrize(
    ("other", "counts"), [(0.5 * PERTURBED, True), (FACTOR * PERTURBED, True), (1.01 * FACTOR * PERTURBED, False)]
)
@pytest.mark.parametrize("name", ["other_attention", "float32_twin"])
def test_another_way_counts_if_random_errors_explain_it(name: str, other: float, counts: bool) -> None:
    found = floor(noise(rounding_errors=PERTURBED, **{name: other}))
    assert counted(found) == {"rounding_errors": True, name: counts}
    assert found.measured == max(PERTURBED, other if counts else 0.0)


@pytest.mark.parametrize("name", ["few_copies", "batched", "replayed"])
@pytest.mark.parametrize(("far", "counts"), [(1.5 * PERTURBED, True), (0.5, False)], ids=["rounding", "a fault"])
def test_a_run_without_padding_raises_the_floor_unless_it_shows_a_fault(name: str, far: float, counts: bool) -> None:
    found = floor(noise(rounding_errors=PERTURBED), {name: (unpadded_difference(far),)})
    assert counted(found) == {"rounding_errors": True, name: counts}
    assert found.measured == (far if counts else PERTURBED)


def test_a_run_with_padding_does_not_change_the_floor() -> None:
    found = floor(noise(rounding_errors=PERTURBED), differences(left=(unpadded_difference(0.03), difference(0.03))))
    assert set(counted(found)) == {"rounding_errors", "batched", "replayed"}
    assert found.measured == PERTURBED


@pytest.mark.parametrize(
    "ways",
    [{}, noise(other_attention=0.01), noise(rounding_errors="RuntimeError: no", other_attention=0.01)],
    ids=["none was run", "random errors were not", "random errors raised"],
)
def test_without_random_errors_the_floor_is_a_bound(ways: dict[str, NoiseProbe]) -> None:
    found = floor(ways, {"batched": (unpadded_difference(0.01),)}, dtype="bfloat16")
    assert (found.method, found.measured) == ("bound", None)
    assert (found.atol, found.rtol, found.source) == bounded_tolerance("bfloat16", 2)[:3]
    assert set(counted(found).values()) == {False}


def test_a_way_that_raised_keeps_its_error_and_has_no_number() -> None:
    found = floor(noise(rounding_errors=PERTURBED, other_attention="there is no other one than its own"))
    [way] = [way for way in found.ways if way.name == "other_attention"]
    assert (way.max_abs_diff, way.counted, way.error) == (None, False, "there is no other one than its own")


def test_nan_is_no_measure_of_rounding() -> None:
    for steps, measured in (((None,), None), ((0.25, None), 0.25)):
        rows = NoiseProbe(description="random errors", differences=(unpadded_difference(*steps),))
        assert floor({"rounding_errors": rows}).measured == measured


def test_a_floor_of_zero_is_measured_and_the_least_is_allowed() -> None:
    found = floor(noise(rounding_errors=0.0, other_attention=1e-6))
    assert (found.method, found.measured) == ("measured", 0.0)
    assert counted(found) == {"rounding_errors": True, "other_attention": False}
    assert tolerance_of(found, run_result("left")).allowed(10.0) == least_tolerance("float32").allowed(10.0)


@pytest.mark.parametrize(("atol", "rtol"), [(1.0, None), (None, 0.5), (0.0, 0.0)])
def test_the_tolerance_of_the_user_replaces_the_floor(atol: float | None, rtol: float | None) -> None:
    found = floor(noise(rounding_errors=PERTURBED), atol=atol, rtol=rtol)
    assert (found.method, found.measured) == ("given", PERTURBED)
    assert (found.atol, found.rtol, found.source) == given_tolerance("float32", atol, rtol)[:3]
    assert tolerance_of(found, run_result("left")) == given_tolerance("float32", atol, rtol)


def test_an_unknown_dtype_is_called_unknown() -> None:
    assert floor({}, dtype=None).dtype == "unknown"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_run_is_allowed_a_few_times_the_floor_or_the_least_of_its_dtype(dtype: str) -> None:
    for measured in (1e-9, 0.5):
        allowed = tolerance_of(floor(noise(rounding_errors=measured), dtype=dtype), run_result("left")).allowed(10.0)
        assert allowed == max(FACTOR * measured, least_tolerance(dtype).allowed(10.0))


def test_a_run_in_float32_has_its_own_floor_or_a_bound() -> None:
    in_float32 = run_result("left", dtype="float32")
    bounded = floor(noise(rounding_errors=0.5), dtype="bfloat16")
    assert tolerance_of(bounded, in_float32) == bounded_tolerance("float32", 2)
    measured = floor(noise(rounding_errors=0.5, float32_rounding_errors=0.01), dtype="bfloat16")
    assert tolerance_of(measured, in_float32) == least_tolerance("float32")._replace(floor=0.01)
    assert measured.measured == 0.5, "the floor in 16 bit is not that in float32"
    assert [way.name for way in measured.ways] == ["rounding_errors"]


def test_the_tolerance_of_the_user_counts_in_every_dtype() -> None:
    found = floor(noise(rounding_errors=0.5, float32_rounding_errors=0.01), dtype="bfloat16", atol=1.0)
    for ran in (run_result("left"), run_result("left", dtype="float32")):
        assert (tolerance_of(found, ran).atol, tolerance_of(found, ran).floor) == (1.0, 0.0)


def test_a_bound_allows_no_measured_floor() -> None:
    assert tolerance_of(floor({}), run_result("left")) == bounded_tolerance("float32", 2)


@pytest.mark.parametrize(("left", "verdict"), [(0.05, Verdict.EQUIVALENT), (0.07, Verdict.DIFFERENT)])
def test_a_report_allows_padding_as_much_as_rounding_was_measured_to_do(left: float, verdict: Verdict) -> None:
    found = report(model=model_facts(num_layers=2), noise=noise(rounding_errors=0.03), **probes(left=left))
    assert found.noise_floor is not None
    assert (found.noise_floor.method, found.noise_floor.measured) == ("measured", 0.03)
    assert found.comparisons["left"].allowed == 0.06
    assert found.comparisons["left"].verdict is verdict


def test_each_step_is_allowed_the_least_for_its_own_logits() -> None:
    """The floor is one number for a whole model. In 16 bit, the neighbours of a large logit may be further apart."""
    rows = (unpadded_difference(0.0), difference(0.4, logit_scale=100.0), difference(0.4, logit_scale=10.0))
    found = report(model=model_facts(dtype="bfloat16"), noise=noise(rounding_errors=0.1), differences={"left": rows})
    assert [row.verdict for row in found.comparisons["left"].rows] == [
        Verdict.IDENTICAL,
        Verdict.EQUIVALENT,
        Verdict.DIFFERENT,
    ]
    assert [row.allowed for row in found.comparisons["left"].rows] == [0.2, 100 * 2.0**-7, 0.2]


def test_a_fault_of_the_batch_does_not_hide_itself() -> None:
    found = report(noise=noise(rounding_errors=1e-3), **probes(batched=0.5))
    assert "PAD206" in [finding.code for finding in found.findings]


def test_the_tolerance_of_the_user_wins_over_the_floor() -> None:
    settings = JudgeSettings(atol=0.0, rtol=0.0)
    found = report(settings=settings, noise=noise(rounding_errors=0.5), **probes(left=1e-6))
    assert found.comparisons["left"].verdict is Verdict.DIFFERENT
    assert found.comparisons["left"].allowed == 0.0
