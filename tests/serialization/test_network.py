"""What is stored beside the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlref.errors import ArtifactMissingFileError, ArtifactSchemaError
from mlref.models import train_challenger
from mlref.models.challenger import ChallengerSettings
from mlref.serialization import network


def test_the_preparation_comes_back_bit_for_bit(trained: Any, tmp_path: Path) -> None:
    """Codes and numbers are the same arrays, for gaps and unseen categories too."""
    network.write_network(trained.challenger, tmp_path)
    arrays = trained.challenger.inputs.decode(trained.rows).arrays
    expected = trained.challenger.preparation.apply(arrays)
    for got, wanted in zip(network.read_preparation(tmp_path).apply(arrays), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_network_of_other_widths_is_rebuilt(tmp_path: Path) -> None:
    """Hidden layers and embeddings come from the weights, not from today's default settings."""
    from mlref import flights

    frame = flights.load([1]).iloc[:2000]
    settings = ChallengerSettings(epochs=1, hidden=(16, 8, 4), embedding=3)
    model = train_challenger(frame, settings=settings)
    network.write_network(model, tmp_path)
    rebuilt = network.read_network(tmp_path)
    rebuilt.load_state_dict(model.network.state_dict())  # raises when a shape differs


def test_weights_without_their_network_are_refused(tmp_path: Path) -> None:
    """The error names the file that is missing and why it is needed."""
    with pytest.raises(ArtifactMissingFileError, match="prepare the columns"):
        network.read_network(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"fill": [1]}'])
def test_another_file_of_that_name_is_refused(content: str, tmp_path: Path) -> None:
    """What does not describe a network is an error of ours, not a KeyError."""
    (tmp_path / network.FILE).write_text(content)
    with pytest.raises(ArtifactSchemaError, match="does not describe a network"):
        network.read_preparation(tmp_path)
