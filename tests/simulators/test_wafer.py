import numpy as np
import pytest

from simulators.errors import CommandError, ExposureError, ScanDataError
from simulators.wafer.options import WaferOptions
from simulators.wafer.recorded import read_wafer
from simulators.wafer.twin import WaferTwin

WAFER = read_wafer()


def at_spot(row, seed=1, **options):
    """The twin with a spot in its beam."""
    twin = WaferTwin(seed, WaferOptions(**options), WAFER)
    for axis, place in zip("xy", WAFER.places[row], strict=True):
        twin.command(f"{axis}.setpoint", float(place))
    twin.command("shutter.open", 1.0)
    twin.step(60.0)
    return twin


def test_the_recorded_wafer_has_307_spots_whose_shares_sum_to_one():
    assert WAFER.patterns.shape == (307, 1197)
    assert len(set(WAFER.spots)) == 307
    assert WAFER.published.sum(1) == pytest.approx(1.0)
    assert WAFER.composition.sum(1) == pytest.approx(1.0, abs=0.01)
    assert WAFER.patterns.max(1) == pytest.approx(1.0)


def test_a_folder_without_a_wafer_is_refused(tmp_path):
    with pytest.raises(ScanDataError, match=r"wafer\.npz"):
        read_wafer(tmp_path)
    np.savez(tmp_path / "wafer.npz", spot=np.array(["a"]))
    with pytest.raises(ScanDataError, match="no x_mm"):
        read_wafer(tmp_path)


@pytest.mark.parametrize("row", [0, 150, 306])
def test_a_spot_in_the_beam_gives_the_pattern_recorded_there(row):
    twin = at_spot(row)

    counts = twin.expose(1000.0)

    lines = counts / 60_000.0 - at_spot(row)._background()
    assert lines == pytest.approx(WAFER.patterns[row], abs=0.03)
    assert sum(twin.truth.values()) == pytest.approx(1.0)


def test_beside_the_film_there_is_substrate_and_behind_the_shutter_nothing():
    twin = at_spot(0)
    twin.command("x.setpoint", 1.0)
    twin.command("y.setpoint", 1.0)
    twin.step(60.0)

    assert twin.truth == {}
    assert 0 < twin.expose(30.0).mean() < 600
    twin.command("shutter.open", 0.0)
    assert not twin.expose(30.0).any()


def test_the_stage_needs_its_time():
    twin = WaferTwin(1, WaferOptions(start_x_mm=10.0, speed_mm_s=5.0), WAFER)
    twin.command("x.setpoint", 60.0)

    twin.step(4.0)

    assert twin.readbacks()["x.readback"] == pytest.approx(30.0)
    twin.step(60.0)
    assert twin.readbacks()["x.readback"] == 60.0


def test_two_exposures_differ_and_the_same_seed_gives_them_again():
    first, again = at_spot(7), at_spot(7)

    assert (first.expose(10.0) != first.expose(10.0)).any()
    again.restore(first.snapshot())
    assert (first.expose(10.0) == again.expose(10.0)).all()


def test_what_cant_be_done_is_refused():
    twin = at_spot(0)

    with pytest.raises(CommandError, match=r"0 \(closed\) or 1"):
        twin.command("shutter.open", 0.5)
    with pytest.raises(ExposureError):
        twin.expose(0.0)
