"""The stream: numbered, replayed, with a gap told; frames are the latest; who it is comes first."""

import json
import shutil
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus

from controller.bus.documents_feed import DocumentFeed
from controller.console.frames import Picturing, framed
from controller.console.hub import Hub, Viewer
from controller.console.numbering import FILE as NUMBERS
from controller.console.sources import Message
from controller.journal import read
from controller.processes.launch import Launch
from controller.safety.people.people import Role
from tests.controller.test_loop import run
from tests.support.campaigns import barrel_campaign
from tests.support.consoles import Stream, console_of, served
from tests.support.desks import desked
from tests.support.waiting import until


@pytest.fixture(scope="module")
def barrels(tmp_path_factory):
    directory = tmp_path_factory.mktemp("console") / "c"
    run(barrel_campaign(budget={"experiments": 2}), directory)
    (directory / "gate.sqlite").unlink(missing_ok=True)
    return directory


@pytest.fixture
def directory(barrels, tmp_path):
    return shutil.copytree(barrels, tmp_path / "c")


def noted(one, text):
    assert one.by(Role.OPERATOR).post("/notes", json={"text": text}).status_code == 200


def test_a_viewer_is_told_all_that_was_and_then_what_comes(directory):
    known = read(directory)
    with console_of(directory) as one, closing(Stream(one)) as viewer:
        assert viewer.next()["type"] == "hello"
        viewer.until("record", source="journal", number=len(known))
        noted(one, "hello there")
        note = viewer.until("record", source="console")

    records = [m for m in viewer.heard if m["type"] == "record"]
    assert [m["seq"] for m in records] == list(range(1, len(records) + 1))
    assert [m["record"]["kind"] for m in records][:1] == ["campaign_started"]
    assert note["record"]["said"] == {"text": "hello there"}


def test_numbers_go_on_over_a_killed_console_and_nothing_is_missed_or_told_twice(directory):
    first = served(directory)
    viewer = Stream(first)
    epoch = viewer.next()["epoch"]
    noted(first, "before")
    last = viewer.until("record", source="console", number=1)["seq"]
    first.end()
    with console_of(directory) as second:
        noted(second, "meanwhile")
        with closing(Stream(second, after={"epoch": epoch, "seq": last})) as again:
            hello = again.next()
            again.until("record", source="console", number=3)

    seen = [m for m in viewer.heard + again.heard if m["type"] == "record"]
    assert hello["epoch"] == epoch
    assert [m["seq"] for m in seen] == list(range(1, len(seen) + 1))
    assert len({(m["source"], m["number"]) for m in seen}) == len(seen)
    assert [m["record"]["said"]["text"] for m in seen if m["record"]["kind"] == "asked"] == [
        "before",
        "meanwhile",
    ]
    viewer.close()


def test_a_lost_numbering_is_another_epoch_and_all_is_told_anew(directory):
    with console_of(directory) as one, closing(Stream(one)) as viewer:
        epoch = viewer.next()["epoch"]
        viewer.until("record", number=3)
    for file in directory.glob(f"{NUMBERS}*"):
        file.unlink()
    with console_of(directory) as one:
        with closing(Stream(one, after={"epoch": epoch, "seq": 3})) as viewer:
            hello = viewer.next()
            first = viewer.until("record")

    assert hello["epoch"] != epoch
    assert first["seq"] == 1


def test_the_pulse_is_felt_and_the_standing_is_told(directory):
    with console_of(directory) as one, closing(Stream(one)) as viewer:
        status = viewer.until("status")["status"]
        viewer.until("heartbeat")

    assert status["word"] == "ENDED"
    assert status["simulated"] is True


def test_a_trip_reaches_viewers_with_its_cause(directory):
    with desked(directory, people=False) as desk:
        Launch(directory=directory, runtime=desk.runtime).write()
        with console_of(directory) as one, closing(Stream(one)) as viewer:
            viewer.next()
            assert one.by(Role.VIEWER).post("/estop").status_code == 202
            while True:
                message = viewer.until("record", source="gate")
                if "emergency stop" in message["text"]:
                    break
            while viewer.until("status")["status"]["word"] != "TRIPPED":
                pass

    assert "emergency stop by" in message["text"]


def test_spectra_come_as_frames_and_documents_unchanged(directory, tmp_path):
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    launch = Launch(directory=directory, runtime=runtime)
    launch.write()
    energies, counts = np.linspace(8900.0, 9200.0, 2048), np.arange(2048, dtype=np.int64)
    with (
        closing(DocumentFeed(launch.address("documents"))) as feed,
        console_of(directory) as one,
        closing(Stream(one, documents=True)) as viewer,
    ):
        viewer.next()
        until(lambda: _spectrum(feed, viewer, energies, counts), "a frame")
        told = [m for m in viewer.heard if m["type"] == "document" and m["name"] == "event"]

    header, arrays = opened(viewer.frames[0])
    assert header["channel"] == "primary/spectrometer"
    np.testing.assert_array_equal(arrays["spectrometer-energies"], energies)
    np.testing.assert_array_equal(arrays["spectrometer-counts"], counts)
    assert told[0]["document"]["data"]["spectrometer-counts"] == counts.tolist()


def _spectrum(feed, viewer, energies, counts):
    """Publish one run (the console may not have listened yet) and return whether a frame came."""
    for name, document in documents_of(energies, counts):
        feed(name, document)
    viewer.until("heartbeat")
    return viewer.frames


