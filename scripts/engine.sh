#!/usr/bin/env bash
# Has a Docker Engine run that kind clusters work in: the one that answers, or else the distribution's own.
set -euo pipefail

readonly log=/var/log/dockerd.log
readonly wait_seconds=60
readonly bounded_runc=/usr/local/sbin/windtunnel-runc
readonly daemon_config=/etc/docker/daemon.json

usage() {
  cat << 'EOT'
Usage: scripts/engine.sh [--yes]

Uses the Docker Engine that answers. Where none does, on Debian or Ubuntu, as root or with sudo, it installs the
distribution's engine and starts it; anywhere else it says how to get one.

  --yes    do not ask before anything is installed or changed
  --help   this text

Exit status: 0 an engine answers, 1 none does.
EOT
}

say() { printf '%s\n' "$*"; }
fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

is_root() { [ "$(id -u)" = 0 ]; }
has() { command -v "$1" > /dev/null 2>&1; }

# Prints running, refused, down or missing.
engine_state() {
  local answer
  has docker || { echo missing; return; }
  if answer=$(docker version --format '{{.Server.Version}}' 2>&1); then
    echo running
  elif [[ $answer == *"permission denied"* ]]; then
    echo refused
  else
    echo down
  fi
}

report_engine() {
  docker info --format 'Docker Engine {{.ServerVersion}} answers ({{.Driver}}, cgroup v{{.CgroupVersion}}, runtime {{.DefaultRuntime}})'
}

# at_least SYSCTL VALUE: raises the limit, never lowers it
at_least() {
  local current
  current=$(sysctl -n "$1" 2> /dev/null) || return 0
  [ "$current" -lt "$2" ] || return 0
  if is_root && sysctl -q -w "$1=$2"; then
    say "Raised $1 from $current to $2 until the next boot: the pods of one cluster use up less."
  else
    say "$1 is $current, which a cluster may use up. To raise it: sudo sysctl -w $1=$2"
  fi
}

raise_inotify_limits() {
  at_least fs.inotify.max_user_instances 1024
  at_least fs.inotify.max_user_watches 524288
}

# The engine gives a privileged container every capability that there is, and runc fails where the host itself may not
# have one. CAP_SYS_RESOURCE, bit 24, is what sandboxes withhold. A running engine's own set counts, else this shell's.
lacks_sys_resource() {
  local process=self bounding
  if [ -r /run/docker.pid ] && [ -d "/proc/$(cat /run/docker.pid)" ]; then process=$(cat /run/docker.pid); fi
  bounding=$(awk '/^CapBnd/ { print $2 }' "/proc/$process/status" 2> /dev/null) || return 1
  [ $((0x${bounding:-ffffffff} >> 24 & 1)) = 0 ]
}

needs_bounded_runc() {
  [ "$(uname -s)" = Linux ] && lacks_sys_resource && ! grep -qs "$bounded_runc" "$daemon_config"
}

# Makes a runc that asks for one capability less the engine's default, for containers (--bundle) as well as for what
# `docker exec` starts in them (--process). sed, since this runs at each exec, and kind execs by the dozen.
install_bounded_runc() {
  local real config='{}'
  real=$(command -v runc) || fail "No runc on PATH: the engine's packages are incomplete."
  cat > "$bounded_runc.new" << EOT
#!/bin/sh
# runc without CAP_SYS_RESOURCE, which this machine cannot grant. Made by windtunnel's scripts/engine.sh.
previous=
for argument; do
  case \$previous in
    --bundle | -b) specification=\$argument/config.json ;;
    --process | -p) specification=\$argument ;;
  esac
  previous=\$argument
done
if [ -f "\${specification:-}" ]; then
  sed -i -e 's/"CAP_SYS_RESOURCE",//g' -e 's/,"CAP_SYS_RESOURCE"//g' "\$specification"
fi
exec $real "\$@"
EOT
  chmod 755 "$bounded_runc.new"
  mv "$bounded_runc.new" "$bounded_runc"
  [ ! -s "$daemon_config" ] || config=$(cat "$daemon_config")
  mkdir -p "${daemon_config%/*}"
  jq --arg path "$bounded_runc" '.runtimes.bounded.path = $path | ."default-runtime" = "bounded"' \
    <<< "$config" > "$daemon_config.new"
  mv "$daemon_config.new" "$daemon_config"
  say "This machine lacks CAP_SYS_RESOURCE: privileged containers go without it ($bounded_runc, $daemon_config)."
}

# The engine tells of the new default runtime when it has read its configuration again.
await_bounded_runtime() {
  local deadline=$((SECONDS + 10))
  until [ "$(docker info --format '{{.DefaultRuntime}}')" = bounded ]; do
    [ $SECONDS -lt $deadline ] || fail "The Docker Engine did not take over $daemon_config within 10 seconds."
    sleep 0.2
  done
}

# A running engine takes another default runtime over on SIGHUP, without stopping its containers.
adapt_running_engine() {
  if needs_bounded_runc && is_root && has jq; then
    install_bounded_runc
    kill -HUP "$(cat /run/docker.pid)"
    await_bounded_runtime
  fi
}

