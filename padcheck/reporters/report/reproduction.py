"""What is needed to run the same again: the command line, the packages, the prompts."""

import shlex
from collections.abc import Iterator

import msgspec

from padcheck.core.facts import Environment
from padcheck.core.report import Report, Survey
from padcheck.core.settings import JudgeSettings
from padcheck.reporters.text.visible import visible

PROMPTS_FILE = "prompts.jsonl"
"""Where the command line expects the prompts that it has no room for."""

_MOST_PROMPTS_IN_A_LINE = 16


def command_line(report: Report) -> str:
    """The command for a shell that measures and judges the same; of a model that was in memory the call from Python.

    The model is pinned to the revision that was loaded. Many prompts are left to a file, which `prompts_file` gives.
    What a baseline accepts is not in it: only `padcheck check` reads one.
    """
    evidence = report.evidence
    if report.command == "compare" and evidence.model.weights is None:
        return _call(report)
    settings = {name: value for name, value in evidence.settings.items() if name not in ("model", "prompts")}
    if evidence.model.revision is not None:
        settings["revision"] = evidence.model.revision
    options: list[tuple[str, object]]
    options = [("prompts", PROMPTS_FILE)] if prompts_file(report) else [("prompt", text) for text in _prompts(report)]
    options += (settings | _judgement(report.judgement, runs=report.command == "compare")).items()
    words = [word for name, value in options for word in _option(name, value)]
    model = evidence.model.id
    # A folder may have a name that begins like an option.
    words = [*words, "--", model] if model.startswith("-") else [model, *words]
    ranks = evidence.model.ranks
    program = ["padcheck"] if ranks == 1 else ["torchrun", f"--nproc-per-node={ranks}", "-m", "padcheck"]
    return " ".join(map(_quoted, (*program, report.command, *words)))


def survey_command_line(survey: Survey) -> str:
    """The same of a survey, which names its model types: another transformers may have others."""
    values = {
        name: ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value
        for name, value in survey.settings.items()
    }
    values = {name: value for name, value in values.items() if value not in (None, "")} | _judgement(
        survey.judgement, runs=True
    )
    words = [word for name, value in values.items() for word in _option(name, value)]
    model_types = [architecture.model_type for architecture in survey.architectures]
    return " ".join(map(_quoted, ("padcheck", "survey", *model_types, *words)))


def prompts_file(report: Report) -> str:
    """The content of the file that the command line names, as JSONL; empty where it names none."""
    prompts = _prompts(report)
    if len(prompts) <= _MOST_PROMPTS_IN_A_LINE and not any("\0" in prompt for prompt in prompts):
        return ""
    return "".join(f"{msgspec.json.encode({'prompt': prompt}).decode()}\n" for prompt in prompts)


def requirements(versions: Environment) -> str:
    """The command that installs the versions of a run; of a build such as 2.13.0+cpu the release."""
    pinned = [
        f"{name}=={getattr(versions, name).partition('+')[0]}"
        for name in ("padcheck", "torch", "transformers", "tokenizers")
    ]
    return " ".join(["pip install", *map(_quoted, pinned)])


def _prompts(report: Report) -> list[str]:
    given = report.evidence.settings.get("prompts", ())
    return [str(prompt) for prompt in given] if isinstance(given, (list, tuple)) else []


def _judgement(judgement: JudgeSettings, *, runs: bool) -> dict[str, object]:
    """What is not left at its default, as a command takes it that `runs` the model, or only inspects the tokenizer."""
    of_a_run = ("atol", "rtol", "task", "padding_side") if runs else ()
    values: dict[str, object] = {name: getattr(judgement, name) for name in of_a_run}
    values |= {"select": ",".join(judgement.select), "ignore": ",".join(judgement.ignore)}
    if judgement.fail_on is not JudgeSettings().fail_on:
        values["fail_on"] = "never" if judgement.fail_on is None else judgement.fail_on.value
    return {name: value for name, value in values.items() if value not in (None, "")}


def _call(report: Report) -> str:
    default = JudgeSettings()
    given = {name: value for name, value in report.evidence.settings.items() if name != "model"}
    for name in ("atol", "rtol", "select", "ignore", "fail_on", "task", "padding_side"):
        value = getattr(report.judgement, name)
        if value != getattr(default, name):
            given[name] = getattr(value, "value", value)
    arguments = (f"{name}={value!r}" for name, value in given.items())
    return visible(f"padcheck.compare({', '.join(('model', 'tokenizer', *arguments))})")


def _option(name: str, value: object) -> Iterator[str]:
    yield f"--{name.replace('_', '-')}"
    if value is not True:
        yield str(value)


def _quoted(word: str) -> str:
    """The word for a shell; what cannot be seen is spelled out, as bash and zsh read it."""
    if visible(word) == word:
        return shlex.quote(word)
    return f"$'{''.join(map(_spelled_out, word))}'"


def _spelled_out(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if visible(character) == character:
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="backslashreplace"))
