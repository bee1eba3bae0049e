import pytest

# So that a failed assertion in this helper shows its values.
pytest.register_assert_rewrite("places")
