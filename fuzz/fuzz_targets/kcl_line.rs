//! The MultiLangDaemon's lines: no bytes panic, a message survives being written and read again,
//! and a session ends in order or with an error.
#![cfg_attr(fuzzing, no_main)]

mod shim;

use streamgauge::adapter::kcl::{Message, Reply, Session};
use streamgauge::record::ShardId;

fn check(bytes: &[u8]) {
    let shard = ShardId::new("shard");
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(message) = Message::parse(line, &shard) {
            let json = message.to_json();
            let again = Message::parse(json.as_bytes(), &shard).expect("a message that was written");
            assert_eq!(again.to_json(), json);
            if let (Message::ProcessRecords(batch), Message::ProcessRecords(again)) = (&message, &again) {
                assert_eq!(batch.records, again.records);
            }
        }
        if let Ok(reply) = Reply::parse(line) {
            assert_eq!(Reply::parse(reply.to_json().as_bytes()).expect("a reply that was written"), reply);
        }
    }
    let mut session = Session::new(bytes, std::io::sink());
    while let Ok(Some(_)) = session.read() {
        if session.checkpoint(None).is_err() {
            break;
        }
        session.answer().expect("a message is at hand");
    }
}

shim::target!(check);
