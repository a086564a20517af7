#!/bin/sh
# SNAPSHOT...: runs in a container of a node image that has been given images, which are in these snapshots.
#
# What runs are an image's unpacked files: the layers that they came from are as big again. The files go out of /var, all of which the engine
# copies into a volume for each node that is made of the image.
set -eu
ctr --namespace k8s.io content prune references > /dev/null
mkdir -p /kind/images
for snapshot; do
  files=/kind/images/kept-${snapshot##*/}
  mv "$snapshot/fs" "$files"
  ln -s "$files" "$snapshot/fs"
done
