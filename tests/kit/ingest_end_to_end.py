#!/usr/bin/env python3
"""ingest_end_to_end.py FUNCTION: records that come by HTTP, in both ways of examples/ingest/template.yaml.

API Gateway is not here. Its template language is (airspeed), so what the direct integration sends is known, and goes to the Kinesis that
start-kinesis.sh has started. The function runs behind the Runtime API of local_lambda.py."""
import base64
import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.request

import airspeed
import boto3
import yaml

HERE = pathlib.Path(__file__).resolve().parent
TEMPLATE = HERE.parent.parent / "examples" / "ingest" / "template.yaml"
RUN = pathlib.Path(os.environ["RUN_DIR"])
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
NASTY = ['{"user":"a"}', '{"user":"it\'s \\"quoted\\""}', '{"user":"ü","text":"line\\nline"}', "$util #set($x = 1) \\ plain"]
STREAM = "ingested"


class Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as their arguments."""


Loader.add_multi_constructor("!", lambda loader, _, node: loader.construct_scalar(node))


class Input:
    """The variable $input of a mapping template. Its paths have one step."""

    def __init__(self, body):
        self.body = body

    def path(self, path):
        return self.body[path.removeprefix("$.")]

    def json(self, path):
        return json.dumps(self.body)


class Util:
    def base64Encode(self, text):
        return base64.b64encode(text.encode()).decode()

    def escapeJavaScript(self, text):
        return Text(json.dumps(text)[1:-1].replace("'", "\\'"))


class Text(str):
    def replaceAll(self, part, new):
        return Text(re.sub(part, new, self))


def rendered(template, body):
    """What a mapping template makes of a body, and the status that it sets."""
    context = {"responseOverride": {}}
    text = airspeed.Template(template).merge({"input": Input(body), "util": Util(), "context": context})
    return json.loads(text), context["responseOverride"].get("status")


def records_of(kinesis):
    """All records of the stream, as partition key and payload."""
    found = []
    for shard in kinesis.list_shards(StreamName=STREAM)["Shards"]:
        iterator = kinesis.get_shard_iterator(StreamName=STREAM, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        for _ in range(3):
            page = kinesis.get_records(ShardIterator=iterator)
            found += [(record["PartitionKey"], record["Data"].decode()) for record in page["Records"]]
            iterator = page["NextShardIterator"]
    return found


def check_direct(kinesis):
    """The integration puts the records as they are, and tells when some were refused."""
    subprocess.run([pathlib.Path(sys.executable).parent / "cfn-lint", TEMPLATE], check=True)
    template = yaml.load(TEMPLATE.read_text(), Loader)
    post = template["Resources"]["DirectApi"]["Properties"]["DefinitionBody"]["paths"]["/records"]["post"]
    integration = post["x-amazon-apigateway-integration"]
    request = integration["requestTemplates"]["application/json"]["Fn::Sub"].replace("${Stream}", STREAM)
    body = {"records": [{"data": data, "key": f"it's {index} \"ü\""} for index, data in enumerate(NASTY)]}
    sent, status = rendered(request, body)
    assert sent["StreamName"] == STREAM and status is None, sent
    for record in sent["Records"]:
        record["Data"] = base64.b64decode(record["Data"])
    answer = kinesis.put_records(**sent)
    assert answer["FailedRecordCount"] == 0, answer
    expected = [(record["key"], record["data"]) for record in body["records"]]
    assert sorted(records_of(kinesis)) == sorted(expected)
    answers = integration["responses"]["200"]["responseTemplates"]["application/json"]
    for refused, status in [(0, None), (2, 503)]:
        said = {"FailedRecordCount": refused, "Records": [{"ErrorCode": "ProvisionedThroughputExceededException"}]}
        assert rendered(answers, said) == (said, status), refused


class Function:
    """The function behind a Runtime API."""

    def __init__(self, command):
        environment = {**os.environ, **KEYS, "STREAM": STREAM, "AWS_ENDPOINT_URL": os.environ["KINESIS"]}
        local = [sys.executable, HERE / "local_lambda.py", "0", RUN / "ingest.out", "--", command]
        self.process = subprocess.Popen(local, env=environment, stdout=subprocess.PIPE, text=True)
        port = "".join(c for c in self.process.stdout.readline().rsplit(":", 1)[-1] if c.isdigit())
        self.url = f"http://127.0.0.1:{port}/2015-03-31/functions/f/invocations"

    def post(self, body, encoded=False):
        event = {"version": "2.0", "isBase64Encoded": encoded}
        if body is not None:
            event["body"] = base64.b64encode(body.encode()).decode() if encoded else body
        with urllib.request.urlopen(urllib.request.Request(self.url, json.dumps(event).encode()), timeout=60) as reply:
            answer = json.loads(reply.read())
        return answer["statusCode"], json.loads(answer["body"])

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def check_function(kinesis, command):
    """Each line is a record, once; a body with a wrong line puts nothing."""
    function = Function(command)
    try:
        lines = [json.dumps({"user": f"u{index}", "text": "ü \"quoted\""}) for index in range(600)]
        assert function.post("\n".join(lines[:300]) + "\n\n") == (200, {"accepted": 300, "refused": 0})
        assert function.post("\r\n".join(lines[300:]), encoded=True) == (200, {"accepted": 300, "refused": 0})
        assert function.post(None) == (200, {"accepted": 0, "refused": 0})
        for wrong in ["not JSON", '{"user":1}', lines[0] + "\n{}"]:
            status, said = function.post(wrong)
            assert status == 400 and "user" in said["error"], (wrong, status, said)
        assert function.post('{"user":""}') == (503, {"accepted": 0, "refused": 1})
    finally:
        function.stop()
    found = [record for record in records_of(kinesis) if record[0].startswith("u")]
    assert sorted(found) == sorted((json.loads(line)["user"], line) for line in lines), len(found)


client = boto3.client("kinesis", endpoint_url=os.environ["KINESIS"], region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
client.create_stream(StreamName=STREAM, ShardCount=2)
client.get_waiter("stream_exists").wait(StreamName=STREAM)
check_direct(client)
check_function(client, str(pathlib.Path(sys.argv[1]).resolve()))
print("ingest: the direct integration and the function put each record once")
