//! Replies keep their bytes and their times, however they are cut.

use futures_util::StreamExt;
use proptest::prelude::*;

use super::*;

async fn collect(stream: HttpStream) -> (Vec<u8>, Option<TransportError>) {
    let mut body = stream.body;
    let (mut bytes, mut error) = (Vec::new(), None);
    while let Some(piece) = body.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(problem) => error = Some(problem),
        }
    }
    (bytes, error)
}

fn three() -> SimReply {
    SimReply::sse(["one", "two", "three"])
        .spaced(10)
        .delayed(100)
}

proptest! {
    #[test]
    fn chunking_changes_neither_bytes_nor_duration(size in 1_usize..40) {
        let (plain, chunked) = (three(), three().chunked(size));
        prop_assert_eq!(plain.body(), chunked.body());
        prop_assert_eq!(plain.duration(), chunked.duration());
        prop_assert!(chunked.pieces.iter().all(|(_, piece)| piece.len() <= size));
    }

    #[test]
    fn cutting_keeps_a_prefix(bytes in 0_usize..60, size in 1_usize..10) {
        let whole = three().body();
        let cut = three().chunked(size).cut_after(bytes);
        prop_assert_eq!(cut.body(), whole.slice(..bytes.min(whole.len())));
        prop_assert_eq!(cut.end, End::Cut);
    }
}

#[test]
fn events_with_line_breaks_have_a_line_each() {
    assert_eq!(sse_event("a\nb"), "data: a\ndata: b\n\n");
}

#[tokio::test(start_paused = true)]
async fn a_live_stream_takes_the_time_that_it_says() {
    let start = tokio::time::Instant::now();
    let stream = three().into_stream(Pacing::Live).await;
    assert_eq!(start.elapsed().as_millis(), 100);
    let (bytes, error) = collect(stream).await;
    assert_eq!((bytes.len(), error), (three().body().len(), None));
    assert_eq!(start.elapsed().as_millis(), 130);
}

#[tokio::test(start_paused = true)]
async fn an_instant_stream_takes_none() {
    let start = tokio::time::Instant::now();
    let stream = three().into_stream(Pacing::Instant).await;
    assert_eq!(collect(stream).await.0, three().body());
    assert_eq!(start.elapsed().as_millis(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cut_is_an_error_and_a_stall_never_ends() {
    let stream = three().cut_after(12).into_stream(Pacing::Instant).await;
    let (bytes, error) = collect(stream).await;
    assert_eq!(bytes.len(), 12);
    let error = error.expect("the cut shows");
    assert_eq!((error.phase, error.sent), (Phase::Body, Sent::Maybe));
    assert!(!error.timed_out);

    let stream = three().stalling().into_stream(Pacing::Instant).await;
    let day = Duration::from_secs(86_400);
    assert!(tokio::time::timeout(day, collect(stream)).await.is_err());
}
