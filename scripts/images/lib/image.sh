# Images of one layer: Debian packages in a folder, changed by a script, imported. Nothing is downloaded inside of a
# container, so the machine's own settings for proxies, mirrors and certificates hold, and none of them stays behind.
# An image's Dockerfile only says how it is run.
# shellcheck shell=bash disable=SC2154

# make_image IMAGE FOLDER RELEASE [MMDEBSTRAP OPTION...]
# FOLDER has `packages`, one a line; `customize`, run with the root folder; and a Dockerfile.
make_image() {
  local image=$1 release=$3 sources
  export folder=$images/$2
  sources=$(debian_sources "$release")
  shift 3
  export_apt_proxy
  mmdebstrap --variant=essential --include="usr-is-merged,$(grep -v '^#' "$folder/packages" | paste -s -d ,)" \
    --hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/bash-completion/*' --dpkgopt='path-exclude=/usr/share/zoneinfo/right/*' \
    --dpkgopt='path-exclude=/usr/share/lintian/*' --dpkgopt='path-exclude=/usr/share/bug/*' \
    "$@" --customize-hook="$folder/customize" --customize-hook="$images/lib/forget-machine" \
    "$release" "$work/root.tar" "$sources"
  docker import "$work/root.tar" "$image-files"
  rm "$work/root.tar"
  docker build --build-arg "FILES=$image-files" --label "org.opencontainers.image.title=${image##*/}" \
    --tag "$image" - < "$folder/Dockerfile"
  docker rmi "$image-files"
}

# import_program IMAGE FILE...: an image of static programs and nothing else; the first one is run
import_program() {
  local image=$1 files=("${@:2}")
  tar -C "${files[0]%/*}" -c "${files[@]##*/}" | docker import --change 'ENV PATH=/' --change "ENTRYPOINT [\"/${files[0]##*/}\"]" - "$image"
}

# Where this machine gets Debian from, for the given release; on another system Debian's own servers.
debian_sources() {
  local sources='' here keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  # shellcheck disable=SC1091
  here=$(. /etc/os-release && echo "$ID ${VERSION_CODENAME:-}")
  if [[ $here == debian\ ?* ]]; then
    # shellcheck disable=SC2016 # apt-get's own variables
    sources=$(apt-get indextargets --format 'deb [signed-by=KEYRING] $(REPO_URI) $(RELEASE) $(COMPONENT)' \
      'Created-By: Packages' 'Origin: Debian' 'Component: main' | sort -u | sed -e "s/ ${here#* }/ $1/" -e "s#KEYRING#$keyring#")
  fi
  if [ -n "$sources" ]; then
    echo "$sources"
  else
    printf "deb [signed-by=$keyring] http://deb.debian.org/%s main\n" "debian $1" "debian $1-updates" "debian-security $1-security"
  fi
}

# A proxy that only apt's configuration names. apt in the new root has a configuration of its own.
export_apt_proxy() {
  local proxy=''
  if command -v apt-config > /dev/null; then eval "$(apt-config shell proxy Acquire::http::Proxy)"; fi
  if [ -n "$proxy" ]; then export http_proxy=${http_proxy:-$proxy}; fi
}
