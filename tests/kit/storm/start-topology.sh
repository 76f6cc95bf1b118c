#!/bin/bash
# start-topology.sh IN OUT COMMAND [ARG...]: runs the topology of Topology.java in a LocalCluster of
# Storm, in this process. Its log is OUT.log.
source "$(dirname "$0")/../env.sh"

files="$(mktemp -d)"
trap 'rm -rf "$files"' EXIT
java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.io.tmpdir="$files" -Dstorm.log.dir="$files" \
    -Dlog4j2.configurationFile="$KIT/storm/log4j2.xml" -cp "$KIT_DIR/storm/classes:$KIT_DIR/storm/jars/*" Topology "$@" >> "$2.log" 2>&1 &
java=$!
echo "$java" > "$2.pid"
wait "$java"
