"""Messages as bytes: the same there as here, and nothing else taken for one."""

import math
import pickle
import random
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agents.protocols import Alternative, Measured, Observation, Prediction, Quality, Suggestion
from controller.bus.errors import MessageRefused, MessageUnsendable
from controller.bus.messages import (
    Ask,
    Begin,
    Done,
    Failed,
    MadeSafe,
    Message,
    PlanEnded,
    Reduce,
    ReducedRun,
    RunExperiment,
    Suggested,
    Take,
    Write,
)
from controller.bus.wire import (
    DTYPES,
    MAX_MESSAGE_BYTES,
    Envelope,
    pack,
    pack_message,
    unpack,
    unpack_document,
    unpack_message,
)
from controller.events import ObservationMade
from models.values import Reduced, Verdict

SUGGESTION = Suggestion(
    parameters={"temperature": 412.5, "cycles": 3, "gas": "N₂"},
    agent="bayesian 1",
    model="gp",
    seed=7,
    known=2,
    id="s-1",
    pending=("s-0",),
    predictions={"yield": Prediction(1.0, 0.1, 0.2)},
    acquisition=0.3,
    alternatives=(Alternative({"temperature": 1.0}, None),),
    fit={"lengthscale": 0.4},
)
OBSERVATION = Observation(
    "e-1", {"temperature": 1.5}, {"yield": Measured(1.0, 0.0)}, Quality(Verdict.SUSPECT, ("x",))
)
MESSAGES: list[Message] = [
    Done(),
    Failed(error="WriteRefused", reason="furnace: asked for 900 °C", refused=True),
    Write(signal="furnace.setpoint", value=float("-inf")),
    RunExperiment(suggestion=SUGGESTION, experiment_id="e-1", attempt=1, head="ab"),
    PlanEnded(runs=("u1", "u2"), lost=True, unfit="beam dump"),
    Begin(observations=(OBSERVATION,)),
    Ask(count=2, pending=(SUGGESTION,), known=1),
    Suggested(suggestions=(SUGGESTION,), cpu_s=0.5),
    Reduce(run="u1", upkeep={"offset": Measured(1.0, 0.1)}),
    ReducedRun(reduced=Reduced({"yield": Measured(math.inf, 1.0)})),
    MadeSafe(reached=("a",), failed={"b": "time-out"}),
    Take(event=ObservationMade(observation=OBSERVATION)),
]

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)
ARRAYS = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda dtype: hnp.arrays(np.dtype(dtype), hnp.array_shapes(min_dims=0, min_side=0, max_side=4))
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.kind)
def test_a_message_is_the_same_behind_the_wire(message: Message) -> None:
    assert unpack_message(pack_message(message)) == message


@given(PLAIN)
def test_plain_data_is_the_same_behind_the_wire(value: Any) -> None:
    assert unpack(pack(value)) == value


@given(ARRAYS)
def test_an_array_is_the_same_behind_the_wire_bit_for_bit(array: np.ndarray) -> None:
    back = unpack(pack({"image": array}))["image"]

    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12).reshape(3, 4).T,
        np.arange(6, dtype=">f8")[::2],
        np.zeros((0, 3)),
        np.array([np.nan, np.inf, -0.0]),
        np.array(3.0 + 1j),
    ],
)
def test_an_array_of_any_layout_arrives_with_its_values(array: np.ndarray) -> None:
    np.testing.assert_array_equal(unpack(pack(array)), array)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_floats_that_are_no_numbers_pass_as_they_are(value: float) -> None:
    message = unpack_message(pack_message(Write(signal="a.b", value=value)))

    assert isinstance(message, Write)
    np.testing.assert_equal(message.value, value)


def test_numpy_scalars_and_text_arrive_as_plain_values() -> None:
    value = [np.float32(0.5), np.int8(3), np.bool_(True), np.array(["a", "b"])]

    assert unpack(pack(value)) == [0.5, 3, True, ["a", "b"]]


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, 2**70, np.array([object()]), np.array(["2026"], "M8[s]"), "\ud800", 1j],
    ids=["object", "set", "too large", "objects", "dates", "half a character", "complex"],
)
def test_what_does_not_travel_is_refused_where_it_is_sent(value: Any) -> None:
    with pytest.raises(MessageUnsendable):
        pack_message(Write(signal="a", value=value))


def test_a_loop_of_lists_is_refused_where_it_is_sent() -> None:
    loop: list[Any] = []
    loop.append(loop)

    with pytest.raises(MessageUnsendable):
        pack(loop)


def test_a_message_above_the_limit_is_refused_where_it_is_sent() -> None:
    with pytest.raises(MessageUnsendable, match="allowed"):
        pack_message(Write(signal="a", value=bytes(MAX_MESSAGE_BYTES)))


