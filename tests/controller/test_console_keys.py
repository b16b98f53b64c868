"""Keys of the console: made once, kept as hashes, good until they expire or are revoked."""

import json
import stat

import pytest

from controller.cli import main
from controller.console.keys import FILE, KeyRing
from controller.errors import ConfigurationError
from controller.safety.people.people import Role

DAY_S = 86400.0


@pytest.fixture
def ring(tmp_path):
    return KeyRing(tmp_path / FILE, now=lambda: 1000.0)


def heliostat(capsys, *words):
    code = main(list(map(str, words)))
    out, err = capsys.readouterr()
    return code, out, err


def test_a_key_says_who_comes_and_as_what(ring):
    token, key = ring.create("Anna Berger", (Role.OPERATOR,), DAY_S)

    who = ring.who(token)

    assert (who.name, who.roles) == ("Anna Berger", {Role.OPERATOR})
    assert who.via == f"console key {key.id}"


def test_what_is_kept_opens_nothing_and_is_its_owners_alone(ring, tmp_path):
    token, key = ring.create("Anna", (Role.OPERATOR,), DAY_S)

    kept = (tmp_path / FILE).read_text()

    assert token not in kept and token.rpartition("_")[2] not in kept
    assert ring.who(key.sha256) is None
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_a_key_expires(tmp_path):
    time = [1000.0]
    ring = KeyRing(tmp_path / FILE, now=lambda: time[0])
    token, _ = ring.create("Anna", (Role.VIEWER,), 60.0)

    time[0] = 1059.9
    before = ring.who(token)
    time[0] = 1060.0

    assert before is not None
    assert ring.who(token) is None


def test_a_key_revoked_elsewhere_is_good_for_nothing_at_once(ring, tmp_path):
    token, key = ring.create("Anna", (Role.VIEWER,), DAY_S)
    assert ring.who(token) is not None

    KeyRing(tmp_path / FILE).revoke(key.id)

    assert ring.who(token) is None


def test_the_right_id_with_another_secret_is_nobody(ring):
    token, _ = ring.create("Anna", (Role.VIEWER,), DAY_S)
    other, _ = ring.create("Bo", (Role.ADMIN,), DAY_S)

    forged = "_".join((*token.split("_", 2)[:2], other.split("_", 2)[2]))

    assert ring.who(forged) is None
    assert ring.who("") is None
    assert ring.who("x" * 10_000_000) is None


def test_the_key_of_one_start_is_in_no_file(ring, tmp_path):
    token = ring.for_this_start("anna")

    assert ring.who(token).roles == set(Role)
    assert not (tmp_path / FILE).exists()


def test_nobody_is_known_by_a_file_that_others_can_read(ring, tmp_path):
    token, _ = ring.create("Anna", (Role.VIEWER,), DAY_S)
    (tmp_path / FILE).chmod(0o644)

    assert ring.who(token) is None
    with pytest.raises(ConfigurationError, match="chmod 600"):
        ring.all()


def test_keys_are_made_shown_and_revoked_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    code, token, told = heliostat(
        capsys, "keys", "create", "--role", "operator", "--expires", "30d", "--name", "Anna"
    )
    assert code == 0
    assert "for Anna (operator)" in told
    assert KeyRing().who(token.strip()).name == "Anna"
    _, shown, _ = heliostat(capsys, "keys", "list", "--json")
    known = json.loads(shown)["id"]
    assert "sha256" not in shown
    code, _, _ = heliostat(capsys, "keys", "revoke", known)
    assert code == 0
    assert KeyRing().who(token.strip()) is None
    assert f"{known}  revoked" in heliostat(capsys, "keys", "list")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "--role", "boss"), "accepted: viewer, operator"),
        (("create", "--role", "viewer", "--expires", "9000d"), "up to 366 days"),
        (("create", "--role", "viewer", "--name", "a\x1bb"), "can't be shown"),
        (("revoke", "12345678"), "no key '12345678'; known: none"),
    ],
)
def test_what_cannot_be_is_said_clearly(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    code, _, err = heliostat(capsys, "keys", *words)

    assert code == 2
    assert said in err
