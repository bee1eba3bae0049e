"""The commands: parse, call, write, exit. What a command needs is imported when it runs, so that --help is quick."""

import os
import sys
from pathlib import Path

import msgspec
import typer

from padcheck import __version__, options
from padcheck.endings import exits
from padcheck.reporters import Format
from padcheck.settings import DEMO, JudgeSettings, MeasureSettings, OutputSettings, SurveySettings
from padcheck.use import Use

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


def main() -> None:
    """The console script."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller, as in `padcheck rules >&-`
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  for as long as we live
        # A terminal or pipe that is not UTF-8 shows an escape instead of ending the command.
        getattr(sys, name).reconfigure(errors="backslashreplace")
    with exits():
        app(prog_name="padcheck")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"padcheck {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", help="Show the version.", is_eager=True, callback=_print_version),  # noqa: FBT003
) -> None:
    pass


@app.command(short_help="Run prompts unpadded, left- and right-padded.")
def compare(
    model: options.Model = DEMO,
    prompt: options.Prompt = None,
    prompts: options.Prompts = None,
    chat: options.Chat = False,
    pad_token: options.PadToken = None,
    max_new_tokens: options.MaxNewTokens = 10,
    do_sample: options.DoSample = False,
    temperature: options.Temperature = 1.0,
    top_k: options.TopK = None,
    top_p: options.TopP = None,
    seed: options.Seed = 0,
    batch_size: options.BatchSize = 8,
    thorough: options.Thorough = False,
    dtype: options.Dtype = None,
    device: options.Device = None,
    device_map: options.DeviceMap = None,
    attn_implementation: options.AttnImplementation = None,
    revision: options.Revision = None,
    tokenizer: options.Tokenizer = None,
    trust_remote_code: options.TrustRemoteCode = False,
    tiny: options.Tiny = False,
    task: options.TaskOption = None,
    padding_side: options.PaddingSideOption = None,
    atol: options.Atol = None,
    rtol: options.Rtol = None,
    select: options.Select = None,
    ignore: options.Ignore = None,
    fail_on: options.FailOnOption = options.FailOn.ERROR,
    format: options.FormatOption = Format.TABLE,  # noqa: A002
    output: options.Output = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Run the same prompts unpadded, left-padded and right-padded, and judge what padding changed."""
    with exits(verbose=verbose):
        measure = MeasureSettings(
            model=model,
            prompts=_prompts(prompt, prompts),
            chat=chat,
            pad_token=pad_token,
            max_new_tokens=max_new_tokens,
            do_sample=do_sample,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            batch_size=batch_size,
            thorough=thorough,
            dtype=dtype,
            device=device,
            device_map=device_map,
            attn_implementation=attn_implementation,
            revision=revision,
            tokenizer=tokenizer,
            trust_remote_code=trust_remote_code,
            tiny=tiny,
        )
        judgement = _judgement(select, ignore, fail_on, atol=atol, rtol=rtol, task=task, padding_side=padding_side)
        out = OutputSettings(format=format, path=output, quiet=quiet, verbose=verbose)
        from padcheck import engine, terminal

        terminal.require_writable(out.path)
        terminal.finish(engine.compare(measure, judgement, terminal.progress_for(out)), out)


