#!/usr/bin/env python3
"""tls_end_to_end.py STREAMGAUGE: a topic is read and written by TLS, with SCRAM, PLAIN and OAUTHBEARER, and secrets are in nothing that is written.

Starts a broker of its own on loopback. STREAMGAUGE has the feature kafka-tls. Needs what setup.sh (kafka) installs, and keytool of Java; run
by scripts/test-kafka-tls."""
import base64
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from kafka_end_to_end import KIT, RUN, Topic, in_order, say

STREAMGAUGE = str(pathlib.Path(sys.argv[1]).resolve())
PORT = int(os.environ["P_KAFKA"])
SECURE = f"127.0.0.1:{PORT + 2}"
SECRET, KEYSTORE_SECRET = "hush-8c5f", "hush-store-77"
GIVE_UP_SECONDS = 600
RECORDS = 1_000


def keytool(*arguments):
    subprocess.run(["keytool", *arguments], check=True, capture_output=True)


def certificate():
    """A certificate of the broker that is its own authority."""
    store = ["-keystore", str(RUN / "broker.p12"), "-storetype", "PKCS12", "-storepass", KEYSTORE_SECRET, "-alias", "broker"]
    keytool("-genkeypair", "-keyalg", "RSA", "-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1", "-validity", "2", *store)
    keytool("-exportcert", "-rfc", "-file", str(RUN / "ca.pem"), *store)


def listeners():
    login = "org.apache.kafka.common.security"
    secure = "listener.name.sasl_ssl"
    return [
        f"listeners=PLAINTEXT://127.0.0.1:{PORT},CONTROLLER://127.0.0.1:{PORT + 1},SASL_SSL://{SECURE}",
        f"advertised.listeners=PLAINTEXT://127.0.0.1:{PORT},SASL_SSL://{SECURE}",
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
        f"{secure}.sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN,OAUTHBEARER",
        f"{secure}.scram-sha-512.sasl.jaas.config={login}.scram.ScramLoginModule required;",
        f'{secure}.plain.sasl.jaas.config={login}.plain.PlainLoginModule required user_plain="{SECRET}";',
        f'{secure}.oauthbearer.sasl.jaas.config={login}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
        f"ssl.keystore.location={RUN}/broker.p12",
        "ssl.keystore.type=PKCS12",
        f"ssl.keystore.password={KEYSTORE_SECRET}",
    ]


def token():
    """A token that the broker's own check for tests accepts."""
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    now = time.time()
    return part({"alg": "none"}) + "." + part({"sub": "hits", "iat": now, "exp": now + 600}) + "."


class Kafka:
    """`streamgauge kafka` with one mechanism."""

    def __init__(self, name, topic, out, properties, *more):
        (RUN / f"{name}.properties").write_text("".join(f"{line}\n" for line in ["security.protocol=SASL_SSL", *properties]))
        self.log = RUN / f"{name}.log"
        command = [STREAMGAUGE, "kafka", "--brokers", SECURE, "--topic", topic, "--from", "earliest", "--pipeline", str(RUN / "hits.toml")]
        command += ["--config", str(RUN / f"{name}.properties"), "--state", str(RUN / f"{name}.state"), "--out", out, "--save-every", "500ms", *more]
        environment = {**os.environ, "HITS_PASSWORD": SECRET}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        assert code == 143, f"it ended with {code}: {self.log.read_text()}"


def main():
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir(parents=True)
    certificate()
    subprocess.run([KIT / "start-kafka.sh", "start", *listeners()], check=True)
    (RUN / "hits.toml").write_text('time = "ts"\ntime_format = "ms"\nwindow = "10s"\nmax_ahead = "off"\ngroup = "country"\nagg = "count"\n')
    hits = [{"ts": 1_700_000_000_000 + index * 100, "user": f"u{index % 7}", "country": "DE" if index % 3 else "FR"} for index in range(RECORDS)]
    (RUN / "hits.jsonl").write_text("".join(json.dumps(hit) + "\n" for hit in hits))
    batch = subprocess.run(
        [STREAMGAUGE, "run", "--pipeline", str(RUN / "hits.toml"), str(RUN / "hits.jsonl"), "--output", "json"], capture_output=True, text=True, check=True
    )
    expected = in_order(batch.stdout.splitlines())
    topic = Topic()
    topic.ask("create", "clicks", 2, "retention.ms=-1")
    topic.ask("scram", "hits", SECRET)
    topic.ask("file", "clicks", RUN / "hits.jsonl", 0, RECORDS)
    authority = f"ssl.ca.location={RUN}/ca.pem"
    (RUN / "password").write_text(SECRET + "\n")
    (RUN / "token").write_text(token())
    ways = {
        "scram": ([authority, "sasl.mechanism=SCRAM-SHA-512", "sasl.username=hits", f"sasl.password=${{file:{RUN}/password}}"], []),
        "plain": ([authority, "sasl.mechanism=PLAIN", "sasl.username=plain", "sasl.password=${env:HITS_PASSWORD}"], []),
        "oauth": ([authority, "sasl.mechanism=OAUTHBEARER"], ["--token-command", f"cat {RUN}/token"]),
    }
    for name, (properties, more) in ways.items():
        topic.ask("create", f"answers-{name}", 2)
        reader = Kafka(name, "clicks", f"kafka:answers-{name}", properties, *more)
        end, rows = time.monotonic() + 60, []
        # The windows of the last 10 s stay open.
        while len(rows) < len(expected) - 4:
            assert time.monotonic() < end and reader.process.poll() is None, reader.log.read_text()
            topic.ask("last", f"answers-{name}", RUN / f"{name}.jsonl")
            rows = in_order((RUN / f"{name}.jsonl").read_text().splitlines())
        reader.end()
        assert rows == expected[: len(rows)], name
        say(f"{name}: {len(rows)} rows by TLS are the batch answer's")
    # What is wrong is said, without the secret.
    wrong = {
        "password": [authority, "sasl.mechanism=SCRAM-SHA-512", "sasl.username=hits", f"sasl.password={SECRET}-wrong"],
        "authority": ["sasl.mechanism=PLAIN", "sasl.username=plain", f"sasl.password={SECRET}"],
    }
    for name, properties in wrong.items():
        reader = Kafka(f"wrong-{name}", "clicks", str(RUN / "none.jsonl"), properties)
        assert reader.process.wait(120) != 0, name
        say(f"wrong {name}: {reader.log.read_text().splitlines()[-1]}")
    topic.process.kill()
    written = [path for path in RUN.rglob("*") if path.is_file() and path.suffix not in (".p12", ".properties") and path.name not in ("password", "token")]
    token_text = (RUN / "token").read_bytes()
    for path in written:
        content = path.read_bytes()
        assert SECRET.encode() not in content and token_text not in content, f"{path} has a secret"
        assert b"panicked" not in content, path
    say(f"no secret is in the {len(written)} files that were written")


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"not done in {GIVE_UP_SECONDS} s"))
    signal.alarm(GIVE_UP_SECONDS)
    try:
        main()
    finally:
        subprocess.run([KIT / "start-kafka.sh", "stop"], check=True)
