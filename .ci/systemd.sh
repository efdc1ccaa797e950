#!/bin/bash
# The installed service under a real systemd (PID 1) in a container of its own: started, reloaded, read by an analyst,
# killed, stopped, refused, rebooted, removed. What a test inside cargo cannot have: a second account, a service manager.
#   .ci/systemd.sh BINARY        needs root and Debian's packages; the tree is made once and kept in .ci/cache
# The container has no network beside loopback. Ends with 0 when everything held; says every claim by itself.
set -eu

binary=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
cache=$here/cache
base=$cache/box-bookworm
work=$(mktemp -d "${TMPDIR:-/tmp}/counterfoil-box.XXXXXX")
box=$work/root
nspawn=
failed=0

# --- the container ---------------------------------------------------------------------------------------------------

[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
if ! command -v systemd-nspawn >/dev/null || ! command -v mmdebstrap >/dev/null; then
  apt-get -qq update >&2
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends systemd-container mmdebstrap >&2
fi
if [ ! -d "$base" ]; then
  mkdir -p "$cache"
  rm -rf "$base.new"
  mmdebstrap --quiet --variant=minbase --include=systemd,systemd-sysv,dbus,ca-certificates,procps,sqlite3 \
    --aptopt='Acquire::Languages "none"' bookworm "$base.new"
  printf '127.0.0.1 localhost\n::1 localhost\n' > "$base.new/etc/hosts"
  : > "$base.new/etc/machine-id"
  mv "$base.new" "$base"
fi
cp -a "$base" "$box"

init() { pgrep -P "$nspawn" | head -1; }
x() { nsenter -t "$(init)" -a "$@"; }

boot() {
  # With a pipe for a console there is no /dev/console inside: what systemd says is in the journal.
  SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 setsid systemd-nspawn -q -D "$box" -b --register=no --keep-unit \
    --private-network --console=pipe </dev/null >"$work/console" 2>&1 &
  nspawn=$!
  for _ in $(seq 300); do
    sleep 0.1
    case $(x systemctl is-system-running 2>/dev/null || true) in running|degraded) return;; esac
  done
  echo "the container does not come up" >&2
  cat "$work/console" >&2
  exit 2
}

halt() {
  [ -n "$nspawn" ] || return 0
  x systemctl poweroff >/dev/null 2>&1 || true
  for _ in $(seq 100); do
    [ -d "/proc/$nspawn" ] || { nspawn=; return 0; }
    sleep 0.1
  done
  kill "$nspawn" 2>/dev/null || true
  nspawn=
}

tidy() { halt; rm -rf "$work"; }
trap tidy EXIT

# --- claims ----------------------------------------------------------------------------------------------------------

# holds "claim" COMMAND...: the command succeeds. fails "claim" COMMAND...: it does not.
holds() {
  local claim=$1; shift
  if "$@" >"$work/out" 2>&1; then echo "ok   $claim"; else broken "$claim"; fi
}
fails() {
  local claim=$1; shift
  if "$@" >"$work/out" 2>&1; then broken "$claim"; else echo "ok   $claim"; fi
}
# becomes "claim" COMMAND...: it succeeds within ten seconds.
becomes() {
  local claim=$1; shift
  for _ in $(seq 50); do
    if "$@" >"$work/out" 2>&1; then echo "ok   $claim"; return; fi
    sleep 0.2
  done
  broken "$claim"
}
broken() {
  echo "FAIL $1"
  sed 's/^/     | /' "$work/out" | tail -20
  failed=1
}

