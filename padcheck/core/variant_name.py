"""The name of a variant of a model type, such as `phi3+longrope`."""

_SIGN = "+"


def variant_name(model_type: str, variant: str | None) -> str:
    """The name; the model type itself if there is no variant."""
    return model_type if variant is None else f"{model_type}{_SIGN}{variant}"


def split_variant_name(name: str) -> tuple[str, str | None]:
    """The model type and the variant in a name."""
    model_type, sign, variant = name.partition(_SIGN)
    return model_type, variant if sign else None
