# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=()
after=(kind helm minikube node "$airflow" postgres redis)
results=("$bundle/bundle.json")

build() {
  local entries=("$output"/{node,"$airflow",postgres,kind,helm}.json) name
  for name in minikube redis; do
    if [ -e "$output/$name.json" ]; then entries+=("$output/$name.json"); fi
  done
  jq -s '{format: 1, entries: .}' "${entries[@]}" > "$bundle/bundle.json.new"
  from_new "$bundle/bundle.json"
}