def test_bytes_above_the_limit_are_refused_unread() -> None:
    with pytest.raises(MessageRefused, match="allowed"):
        unpack(bytes(MAX_MESSAGE_BYTES + 1))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        pickle.dumps({"kind": "done"}),
        pickle.dumps(MESSAGES[3], protocol=5),
        b"\x91" * 100_000 + b"\xc0",  # a hundred thousand lists in each other
        b"\xdd\xff\xff\xff\xff" * 1000,  # lists that announce four thousand million elements
        b"\xdd\x00\x0f\xff\xff" + b"\x80" * 0xFFFFF * 4,
        b"\xdf\x7f\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",  # four gigabytes announced
        b"\xc0\xc0",  # goes on behind its end
        msgpack.packb({1: 2}),
        msgpack.packb({"kind": "none of ours"}),
        msgpack.packb({"kind": "done", "more": 1}),
        msgpack.packb({"kind": "write", "signal": 3, "value": 1}),
        msgpack.packb(msgpack.Timestamp(1)),
        msgpack.packb(msgpack.ExtType(2, b"x")),
        b"\xa2\xff\xfe",  # no UTF-8
        b'{"kind":"done"}',
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(MessageRefused):
        unpack_message(data)


@pytest.mark.parametrize(
    "content",
    [
        ["|O", [1], bytes(8)],
        ["<U1", [1], bytes(4)],
        ["<M8[s]", [1], bytes(8)],
        ["f8,f8", [1], bytes(16)],
        [">f8", [1], bytes(8)],
        ["<f8", [2], bytes(8)],
        ["<f8", [-1], bytes(8)],
        ["<f8", [2**62, 4], b""],
        ["<f8", [0, 2**64 - 1], b""],
        ["<f8", [0, 2**62], b""],
        ["<f8", [True], bytes(8)],
        ["<f8", [1.0], bytes(8)],
        ["<f8", 1, bytes(8)],
        ["<f8", [1] * 40, bytes(8)],
        ["|b1", [1], b"\2"],
        ["<f8", [1], "12345678"],
        ["<f8", [1], bytes(8), 1],
        {"dtype": "<f8"},
        "<f8",
    ],
    ids=repr,
)
def test_an_array_that_is_none_is_refused(content: Any) -> None:
    data = msgpack.packb(msgpack.ExtType(1, msgpack.packb(content)))

    with pytest.raises(MessageRefused):
        unpack(data)


def test_an_array_within_an_array_is_refused() -> None:
    inner = msgpack.packb(msgpack.ExtType(1, msgpack.packb(["<f8", [1], bytes(8)])))
    data = msgpack.packb(msgpack.ExtType(1, b"\x93" + inner * 3))

    with pytest.raises(MessageRefused):
        unpack(data)


def test_thousands_of_changed_frames_are_refused_or_are_messages_all_the_same() -> None:
    chance = random.Random(3)
    frames = [
        Envelope(step="request", id="a/1", body=pack_message(message)).pack()
        for message in [*MESSAGES, Write(signal="a", value=np.arange(9.0).reshape(3, 3))]
    ]

    refused = sum(not _taken(_changed(chance.choice(frames), chance)) for _ in range(20_000))

    assert refused > 10_000  # the rest has other letters in a text, or another number


@given(st.binary(max_size=300))
@settings(max_examples=500)
def test_random_bytes_do_no_harm(data: bytes) -> None:
    _taken(data)


def _changed(frame: bytes, chance: random.Random) -> bytes:
    data = bytearray(frame)
    for _ in range(chance.choice([1, 1, 1, 2, 5, 20])):
        place = chance.randrange(len(data) or 1)
        match chance.randrange(5):
            case 0:
                data[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[place:]
            case 2:
                del data[place : place + chance.randrange(1, 9)]
            case 3:
                data[place:place] = chance.randbytes(chance.randrange(1, 9))
            case 4:
                data[place : place + 1] = bytes(
                    [data[place] ^ 1 << chance.randrange(8)] if data else b""
                )
    return bytes(data)


def _taken(data: bytes) -> bool:
    try:
        envelope = Envelope.unpack(data)
        message = unpack_message(envelope.body)
    except MessageRefused:
        return False
    assert Envelope.unpack(envelope.pack()) == envelope
    assert pack_message(unpack_message(pack_message(message))) == pack_message(message)
    return True


@pytest.mark.parametrize(
    "fields",
    [
        {"step": "request", "id": "a"},
        {"step": "request", "id": "", "body": b"x"},
        {"step": "request", "id": "a" * 201, "body": b"x"},
        {"step": "inquiry", "id": "a", "body": b"x"},
        {"step": "shout", "id": "a"},
        {"step": "inquiry", "id": "a", "version": 2},
        {"step": "inquiry", "id": "a", "more": 1},
        {"step": "inquiry", "id": 1},
        {"id": "a"},
        ["inquiry", "a"],
    ],
    ids=repr,
)
def test_an_envelope_that_is_none_is_refused(fields: Any) -> None:
    with pytest.raises(MessageRefused):
        Envelope.unpack(msgpack.packb(fields))


def test_a_document_is_a_map() -> None:
    assert unpack_document(pack({"uid": "x", "data": {"a": 1.5}})) == {
        "uid": "x",
        "data": {"a": 1.5},
    }
    with pytest.raises(MessageRefused):
        unpack_document(pack([1]))
