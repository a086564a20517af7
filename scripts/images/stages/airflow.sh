# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=(airflow lib/image.sh lib/forget-machine lib/python.sh)
versions=(AIRFLOW AIRFLOW_DATE DEBIAN)
results=("$output/bundle/airflow.tar" "$output/airflow.json")

build() {
  . "$images/lib/image.sh"
  . "$images/lib/python.sh"
  . "$images/lib/entries.sh"
  prepare_uv
  export AIRFLOW AIRFLOW_DATE
  make_image "$prefix/airflow:$AIRFLOW" airflow "$DEBIAN"
  image_entry airflow airflow "$AIRFLOW" "$prefix/airflow:$AIRFLOW"
}
