# Sourced by the other scripts: where the kit's files are, where it installs and keeps its logs, and
# its ports.
set -euo pipefail
KIT="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
KIT_DIR="${KIT_DIR:-$(cd "$KIT/../.." && pwd)/target/kit}"   # installed programs
RUN_DIR="${RUN_DIR:-$KIT_DIR/run}"                           # process ids, logs, property files of one run
P_KINESIS="${P_KINESIS:-4568}" P_KINESIS_TLS="${P_KINESIS_TLS:-4567}" P_DYNAMODB="${P_DYNAMODB:-5555}" P_KAFKA="${P_KAFKA:-9192}"
PYTHON="$KIT_DIR/venv/bin/python3"
KINESIS="${KINESIS:-http://127.0.0.1:$P_KINESIS}"
export KINESIS RUN_DIR P_DYNAMODB P_KAFKA                    # the Python tests read them
mkdir -p "$KIT_DIR" "$RUN_DIR"

# Whether something listens on a port of the loopback interface.
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