ann() { x setpriv --reuid=ann --regid=ann --init-groups env -i HOME=/home/ann PATH="$path" "$@"; }  # of the readers' group
bob() { x setpriv --reuid=bob --regid=bob --init-groups env -i HOME=/home/bob PATH="$path" "$@"; }  # of no group
prop() { x systemctl show counterfoil --property="$1" --value; }
is() { local got; got=$(prop "$1"); echo "$1=$got"; [ "$got" = "$2" ]; }
says() { local got; got=$(prop StatusText); echo "StatusText=$got"; grep -qiE "$1" <<<"$got"; }
quiet() { ! says "$1"; }
rights() { local got; got=$(x stat -c '%U:%G %a' "$1"); echo "$1 $got"; [ "$got" = "$2 $3" ]; }
answers() { local want=$1 got; shift; got=$("$@"); echo "$got"; [ "$got" = "$want" ]; }
configure() { x tee /etc/counterfoil/counterfoil.toml >/dev/null; }
generations() { x sqlite3 -readonly "$db" "SELECT count(*) FROM config_generations WHERE outcome = 'applied'"; }
more_generations() { local got; got=$(generations); echo "$got generations"; [ "$got" -gt "$1" ]; }
new_pid() { local got; got=$(prop MainPID); echo "pid $got"; [ "$got" != 0 ] && [ "$got" != "$1" ]; }

path=/usr/local/bin:/usr/bin:/bin
db=/var/lib/counterfoil/counterfoil.db
count='SELECT count(*) FROM accounts'
good() {
  printf '%s\n' '[connections.main]' 'provider = "stripe"' 'start = 2024-01-01' '[log]' "level = \"$1\""
}

boot
x useradd -m ann
x useradd -m bob
install -m 0755 "$binary" "$box/root/counterfoil"

echo "# install"
holds "a plan can be shown" x /root/counterfoil service install --dry-run
fails "... and is not carried out" x test -e /etc/systemd/system/counterfoil.service
fails "... by somebody who is not root, nothing is installed" bob /root/counterfoil service install
holds "service install" x /root/counterfoil service install
x usermod -aG counterfoil-read ann
holds "READY arrived" is ActiveState active
holds "the agent says how it is" says .
holds "it starts with the machine" is UnitFileState enabled
holds "its own account" answers counterfoil x ps -o user= -p "$(prop MainPID)"
holds "the unit is flawless" x systemd-analyze verify /etc/systemd/system/counterfoil.service
holds "rights of the data" rights /var/lib/counterfoil counterfoil:counterfoil-read 2750
holds "rights of the configuration's folder" rights /etc/counterfoil counterfoil:counterfoil-read 2750
holds "rights of the configuration" rights /etc/counterfoil/counterfoil.toml counterfoil:counterfoil-read 640
holds "rights of the key file" rights /etc/counterfoil/vault.key counterfoil:counterfoil-read 600
holds "rights of the vault" rights /var/lib/counterfoil/vault counterfoil:counterfoil-read 600
holds "rights of the store" rights "$db" counterfoil:counterfoil-read 640
holds "rights of the socket" rights /run/counterfoil/control.sock counterfoil:counterfoil-read 660
pid=$(prop MainPID)
holds "installing again" x /root/counterfoil service install
holds "... changes nothing" is MainPID "$pid"
holds "service status" x counterfoil service status

echo "# reload"
before=$(generations)
good debug | configure
holds "systemctl reload after an edit" x systemctl reload counterfoil
becomes "... the new configuration is in force" more_generations "$before"
before=$(generations)
echo 'nonsense = {' | configure
holds "systemctl reload after a broken edit" x systemctl reload counterfoil
becomes "... systemd is told" says 'configuration|refused|invalid'
holds "... the agent goes on" is MainPID "$pid"
holds "... with the last good configuration" answers "$before" generations
good info | configure
x systemctl reload counterfoil
becomes "... until it is mended" quiet 'refused|invalid'