def documents_of(energies, counts):
    keys = {
        "spectrometer-energies": {"object_name": "spectrometer"},
        "spectrometer-counts": {"object_name": "spectrometer"},
    }
    data = {"spectrometer-energies": energies, "spectrometer-counts": counts}
    yield "start", {"uid": "r", "scan_id": 1, "time": 1.0}
    yield "descriptor", {"uid": "d", "run_start": "r", "name": "primary", "data_keys": keys}
    yield "event", {"uid": "e", "descriptor": "d", "seq_num": 1, "time": 2.0, "data": data}
    yield "stop", {"uid": "s", "run_start": "r", "exit_status": "success"}


def opened(data):
    """Return header and arrays of a frame, as a browser reads it."""
    length = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + length])
    begin = -(-(4 + length) // 8) * 8
    arrays = {}
    for one in header["arrays"]:
        count = int(np.prod(one["shape"], dtype=int))
        at = begin + one["offset"]
        assert at % 8 == 0
        arrays[one["name"]] = np.frombuffer(data, one["dtype"], count, at).reshape(one["shape"])
    return header, arrays


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8),
        st.tuples(
            st.sampled_from(["<f8", ">f4", "<i8", "|u1", "<u2", "<f2", ">i4"]),
            st.lists(st.integers(0, 5), min_size=1, max_size=2),
        ),
        max_size=4,
    )
)
def test_a_frame_gives_back_what_was_put_in(shapes):
    arrays = {
        name: (np.arange(np.prod(shape, dtype=int)) % 100).astype(kind).reshape(shape)
        for name, (kind, shape) in shapes.items()
    }

    header, found = opened(framed("a", {"run": "r"}, arrays).data)

    assert (header["channel"], list(found)) == ("a", list(arrays))
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


def test_a_scan_of_scalars_grows_into_a_curve():
    picturing = Picturing()
    start = {"uid": "r", "hints": {"dimensions": [(["x"], "primary")]}}
    keys = {"x": {"object_name": "motor"}, "y": {"object_name": "detector"}}
    list(picturing.frames("start", start))
    described = {"uid": "d", "run_start": "r", "name": "primary", "data_keys": keys}
    list(picturing.frames("descriptor", described))
    frames = []
    for i in range(3):
        data = {"x": float(i), "y": 10 * i}
        frames += picturing.frames("event", {"descriptor": "d", "seq_num": i, "data": data})

    header, arrays = opened(frames[-1].data)
    assert header["axis"] == "x"
    assert arrays["y"].tolist() == [0.0, 10.0, 20.0]


def test_a_slow_viewer_loses_frames_and_no_message():
    hub = Hub("e", [])
    viewer = Viewer(0)
    hub.join(None, viewer)
    for i in range(1, 501):
        hub.tell([Message(i, f"message {i}")])
        hub.show(framed("spectrum", {"number": i}, {"y": np.array([i, i])}))
        hub.show(framed("image", {"number": i}, {"y": np.array([i, i])}))

    sent = list(hub.next_of(viewer))

    assert [m for m in sent if isinstance(m, str)] == [f"message {i}" for i in range(1, 501)]
    frames = [opened(m)[0] for m in sent if isinstance(m, bytes)]
    assert [(h["channel"], h["number"]) for h in frames] == [("spectrum", 500), ("image", 500)]


def test_who_was_away_for_too_long_is_told_which_numbers_it_missed(monkeypatch):
    monkeypatch.setattr("controller.console.hub.KEPT", 10)
    hub = Hub("e", [])
    hub.tell([Message(i, str(i)) for i in range(1, 101)])
    viewer = Viewer(0)

    lost = hub.join(("e", 50), viewer)
    now = list(hub.next_of(viewer))
    hub.tell([Message(i, str(i)) for i in range(101, 201)])
    later = list(hub.next_of(viewer))

    assert lost == 40
    assert now == [str(i) for i in range(91, 101)]
    assert json.loads(later[0]) == {"type": "gap", "from": 101, "to": 190}
    assert later[1:] == [str(i) for i in range(191, 201)]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ('{"type": "auth", "token": "nobody"}', 4401),
        ('{"type": "auth"}', 4400),
        ('{"type": "auth", "token": "nobody", "more": 1}', 4400),
        ("[" * 10_000, 4400),
        (b"\x00\x01", 4400),
    ],
)
def test_who_does_not_say_who_it_is_is_put_out(directory, said, code):
    with console_of(directory) as one, one.stream() as socket:
        socket.send(said)

        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(60)
        assert closed.value.rcvd.code == code


def test_a_stream_ends_when_its_key_is_revoked(directory):
    with console_of(directory) as one, closing(Stream(one)) as viewer:
        viewer.until("heartbeat")
        one.console.keys.revoke(one.tokens[Role.VIEWER].split("_")[1])

        with pytest.raises(ConnectionClosed) as closed:
            viewer.until("never")
        assert closed.value.rcvd.code == 4401


def test_pages_from_elsewhere_get_no_stream(directory):
    with console_of(directory) as one:
        with pytest.raises(InvalidStatus) as refused:
            one.stream(Origin="http://evil.example").__enter__()
        assert refused.value.response.status_code == 403
        with one.stream(Origin=one.listening.url):
            pass
