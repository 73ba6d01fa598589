"""The commands a town runs: exact, copied from the page, so that the first backup takes minutes."""

import base64
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from libs.common.errors import say


@dataclass(frozen=True, slots=True)
class Place:
    """Where a repository is: the cloud's public address, the municipality's code, the repository's name."""

    public_url: str
    code: str
    name: str

    def address(self, token: str) -> str:
        """As restic is told of it."""
        parts = urlsplit(self.public_url)
        return f"rest:{parts.scheme}://kyodo:{token}@{parts.netloc}/t/{self.code}/backup/restic/{self.name}/"

    @property
    def read_key_file(self) -> str:
        """Name of the file in which the page gives out a key to read with."""
        return f"kyodo-backup-{self.name}-read.key"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is backed up and when: a folder of the machine, `HH:MM` in its own time."""

    folder: str
    at: str = "01:30"


WINDOWS_FOLDER = "C:\\Program Files\\kyodo-backup"
"""Where SYSTEM runs restic.exe. In ProgramData any user could make the folder before, and would own what runs in it."""
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_ENDS_A_STRING = re.compile('["%$`\u201c\u201d\u201e]')
"""In PowerShell; it takes typographic quotation marks for plain ones."""
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f\u2028\u2029]{2,300}")


def check_plan(plan: Plan) -> dict[str, str]:
    """Field → sentence for what cannot be: the folder and the time go into scripts that run as root."""
    errors = {}
    posix, windows = plan.folder.startswith("/"), re.match(r"[A-Za-z]:\\", plan.folder) is not None
    if (
        not _PRINTABLE.fullmatch(plan.folder)
        or not (posix or windows)
        or (windows and _ENDS_A_STRING.search(plan.folder))
    ):
        errors["folder"] = say("守りたいフォルダーを、/srv/data や D:\\Data のように、先頭から入力してください。")
    if not _TIME.fullmatch(plan.at):
        errors["at"] = say("始める時刻を、01:30 のように入力してください。")
    return errors


def environment_file(place: Place, token: str) -> str:
    """`/etc/kyodo-backup/<name>.env`: readable by root only. The password is the town's own and is made there."""
    return (
        f"RESTIC_REPOSITORY={place.address(token)}\n"
        f"RESTIC_PASSWORD_FILE=/etc/kyodo-backup/{place.name}.password\n"
        "RESTIC_CACHE_DIR=/var/cache/kyodo-backup\n"
    )


Tell = Callable[[str], str]
"""Says a sentence in the language of whoever will read the script."""


def _lost_password() -> str:
    return say("この合言葉をなくすと、だれにも復元できません。印刷して金庫に保管してください。")


def _some_unreadable() -> str:
    return say("読めないファイルがありました。上の表示を確かめてください。")


def set_up(place: Place, token: str, plan: Plan, tell: Tell = str) -> str:
    """A shell script for Debian and Ubuntu: install, password, first backup, daily timer.

    The unit first takes away locks that a machine that lost its power has left; it runs when nobody else needs the disk.
    A first backup without some files (restic's exit code 3) has arrived: the timer is needed all the more.
    """
    name, folder = place.name, shlex.quote(plan.folder)
    purpose = say("「%(name)s」の最初のバックアップと、毎日のタイマー。root で一度だけ実行してください。", name=name)
    return f"""#!/bin/sh
# {tell(purpose)}
set -eu
command -v restic >/dev/null || {{ apt-get update; apt-get install -y restic; }}
install -d -m 700 /etc/kyodo-backup
umask 077
cat > /etc/kyodo-backup/{name}.env <<'END'
{environment_file(place, token)}END
# {tell(_lost_password())}
[ -s /etc/kyodo-backup/{name}.password ] || head -c 24 /dev/urandom | base64 > /etc/kyodo-backup/{name}.password
cat > /etc/kyodo-backup/{name}.sh <<'END'
#!/bin/sh
set -eu
restic unlock
exec restic backup {folder}
END
set -a; . /etc/kyodo-backup/{name}.env; set +a
restic cat config >/dev/null 2>&1 || restic init
sh /etc/kyodo-backup/{name}.sh || [ $? -eq 3 ] # 3: {tell(_some_unreadable())}
cat > /etc/systemd/system/kyodo-backup-{name}.service <<'END'
[Unit]
Description=Backup of {name} to the distant site
Wants=network-online.target
After=network-online.target
[Service]
Type=oneshot
EnvironmentFile=/etc/kyodo-backup/{name}.env
ExecStart=/bin/sh /etc/kyodo-backup/{name}.sh
Nice=10
IOSchedulingClass=idle
PrivateTmp=true
ProtectSystem=full
END
cat > /etc/systemd/system/kyodo-backup-{name}.timer <<'END'
[Unit]
Description=Daily backup of {name}
[Timer]
OnCalendar=*-*-* {plan.at}:00
RandomizedDelaySec=3600
Persistent=true
[Install]
WantedBy=timers.target
END
systemctl daemon-reload
systemctl enable --now kyodo-backup-{name}.timer
"""


