# uv, and the settings of pip that it would not find by itself.
# shellcheck shell=bash disable=SC2154

# Leaves uv in $work/uv/bin, the file of trusted certificates in $certificates, and pip's index in uv's own variables.
prepare_uv() {
  local index extra
  python3 -m venv "$work/uv"
  "$work/uv/bin/pip" install --quiet uv
  export certificates=${PIP_CERT:-${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}}
  index=$(pip_setting index-url "${PIP_INDEX_URL:-}")
  extra=$(pip_setting extra-index-url "${PIP_EXTRA_INDEX_URL:-}")
  if [ -n "$index" ]; then export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index}; fi
  if [ -n "$extra" ]; then export UV_INDEX=${UV_INDEX:-$extra}; fi
}

# pip_setting NAME VALUE: the value, or else what pip's files of configuration say
pip_setting() {
  if [ -n "$2" ]; then
    echo "$2"
  else
    "$work/uv/bin/pip" config get "global.$1" 2> /dev/null || true
  fi
}
