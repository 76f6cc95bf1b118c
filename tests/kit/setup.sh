#!/bin/bash
# setup.sh [python] [node] [jars] [kafka] [storm]: installs what the kit runs into target/kit (what
# Kinesis needs unless parts are named; about a minute, 350 MB): a Python environment, node modules,
# the jars of the MultiLangDaemon; those of a Kafka broker (44 MB); those of Storm (136 MB) with a
# topology. Does nothing for what is there already; an install that was cut short starts again.
# Needs python3 with venv, node and npm, Java 17 and mvn. Versions are pinned in requirements.txt,
# package.json and pom.xml.
source "$(dirname "$0")/env.sh"

# install NAME COMMAND...: runs COMMAND unless it succeeded before for the same pins.
install() {
  local name=$1 pins; shift
  case $name in
    kafka) pins=$(cksum < "$KIT/kafka/pom.xml") ;;
    *) pins=$(cat "$KIT/requirements.txt" "$KIT/package.json" "$KIT/pom.xml" | cksum) ;;
  esac
  [ "$(cat "$KIT_DIR/$name.done" 2>/dev/null)" = "$pins" ] && return
  "$@"
  echo "$pins" > "$KIT_DIR/$name.done"
}
python_environment() {
  python3 -m venv --clear "$KIT_DIR/venv"
  "$KIT_DIR/venv/bin/pip" install --quiet --disable-pip-version-check -r "$KIT/requirements.txt"
}
node_modules() {
  cp "$KIT/package.json" "$KIT/loopback.js" "$KIT_DIR/"
  (cd "$KIT_DIR" && npm install --no-audit --no-fund --silent)
}
jars() {
  rm -rf "$KIT_DIR/jars"
  mvn -q -B -f "$KIT/pom.xml" dependency:copy-dependencies -DoutputDirectory="$KIT_DIR/jars" -DincludeScope=runtime
}
kafka_jars() {
  rm -rf "$KIT_DIR/kafka"
  mvn -q -B -f "$KIT/kafka/pom.xml" dependency:copy-dependencies -DoutputDirectory="$KIT_DIR/kafka" -DincludeScope=runtime
}
storm() {
  local place="$KIT_DIR/storm" pins
  pins=$(cat "$KIT/storm/pom.xml" "$KIT/storm/Topology.java" | cksum)
  [ "$(cat "$place/done" 2>/dev/null)" = "$pins" ] && return
  rm -rf "$place"
  mvn -q -B -f "$KIT/storm/pom.xml" dependency:copy-dependencies -DoutputDirectory="$place/jars" -DincludeScope=runtime
  javac -nowarn -cp "$place/jars/*" -d "$place/classes" "$KIT/storm/Topology.java"
  echo "$pins" > "$place/done"
}
for part in "${@:-python node jars}"; do
  for name in $part; do
    case $name in
      python) install python python_environment ;;
      node) install node node_modules ;;
      jars) install jars jars ;;
      kafka) install kafka kafka_jars ;;
      storm) storm ;;
      *) echo "setup.sh [python] [node] [jars] [kafka] [storm]" >&2; exit 2 ;;
    esac
  done
done
echo "ready: $KIT_DIR"
