"""The commands. Each one imports what it needs when it runs, to keep --help fast."""

import gc
import sys
from typing import Any

import typer

from padcheck.cli import option_groups as groups
from padcheck.cli import options, report_options, run_options
from padcheck.cli.exit import exit_codes_of_typer, exits
from padcheck.cli.option_values import build, build_output, option_values
from padcheck.cli.streams import safe_streams
from padcheck.core.errors import UsageError
from padcheck.core.settings import (
    DEMO,
    EVERY_ATTENTION,
    JudgeSettings,
    MeasureSettings,
    OutputSettings,
    SurveySettings,
    belonging_to,
)
from padcheck.core.version import __version__

app = typer.Typer(
    name="padcheck",
    help="Shows what left and right padding do to a causal language model, and which line to change.",
    epilog="Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 wrong usage, 3 nothing measured, 4 a bug in "
    "padcheck.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _examples(*lines: str) -> str:
    """The end of a command's help. Typer keeps only the line ends of paragraphs."""
    return "\n\n".join(("Examples:", *lines))


def main() -> None:
    """Runs the command line."""
    try:
        with safe_streams(), exits():
            if sys.flags.optimize > 1:
                raise UsageError(
                    "Python runs without docstrings, which padcheck and transformers need.",
                    meaning="PYTHONOPTIMIZE is 2, or Python was started with -OO.",
                    change="Unset PYTHONOPTIMIZE, or set it to 1.",
                )
            with exit_codes_of_typer():
                app(prog_name="padcheck")
    finally:
        # At exit the interpreter would search all objects of torch and transformers for garbage: 0.9 s of 3.7 s.
        gc.freeze()


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
        "padcheck compare ./my-reward-model --task classify",
        "padcheck compare gpt2 --with static-cache,second-turn",
        "padcheck compare gpt2 --against dtype=bfloat16 --against revision=refs/pr/1",
        "padcheck compare gpt2 --report html=report.html --report json=report.json",
    ),
)
@groups.takes(
    groups.PROMPTS,
    groups.LENGTH,
    groups.USE,
    groups.OUTPUT,
    groups.RULES,
    groups.RUNNING,
    groups.LOADING,
    groups.WEIGHTS,
    groups.DECODING,
    groups.MODES,
    groups.SIDE_BY_SIDE,
    groups.TOLERANCE,
)
def compare(model: options.Model = DEMO, **asked: Any) -> None:
    """Run the same prompts unpadded, left-padded and right-padded, and report what padding changes."""
    with exits(verbose=bool(asked["verbose"])):
        values = option_values(asked)
        measure, judgement = build(MeasureSettings, values, model=model), build(JudgeSettings, values)
        out = build_output(values, measure)
        from padcheck.cli import files, output
        from padcheck.running import one_model, side_by_side

        files.require_writable(out, reads=files.read_by(values, measure))
        progress = output.progress_for(out)
        if changes := values.get("against"):
            output.finish(side_by_side.compare_against(measure, judgement, progress, changes=changes), out)
        elif measure.attn_implementation == EVERY_ATTENTION:
            output.finish(side_by_side.compare_by_attention(measure, judgement, progress), out)
        else:
            output.finish(one_model.compare(measure, judgement, progress), out)


@app.command(
    short_help="Check tokenizer and config, without weights.",
    epilog=_examples(
        "padcheck inspect-tokenizer meta-llama/Llama-2-7b-hf",
        "padcheck inspect-tokenizer ./my-model --chat --prompt Hello --prompt 'How are you?'",
    ),
)
@groups.takes(groups.PROMPTS, groups.LENGTH, groups.OUTPUT, groups.RULES, groups.LOADING)
def inspect_tokenizer(model: options.Model, **asked: Any) -> None:
    """Check the tokenizer, the config and the generation_config. No weights are loaded or downloaded."""
    with exits(verbose=bool(asked["verbose"])):
        values = option_values(asked)
        measure, judgement = build(MeasureSettings, values, model=model), build(JudgeSettings, values)
        out = build(OutputSettings, values)
        from padcheck.cli import files, output
        from padcheck.running import one_model

        files.require_writable(out, reads=files.read_by(values, measure))
        output.finish(one_model.inspect_tokenizer(measure, judgement, output.progress_for(out)), out)