def set_up_windows(place: Place, token: str, plan: Plan, tell: Tell = str) -> str:
    """A PowerShell script for an administrator: password, first backup, daily task of SYSTEM. restic.exe lies in the folder.

    The key stands in a file that only SYSTEM and administrators can read, not on a command line that every user can see.
    That file has a byte order mark whatever PowerShell writes it: the task's PowerShell 5 takes a file without one for the
    machine's old encoding, and a folder with a Japanese name is then not found. A program that is missing leaves
    PowerShell no exit code, which would count as success.
    """
    name, base = place.name, WINDOWS_FOLDER
    folder = re.sub(r"(?<!:)\\+$", "", plan.folder)  # before a quotation mark it would take it away from restic
    purpose = say(
        "「%(name)s」の最初のバックアップと、毎日のタスク。管理者のPowerShellで一度だけ実行してください。", name=name
    )
    first = say("先に restic.exe を %(folder)s に置きます。", folder=base)
    not_ours = say("フォルダー %(folder)s を、管理者だけが読めるようにできませんでした。", folder=base)
    none, failed = (
        say("%(file)s がありません。", file="$restic"),
        say("バックアップできませんでした。上の表示を確かめてください。"),
    )
    return f"""# {tell(purpose)}
# {tell(first)}
#Requires -RunAsAdministrator
$ErrorActionPreference = "Stop"
$base = "{base}"
New-Item -ItemType Directory -Force $base | Out-Null
icacls $base /inheritance:r /grant "*S-1-5-18:(OI)(CI)F" "*S-1-5-32-544:(OI)(CI)F" | Out-Null
if ($LASTEXITCODE -ne 0) {{ throw "{tell(not_ours)}" }}
# {tell(_lost_password())}
$password = "$base\\{name}.password"
if (-not (Test-Path $password)) {{
  $bytes = New-Object byte[] 24
  [Security.Cryptography.RandomNumberGenerator]::Create().GetBytes($bytes)
  [IO.File]::WriteAllText($password, [Convert]::ToBase64String($bytes))
}}
$script = @'
$env:RESTIC_REPOSITORY = "{place.address(token)}"
$env:RESTIC_PASSWORD_FILE = "{base}\\{name}.password"
$env:RESTIC_CACHE_DIR = "{base}\\cache"
$restic = "{base}\\restic.exe"
if (-not (Test-Path $restic)) {{ Write-Output "{tell(none)}"; exit 1 }}
& $restic cat config 2>$null | Out-Null
if ($LASTEXITCODE -ne 0) {{ & $restic init; if ($LASTEXITCODE -ne 0) {{ exit $LASTEXITCODE }} }}
& $restic unlock
& $restic backup --use-fs-snapshot "{folder}"
exit $LASTEXITCODE
'@
[IO.File]::WriteAllText("$base\\{name}.ps1", $script, (New-Object Text.UTF8Encoding $true))
$arguments = "-NoProfile -ExecutionPolicy Bypass -File `"$base\\{name}.ps1`""
powershell.exe -NoProfile -ExecutionPolicy Bypass -File "$base\\{name}.ps1"
# 3: {tell(_some_unreadable())}
if ($LASTEXITCODE -notin 0, 3) {{ throw "{tell(failed)}" }}
$action = New-ScheduledTaskAction -Execute "powershell.exe" -Argument $arguments
$trigger = New-ScheduledTaskTrigger -Daily -At "{plan.at}" -RandomDelay (New-TimeSpan -Hours 1)
$settings = New-ScheduledTaskSettingsSet -StartWhenAvailable -RunOnlyIfNetworkAvailable `
  -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
Register-ScheduledTask -Force -TaskName "kyodo-backup-{name}" -User "SYSTEM" -RunLevel Highest `
  -Action $action -Trigger $trigger -Settings $settings | Out-Null
"""


