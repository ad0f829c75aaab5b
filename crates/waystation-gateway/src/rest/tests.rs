//! Which credentials rest, for what, and until when.

use super::*;

fn at(seconds: u64) -> Tick {
    Tick::from_micros(seconds * 1_000_000)
}

fn error(kind: ErrorType, wait: Option<u64>) -> UpstreamError {
    let mut error = UpstreamError::new(kind, "no");
    error.retry_after = wait.map(Duration::from_secs);
    error
}

/// Which of the keys of `p` rest for `a/b` and for `a/c`, a moment before and at `end`.
fn resting(error: &UpstreamError, end: u64) -> [Vec<String>; 4] {
    let (provider, credential) = ("p".parse().unwrap(), "key-1".parse().unwrap());
    let models = ["a/b", "a/c"].map(|model| model.parse::<ModelId>().unwrap());
    let rests = Rests::default();
    let by = Use {
        provider: &provider,
        credential: &credential,
        model: &models[0],
    };
    rests.failed(by, error, at(100));
    let ids = |model, now| {
        let found = rests.of((&provider, model), now, rests.known());
        found.iter().map(|(id, _)| id.to_string()).collect()
    };
    let before = Tick::from_micros(at(100 + end).micros() - 1);
    let [one, other] = &models;
    [
        ids(one, before),
        ids(other, before),
        ids(one, at(100 + end)),
        ids(other, at(100 + end)),
    ]
}

/// Of failures that come at once none is forgotten, and each is counted once.
#[test]
fn failures_at_once_all_count() {
    let rests = Rests::default();
    let (provider, model) = ("p".parse().unwrap(), "a/b".parse().unwrap());
    std::thread::scope(|threads| {
        for thread in 0..4 {
            let (rests, provider, model) = (&rests, &provider, &model);
            threads.spawn(move || {
                for n in 0..50 {
                    let credential = format!("key-{thread}-{n}").parse().unwrap();
                    let by = Use {
                        provider,
                        credential: &credential,
                        model,
                    };
                    rests.failed(by, &error(ErrorType::Authentication, None), at(1));
                }
            });
        }
    });
    assert_eq!(rests.known(), 200);
    assert_eq!(rests.of((&provider, &model), at(2), 200).len(), 200);
}

#[test]
fn a_limit_rests_for_its_model_as_long_as_it_says_and_a_minute_at_most() {
    let limited = |wait| error(ErrorType::RateLimitExceeded, Some(wait));
    let one = |end: [Vec<String>; 4]| end.map(|ids| ids.len());
    assert_eq!(one(resting(&limited(20), 20)), [1, 0, 0, 0]);
    assert_eq!(one(resting(&limited(86_400), 60)), [1, 0, 0, 0]);
    let unsaid = error(ErrorType::RateLimitExceeded, None);
    assert_eq!(one(resting(&unsaid, 1)), [0, 0, 0, 0]);
}

#[test]
fn a_refusal_rests_for_every_model_and_a_denial_for_its_own() {
    let one = |end: [Vec<String>; 4]| end.map(|ids| ids.len());
    let of = |kind, end| one(resting(&error(kind, None), end));
    assert_eq!(of(ErrorType::Authentication, 300), [1, 1, 0, 0]);
    assert_eq!(of(ErrorType::PermissionDenied, 60), [1, 0, 0, 0]);
    assert_eq!(of(ErrorType::PaymentRequired, 60), [1, 0, 0, 0]);
    assert_eq!(of(ErrorType::ProviderUnavailable, 1), [0, 0, 0, 0]);
}

#[test]
fn a_request_heeds_what_was_known_when_it_began_and_a_success_ends_it() {
    let (provider, credential) = ("p".parse().unwrap(), "key-1".parse().unwrap());
    let model = "a/b".parse().unwrap();
    let rests = Rests::default();
    let by = Use {
        provider: &provider,
        credential: &credential,
        model: &model,
    };
    let began = rests.known();
    rests.failed(by, &error(ErrorType::Authentication, None), at(1));
    assert_eq!(rests.of((&provider, &model), at(1), began), []);
    assert_eq!(rests.of((&provider, &model), at(1), rests.known()).len(), 1);
    rests.served(by);
    assert_eq!(rests.of((&provider, &model), at(1), rests.known()), []);
}
