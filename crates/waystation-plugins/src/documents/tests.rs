//! Tests of the readers of text formats.

use proptest::prelude::*;

use super::*;

fn read(bytes: &[u8], name: &str) -> Result<String, ParseError> {
    read_document(bytes, FileKind::of(bytes, name, "")).map(|document| document.text)
}

#[test]
fn text_in_any_encoding_is_read() {
    let (cyrillic, _, _) =
        encoding_rs::WINDOWS_1251.encode("Отчёт о проверке маяка за третий квартал");
    assert!(read(&cyrillic, "a.txt").unwrap().contains("проверке маяка"));
    let (japanese, _, _) = encoding_rs::SHIFT_JIS.encode("灯台の点検記録：第七号は異常なし。");
    assert!(read(&japanese, "a.txt").unwrap().contains("点検記録"));
    let utf16: Vec<u8> = "\u{feff}héllo"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(read(&utf16, "a.txt").unwrap(), "héllo");
    assert_eq!(
        read("\u{feff}plain\r\nlines".as_bytes(), "a.md").unwrap(),
        "plain\nlines"
    );
}

#[test]
fn a_page_in_its_own_encoding_is_read() {
    let page = "<meta charset=windows-1251><p>Отчёт";
    let (page, _, _) = encoding_rs::WINDOWS_1251.encode(page);
    assert_eq!(read(&page, "a.html").unwrap(), "Отчёт");
}

#[test]
fn what_is_no_text_is_refused_by_name() {
    assert!(
        read(&[0, 159, 146, 150, 7, 1, 2, 200], "a.txt")
            .unwrap_err()
            .reason
            .contains("binary")
    );
    assert!(
        read(b"\xd0\xcf\x11\xe0....", "a.txt")
            .unwrap_err()
            .reason
            .contains("save it as .docx")
    );
    let wrapped = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes);
    let wrapped: Vec<u8> = b"\xd0\xcf\x11\xe0".iter().copied().chain(wrapped).collect();
    assert!(
        read(&wrapped, "a.docx")
            .unwrap_err()
            .reason
            .contains("password")
    );
    assert!(
        read(b" \n ", "a.txt")
            .unwrap_err()
            .reason
            .contains("no text")
    );
    assert!(
        read(b"%PDF-1.4", "a.pdf")
            .unwrap_err()
            .reason
            .contains("sandbox")
    );
}

#[test]
fn tables_keep_their_cells_in_rows() {
    let table = "name,note,amount\n\"Mirela Voss\",\"line one\nline \"\"two\"\"\",4318.75\n\n";
    assert_eq!(
        read(table.as_bytes(), "a.csv").unwrap(),
        "name | note | amount\nMirela Voss | line one line \"two\" | 4318.75"
    );
    assert_eq!(read(b"a;b\n1,5;2\n", "a.csv").unwrap(), "a | b\n1,5 | 2");
    assert_eq!(read(b"a\tb\n1\t2", "a.tsv").unwrap(), "a | b\n1 | 2");
}

#[test]
fn pages_keep_headings_lists_rows_and_code() {
    let page = r#"<!doctype html><html><head><title>T</title><style>p{}</style></head><body>
        <h2 class="a>b">One &mdash; two</h2><p>Some <b>bold</b>text<br>next<!-- no --></p>
        <table><tr><th>A<th>B<tr><td><p>1</p></td><td>2</td></tr></table>
        <ul><li>x</li><li>y &#x2713; 3 < 4</ul><pre>a
  b</pre><div style="display: none">hidden <div>deep</div> too</div><p hidden>no</p>end</body>"#;
    assert_eq!(
        read(page.as_bytes(), "").unwrap(),
        "T\n\n## One — two\n\nSome boldtext\nnext\n\nA | B\n1 | 2\n\n- x\n- y ✓ 3 < 4\n\na\n  b\n\nend"
    );
}

#[test]
fn what_stands_in_a_cell_stays_in_its_row() {
    let page = "<table><tr><td><p>Lantern</p><table><tr><td></td><td>mast</td></tr></table></td>\
        <td>QX</td></tr><tr><td>Keel<td>4</table><ol><li><p>first</p></li><li>second</li></ol>end";
    assert_eq!(
        read(page.as_bytes(), "a.html").unwrap(),
        "Lantern mast | QX\nKeel | 4\n\n- first\n\n- second\n\nend"
    );
}

#[test]
fn depth_and_damage_cost_nothing() {
    let deep = format!("{}x{}", "<div>".repeat(50_000), "</div>".repeat(50_000));
    assert_eq!(read(deep.as_bytes(), "a.html").unwrap(), "x");
    for page in [
        "<",
        "<a href=\"",
        "<script>",
        "<!--",
        "&",
        "&#xffffffff;x",
        "</",
        "<p",
        "<div hidden>",
    ] {
        let _ = read(page.as_bytes(), "a.html");
    }
}

proptest! {
    /// Whatever the bytes: an answer or an error, and no mark of damage in what was read as UTF-8.
    #[test]
    fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..300), name in "a\\.(txt|html|csv)") {
        let _ = read(&bytes, &name);
    }

    #[test]
    fn plain_text_is_itself(text in "[a-zé ]{1,40}x") {
        prop_assert_eq!(read(text.as_bytes(), "a.txt").unwrap(), text);
    }
}
