"""What it takes to get the same report again: the command, and the versions that it depends on."""

import shlex
from collections.abc import Iterator

from padcheck.report import Report
from padcheck.settings import DEMO, JudgeSettings


def command(report: Report) -> str:
    """The command line that gives this report again, or the call where its model was in memory."""
    if report.command == "compare" and report.evidence.model.weights is None:
        return (
            f"padcheck.compare(model, tokenizer{''.join(f', {name}={value!r}' for name, value in _settings(report))})"
        )
    model = report.evidence.settings.get("model", DEMO)
    ranks = report.evidence.model.ranks
    program = ["padcheck"] if ranks == 1 else ["torchrun", f"--nproc-per-node={ranks}", "-m", "padcheck"]
    return shlex.join([*program, report.command, str(model), *_options(report)])


def packages(report: Report) -> str:
    """The line that installs the versions of this report."""
    versions = report.evidence.environment
    libraries = ("padcheck", "transformers", "tokenizers", "torch")
    # What stands behind a + names a build, which no index has under that name.
    pinned = [f"{name}=={getattr(versions, name).partition('+')[0]}" for name in libraries]
    return f"pip install {' '.join(pinned)}  # Python {versions.python}"


def _settings(report: Report) -> Iterator[tuple[str, object]]:
    """All that was not left at its default, by the settings' names."""
    yield from ((name, value) for name, value in report.evidence.settings.items() if name != "model")
    default = JudgeSettings()
    for name in ("atol", "rtol", "select", "ignore", "fail_on", "task", "padding_side"):
        value = getattr(report.judgement, name)
        if value != getattr(default, name):
            yield name, getattr(value, "value", value)


def _options(report: Report) -> Iterator[str]:
    for name, value in _settings(report):
        option = f"--{name.replace('_', '-')}"
        if name == "prompts" and isinstance(value, (tuple, list)):
            yield from (f"--prompt={prompt}" for prompt in value)
        elif value is True:
            yield option
        elif isinstance(value, (tuple, list, dict)):
            yield f"{option}={','.join(value)}"
        else:
            yield f"{option}={'never' if value is None else value}"
