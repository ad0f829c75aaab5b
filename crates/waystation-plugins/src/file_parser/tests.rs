//! Tests of the plugin's own parts; the whole of it is tested through the gateway.

use super::*;

fn begin(
    parts: &serde_json::Value,
    entry: &serde_json::Value,
) -> Result<Option<Box<dyn Run>>, PluginError> {
    let body = serde_json::json!({"messages": [{"role": "user", "content": parts}]});
    let chat = ChatRequest::parse(&body.to_string().into()).unwrap();
    let entry = RawJson::of(entry);
    let parser = FileParser {
        sandboxed: true,
        ..FileParser::default()
    };
    parser.begin(&chat, &Options { entry })
}

fn file(name: &str, data: &str) -> serde_json::Value {
    serde_json::json!([{"type": "file", "file": {"filename": name, "file_data": data}}])
}

fn is_handled(parts: &serde_json::Value, entry: &serde_json::Value) -> bool {
    let mut hints = AskHints::default();
    begin(parts, entry)
        .unwrap()
        .expect("a file")
        .hint(&mut hints);
    hints.handled.has(Modality::File)
}

#[test]
fn what_can_be_read_here_needs_no_endpoint_that_takes_files() {
    let none = serde_json::json!({});
    assert!(
        begin(&serde_json::json!([{"type": "text", "text": "Hi"}]), &none)
            .unwrap()
            .is_none()
    );
    assert!(is_handled(
        &file("a.txt", "data:text/plain;base64,aGVsbG8="),
        &none
    ));
    assert!(is_handled(&file("a.txt", "aGVsbG8"), &none), "bare base64");
    assert!(is_handled(
        &file("a.pdf", "data:application/pdf;base64,JVBERi0xLjQ="),
        &none
    ));
    let native = serde_json::json!({"pdf": {"engine": "native"}});
    assert!(!is_handled(
        &file("a.pdf", "data:application/pdf;base64,JVBERi0xLjQ="),
        &native
    ));
    assert!(!is_handled(&file("a.txt", "https://a.b/c.txt"), &none));
    assert!(is_handled(&file("a.docx", "data:;base64,UEsDBAAA"), &none));
    assert!(!is_handled(&file("a.doc", "data:;base64,0M8R4A=="), &none));
}

#[test]
fn engines_are_checked() {
    let of = |engine: &str| {
        begin(
            &file("a", "aGk="),
            &serde_json::json!({"pdf": {"engine": engine}}),
        )
    };
    for known in ["native", "cloudflare-ai", "pdf-text"] {
        assert!(of(known).is_ok());
    }
    assert!(
        of("mistral-ocr")
            .err()
            .unwrap()
            .message
            .contains("[plugins.file-parser] mistral_ocr")
    );
    assert!(
        of("acrobat")
            .err()
            .unwrap()
            .message
            .contains("expected one of native")
    );
}