@app.command(
    short_help="Check several models with the settings of a file, for CI.",
    epilog=_examples(
        "padcheck check                                 # the models that the file lists",
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
    groups.USE,
    groups.OUTPUT,
    groups.RULES,
    groups.RUNNING,
    groups.CLUSTER,
    groups.negatable(groups.LOADING),
    groups.negatable(groups.WEIGHTS),
    groups.negatable(groups.DECODING),
    groups.MODES,
    groups.TOLERANCE,
)
def check(models: options.Models = None, **asked: Any) -> None:
    """Check one or more models with the settings of a file: padcheck.toml, or tool.padcheck in pyproject.toml.

    The command line overrides the file. If one model cannot be measured, the others still run.
    """
    with exits(verbose=bool(asked["verbose"])):
        from padcheck.cli import config_file, files, output
        from padcheck.judging import baseline
        from padcheck.reporters import files_by_format
        from padcheck.running import judge_again, many_models

        values = option_values(asked)
        configured = config_file.read(values.get("config"))
        reports = files_by_format(f"{name}={file}" for name, file in configured.reports.items())
        jobs = configured.jobs(models or (), values)
        if "ray" in values and any(job.measure.tp_plan for job in jobs):
            raise UsageError(
                "--tp-plan and --ray exclude each other.",
                meaning="--ray runs a model in one process, and --tp-plan splits it over the processes of torchrun.",
                change="Use one of them: check the models with --tp-plan under torchrun, and the others with --ray.",
            )
        out = build_output(values | {"reports": reports | values.get("reports", {})}, *(job.measure for job in jobs))
        file, writes = values.get("baseline", configured.baseline), "write_baseline" in values
        known = baseline.read(file, may_be_new=writes)
        reads = [*configured.inputs, *files.read_by(values, *(job.measure for job in jobs))]
        files.require_writable(out, reads=reads, baseline=file if writes else None)
        found = many_models.check(jobs, known, output.progress_for(out), configured.file(jobs), values.get("ray"))
        if writes and file is not None:
            known = baseline.updated(known, found)
            files.write_file("--baseline", file, baseline.dump(known), out)
            found = judge_again.accept(found, known)
        output.finish(found, out)


@app.command(
    short_help="Check every architecture of transformers.",
    epilog=_examples(
        "padcheck survey",
        "padcheck survey llama qwen3_next --verbose",
        "padcheck survey --task classify",
        "padcheck survey --format markdown --output compatibility.md",
    ),
)
@groups.takes(
    groups.SURVEYING,
    groups.LENGTH,
    groups.OUTPUT_OF_SURVEY,
    groups.RULES,
    groups.RUNNING,
    groups.CLUSTER,
    groups.SEED,
    groups.MODES,
    groups.TOLERANCE,
)
def survey(model_types: options.ModelTypes = None, **asked: Any) -> None:
    """Check every causal language model architecture of the installed transformers at toy size, without downloads."""
    with exits(verbose=bool(asked["verbose"])):
        values = {"max_new_tokens": 6} | option_values(asked)
        wanted = build(SurveySettings, values, model_types=tuple(model_types or ()))
        measure = build(MeasureSettings, values, thorough=True, tiny=True, packed=True)
        judgement, out = build(JudgeSettings, values), build(OutputSettings, values)
        from padcheck.cli import files, output
        from padcheck.running.survey import survey as judge_architectures

        files.require_writable(out)
        output.finish(judge_architectures(wanted, measure, judgement, output.progress_for(out), values.get("ray")), out)


@app.command(
    short_help="Show a saved report, or judge it again.",
    epilog=_examples(
        "padcheck render report.json",
        "padcheck render report.json --format html --output report.html",
        "padcheck render report.json --atol 0.01 --rtol 0",
    ),
)
@groups.takes(groups.JUDGED_USE, groups.OUTPUT, groups.RULES, groups.TOLERANCE)
def render(report_file: report_options.ReportFile, **asked: Any) -> None:
    """Show a saved report in any format. Options such as --atol judge it again; the model does not run."""
    with exits(verbose=bool(asked["verbose"])):
        values = option_values(asked)
        out = build(OutputSettings, values)
        from padcheck.cli import files, output
        from padcheck.core import json_io
        from padcheck.running.judge_again import judge_again

        files.require_writable(out, reads=[report_file])
        found = judge_again(json_io.load(report_file), belonging_to(JudgeSettings, values))
        output.finish(found, out, is_new=False)


@app.command(
    short_help="Run your own script, and report padding mistakes by line.",
    epilog=_examples("padcheck run score.py --batch-size 8", "padcheck run --format sarif -o run.sarif -m mypackage"),
    context_settings={"allow_interspersed_args": False},
)
@groups.takes(groups.WATCHING, groups.RULES, groups.OUTPUT_OF_RUN)
def run(program: run_options.Program, **asked: Any) -> None:
    """Run a Python script unmodified, and report what it does wrong with padding, at file and line.

    The script keeps its arguments, streams and exit code; the report goes to stderr. Options come before SCRIPT.
    """
    with exits(verbose=bool(asked["verbose"])):
        from padcheck.cli.run_script import run_script

        run_script(program, option_values(asked))


@app.command(short_help="Explain a code and how to fix it.", epilog=_examples("padcheck explain PAD202"))
def explain(code: report_options.Code) -> None:
    """Explain a code: what it means, why it matters, how padcheck finds it, and how to fix it."""
    with exits():
        from padcheck.cli import output
        from padcheck.judging.caller_rules import find_code

        output.print_rule(find_code(code))


@app.command()
def rules() -> None:
    """List all codes."""
    with exits():
        from padcheck.cli import output
        from padcheck.judging.caller_rules import ALL_CODES

        output.print_rules(ALL_CODES)
