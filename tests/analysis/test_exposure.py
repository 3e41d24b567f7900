"""What lies open on a host, and what does not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from conftest import need
from gizzi.analysis.exposure import HostFacts, check_exposure
from gizzi.readers.hardening import UnreadableSetup, process, process_command, sshd_settings, unit_user, user_command

SOUND = HostFacts(
    6, False, "polkadot", "polkadot.service", "/usr/bin/polkadot --validator --rpc-methods safe --name a", {"permitrootlogin": "no"}
)


def kinds(*hosts: HostFacts) -> set[str]:
    return {finding.kind for finding in check_exposure(hosts).findings}


def test_a_sound_host() -> None:
    report = check_exposure([SOUND])
    assert report.findings == ()
    assert report.unknown == ()


def test_what_was_not_read_is_unknown() -> None:
    report = check_exposure([HostFacts(6)])
    assert report.findings == ()
    assert report.unknown == (
        "validator 6: not read: whether unsafe RPC methods answer, the account that runs the node, its command line, sshd's settings",
    )


def test_rpc_and_account() -> None:
    assert kinds(HostFacts(6, unsafe_rpc=True)) == {"unsafe_rpc"}
    finding = check_exposure([HostFacts(6, user="root", unit="flare.service")]).findings[0]
    assert finding.kind == "runs_as_root"
    assert "systemctl edit flare.service" in finding.fix


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ("--rpc-methods unsafe", "unsafe_rpc_methods"),
        ("--rpc-methods=Unsafe", "unsafe_rpc_methods"),
        ("--unsafe-rpc-external", "rpc_external"),
        ("--rpc-external", "rpc_external"),
        ("--prometheus-external", "metrics_external"),
        ("--rpc-cors all", "rpc_cors"),
        ("--alice", "known_keys"),
        ("--password hunter2", "secret_in_command"),
    ],
)
def test_the_command_line(option: str, kind: str) -> None:
    report = check_exposure([HostFacts(6, command=f"polkadot --validator {option} --name x")])
    assert [finding.kind for finding in report.findings] == [kind]
    assert "hunter2" not in str(report.findings)


def test_words_within_other_words_are_none() -> None:
    assert kinds(HostFacts(6, command="polkadot --name my--rpc-external --base-path /x--alice --dev-mode-off --rpc-port 9944")) == set()


SSHD = """\
port 22
permitrootlogin yes
passwordauthentication yes
permitemptypasswords no
x11forwarding yes
maxauthtries 10
ciphers chacha20-poly1305@openssh.com,aes128-cbc,3des-cbc
macs hmac-sha2-256,hmac-md5
hostkey /etc/ssh/a
hostkey /etc/ssh/b
"""


def test_sshd() -> None:
    settings = sshd_settings(SSHD)
    assert settings["hostkey"] == "/etc/ssh/a\n/etc/ssh/b"
    report = check_exposure([HostFacts(6, sshd=settings)])
    names = "permitrootlogin passwordauthentication x11forwarding maxauthtries ciphers macs".split()  # noqa: SIM905
    assert {finding.kind for finding in report.findings} == {f"sshd_{name}" for name in names}
    assert report.findings[0].kind == "sshd_permitrootlogin"
    assert "PermitRootLogin prohibit-password" in report.findings[0].fix
    assert any("Ciphers -aes128-cbc,3des-cbc" in finding.fix for finding in report.findings)


def test_readers() -> None:
    assert user_command("systemctl", "a.service") == ["systemctl", "show", "--property=User,DynamicUser,MainPID", "a.service"]
    assert process_command(7)[-1] == "7"
    assert unit_user("MainPID=3\nUser=\nDynamicUser=no\n") == "root"
    assert unit_user("MainPID=3\nUser=\nDynamicUser=yes\n") == "(dynamic)"
    assert unit_user("User=polkadot\n") == "polkadot"
    assert process("root     /usr/bin/polkadot --validator\n") == ("root", "/usr/bin/polkadot --validator")
    for reader in (unit_user, process, sshd_settings):
        with pytest.raises(UnreadableSetup):
            reader("")


@pytest.mark.real
def test_a_real_sshd_and_a_real_ps(tmp_path: Path) -> None:
    sshd, keygen, ps = need("sshd", "ssh-keygen", "ps")
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    config = tmp_path / "sshd_config"
    config.write_text(
        f"HostKey {tmp_path / 'key'}\nPermitRootLogin yes\nPasswordAuthentication no\nX11Forwarding no\nCiphers +aes128-cbc\n"
    )
    text = subprocess.run([sshd, "-T", "-f", str(config)], check=True, capture_output=True, text=True).stdout
    found = kinds(HostFacts(1, sshd=sshd_settings(text)))
    assert {"sshd_permitrootlogin", "sshd_ciphers"} <= found
    assert not {"sshd_passwordauthentication", "sshd_x11forwarding"} & found
    sleeper = subprocess.Popen(["sleep", "30"])
    try:
        said = subprocess.run([ps, *process_command(sleeper.pid)[1:]], check=True, capture_output=True, text=True).stdout
    finally:
        sleeper.kill()
        sleeper.wait()
    assert process(said)[1] == "sleep 30"
