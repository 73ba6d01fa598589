"""The commands a town runs: exact, copied from the page, so that the first backup takes minutes."""

import base64
import re
import shlex
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Place:
    """Where a repository is: the cloud's public address, the municipality's code, the repository's name."""

    public_url: str
    code: str
    name: str

    def address(self, token: str = "キー", moment: str | None = None) -> str:  # noqa: S107 (a word to be replaced)
        """As restic is told of it."""
        parts = urlsplit(self.public_url)
        middle = f"restic-asof/{moment}" if moment else "restic"
        return f"rest:{parts.scheme}://kyodo:{token}@{parts.netloc}/t/{self.code}/backup/{middle}/{self.name}/"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is backed up and when: a folder of the machine, `HH:MM` in its own time."""

    folder: str
    at: str = "01:30"


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
        errors["folder"] = "守りたいフォルダーを、/srv/data や D:\\Data のように、先頭から入力してください。"
    if not _TIME.fullmatch(plan.at):
        errors["at"] = "始める時刻を、01:30 のように入力してください。"
    return errors


def environment_file(place: Place, token: str) -> str:
    """`/etc/kyodo-backup/<name>.env`: readable by root only. The password is the town's own and is made there."""
    return (
        f"RESTIC_REPOSITORY={place.address(token)}\n"
        f"RESTIC_PASSWORD_FILE=/etc/kyodo-backup/{place.name}.password\n"
        "RESTIC_CACHE_DIR=/var/cache/kyodo-backup\n"
    )


def set_up(place: Place, token: str, plan: Plan) -> str:
    """A shell script for Debian and Ubuntu: install, password, first backup, daily timer.

    The unit first takes away locks that a machine that lost its power has left; it runs when nobody else needs the disk.
    """
    name, folder = place.name, shlex.quote(plan.folder)
    return f"""#!/bin/sh
# 「{name}」の最初のバックアップと、毎日のタイマー。root で一度だけ実行してください。
set -eu
command -v restic >/dev/null || {{ apt-get update; apt-get install -y restic; }}
install -d -m 700 /etc/kyodo-backup
umask 077
cat > /etc/kyodo-backup/{name}.env <<'END'
{environment_file(place, token)}END
# この合言葉をなくすと、だれにも復元できません。印刷して金庫に保管してください。
[ -s /etc/kyodo-backup/{name}.password ] || head -c 24 /dev/urandom | base64 > /etc/kyodo-backup/{name}.password
cat > /etc/kyodo-backup/{name}.sh <<'END'
#!/bin/sh
set -eu
restic unlock
exec restic backup {folder}
END
set -a; . /etc/kyodo-backup/{name}.env; set +a
restic cat config >/dev/null 2>&1 || restic init
sh /etc/kyodo-backup/{name}.sh
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


def set_up_windows(place: Place, token: str, plan: Plan) -> str:
    """A PowerShell script for an administrator: password, first backup, daily task of SYSTEM. restic.exe lies in the folder.

    The key stands in a file that only SYSTEM and administrators can read, not on a command line that every user can see.
    That file has a byte order mark whatever PowerShell writes it: the task's PowerShell 5 takes a file without one for the
    machine's old encoding, and a folder with a Japanese name is then not found.
    """
    name, base = place.name, "C:\\ProgramData\\kyodo-backup"
    folder = re.sub(r"(?<!:)\\+$", "", plan.folder)  # before a quotation mark it would take it away from restic
    return f"""# 「{name}」の最初のバックアップと、毎日のタスク。管理者のPowerShellで一度だけ実行してください。
# 先に restic.exe を {base} に置きます。
$ErrorActionPreference = "Stop"
$base = "{base}"
New-Item -ItemType Directory -Force $base | Out-Null
icacls $base /inheritance:r /grant "*S-1-5-18:(OI)(CI)F" "*S-1-5-32-544:(OI)(CI)F" | Out-Null
if ($LASTEXITCODE -ne 0) {{ throw "フォルダー {base} を、管理者だけが読めるようにできませんでした。" }}
# この合言葉をなくすと、だれにも復元できません。印刷して金庫に保管してください。
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
& $restic cat config 2>$null | Out-Null
if ($LASTEXITCODE -ne 0) {{ & $restic init; if ($LASTEXITCODE -ne 0) {{ exit $LASTEXITCODE }} }}
& $restic unlock
& $restic backup --use-fs-snapshot "{folder}"
exit $LASTEXITCODE
'@
[IO.File]::WriteAllText("$base\\{name}.ps1", $script, (New-Object Text.UTF8Encoding $true))
$arguments = "-NoProfile -ExecutionPolicy Bypass -File `"$base\\{name}.ps1`""
powershell.exe -NoProfile -ExecutionPolicy Bypass -File "$base\\{name}.ps1"
if ($LASTEXITCODE -ne 0) {{ throw "バックアップできませんでした。上の表示を確かめてください。" }}
$action = New-ScheduledTaskAction -Execute "powershell.exe" -Argument $arguments
$trigger = New-ScheduledTaskTrigger -Daily -At "{plan.at}" -RandomDelay (New-TimeSpan -Hours 1)
$settings = New-ScheduledTaskSettingsSet -StartWhenAvailable -RunOnlyIfNetworkAvailable `
  -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
Register-ScheduledTask -Force -TaskName "kyodo-backup-{name}" -User "SYSTEM" -RunLevel Highest `
  -Action $action -Trigger $trigger -Settings $settings | Out-Null
"""


@dataclass(frozen=True, slots=True)
class SetUp:
    """What a machine's administrator saves and runs once: the file's name, its text, the command."""

    system: str
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


def set_up_for(place: Place, token: str, plan: Plan) -> SetUp:
    """For Linux or Windows, as the folder's form says. Windows forbids scripts from files unless the command allows it."""
    name = f"kyodo-backup-{place.name}"
    if plan.folder.startswith("/"):
        return SetUp("Linuxの機械（Debian・Ubuntu）", f"{name}.sh", set_up(place, token, plan), f"sudo sh {name}.sh")
    command = f"powershell.exe -NoProfile -ExecutionPolicy Bypass -File .\\{name}.ps1"
    return SetUp("Windowsの機械", f"{name}.ps1", set_up_windows(place, token, plan), command)


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
    return f"C:\\ProgramData\\kyodo-backup\\{place.name}.password"


def restore(place: Place, moment: str | None = None) -> str:
    """Reading back, also from a moment before. Locks are not needed for reading, and not possible in the past."""
    return f"restic -r {place.address(moment=moment)} --no-lock restore latest --target /srv/restored"


def verification(evidence: str = "restore-drill.json", key: str = "evidence-key.pem") -> str:
    """Checking a drill's evidence with Python's standard library and OpenSSL 3 only: nobody has to trust our programs."""
    return f"""python3 -c "import json, base64; d = json.load(open('{evidence}')); \\
open('evidence.bytes', 'wb').write(json.dumps(d['evidence'], ensure_ascii=False, sort_keys=True, separators=(',', ':')).encode()); \\
open('evidence.sig', 'wb').write(base64.b64decode(d['signature']))"
openssl pkeyutl -verify -pubin -inkey {key} -rawin -in evidence.bytes -sigfile evidence.sig"""
