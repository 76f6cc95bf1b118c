//! Runs q12 of Nexmark by the engine of fv-streams: EVENTS OUT, JSON Lines in and a folder of CSV
//! out. The crate `fv-streams` 0.8 compiles only with librdkafka, so this is its `FileControlPlane`
//! in short, for one pipeline.
use std::sync::Arc;

use async_trait::async_trait;
use fv_streams_connectors::{Ctx, resolve_sink, resolve_source};
use fv_streams_engine::{Binding, BuildSignal, ControlPlane, StageDef, Topology, run_stream};
use serde_json::{Value, json};

struct Host {
    events: String,
    out: String,
    nested: bool,
}

#[async_trait]
impl ControlPlane for Host {
    async fn topology(&self, _: &str) -> Result<Topology, String> {
        let mut steps = vec![json!({"op": "filter", "expression": "event_type == 2"})];
        if self.nested {
            let compute = |column: &str, expression: &str| {
                json!({"op": "applyExpression", "column": column, "expression": expression})
            };
            steps.push(compute("dateTime", "epochMs(bid.dateTime + 'Z')"));
            steps.push(compute("bidder", "bid.bidder"));
        }
        steps.push(json!({
            "op": "windowedAggregate", "timeColumn": "dateTime", "windowMs": 10_000,
            "allowedLatenessMs": 4_000, "groupBy": ["bidder"],
            "aggs": [{"op": "count", "alias": "bids"}],
        }));
        let inputs = vec!["events".to_string()];
        Ok(Topology { stages: vec![StageDef { steps, inputs, output: "out".to_string() }] })
    }

    async fn resolve_dataset(&self, dataset: &str) -> Result<Binding, String> {
        // Of each dataset the engine opens one side only, but asks for both.
        let events = json!({"connector": "file", "path": self.events, "format": "json",
            "partitions": 1});
        let out = json!({"sink": "file", "path": self.out, "format": "csv"});
        let cx = |ds| Ctx { dataset, ds, default_brokers: "" };
        Ok(Binding {
            api_name: dataset.to_string(),
            source: resolve_source(&cx(&events))?,
            sink: resolve_sink(&cx(&out))?,
        })
    }

    async fn publishes(&self, dataset: &str) -> bool {
        dataset == "out"
    }

    async fn heartbeat(&self, _: &str) -> BuildSignal {
        BuildSignal::Continue
    }

    async fn put_record(&self, _: &str, record: &Value) {
        eprintln!("{} {}", record["status"], record["metrics"]);
    }
}

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let (Some(events), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("usage: nexmark_fv_streams EVENTS OUT [nested]".to_string());
    };
    let host = Arc::new(Host { events, out, nested: arguments.next().is_some() });
    let record = json!({"id": "q12", "pipeline": "q12", "kind": "stream", "status": "RUNNING"});
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(run_stream(host, "q12".to_string(), "q12".to_string(), record))
}
