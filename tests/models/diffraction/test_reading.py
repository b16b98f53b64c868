"""Powder patterns from the files that people have."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.diffraction.grid import Grid
from models.diffraction.powder import powder
from models.diffraction.radiation import radiation
from models.diffraction.reading import pattern_files, read_patterns
from models.diffraction.resampling import on_grid
from models.errors import PatternError

X = np.linspace(10.0, 90.0, 401)
Y = np.round(100 + 1000 * np.exp(-0.5 * ((X - 40) / 0.5) ** 2))


def _rows(parting, comma=False, more=""):
    lines = [f"{a:.3f}{parting}{b:.1f}{more}" for a, b in zip(X, Y, strict=True)]
    return "\n".join(line.replace(".", ",") if comma else line for line in lines)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.xy", _rows(" ")),
        ("a.xy", "  " + _rows("   ").replace("\n", "\r\n  ")),
        ("a.xye", "# 2theta I sigma\n" + _rows(" ", more=" 3.0")),
        ("a.dat", "! sample of 3 May 2024\n/* none */\n" + _rows("\t")),
        ("a.csv", "2theta,counts\n" + _rows(",")),
        ("a.csv", "2Theta (deg);Intensity (counts)\n" + _rows(";", comma=True)),
        ("a.csv", "\ufeffAngle,Intensity\n" + _rows(", ")),
        ("a.txt", _rows(" ", comma=True)),
        ("a.csv", "sample,x\nfoil,1\ntwo_theta_deg,intensity,background\n" + _rows(",", more=",5")),
        ("a.xy", _rows(" ") + "\n"),
    ],
)
def test_texts_of_every_layout_give_the_same_pattern(tmp_path, name, text):
    (tmp_path / name).write_text(text)

    (pattern,) = read_patterns(tmp_path / name)

    assert pattern.axis == pytest.approx(X, abs=1e-3)
    assert pattern.intensity == pytest.approx(Y)
    assert not pattern.of_q


def test_several_columns_of_a_named_table_are_several_patterns(tmp_path):
    rows = "\n".join(f"{x},{y},{2 * y},1" for x, y in zip(X, Y, strict=True))
    (tmp_path / "a.csv").write_text("2theta,first,second,sigma\n" + rows)

    first, second = read_patterns(tmp_path / "a.csv")

    assert (first.name, second.name) == ("a.csv first", "a.csv second")
    assert second.intensity == pytest.approx(2 * first.intensity)


def test_a_file_may_say_its_wavelength_and_have_q(tmp_path):
    (tmp_path / "a.dat").write_text("# Wavelength: 1.66e-11 m\n# q_nm^-1  I\n" + _rows("  "))

    (pattern,) = read_patterns(tmp_path / "a.dat")

    assert pattern.of_q
    assert pattern.axis[-1] == pytest.approx(9.0)
    assert pattern.wavelength == pytest.approx(0.166)


def test_an_npz_holds_one_pattern_or_many_and_pairs_by_their_names(tmp_path):
    np.savez(
        tmp_path / "a.npz",
        name=np.array(["one", "two"]),
        two_theta_2min=X,
        counts_2min=np.stack([Y, 2 * Y]),
        two_theta_8min=X[::2],
        counts_8min=np.stack([Y[::2], Y[::2]]),
        mass=np.ones((2, 401)),
    )

    patterns = read_patterns(tmp_path / "a.npz")

    assert [p.name for p in patterns] == [
        "a.npz counts_2min one",
        "a.npz counts_2min two",
        "a.npz counts_8min one",
        "a.npz counts_8min two",
    ]
    assert patterns[1].intensity == pytest.approx(2 * Y)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xy", b"", "no rows of numbers"),
        ("a.xy", b"nothing here\n", "no rows of numbers"),
        ("a.xy", b"1 2\n2 3\n", "50 are needed"),
        ("a.xy", b"\x00\x01\x02" * 50, "neither a text nor an NPZ"),
        ("a.npz", b"PK\x03\x04broken", "can't be read as NPZ"),
        ("a.xy", "\n".join(f"{k} 5" for k in range(1, 100)).encode(), "all intensities"),
        ("a.xy", "\n".join(f"{k} {k}" for k in range(1, 400)).encode(), "below 180"),
    ],
)
def test_what_is_no_pattern_is_refused_by_name(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(PatternError, match=message) as refused:
        read_patterns(tmp_path / name)
    assert name in str(refused.value)


def test_an_npz_with_code_in_it_is_not_opened(tmp_path):
    np.savez(tmp_path / "a.npz", two_theta=np.array([{"a": 1}], dtype=object))

    with pytest.raises(PatternError, match="NPZ"):
        read_patterns(tmp_path / "a.npz")


@given(st.text(max_size=400))
def test_no_text_makes_the_reader_fail_in_another_way(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "a.xy"
    path.write_text(text, encoding="utf-8", errors="replace")

    try:
        patterns = read_patterns(path)
    except PatternError:
        return
    assert all(len(p.axis) >= 50 for p in patterns)


def test_a_folder_gives_its_patterns_in_order_and_an_empty_one_is_refused(tmp_path):
    for name in ("b.xy", "a.csv", "notes.md"):
        (tmp_path / name).write_text(_rows(" "))

    assert [p.name for p in pattern_files([tmp_path])] == ["a.csv", "b.xy"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(PatternError, match="no pattern"):
        pattern_files([tmp_path / "empty"])


def test_a_finer_pattern_is_averaged_and_its_noise_with_it():
    random = np.random.default_rng(0)
    x = np.arange(10.0, 90.0, 0.01)
    y = random.poisson(400.0, x.size).astype(float)
    grid = Grid(10.0, 90.0, 1000)
    copper = radiation("CuKa")

    scan = on_grid(powder("flat", x, y), grid, copper, copper)

    assert scan.intensity.mean() == pytest.approx(400.0, rel=0.01)
    assert scan.variance.mean() == pytest.approx(400.0 * 0.01 / grid.step, rel=0.1)
    assert scan.intensity[5:-5].var() == pytest.approx(scan.variance.mean(), rel=0.25)


def test_only_what_was_measured_counts_and_too_little_is_refused():
    grid, copper = Grid(10.0, 90.0, 1000), radiation("CuKa")

    scan = on_grid(powder("part", X[100:300], Y[100:300] + X[100:300]), grid, copper, copper)

    assert 0.45 < scan.measured.mean() < 0.55
    assert not scan.intensity[~scan.measured].any()
    with pytest.raises(PatternError, match="--wavelength"):
        on_grid(powder("little", X[:60], Y[:60] + X[:60]), grid, copper, copper)


def test_a_pattern_of_another_wavelength_comes_to_the_models_angles():
    grid, copper, other = Grid(10.0, 90.0, 2000), radiation("CuKa1"), radiation("0.5")
    x = np.arange(3.0, 40.0, 0.005)
    d = 2.0
    line = 2 * np.degrees(np.arcsin(other.wavelength / 2 / d))
    y = 10 + 1000 * np.exp(-0.5 * ((x - line) / 0.05) ** 2)

    scan = on_grid(powder("line", x, y), grid, copper, other)

    expected = 2 * np.degrees(np.arcsin(copper.wavelength / 2 / d))
    assert grid.two_theta[scan.intensity.argmax()] == pytest.approx(expected, abs=0.05)
