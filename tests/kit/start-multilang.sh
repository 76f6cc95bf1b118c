#!/bin/bash
# start-multilang.sh STREAM APPLICATION [WORKER] -- COMMAND...
# Runs the MultiLangDaemon in the foreground, which starts COMMAND for each shard that it leases;
# TERM it to see shutdownRequested. APPLICATION names the lease table, WORKER (default w1) the
# daemon. The daemon splits COMMAND at spaces and knows no quotes.
source "$(dirname "$0")/env.sh"

stream=${1:?stream} application=${2:?application} worker=w1
shift 2
if [ "${1:-}" != -- ]; then worker=${1:?worker}; shift; fi
[ "${1:-}" = -- ] || { echo "start-multilang.sh STREAM APPLICATION [WORKER] -- COMMAND..." >&2; exit 2; }
shift
properties="$RUN_DIR/$application-$worker.properties"
sed -e "s#@COMMAND@#$*#; s#@STREAM@#$stream#; s#@APPLICATION@#$application#; s#@WORKER@#$worker#" \
    -e "s#@KINESIS@#$KINESIS#; s#@DYNAMODB@#http://127.0.0.1:$P_DYNAMODB#" "$KIT/multilang.properties" > "$properties"
# Of two lines for the same key the last one counts.
echo "${MORE_PROPERTIES:-}" >> "$properties"
export PROC_LOG_DIR="${PROC_LOG_DIR:-$RUN_DIR/proc-$application}"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
# Without file.encoding the protocol's charset would come from the locale.
exec java -Dfile.encoding=UTF-8 -Xmx512m -cp "$KIT_DIR/jars/*" software.amazon.kinesis.multilang.MultiLangDaemon "$properties"
