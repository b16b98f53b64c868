"""`heliostat console`: where it listens, and what it takes to be reached from elsewhere."""

import os
import signal
import subprocess
import sys

import httpx
import pytest

from controller.cli import main
from controller.console.serving import Listening
from controller.errors import ConfigurationError
from tests.controller.test_loop import run
from tests.support.campaigns import ROOT, barrel_campaign
from tests.support.consoles import free_port


@pytest.fixture(scope="module")
def barrels(tmp_path_factory):
    directory = tmp_path_factory.mktemp("console") / "c"
    run(barrel_campaign(budget={"experiments": 2}), directory)
    return directory


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--address", "0.0.0.0"), "keys would cross the network"),
        (("--address", "10.0.0.1"), "give --certificate and --key"),
        (("--certificate", "no.pem"), "both --certificate and --key"),
        (("--certificate", "no.pem", "--key", "no.pem"), "no such file"),
        (("--proxy", "http://lab.example.org"), "accepted: https://host"),
        (("--proxy", "https://lab.example.org/path"), "accepted: https://host"),
    ],
)
def test_what_is_not_safe_is_refused(words, said, barrels, capsys):
    code = main(["console", "--attach", str(barrels), *words])

    assert code == 2
    assert said in capsys.readouterr().err


def test_a_directory_without_a_campaign_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    code = main(["console", "--attach", str(tmp_path)])

    assert code == 2
    assert "holds no journal.sqlite" in capsys.readouterr().err


def test_everywhere_needs_a_name_that_browsers_use(tmp_path):
    pem = tmp_path / "a.pem"
    pem.write_text("")

    with pytest.raises(ConfigurationError, match="--name"):
        Listening("0.0.0.0", 443, (), pem, pem)
    named = Listening("0.0.0.0", 443, ("lab.example.org",), pem, pem)

    assert named.place.origins == {
        "https://lab.example.org",
        "https://lab.example.org:443",
    }


def test_the_command_serves_with_the_key_that_it_prints_and_without_torch(barrels, tmp_path):
    port = free_port()
    look = "import sys; from controller.cli import main; code = main(sys.argv[1:]); "
    look += "print('torch' in sys.modules, code)"
    words = [sys.executable, "-c", look, "console", "--attach", str(barrels), "--port", str(port)]
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        told = process.stderr.readline()
        key = process.stdout.readline().strip()
        headers = {"Authorization": f"Bearer {key}"}
        transport = httpx.HTTPTransport(retries=10)
        with httpx.Client(transport=transport, timeout=60, headers=headers) as client:
            answer = client.get(f"http://127.0.0.1:{port}/api/v1/status")
            why = client.get(f"http://127.0.0.1:{port}/api/v1/suggestions/1/why")
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate()

    assert f"http://127.0.0.1:{port}" in told
    assert answer.json()["word"] == "ENDED"
    assert why.status_code == 200
    assert rest.strip() == "False 0"


def test_a_port_that_is_taken_is_said_so(barrels, tmp_path, monkeypatch, capsys):
    import socket

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        code = main(["console", "--attach", str(barrels), "--port", str(port)])

    assert code == 2
    assert f"--port {port}" in capsys.readouterr().err
