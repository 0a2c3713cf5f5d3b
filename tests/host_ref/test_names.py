"""Names of options, and what imports them."""

from __future__ import annotations

import subprocess
import sys

from elm11_host_ref import names
from elm11_host_ref.exact import wavelet


def test_every_wavelet_has_a_name_and_every_name_a_wavelet() -> None:
    assert tuple(wavelet.WAVELETS) == names.WAVELETS
    assert [mother.name for mother in wavelet.WAVELETS.values()] == list(names.WAVELETS)


def test_names_are_there_without_numpy() -> None:
    code = "import sys; from elm11_host_ref import names; print('numpy' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False"]
