"""An envelope is compared with the station of the campaign that names it."""

import yaml

from controller.benches import installed
from controller.checks.checking import check, load
from tests.support.campaigns import ROOT

COPPER = ROOT / "config" / "campaigns" / "copper_oxidation.yaml"
BARREL = ROOT / "config" / "campaigns" / "recorded" / "crossed_barrel.yaml"


def told(path, folder, **changes):
    """Return what is told of the campaign at *path* when keys of its envelope are changed."""
    data = yaml.safe_load(path.read_text())
    safety = path.parent / data["safety"]
    envelope = yaml.safe_load(safety.read_text())
    for key, value in changes.items():
        merged = {**envelope[key], **value} if isinstance(value, dict) else value
        if isinstance(merged, dict):
            merged = {k: v for k, v in merged.items() if v is not None}
        envelope[key] = merged
    (folder / "envelope.yaml").write_text(yaml.safe_dump(envelope, sort_keys=False))
    data |= {"beamline": str(path.parent / data["beamline"]), "safety": "envelope.yaml"}
    options = data.get("reducer", {}).get("options", {})
    if "references" in options:
        options["references"] = str(path.parent / options["references"])
    (folder / "campaign.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    found = check(folder / "campaign.yaml", installed())
    assert all(problem.file.endswith("envelope.yaml") and problem.line for problem in found)
    return [(problem.key, f"{problem.message}; {problem.accepted}") for problem in found]


def test_a_signal_that_the_station_has_not_is_told_with_what_was_meant(tmp_path):
    found = told(COPPER, tmp_path, signals={"exhaust.flw": {"unit": "L/min"}, "fan.on": {}})

    assert [key for key, _ in found] == ["signals.exhaust.flw", "signals.fan.on"]
    assert "did you mean 'exhaust.flow'?" in found[0][1]
    assert "no device 'fan'" in found[1][1]


def test_words_are_members_of_what_says_them(tmp_path):
    found = told(
        COPPER,
        tmp_path,
        limits={"foil.position": ["In", "Outside"], "mono.energy": ["Low", "High"]},
        signals={"front_end.status": {"unit": "1"}, "mono.readback": None},
        rules=[],
    )

    assert dict(found).keys() == {
        "limits.foil.position",
        "limits.mono.energy",
        "signals.front_end.status",
    }
    assert "'Outside' is no member" in dict(found)["limits.foil.position"]
    assert "has no members" in dict(found)["limits.mono.energy"]
    assert "Open, Closed" in dict(found)["signals.front_end.status"]


def test_every_recorded_point_may_be_asked_for(tmp_path):
    found = dict(
        told(
            BARREL,
            tmp_path,
            limits={
                "bench.point.n": "6..10 struts",
                "bench.point.r": None,
                "bench.point.t": "0.7..1.4 cm",
                "bench.point.x": "0..1",
            },
        )
    )

    assert "150 of 600 recorded points are outside" in found["limits.bench.point.n"]
    assert "bench.point.r is written for every point" in found["limits"]
    assert "in another unit; mm" in found["limits.bench.point.t"]
    assert "no signal 'bench.point.x'" in found["limits.bench.point.x"]


def test_a_recorded_bench_is_guarded_by_its_file_as_it_was_by_its_table():
    resolved = load(BARREL, installed())

    envelope = resolved.envelope.envelope(resolved.beamline.prefix)

    assert envelope.release.at_most_per_h == 3600
    assert envelope.limits["bench.point.theta"].accepts == "0 to 200 deg"
    assert envelope.is_free("bench.measure")


def test_the_record_that_keeps_the_ioc_alive_has_the_prefix_of_the_beamline():
    resolved = load(COPPER, installed())

    envelope = resolved.envelope.envelope(resolved.beamline.prefix)

    assert envelope.dead_man.record == "SIM:XAS:GATE:LEASE"


def test_an_envelope_file_can_be_checked_by_itself(tmp_path):
    data = yaml.safe_load((ROOT / "config" / "safety" / "copper.yaml").read_text())
    data["rules"][0]["requires"] = "furnace.readback < 3 mL/min"
    (tmp_path / "e.yaml").write_text(yaml.safe_dump(data))

    assert check(ROOT / "config" / "safety" / "copper.yaml", installed()) == []
    assert [problem.key for problem in check(tmp_path / "e.yaml", installed())] == [
        "rules.0.requires"
    ]


def test_what_is_declared_in_another_unit_than_its_record_is_told_where_it_stands(tmp_path):
    found = dict(
        told(
            COPPER,
            tmp_path,
            signals={"exhaust.flow": {"unit": "mL/min"}, "dose.accumulated": {"unit": "Gy"}},
            limits={"mono.energy": "8.8..9.5 keV"},
        )
    )

    assert found.keys() == {
        "signals.exhaust.flow",
        "signals.dose.accumulated",
        "limits.mono.energy",
    }
    assert "given in 'mL/min', and its record is in 'L/min'; L/min" in found["signals.exhaust.flow"]
    assert "given in 'Gy', and its record is in 'kGy'; kGy" in found["signals.dose.accumulated"]
    assert "given in 'keV', and its record is in 'eV'; eV" in found["limits.mono.energy"]


def test_a_limit_without_its_unit_is_all_that_is_told(tmp_path):
    found = told(COPPER, tmp_path, limits={"furnace.setpoint": "20..850"})

    assert [key for key, _ in found] == ["limits.furnace.setpoint"]
    assert "without a unit, and its record is in 'degC'; 20..850 degC" in found[0][1]


def test_a_declared_unit_that_is_none_is_told_before_what_follows_from_it(tmp_path):
    found = told(COPPER, tmp_path, signals={"exhaust.flow": {"unit": "Lmin"}})

    assert [key for key, _ in found] == ["signals.exhaust.flow"]


def test_the_same_unit_spelled_otherwise_is_the_same(tmp_path):
    assert told(COPPER, tmp_path, signals={"furnace.readback": {"unit": "degC"}}) == []
    assert (
        told(COPPER, tmp_path, signals={"exhaust.flow": {"unit": "l/min", "max_age": "3 s"}}) == []
    )


def test_a_signal_that_is_free_and_for_people_alone_is_told(tmp_path):
    free, maintenance = ["spectrometer.energies", "*.acquire"], ["*.offset", "detector.*re"]

    found = told(COPPER, tmp_path, free=free, maintenance=maintenance)

    assert found == [
        (
            "maintenance.1",
            "detector.acquire is free for everybody by '*.acquire'; signals that aren't free",
        )
    ]
