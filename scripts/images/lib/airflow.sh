# Airflow's image, of whichever version.
# shellcheck shell=bash disable=SC1091,SC2154

# build_airflow STAGE VERSION DATE EXTRAS: EXTRAS of the package apache-airflow, and the newest packages of DATE
build_airflow() {
  . "$images/lib/image.sh"
  . "$images/lib/python.sh"
  . "$images/lib/entries.sh"
  prepare_uv
  export AIRFLOW_REQUIREMENT="apache-airflow[$4]==$2" AIRFLOW_DATE=$3
  make_image "$prefix/airflow:$2" airflow "$DEBIAN"
  image_entry "$1" airflow "$2" "$prefix/airflow:$2"
}
