//! The annotations of a reply whose files were read: sent back, they take the place of reading the same
//! files again. What files are read is not decided here.

use waystation_core::{ChatEvent, Delta, ObjectWriter, OutputStage, PluginError, RawJson};

use super::{attachment::Attachment, rewrite::write_image};

/// Adds the annotations to a reply.
pub(super) struct Annotate {
    annotations: Option<RawJson>,
}

// === impl Annotate ===

impl Annotate {
    pub(super) const fn with(annotations: RawJson) -> Self {
        Self {
            annotations: Some(annotations),
        }
    }
}

impl OutputStage for Annotate {
    fn event(&mut self, event: ChatEvent, out: &mut Vec<ChatEvent>) -> Result<(), PluginError> {
        // Before the end of the first choice, so that streams and whole replies have them alike.
        if matches!(&event, ChatEvent::Finish(finish) if finish.choice == 0)
            && let Some(annotations) = self.annotations.take()
        {
            let mut delta = Delta::of(0);
            delta.annotations = Some(Box::new(annotations));
            out.push(ChatEvent::Delta(delta));
        }
        out.push(event);
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<ChatEvent>) -> Result<(), PluginError> {
        Ok(())
    }
}

/// The annotations of the files that went as text; `None` for no files.
///
/// Source: API contract, section 7.2.
pub(super) fn of<'f>(files: impl Iterator<Item = &'f Attachment>) -> Option<RawJson> {
    let mut out = vec![b'['];
    for file in files {
        let Some(read) = file.content() else { continue };
        if out.len() > 1 {
            out.push(b',');
        }
        let mut note = ObjectWriter::open(&mut out);
        note.string("type", "file");
        let mut held = note.object("file");
        held.string("hash", file.hash());
        if let Some(name) = file.name() {
            held.string("name", name);
        }
        let content = held.key("content");
        content.push(b'[');
        let mut part = ObjectWriter::open(content);
        part.string("type", "text").string("text", &read.text);
        part.close();
        for image in &read.images {
            content.push(b',');
            write_image(image, content);
        }
        content.push(b']');
        held.close();
        note.close();
    }
    out.push(b']');
    (out.len() > 2)
        .then(|| RawJson::parse(&out.into()).ok())
        .flatten()
}
