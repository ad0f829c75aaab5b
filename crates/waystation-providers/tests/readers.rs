//! Laws of every dialect's reader, over the streams of the fixtures and what becomes of them when
//! bytes are lost, doubled or changed: cutting changes nothing, nothing panics, and what breaks off
//! never ends well.
#![cfg(test)]

#[path = "support/frame.rs"]
mod frame;
#[path = "support/reply.rs"]
mod reply;
#[path = "support/target.rs"]
mod target;

use std::{fs, path::Path};

use frame::frame;
use proptest::prelude::*;
use reply::{head, read};
use serde_json::Value;
use target::{Host, chat};
use waystation_core::{ChatEvent, Quirks};

/// One fixture: where its request goes, and the streamed and the whole reply.
struct Fixture {
    host: Host,
    chat: String,
    stream: Vec<u8>,
    kind: &'static str,
    whole: Vec<u8>,
}

fn fixtures() -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut folders: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    let fixture = |folder: &std::path::PathBuf| {
        let file = |name: &str| fs::read(folder.join(name)).unwrap();
        let target: Value = serde_json::from_slice(&file("target.json")).unwrap();
        let slug = folder.file_name().unwrap().to_str().unwrap();
        let quirks: Quirks = serde_json::from_value(target["quirks"].clone()).unwrap();
        let mut host = Host::new(slug, target["model"].as_str().unwrap()).with(quirks);
        host.endpoint.dialect = target["dialect"].as_str().unwrap().parse().unwrap();
        host.upstream.base_url = target["base_url"].as_str().unwrap().into();
        host.upstream.auth = serde_json::from_value(target["auth"].clone()).unwrap();
        let (stream, kind) = if folder.join("stream.sse").exists() {
            (file("stream.sse"), "text/event-stream")
        } else {
            let lines = String::from_utf8(file("stream.jsonl")).unwrap();
            let frames = lines.lines().flat_map(|line| {
                let (name, payload) = line.split_once(' ').unwrap();
                frame(&[(":event-type", name)], payload)
            });
            (frames.collect(), "application/vnd.amazon.eventstream")
        };
        Fixture {
            host,
            chat: String::from_utf8(file("chat.json")).unwrap(),
            stream,
            kind,
            whole: file("chat.reply.json"),
        }
    };
    folders.iter().map(fixture).collect()
}

impl Fixture {
    /// Reads `bytes` in pieces of these lengths, over and over; whether it ended well.
    fn hear(&self, kind: &str, bytes: &[u8], cuts: &[usize]) -> (Vec<ChatEvent>, bool) {
        let reader = self.host.encode(&chat(&self.chat)).reader;
        let mut rest = bytes;
        let lengths = cuts.iter().copied().cycle();
        let pieces = lengths.map_while(move |length| {
            let (piece, behind) = rest.split_at(length.min(rest.len()));
            rest = behind;
            (!piece.is_empty()).then_some(piece)
        });
        let (events, ended) = read(reader, &head(200, &[("content-type", kind)]), pieces);
        (events, ended.is_ok())
    }
}

/// What happens to bytes on a bad way: where, in thousandths, and what.
fn harm() -> impl Strategy<Value = (usize, u8, Vec<u8>)> {
    (
        0_usize..1000,
        0_u8..4,
        prop::collection::vec(any::<u8>(), 0..5),
    )
}

fn harmed(bytes: &[u8], (at, how, new): &(usize, u8, Vec<u8>)) -> Vec<u8> {
    let at = bytes.len() * at / 1000;
    let (before, after) = bytes.split_at(at);
    match how {
        0 => [before, new, after].concat(),
        1 => [before, new, after.get(new.len()..).unwrap_or_default()].concat(),
        2 => [before, before.get(at / 2..).unwrap_or_default(), after].concat(),
        _ => [before, after.get(at % 7..).unwrap_or_default()].concat(),
    }
}

/// Every event `times` times, and `between` before each. Lines end alike, and the last one ends, whatever was
/// done to it: where it did not, what comes behind it would be a part of it.
fn repeated(stream: &[u8], times: usize, between: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(stream).replace("\r\n", "\n") + "\n\n";
    let events = text.split_inclusive("\n\n");
    let events = events.map(|event| format!("{between}{event}").repeat(times));
    events.collect::<String>().into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A piece of text that comes again with other words is read by what stood around it; with something
    /// between the two, which nobody reads, it is read anew.
    #[test]
    fn an_event_is_read_alike_behind_one_like_it_and_behind_another(
        times in 1_usize..4, harm in harm(),
    ) {
        for fixture in fixtures().into_iter().filter(|fixture| fixture.kind == "text/event-stream") {
            for bytes in [fixture.stream.clone(), harmed(&fixture.stream, &harm)] {
                let alike = repeated(&bytes, times, "");
                let apart = repeated(&bytes, times, "data: -\n\n");
                prop_assert_eq!(
                    fixture.hear(fixture.kind, &alike, &[usize::MAX]),
                    fixture.hear(fixture.kind, &apart, &[usize::MAX])
                );
            }
        }
    }

    #[test]
    fn cutting_and_harm_change_nothing_but_what_they_touch(
        cuts in prop::collection::vec(1_usize..60, 1..6), harm in harm(),
    ) {
        for fixture in fixtures() {
            for bytes in [fixture.stream.clone(), harmed(&fixture.stream, &harm)] {
                let at_once = fixture.hear(fixture.kind, &bytes, &[usize::MAX]);
                let in_pieces = fixture.hear(fixture.kind, &bytes, &cuts);
                prop_assert_eq!(at_once, in_pieces);
            }
            let whole = harmed(&fixture.whole, &harm);
            let at_once = fixture.hear("application/json", &whole, &[usize::MAX]);
            let in_pieces = fixture.hear("application/json", &whole, &cuts);
            prop_assert_eq!(at_once, in_pieces);
        }
    }

    #[test]
    fn what_breaks_off_never_ends_well(at in 0_usize..700) {
        for fixture in fixtures() {
            let cut = &fixture.whole[..fixture.whole.len() * at / 1000];
            let (events, well) = fixture.hear("application/json", cut, &[64]);
            prop_assert!(!well && events.is_empty());
            let cut = &fixture.stream[..fixture.stream.len() * at / 1000];
            let (events, well) = fixture.hear(fixture.kind, cut, &[64]);
            let finished = events.iter().any(|event| matches!(event, ChatEvent::Finish(_)));
            prop_assert_eq!(finished, well, "{:?}", fixture.host.upstream.slug);
        }
    }
}