explain_manual_install() {
  case $(uname -s) in
    Darwin)
      fail 'No Docker Engine answers. On macOS it comes with an application; install one and start it:' \
        '  Docker Desktop   https://docs.docker.com/desktop/setup/install/mac-install/' \
        '  Colima           brew install colima docker && colima start --cpu 4 --memory 8' \
        '  OrbStack         brew install orbstack' \
        'Then run this again.'
      ;;
    Linux)
      fail "No Docker Engine answers, and this script installs one on Debian and Ubuntu only, as root or with sudo." \
        '  Fedora, CentOS   sudo dnf install moby-engine && sudo systemctl enable --now docker' \
        '  Arch             sudo pacman -S docker && sudo systemctl enable --now docker' \
        '  openSUSE         sudo zypper install docker && sudo systemctl enable --now docker' \
        '  any other        https://docs.docker.com/engine/install/' \
        "Then let your user in, log in anew, and run this again:  sudo usermod -aG docker $(id -un)"
      ;;
    *) fail 'No Docker Engine answers. See https://docs.docker.com/engine/install/ and run this again.' ;;
  esac
}

explain_refusal() {
  fail "A Docker Engine is there, but its socket does not let $(id -un) in." \
    "  sudo usermod -aG docker $(id -un)    then log in anew, or run: newgrp docker"
}

can_become_root() { is_root || { has sudo && { [ -t 0 ] || sudo -n true 2> /dev/null; }; }; }

# Says what will happen; on a terminal it asks too, unless --yes was given.
confirm() {
  local answer
  say "No Docker Engine answers. This will $1."
  if [ "$yes" = no ] && [ -t 0 ]; then
    read -r -p 'Go on? [y/N] ' answer
    [[ $answer == [yY]* ]] || fail 'Nothing was changed.'
  fi
}

install_engine() {
  local packages=(docker.io iptables ca-certificates jq)
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q -q
  # Newer releases have the client in a package of its own.
  if apt-cache show docker-cli > /dev/null 2>&1; then packages+=(docker-cli); fi
  apt-get -o DPkg::Lock::Timeout=300 install -q -q -y --no-install-recommends "${packages[@]}"
}

show_log_and_fail() {
  printf '%s\n' "$1 The end of its log:" >&2
  if has_systemd; then
    journalctl --unit docker --lines 20 --no-pager >&2 || true
    fail 'All of it: journalctl --unit docker'
  fi
  tail -n 20 "$log" >&2
  fail "All of it: $log"
}

has_systemd() { [ -d /run/systemd/system ]; }

start_engine() {
  local process='' deadline
  if has_systemd; then
    systemctl restart docker || show_log_and_fail 'The docker service did not start.'
  else
    remove_stale_pid_files
    setsid dockerd > "$log" 2>&1 < /dev/null &
    process=$!
  fi
  say "Waiting for the Docker Engine to answer, $wait_seconds seconds at most (log: $(has_systemd && echo journal || echo $log))"
  deadline=$((SECONDS + wait_seconds))
  until [ "$(engine_state)" = running ]; do
    if [ -n "$process" ] && ! kill -0 "$process" 2> /dev/null; then show_log_and_fail 'dockerd ended.'; fi
    [ $SECONDS -lt $deadline ] || show_log_and_fail "The Docker Engine does not answer after $wait_seconds seconds."
    sleep 0.3
  done
}

# After a crash or a reboot the number in a pid file may be that of another process by now, and the engine, which looks
# for the number only, would not start, or would wait for a containerd that is not there.
remove_stale_pid_files() {
  local file name process
  for file in /run/docker.pid /run/docker/containerd/containerd.pid; do
    name=$([ "$file" = /run/docker.pid ] && echo dockerd || echo containerd)
    [ -r "$file" ] || continue
    process=$(< "$file")
    if [ "$(cat "/proc/$process/comm" 2> /dev/null)" != "$name" ]; then rm -f "$file"; fi
  done
}

# Installs what is missing, and starts the engine; as root.
provide_engine() {
  raise_inotify_limits
  if ! has dockerd || ! has docker; then install_engine; fi
  if needs_bounded_runc; then
    has jq || install_engine
    install_bounded_runc
  fi
  start_engine
}

yes=no
for argument; do
  case $argument in
    --yes) yes=yes ;;
    --help | -h) usage; exit ;;
    *) usage >&2; fail "Unknown argument: $argument" ;;
  esac
done

case $(engine_state) in
  running)
    if [ "$(uname -s)" = Linux ]; then
      adapt_running_engine
      raise_inotify_limits
    fi
    report_engine
    exit
    ;;
  refused) explain_refusal ;;
esac

[ -z "${DOCKER_HOST:-}" ] || fail "DOCKER_HOST is $DOCKER_HOST, and no Docker Engine answers there. Start it, or unset DOCKER_HOST."
if [ "$(uname -s)" != Linux ] || ! has apt-get || ! can_become_root; then explain_manual_install; fi

if has dockerd; then
  confirm 'start the Docker Engine that is installed'
else
  confirm "install this distribution's Docker Engine, start it, and raise limits that clusters need"
fi
if is_root; then
  provide_engine
else
  sudo -- "$BASH" "$0" --yes
  [ "$(engine_state)" = running ] || explain_refusal
fi
report_engine
