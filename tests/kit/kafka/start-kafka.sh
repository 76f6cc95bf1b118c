#!/bin/bash
# start-kafka.sh start [KEY=VALUE...]: one Kafka broker, its own controller, on 127.0.0.1:$P_KAFKA
# (controller on the port after it). Data, log and process id in $RUN_DIR/kafka. start-kafka.sh stop
# | kill: TERM, or KILL at once, so that the next start finds the same data.
source "$(dirname "$0")/../env.sh"
DIR="$RUN_DIR/kafka" CONTROLLER=$((P_KAFKA + 1))
mkdir -p "$DIR"
stop() {
  local pid; pid=$(cat "$DIR/kafka.pid" 2>/dev/null) || return 0
  kill "$1" "$pid" 2>/dev/null || true
  for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null || true
  rm -f "$DIR/kafka.pid"
}
start() {
  for port in $P_KAFKA $CONTROLLER; do listening "$port" && { echo "port $port is taken: set P_KAFKA" >&2; exit 1; }; done
  cat > "$DIR/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$P_KAFKA,CONTROLLER://127.0.0.1:$CONTROLLER
advertised.listeners=PLAINTEXT://127.0.0.1:$P_KAFKA
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$DIR/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.segment.bytes=67108864
log.cleaner.dedupe.buffer.size=8388608
P
  printf '%s\n' "$@" >> "$DIR/server.properties"
  local java=(java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.showDateTime=true -cp "$KIT_DIR/kafka/*")
  if [ ! -f "$DIR/data/meta.properties" ]; then
    "${java[@]}" kafka.tools.StorageTool format -t c3RyZWFtZ2F1Z2Utdw -c "$DIR/server.properties" > "$DIR/format.log" 2>&1 || { cat "$DIR/format.log" >&2; exit 1; }
  fi
  # The log of an earlier start must not say that this one is done.
  : > "$DIR/kafka.log"
  "${java[@]}" kafka.Kafka "$DIR/server.properties" >> "$DIR/kafka.log" 2>&1 &
  local pid=$!
  echo $pid > "$DIR/kafka.pid"
  for _ in $(seq 300); do
    grep -q 'Kafka Server started' "$DIR/kafka.log" && return
    kill -0 $pid 2>/dev/null || break
    sleep 0.2
  done
  echo "Kafka did not start:" >&2; tail -20 "$DIR/kafka.log" >&2; exit 1
}
case "${1:-}" in
  start) shift; start "$@" ;;
  stop) stop -TERM ;;
  kill) stop -KILL ;;
  *) echo "start-kafka.sh start | stop | kill" >&2; exit 2 ;;
esac
