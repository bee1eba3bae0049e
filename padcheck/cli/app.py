"""The commands: parse, call, write, exit. What a command needs is imported when it runs, so that --help is quick."""

import gc
import os
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import typer

from padcheck import __version__
from padcheck.cli import option_groups as groups
from padcheck.cli import options
from padcheck.cli.exit import exits
from padcheck.core.errors import UsageError
from padcheck.core.settings import (
    DEMO,
    EVERY_ATTENTION,
    JudgeSettings,
    MeasureSettings,
    OutputSettings,
    SurveySettings,
    those_of,
)

Settings = TypeVar("Settings", MeasureSettings, JudgeSettings, OutputSettings, SurveySettings)

app = typer.Typer(
    name="padcheck",
    help="Shows what left and right padding do to a causal language model, and which line to change.",
    epilog="Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 wrong usage, 3 nothing measured, 4 a bug in "
    "padcheck.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help is there in half the time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _examples(*lines: str) -> str:
    """What stands at the end of a command's help; the mark keeps its lines apart."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


def main() -> None:
    """The console script."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller, as in `padcheck rules >&-`
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  for as long as we live
        # A terminal or pipe that is not UTF-8 shows an escape instead of ending the command.
        getattr(sys, name).reconfigure(errors="backslashreplace")
    try:
        with exits():
            app(prog_name="padcheck")
    finally:
        gc.freeze()  # else the interpreter looks through all of torch and transformers once more, to end anyway


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"padcheck {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", help="Show the version.", is_eager=True, callback=_print_version),  # noqa: FBT003
) -> None:
    pass


@app.command(
    short_help="Run prompts unpadded, left- and right-padded.",
    epilog=_examples(
        "padcheck compare gpt2",
        "padcheck compare ./my-model --prompts prompts.txt --dtype bfloat16",
        "padcheck compare meta-llama/Llama-2-7b-hf --tiny    # no weights are downloaded",
        "padcheck compare ./model-Q4_K_M.gguf",
        "padcheck compare gpt2 --task score --padding-side right",
        "padcheck compare gpt2 --report html=report.html --report json=report.json",
    ),
)
@groups.takes(
    groups.PROMPTS,
    groups.LENGTH,
    groups.DECODING,
    groups.RUNNING,
    groups.WEIGHTS,
    groups.LOADING,
    groups.USE,
    groups.TOLERANCE,
    groups.RULES,
    groups.OUTPUT,
)
def compare(model: options.Model = DEMO, **asked: Any) -> None:
    """Run the same prompts unpadded, left-padded and right-padded, and judge what padding changed."""
    with exits(verbose=bool(asked["verbose"])):
        given = _given(asked)
        measure, judgement = _settings(MeasureSettings, given, model=model), _settings(JudgeSettings, given)
        out = _output(given, measure)
        from padcheck.cli import output
        from padcheck.running import many_models, one_model

        output.require_writable(out)
        run = many_models.by_attention if measure.attn_implementation == EVERY_ATTENTION else one_model.compare
        output.finish(run(measure, judgement, output.progress_for(out)), out)


@app.command(
    short_help="All that can be said without weights.",
    epilog=_examples(
        "padcheck inspect-tokenizer meta-llama/Llama-2-7b-hf",
        "padcheck inspect-tokenizer ./my-model --chat --prompt Hello --prompt 'How are you?'",
    ),
)
@groups.takes(groups.PROMPTS, groups.LENGTH, groups.LOADING, groups.RULES, groups.OUTPUT)
def inspect_tokenizer(model: options.Model, **asked: Any) -> None:
    """Say everything about padding that can be said without the weights: none are loaded or downloaded."""
    with exits(verbose=bool(asked["verbose"])):
        given = _given(asked)
        measure, judgement = _settings(MeasureSettings, given, model=model), _settings(JudgeSettings, given)
        out = _settings(OutputSettings, given)
        from padcheck.cli import output
        from padcheck.running import one_model

        output.require_writable(out)
        output.finish(one_model.inspect_tokenizer(measure, judgement, output.progress_for(out)), out)


@app.command(
    short_help="Several models, as a file says: for CI.",
    epilog=_examples(
        "padcheck check                                 # the models of the file",
        "padcheck check gpt2 ./my-model --padding-side left --task generate",
        "padcheck check --report junit=padcheck.xml --report html=padcheck.html",
        "padcheck check --baseline known.json --write-baseline",
        "padcheck check --ray auto                      # on the Ray cluster of this machine",
    ),
)
@groups.takes(
    groups.CONFIGURATION,
    groups.negatable(groups.PROMPTS),
    groups.LENGTH,
    groups.negatable(groups.DECODING),
    groups.RUNNING,
    groups.negatable(groups.WEIGHTS),
    groups.negatable(groups.LOADING),
    groups.CLUSTER,
    groups.USE,
    groups.TOLERANCE,
    groups.RULES,
    groups.OUTPUT,
)
def check(models: options.Models = None, **asked: Any) -> None:
    """Measure and judge one model after another, with the settings of a file: padcheck.toml or pyproject.toml.

    What the command line says wins over the file. One model that cannot be measured stops none of the others.
    """
    with exits(verbose=bool(asked["verbose"])):
        from padcheck.cli import config_file, output
        from padcheck.judging import baseline
        from padcheck.reporters import files_by_format
        from padcheck.running import many_models

        given = _given(asked)
        configured = config_file.read(given.get("config"))
        reports = files_by_format(f"{name}={file}" for name, file in configured.reports.items())
        jobs = configured.jobs(models or (), given)
        if "ray" in given and any(job.measure.tp_plan for job in jobs):
            raise UsageError(
                "--tp-plan and --ray exclude each other.",
                meaning="--ray gives a model to one process, and --tp-plan spreads it over those of torchrun.",
                change="Leave out one: check such a model by itself, under torchrun, and the others with --ray.",
            )
        out = _output(given | {"reports": reports | given.get("reports", {})}, *(job.measure for job in jobs))
        file, writes = given.get("baseline", configured.baseline), "write_baseline" in given
        known = baseline.read(file, may_be_new=writes)
        output.require_writable(out, baseline=file if writes else None)
        found = many_models.check(jobs, known, output.progress_for(out), configured.file(jobs), given.get("ray"))
        if writes and file is not None:
            known = baseline.updated(known, found)
            output.write_file("--baseline", file, baseline.dump(known), out)
            found = many_models.accept(found, known)
        output.finish(found, out)


