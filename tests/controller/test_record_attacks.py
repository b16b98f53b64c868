"""Attacks on the gate's record on disk: what was cut, changed, exchanged or written anew is found.

And on the key that it is signed with.
"""

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict

import pytest

from agents.digest import canonical
from controller.chain import GENESIS, Chain, link_hash
from controller.errors import ConfigurationError, JournalBroken
from controller.safety.record.signed_chain import (
    MOST_RECORDS,
    SignedChain,
    checkpoints_of,
    require_checkpoint,
    require_signed,
)
from controller.safety.record.signing import Checkpoint, Signer, public_key, verifies

TABLE = "writes"
KEY, OTHER = Signer(b"k" * 32), Signer(b"o" * 32)
ARM = canonical({"kind": "step", "input": "arm", "by": "anna"})


def intent(number):
    return canonical({"kind": "intent", "signal": "heater", "value": number})


@pytest.fixture
def record(tmp_path):
    """A record of an arming, a trip and some writes: 1 arm, 2 its checkpoint, 3 to 6, 7 trip, 8."""
    path = tmp_path / "record.sqlite"
    with closing(SignedChain.open(path, TABLE)) as chain:
        chain.sign_with(KEY)
        chain.append(1.0, ARM)
        for number in range(4):
            chain.append(2.0, intent(number))
        chain.append(3.0, canonical({"kind": "step", "input": "trip"}))
        chain.append(4.0, intent(9))
    return path


def verified(path, trusted=""):
    with closing(Chain.read(path, TABLE)) as chain:
        return require_signed(chain, trusted)