@app.command(short_help="All that can be said without weights.")
def inspect_tokenizer(
    model: options.Model,
    prompt: options.Prompt = None,
    prompts: options.Prompts = None,
    chat: options.Chat = False,
    pad_token: options.PadToken = None,
    max_new_tokens: options.MaxNewTokens = 10,
    revision: options.Revision = None,
    tokenizer: options.Tokenizer = None,
    trust_remote_code: options.TrustRemoteCode = False,
    select: options.Select = None,
    ignore: options.Ignore = None,
    fail_on: options.FailOnOption = options.FailOn.ERROR,
    format: options.FormatOption = Format.TABLE,  # noqa: A002
    output: options.Output = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Say everything about padding that can be said without the weights: none are loaded or downloaded."""
    with exits(verbose=verbose):
        measure = MeasureSettings(
            model=model,
            prompts=_prompts(prompt, prompts),
            chat=chat,
            pad_token=pad_token,
            max_new_tokens=max_new_tokens,
            revision=revision,
            tokenizer=tokenizer,
            trust_remote_code=trust_remote_code,
        )
        judgement = _judgement(select, ignore, fail_on)
        out = OutputSettings(format=format, path=output, quiet=quiet, verbose=verbose)
        from padcheck import engine, terminal

        terminal.require_writable(out.path)
        terminal.finish(engine.inspect_tokenizer(measure, judgement, terminal.progress_for(out)), out)


@app.command(short_help="Judge every architecture of transformers.")
def survey(
    model_types: options.ModelTypes = None,
    multimodal: options.Multimodal = False,
    max_new_tokens: options.MaxNewTokens = 6,
    seed: options.Seed = 0,
    dtype: options.Dtype = None,
    device: options.Device = None,
    attn_implementation: options.AttnImplementation = None,
    jobs: options.Jobs = None,
    timeout: options.Timeout = 120.0,
    atol: options.Atol = None,
    rtol: options.Rtol = None,
    select: options.Select = None,
    ignore: options.Ignore = None,
    fail_on: options.FailOnOption = options.FailOn.ERROR,
    format: options.FormatOption = Format.TABLE,  # noqa: A002
    output: options.Output = None,
    quiet: options.Quiet = False,
    verbose: options.VerboseSurvey = False,
) -> None:
    """Judge every causal architecture of the installed transformers at toy size; nothing is downloaded."""
    with exits(verbose=verbose):
        wanted = SurveySettings(model_types=tuple(model_types or ()), multimodal=multimodal, jobs=jobs, timeout=timeout)
        measure = MeasureSettings(
            max_new_tokens=max_new_tokens,
            seed=seed,
            thorough=True,
            dtype=dtype,
            device=device,
            attn_implementation=attn_implementation,
            tiny=True,
        )
        judgement = _judgement(select, ignore, fail_on, atol=atol, rtol=rtol)
        out = OutputSettings(format=format, path=output, quiet=quiet, verbose=verbose)
        from padcheck import engine, terminal

        terminal.require_writable(out.path)
        terminal.finish(engine.survey(wanted, measure, judgement, terminal.progress_for(out)), out)


@app.command(short_help="Show a saved report, or judge it anew.")
def render(
    report: options.ReportFile,
    task: options.TaskOption = None,
    padding_side: options.PaddingSideOption = None,
    atol: options.Atol = None,
    rtol: options.Rtol = None,
    select: options.Select = None,
    ignore: options.Ignore = None,
    fail_on: options.FailOnOption = options.FailOn.ERROR,
    format: options.FormatOption = Format.TABLE,  # noqa: A002
    output: options.Output = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Show a saved report in any format, judged anew with other tolerances; the model is not run."""
    with exits(verbose=verbose):
        judgement = _judgement(select, ignore, fail_on, atol=atol, rtol=rtol, task=task, padding_side=padding_side)
        out = OutputSettings(format=format, path=output, quiet=quiet, verbose=verbose)
        from padcheck import engine, session, terminal

        terminal.require_writable(out.path)
        terminal.finish(engine.judge_again(session.load(report), judgement), out)


@app.command(short_help="Say what a code means and how to fix it.")
def explain(code: options.Code) -> None:
    """Say what a code means, why it matters, how padcheck knows, and how to fix it."""
    with exits():
        from padcheck import terminal
        from padcheck.checks import find_rule

        terminal.print_rule(find_rule(code))


@app.command()
def rules() -> None:
    """List all codes."""
    with exits():
        from padcheck import terminal
        from padcheck.checks import RULES

        terminal.print_rules(RULES)


def _prompts(given: list[str] | None, file: str | None) -> tuple[str, ...]:
    if file is None:
        return tuple(given or ())
    from padcheck.prompts import load_prompts

    return (*(given or ()), *load_prompts(file))


def _judgement(
    select: list[str] | None,
    ignore: list[str] | None,
    fail_on: options.FailOn,
    *,
    atol: float | None = None,
    rtol: float | None = None,
    task: options.Task | None = None,
    padding_side: options.Side | None = None,
) -> JudgeSettings:
    return JudgeSettings(
        atol=atol,
        rtol=rtol,
        select=_codes(select),
        ignore=_codes(ignore),
        fail_on=fail_on.severity,
        use=_use(task, padding_side),
    )


def _use(task: options.Task | None, padding_side: options.Side | None) -> Use:
    given = {"task": task, "padding_side": padding_side}
    return msgspec.convert({key: option.value for key, option in given.items() if option is not None}, Use)


def _codes(given: list[str] | None) -> tuple[str, ...]:
    return tuple(code.strip().upper() for option in given or () for code in option.split(",") if code.strip())
