"""Each way to reach people, against real servers on loopback and a real program."""

import json
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from controller.errors import ConfigurationError
from controller.files.notifying import NotifiedRole, Notify, Severity, Topic
from controller.notify.channels import deliver_by, require_channels
from controller.notify.errors import Undelivered
from controller.notify.message import Sender, message_of
from controller.notify.notices import Notice
from controller.safety.people.people import Role
from tests.support.sinks import certificate, http_sink, smtp_sink

TRIP = Notice(
    id="trip 7",
    topic=Topic.TRIP,
    severity=Severity.ALARM,
    subject="TRIPPED: exhaust <fan>\nBcc: x@y",
    text="flow & pressure",
    wants="look",
    at=1.8e9,
)
MESSAGE = message_of([TRIP], "c", Sender("copper", "/runs/copper"), {}, {})
MAIL = {"type": "email", "host": "127.0.0.1", "sender": "a@b.org", "to": ["c@d.org"]}


def channel(**given):
    return Notify.model_validate({"channels": {"c": given}}).channels["c"]


def test_a_mail_arrives_with_subject_text_and_an_id_that_stays_the_same():
    with smtp_sink() as sink:
        deliver = deliver_by(channel(**MAIL, port=sink.port, security="none"), {})
        deliver(MESSAGE)
        deliver(MESSAGE)

    first, again = sink.mails
    assert first["Subject"] == "[copper] ALARM: TRIPPED: exhaust <fan>\\x0aBcc: x@y"
    assert (first["From"], first["To"]) == ("a@b.org", "c@d.org")
    assert first["Bcc"] is None
    assert "to do: look" in first.get_content()
    assert first["Message-ID"] == again["Message-ID"]
    assert first["Auto-Submitted"] == "auto-generated"


def test_a_password_goes_over_an_encrypted_line_to_a_server_that_is_trusted(tmp_path):
    tls, trusted = certificate(tmp_path)
    login = {"user_from": "USER_NAME", "password_from": "SECRET"}
    secrets = {"USER_NAME": "anna", "SECRET": "s3"}
    with smtp_sink(tls, login=True) as sink:
        deliver = deliver_by(channel(**MAIL, **login, port=sink.port, ca=str(trusted)), secrets)
        deliver(MESSAGE)

    assert sink.logins == [("anna\0s3", True)]
    assert len(sink.mails) == 1


def test_nothing_is_sent_to_a_mail_server_that_offers_no_encryption():
    with smtp_sink() as sink, pytest.raises(Undelivered, match="STARTTLS"):
        deliver_by(channel(**MAIL, port=sink.port), {})(MESSAGE)

    assert sink.mails == []


def test_nothing_is_sent_to_a_mail_server_whose_certificate_nobody_trusts(tmp_path):
    tls, _ = certificate(tmp_path)
    with smtp_sink(tls) as sink, pytest.raises(Undelivered, match="certificate"):
        deliver_by(channel(**MAIL, port=sink.port), {})(MESSAGE)

    assert sink.mails == []


def test_a_mail_that_one_of_two_addresses_takes_counts_and_the_other_is_named():
    mail = {**MAIL, "to": ["c@d.org", "nobody@d.org"]}
    with smtp_sink() as sink:
        remark = deliver_by(channel(**mail, port=sink.port, security="none"), {})(MESSAGE)

    assert "nobody@d.org" in remark
    assert len(sink.mails) == 1


def test_a_refusal_of_the_mail_server_is_told_in_its_words():
    with smtp_sink() as sink, pytest.raises(Undelivered, match="451 greylisted"):
        sink.refuse.append("451 greylisted")
        deliver_by(channel(**MAIL, port=sink.port, security="none"), {})(MESSAGE)


def test_a_server_that_is_away_is_told_as_such():
    with http_sink() as sink:
        away = sink.port

    with pytest.raises(Undelivered, match=r"127\.0\.0\.1"):
        deliver_by(channel(**MAIL, port=away, security="none"), {})(MESSAGE)
    with pytest.raises(Undelivered, match=r"127\.0\.0\.1"):
        deliver_by(channel(type="webhook", url=f"http://127.0.0.1:{away}"), {})(MESSAGE)


def test_a_webhook_gets_all_of_the_notice_and_its_token():
    with http_sink() as sink:
        given = {"type": "webhook", "url": f"{sink.url}/hook", "token_from": "TOKEN"}
        deliver_by(channel(**given), {"TOKEN": "t0"})(MESSAGE)

    (path, headers, body) = sink.posts[0]
    assert path == "/hook"
    assert headers["authorization"] == "bearer t0"
    assert headers["idempotency-key"] == MESSAGE.id
    assert (body["severity"], body["campaign"]) == ("alarm", "copper")
    assert body["notices"][0]["id"] == "trip 7"


def test_slack_is_sent_text_in_which_nothing_is_taken_for_a_link():
    with http_sink() as sink:
        deliver_by(channel(type="webhook", preset="slack", url=sink.url), {})(MESSAGE)

    (text,) = sink.posts[0][2].values()
    assert "exhaust &lt;fan&gt;" in text
    assert "flow &amp; pressure" in text


