"""Builders of surveys for tests."""

import builders
import msgspec

from padcheck.core.exit_codes import ExitCode
from padcheck.core.report import Architecture, Survey
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Verdict
from padcheck.running.survey import compose_architecture


def finding(code, severity=Severity.ERROR):
    return Finding(code=code, name="a-name", severity=severity, message=f"About {code}.", evidence={}, fix="# fix it")


def architecture(model_type="llama", left=Verdict.EQUIVALENT, *findings, **changes):
    verdicts = {
        "left_generate": left,
        "right_generate": Verdict.DIFFERENT,
        "right_score": Verdict.IDENTICAL,
        "left_forward_no_position_ids": Verdict.NOT_RUN,
        "packed": Verdict.IDENTICAL,
        "left_no_mask": Verdict.IDENTICAL,
    }
    far = {name: 0.0 if verdict.within_rounding else 6.54 for name, verdict in verdicts.items()}
    given = {
        "model_type": model_type,
        "architecture": f"{model_type}ForCausalLM",
        "status": "judged",
        "exit_code": ExitCode.OK,
        "position_encoding": "rotary",
        "verdicts": verdicts,
        "max_abs_diffs": far,
        "allowed": 1e-4,
        "findings": tuple(each.code for each in findings),
        "details": findings,
        "seconds": 0.5,
        "library_behaviour": {"pad_position_ids": "0"},
    }
    return Architecture(**given | changes)


def not_judged(model_type, reason):
    return Architecture(
        model_type=model_type, status="not_built", exit_code=ExitCode.NOT_MEASURED, reason=reason, seconds=1.0
    )


def a_survey(*architectures, status="fail", **settings):
    return Survey(
        status=status,
        exit_code=ExitCode.FINDINGS,
        environment=builders.report().evidence.environment,
        settings={"dtype": None, "max_new_tokens": 6} | settings,
        architectures=architectures,
    )


def with_variants(model_type="phi3"):
    """A model type that is right by default, wrong in one variant, and whose other variant cannot be built."""
    wrong = architecture(
        model_type,
        Verdict.DIFFERENT,
        finding("PAD201"),
        variant="longrope",
        exit_code=ExitCode.FINDINGS,
    )
    odd = msgspec.structs.replace(not_judged(model_type, "it needs einops"), variant="odd")
    return compose_architecture([architecture(model_type), wrong, odd])


MIXED = a_survey(
    architecture("llama"),
    architecture("gpt_odd", Verdict.DIFFERENT, finding("PAD201"), finding("PAD202", Severity.WARNING)),
    architecture("nan", Verdict.NON_FINITE, finding("PAD204"), known_limit="its blocks are anchored"),
    not_judged("gemma3n", "it needs timm"),
)
