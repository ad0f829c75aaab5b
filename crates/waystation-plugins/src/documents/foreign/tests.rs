//! Tests of the readers of archives and of RTF, over files made here. PDFs are tested where they can be
//! stopped.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// An archive of these parts, unpacked.
fn archive(parts: &[(&str, &str)]) -> Vec<u8> {
    let number = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in parts {
        let at = number(file.len());
        let sizes = [number(text.len()), number(text.len())].concat();
        let length = u16::try_from(name.len()).unwrap().to_le_bytes();
        file.extend_from_slice(b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0");
        file.extend(
            [
                sizes.as_slice(),
                &length,
                &[0; 2],
                name.as_bytes(),
                text.as_bytes(),
            ]
            .concat(),
        );
        directory.extend_from_slice(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0");
        directory.extend([sizes.as_slice(), &length, &[0; 12], &at, name.as_bytes()].concat());
    }
    let (from, size) = (number(file.len()), number(directory.len()));
    file.extend(directory);
    file.extend_from_slice(b"PK\x05\x06\0\0\0\0\0\0\0\0");
    file.extend([size.as_slice(), &from, &[0; 2]].concat());
    file
}

fn read(bytes: &[u8], kind: DocumentKind) -> Result<String, String> {
    let limits = DocumentLimits {
        bytes: 1 << 26,
        pages: 3,
        time: Duration::from_secs(10),
    };
    let read = read_foreign(bytes, kind, &limits);
    read.map(|document| document.text)
        .map_err(|error| error.reason)
}

fn parts(parts: &[(&str, &str)]) -> Result<String, String> {
    read(&archive(parts), DocumentKind::Archive)
}

fn word(body: &str) -> Result<String, String> {
    let styles = r#"<w:styles><w:style w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style>
        <w:style w:styleId="Punkt"><w:name w:val="List Bullet"/></w:style></w:styles>"#;
    parts(&[
        (
            "_rels/.rels",
            r#"<Relationships><Relationship Id="1" Type="http://x/officeDocument" Target="word/document.xml"/></Relationships>"#,
        ),
        (
            "word/_rels/document.xml.rels",
            r#"<R><Relationship Id="s" Type="http://x/styles" Target="styles.xml"/></R>"#,
        ),
        ("word/styles.xml", styles),
        (
            "word/document.xml",
            &format!("<w:document><w:body>{body}</w:body></w:document>"),
        ),
    ])
}

#[test]
fn a_word_document_keeps_headings_items_rows_and_boxes() {
    let text = word(
        r#"<w:p><w:pPr><w:pStyle w:val="berschrift2"/></w:pPr><w:r><w:t>Keel &amp; mast</w:t></w:r></w:p>
        <w:p><w:r><w:t xml:space="preserve">Split </w:t></w:r><w:del><w:r><w:delText>not </w:delText></w:r></w:del>
        <w:r><w:t>run</w:t><w:tab/><w:t>&#1103;</w:t><w:br/><w:t>next</w:t></w:r></w:p>
        <w:p><w:pPr><w:pStyle w:val="Punkt"/></w:pPr><w:r><w:t>one</w:t></w:r></w:p>
        <w:p><w:pPr><w:numPr><w:numId w:val="3"/></w:numPr></w:pPr><w:r><w:t>two</w:t></w:r></w:p>
        <w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc>
        <w:tc><w:tbl><w:tr><w:tc><w:p/></w:tc><w:tc><w:p><w:r><w:t>inner</w:t></w:r></w:p></w:tc></w:tr></w:tbl><w:p/></w:tc>
        <w:tc><w:p/></w:tc></w:tr></w:tbl>
        <w:p><w:r><w:t>around</w:t></w:r><w:r><mc:AlternateContent><mc:Choice><wps:txbx><w:txbxContent>
        <w:p><w:r><w:t>in a box</w:t></w:r></w:p></w:txbxContent></wps:txbx></mc:Choice><mc:Fallback><w:p><w:r>
        <w:t>in a box</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent></w:r><w:r><w:t> it</w:t></w:r></w:p>"#,
    );
    assert_eq!(
        text.unwrap(),
        "## Keel & mast\n\nSplit run\tя\nnext\n\n- one\n- two\n\na b | inner\n\nin a box\n\naround it"
    );
}

#[test]
fn a_workbook_shows_what_its_reader_sees() {
    let text = parts(&[
        (
            "xl/workbook.xml",
            r#"<workbook xmlns:r="r"><sheets><sheet name="A &amp; B" sheetId="1" r:id="r1"/>
            <sheet name="H" sheetId="2" state="hidden" r:id="r2"/></sheets></workbook>"#,
        ),
        (
            "xl/_rels/workbook.xml.rels",
            r#"<R><Relationship Id="r1" Type="x/worksheet" Target="worksheets/s.xml"/>
            <Relationship Id="r2" Type="x/worksheet" Target="worksheets/s.xml"/>
            <Relationship Id="t" Type="x/sharedStrings" Target="/xl/strings.xml"/>
            <Relationship Id="y" Type="x/styles" Target="styles.xml"/></R>"#,
        ),
        (
            "xl/strings.xml",
            "<sst><si><t>Sum</t></si><si><r><t>ri</t></r><r><t>ch</t></r></si></sst>",
        ),
        (
            "xl/styles.xml",
            r#"<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>"#,
        ),
        (
            "xl/worksheets/s.xml",
            r#"<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c></row>
            <row r="3"><c s="1"><v>46025</v></c><c><f>A1*2</f><v>2.5</v></c><c t="b"><v>1</v></c><c t="e"><v>#DIV/0!</v></c>
            <c t="inlineStr"><is><t>in line</t></is></c><c t="s"><v>99</v></c><c r="XFD3"><v>7</v></c></row></sheetData></worksheet>"#,
        ),
    ]);
    let bars = " | ".repeat(32).replace("  ", " ");
    assert_eq!(
        text.unwrap().replace(&bars, ".."),
        "## A & B\n\nSum |  | rich\n2026-01-03 | 2.5 | TRUE | #DIV/0! | in line | ".to_owned()
            + &format!("{} | 7", " | ".repeat(32)).replace(&bars, "..")
    );
}

#[test]
fn a_deck_is_read_slide_by_slide_with_its_notes() {
    let slide = |text: &str, more: &str| {
        format!(
            r#"<p:sld {more}><p:sp><p:nvPr><p:ph type="title"/></p:nvPr><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sp>
            <p:sp><a:p><a:r><a:t>point</a:t></a:r><a:fld><a:t>1</a:t></a:fld></a:p></p:sp></p:sld>"#
        )
    };
    let deck = |ids: &str| {
        parts(&[
            (
                "ppt/presentation.xml",
                &format!("<p:presentation><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>"),
            ),
            (
                "ppt/_rels/presentation.xml.rels",
                r#"<R><Relationship Id="a" Type="x/slide" Target="slides/1.xml"/>
                <Relationship Id="b" Type="x/slide" Target="slides/2.xml"/><Relationship Id="c" Type="x/slide" Target="slides/3.xml"/></R>"#,
            ),
            ("ppt/slides/1.xml", &slide("One", "")),
            ("ppt/slides/2.xml", &slide("Two", "")),
            ("ppt/slides/3.xml", &slide("Hidden", r#"show="0""#)),
            (
                "ppt/slides/_rels/2.xml.rels",
                r#"<R><Relationship Id="n" Type="x/notesSlide" Target="../notes/n.xml"/></R>"#,
            ),
            (
                "ppt/notes/n.xml",
                "<p:notes><a:p><a:r><a:t>say it slowly</a:t></a:r></a:p></p:notes>",
            ),
        ])
    };
    let text = deck(
        r#"<p:sldId id="256" r:id="b"/><p:sldId id="257" r:id="c"/><p:sldId id="258" r:id="a"/>"#,
    );
    assert_eq!(
        text.unwrap(),
        "## Slide 1\n\n### Two\n\npoint\n\nNotes: say it slowly\n\n## Slide 3\n\n### One\n\npoint"
    );
    let long = r#"<p:sldId id="256" r:id="b"/>"#.repeat(4);
    assert!(deck(&long).unwrap_err().contains("at most 3 slides"));
}

#[test]
fn open_documents_are_read() {
    let kind = ("mimetype", "application/vnd.oasis.opendocument.text");
    let text = parts(&[
        kind,
        (
            "content.xml",
            r#"<office:text><text:h text:outline-level="2">Keel</text:h>
        <text:p>one<text:s text:c="2"/>two<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>a note</text:p>
        </text:note-body></text:note><text:tab/>three<office:annotation><text:p>comment</text:p></office:annotation></text:p>
        <text:list><text:list-item><text:p>item</text:p></text:list-item></text:list></office:text>"#,
        ),
    ]);
    assert_eq!(
        text.unwrap(),
        "## Keel\n\na note\n\none  two\tthree\n\n- item"
    );
    let text = parts(&[
        kind,
        (
            "content.xml",
            r#"<office:document-content><style:style style:name="ta2"><style:table-properties table:display="false"/></style:style>
        <office:spreadsheet><table:table table:name="Sheet"><table:table-row><table:table-cell office:value-type="date" office:date-value="2026-01-03T00:00:00"><text:p>3/1</text:p></table:table-cell>
        <table:table-cell table:number-columns-repeated="2"><text:p>x</text:p></table:table-cell><table:table-cell table:number-columns-repeated="16000"/></table:table-row>
        <table:table-row table:number-rows-repeated="1048576"><table:table-cell/></table:table-row></table:table>
        <table:table table:name="Not shown" table:style-name="ta2"><table:table-row><table:table-cell><text:p>no</text:p></table:table-cell></table:table-row></table:table>
        </office:spreadsheet></office:document-content>"#,
        ),
    ]);
    assert_eq!(text.unwrap(), "## Sheet\n\n2026-01-03 | x | x");
}

#[test]
fn a_book_is_read_in_the_order_of_its_spine() {
    let text = parts(&[
        (
            "META-INF/container.xml",
            r#"<container><rootfile full-path="O/p.opf"/></container>"#,
        ),
        (
            "O/p.opf",
            r#"<package><item id="b" href="t/b%20b.xhtml"/><item id="a" href="a.xhtml"/><itemref idref="a"/><itemref idref="b"/></package>"#,
        ),
        (
            "O/a.xhtml",
            "<!DOCTYPE html><html><h1>First</h1><p>caf&eacute;</html>",
        ),
        ("O/t/b b.xhtml", "<html><p>Second</p></html>"),
    ]);
    assert_eq!(text.unwrap(), "# First\n\ncafé\n\nSecond");
}

#[test]
fn rtf_is_read_in_its_code_pages() {
    let text = read(
        br"{\rtf1\ansi\ansicpg1251{\fonttbl{\f0\fcharset204 A;}{\f1\fcharset128 \'82\'6c;}}{\*\generator x;}{\stylesheet{\s1 no;}}
\pard\outlinelevel0 {\f0 \'ea\'e8\'eb\'fc}\par\pard{\listtext\'b7\tab}item {\f1 \'93\'94}\uc2\u26412\'96\'7b\uc1{\uc0\u55357\u56842}\par
\pard a{\v hidden}{\deleted gone}b\emdash{\field{\*\fldinst X}{\fldrslt shown}}{\footnote\pard a note\par}\line c\{\par
\trowd\pard\intbl one\par two\cell\pard\intbl{\pict 00}three\cell\row\pard end{\bin3 }}}\par}",
        DocumentKind::Rtf,
    );
    assert_eq!(
        text.unwrap(),
        "# киль\n\n- item 灯本😊\n\na note\n\nab—shown\nc{\n\none two | three\n\nend"
    );
}

#[test]
fn what_is_encrypted_damaged_or_a_bomb_is_refused() {
    let refused = |list: &[(&str, &str)], why: &str| {
        let reason = parts(list).unwrap_err();
        assert!(reason.contains(why), "{reason}");
    };
    let open = ("mimetype", "application/vnd.oasis.opendocument.text");
    refused(
        &[open, ("META-INF/manifest.xml", "<m:encryption-data/>")],
        "password",
    );
    refused(&[open], "no content.xml");
    refused(&[("../evil.txt", "x")], "none of Word");
    refused(
        &[("word/document.xml", "<w:document><w:p></w:document>")],
        "damaged",
    );
    let bomb = r#"<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><w:document><w:t>&b;</w:t></w:document>"#;
    refused(&[("word/document.xml", bomb)], "document type");
    assert!(
        read(b"PK\x03\x04 cut off", DocumentKind::Archive)
            .unwrap_err()
            .contains("archive")
    );
    assert!(
        read(b"plain", DocumentKind::Rtf)
            .unwrap_err()
            .contains("no RTF")
    );
    let deep = format!(r"{{\rtf1{}", "{".repeat(20_000));
    assert!(
        read(deep.as_bytes(), DocumentKind::Rtf)
            .unwrap_err()
            .contains("groups")
    );
    // Strings that cells share are the bomb of workbooks.
    let long = "x".repeat(1 << 20);
    let cells = r#"<c t="s"><v>0</v></c>"#.repeat(64);
    refused(
        &[
            (
                "xl/workbook.xml",
                r#"<workbook><sheets><sheet name="A" r:id="1"/></sheets></workbook>"#,
            ),
            (
                "xl/_rels/workbook.xml.rels",
                r#"<R><Relationship Id="1" Type="worksheet" Target="s.xml"/><Relationship Id="2" Type="sharedStrings" Target="t.xml"/></R>"#,
            ),
            ("xl/t.xml", &format!("<sst><si><t>{long}</t></si></sst>")),
            (
                "xl/s.xml",
                &format!("<worksheet><row>{cells}</row></worksheet>"),
            ),
        ],
        "over",
    );
    let deep = format!(
        "{}<w:t>x</w:t>{}",
        "<w:p>".repeat(100_000),
        "</w:p>".repeat(100_000)
    );
    assert_eq!(word(&deep).unwrap(), "x");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever the bytes: an answer or an error.
    #[test]
    fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0..2000_usize, at in 0..2000_usize) {
        let good = archive(&[("word/document.xml", "<w:document><w:p><w:r><w:t>x</w:t></w:r></w:p></w:document>")]);
        let mut hurt = good.clone();
        if let Some(byte) = hurt.get_mut(at % good.len()) {
            *byte = byte.wrapping_add(bytes.first().copied().unwrap_or(1));
        }
        let _ = read(&hurt, DocumentKind::Archive);
        let _ = read(good.get(..cut % good.len()).unwrap_or_default(), DocumentKind::Archive);
        let _ = read(&[b"PK\x05\x06", bytes.as_slice()].concat(), DocumentKind::Archive);
        let _ = read(&[br"{\rtf1", bytes.as_slice()].concat(), DocumentKind::Rtf);
    }

    /// Text in RTF is itself, whatever stands in it.
    #[test]
    fn text_of_rtf_is_itself(text in "[a-zА-я€😀語 ]{0,30}x") {
        let mut rtf = String::from(r"{\rtf1\uc1 ");
        for unit in text.encode_utf16() {
            rtf.push_str(&format!(r"\u{}?", unit.cast_signed()));
        }
        rtf.push('}');
        prop_assert_eq!(read(rtf.as_bytes(), DocumentKind::Rtf).unwrap(), text.trim());
    }
}
