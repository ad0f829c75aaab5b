//! The fault matrix: every fault x {streamed, whole} x {another endpoint could serve, none could},
//! and for each cell what must be seen: answer or error, who was asked how often, after how long.
//!
//! A is asked first and has the fault; B, where it may be asked, serves. What holds for every cell
//! (one endpoint's text, well-formed errors, the record, nothing left open) is in `exchange`.

mod row;

use row::{Row, a, b, broken, error, row};
use serde_json::json;
use waystation_core::Phase;
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::ask;

use crate::{
    exchange::station,
    fault::{
        EVER, coded, comments, cut, filtered, go_away, good, in_band, late, limited, malformed,
        no_done, no_finish, no_words, nothing, page, role_then_silence, stall, whole,
    },
};

/// What is replied to who asked for a stream, or not.
type Replies = fn(bool) -> Reply;
/// A fault and its name.
type Named<F> = (&'static str, F);

const DOWN: &str = "provider_overloaded";
const LIMITED: &str = "rate_limit_exceeded";

#[tokio::test(start_paused = true)]
async fn a_limited_upstream_is_left_for_another_and_waited_for_when_there_is_none() {
    let once = |wait: Option<u64>| move |streamed| vec![limited(wait), good('a', streamed)];
    let ever = |wait: Option<u64>| move |_| vec![limited(wait)];
    let rows = [
        row("429 once, back in 2 s", once(Some(2))).both(b("ab"), a("aa").after(2_000)),
        row("429 once, no hint", once(None)).both(b("ab"), a("aa").after(250)),
        row("429 once, back in 30 s", once(Some(30)))
            .both(b("ab"), error(429, LIMITED, "a").failures(&[429]).wait(30)),
        row("429 for ever, back in 2 s", ever(Some(2))).both(
            b("ab"),
            error(429, LIMITED, "aaa")
                .failures(&[429; 3])
                .wait(2)
                .after(4_000),
        ),
        row("429 for ever, no hint", ever(None)).both(
            b("ab"),
            error(429, LIMITED, "aaa").failures(&[429; 3]).after(750),
        ),
        row("429 in band", |streamed| {
            vec![in_band(
                'a',
                streamed,
                &json!({"message": "slow down", "code": 429}),
                0,
            )]
        })
        .both(
            b("ab"),
            error(429, LIMITED, "aaa").failures(&[429; 3]).after(750),
        ),
    ];
    Row::hold(rows).await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_upstream_is_left_for_another_and_asked_once_more_when_there_is_none() {
    let mut rows = Vec::new();
    for status in [500, 502, 503, 504, 520, 529, 302] {
        let fail = move || fixtures::error(status, "out of order");
        let told = u64::from(status);
        rows.push(
            row(&format!("{status} once"), move |streamed| {
                vec![fail(), good('a', streamed)]
            })
            .both(b("ab"), a("aa")),
        );
        let told = if status == 302 { 502 } else { told };
        rows.push(
            row(&format!("{status} for ever"), move |_| vec![fail()])
                .both(b("ab"), error(503, DOWN, "aa").failures(&[told; 2])),
        );
    }
    let down = |wait: &'static str| fixtures::error(503, "no capacity").header("retry-after", wait);
    rows.push(
        row("503 once, back in 1 s", move |streamed| {
            vec![down("1"), good('a', streamed)]
        })
        .both(b("ab"), a("aa").after(1_000)),
    );
    rows.push(
        row("503, back in an hour", move |_| vec![down("3600")])
            .both(b("ab"), error(503, DOWN, "a").failures(&[503]).wait(3_600)),
    );
    Row::hold(rows).await;
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_an_outage_whatever_broke_it() {
    let faults: [Named<fn() -> Reply>; 7] = [
        ("the name is unknown", || Reply::refuse(Phase::Dns)),
        ("refused", || Reply::refuse(Phase::Connect)),
        ("TLS fails", || Reply::refuse(Phase::Tls)),
        ("reset while sending", || Reply::refuse(Phase::Send)),
        ("reset before the head", || Reply::refuse(Phase::Head)),
        ("going away before the head", go_away),
        ("reset after the head", || good('a', true).cut_after(0)),
    ];
    let rows = faults.into_iter().flat_map(|(name, fault)| {
        [
            row(&format!("{name}, once"), move |streamed| {
                vec![fault(), good('a', streamed)]
            })
            .both(b("ab"), a("aa")),
            row(&format!("{name}, for ever"), move |_| vec![fault()])
                .both(b("ab"), error(503, DOWN, "aa").failures(&[502; 2])),
        ]
    });
    Row::hold(rows).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_upstream_is_left_when_its_time_is_up_and_not_asked_again() {
    let late_error = || error(503, DOWN, "a").failures(&[504]);
    let rows = [
        row("no head", |streamed| vec![good('a', streamed).delay(EVER)]),
        row("a head, then silence", |streamed| {
            vec![good('a', streamed).stall_after(0)]
        }),
        row("a role, then silence", |streamed| {
            vec![role_then_silence(streamed)]
        }),
        row("a failure's head, then silence", |_| {
            vec![fixtures::error(500, "out of order").stall_after(0)]
        }),
    ];
    let [head, body, role, failure] = rows.map(|row| {
        row.streamed(b("ab").after(60_000), late_error().after(60_000))
            .whole(b("ab").after(600_000), late_error().after(600_000))
    });
    // What the head says is known, and a failure's text is not worth waiting for.
    let failure = failure.both(
        b("ab").after(5_000),
        error(503, DOWN, "aa").failures(&[500; 2]).after(10_000),
    );
    let only_comments = row("comments for ever", |streamed| vec![comments(streamed)])
        .streamed(b("ab").after(120_000), late_error().after(120_000))
        .whole(b("ab").after(600_000), late_error().after(600_000));
    Row::hold([head, body, role, failure, only_comments]).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_upstream_is_waited_for_within_the_limits() {
    let rows = [
        row("a head after 50 s", |streamed| {
            vec![good('a', streamed).delay(50_000)]
        })
        .both(a("a").after(50_000), a("a").after(50_000)),
        row("a first token after 20 s of silence", |streamed| {
            vec![late('a', streamed, 20, 0)]
        })
        .both(a("a").after(20_000), a("a").after(20_000)),
        row("a first token after 110 s of comments", |streamed| {
            vec![late('a', streamed, 10, 10)]
        })
        .both(a("a").after(110_000), a("a").after(110_000)),
        row("a first token after 150 s of comments", |streamed| {
            vec![late('a', streamed, 10, 14)]
        })
        .streamed(
            b("ab").after(120_000),
            error(503, DOWN, "a").failures(&[504]).after(120_000),
        )
        .whole(a("a").after(150_000), a("a").after(150_000)),
        row("a piece every 50 s", |streamed| {
            vec![good('a', streamed).gap(50_000)]
        })
        .streamed(a("a").after(64 * 50_000), a("a").after(64 * 50_000))
        .whole(a("a").after(50_000), a("a").after(50_000)),
    ];
    Row::hold(rows).await;
}

#[tokio::test(start_paused = true)]
async fn what_breaks_after_its_first_token_is_told_and_never_continued_by_another() {
    let gone = || broken("provider_unavailable", 40);
    let lone = || error(503, DOWN, "aa").failures(&[502; 2]);
    let garbage = || error(503, DOWN, "aa").failures(&[502; 2]);
    let boom = json!({"message": "boom", "code": 500});
    let rows = [
        row("cut at 40 tokens", |streamed| vec![cut(streamed)])
            .streamed(gone(), gone())
            .whole(b("ab"), lone()),
        row("cut at 40 tokens, once", |streamed| {
            vec![cut(streamed), good('a', streamed)]
        })
        .streamed(gone(), gone())
        .whole(b("ab"), a("aa")),
        row("a proper end without a finish reason", |streamed| {
            vec![no_finish(streamed)]
        })
        .streamed(
            broken("provider_unavailable", 60),
            broken("provider_unavailable", 60),
        )
        .whole(b("ab"), garbage()),
        row("a stall at 40 tokens", |streamed| vec![stall(streamed)])
            .streamed(
                broken("timeout", 40).after(60_000),
                broken("timeout", 40).after(60_000),
            )
            .whole(
                b("ab").after(600_000),
                error(503, DOWN, "a").failures(&[504]).after(600_000),
            ),
        row("an error in band after 5 tokens", move |streamed| {
            vec![in_band('a', streamed, &boom, 6)]
        })
        .streamed(
            broken("provider_unavailable", 5),
            broken("provider_unavailable", 5),
        )
        .whole(b("ab"), error(503, DOWN, "aa").failures(&[500; 2])),
        row("a limit in band after 5 tokens", |streamed| {
            vec![in_band(
                'a',
                streamed,
                &json!({"message": "slow down", "code": 429}),
                6,
            )]
        })
        .streamed(broken(LIMITED, 5), broken(LIMITED, 5))
        .whole(
            b("ab"),
            error(429, LIMITED, "aaa").failures(&[429; 3]).after(750),
        ),
    ];
    Row::hold(rows).await;
}

#[tokio::test(start_paused = true)]
async fn sloppy_streams_are_read_for_what_they_mean() {
    let lone = || error(503, DOWN, "aa").failures(&[502; 2]);
    let rows = [
        row("an event that is no JSON", |streamed| {
            vec![malformed(streamed)]
        })
        .streamed(a("a"), a("a"))
        .whole(b("ab"), lone()),
        row("no [DONE]", |streamed| vec![no_done(streamed)]).both(a("a"), a("a")),
        row("a byte at a time", |streamed| {
            vec![good('a', streamed).chunked(1)]
        })
        .both(a("a"), a("a")),
        row("characters cut in their midst", |streamed| {
            let text = "Grüße \u{1F30D}\u{1F469}\u{200D}\u{1F680}";
            let reply = if streamed {
                fixtures::answer_stream(&[text], 1000, 60)
            } else {
                whole(text, "stop")
            };
            vec![reply.chunked(1)]
        })
        .both(
            a("a").text("Grüße \u{1F30D}\u{1F469}\u{200D}\u{1F680}"),
            a("a").text("Grüße \u{1F30D}\u{1F469}\u{200D}\u{1F680}"),
        ),
        row(
            "a whole answer to who asked for a stream, and the other way round",
            |streamed| vec![good('a', !streamed)],
        )
        .both(a("a"), a("a")),
        row("a proper answer under a wrong content type", |streamed| {
            vec![good('a', streamed).header("content-type", "application/octet-stream")]
        })
        .both(a("a"), a("a")),
    ];
    Row::hold(rows).await;
}

#[tokio::test(start_paused = true)]
async fn a_200_that_is_no_answer_is_a_failed_attempt() {
    let faults: [Named<Replies>; 15] = [
        ("an empty body", nothing),
        ("a packed answer", |streamed| {
            good('a', streamed).header("content-encoding", "gzip")
        }),
        ("an answer of no words", no_words),
        ("a page", |_| {
            page("text/html", "<html><body>502 Bad Gateway</body></html>")
        }),
        ("a page called JSON", |_| {
            page("application/json", "<!doctype html><p>hello</p>")
        }),
        ("a page called a stream", |_| {
            page("text/event-stream", "<html></html>")
        }),
        ("half of an answer", |_| {
            page("application/json", r#"{"id":"1","choices":[{"mess"#)
        }),
        ("words", |_| page("text/plain", "upstream connect error")),
        ("words called a stream", |_| {
            page("text/event-stream", "upstream connect error\n\n")
        }),
        ("bytes", |_| {
            page("image/png", &b"\x89PNG\r\n\x1a\n\xff\xfe"[..])
        }),
        ("null", |_| page("application/json", "null")),
        ("an empty object", |_| page("application/json", "{}")),
        ("no choices", |_| {
            page("application/json", r#"{"id":"1","choices":[]}"#)
        }),
        ("only [DONE]", |_| {
            page("text/event-stream", "data: [DONE]\n\n")
        }),
        ("comments alone", |_| {
            page("text/event-stream", ": OK\n\n: OK\n\n")
        }),
    ];
    let rows = faults.into_iter().flat_map(|(name, fault)| {
        [
            row(&format!("{name}, once"), move |streamed| {
                vec![fault(streamed), good('a', streamed)]
            })
            .both(b("ab"), a("aa")),
            row(&format!("{name}, for ever"), move |streamed| {
                vec![fault(streamed)]
            })
            .both(b("ab"), error(503, DOWN, "aa").failures(&[502; 2])),
        ]
    });
    Row::hold(rows).await;
}

/// What cannot be read is called by its name, and a failure's status counts all the same.
#[tokio::test(start_paused = true)]
async fn a_packed_answer_is_called_one() {
    for (streamed, reply, coding, status) in [
        (false, good('a', false), "gzip", 503),
        (true, good('a', true), "br", 503),
        (false, fixtures::error(404, "no such model"), "zstd", 404),
    ] {
        let reply = reply.header("content-encoding", coding);
        let station = station(ReplayTransport::hosts().at("a.mock", [reply]));
        let only = json!({"provider": {"only": ["A"]}, "stream": streamed});
        let got = station.chat(ask(only)).await;
        let error = got.error(status);
        let message = error["message"].as_str().unwrap();
        let told = format!("with content-encoding {coding}, which was not asked for");
        assert!(message.contains(&told), "{error}");
        assert!(!got.text().contains("no such model"), "{error}");
    }
    let identity = good('a', false).header("content-encoding", "identity");
    let station = station(ReplayTransport::hosts().at("a.mock", [identity]));
    station
        .chat(ask(json!({"provider": {"only": ["A"]}})))
        .await
        .ok();
}

#[tokio::test(start_paused = true)]
async fn an_error_in_band_before_the_first_token_is_a_failed_attempt() {
    let boom = json!({"message": "boom", "code": 500});
    let busy = json!({"message": "overloaded", "type": "overloaded_error"});
    let rows = [
        row("at once", {
            let boom = boom.clone();
            move |streamed| vec![in_band('a', streamed, &boom, 0)]
        })
        .both(b("ab"), error(503, DOWN, "aa").failures(&[500; 2])),
        row("behind the role", move |streamed| {
            vec![in_band('a', streamed, &boom, usize::from(streamed))]
        })
        .both(b("ab"), error(503, DOWN, "aa").failures(&[500; 2])),
        row("overloaded", move |streamed| {
            vec![in_band('a', streamed, &busy, 0)]
        })
        .both(b("ab"), error(503, DOWN, "aa").failures(&[503; 2])),
    ];
    Row::hold(rows).await;
}

#[tokio::test(start_paused = true)]
async fn what_every_endpoint_of_the_model_would_refuse_is_not_replayed() {
    let refusal = |status: u16, code: &'static str, kind: &'static str| {
        let told = error(400, kind, "a").failures(&[u64::from(status)]);
        row(code, move |_| {
            vec![coded(status, code, "this cannot be done")]
        })
        .both(told.clone(), told)
    };
    let malformed = || error(400, "invalid_request", "a").failures(&[400]);
    let rows = [
        refusal(400, "context_length_exceeded", "context_length_exceeded"),
        refusal(400, "content_filter", "content_policy_violation"),
        refusal(400, "content_policy_violation", "content_policy_violation"),
        refusal(400, "string_above_max_length", "string_too_long"),
        row("400", |_| vec![fixtures::error(400, "temperature: no")])
            .both(malformed(), malformed()),
        row("a filter ends the answer", |streamed| {
            vec![filtered(streamed, 5)]
        })
        .both(
            a("a").finish("content_filter", 5),
            a("a").finish("content_filter", 5),
        ),
        row("a filter ends the answer before it begins", |streamed| {
            vec![filtered(streamed, 0)]
        })
        .both(
            a("a").finish("content_filter", 0),
            a("a").finish("content_filter", 0),
        ),
    ];
    Row::hold(rows).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_credential_and_an_unknown_model_are_not_the_clients_fault() {
    let mut rows: Vec<Row> = [401_u16, 402, 403]
        .into_iter()
        .map(|status| {
            let told = u64::from(status);
            row(&status.to_string(), move |_| {
                vec![fixtures::error(status, "no")]
            })
            .both(
                b("ab"),
                error(502, "provider_unavailable", "a").failures(&[told]),
            )
        })
        .collect();
    rows.push(
        row("404", |_| vec![fixtures::error(404, "no such model")])
            .both(b("ab"), error(404, "not_found", "a").failures(&[404])),
    );
    rows.push(
        row("a bad key as a 400", |_| {
            vec![coded(400, "invalid_api_key", "bad key")]
        })
        .both(
            b("ab"),
            error(502, "provider_unavailable", "a").failures(&[400]),
        ),
    );
    Row::hold(rows).await;
}
