# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=()
after=(kind helm minikube node airflow postgres)
results=("$bundle/bundle.json")

build() {
  local entries=("$output"/{node,airflow,postgres,kind,helm}.json)
  if [ -e "$output/minikube.json" ]; then entries+=("$output/minikube.json"); fi
  jq -s '{format: 1, entries: .}' "${entries[@]}" > "$bundle/bundle.json.new"
  from_new "$bundle/bundle.json"
}
