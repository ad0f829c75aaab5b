//! The test bed's upstream answers as told, and tells what it saw.

use std::time::Duration;

use futures_util::StreamExt;
use waystation_core::{Deadline, PoolKey};

use super::*;
use crate::TokioClock;

fn request(host: &str) -> HttpRequest {
    HttpRequest::post_json(&format!("https://{host}/v1/x"), "{}".into()).unwrap()
}

fn limits() -> SendLimits {
    SendLimits {
        connect: Duration::from_secs(3),
        head: None,
        pool: PoolKey("any".into()),
    }
}

async fn status(transport: &ReplayTransport, host: &str) -> Result<u16, TransportError> {
    let stream = transport.send(request(host), limits()).await?;
    let status = stream.head.status.as_u16();
    let mut body = stream.body;
    while let Some(piece) = body.next().await {
        piece?;
    }
    Ok(status)
}

#[tokio::test]
async fn a_queue_answers_in_order_and_says_when_it_is_empty() {
    let transport = ReplayTransport::queue([
        Reply::json(500, "{}"),
        Reply::refuse(Phase::Connect),
        Reply::json(200, "{}"),
    ]);
    assert_eq!(status(&transport, "a").await, Ok(500));
    let refused = status(&transport, "b").await.unwrap_err();
    assert_eq!(
        (refused.phase, refused.sent),
        (Phase::Connect, Sent::Nothing)
    );
    assert_eq!(status(&transport, "a").await, Ok(200));
    let empty = status(&transport, "a").await.unwrap_err();
    assert!(empty.message.contains("no reply left"), "{empty}");
    assert_eq!((transport.calls(), transport.calls_to("b")), (4, 1));
    assert_eq!(transport.requests()[1].url.host(), Some("b"));
    assert_eq!((transport.open(), transport.cancelled()), (0, 0));
}

#[tokio::test]
async fn hosts_have_lists_of_their_own_and_the_last_reply_repeats() {
    let transport = ReplayTransport::hosts()
        .at("a", [Reply::json(429, "{}"), Reply::json(200, "{}")])
        .at("b", [Reply::json(503, "{}")]);
    for (host, wanted) in [("a", 429), ("b", 503), ("a", 200), ("a", 200), ("b", 503)] {
        assert_eq!(status(&transport, host).await, Ok(wanted), "{host}");
    }
    assert!(status(&transport, "c").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn dropping_a_reply_midway_counts_as_cancelled() {
    let events = || Reply::sse(["a", "b", "[DONE]"]);
    let transport = ReplayTransport::answering(move |_, nth| match nth {
        0 => events(),
        1 => events().stall(),
        2 => events().delay(60_000),
        _ => events().cut_after(3),
    });
    let send = || transport.send(request("a"), limits());

    // Leaving after the last event of a reply that ends properly is no cancellation.
    let mut body = send().await.unwrap().body;
    for _ in 0..3 {
        body.next().await.unwrap().unwrap();
    }
    drop(body);
    assert_eq!((transport.open(), transport.cancelled()), (0, 0));

    let mut body = send().await.unwrap().body;
    body.next().await.unwrap().unwrap();
    assert_eq!(transport.open(), 1);
    drop(body);
    assert_eq!((transport.open(), transport.cancelled()), (0, 1));

    let waiting = tokio::time::timeout(Duration::from_secs(1), send()).await;
    assert!(waiting.is_err());
    assert_eq!((transport.open(), transport.cancelled()), (0, 2));

    assert!(status(&transport, "a").await.is_err());
    assert_eq!((transport.open(), transport.cancelled()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn the_limit_on_the_head_is_held_by_the_clock() {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
    let transport = ReplayTransport::answering(|_, _| Reply::json(200, "{}").delay(500))
        .with_clock(Arc::clone(&clock));
    let within = |ms| SendLimits {
        head: Some(Deadline::after(clock.now().tick, Duration::from_millis(ms))),
        ..limits()
    };
    assert!(transport.send(request("a"), within(600)).await.is_ok());
    let before = clock.now().tick;
    let late = transport.send(request("a"), within(200)).await.unwrap_err();
    assert!(late.timed_out && late.phase == Phase::Head);
    assert_eq!(clock.now().tick.since(before), Duration::from_millis(200));
}
