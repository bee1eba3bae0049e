"""What every rule about the user's own code has: a unique code and name, its file, and examples."""

import inspect
from pathlib import Path

import pytest

from padcheck.core.errors import UsageError
from padcheck.judging import comments
from padcheck.judging.caller_rules import ALL_CODES, CALLER_RULES, find_code

SECTIONS = ["Why it matters:", "How padcheck knows:", "Wrong:", "Right:"]

every_rule = pytest.mark.parametrize("rule", CALLER_RULES, ids=lambda rule: rule.code)


def test_codes_and_names_are_unique_and_codes_ascend():
    codes, names = [code.code for code in ALL_CODES], [code.name for code in ALL_CODES]
    assert codes == sorted(set(codes))
    assert len(names) == len(set(names))
    assert all(rule.code.startswith("PAD5") for rule in CALLER_RULES)


@every_rule
def test_the_file_is_named_after_the_code(rule):
    assert Path(inspect.getfile(type(rule))).stem == f"{rule.code.lower()}_{rule.name.replace('-', '_')}"


@every_rule
def test_the_documentation_has_a_wrong_and_a_right_example(rule):
    sections = dict(rule.sections())
    assert list(sections)[:4] == SECTIONS
    assert set(sections) - {*SECTIONS, "References:"} == set()
    for name in ("Wrong:", "Right:"):
        compile(sections[name].replace("...", "**options"), rule.code, "exec")


@every_rule
def test_a_code_is_found_by_number_and_by_name(rule):
    assert find_code(rule.code.lower()) is find_code(rule.name) is rule


def test_an_unknown_code_is_rejected():
    assert find_code("PAD201").code == "PAD201"
    with pytest.raises(UsageError):
        find_code("PAD599")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("f(x)  # padcheck: ignore[PAD508] the last row is thrown away", "the last row is thrown away"),
        ("f(x)  # padcheck: ignore[PAD501, pad508] two codes", "two codes"),
        ("f(x)  # padcheck: ignore[PAD508]", None),
        ("f(x)  # padcheck: ignore[PAD501] another code", None),
        ("f(x)", None),
    ],
)
def test_a_comment_accepts_a_code_only_with_a_reason(source, reason):
    assert comments.accepted("PAD508", source) == reason
