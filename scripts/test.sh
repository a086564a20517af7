#!/usr/bin/env bash
# Runs every check and every test, up to a real cluster.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# shellcheck source=stage.sh
. scripts/stage.sh

readonly deny_version=0.20.2
readonly cache=${XDG_CACHE_HOME:-$HOME/.cache}/windtunnel
readonly bundle=$cache/bundle
readonly browser=(chromium chromium-driver fonts-liberation)

usage() {
  cat << 'EOT'
Usage: scripts/test.sh [--fast]

Runs formatter, shellcheck, clippy, unit tests, tests/it, documentation and cargo-deny. If all is well it goes on with
a Docker Engine (scripts/engine.sh), images (scripts/images/build.sh) and tests/e2e on real clusters of kind and
minikube. Ends with the test runner's own summaries.

  --fast   leave the engine, the images and the clusters out
  --help   this text

What is missing is installed where this runs as root on Debian (shellcheck, Chromium), and said elsewhere. cargo-deny is
built once into ~/.cache/windtunnel/tools. With CI=true and no CARGO_TARGET_DIR, what cargo makes goes to
~/.cache/windtunnel/target, so that a fresh clone has its dependencies built already. Screenshots and logs of tests/e2e
go to WINDTUNNEL_E2E_ARTEFACTS, or ./artefacts.

The real charts are tested where their archives are in the folder WINDTUNNEL_E2E_CHARTS or in windtunnel's cache; with Airflow 2
where scripts/images/build.sh official-2 or community has made its bundle, with Celery where it has made redis.

minikube with a Docker Engine in its node is tested where WINDTUNNEL_E2E_NODE_DOCKER names an image NAME:vVERSION that the
engine has: the bundle's node image with dockerd, cri-dockerd and Kubernetes' own images in that dockerd.

containerd's image store is tested where WINDTUNNEL_E2E_ENGINE names a folder with the programs of a Docker Engine 29 or newer:
dockerd, docker, docker-proxy, containerd, containerd-shim-runc-v2, runc.

Exit status: 0 all is well, 1 not.
EOT
}

fast=no
for argument; do
  case $argument in
    --fast) fast=yes ;;
    --help | -h) usage; exit ;;
    *) usage >&2; echo "Unknown argument: $argument" >&2; exit 2 ;;
  esac
done

logs=$(mktemp -d "${TMPDIR:-/tmp}/windtunnel-test.XXXXXX")
failed=()
deny_install=

# check NAME TITLE COMMAND...: a stage whose failure is shown at once and does not keep the next one from running
check() {
  local name=$1 title=$2
  shift 2
  run_stage "$title" "$logs/$name.log" "$@"
  if [ "$stage_status" != 0 ]; then
    failed+=("$name")
    last_words "$logs/$name.log" 60
  fi
}

# A clone shares built dependencies with the clones before it, but not its own package's files: cargo tells those apart
# by their paths in the clone and by time, and would run another clone's tests. A second run at a time has its own.
share_target() {
  mkdir -p "$cache/target"
  exec 9> "$cache/target/test.lock"
  flock -n 9 || return 0
  export CARGO_TARGET_DIR=$cache/target
  cargo clean --quiet --package windtunnel
}

# provide PROGRAM PACKAGE...: the program is there, or installed, or not to be had
provide() {
  has "$1" && return
  [ "$(id -u)" = 0 ] && has apt-get || return
  apt-get update -q -q
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -q -q -y --no-install-recommends "${@:2}"
}

deny() { PATH=$cache/tools/bin:$PATH cargo-deny "$@"; }

# Takes minutes, so it is done beside the rest, in a target folder of its own.
start_installing_deny() {
  [ "$(deny --version 2> /dev/null)" != "cargo-deny $deny_version" ] || return 0
  nice env -u CARGO_TARGET_DIR cargo install --locked cargo-deny --version "$deny_version" --root "$cache/tools" \
    > "$logs/install-deny.log" 2>&1 < /dev/null 9>&- &
  deny_install=$!
  trap 'kill "$deny_install"' EXIT
}

await_deny() {
  [ -n "$deny_install" ] || return 0
  trap - EXIT
  wait "$deny_install"
}

