import numpy as np
import pytest
from scipy import stats

from reportgen.experiments import defaults


@pytest.mark.parametrize(
    ("framework", "bound"),
    [
        ("pytorch", np.sqrt(1 / 784)),
        ("scikit-learn", np.sqrt(6 / 912)),
        ("scikit-learn, logistic", np.sqrt(2 / 912)),
        ("keras", np.sqrt(6 / 912)),
        ("flax", np.sqrt(3 / 784)),  # drawn truncated normal; a uniform draw of that variance
    ],
)
def test_variances_are_those_of_the_uniform_draws(framework: str, bound: float) -> None:
    expected = stats.uniform(-bound, 2 * bound).var()
    assert defaults.variance(framework, 784, 128) == pytest.approx(expected)
