//! Signatures against the published suite of test cases, and one of a request as Bedrock gets it.

use bytes::Bytes;
use http::Method;

use super::*;

const KEYS: &str = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// 2015-08-30T12:36:00Z.
const NOW: UnixMs = UnixMs::new(1_440_938_160_000);

fn scope(service: &str) -> Scope<'_> {
    Scope {
        region: "us-east-1",
        service,
        now: NOW,
    }
}

fn authorization(method: Method, url: &str) -> String {
    let mut request = HttpRequest::post_json(url, Bytes::new()).unwrap();
    request.method = method;
    request.headers.clear();
    let signed = sign(request, &Secret::new(KEYS), scope("service")).unwrap();
    signed.headers[header::AUTHORIZATION]
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn the_published_cases_hold() {
    for (method, url, signature) in [
        (
            Method::GET,
            "https://example.amazonaws.com/",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            Method::POST,
            "https://example.amazonaws.com/",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            Method::GET,
            "https://example.amazonaws.com/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ] {
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={signature}"
        );
        assert_eq!(authorization(method, url), expected, "{url}");
    }
}

#[test]
fn a_request_is_signed_with_its_token_and_its_path_encoded_twice() {
    let url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/a.b-v1%3A0/converse";
    let request = HttpRequest::post_json(url, Bytes::from_static(b"{}")).unwrap();
    let secret = Secret::new(&format!("{KEYS}:TOKEN=="));
    let signed = sign(request, &secret, scope("bedrock")).unwrap();
    let text = canonical(&signed, &signed_names(&signed));
    let expected = "POST\n/model/a.b-v1%253A0/converse\n\ncontent-type:application/json\n\
        host:bedrock-runtime.us-east-1.amazonaws.com\nx-amz-date:20150830T123600Z\n\
        x-amz-security-token:TOKEN==\n\ncontent-type;host;x-amz-date;x-amz-security-token\n\
        44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    assert_eq!(text, expected);
    assert!(signed.headers[header::AUTHORIZATION].is_sensitive());
    assert!(signed.headers["x-amz-security-token"].is_sensitive());
    assert!(!format!("{signed:?}").contains("TOKEN"));
}

#[test]
fn times_are_dates() {
    for (ms, expected) in [
        (0, "19700101T000000Z"),
        (951_782_399_000, "20000228T235959Z"),
        (951_782_400_000, "20000229T000000Z"),
        (1_709_251_199_999, "20240229T235959Z"),
        (4_107_542_400_000, "21000301T000000Z"),
    ] {
        assert_eq!(stamp(UnixMs::new(ms)), expected);
    }
}

#[test]
fn credentials_that_sign_nothing_are_refused() {
    for secret in ["bearer-key", ":key", "id:", "a\n:b"] {
        let request = HttpRequest::post_json("https://a.example/", Bytes::new()).unwrap();
        let refused = sign(request, &Secret::new(secret), scope("bedrock")).unwrap_err();
        assert!(refused.to_string().contains("ID:KEY"), "{refused}");
    }
}