@dataclass(frozen=True, slots=True)
class Saved:
    """A file that somebody saves from the page, and the command that uses it: `title` says where, or what for."""

    title: str
    file_name: str
    text: str
    command: str

    @property
    def href(self) -> str:
        """The file itself as a link: the key in it is shown once, so there is no address to ask for it again.

        PowerShell 5 needs the byte order mark, and a shell must not have one.
        """
        encoding = "utf-8-sig" if self.file_name.endswith(".ps1") else "utf-8"
        return "data:application/octet-stream;base64," + base64.b64encode(self.text.encode(encoding)).decode()


def set_up_for(place: Place, token: str, plan: Plan, tell: Tell = str) -> Saved:
    """For Linux or Windows, as the folder's form says. Windows forbids scripts from files unless the command allows it."""
    name = f"kyodo-backup-{place.name}"
    if plan.folder.startswith("/"):
        text = set_up(place, token, plan, tell)
        return Saved(say("Linuxの機械（Debian・Ubuntu）で"), f"{name}.sh", text, f"sudo sh {name}.sh")
    command = f"powershell.exe -NoProfile -ExecutionPolicy Bypass -File .\\{name}.ps1"
    return Saved(say("Windowsの機械で"), f"{name}.ps1", set_up_windows(place, token, plan, tell), command)


def to_disk(name: str, folder: str = "/srv/data", disk: str = "/media/disk") -> str:
    """The first backup on a disk that is carried here. The password is made where `set_up` looks for one."""
    password = f"/etc/kyodo-backup/{name}.password"
    return f"""install -d -m 700 /etc/kyodo-backup
[ -s {password} ] || (umask 077; head -c 24 /dev/urandom | base64 > {password})
restic -r {disk}/{name} -p {password} init
restic -r {disk}/{name} -p {password} backup {folder}"""


def password_file(place: Place, plan: Plan) -> str:
    """Where the scripts put the password that the town must not lose."""
    if plan.folder.startswith("/"):
        return f"/etc/kyodo-backup/{place.name}.password"
    return f"{WINDOWS_FOLDER}\\{place.name}.password"


def by_hand(place: Place, token: str, mode: Literal["read", "full"]) -> Saved:
    """A key that a person uses. It stands in a file (restic's `--repository-file`, the same on Windows): in a command it would
    stay in the shell's history, and every user of the machine would see it in the list of processes."""
    if mode == "read":
        return Saved(say("復元する"), place.read_key_file, place.address(token) + "\n", restore(place.read_key_file))
    name = f"kyodo-backup-{place.name}-full.key"
    command = f"restic --repository-file {name} forget --keep-daily 14 --keep-weekly 8 --keep-monthly 12 --prune"
    return Saved(say("古い世代を整理する"), name, place.address(token) + "\n", command)


def restore(key_file: str) -> str:
    """Reading back. Locks are not needed for reading, and not possible in the past."""
    return f"restic --repository-file {key_file} --no-lock restore latest --target /srv/restored"


def restore_from(place: Place, moment: str) -> dict[str, str]:
    """System → commands that read back what was there at `moment` (as `asof.write_moment` writes it), with the file of a key to read."""
    then = f"kyodo-backup-{place.name}-then.key"
    now, past = "/backup/restic/", f"/backup/restic-asof/{moment}/"
    linux = f"(umask 077; sed 's|{now}|{past}|' {place.read_key_file} > {then})"
    windows = f"(Get-Content {place.read_key_file}) -replace '{now}', '{past}' | Set-Content -Encoding ascii {then}"
    return {"Linux": f"{linux}\n{restore(then)}", "Windows（PowerShell）": f"{windows}\n{restore(then)}"}


def verification(evidence: str = "restore-drill.json", key: str = "evidence-key.pem") -> str:
    """Checking a drill's evidence with Python's standard library and OpenSSL 3 only: nobody has to trust our programs."""
    return f"""python3 -c "import json, base64; d = json.load(open('{evidence}')); \\
open('evidence.bytes', 'wb').write(json.dumps(d['evidence'], ensure_ascii=False, sort_keys=True, separators=(',', ':')).encode()); \\
open('evidence.sig', 'wb').write(base64.b64decode(d['signature']))"
openssl pkeyutl -verify -pubin -inkey {key} -rawin -in evidence.bytes -sigfile evidence.sig"""
