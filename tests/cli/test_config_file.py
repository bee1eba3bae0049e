"""padcheck.toml and [tool.padcheck]: which setting wins, and the message for each mistake."""

from pathlib import Path

import configuration_schema
import msgspec
import pytest
from jsonschema import Draft202012Validator

from padcheck.cli.config_file import ModelTable, Section, read
from padcheck.core.errors import UsageError
from padcheck.core.report import ConfigurationFile
from padcheck.core.severity import Severity

FULL = """
models = ["demo", "./mine"]
prompts = ["one two", "three"]
task = "generate"
padding-side = "left"
fail-on = "warning"
select = ["pad1", "PAD2"]
ignore = { PAD106 = "we pass padding_side" }
dtype = "bfloat16"
max-new-tokens = 4
temperature = 1
baseline = "known.json"
report = { junit = "out.xml" }

[model."./mine"]
padding-side = "right"
fail-on = "never"
ignore = { PAD402 = "upstream knows" }
tiny = true
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def configured(tmp_path, text, name="padcheck.toml"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return read(None)


def job(found, models=(), **given):
    (only,) = found.jobs(models, given)
    return only


def test_every_key_of_a_file(tmp_path):
    found = configured(tmp_path, FULL)
    assert (found.models, str(found.baseline), found.reports) == (
        ("demo", "./mine"),
        "known.json",
        {"junit": "out.xml"},
    )
    demo, mine = found.jobs((), {})
    assert (demo.measure.model, demo.measure.prompts, demo.measure.dtype) == ("demo", ("one two", "three"), "bfloat16")
    assert (demo.measure.max_new_tokens, demo.measure.tiny) == (4, False)
    assert (demo.judgement.task, demo.judgement.padding_side) == ("generate", "left")
    assert (demo.judgement.select, demo.judgement.fail_on) == (("PAD1", "PAD2"), Severity.WARNING)
    assert demo.judgement.ignore == {"PAD106": "we pass padding_side"}
    assert (mine.measure.dtype, mine.measure.tiny) == ("bfloat16", True)
    assert (mine.judgement.padding_side, mine.judgement.fail_on) == ("right", None)
    assert mine.judgement.ignore == {"PAD106": "we pass padding_side", "PAD402": "upstream knows"}


def test_the_command_line_overrides_the_table_of_a_model_which_overrides_the_section(tmp_path):
    found = configured(tmp_path, 'models = ["demo"]\nseed = 1\nbatch-size = 4\n[model.demo]\nseed = 2\n')
    assert (job(found).measure.seed, job(found).measure.batch_size) == (2, 4)
    assert job(found, seed=3, batch_size=8).measure.seed == 3
    given = job(found, ignore={"PAD1": "left out by --ignore"}, fail_on=None)
    assert (given.judgement.ignore, given.judgement.fail_on) == ({"PAD1": "left out by --ignore"}, None)


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("device = 'cpu'", {"device_map": "auto"}),
        ("device-map = 'auto'", {"device": "cpu"}),
        ("do-sample = true\ntemperature = 0.7\ntop-k = 3", {"do_sample": False}),
    ],
)
def test_a_setting_that_contradicts_the_command_line_is_dropped(tmp_path, text, given):
    found = job(configured(tmp_path, f'models = ["demo"]\n{text}\n'), **given)
    assert {key: getattr(found.measure, key) for key in given} == given
    assert (found.measure.temperature, found.measure.top_k) == (1.0, None)


def test_paths_are_relative_to_the_configuration_file(tmp_path):
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "some.txt").write_text("one\n", encoding="utf-8")
    text = 'models = ["demo"]\nprompts-file = "some.txt"\nbaseline = "known.json"\nreport = { json = "a.json" }\n'
    (tmp_path / "ci" / "check.toml").write_text(f"\ufeff{text}", encoding="utf-8")
    found = read(Path("ci", "check.toml"))
    assert job(found).measure.prompts == ("one",)
    assert (found.baseline, found.reports) == (Path("ci", "known.json"), {"json": str(Path("ci", "a.json"))})


def test_a_setting_that_is_set_nowhere_has_its_default(tmp_path):
    found = job(configured(tmp_path, 'models = ["demo"]\n'))
    assert (found.measure.max_new_tokens, found.judgement.fail_on) == (10, Severity.ERROR)


def test_models_of_the_command_line_replace_those_of_the_file(tmp_path):
    found = configured(tmp_path, FULL)
    assert job(found, ("other",)).judgement.padding_side == "left"
    assert job(found, ("./mine",)).judgement.padding_side == "right"
    assert job(found, ("demo", "demo")).measure.model == "demo"


def test_without_a_file_the_command_line_is_enough():
    assert job(read(None), ("demo",)).measure.model == "demo"


def test_without_a_model_the_error_says_where_to_give_one():
    with pytest.raises(
        UsageError,
        match=r"Neither the command line nor padcheck.toml or pyproject.toml of this folder names a model\."
        r"\n.*models =",
    ):
        read(None).jobs((), {})


def test_padcheck_toml_comes_before_pyproject_toml(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.padcheck]\nmodels = ["second"]\n', encoding="utf-8")
    assert read(None).models == ("second",)
    assert configured(tmp_path, 'models = ["first"]\n').models == ("first",)


def test_a_pyproject_toml_without_a_section_is_skipped_unless_it_is_given(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\nname = "x"\n', encoding="utf-8")
    assert read(None).models == ()
    with pytest.raises(UsageError, match=r"has no \[tool.padcheck\]"):
        read(path)


def test_prompts_of_a_file_are_added_and_an_inner_layer_replaces_them(tmp_path):
    (tmp_path / "some.txt").write_text("three\nfour five\n", encoding="utf-8")
    found = configured(tmp_path, 'models = ["demo"]\nprompts = ["one two"]\nprompts-file = "some.txt"\n')
    assert job(found).measure.prompts == ("one two", "three", "four five")
    assert job(found, prompts=("mine",)).measure.prompts == ("mine",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('modles = ["demo"]', r"unknown key modles\.\nDid you mean models\?"),
        ("padding_side = 'left'", r"unknown key padding_side\.\nDid you mean padding-side\?"),
        ("xyzzy = 1", r"unknown key xyzzy\.\nThe keys are prompts, "),
        (
            'models = ["m"]\n[model.m]\nfail-onn = "never"',
            r'unknown key fail-onn of the model "m"\.\nDid you mean fail-on\?',
        ),
        ('models = ["m"]\n[model.m]\nmodels = ["n"]', r'unknown key models of the model "m"'),
        ("models = demo", r"is not TOML: .*line 1"),
        ("batch-size = 'many'", r"Invalid enum value 'many' - at `\$.batch-size`"),
        ("padding-side = 'middle'", r"Invalid enum value 'middle'"),
        ("fail-on = 'sometimes'", r"Invalid enum value 'sometimes'.*\nUse error, warning, info, never"),
        ("ignore = ['PAD106']", r"Expected a table, got a list - at `\$.ignore`.*\nGive each code its reason"),
        ("ignore = { PAD106 = '' }", r"length >= 1"),
        ("model = 'demo'", r"Expected a table, got a text - at `\$.model`"),
        ("prompts-file = 'not there'", r"prompts file not there cannot be read"),
    ],
)
def test_the_error_says_what_to_write_instead(tmp_path, text, says):
    with pytest.raises(UsageError, match=says) as raised:
        configured(tmp_path, text)
    assert raised.value.change


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('models = ["demo"]\n[model.dem]\nseed = 1', r"a table for the model dem, .*\nDid you mean demo\?"),
        ('models = ["demo"]\nignore = { PAD106 = " " }', "PAD106 is ignored without a reason"),
        ('models = ["demo"]\nbatch-size = 1', "--batch-size is 1"),
    ],
)
def test_an_invalid_value_is_reported_before_anything_is_measured(tmp_path, text, says):
    with pytest.raises(UsageError, match=says):
        configured(tmp_path, text).jobs((), {})


@pytest.mark.parametrize("text", ["tool = 1", "[tool]\nruff = 1", ""])
def test_a_pyproject_toml_without_padcheck_is_skipped(tmp_path, text):
    assert configured(tmp_path, text, "pyproject.toml").path is None


def test_the_section_may_be_called_tool_padcheck_in_any_file(tmp_path):
    assert configured(tmp_path, '[tool.padcheck]\nmodels = ["demo"]\n').models == ("demo",)


def test_a_section_that_is_not_a_table_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="is not a table"):
        configured(tmp_path, "[tool]\npadcheck = 'demo'", "pyproject.toml")


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "not there.toml")
    (tmp_path / "padcheck.toml").write_bytes(b"models = ['\xff']")
    with pytest.raises(UsageError, match="is not TOML"):
        read(None)


def test_the_line_of_each_model_in_the_file_is_known(tmp_path):
    text = '[project]\nname = "x"\n\n[tool.padcheck]\nmodels = [\n  "demo",\n  \'mine\',\n]\n'
    found = configured(tmp_path, text, "pyproject.toml")
    assert found.file(found.jobs((), {})) == ConfigurationFile(path="pyproject.toml", lines={"demo": 6, "mine": 7})
    assert found.file(found.jobs(("other",), {})) == ConfigurationFile(path="pyproject.toml", lines={"other": 4})


def test_without_a_file_there_are_no_lines():
    assert read(None).file(read(None).jobs(("demo",), {})) is None


def test_every_option_of_check_is_a_key_unless_it_makes_sense_only_on_the_command_line():
    from padcheck.cli import option_groups as options

    groups = (options.PROMPTS, options.LENGTH, options.DECODING, options.RUNNING, options.WEIGHTS, options.LOADING)
    groups = (*groups, options.MODES, options.USE, options.TOLERANCE, options.RULES)
    names = {name for group in groups for name in group} - {"prompt"}
    only_in_a_file = {"prompts_file", "choices"}
    assert names | only_in_a_file == set(ModelTable.__struct_fields__)
    assert set(Section.__struct_fields__) - names == only_in_a_file | {"models", "baseline", "report", "model"}


def test_the_schema_for_editors_is_up_to_date():
    assert configuration_schema.SCHEMA.read_text(encoding="utf-8") == configuration_schema.written(), "run: make docs"


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (FULL, True),
        ('modles = ["demo"]', False),
        ("batch-size = 'many'", False),
        ("with-modes = ['static-cache', 'all']", True),
        ("with-modes = ['statik']", False),
        ("padding-side = 'middle'", False),
        ("fail-on = 'sometimes'", False),
        ("ignore = { PAD106 = '' }", False),
        ("report = { junti = 'out.xml' }", False),
        ("[model.m]\nmodels = ['n']", False),
    ],
)
def test_the_schema_accepts_what_the_program_accepts(text, valid):
    validator = Draft202012Validator(configuration_schema.schema())
    assert validator.is_valid(msgspec.toml.decode(text)) is valid


def test_without_a_file_the_workflow_that_names_the_models_is_annotated(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKFLOW_REF", raising=False)
    jobs = read(None).jobs(("demo",), {})
    assert read(None).file(jobs) is None
    monkeypatch.setenv("GITHUB_REPOSITORY", "owner/name")
    monkeypatch.setenv("GITHUB_WORKFLOW_REF", "owner/name/.github/workflows/ci.yml@refs/heads/main")
    assert read(None).file(jobs) == ConfigurationFile(path=".github/workflows/ci.yml")
