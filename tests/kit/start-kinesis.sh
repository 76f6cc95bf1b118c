#!/bin/bash
# start-kinesis.sh start|stop: a Kinesis (kinesis-local, port $P_KINESIS) and a DynamoDB for the
# leases (moto, port $P_DYNAMODB), both in memory and on the loopback interface only. `stop` ends
# exactly the processes that `start` began, by their id.
source "$(dirname "$0")/env.sh"

start() {
  local port
  for port in "$P_KINESIS" "$P_KINESIS_TLS" "$P_DYNAMODB"; do
    if listening "$port"; then echo "port $port is taken: set P_KINESIS, P_KINESIS_TLS or P_DYNAMODB" >&2; exit 1; fi
  done
  (cd "$KIT_DIR/node_modules/kinesis-local" &&
    KINESIS_MOCK_TLS_PORT=$P_KINESIS_TLS KINESIS_MOCK_PLAIN_PORT=$P_KINESIS exec node -r "$KIT_DIR/loopback.js" main.js) \
    > "$RUN_DIR/kinesis.log" 2>&1 < /dev/null &
  echo $! > "$RUN_DIR/kinesis.pid"
  "$KIT_DIR/venv/bin/moto_server" -H 127.0.0.1 -p "$P_DYNAMODB" > "$RUN_DIR/dynamodb.log" 2>&1 < /dev/null &
  echo $! > "$RUN_DIR/dynamodb.pid"
  for port in "$P_KINESIS" "$P_DYNAMODB"; do
    for _ in $(seq 600); do listening "$port" && break; sleep 0.5; done
    listening "$port" || { echo "nothing listens on port $port after 300 s: see $RUN_DIR/*.log" >&2; stop; exit 1; }
  done
  echo up
}

# kinesis-local closes its ports on TERM but may not exit, so KILL follows after 2 s.
stop() {
  local file pid signal
  for signal in TERM KILL; do
    for file in "$RUN_DIR/kinesis.pid" "$RUN_DIR/dynamodb.pid"; do
      [ -f "$file" ] || continue
      pid=$(cat "$file")
      kill -"$signal" "$pid" 2>/dev/null || true
    done
    [ "$signal" = TERM ] && sleep 2
  done
  rm -f "$RUN_DIR/kinesis.pid" "$RUN_DIR/dynamodb.pid"
}

case "${1:-start}" in
  start) start ;;
  stop) stop ;;
  *) echo "start-kinesis.sh start|stop" >&2; exit 2 ;;
esac