def tampered(path, statement, *values):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def rewritten(path, change):
    """Write the chain anew, whole and consistent, with *change* of its payloads: no key needed."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            f"SELECT sequence, stamp, payload FROM {TABLE} ORDER BY sequence"
        ).fetchall()
        payloads = change([(stamp, bytes(payload)) for _, stamp, payload in rows])
        previous = GENESIS
        with connection:
            connection.execute(f"DELETE FROM {TABLE}")
            for i, (stamp, payload) in enumerate(payloads, start=1):
                digest = link_hash(i, stamp, payload, previous)
                connection.execute(
                    f"INSERT INTO {TABLE} VALUES (?,?,?,?,?,0,'',0)",
                    (i, stamp, payload, previous, digest),
                )
                previous = digest


def test_a_checkpoint_has_the_time_of_the_record_before_it(tmp_path):
    with closing(SignedChain.open(tmp_path / "g.sqlite", TABLE)) as chain:
        chain.sign_with(KEY)
        chain.append(5.0, intent(1))
        chain.sign_now()
        assert [link.stamp for link in chain.links()] == [5.0, 5.0]
    with closing(SignedChain.open(tmp_path / "g.sqlite", TABLE)) as chain:
        chain.sign_with(KEY)
        assert [link.stamp for link in chain.links()] == [5.0, 5.0, 5.0]


def test_what_weighs_is_signed_at_once_and_the_rest_after_a_while(record):
    found = verified(record, KEY.public)

    assert (found.count, found.length, found.public) == (2, 8, KEY.public)


def test_a_record_that_was_changed_in_the_middle_is_named(record):
    tampered(record, f"UPDATE {TABLE} SET payload = ? WHERE sequence = 4", intent(99))

    with pytest.raises(JournalBroken, match="record 4: has been changed"):
        verified(record)


def test_a_record_that_was_taken_out_is_named(record):
    tampered(record, f"DELETE FROM {TABLE} WHERE sequence = 5")

    with pytest.raises(JournalBroken, match="record 6: follows record 4"):
        verified(record)


def test_records_that_were_exchanged_are_named(record):
    for number, place in ((4, 104), (5, 4), (104, 5)):
        tampered(record, f"UPDATE {TABLE} SET sequence = ? WHERE sequence = ?", place, number)

    with pytest.raises(JournalBroken, match="record 4: doesn't continue"):
        verified(record)


def test_a_chain_that_was_written_anew_without_the_key_is_found(record):
    def forged(payloads):
        return [(s, p.replace(b'"value":0', b'"value":7')) for s, p in payloads]

    rewritten(record, forged)

    with pytest.raises(JournalBroken, match="record 8: its checkpoint was signed for another"):
        verified(record)


def test_a_chain_that_was_written_anew_without_its_checkpoints_lacks_them(record):
    def stripped(payloads):
        kept = [p for p in payloads if b'"checkpoint"' not in p[1]]
        return [*kept[:1], payloads[1], *kept[1:]]

    rewritten(record, stripped)

    with pytest.raises(JournalBroken, match=r"record 8: there must be a signed checkpoint .*trip"):
        verified(record)


def test_a_chain_that_was_signed_anew_with_another_key_is_not_that_of_the_known_one(record):
    with closing(SignedChain.open(record.with_name("new.sqlite"), TABLE)) as chain:
        chain.sign_with(OTHER)
        chain.append(1.0, ARM)

    with pytest.raises(JournalBroken, match=f"is signed by {OTHER.public}, not by {KEY.public}"):
        verified(record.with_name("new.sqlite"), KEY.public)


def test_two_keys_in_one_record_are_one_too_many(record):
    with closing(SignedChain.open(record, TABLE)) as chain:
        chain.sign_with(OTHER)

    with pytest.raises(JournalBroken, match="is signed by"):
        verified(record)


def test_a_checkpoint_with_a_made_up_signature_is_named(record):
    made_up = {**asdict(Checkpoint.of(KEY, 9, "a" * 64)), "signature": "00" * 64}
    with closing(Chain.open(record, TABLE)) as chain:
        chain.append(5.0, canonical({"kind": "checkpoint", **made_up}))

    with pytest.raises(JournalBroken, match="record 10: its checkpoint isn't signed by the key"):
        verified(record)


def test_a_record_that_is_not_signed_at_all_is_no_record_of_the_known_key(record, tmp_path):
    path = tmp_path / "plain.sqlite"
    with closing(Chain.open(path, TABLE)) as chain:
        chain.append(1.0, ARM)

    assert verified(path).count == 0
    with pytest.raises(JournalBroken, match="nothing is signed"):
        verified(path, KEY.public)


def test_a_tail_that_was_cut_is_found_by_a_checkpoint_that_was_kept_elsewhere(record):
    last = list(checkpoints_of(record, TABLE))[-1]
    tampered(record, f"DELETE FROM {TABLE} WHERE sequence > 6")

    assert verified(record).count == 1
    with (
        closing(Chain.read(record, TABLE)) as chain,
        pytest.raises(JournalBroken, match=r"has 6 records, and had 7 .*: its end was cut off"),
    ):
        require_checkpoint(chain, last)


def test_a_past_written_anew_by_who_has_the_key_is_found_by_a_kept_checkpoint(record):
    last = list(checkpoints_of(record, TABLE))[-1]
    path = record.with_name("anew.sqlite")
    with closing(SignedChain.open(path, TABLE)) as chain:
        chain.sign_with(KEY)
        for number in range(10):
            chain.append(1.0, intent(number))

        with pytest.raises(JournalBroken, match="record 7: is another one than when"):
            require_checkpoint(chain, last)


def test_a_kept_checkpoint_that_is_none_says_nothing(record):
    made_up = Checkpoint(1, "a" * 64, KEY.public, "00" * 64)

    with (
        closing(Chain.read(record, TABLE)) as chain,
        pytest.raises(JournalBroken, match="the checkpoint itself isn't signed"),
    ):
        require_checkpoint(chain, made_up)


def test_a_gate_that_died_before_it_could_sign_is_no_forger(record):
    with closing(Chain.open(record, TABLE)) as chain:
        chain.append(5.0, ARM)  # killed here
    with closing(SignedChain.open(record, TABLE)) as chain:
        chain.sign_with(KEY)
        chain.append(6.0, canonical({"kind": "started", "marker": True}))

    assert verified(record, KEY.public).count == 3


def test_a_record_grows_by_a_thousand_without_being_signed_and_no_more(tmp_path):
    path = tmp_path / "record.sqlite"
    with closing(SignedChain.open(path, TABLE)) as chain:
        chain.sign_with(KEY)
        for number in range(MOST_RECORDS + 10):
            chain.append(1.0, intent(number))

    assert [c.length for c in checkpoints_of(path, TABLE)] == [MOST_RECORDS]
    assert verified(path).length == MOST_RECORDS + 1


# --- the key ------------------------------------------------------------------------------------


def test_the_key_is_made_once_for_its_owner_alone(tmp_path):
    first, second = Signer.of_user(tmp_path / "c"), Signer.of_user(tmp_path / "c")

    (file,) = (tmp_path / "c").iterdir()
    assert first.public == second.public
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_can_read_signs_nothing(tmp_path):
    Signer.of_user(tmp_path)
    (tmp_path / "gate.ed25519").chmod(0o640)

    with pytest.raises(ConfigurationError, match="others can read the key"):
        Signer.of_user(tmp_path)


@pytest.mark.parametrize("text", ["", "zz" * 32, "00" * 31, "__import__('os')"])
def test_a_file_without_a_key_signs_nothing(tmp_path, text):
    (tmp_path / "gate.ed25519").write_text(text)
    (tmp_path / "gate.ed25519").chmod(0o600)

    with pytest.raises(ConfigurationError, match="holds no key"):
        Signer.of_user(tmp_path)


def test_a_signature_is_good_for_what_was_signed_alone():
    signature = KEY.sign(b"this")

    assert verifies(KEY.public, signature, b"this")
    assert not verifies(KEY.public, signature, b"that")
    assert not verifies(OTHER.public, signature, b"this")
    assert not verifies("not hex", signature, b"this")
    assert not verifies(KEY.public, signature[:-2], b"this")


def test_a_public_key_is_given_by_itself_or_by_its_file(tmp_path):
    (tmp_path / "key").write_text(KEY.public + "\n")

    assert public_key(KEY.public) == public_key(str(tmp_path / "key")) == KEY.public
    with pytest.raises(ConfigurationError, match="neither a public key"):
        public_key("../../nothing")


def test_checkpoints_travel_as_lines_of_json(record):
    lines = [json.dumps(asdict(c)) for c in checkpoints_of(record, TABLE)]

    assert all(Checkpoint(**json.loads(line)).genuine for line in lines)
