# What a build needs on the machine: looked for before anything starts, and named if it is not there.
# shellcheck shell=bash disable=SC2154

check_prerequisites() {
  [ "$(uname -s)" = Linux ] || fail 'Images are built on Linux.'
  check_packages
  check_go
  check_versions
  if ! docker version > /dev/null 2>&1 && ! is_current; then
    fail 'No Docker Engine answers. Start one: scripts/engine.sh'
  fi
}

# When every stage is current, the engine is not needed.
is_current() {
  local stage
  for stage in "${requested[@]}"; do
    "$images/lib/run-stage.sh" --is-current "$stage" || return
  done
}

check_packages() {
  local command packages=() needed=(mmdebstrap:mmdebstrap jq:jq gcc:gcc python3:python3 strip:binutils)
  for command in "${needed[@]}"; do
    command -v "${command%%:*}" > /dev/null || packages+=("${command#*:}")
  done
  [ -e /usr/include/stdio.h ] || packages+=(libc6-dev)
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || packages+=(debian-archive-keyring)
  python3 -c 'import ensurepip' 2> /dev/null || packages+=(python3-venv)
  [ ${#packages[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
    fail "Missing here, by the names of their Debian packages: ${packages[*]}" \
      "On Debian or Ubuntu: sudo apt-get install ${packages[*]}"
  fi
  say "Installing ${packages[*]}"
  apt-get update -q -q
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -q -q -y --no-install-recommends \
    "${packages[@]}" > "$logs/packages.log" 2>&1 ||
    fail "That did not work: $(tail -n 1 "$logs/packages.log")" "All of it: $logs/packages.log"
}

check_go() {
  local have
  command -v go > /dev/null || fail "Go is not on PATH: install Go $GO or newer, see https://go.dev/doc/install"
  # In a module that asks for more, go fetches the newer toolchain by itself unless GOTOOLCHAIN forbids it.
  have=$(cd "$images/go/crictl" && go env GOVERSION 2>&1) ||
    fail "This Go is too old: $have" "Install Go $GO or newer, see https://go.dev/doc/install"
}

check_versions() {
  check_version kind sigs.k8s.io/kind "$KIND"
  check_version helm helm.sh/helm/v3 "$HELM"
  check_version helm4 helm.sh/helm/v4 "$HELM4"
  check_version registry github.com/distribution/distribution/v3 "$REGISTRY"
  check_version minikube k8s.io/minikube "$MINIKUBE"
  check_version kubernetes k8s.io/kubernetes "$KUBERNETES"
}

# check_version MODULE DEPENDENCY VERSION
check_version() {
  grep -Eq "^(require )?[[:space:]]*$2 v$3( |$)" "$images/go/$1/go.mod" ||
    fail "versions.env has $2 $3, and scripts/images/go/$1/go.mod another version."
}
