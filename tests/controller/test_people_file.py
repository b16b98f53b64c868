"""The people file: read as it is meant, refused where it would let in whom nobody meant."""

import os
import pwd

import pytest

from controller.bus.keys import make_keys
from controller.errors import ConfigurationError
from controller.safety.cleaning import cleaned
from controller.safety.desk.places import desk_socket, desk_sockets, remove_shared
from controller.safety.people.file import People, Roster, load_people
from controller.safety.people.people import Role, Scope

Z85 = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
ME = pwd.getpwuid(os.geteuid()).pw_name


def written(folder, text, mode=0o600):
    path = folder / "people.yaml"
    path.write_text(text)
    path.chmod(mode)
    return path


def problems(folder, text):
    with pytest.raises(ConfigurationError) as error:
        load_people(written(folder, text))
    return str(error.value)


def test_people_are_known_by_user_and_by_key_as_one_person(tmp_path):
    public, _ = make_keys(tmp_path / "keys", "anna")
    path = written(
        tmp_path,
        f"people:\n  - {{name: Anna, roles: [operator, scientist], user: {ME}, "
        f"key: keys/{public.name}}}\n  - {{name: Bo, roles: [viewer], key: '{Z85}'}}\n",
    )

    known = Roster(path).now

    assert load_people(path).listen is None
    by_user = known.by_user(os.geteuid())
    assert by_user is not None and by_user.name == "Anna"
    assert by_user.roles == {Role.OPERATOR, Role.SCIENTIST}
    assert {p.name for p in known.keys.values()} == {"Anna", "Bo"}
    assert known.who_may(Scope.ACKNOWLEDGE) == {"Anna"}
    assert known.by_key(Z85).via.startswith("key rq:rM>}U")


def test_without_a_file_there_is_one_person_with_all_roles_and_no_key():
    known = People.without_file(1234)

    assert known.alone
    assert known.keys == {}
    assert {p.name for p in known.users.values()} == {"user 1234"}
    assert set(known.users) == {0, 1234}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("people: []", "people"),
        ("people:\n  - {name: A, roles: [viewer]}", "nobody could know who it is"),
        ("people:\n  - {name: A, roles: [], user: root}", "roles"),
        ("people:\n  - {name: A, roles: [boss], user: root}", "'viewer'"),
        ("people:\n  - {name: A, roles: [viewer], user: nobody-of-this-name}", "no such user"),
        ("people:\n  - {name: A, roles: [viewer], key: short}", "is no public key"),
        ("people:\n  - {name: A, roles: [viewer], key: ../../../etc/passwd}", "is no public key"),
        ("people:\n  - {name: A, roles: [viewer], key: /etc/shadow}", "is no public key"),
        ('people:\n  - {name: "A\\nB", roles: [viewer], user: root}', "can't be shown"),
        ('people:\n  - {name: "A\\e[2J", roles: [viewer], user: root}', "can't be shown"),
        ('people:\n  - {name: "A\\u202e", roles: [viewer], user: root}', "can't be shown"),
        ("people: !!python/object/apply:os.system ['true']", "the tag"),
        ("people: &a [*a]", "repeated without end"),
        ("people:\n  - {name: A, roles: [viewer], user: root, sudo: true}", "sudo"),
        (
            "people:\n  - {name: A, roles: [viewer], user: root}\n"
            f"  - {{name: A, roles: [viewer], key: '{Z85}'}}",
            "the name 'A' is there more than once",
        ),
        (
            "people:\n  - {name: A, roles: [viewer], user: root}\n"
            "  - {name: B, roles: [viewer], user: root}",
            "the user 'root' is there more than once",
        ),
        (
            f"people:\n  - {{name: A, roles: [viewer], key: '{Z85}'}}\n"
            f"  - {{name: B, roles: [viewer], key: '{Z85}'}}",
            "more than once",
        ),
        (
            "people:\n  - {name: A, roles: [viewer], user: root}\n"
            "listen: {address: 'ipc:///tmp/x', secret: k}",
            "listen.address",
        ),
        ("people:\n  - {name: A, roles: [viewer], user: root}\nlisten: {}", "is missing"),
    ],
    ids=lambda text: None if "\n" in text or ":" in text else text[:24],
)
def test_what_is_wrong_is_named(tmp_path, text, said):
    assert said in problems(tmp_path, text)


def test_a_key_under_two_names_of_files_is_one_key_too_many(tmp_path):
    public, _ = make_keys(tmp_path, "anna")
    (tmp_path / "copy.key").write_bytes(public.read_bytes())
    text = "people:\n" + "".join(
        f"  - {{name: {name}, roles: [safety officer], key: {file}}}\n"
        for name, file in (("A", "anna.key"), ("B", "copy.key"))
    )

    assert "is the key of A too" in problems(tmp_path, text)
    known = Roster(tmp_path / "people.yaml").now
    assert len(known.who_may(Scope.BYPASS)) < 2


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_change_makes_nobody_known(tmp_path, mode):
    path = written(tmp_path, f"people:\n  - {{name: A, roles: [viewer], user: {ME}}}", mode)

    roster = Roster(path)

    assert roster.now == People()
    assert "others can change who may do what" in roster.problem


def test_a_person_whose_key_is_gone_is_gone_and_the_others_stay(tmp_path):
    public, _ = make_keys(tmp_path, "anna")
    path = written(
        tmp_path,
        "people:\n  - {name: Anna, roles: [viewer], key: anna.key}\n"
        f"  - {{name: Me, roles: [viewer], user: {ME}}}\n",
    )
    roster = Roster(path)
    assert {p.name for p in roster.now.keys.values()} == {"Anna"}

    public.unlink()

    assert roster.now.keys == {}
    assert {p.name for p in roster.now.users.values()} == {"Me"}


def test_a_file_that_is_gone_makes_nobody_known_until_it_is_back(tmp_path):
    text = f"people:\n  - {{name: Me, roles: [viewer], user: {ME}}}\n"
    path = written(tmp_path, text)
    roster = Roster(path)
    assert roster.now.users

    path.unlink()
    assert roster.now == People()
    assert "no such file" in roster.problem
    written(tmp_path, text)

    assert roster.now.users


def test_everybody_may_knock_where_the_folder_is_ours(tmp_path):
    runtime = tmp_path / "run"
    runtime.mkdir()

    path = desk_socket(runtime, shared=True)

    assert path.parent.stat().st_mode & 0o777 == 0o711
    assert path in desk_sockets(runtime)
    remove_shared(runtime)
    assert not path.parent.exists()


def test_a_folder_that_somebody_else_has_put_in_the_way_is_not_used(tmp_path):
    from controller.bus.errors import AddressRefused

    runtime = tmp_path / "run"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run-people").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(AddressRefused, match="is not ours"):
        desk_socket(runtime, shared=True)


def test_what_is_not_seen_is_shown_as_what_it_is():
    assert cleaned("a\x00\x1b[31mb\r\n\u202ec\u2029") == "a\\x00\\x1b[31mb\\x0d\\x0a\\u202ec\\u2029"
    assert cleaned("ünïcode ≤ 5 µL") == "ünïcode ≤ 5 µL"
    assert cleaned("a" * 600, 10) == "a" * 10 + "…"
