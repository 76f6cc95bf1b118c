//! The pipelines in the documents are valid.

use super::{Folder, project_file, streamgauge};
use std::fs;

/// The TOML blocks of a document.
fn pipelines(document: &str) -> Vec<String> {
    let text = fs::read_to_string(project_file(document)).unwrap();
    text.split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_pipelines_of_the_documents_run_over_files() {
    let folder = Folder::new("documents");
    let hit = |n: u64| {
        format!(
            "{{\"ts\":{},\"country\":\"DE\",\"bytes\":{n},\"url\":\"/\",\"status\":500}}\n",
            1_700_000_000 + n
        )
    };
    let log = folder.file("log", (0..100).map(hit).collect::<String>());
    let mut without_time = 0;
    for document in ["docs/LAMBDA.md", "docs/KCL.md", "docs/STORM.md"] {
        let pipelines = pipelines(document);
        assert!(!pipelines.is_empty(), "{document} shows none");
        for pipeline in pipelines {
            let file = folder.file("p.toml", &pipeline);
            let rows = streamgauge(&["run", "--pipeline", &file, "--time", "ts", &log]).json();
            assert!(
                rows.iter().map(|row| row["count"].as_u64().unwrap()).sum::<u64>() == 100,
                "{document}: {pipeline}"
            );
            if !pipeline.contains("time =") && pipeline.contains("window =") {
                without_time += 1;
                streamgauge(&["run", "--pipeline", &file, &log])
                    .failed(2, &["--time FIELD", "by their time of arrival"]);
            }
        }
    }
    assert!(without_time > 0, "LAMBDA.md has one");
}