echo "# reading, while it runs"
reading() {
  holds "an analyst asks: query" ann counterfoil query "$count"
  holds "an analyst asks: query --data-dir" ann counterfoil --data-dir /var/lib/counterfoil query "$count"
  holds "an analyst asks: plain sqlite3" ann sqlite3 -readonly "$db" "$count"
  fails "an analyst cannot write" ann sqlite3 "$db" 'CREATE TABLE x (a)'
  fails "an analyst cannot add a file" ann touch /var/lib/counterfoil/x
  fails "an analyst cannot read the vault" ann cat /var/lib/counterfoil/vault
  fails "an analyst cannot read the key file" ann cat /etc/counterfoil/vault.key
  fails "an outsider cannot query" bob counterfoil --data-dir /var/lib/counterfoil query "$count"
  fails "an outsider cannot use sqlite3" bob sqlite3 -readonly "$db" "$count"
  fails "an outsider cannot list the data" bob ls /var/lib/counterfoil
}
reading
refused_sync() { local got; got=$(ann counterfoil sync 2>&1) && return 1; echo "$got"; grep -qF '[agent.refused]' <<<"$got"; }
holds "an analyst cannot command" refused_sync
talk='use IO::Socket::UNIX; $SIG{PIPE} = "IGNORE"; my $s = IO::Socket::UNIX->new(Peer => "/run/counterfoil/control.sock") or die "closed";
  $s->print(qq({"do":"reload"}\n)); print scalar <$s>'
refused() { local got; got=$(ann perl -e "$talk"); echo "$got"; grep -q '"code":"agent.refused"' <<<"$got"; }
holds "... and is told so on the socket itself" refused
fails "an outsider does not reach the socket" bob perl -e "$talk"

echo "# watchdog"
x mkdir -p /run/systemd/system/counterfoil.service.d
printf '%s\n' '[Service]' WatchdogSec=3 | x tee /run/systemd/system/counterfoil.service.d/soon.conf >/dev/null
x systemctl daemon-reload
x systemctl restart counterfoil
pid=$(prop MainPID)
sleep 8
holds "an idle agent shows that it lives" is MainPID "$pid"
x kill -STOP "$pid"
becomes "one that hangs is killed and started again" new_pid "$pid"
becomes "... and ready" is ActiveState active
x rm /run/systemd/system/counterfoil.service.d/soon.conf
x systemctl daemon-reload
x systemctl restart counterfoil

echo "# kill, stop, refuse"
pid=$(prop MainPID)
x kill -9 "$pid"
becomes "kill -9: started again" new_pid "$pid"
becomes "... and ready" is ActiveState active
holds "... by systemd" is NRestarts 1
holds "systemctl stop" x systemctl stop counterfoil
holds "... is clean" is Result success
holds "... with exit code 0" is ExecMainStatus 0
fails "... and takes the socket away" x test -e /run/counterfoil/control.sock
reading
x rm -f /var/lib/counterfoil/config.last-good.toml
echo 'nonsense = {' | configure
fails "an invalid configuration: no start" x systemctl start counterfoil
holds "... exit code 3" is ExecMainStatus 3
sleep 4  # longer than RestartSec
holds "... and no further try" is ActiveState failed
holds "... not even one" is NRestarts 0
good info | configure
holds "mended: service start" x counterfoil service start
holds "service stop" x counterfoil service stop
holds "... it is stopped" is ActiveState inactive

echo "# reboot, uninstall"
halt
boot
becomes "after a reboot it runs" is ActiveState active
becomes "... and can be read" ann counterfoil query "$count"
holds "service uninstall" x counterfoil service uninstall
fails "... it does not run" x systemctl is-active --quiet counterfoil
fails "... the unit is gone" x test -e /etc/systemd/system/counterfoil.service
holds "... the data stays" x test -s "$db"
holds "... with the key" x test -s /etc/counterfoil/vault.key
holds "... and can be read" ann counterfoil query "$count"

echo "# an installation that root began by hand"
x rm -rf /etc/counterfoil /var/lib/counterfoil
others() { local got; got=$(x find /etc/counterfoil /var/lib/counterfoil ! -user counterfoil); echo "$got"; [ -z "$got" ]; }
holds "init by root" x counterfoil init
holds "service install" x counterfoil service install
holds "... it runs" is ActiveState active
holds "... and owns everything" others
good info | configure
holds "root commands the agent" x counterfoil key list
holds "service stop" x counterfoil service stop
holds "root acts without the agent" x counterfoil connection rename main other
holds "... as the owner of the data" others
holds "service start" x counterfoil service start

[ "$failed" = 0 ] || x journalctl -u counterfoil --no-pager | tail -40
exit "$failed"
