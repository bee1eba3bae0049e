import pytest

from padcheck.core.errors import UsageError
from padcheck.core.exit_codes import ExitCode
from padcheck.core.run_plans import MODES
from padcheck.core.settings import DEFAULT_PROMPTS, DEMO, JudgeSettings, MeasureSettings
from padcheck.core.severity import Severity


def test_the_defaults_are_as_documented() -> None:
    settings = MeasureSettings()
    assert (settings.model, settings.max_new_tokens, settings.do_sample) == (DEMO, 10, False)
    assert DEFAULT_PROMPTS == ("big unpadded five token prompt ", "padded three token ")
    assert JudgeSettings().fail_on is Severity.ERROR


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"max_new_tokens": 0}, "--max-new-tokens is 0"),
        ({"max_new_tokens": -1}, "--max-new-tokens is -1"),
        ({"batch_size": 1}, "--batch-size is 1"),
        ({"do_sample": True, "temperature": 0.0}, "--temperature is 0.0"),
        ({"do_sample": True, "temperature": -1.0}, "--temperature is -1.0"),
        ({"do_sample": True, "temperature": float("nan")}, "--temperature is nan"),
        ({"do_sample": True, "temperature": float("inf")}, "--temperature is inf"),
        ({"do_sample": True, "top_k": 0}, "--top-k is 0"),
        ({"do_sample": True, "top_p": 0.0}, "--top-p is 0.0"),
        ({"do_sample": True, "top_p": 1.1}, "--top-p is 1.1"),
        ({"temperature": 0.7}, "--temperature, --top-k and --top-p need sampling"),
        ({"top_k": 5}, "--temperature, --top-k and --top-p need sampling"),
        ({"top_p": 0.9}, "--temperature, --top-k and --top-p need sampling"),
        ({"device": "cpu", "device_map": "auto"}, "--device and --device-map exclude each other"),
        ({"prompts": ("a", "")}, "Prompt 1 is empty"),
        ({"with_modes": ("static-cache", "statik")}, "--with is 'statik'"),
        ({"with_modes": ("",)}, "--with is ''"),
    ],
)
def test_an_invalid_setting_is_a_usage_error(changes: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        MeasureSettings(**changes)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.change


@pytest.mark.parametrize(
    "changes",
    [
        {"max_new_tokens": 1},
        {"batch_size": 2},
        {"do_sample": True},
        {"do_sample": True, "temperature": 0.1, "top_k": 1, "top_p": 1.0},
        {"device": "cpu"},
        {"device_map": "auto"},
        {"prompts": (" ", "a ")},
        {"tiny": True, "seed": -1},
        {"with_modes": ("assisted", "all")},
    ],
)
def test_a_valid_setting_is_accepted(changes: dict[str, object]) -> None:
    settings = MeasureSettings(**changes)
    assert {name: getattr(settings, name) for name in changes} == changes


def test_modes_run_once_each_and_in_one_order() -> None:
    assert MeasureSettings().modes == ()
    asked = ("assisted", "static-cache", "assisted")
    assert MeasureSettings(with_modes=asked).modes == ("static-cache", "assisted")
    assert MeasureSettings(with_modes=("all", "no-cache")).modes == tuple(MODES)


@pytest.mark.parametrize("name", ["atol", "rtol"])
@pytest.mark.parametrize("value", [-1e-9, float("nan"), float("inf")])
def test_a_tolerance_is_a_number_from_zero_on(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"--{name} is {value}"):
        JudgeSettings(**{name: value})


@pytest.mark.parametrize("value", [0.0, 0.5, None])
def test_a_tolerance_may_be_zero_or_left_open(value: float | None) -> None:
    assert JudgeSettings(atol=value, rtol=value).atol == value


@pytest.mark.parametrize(
    ("select", "ignore", "counts"),
    [
        ((), (), True),
        (("PAD1",), (), True),
        (("PAD101",), (), True),
        (("PAD2", "PAD10"), (), True),
        (("PAD2",), (), False),
        ((), ("PAD101",), False),
        ((), ("PAD2",), True),
        (("PAD1",), ("PAD10",), False),
        (("PAD101",), ("PAD",), False),
    ],
)
def test_a_code_counts_if_it_is_selected_and_not_ignored(
    select: tuple[str, ...], ignore: tuple[str, ...], counts: bool
) -> None:
    assert (JudgeSettings(select=select, ignore=dict.fromkeys(ignore, "why")).left_out("PAD101") is None) is counts


@pytest.mark.parametrize("changes", [{"model": "mod\udce8le"}, {"prompts": ("fine", "\udcff")}])
def test_bytes_that_are_not_utf_8_are_refused(changes: dict[str, object]) -> None:
    # Python hands over such bytes of a command line as lone surrogates.
    with pytest.raises(UsageError, match="not valid UTF-8"):
        MeasureSettings(**changes)
