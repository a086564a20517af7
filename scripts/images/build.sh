#!/usr/bin/env bash
# Builds the tools and images of a local cluster with Airflow from package registries alone.
set -euo pipefail
export images
images=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib/common.sh
. "$images/lib/common.sh"
# shellcheck source=lib/prerequisites.sh
. "$images/lib/prerequisites.sh"

usage() {
  cat << EOT
Usage: scripts/images/build.sh [--bundle DIR] [STAGE...]

Builds the tools and images of a local cluster with Airflow from Debian packages, Go modules and PyPI, without any
image registry, and leaves them in a bundle: DIR, or \$XDG_CACHE_HOME/windtunnel/bundle. It needs a Docker Engine
(scripts/engine.sh). Every stage does nothing while what it is made from is unchanged and its result is there.

Stages:
  kind         kind $KIND
  helm         Helm $HELM
  helm4        Helm $HELM4, for tests; not in the bundle, and only if named
  registry     the reference registry server $REGISTRY, for tests; not in the bundle, and only if named
  minikube     minikube $MINIKUBE, only if named; from then on it is in the bundle
  redis        $prefix/redis, for Celery, only if named; from then on it is in the bundle
  kubernetes   the Kubernetes $KUBERNETES commands, one program
  components   etcd, CoreDNS, crictl, pause
  postgres     $prefix/postgres, PostgreSQL $POSTGRES
  airflow      $prefix/airflow:$AIRFLOW
  node         $prefix/node:v$KUBERNETES for kind and minikube, with all that runs in it, after all of the above
  bundle       bundle.json, after all the others
  official-2   $prefix/airflow:$OFFICIAL_2 in the place of $AIRFLOW, in a bundle of its own for the profile of this name,
               DIR or \$XDG_CACHE_HOME/windtunnel/bundle-official-2; only if named
  community    the same with $prefix/airflow:$COMMUNITY; OFFICIAL_2, OFFICIAL_2_DATE, COMMUNITY and COMMUNITY_DATE name
               another Airflow 2 and the day whose packages it is made of

Programs are compiled while images are put together. Without a STAGE it is all of them but those that must be named; a
named one brings those that it comes after, and minikube, redis, official-2 and community the bundle.
EOT
}

bundled=(kind helm kubernetes components postgres airflow node bundle)
requested=()
folder=
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit ;;
    --bundle) folder=${2:?--bundle needs a folder}; shift ;;
    --bundle=*) folder=${1#*=} ;;
    kind | helm | helm4 | registry | kubernetes | components | postgres | airflow) requested+=("$1") ;;
    node) requested+=(kubernetes components postgres airflow node) ;;
    minikube | redis) requested+=("$1" "${bundled[@]}") ;;
    official-2 | community)
      [ "$airflow" = airflow ] || fail 'A bundle has one Airflow: name official-2 or community, not both.'
      airflow=$1
      bundle=$cache/bundle-$1
      requested+=("$1" "${bundled[@]}")
      ;;
    bundle) requested+=("${bundled[@]}") ;;
    *) usage >&2; fail "Unknown argument: $1" ;;
  esac
  shift
done
[ ${#requested[@]} -gt 0 ] || requested=("${bundled[@]}")
# Once built, they are kept up to date.
for name in minikube redis; do
  if [ -e "$output/$name.json" ] && [[ " ${requested[*]} " == *" bundle "* ]]; then requested+=("$name"); fi
done
bundle=${folder:-$bundle}
mkdir -p "$bundle"
bundle=$(cd "$bundle" && pwd)
export bundle

# run_stages STAGE...: those of them that are requested, one after the other
run_stages() {
  local stage
  for stage; do
    if [[ " ${requested[*]} " == *" $stage "* ]]; then "$images/lib/run-stage.sh" "$stage" || return; fi
  done
}

mkdir -p "$state" "$output" "$logs"
exec {lock}> "$state/lock"
flock -n "$lock" || fail "Another build is at work in $cache: wait for it to end."
check_prerequisites

# Side by side: compiling takes the processors, packages take the network and the disk. Each side is a process group,
# so that an interrupt reaches the compiler as well.
set -m
run_stages kind helm kubernetes components helm4 registry minikube &
compiling=$!
run_stages postgres redis airflow official-2 community &
packing=$!
set +m
trap 'kill -- "-$compiling" "-$packing" 2> /dev/null; exit 130' INT TERM
failed=0
wait "$compiling" || failed=1
wait "$packing" || failed=1
[ $failed = 0 ] || exit 1
run_stages node bundle
