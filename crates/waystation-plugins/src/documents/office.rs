//! Files that are archives of XML parts: which of them a file is, and what its parts point to. What
//! stands in the parts is read by the module for its kind.
//!
//! What a file is called and what it says of its own type do not matter: the first part that the others
//! hang on decides, by its outermost element. So a workbook that is called `report.docx` is read.
//!
//! Sources: ECMA-376, part 2 (packages and relationships); OASIS OpenDocument 1.3, part 2 (packages);
//! W3C EPUB 3.3, section 4 (the container).

use waystation_core::{Document, DocumentLimits, ParseError};

use super::{
    archive::{Archive, resolved},
    epub,
    markup::{Tag, Visitor, Way, walk},
    open_document, refused, sheets, slides, word,
};

/// What a part points to.
#[derive(Debug)]
pub(super) struct Relation {
    /// How the part itself calls it.
    pub(super) id: String,
    /// The last word of its type: `slide`, `header`.
    pub(super) kind: String,
    /// The name of the other part.
    pub(super) part: String,
}

/// Reads a Word, Excel, PowerPoint, OpenDocument or EPUB file.
///
/// # Errors
/// [`ParseError`] for other archives, and for what is damaged, encrypted or over the limits.
pub(super) fn read(bytes: &[u8], limits: &DocumentLimits) -> Result<Document, ParseError> {
    let mut archive = Archive::open(bytes)?;
    let kind = archive.text("mimetype").ok().flatten().unwrap_or_default();
    if kind.trim() == "application/epub+zip" || archive.has("META-INF/container.xml") {
        return epub::read(&mut archive, limits);
    }
    let open = ["application/vnd.oasis.opendocument", "application/vnd.sun."];
    if open.iter().any(|start| kind.starts_with(start))
        || archive.has("content.xml") && archive.has("META-INF/manifest.xml")
    {
        return open_document::read(&mut archive, limits);
    }
    let main = relations(&mut archive, "")?
        .into_iter()
        .find(|relation| relation.kind == "officeDocument")
        .map(|relation| relation.part);
    let usual = [
        "word/document.xml",
        "xl/workbook.xml",
        "ppt/presentation.xml",
    ];
    let usual = usual.iter().find(|part| archive.has(part));
    let main = main.or_else(|| usual.map(|part| (*part).to_owned()));
    let nothing = || {
        refused(
            "it is an archive, and none of Word, Excel, PowerPoint, OpenDocument or EPUB"
                .to_owned(),
        )
    };
    let main = main.ok_or_else(nothing)?;
    let xml = archive.text(&main)?.ok_or_else(nothing)?;
    match root(&xml)?.as_str() {
        "document" => word::read(&mut archive, &main, &xml),
        "workbook" => sheets::read(&mut archive, &main, &xml),
        "presentation" => slides::read(&mut archive, &main, &xml, limits),
        _ => Err(nothing()),
    }
}

/// What the part `name` points to within the archive; the part `""` is the whole. What lies outside (a
/// link, a linked picture) is left out: nothing is ever fetched.
///
/// # Errors
/// [`ParseError`] where its list is damaged.
pub(super) fn relations(
    archive: &mut Archive<'_>,
    name: &str,
) -> Result<Vec<Relation>, ParseError> {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let list = format!("{folder}/_rels/{file}.rels");
    let Some(xml) = archive.text(&list)? else {
        return Ok(Vec::new());
    };
    let mut seen = Relations {
        from: name,
        found: Vec::new(),
    };
    walk(&xml, &mut seen)?;
    Ok(seen.found)
}

/// Walks over a list of relations.
struct Relations<'a> {
    from: &'a str,
    found: Vec<Relation>,
}

impl Visitor for Relations<'_> {
    fn open(&mut self, tag: &Tag<'_>) -> Way {
        let inside = tag.get("TargetMode").as_deref() != Some("External");
        if tag.name() == "Relationship"
            && inside
            && let (Some(id), Some(kind), Some(target)) =
                (tag.get("Id"), tag.get("Type"), tag.get("Target"))
        {
            self.found.push(Relation {
                id,
                kind: kind.rsplit('/').next().unwrap_or_default().to_owned(),
                part: resolved(self.from, &target),
            });
        }
        Way::In
    }

    fn close(&mut self, _: &str) {}

    fn text(&mut self, _: &str) {}
}

/// The name of the outermost element.
fn root(xml: &str) -> Result<String, ParseError> {
    struct Root(Option<String>);
    impl Visitor for Root {
        fn open(&mut self, tag: &Tag<'_>) -> Way {
            self.0.get_or_insert_with(|| tag.name().to_owned());
            Way::Past
        }

        fn close(&mut self, _: &str) {}

        fn text(&mut self, _: &str) {}
    }
    let mut root = Root(None);
    walk(xml, &mut root)?;
    Ok(root.0.unwrap_or_default())
}