def test_mattermost_is_sent_its_own_form():
    with http_sink() as sink:
        deliver_by(channel(type="webhook", preset="mattermost", url=sink.url), {})(MESSAGE)

    assert sink.posts[0][2]["text"].startswith("#### [copper] ALARM")


def test_ntfy_is_sent_topic_and_priority():
    with http_sink() as sink:
        given = {"type": "webhook", "preset": "ntfy", "url_from": "NTFY"}
        deliver_by(channel(**given), {"NTFY": f"{sink.url}/beamline"})(MESSAGE)

    path, _, body = sink.posts[0]
    assert (path, body["topic"], body["priority"]) == ("/", "beamline", 5)


def test_a_service_that_wants_to_be_left_alone_says_for_how_long():
    with http_sink() as sink, pytest.raises(Undelivered, match="429") as caught:
        sink.refuse.append("429 90")
        deliver_by(channel(type="webhook", url=sink.url), {})(MESSAGE)

    assert caught.value.wait_s == 90.0


def test_an_address_that_is_a_secret_stands_in_no_error():
    secret = "http://127.0.0.1:1/T0P/SECRET"
    with pytest.raises(Undelivered) as caught:
        deliver_by(channel(type="webhook", url_from="HOOK"), {"HOOK": secret})(MESSAGE)

    assert "T0P" not in str(caught.value)


def test_a_program_gets_the_notice_and_no_shell_is_between(tmp_path):
    out = tmp_path / "out.json"
    code = (
        "import json, os, sys; said = json.load(sys.stdin);"
        "said['env'] = os.environ['HELIOSTAT_SEVERITY'];"
        "json.dump(said | {'argument': sys.argv[2]}, open(sys.argv[1], 'w'))"
    )
    command = [sys.executable, "-c", code, str(out), "$(touch pwned)"]
    deliver_by(channel(type="command", command=command), {})(MESSAGE)

    said = json.loads(out.read_text())
    assert (said["severity"], said["env"]) == ("alarm", "alarm")
    assert said["argument"] == "$(touch pwned)"


def test_a_program_that_fails_or_never_ends_has_not_told_anybody():
    failing = [sys.executable, "-c", "import sys; sys.exit('no modem')"]
    hanging = [sys.executable, "-c", "import time; time.sleep(1e6)"]

    with pytest.raises(Undelivered, match="exit code 1 no modem"):
        deliver_by(channel(type="command", command=failing), {})(MESSAGE)
    with pytest.raises(Undelivered, match="hadn't ended"):
        deliver_by(channel(type="command", command=hanging, timeout="0.2 s"), {})(MESSAGE)


def test_a_campaign_is_not_begun_without_the_secrets_of_its_channels():
    notify = Notify.model_validate({"channels": {"c": {"type": "webhook", "url_from": "HOOK"}}})

    with pytest.raises(ConfigurationError, match="channel c: the variable HOOK"):
        require_channels(notify, {})
    require_channels(notify, {"HOOK": "x"})
    require_channels(None, {})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({**MAIL, "user_from": "U"}, "both `user_from` and `password_from`"),
        (
            {**MAIL, "host": "m.org", "security": "none", "user_from": "U", "password_from": "P"},
            "in the clear",
        ),
        ({**MAIL, "to": []}, "at least 1"),
        ({**MAIL, "to": ["x\ny@z"]}, "plain address"),
        ({**MAIL, "password_from": "not a name", "user_from": "U"}, "variable of the environment"),
        ({"type": "webhook"}, "either `url` or `url_from`"),
        ({"type": "webhook", "url": "ftp://x"}, "write an address"),
        ({"type": "webhook", "url": "https://x:99999/"}, "write an address"),
        ({"type": "webhook", "url": "https://ntfy.sh/", "preset": "ntfy"}, "topic"),
        ({"type": "webhook", "url": "http://x.org/a", "token_from": "T"}, "in the clear"),
        ({"type": "command", "command": []}, "at least 1"),
        ({"type": "pigeon"}, "pigeon"),
        ({**MAIL, "lasting": "soon"}, "no duration"),
    ],
)
def test_a_channel_that_could_not_work_is_refused(given, said):
    with pytest.raises(ValidationError, match=said):
        channel(**given)


def test_roles_of_channels_are_those_of_people():
    assert set(NotifiedRole.__args__) == {role.value for role in Role}


def test_programs_and_certificates_are_seen_from_the_campaign_file(tmp_path: Path):
    from controller.resolving import _with_absolute_files

    mail = {**MAIL, "ca": "ca.pem"}
    given = {"horn": {"type": "command", "command": ["./horn", "./x"]}, "mail": mail}
    notify = _with_absolute_files(Notify.model_validate({"channels": given}), tmp_path)

    assert notify.channels["horn"].command == (str(tmp_path / "horn"), "./x")
    assert notify.channels["mail"].ca == str(tmp_path / "ca.pem")
