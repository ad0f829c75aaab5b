//! Event streams with every line end, cut everywhere. No provider's stream: those are fixtures.

use super::*;

/// The events of `text`, pushed in pieces of `size` bytes, the unfinished one last.
fn events(text: &[u8], size: usize) -> Vec<(Option<String>, String)> {
    let mut parser = SseParser::default();
    let mut found = Vec::new();
    let mut take = |event: SseEvent| {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        found.push((event.name.as_ref().map(text), text(&event.data)));
    };
    for piece in text.chunks(size) {
        parser.push(&Bytes::copy_from_slice(piece));
        while let Some(event) = parser.next_event().unwrap() {
            take(event);
        }
    }
    if let Some(event) = parser.finish().unwrap() {
        take(event);
    }
    found
}

/// Every cut of `text` gives these data.
fn gives(text: &[u8], expected: &[&str]) {
    for size in 1..=text.len() {
        let found: Vec<String> = events(text, size)
            .into_iter()
            .map(|(_, data)| data)
            .collect();
        assert_eq!(found, expected, "pieces of {size}");
    }
}

#[test]
fn every_line_end_is_a_line_end() {
    gives(b"data: a\n\ndata: b\n\n", &["a", "b"]);
    gives(b"data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]);
    gives(b"data: a\r\rdata: b\r\r", &["a", "b"]);
    gives(b"data: a\r\n\ndata: b\n\r\n", &["a", "b"]);
}

#[test]
fn comments_marks_and_unknown_fields_are_no_data() {
    gives(
        b"\xEF\xBB\xBFdata: a\n: data: b\n\n:\n\nid: 4\nretry: 5\n\n",
        &["a"],
    );
    gives(b": OPENROUTER PROCESSING\n\n: x\n\ndata:a\n\n", &["a"]);
}

#[test]
fn data_lines_join_and_only_one_space_goes() {
    gives(b"data: a\ndata:\ndata:  b\n\n", &["a\n\n b"]);
    gives(b"data\n\n", &[""]);
}

#[test]
fn names_belong_to_their_event_alone() {
    let found = events(b"event: error\ndata: x\n\nevent: ping\n\ndata: y\n\n", 5);
    assert_eq!(
        found,
        [(Some("error".into()), "x".into()), (None, "y".into())]
    );
}

#[test]
fn an_event_that_ends_with_the_stream_is_kept() {
    gives(b"data: a\n\ndata: b", &["a", "b"]);
    gives("data: \u{e9}\u{1F600}\n".as_bytes(), &["\u{e9}\u{1F600}"]);
}

#[test]
fn one_line_in_one_piece_is_not_copied() {
    let bytes = Bytes::from_static(b"data: {\"a\":1}\n\n");
    let mut parser = SseParser::default();
    parser.push(&bytes);
    let event = parser.next_event().unwrap().unwrap();
    assert_eq!(event.data.as_ptr(), bytes.slice(6..).as_ptr());
}

#[test]
fn pushing_twice_before_asking_loses_nothing() {
    let mut parser = SseParser::default();
    parser.push(&Bytes::from_static(b"data: a\n"));
    parser.push(&Bytes::from_static(b"\ndata: b\n\n"));
    assert_eq!(parser.next_event().unwrap().unwrap().data, "a");
    assert_eq!(parser.next_event().unwrap().unwrap().data, "b");
}

#[test]
fn an_endless_event_is_refused() {
    for text in [
        &b"data: 0123456789"[..],
        b"data: 01\ndata: 23\ndata: 45\ndata: 6\n",
    ] {
        let mut parser = SseParser::with_limit(8);
        parser.push(&Bytes::from_static(text));
        assert_eq!(parser.next_event(), Err(SseError { limit: 8 }));
    }
}