@app.command(
    short_help="Judge every architecture of transformers.",
    epilog=_examples(
        "padcheck survey",
        "padcheck survey llama qwen3_next --verbose",
        "padcheck survey --format markdown --output compatibility.md",
    ),
)
@groups.takes(
    groups.SURVEYING,
    groups.CLUSTER,
    groups.LENGTH,
    {"seed": options.Seed},
    groups.RUNNING,
    groups.TOLERANCE,
    groups.RULES,
    groups.OUTPUT | {"verbose": options.VerboseSurvey},
)
def survey(model_types: options.ModelTypes = None, **asked: Any) -> None:
    """Judge every causal architecture of the installed transformers at toy size; nothing is downloaded."""
    with exits(verbose=bool(asked["verbose"])):
        given = {"max_new_tokens": 6} | _given(asked)
        wanted = _settings(SurveySettings, given, model_types=tuple(model_types or ()))
        measure = _settings(MeasureSettings, given, thorough=True, tiny=True)
        judgement, out = _settings(JudgeSettings, given), _settings(OutputSettings, given)
        from padcheck.cli import output
        from padcheck.running.survey import survey as judge_architectures

        output.require_writable(out)
        found = judge_architectures(wanted, measure, judgement, output.progress_for(out), given.get("ray"))
        output.finish(found, out)


@app.command(
    short_help="Show a saved report, or judge it anew.",
    epilog=_examples(
        "padcheck render report.json",
        "padcheck render report.json --format html --output report.html",
        "padcheck render report.json --atol 0.01 --rtol 0",
    ),
)
@groups.takes(groups.USE, groups.TOLERANCE, groups.RULES, groups.OUTPUT)
def render(report_file: options.ReportFile, **asked: Any) -> None:
    """Show a saved report in any format, judged as it was, or anew with what is given; the model is not run."""
    with exits(verbose=bool(asked["verbose"])):
        given = _given(asked)
        out = _settings(OutputSettings, given)
        from padcheck.cli import output
        from padcheck.core import json_io
        from padcheck.running.judge_again import judge_again

        output.require_writable(out)
        found = judge_again(json_io.load(report_file), those_of(JudgeSettings, given))
        output.finish(found, out, is_new=False)


@app.command(short_help="Say what a code means and how to fix it.", epilog=_examples("padcheck explain PAD202"))
def explain(code: options.Code) -> None:
    """Say what a code means, why it matters, how padcheck knows, and how to fix it."""
    with exits():
        from padcheck.cli import output
        from padcheck.judging.rules import find_rule

        output.print_rule(find_rule(code))


@app.command()
def rules() -> None:
    """List all codes."""
    with exits():
        from padcheck.cli import output
        from padcheck.judging.rules import RULES

        output.print_rules(RULES)


def _given(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the command line says, by the settings' own names and as they have it; what it leaves open is not there."""
    given = {name: each.value if isinstance(each, Enum) else each for name, each in asked.items() if each is not None}
    if "prompt" in given or "prompts" in given:
        given["prompts"] = _prompts(given.pop("prompt", []), given.get("prompts"))
    if "batch_size" in given:
        given["batch_size"] = _batch_size(given["batch_size"])
    if "select" in given:
        given["select"] = tuple(_codes(given["select"]))
    if "ignore" in given:
        given["ignore"] = dict.fromkeys(_codes(given["ignore"]), "left out by --ignore")
    if "fail_on" in given:
        given["fail_on"] = asked["fail_on"].severity
    if "reports" in given:
        from padcheck.reporters import files_by_format

        given["reports"] = files_by_format(given["reports"])
    return given


def _settings(kind: type[Settings], given: Mapping[str, Any], **more: Any) -> Settings:
    return kind(**those_of(kind, given), **more)


def _output(given: Mapping[str, Any], *measured: MeasureSettings) -> OutputSettings:
    """What this process writes: nothing where it is one of several that spread a model over them, and not the first."""
    from padcheck.core import torchrun

    heard = torchrun.is_heard(in_parallel=any(measure.tp_plan for measure in measured))
    return _settings(OutputSettings, given, discarded=not heard)


def _batch_size(given: str) -> int | str:
    if given == "auto":
        return given
    try:
        return int(given)
    except ValueError:
        raise UsageError(f"--batch-size is {given}.", change="Use a whole number, or auto.") from None


def _prompts(given: list[str], file: str | None) -> tuple[str, ...]:
    if file is None:
        return tuple(given)
    from padcheck.cli.prompts_file import load_prompts

    return (*given, *load_prompts(file))


def _codes(given: list[str]) -> list[str]:
    return [code.strip().upper() for option in given for code in option.split(",") if code.strip()]
