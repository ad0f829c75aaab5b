//! What is a head, and what is none.

use proptest::prelude::*;

use bytes::BytesMut;

use crate::http1::{framing::Framing, head::*};

fn take(text: &str) -> Result<Option<Head>, HeadError> {
    Head::take(&mut BytesMut::from(text))
}

#[test]
fn a_head_is_taken_and_what_follows_stays() {
    let mut input = BytesMut::from("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\n{}");
    let head = Head::take(&mut input).unwrap().unwrap();
    assert_eq!(head.reply.status, 200);
    assert_eq!(head.reply.headers["x-a"], "b");
    assert_eq!((head.framing, head.keep), (Framing::Length(2), true));
    assert_eq!(&input[..], b"{}");
}

#[test]
fn a_head_that_only_announces_one_is_skipped() {
    let text =
        "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(take(text).unwrap().unwrap().reply.status, 404);
    assert!(take("HTTP/1.1 100 Continue\r\n\r\n").unwrap().is_none());
    let switch = take("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n");
    assert_eq!(switch.unwrap_err(), HeadError::Switch);
}

#[test]
fn the_connection_is_kept_unless_something_speaks_against_it() {
    let keep = |version: &str, more: &str| {
        let text = format!("HTTP/{version} 200 OK\r\ncontent-length: 2\r\n{more}\r\n");
        take(&text).unwrap().unwrap().keep
    };
    assert!(keep("1.1", "") && keep("1.1", "connection: keep-alive\r\n"));
    assert!(!keep("1.1", "connection: Close\r\n"));
    assert!(!keep("1.1", "connection: x, close\r\n"));
    assert!(!keep("1.0", "") && !keep("1.0", "connection: keep-alive\r\n"));
}

#[test]
fn what_is_no_head_is_refused() {
    for text in [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx : y\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    ] {
        assert!(take(text).is_err(), "{text:?}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(MAX_HEAD));
    assert_eq!(take(&endless).unwrap_err(), HeadError::TooLarge);
    let many = format!(
        "HTTP/1.1 200 OK\r\n{}\r\n",
        "x: y\r\n".repeat(MAX_HEADERS + 1)
    );
    assert_eq!(take(&many).unwrap_err(), HeadError::TooLarge);
}

proptest! {
    /// A head means the same however the network cuts it, and no bytes make it panic.
    #[test]
    fn cutting_changes_nothing(
        text in "(HTTP/1\\.[01] [1-5][0-9]{2} [A-Z]{0,4}\r\n([a-z-]{1,8}: [ -~]{0,9}\r\n){0,4}\r?\n?[a-z]{0,5}){1,2}",
        cut in any::<prop::sample::Index>(),
    ) {
        let mut whole = BytesMut::from(&*text);
        let (first, rest) = text.as_bytes().split_at(cut.index(text.len() + 1));
        let mut input = BytesMut::from(first);
        let show = |head: Head| (head.reply.status, head.reply.headers, head.framing, head.keep);
        let early = Head::take(&mut input);
        let got = match early {
            Ok(None) => {
                input.extend_from_slice(rest);
                Head::take(&mut input)
            }
            early => {
                input.extend_from_slice(rest);
                early
            }
        };
        let want = Head::take(&mut whole);
        match (got, want) {
            (Ok(got), Ok(want)) => {
                prop_assert_eq!(got.map(show), want.map(show));
                prop_assert_eq!(input, whole);
            }
            (got, want) => prop_assert_eq!(got.is_err(), want.is_err()),
        }
    }
}
