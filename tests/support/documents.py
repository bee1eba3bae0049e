"""A document of every command, as a reporter gets it."""

from pathlib import Path

from builders import (
    batch,
    check,
    difference,
    differences,
    finding,
    flip,
    in_half,
    model_facts,
    noise,
    precision,
    report,
    run_result,
    runs,
    sweep,
    tokenizer_facts,
    unmeasured,
    unpadded_difference,
)
from msgspec.structs import replace
from tasks import classified, off, scored, scored_row, step_off, task_run, trained

from padcheck.core.evidence import Place
from padcheck.core.exit_codes import ExitCode
from padcheck.core.facts import ChatTemplateFacts, PadTokenSuggestion
from padcheck.core.faults import CodePlace, Fault, WatchedCalls
from padcheck.core.json_io import dump, load
from padcheck.core.report import Architecture, KnownFinding, Report, Survey
from padcheck.core.run_report import AnyDocument, Run, Suppressed
from padcheck.core.settings import JudgeSettings
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Verdict
from padcheck.judging.caller_rules import find_code
from padcheck.judging.rules import find_rule

WRONG = {"differences": differences(left=(unpadded_difference(0.0), difference(0.5)))}
CODE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'<s>&amp;\x1b[31m"
"""Text that would run as code, or break the text around it, if it were not escaped."""

FLIPPED = task_run("left", scored_row(0, "left", -1.0), scored_row(1, "left", -0.5, 1.5))
"""A left-padded batch in which another choice is best."""

VANISHED = (KnownFinding(model="gone/model", code="PAD201", severity=Severity.ERROR),)


def a_survey(**changes: object) -> Survey:
    found = finding(find_rule("PAD201"), **WRONG)
    judged = {
        "model_type": "llama",
        "architecture": "LlamaForCausalLM",
        "status": "judged",
        "exit_code": ExitCode.FINDINGS,
        "position_encoding": "rotary",
        "verdicts": {"left_generate": Verdict.DIFFERENT, "right_score": Verdict.IDENTICAL},
        "max_abs_diffs": {"left_generate": 6.54, "right_score": 0.0},
        "findings": ("PAD201",),
        "details": (found,),
        "seconds": 1.0,
    }
    return Survey(
        status="fail",
        exit_code=ExitCode.FINDINGS,
        environment=report().evidence.environment,
        settings={"max_new_tokens": 6},
        architectures=(
            Architecture(**judged | changes),
            Architecture(
                model_type="odd",
                status="not_built",
                exit_code=ExitCode.NOT_MEASURED,
                reason="it needs timm",
                seconds=0.1,
            ),
        ),
    )


def a_run(text: str = "score.py", code: str = "PAD509", **changes: object) -> Run:
    """A watched program with a mistake, with this text wherever a text can be."""
    facts = {"operation": text, "effect": text, "max_abs_diff": 2.5, "model": text, "width": 3}
    fault = Fault(code=code, place=CodePlace(file=text, line=7), facts=facts)
    built = Run(
        status="fail",
        exit_code=ExitCode.FINDINGS,
        script=text,
        argv=(text,),
        script_exit_code=5,
        environment=report().evidence.environment,
        calls=WatchedCalls(tokenizer=1, forward=1, padded=1, checked=1),
        findings=(find_code(code).finding(fault, text, text),),
        suppressed=(Suppressed(code="PAD508", file=text, line=3, reason=text),),
        notes=(text,),
    )
    return replace(built, **changes)


def everywhere(text: str) -> Report:
    """A report with this text wherever a text can be."""
    rows = tuple(
        replace(each, tokens=(text,) * len(each.tokens), prompt_text=text, generated_text=text, new_text=text)
        for each in batch("left")
    )
    built = report(
        model=model_facts(id=text, architecture=text, revision=text),
        tokenizer=tokenizer_facts(pad_token=text, pad_token_used=text, pad_token_used_reason=text, eos_token=text),
        generation_config={"suffix": text},
        prompts=(text, text),
        runs=runs(left=run_result("left", rows=rows, warnings=(text,))),
        differences=differences(left=(unpadded_difference(0.0), difference(0.5, flip=flip(0, token=text)))),
    )
    settings = {"model": text, "prompts": [text], "pad_token": text}
    return replace(built, evidence=replace(built.evidence, settings=settings))


PLACE = Place(
    module="model.layers.0",
    class_name="SomeLayer",
    file="some/model.py",
    line=7,
    difference_before=0.0,
    difference=0.5,
    allowed=1e-4,
    prompt_index=1,
    step=0,
)
_EVERYTHING = report(
    tokenizer=tokenizer_facts(
        pad_token_suggestion=PadTokenSuggestion(token="<p>", token_id=9, reason="by name"),
        chat_template=ChatTemplateFacts(leading_bos=2, pad_tokens=1),
    ),
    generation_config={"suffix": "a", "nested": [{"a": "b"}], "max_length": 20},
    overridden={"suffix": "a"},
    load_warnings=("careful",),
    noise=noise(rounding_errors=0.02, float32_twin="no room", other_attention=0.5),
    screen=sweep({1: 0.0, 16: 0.5}, error="no"),
    sweep=sweep({1: 0.2, 2: 0.5, 4: 0.0, 8: 0.0}, sizes={"chunk_size": 4}, error="no"),
    precision=precision(*[2.0] * 20),
    places={"left": PLACE},
    **in_half(left=9.0, left_float32=0.5, uncached=0.5, left_other_attention=0.0),
)
EVERYTHING = replace(
    _EVERYTHING,
    evidence=replace(_EVERYTHING.evidence, settings={"model": "some/model", "prompts": ["a", "b"], "pad_token": "a"}),
    seconds={"tokenizer": 1.0},
)
"""A report of a model in 16 bit in which nothing is missing."""

DOCUMENTS = {
    "compare": report(**WRONG),
    "healthy": report(),
    "classify": report(settings=JudgeSettings(task="classify"), **classified(left=off("left"))),
    "score": report(settings=JudgeSettings(task="score"), **scored(left=FLIPPED)),
    "train": report(settings=JudgeSettings(task="train"), **trained(step_pad_id=step_off("step_pad_id", labels=2))),
    "inspect-tokenizer": report("inspect-tokenizer", tokenizer=tokenizer_facts(padding_side="right")),
    "check": check(report(**WRONG), report(), unmeasured(), vanished=VANISHED),
    "survey": a_survey(),
    "run": a_run(),
}


def read_back(document: AnyDocument, folder: Path) -> AnyDocument:
    """The document after it was written to a file."""
    file = folder / "document.json"
    file.write_text(dump(document), encoding="utf-8")
    return load(file)
