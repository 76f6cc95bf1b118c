#!/usr/bin/env python3
"""otlp_receiver.py PORT FILE: a receiver of OTLP metrics by HTTP on loopback, that decodes with the classes
of opentelemetry-proto. Each request becomes a JSON line in FILE: code, problems, body. Problems are what a
strict back end would refuse. FAIL=503,200 gives the codes of the first replies (Retry-After: 1 with 429 and
503); PARTIAL=1 refuses a point of each request; SLOW=2 waits 2 seconds before each reply."""
import http.server
import json
import math
import os
import sys
import time

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service

PORT, FILE = int(sys.argv[1]), sys.argv[2]
FAIL = [int(code) for code in os.environ.get("FAIL", "").split(",") if code]


def histogram_problems(point):
    """What is wrong with an exponential histogram. Bucket i holds (base^i, base^(i+1)]."""
    sides = point.positive, point.negative
    counted = point.zero_count + sum(sum(side.bucket_counts) for side in sides)
    if counted != point.count:
        yield f"buckets and zeros are {counted}, the count is {point.count}"
    if not -10 <= point.scale <= 20:
        yield f"scale {point.scale}"
    low, high = (point.min, point.max) if point.HasField("min") else (None, None)
    if low is None or low <= 0:
        return
    width = 2.0**-point.scale
    full = [index + point.positive.offset for index, n in enumerate(point.positive.bucket_counts) if n]
    for index, number in ((full[0], low), (full[-1], high)):
        if not index * width - 1e-9 <= math.log2(number) <= (index + 1) * width + 1e-9:
            yield f"{number} is not in bucket {index}"


def problems(request):
    """What a strict back end would refuse."""
    seen = set()
    for resource in request.resource_metrics:
        if "service.name" not in {one.key for one in resource.resource.attributes}:
            yield "a resource without service.name"
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            kind = metric.WhichOneof("data")
            data = getattr(metric, kind)
            if kind != "gauge" and data.aggregation_temporality not in (1, 2):
                yield f"{metric.name}: no temporality"
            for point in data.data_points:
                keys = [one.key for one in point.attributes]
                if len(keys) != len(set(keys)):
                    yield f"{metric.name}: a key twice"
                if not 0 < point.time_unix_nano or point.start_time_unix_nano > point.time_unix_nano:
                    yield f"{metric.name}: times"
                if kind != "gauge" and not point.start_time_unix_nano:
                    yield f"{metric.name}: no start"
                if kind == "exponential_histogram":
                    yield from (f"{metric.name}: {problem}" for problem in histogram_problems(point))
                series = sorted((one.key, one.value.string_value) for one in point.attributes)
                # Deltas are points of different times.
                series = metric.name, str(series), point.time_unix_nano
                if series in seen:
                    yield f"{series} is there twice"
                seen.add(series)


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        code, found, body = 200, [], None
        try:
            request = service.ExportMetricsServiceRequest.FromString(raw)
            found = list(problems(request))
            body = json_format.MessageToDict(request, preserving_proto_field_name=True)
        except Exception as error:  # noqa: BLE001, whatever it is goes to the test
            code, found = 400, [repr(error)]
        if self.path != "/v1/metrics" or self.headers["Content-Type"] != "application/x-protobuf":
            code, found = 404, [f"{self.path} {self.headers['Content-Type']}"]
        if FAIL:
            code = FAIL.pop(0)
        with open(FILE, "a") as file:
            line = {"code": code, "problems": found, "headers": dict(self.headers), "body": body}
            file.write(json.dumps(line) + "\n")
        time.sleep(float(os.environ.get("SLOW", 0)))
        reply = service.ExportMetricsServiceResponse()
        if os.environ.get("PARTIAL"):
            reply.partial_success.rejected_data_points = 1
            reply.partial_success.error_message = "one point is too old"
        self.reply(code, reply.SerializeToString())

    def do_GET(self):
        self.reply(200, b"")

    def reply(self, code, body):
        self.send_response(code)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        if code in (429, 503):
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Receiver).serve_forever()
