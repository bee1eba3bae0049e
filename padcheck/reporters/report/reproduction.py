"""How to repeat a measurement: the command line, the packages and the prompts."""

import shlex
from collections.abc import Iterator

import msgspec

from padcheck.core.facts import Environment
from padcheck.core.report import Report, Survey
from padcheck.core.settings import JudgeSettings
from padcheck.reporters.text.visible import visible

PROMPTS_FILE = "prompts.jsonl"
"""The file that the command line names if there are many prompts."""

_MOST_PROMPTS_IN_A_LINE = 16


def command_line(report: Report) -> str:
    """The shell command that measures and judges the same again; for a model in memory, the call from Python.

    The model is pinned to the revision that was loaded. Many prompts go into a file, which `prompts_file` gives. The
    command does not include a baseline, because only `padcheck check` reads one.
    """
    evidence = report.evidence
    if report.command == "compare" and evidence.model.weights is None:
        return _call(report)
    settings = {name: value for name, value in evidence.settings.items() if name not in ("model", "prompts")}
    if evidence.model.revision is not None:
        settings["revision"] = evidence.model.revision
    options: list[tuple[str, object]]
    options = [("prompts", PROMPTS_FILE)] if prompts_file(report) else [("prompt", text) for text in _prompts(report)]
    options += (settings | _judgement(report.judgement, runs_model=report.command == "compare")).items()
    words = [word for name, value in options for word in _option(name, value)]
    model = evidence.model.id
    # The name of a folder may begin like an option.
    words = [*words, "--", model] if model.startswith("-") else [model, *words]
    ranks = evidence.model.ranks
    program = ["padcheck"] if ranks == 1 else ["torchrun", f"--nproc-per-node={ranks}", "-m", "padcheck"]
    return " ".join(map(_quoted, (*program, report.command, *words)))


def survey_command_line(survey: Survey) -> str:
    """The shell command that repeats a survey; it names the model types, since they depend on transformers."""
    values = {
        name: ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value
        for name, value in survey.settings.items()
    }
    values = {name: value for name, value in values.items() if value not in (None, "")} | _judgement(
        survey.judgement, runs_model=True
    )
    words = [word for name, value in values.items() for word in _option(name, value)]
    model_types = [architecture.model_type for architecture in survey.architectures]
    return " ".join(map(_quoted, ("padcheck", "survey", *model_types, *words)))


def prompts_file(report: Report) -> str:
    """The content of the file that the command line names, as JSONL; empty if it names no file."""
    prompts = _prompts(report)
    if len(prompts) <= _MOST_PROMPTS_IN_A_LINE and all(isinstance(each, str) and "\0" not in each for each in prompts):
        return ""
    lines = ({"prompt" if isinstance(prompt, str) else "messages": prompt} for prompt in prompts)
    return "".join(f"{msgspec.json.encode(line).decode()}\n" for line in lines)


def requirements(versions: Environment) -> str:
    """The command that installs the same versions; a build such as 2.13.0+cpu becomes its release."""
    pinned = [
        f"{name}=={getattr(versions, name).partition('+')[0]}"
        for name in ("padcheck", "torch", "transformers", "tokenizers")
    ]
    return " ".join(["pip install", *map(_quoted, pinned)])


def _prompts(report: Report) -> list[object]:
    given = report.evidence.settings.get("prompts", ())
    return list(given) if isinstance(given, (list, tuple)) else []


def _judgement(judgement: JudgeSettings, *, runs_model: bool) -> dict[str, object]:
    """The options that differ from their defaults; a command that does not run the model takes fewer."""
    names = ("atol", "rtol", "task", "padding_side") if runs_model else ()
    values: dict[str, object] = {name: getattr(judgement, name) for name in names}
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
    yield "--with" if name == "with_modes" else f"--{name.replace('_', '-')}"
    if value is not True:
        yield ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _quoted(word: str) -> str:
    """The word quoted for a shell, with invisible characters as escapes that bash and zsh read."""
    if visible(word) == word:
        return shlex.quote(word)
    return f"$'{''.join(map(_spelled_out, word))}'"


def _spelled_out(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if visible(character) == character:
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="backslashreplace"))