check_format() {
  cargo fmt --check
  rustfmt --edition 2024 --check scripts/bench/*.rs
}

check_shell() {
  local scripts
  scripts=$(grep -rlE '^#!.*[/ ](ba)?sh( |$)|^# shellcheck shell=' scripts .ci)
  # shellcheck disable=SC2086 # no script has a space in its name
  shellcheck $scripts
  echo "$(wc -l <<< "$scripts") scripts" >&3
}

# The second run is for what is not tested by default, which --all-targets leaves out.
check_clippy() {
  cargo clippy --locked --all-targets --features fakes -- -D warnings
  cargo clippy --locked --test e2e --features fakes -- -D warnings
}

check_tests() {
  local sequences=25
  [ "$fast" = yes ] || sequences=1000
  # The same sequences each time: whoever changes nothing of the fence is not stopped by it.
  WINDTUNNEL_FENCE_SEQUENCES=${WINDTUNNEL_FENCE_SEQUENCES:-$sequences} WINDTUNNEL_FENCE_SEED=${WINDTUNNEL_FENCE_SEED:-1} INSTA_UPDATE=no \
    cargo test --locked --features fakes --no-fail-fast
  awk '/^test result:/ { passed += $4 } END { print passed, "passed" }' "$logs/tests.log" >&3
}

check_documentation() { RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps; }

# bounded SECONDS COMMAND...: without bounds on macOS, which has no such command
bounded() { if has timeout; then timeout "$@"; else "${@:2}"; fi; }

check_dependencies() {
  deny --locked check licenses bans sources
  if bounded 10 git ls-remote --quiet https://github.com/RustSec/advisory-db HEAD; then
    deny --locked check advisories
    echo 'licences, bans, sources, advisories' >&3
  else
    echo 'licences, bans, sources; the database of advisories cannot be reached' >&3
  fi
}

# Waits for another run's build, for an hour at most: build.sh itself refuses to be the second one.
build_images() {
  if has flock; then
    flock -w 3600 "$cache/test-images.lock" scripts/images/build.sh minikube registry
  else
    scripts/images/build.sh minikube registry
  fi
}

test_cluster() {
  WINDTUNNEL_E2E_BUNDLE=$bundle WINDTUNNEL_E2E_REGISTRY=$cache/build/output/bin/registry \
    WINDTUNNEL_E2E_ARTEFACTS=${WINDTUNNEL_E2E_ARTEFACTS:-$root/artefacts} \
    cargo test --locked --features fakes --test e2e 2>&1 < /dev/null | tee "$logs/e2e.log"
}

# need STAGE COMMAND...: the last stage went well, or this is the end
need() { [ "$stage_status" = 0 ] || { failed+=("$1"); finish; }; }

# The test runner's own words last.
finish() {
  local log
  for log in "$logs"/{tests,e2e}.log; do
    [ ! -e "$log" ] || { echo; grep -E '^ +(Running|Doc-tests) |^test result:' "$log" || true; }
  done
  if [ ${#failed[@]} -gt 0 ]; then
    printf '\nFailed: %s. Logs: %s\n' "${failed[*]}" "$logs" >&2
    exit 1
  fi
  rm -rf "$logs"
  exit 0
}

export CARGO_TERM_COLOR=never
mkdir -p "$cache"
if [ "${CI:-}" = true ] && [ -z "${CARGO_TARGET_DIR:-}" ] && has flock; then share_target; fi
start_installing_deny

check format 'Format' check_format
if provide shellcheck shellcheck > "$logs/shellcheck-package.log" 2>&1; then
  check shellcheck 'Shellcheck' check_shell
else
  skip_stage 'Shellcheck' 'not here: install the package shellcheck'
fi
check clippy 'Clippy' check_clippy
check tests 'Unit tests, tests/it' check_tests
check documentation 'Documentation' check_documentation
if await_deny; then
  check deny 'Dependencies' check_dependencies
else
  skip_stage 'Dependencies' 'cargo-deny could not be built:'
  last_words "$logs/install-deny.log" 15
  failed+=(deny)
fi
if [ $fast = yes ] || [ ${#failed[@]} -gt 0 ]; then finish; fi

if ! { provide chromium "${browser[@]}" && provide chromedriver "${browser[@]}"; } > "$logs/browser.log" 2>&1; then
  skip_stage 'Browser' "not here, and a test needs it: install ${browser[*]}"
fi
engine_stage "$logs/engine.log"
need engine
stream_stage 'Images' "into $bundle" build_images
need images
stream_stage 'Tests on real clusters' 'minutes' test_cluster
need e2e
finish
